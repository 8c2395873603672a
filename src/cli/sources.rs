//! `leadwire source list`.

use super::table;
use crate::domain::{
    AccountId,
    directory::{Directory, Source},
    event::SourceKind,
};

/// Prints the sources, not their secrets.
pub(super) fn list(directory: &Directory, account: Option<AccountId>) {
    let mut sources: Vec<_> = directory.sources.values().collect();
    sources.retain(|source| account.is_none_or(|only| only == source.account));
    sources.sort_by_key(|source| (source.account, source.id));
    table::print(
        ["id", "account", "kind", "platform id", "name", "state", "app", "api"],
        sources.into_iter().map(|source| {
            [
                source.id.to_string(),
                source.account.to_string(),
                source.kind.to_string(),
                source.external_id.clone(),
                source.name.clone(),
                if source.enabled { "enabled" } else { "disabled" }.to_owned(),
                if source.app_secrets.is_empty() { "the hub's" } else { "its own" }.to_owned(),
                api(source),
            ]
        }),
    );
}

/// Where the platform is asked.
fn api(source: &Source) -> String {
    match (&source.api_url, source.kind) {
        (Some(url), _) => url.as_str().trim_end_matches('/').to_owned(),
        (None, SourceKind::Unipile | SourceKind::Prospecting) => "receives only".to_owned(),
        (None, SourceKind::Meta) => "meta.graph_url".to_owned(),
    }
}
