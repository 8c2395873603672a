//! Erases a person: all that an agency holds of them, by what they are known under.

use serde::Serialize;

use super::{EraseError, Eraser};
use crate::{
    domain::{
        AgencyId, EventId, clock,
        directory::Directory,
        erasure::{Erasure, Traces},
        person::Person,
    },
    inbox::{Forgotten, InboxError, Sweep, Swept},
    store::Found,
};

/// What was found of a person, by the tables that it stands in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Leads.
    pub leads: u64,
    /// Prospects, those made of these leads not counted.
    pub prospects: u64,
    /// Chats, with all that is in them.
    pub chats: u64,
    /// Messages in other chats.
    pub messages: u64,
}

/// What was done. It says nothing of the person to who does not know them.
#[derive(Debug, Clone, Serialize)]
pub struct Receipt {
    /// Of this erasure.
    pub request: String,
    /// The tenant.
    pub agency: AgencyId,
    /// SHA-256 of what was asked for.
    pub asked: String,
    /// When it was done.
    pub at: String,
    /// From the database.
    pub database: Counts,
    /// Webhooks to endpoints, besides those about these.
    pub outbox: usize,
    /// Campaigns whose files are made anew, besides those of these prospects.
    pub campaign_files: usize,
    /// From the inbox.
    pub inbox: Swept,
    /// Whether the write-ahead logs of the embedded files were emptied.
    pub files_wiped: bool,
    /// What stays, in words, with what ends it.
    pub remains: Vec<&'static str>,
}

const REMAINS: [&str; 5] = [
    "what others wrote of the person in leads, notes, messages and replies of their own: until somebody deletes it",
    "webhooks that also tell of another agency's source: that agency's part, until inbox.retention",
    "keys of the events, hashes that begin with the platform's number where it has one: without end, so that nothing comes back",
    "users' names and addresses, and the audit's: until the user is removed, and for audit.retention",
    "backups, downloaded files and what endpoints received: out of the hub's reach",
];

impl Counts {
    /// Of what was found.
    #[must_use]
    pub fn of(found: &[Found]) -> Self {
        found.iter().fold(Self::default(), |mut counts, one| {
            match one {
                Found::Lead(..) => counts.leads += 1,
                Found::Prospect(..) => counts.prospects += 1,
                Found::Chat(..) => counts.chats += 1,
                Found::Message(..) => counts.messages += 1,
            }
            counts
        })
    }
}

impl Eraser {
    /// What the agency's rows hold of somebody. Nothing is changed.
    ///
    /// # Errors
    /// If the database can't be used.
    pub async fn find(&self, agency: AgencyId, person: &Person) -> Result<Vec<Found>, EraseError> {
        Ok(self.store.find_person(agency, person).await?)
    }

    /// Erases somebody from all that is held for the agency. A hub that runs, or the next that starts, tells dashboards.
    /// `progress` is told what is done next. If it fails or is cut off, doing it again goes on.
    ///
    /// # Errors
    /// If the database or the inbox can't be used.
    pub async fn erase_person(
        &self,
        directory: &Directory,
        agency: AgencyId,
        person: &Person,
        mut progress: impl FnMut(&str),
    ) -> Result<Receipt, EraseError> {
        let unusable = |why: String| EraseError::Inbox(InboxError::Unavailable(why));
        let traces = person.traces().matcher().map_err(unusable)?;
        let traces = traces.ok_or_else(|| unusable("nobody was named".to_owned()))?;
        progress("looking through the database");
        let found = self.find(agency, person).await?;
        let mut forgotten = Forgotten::default();
        for one in &found {
            for erasure in self.erase(one).await? {
                forgotten += self.conceal(std::slice::from_ref(&erasure)).await?;
                forgotten += self.inbox.erase_events(&erasure).await?;
            }
        }
        progress("looking through webhooks to endpoints and files of campaigns");
        let outbox = self.store.unsend_person(agency, &traces).await?;
        let campaign_files = self.store.drop_files_with(agency, &traces).await?;
        progress("looking through the inbox");
        let mut inbox = self.inbox.sweep(&sweep(directory, agency, traces)).await?;
        inbox.forgotten += forgotten;
        progress("overwriting what is free in the files");
        Ok(Receipt {
            request: EventId::generate().to_string(),
            agency,
            asked: person.digest(),
            at: clock::rfc3339(clock::now()),
            database: Counts::of(&found),
            outbox,
            campaign_files,
            inbox,
            files_wiped: self.wipe().await,
            remains: REMAINS.to_vec(),
        })
    }

    async fn erase(&self, found: &Found) -> Result<Vec<Erasure>, EraseError> {
        Ok(match found {
            Found::Lead(account, id) => {
                self.store.erase_lead(&[*account], *id, false).await?.map(|(_, all)| all).unwrap_or_default()
            }
            Found::Prospect(account, id) => {
                self.store.erase_prospect(&[*account], id, false).await?.into_iter().collect()
            }
            Found::Chat(account, id) => self.store.erase_chat(&[*account], *id, false).await?.into_iter().collect(),
            Found::Message(account, chat, id) => {
                let erased = self.store.erase_message(&[*account], *chat, *id, false).await?;
                erased.map(|erased| erased.erasure).into_iter().collect()
            }
        })
    }
}

/// Over the agency's accounts; bodies that name a source of another agency are that agency's.
fn sweep(directory: &Directory, agency: AgencyId, person: crate::domain::erasure::Matcher) -> Sweep {
    let accounts = directory.accounts.values().filter(|account| account.agency == agency).map(|account| account.id);
    let others = directory.sources.values().filter(|source| source.agency != agency);
    let others = others.flat_map(|source| [source.id.to_string(), source.external_id.clone()]);
    // Ids always make a pattern.
    let others = Traces::of(others).matcher().ok().flatten();
    Sweep { agency, accounts: accounts.collect(), person, others }
}
