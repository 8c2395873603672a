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
                state(directory, source).to_owned(),
                if source.app_secrets.is_empty() { "the hub's" } else { "its own" }.to_owned(),
                api(source),
            ]
        }),
    );
}

fn state(directory: &Directory, source: &Source) -> &'static str {
    let id = source.id.to_string();
    match directory.unreadable.iter().any(|row| row.id == id) {
        true => "unreadable",
        false if source.enabled => "enabled",
        false => "disabled",
    }
}

/// Where the platform is asked.
fn api(source: &Source) -> String {
    match (&source.api_url, source.kind) {
        (Some(url), _) => url.as_str().trim_end_matches('/').to_owned(),
        (None, SourceKind::Unipile | SourceKind::Prospecting) => "receives only".to_owned(),
        (None, SourceKind::Meta) => "meta.graph_url".to_owned(),
    }
}
