//! Happenings of one account's conversations, as a provider would translate them.

use leadwire::{
    domain::{
        AccountId, AgencyId, SourceId, Timestamp, clock,
        directory::Account,
        message::{ChangeKind, Chat, Flag, Happening, Message, MessageChange, Owner, Reaction},
    },
    store::{ChatFilter, MessageFilter, Store},
};
use serde_json::json;

/// The second `number` of the conversations.
pub fn at(number: i64) -> Timestamp {
    clock::from_micros(1_795_000_000_000_000 + number * 1_000_000)
}

/// All messages that fit on a page, the oldest first.
pub const OLDEST_FIRST: MessageFilter = MessageFilter { before: None, newest_first: false, limit: 250, offset: 0 };

/// Of one source of an account.
#[derive(Clone, Copy)]
pub struct Talk {
    pub owner: Owner,
    pub agency: AgencyId,
    pub account: AccountId,
}

impl Talk {
    pub fn of(account: &Account) -> Self {
        let source = SourceId::derive(&[b"the same for all"]);
        let owner = Owner { agency: account.agency, account: account.id, source };
        Self { owner, agency: account.agency, account: account.id }
    }

    /// The other side's message of that second in the chat `c`.
    pub fn message(&self, number: i64) -> Message {
        self.message_in("c", number)
    }

    pub fn message_in(&self, chat: &str, number: i64) -> Message {
        let (owner, platform_id) = (&self.owner, format!("{chat}-m{number}"));
        serde_json::from_value(json!({
            "id": owner.message(&platform_id), "agency_id": owner.agency, "account_id": owner.account,
            "source_id": owner.source, "chat_id": owner.chat(chat), "account_type": "INSTAGRAM",
            "platform_id": platform_id, "chat_platform_id": chat, "provider_id": platform_id, "chat_provider_id": chat,
            "sender_id": "jane", "text": format!("text {number}"), "timestamp": at(number), "is_sender": 0,
            "created_at": at(100_000),
        }))
        .unwrap()
    }

    /// The account's own.
    pub fn own(&self, number: i64) -> Message {
        Message { is_sender: Flag(true), sender_id: Some("us".into()), ..self.message(number) }
    }

    /// What became of the message of that second.
    pub fn change(&self, change: ChangeKind, message: i64, when: i64) -> MessageChange {
        let owner = &self.owner;
        MessageChange {
            change,
            id: Some(owner.message(&format!("c-m{message}"))),
            platform_id: Some(format!("c-m{message}")),
            agency: owner.agency,
            account: owner.account,
            source: owner.source,
            chat: Some(owner.chat("c")),
            timestamp: at(when),
            text: None,
            reaction: None,
            up_to: None,
            is_sender: None,
        }
    }

    pub fn edit(&self, message: i64, when: i64, text: &str) -> MessageChange {
        MessageChange { text: Some(text.into()), ..self.change(ChangeKind::Edited, message, when) }
    }

    pub fn reaction(&self, message: i64, when: i64, value: &str) -> MessageChange {
        let reaction = Reaction { value: value.into(), sender_id: "jane".into(), is_sender: Flag(false) };
        MessageChange { reaction: Some(reaction), ..self.change(ChangeKind::Reaction, message, when) }
    }

    /// All of one side's until that second.
    pub fn receipt(&self, change: ChangeKind, is_sender: bool, until: i64) -> MessageChange {
        let (up_to, is_sender) = (Some(at(until)), Some(Flag(is_sender)));
        MessageChange { id: None, platform_id: None, up_to, is_sender, ..self.change(change, 0, until) }
    }

    pub async fn keep(&self, store: &Store, happenings: impl IntoIterator<Item = impl Into<Told>>) -> Vec<Chat> {
        let happenings: Vec<Happening> = happenings.into_iter().map(|told| told.into().0).collect();
        store.apply_happenings(&happenings).await.unwrap()
    }

    pub async fn messages(&self, store: &Store) -> Vec<Message> {
        let page = store.messages(self.agency, &[self.account], self.owner.chat("c"), &OLDEST_FIRST).await.unwrap();
        page.unwrap_or_default().messages
    }

    pub async fn one(&self, store: &Store, number: i64) -> Message {
        let id = self.owner.message(&format!("c-m{number}"));
        self.messages(store).await.into_iter().find(|message| message.id == id).unwrap()
    }

    pub async fn chat(&self, store: &Store) -> Chat {
        store.chat(self.agency, &[self.account], "c").await.unwrap().unwrap()
    }

    pub async fn chats(&self, store: &Store) -> Vec<Chat> {
        let all = ChatFilter { limit: 250, ..ChatFilter::default() };
        store.list_chats(self.agency, &[self.account], &all).await.unwrap().chats
    }
}

/// A happening, from either kind.
pub struct Told(pub Happening);

impl From<Message> for Told {
    fn from(message: Message) -> Self {
        Self(Happening::Message(Box::new(message)))
    }
}

impl From<MessageChange> for Told {
    fn from(change: MessageChange) -> Self {
        Self(Happening::Change(Box::new(change)))
    }
}
