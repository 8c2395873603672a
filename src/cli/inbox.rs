//! `leadwire inbox`: what wants attention, and letting it go on. Works beside a running hub.

use std::collections::BTreeSet;

use clap::Subcommand;

use super::{BadInput, database, table};
use crate::{
    config::{Settings, data_folder},
    domain::{
        AccountId, EventId,
        audit::{Action, Event},
        clock,
    },
    inbox::{Inbox as Records, Selection},
};

/// What was accepted and is not finished.
#[derive(Debug, Subcommand)]
pub enum Inbox {
    /// Shows what is parked, late or refused, by account and reason.
    Attention,
    /// Lists parked events, the oldest first.
    Parked {
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: i64,
    },
    /// Has events worked on again: one, or all that are parked for a reason. Dashboards get them under their old ids.
    Replay {
        /// An event, parked or finished: `evt_…`
        #[arg(required_unless_present = "reason")]
        event: Option<EventId>,
        /// A reason that `leadwire inbox attention` shows.
        #[arg(long, conflicts_with = "event")]
        reason: Option<String>,
    },
}

impl Inbox {
    /// Does it.
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let path = settings.inbox_path();
        if !path.is_file() {
            return Err(BadInput(format!("there is no inbox at {}: is data.dir right?", path.display())).into());
        }
        for narrowed in data_folder::secure(&settings.data.dir)? {
            eprintln!("Note: {narrowed}.");
        }
        let inbox = Records::attach(&path)?;
        match self {
            Self::Attention => attention(&inbox).await,
            Self::Parked { limit } => parked(&inbox, limit).await,
            Self::Replay { event, reason } => {
                let selection = match (event, reason) {
                    (Some(event), _) => Selection::One(event),
                    (None, reason) => Selection::Parked(reason.unwrap_or_default()),
                };
                // Before it is done: there is no replay without its record.
                record(settings, &selection, inbox.owners(&selection).await?).await?;
                let count = inbox.replay(selection).await?;
                eprintln!("{count} events are worked on again by the running hub, or by the next that starts.");
                Ok(())
            }
        }
    }
}

/// Records the replay by the hub's operator with each agency that owns some of the events.
async fn record(settings: &Settings, selection: &Selection, owners: Vec<AccountId>) -> anyhow::Result<()> {
    let (store, directory) = database::with_directory(settings).await?;
    let agencies: BTreeSet<_> = owners.into_iter().filter_map(|account| directory.agency_of(account)).collect();
    let mut events: Vec<Event> = agencies.into_iter().map(|agency| Event::new(Action::InboxReplayed, agency)).collect();
    if events.is_empty() {
        events.push(Event::nobodys(Action::InboxReplayed));
    }
    for event in events {
        let event = match selection {
            Selection::One(id) => event.on(id),
            Selection::Parked(reason) => event.with("reason", reason.as_str()),
        };
        store.record(event).await?;
    }
    Ok(())
}

async fn attention(inbox: &Records) -> anyhow::Result<()> {
    let mut items = inbox.attention(clock::now()).await?;
    items.extend(inbox.unclaimed().await?);
    let rows = items.into_iter().map(|item| {
        let about = item.external_id.map(|id| if id.is_empty() { "/webhook".to_owned() } else { id });
        [
            item.reason,
            item.count.to_string(),
            clock::rfc3339(item.oldest),
            item.account.map_or_else(|| "-".to_owned(), |account| account.to_string()),
            item.source.map(|source| source.to_string()).or(about).unwrap_or_else(|| "-".to_owned()),
            item.detail.unwrap_or_default(),
        ]
    });
    table::print(["REASON", "COUNT", "OLDEST", "ACCOUNT", "SOURCE OR PAGE", "DETAIL"], rows);
    Ok(())
}

async fn parked(inbox: &Records, limit: i64) -> anyhow::Result<()> {
    let rows = inbox.parked(limit).await?.into_iter().map(|event| {
        [
            event.id.to_string(),
            event.reason,
            clock::rfc3339(event.received_at),
            event.account.map_or_else(|| "-".to_owned(), |account| account.to_string()),
            event.external_id,
            event.platform_id,
            event.detail.unwrap_or_default(),
        ]
    });
    table::print(["EVENT", "REASON", "RECEIVED", "ACCOUNT", "PAGE", "PLATFORM ID", "DETAIL"], rows);
    Ok(())
}
