//! `leadwire source check`: the webhooks that sources have at Unipile.

use anyhow::bail;
use url::Url;

use super::{BadInput, table};
use crate::{
    config::Settings,
    domain::{
        SourceId,
        directory::{Directory, Source},
        event::SourceKind,
    },
    platforms::unipile::{UnipileClient, UnipileError, Webhook, Workspace},
    upkeep::registration::{FEEDS, Finding, by_workspace, compare, mend, registered},
};

/// Source, webhook, what is wrong, what is done about it.
type Line = [String; 4];

/// Prints a line for each webhook that is needed; with `fix` puts right what is wrong.
pub(super) async fn run(
    settings: &Settings,
    directory: &Directory,
    only: Option<SourceId>,
    fix: bool,
) -> anyhow::Result<()> {
    let Some(public_url) = &settings.server.public_url else {
        let why = "server.public_url is empty: set where the hub is reached from outside, then its webhooks are known";
        return Err(BadInput(why.to_owned()).into());
    };
    // The one provider of TLS in the tree; a second call finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = UnipileClient::new(&settings.unipile)?;
    let (mut lines, mut wrong) = (receiving_only(directory, only), 0);
    for mut sources in by_workspace(directory) {
        sources.retain(|source| only.is_none_or(|only| only == source.id));
        let Some((first, url)) = sources.first().and_then(|first| Some((first, first.api_url.as_ref()?))) else {
            continue;
        };
        let workspace = client.workspace(url, &first.token);
        let listed = registered(&workspace).await;
        for source in sources {
            wrong += look(&workspace, source, public_url, &listed, fix, &mut lines).await;
        }
    }
    lines.sort();
    table::print(["source", "webhook", "state", "what to do"], lines);
    if wrong > 0 {
        bail!("{wrong} webhooks are not right");
    }
    Ok(())
}

/// Adds a source's lines; how many webhooks are wrong and stay so.
async fn look(
    workspace: &Workspace,
    source: &Source,
    public_url: &Url,
    listed: &Result<Vec<Webhook>, UnipileError>,
    fix: bool,
    lines: &mut Vec<Line>,
) -> usize {
    let line =
        |webhook: &str, state: String, action: &str| [source.id.to_string(), webhook.into(), state, action.into()];
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => {
            lines.push(line("-", format!("not known: {error}"), "-"));
            return FEEDS.len();
        }
    };
    let mut wrong = 0;
    for finding in compare(source, public_url, listed) {
        let mut action = plan(&finding);
        let outcome = if fix { mend(workspace, source, public_url, &finding).await } else { Ok(()) };
        match outcome {
            Err(error) => {
                wrong += 1;
                action = format!("could not {action}: {error}");
            }
            Ok(()) if finding.problems.is_empty() => {}
            Ok(()) if fix => action = format!("done: {action}"),
            Ok(()) => wrong += 1,
        }
        let state = if finding.problems.is_empty() { "right".to_owned() } else { finding.problems.join("; ") };
        lines.push(line(finding.feed.about, state, &action));
    }
    wrong
}

fn plan(finding: &Finding) -> String {
    match (finding.create, finding.remove.len()) {
        (false, 0) => "-".to_owned(),
        (true, 0) => "register it".to_owned(),
        (true, _) => "replace it".to_owned(),
        (false, surplus) => format!("remove {surplus}"),
    }
}

/// Those that can't be looked at.
fn receiving_only(directory: &Directory, only: Option<SourceId>) -> Vec<Line> {
    let sources = directory.sources.values().filter(|source| source.kind == SourceKind::Unipile);
    let sources = sources.filter(|source| only.is_none_or(|only| only == source.id));
    let line = |source: &Source| {
        let (state, action) = match (source.enabled, &source.api_url) {
            (true, Some(_)) => return None,
            (true, None) => ("receives only", "say where Unipile's API is: `leadwire source set-dsn`"),
            (false, _) => ("disabled", "-"),
        };
        Some([source.id.to_string(), "-".to_owned(), state.to_owned(), action.to_owned()])
    };
    sources.filter_map(line).collect()
}
