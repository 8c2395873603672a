//! Which address is whose.
//!
//! `/webhook` is for the hub's own app, `/webhook/{provider}/{source}` for a source; one whose agency has an app of its
//! own is verified with that app's secrets, and its events reach that agency's sources only. [`UNIPILE_MESSAGES`] and
//! [`prospecting::DOORS`] are for all sources of their kind: whose it is tells the secret.

use actix_web::{HttpRequest, http::header};
use secrecy::SecretString;

use super::providers::{self, Provider, prospecting};
use crate::{
    config,
    domain::{
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
    prospecting_tokens: Vec<SecretString>,
}

/// Who a webhook's address belongs to.
pub(super) struct Door<'a> {
    pub provider: &'static dyn Provider,
    pub secrets: &'a [SecretString],
    pub verify_token: Option<&'a SecretString>,
    pub scope: Scope,
    /// The source, if it is one's own address or secret.
    pub of: Option<&'a Source>,
    pub source: String,
}

impl Doors {
    pub fn new(settings: &config::Settings) -> Self {
        Self {
            hub_secrets: settings.meta.app_secrets.clone(),
            hub_verify_token: settings.meta.verify_token.clone(),
            prospecting_tokens: settings.prospecting.tokens.clone(),
        }
    }

    /// `None` if there is no such address.
    pub fn find<'a>(&'a self, request: &HttpRequest, directory: &'a Directory) -> Option<Door<'a>> {
        if request.path() == UNIPILE_MESSAGES {
            return shared(SourceKind::Unipile, request, directory);
        }
        if prospecting::DOORS.contains(&request.path()) {
            let mut door = shared(SourceKind::Prospecting, request, directory)?;
            if door.of.is_none() {
                door.secrets = &self.prospecting_tokens;
            }
            return Some(door);
        }
        let path = request.match_info();
        let (Some(provider), Some(id)) = (path.get("provider"), path.get("source")) else {
            return Some(self.hub(providers::named(SourceKind::Meta.as_str())?, None));
        };
        let provider = providers::named(provider)?;
        let source = id.parse().ok().and_then(|id| directory.sources.get(&id))?;
        if source.kind != provider.kind() {
            return None;
        }
        // The hub's own app is Meta's.
        if source.app_secrets.is_empty() && source.kind == SourceKind::Meta {
            return Some(self.hub(provider, Some(source)));
        }
        let mut door = of_source(provider, source);
        if source.kind == SourceKind::Prospecting && !provider.verify(door.secrets, &header_of(request), &[]) {
            door.secrets = &self.prospecting_tokens;
        }
        Some(door)
    }

    fn hub<'a>(&'a self, provider: &'static dyn Provider, source: Option<&Source>) -> Door<'a> {
        let (secrets, verify_token) = (&self.hub_secrets[..], Some(&self.hub_verify_token));
        let source = source.map(|source| source.id.to_string()).unwrap_or_default();
        Door { provider, secrets, verify_token, scope: Scope::Hub, of: None, source }
    }
}

fn of_source<'a>(provider: &'static dyn Provider, source: &'a Source) -> Door<'a> {
    Door {
        provider,
        secrets: &source.app_secrets,
        verify_token: source.verify_token.as_ref(),
        scope: Scope::Agency(source.agency),
        of: Some(source),
        source: source.id.to_string(),
    }
}

/// The address of all sources of a kind: it belongs to the one whose secret came. To nobody, and with no secret that could
/// be right, if there is none.
fn shared<'a>(kind: SourceKind, request: &HttpRequest, directory: &'a Directory) -> Option<Door<'a>> {
    let provider = providers::named(kind.as_str())?;
    let header = header_of(request);
    let mut sources = directory.sources.values().filter(|source| source.kind == kind);
    let source = sources.find(|source| provider.verify(&source.app_secrets, &header, &[]));
    let nobody =
        Door { provider, secrets: &[], verify_token: None, scope: Scope::Hub, of: None, source: String::new() };
    Some(source.map_or(nobody, |source| Door { verify_token: None, ..of_source(provider, source) }))
}

fn header_of<'r>(request: &'r HttpRequest) -> impl Fn(&str) -> Option<&'r [u8]> {
    move |name: &str| request.headers().get(name).map(header::HeaderValue::as_bytes)
}
