//! Why a send waits or has failed, in words for people: what it is, and what to do.

use secrecy::ExposeSecret;

use crate::{
    domain::{directory::Source, event::SourceKind, send::Reason},
    platforms::{
        meta::{self, GraphError},
        unipile::{self, UnipileError},
    },
};

/// The code of a send of which nobody knows whether it went out.
pub(super) const UNCONFIRMED: &str = "unconfirmed";

/// The source, if a message can be sent through it.
pub(super) fn usable(source: Option<&Source>) -> Result<&Source, Reason> {
    let Some(source) = source else {
        return Err(Reason::new("source_gone", "The source of this chat was removed: connect it again."));
    };
    if !source.enabled {
        return Err(Reason::new("source_disabled", "The source of this chat is disabled: enable it first."));
    }
    if source.kind == SourceKind::Prospecting {
        return Err(Reason::new("no_chats", "A prospecting database takes no messages."));
    }
    if source.kind == SourceKind::Unipile && source.api_url.is_none() {
        let words = "The hub does not know where this account's Unipile is: a manager of the hub tells it with \
                     `leadwire source set-dsn`.";
        return Err(Reason::new("no_api_url", words));
    }
    if source.token.expose_secret().trim().is_empty() {
        let words = "The source of this chat has no token: a manager of the hub gives it one with \
                     `leadwire source set-token`.";
        return Err(Reason::new("no_token", words));
    }
    Ok(source)
}

pub(super) fn chat_gone() -> Reason {
    Reason::new("chat_gone", "The chat is no longer there.")
}

pub(super) fn stale() -> Reason {
    Reason::new("too_late", "It could not be sent for so long that it may be out of date by now. Send it again if not.")
}

pub(super) fn unconfirmed(why: &str) -> Reason {
    let words = format!(
        "Nobody knows whether it was sent: {why}, and the platform has not shown it since. Look at the platform before \
         sending it again."
    );
    Reason::new(UNCONFIRMED, words)
}

/// Of Messenger and Instagram. Codes: Messenger Platform reference, "Error Codes".
pub(super) fn of_meta(error: &GraphError) -> Reason {
    let gone = "This person can't be written to: they may have blocked the page, or left.";
    match (error.code, error.subcode) {
        (Some(10), Some(2_018_278 | 2_018_065 | 2_534_022)) => {
            let words = "More than 24 hours have passed since this person last wrote, and the platform takes no reply \
                         after that. Wait until they write again.";
            Reason::new("outside_window", words)
        }
        (Some(551), _) | (Some(100), Some(2_018_001 | 2_534_014)) => Reason::new("person_unavailable", gone),
        (Some(102 | 190), _) => {
            let words = "The platform refuses the page's token: a manager of the hub replaces it with \
                         `leadwire source set-token`.";
            Reason::new("token_invalid", words)
        }
        (Some(368), _) => {
            let words =
                "The platform has blocked this page from sending for a while: look at the page's support inbox.";
            Reason::new("blocked", words)
        }
        (Some(3 | 10 | 200..=299), _) => {
            let words = format!("The app may not send messages for this page: grant it the permission. {error}");
            Reason::new("not_allowed", words)
        }
        _ => match error.remedy {
            meta::Remedy::Pause { .. } => rate_limited(),
            meta::Remedy::Retry => unavailable(&error.to_string()),
            _ => refused(&error.to_string()),
        },
    }
}

/// Of what is connected through Unipile.
pub(super) fn of_unipile(error: &UnipileError) -> Reason {
    match (error.remedy, error.status) {
        (unipile::Remedy::ReplaceToken, _) => {
            let words = "Unipile refuses the source's API key: a manager of the hub replaces it with \
                         `leadwire source set-token`.";
            Reason::new("token_invalid", words)
        }
        (unipile::Remedy::Reconnect, _) => {
            Reason::new("disconnected", "The account is signed out at Unipile: connect it there again.")
        }
        (unipile::Remedy::Retry, Some(429)) => rate_limited(),
        (unipile::Remedy::Retry, _) => unavailable(&error.to_string()),
        (unipile::Remedy::GiveUp, Some(403)) => {
            Reason::new("not_allowed", format!("This account may not send this: {error}."))
        }
        (unipile::Remedy::GiveUp, Some(404)) => {
            Reason::new("chat_gone", format!("The chat is no longer there at Unipile: {error}."))
        }
        (unipile::Remedy::GiveUp, _) => refused(&error.to_string()),
    }
}

fn rate_limited() -> Reason {
    let words = "The platform takes no more messages from this account just now. Send it again in a few minutes.";
    Reason::new("rate_limited", words)
}

fn unavailable(why: &str) -> Reason {
    Reason::new("unavailable", format!("The platform is away: {why}. Send it again when it is back."))
}

fn refused(why: &str) -> Reason {
    Reason::new("refused", format!("The platform refuses it: {why}."))
}
