//! What a source needs, compared with what is registered. Talks to nobody.

use secrecy::ExposeSecret;
use url::Url;

use crate::{
    domain::{SourceId, directory::Source},
    platforms::unipile::{Header, NewWebhook, Webhook},
};

/// One of the webhooks that every source needs.
#[derive(Debug, PartialEq, Eq)]
pub struct Feed {
    /// What it tells of, in Unipile's words.
    pub about: &'static str,
    /// What of that. None: Unipile knows no events here, and refuses a list.
    pub events: &'static [&'static str],
}

/// What every source needs.
pub const FEEDS: [Feed; 3] = [
    Feed {
        about: "messaging",
        events: &[
            "message_received",
            "message_read",
            "message_reaction",
            "message_edited",
            "message_deleted",
            "message_delivered",
        ],
    },
    Feed { about: "users", events: &["new_relation"] },
    Feed { about: "account_status", events: &[] },
];

/// What Unipile sends the secret in.
const SECRET: &str = "Unipile-Auth";
/// Webhooks that are registered over the API have none unless told to.
const CONTENT_TYPE: (&str, &str) = ("Content-Type", "application/json");

/// How a feed of a source stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub feed: &'static Feed,
    /// For people: what is wrong; nothing if all is right.
    pub problems: Vec<String>,
    /// A webhook is to be made.
    pub create: bool,
    /// These are to be removed after that.
    pub remove: Vec<String>,
}

/// Where a source's webhooks are to be sent.
fn address(public_url: &Url, source: SourceId) -> String {
    format!("{}/webhook/unipile/{source}", public_url.as_str().trim_end_matches('/'))
}

fn name(source: SourceId, feed: &Feed) -> String {
    format!("leadwire_{source}_{}", feed.about)
}

/// How each feed of the source stands among all webhooks of its workspace.
#[must_use]
pub fn compare(source: &Source, public_url: &Url, registered: &[Webhook]) -> Vec<Finding> {
    let address = address(public_url, source.id);
    let stands = |feed: &'static Feed| {
        let name = name(source.id, feed);
        let is_ours = |hook: &&Webhook| hook.name == name || hook.about == feed.about && hook.request_url == address;
        let ours: Vec<(&Webhook, Vec<&str>)> =
            registered.iter().filter(is_ours).map(|hook| (hook, faults(hook, source, feed, &address))).collect();
        let right = ours.iter().position(|(_, faults)| faults.is_empty());
        let wrong = ours.iter().enumerate().filter(|(at, _)| Some(*at) != right).map(|(_, wrong)| wrong);
        let (mut problems, mut remove) = (Vec::new(), Vec::new());
        for (hook, faults) in wrong {
            problems.push(if faults.is_empty() { "it is registered twice".to_owned() } else { faults.join(", ") });
            remove.push(hook.id.clone());
        }
        if ours.is_empty() {
            problems.push("it is not registered".to_owned());
        }
        Finding { feed, problems, create: right.is_none(), remove }
    };
    FEEDS.iter().map(stands).collect()
}

/// For people: what is wrong with a webhook.
fn faults(hook: &Webhook, source: &Source, feed: &Feed, address: &str) -> Vec<&'static str> {
    let header = |name: &str| hook.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    let secret = source.app_secrets.first().map(ExposeSecret::expose_secret);
    let has_secret = header(SECRET).is_some_and(|(_, value)| Some(value.expose_secret()) == secret);
    let has_type = header(CONTENT_TYPE.0).is_some_and(|(_, value)| value.expose_secret().starts_with(CONTENT_TYPE.1));
    let mut events: Vec<&str> = hook.events.iter().map(String::as_str).collect();
    let mut wanted = feed.events.to_vec();
    events.sort_unstable();
    wanted.sort_unstable();
    // Not every version of the list says whose events a webhook tells.
    let is_of_account = hook.account_ids.as_ref().is_none_or(|ids| ids.iter().eq([&source.external_id]));
    [
        (hook.about == feed.about, "it tells of something else"),
        (hook.enabled, "it is switched off"),
        (hook.request_url == address, "it goes to another address"),
        (feed.events.is_empty() || events == wanted, "it tells other events"),
        (has_secret, "it carries another secret"),
        (has_type, "it has no Content-Type"),
        (is_of_account, "it is of other accounts"),
    ]
    .into_iter()
    .filter_map(|(right, fault)| (!right).then_some(fault))
    .collect()
}

/// The webhook that a feed of a source needs.
pub(super) fn wanted(source: &Source, feed: &Feed, public_url: &Url) -> NewWebhook {
    let secret = source.app_secrets.first().map_or("", |secret| secret.expose_secret());
    let header = |key, value: &str| Header { key, value: value.to_owned() };
    NewWebhook {
        about: feed.about,
        name: name(source.id, feed),
        request_url: address(public_url, source.id),
        events: feed.events,
        account_ids: vec![source.external_id.clone()],
        headers: vec![header(CONTENT_TYPE.0, CONTENT_TYPE.1), header(SECRET, secret)],
    }
}
