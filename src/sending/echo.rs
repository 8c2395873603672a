//! A sent message in the shape in which the platform tells of it itself, so that the platform's readers read it.

use serde_json::{Value, json};

use crate::{
    domain::{
        clock,
        directory::Source,
        event::{EventKind, Fate, NewEvent, SourceKind},
        message::{Arrival, Chat, Happening, Message, Owner},
        send::Outgoing,
    },
    inbox::Delivery,
    platforms::{SENT_BY_HUB, meta, unipile},
};

/// Whose conversations a source brings.
pub(super) fn owner(source: &Source) -> Owner {
    Owner { agency: source.agency, account: source.account, source: source.id }
}

/// The webhook that the platform might have sent; `None` while it has no id.
pub(super) fn delivery(send: &Outgoing, source: &Source, chat: &Chat) -> Option<Delivery> {
    let platform_id = send.platform_id.clone()?;
    let item = item(send, source, chat, &platform_id).to_string();
    let kind = EventKind::Message;
    let event = NewEvent {
        id: NewEvent::key(&source.account.to_string(), source.kind, &platform_id, kind),
        kind,
        source_kind: source.kind,
        external_id: source.external_id.clone(),
        platform_id,
        item: item.clone(),
        fate: Fate::Work { account: source.account, source: source.id },
    };
    Some(Delivery {
        received_at: send.updated_at,
        provider: source.kind.as_str(),
        path: String::new(),
        remote: String::new(),
        headers: "{}".to_owned(),
        body: item.into(),
        events: vec![event],
    })
}

/// The message that a send has become, as dashboards are shown it.
pub(super) fn message(send: &Outgoing, source: &Source, chat: &Chat) -> Option<Message> {
    let item = item(send, source, chat, send.platform_id.as_deref()?).to_string();
    let read = match source.kind {
        SourceKind::Meta => meta::read(&item, owner(source), &source.external_id, send.updated_at, Arrival::Sent),
        SourceKind::Unipile => unipile::read(&item, owner(source), send.updated_at, Arrival::Sent),
        SourceKind::Prospecting => return None,
    };
    match read {
        Ok(Happening::Message(message)) => Some(*message),
        Ok(Happening::Change(_)) | Err(_) => None,
    }
}

fn item(send: &Outgoing, source: &Source, chat: &Chat, platform_id: &str) -> Value {
    let mut item = match source.kind {
        SourceKind::Meta => json!({
            "sender": {"id": source.external_id}, "recipient": {"id": chat.platform_id},
            "timestamp": send.updated_at.timestamp_millis(),
            "message": {"is_echo": true, "mid": platform_id, "text": send.text},
        }),
        SourceKind::Unipile => json!({
            "event": "message_received", "account_id": source.external_id, "account_type": chat.account_type,
            "chat_id": chat.platform_id, "provider_chat_id": chat.provider_id, "message_id": platform_id,
            "message": send.text, "timestamp": clock::rfc3339(send.updated_at), "is_sender": true, "attachments": [],
        }),
        // It has no chats.
        SourceKind::Prospecting => json!({}),
    };
    item[SENT_BY_HUB] = true.into();
    item
}
