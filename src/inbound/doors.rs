//! Which address is whose, and what opens it.
//!
//! `/webhook` is for the hub's own app, `/webhook/{provider}/{source}` for a source. [`UNIPILE_MESSAGES`] and
//! [`prospecting::DOORS`] are for all sources of their kind: whose it is tells the secret. A secret of an agency's own lets
//! events reach the sources that carry exactly this secret, and no others.

use std::collections::HashSet;

use secrecy::{ExposeSecret, SecretString};

use super::providers::{self, Provider, proof, prospecting};
use crate::{
    config,
    domain::{
        SecretDigest,
        directory::{Directory, Source},
        event::{Scope, SourceKind},
    },
};

/// The address that users of the origin's inbox have registered.
pub(super) const UNIPILE_MESSAGES: &str = "/api/webhooks/unipile/messages";

/// Finds who an address belongs to.
pub(super) struct Doors {
    hub_secrets: Vec<SecretString>,
    hub_verify_token: SecretString,
    prospecting_tokens: HashSet<SecretDigest>,
}

/// An address that webhooks may come to.
#[derive(Clone, Copy)]
pub(super) struct Door<'a> {
    pub provider: &'static dyn Provider,
    at: At<'a>,
}

/// Whose address it is.
#[derive(Clone, Copy)]
enum At<'a> {
    /// The hub's own app's, or that of a source of it.
    Hub(Option<&'a Source>),
    /// A source's that has secrets of its own.
    Own(&'a Source),
    /// All sources' of a kind.
    All,
}

/// What a proof has opened.
pub(super) struct Opened<'a> {
    /// What the events may reach.
    pub scope: Scope,
    /// The source, if it is one's own address or token.
    pub of: Option<&'a Source>,
}

impl Doors {
    pub fn new(settings: &config::Settings) -> Self {
        let tokens = settings.prospecting.tokens.iter().map(|token| token.expose_secret().as_bytes());
        Self {
            hub_secrets: settings.meta.app_secrets.clone(),
            hub_verify_token: settings.meta.verify_token.clone(),
            prospecting_tokens: tokens.filter(|token| !token.is_empty()).map(SecretDigest::of).collect(),
        }
    }

    /// `source`: the names of a provider and a source, where the path has them. `None` if there is no such address.
    pub fn find<'a>(path: &str, source: Option<(&str, &str)>, directory: &'a Directory) -> Option<Door<'a>> {
        let all = |kind: SourceKind| Some(Door { provider: providers::named(kind.as_str())?, at: At::All });
        if path == UNIPILE_MESSAGES {
            return all(SourceKind::Unipile);
        }
        if prospecting::DOORS.contains(&path) {
            return all(SourceKind::Prospecting);
        }
        let Some((provider, id)) = source else {
            return Some(Door { provider: providers::named(SourceKind::Meta.as_str())?, at: At::Hub(None) });
        };
        let provider = providers::named(provider)?;
        let source = id.parse().ok().and_then(|id| directory.sources.get(&id))?;
        if source.kind != provider.kind() {
            return None;
        }
        // The hub's own app is Meta's.
        let is_hubs = source.app_secrets.is_empty() && source.kind == SourceKind::Meta;
        Some(Door { provider, at: if is_hubs { At::Hub(Some(source)) } else { At::Own(source) } })
    }

    /// What a platform's handshake has to know; `None` where there is none.
    pub fn verify_token<'a>(&'a self, door: &Door<'a>) -> Option<&'a SecretString> {
        match door.at {
            At::Hub(_) => Some(&self.hub_verify_token),
            At::Own(source) => source.verify_token.as_ref(),
            At::All => None,
        }
    }

    /// What a secret opens that came in a header: hashed once, however many sources there are.
    pub fn by_secret<'a>(&self, door: &Door<'a>, given: &[u8], directory: &'a Directory) -> Option<Opened<'a>> {
        let (kind, secret) = (door.provider.kind(), SecretDigest::of(given));
        let carriers = directory.carriers(kind, secret);
        let of_hub = || kind == SourceKind::Prospecting && self.prospecting_tokens.contains(&secret);
        match door.at {
            At::Hub(_) => None,
            At::Own(source) if carriers.binary_search(&source.id).is_ok() => Some(Opened::of(source, secret)),
            At::Own(source) => of_hub().then_some(Opened { scope: Scope::Agency(source.agency), of: Some(source) }),
            // The oldest: nobody gets another's events by taking a secret that the other has already.
            At::All => match carriers.first().and_then(|id| directory.sources.get(id)) {
                Some(source) => Some(Opened::of(source, secret)),
                None => of_hub().then_some(Opened { scope: Scope::Hub, of: None }),
            },
        }
    }

    /// What a signature over the body opens.
    pub fn by_signature<'a>(&self, door: &Door<'a>, signature: &[u8; 32], body: &[u8]) -> Option<Opened<'a>> {
        match door.at {
            At::Hub(_) => {
                proof::signer(&self.hub_secrets, signature, body).map(|_| Opened { scope: Scope::Hub, of: None })
            }
            At::Own(source) => {
                let secret = proof::signer(&source.app_secrets, signature, body)?;
                Some(Opened::of(source, SecretDigest::of(secret.expose_secret().as_bytes())))
            }
            At::All => None,
        }
    }
}

impl<'a> Opened<'a> {
    const fn of(source: &'a Source, secret: SecretDigest) -> Self {
        Self { scope: Scope::Secret { agency: source.agency, secret }, of: Some(source) }
    }
}

impl Door<'_> {
    /// The source whose address it is, in text; empty for the addresses of several.
    pub fn source(&self) -> String {
        match self.at {
            At::Hub(Some(source)) | At::Own(source) => source.id.to_string(),
            At::Hub(None) | At::All => String::new(),
        }
    }
}
