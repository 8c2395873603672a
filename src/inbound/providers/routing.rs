//! Where an event goes: to the account that has claimed its object, into the park until one does, or on record.

use sha2::{Digest, Sha256};

use crate::domain::{
    directory::Directory,
    event::{EventKind, Fate, NewEvent, Scope, SourceKind},
};

/// What is kept of an item that can't be read; the whole body is kept elsewhere.
pub const LONGEST_UNREADABLE: usize = 64 * 1024;

/// Makes events of what a provider found in a body. `object` is the platform's id of the page or the account that the
/// item is about; empty where it doesn't say.
pub struct Routing<'d> {
    /// The platform.
    pub source_kind: SourceKind,
    /// Who has claimed what.
    pub directory: &'d Directory,
    /// Whose sources may be reached.
    pub scope: Scope,
}

impl Routing<'_> {
    /// Something to be done, by the account that has claimed the object.
    pub fn work(&self, kind: EventKind, object: &str, platform_id: String, item: &str) -> NewEvent {
        let (owner, fate) = match self.directory.route(self.source_kind, object, self.scope) {
            Some(source) => (source.account.to_string(), Fate::Work { account: source.account, source: source.id }),
            None => (format!("unrouted:{}:{object}", self.scope), Fate::Unrouted { scope: self.scope }),
        };
        self.event(&owner, kind, object, platform_id, item, fate)
    }

    /// Something to be kept.
    pub fn record(&self, kind: EventKind, object: &str, platform_id: String, item: &str) -> NewEvent {
        let owner = self.directory.route(self.source_kind, object, self.scope);
        let owner = owner.map(|source| (source.account, source.id));
        let key = match owner {
            Some((account, _)) => account.to_string(),
            // With the object: nothing says that two of them never use the same id.
            None => format!("recorded:{}:{object}", self.scope),
        };
        self.event(&key, kind, object, platform_id, item, Fate::Record { owner })
    }

    /// Something of a kind that the hub does nothing with.
    pub fn other(&self, object: &str, item: &str) -> NewEvent {
        self.record(EventKind::Other, object, fingerprint(&[object.as_bytes(), item.as_bytes()]), item)
    }

    /// Something that can't be understood: its bytes, and what can be shown of them.
    pub fn unreadable(&self, object: &str, raw: &[u8], text: &str) -> NewEvent {
        let item = text[..text.floor_char_boundary(LONGEST_UNREADABLE)].replace('\0', "\u{fffd}");
        self.record(EventKind::Unreadable, object, fingerprint(&[raw]), &item)
    }

    fn event(
        &self,
        owner: &str,
        kind: EventKind,
        object: &str,
        platform_id: String,
        item: &str,
        fate: Fate,
    ) -> NewEvent {
        NewEvent {
            id: NewEvent::key(owner, self.source_kind, &platform_id, kind),
            kind,
            source_kind: self.source_kind,
            external_id: object.to_owned(),
            platform_id,
            item: item.to_owned(),
            fate,
        }
    }
}

/// Stands for an id where the platform gives none: 128 bits of SHA-256 over the parts, as hex digits.
pub fn fingerprint(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..16])
}
