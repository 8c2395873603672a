//! What an agency holds of a person.

use super::{engine::run, error::Result, handle::Store};
use crate::domain::{AccountId, AgencyId, ChatId, LeadId, MessageId, erasure::Matcher, person::Person};

/// Something that is held of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A lead with their number, address or id.
    Lead(AccountId, LeadId),
    /// A prospect with one of these.
    Prospect(AccountId, String),
    /// A chat that is theirs by its id.
    Chat(AccountId, ChatId),
    /// A message that they wrote in another.
    Message(AccountId, ChatId, MessageId),
}

/// Part of a table.
#[derive(Debug, Default)]
pub(in crate::store) struct Page {
    pub found: Vec<Found>,
    /// Where the next one goes on; none if this was the last.
    pub next: Option<String>,
}

macro_rules! all {
    ($store:expr, $found:ident, $table:ident, $agency:expr, $person:expr) => {
        let mut after = String::new();
        loop {
            let (person, from, agency) = ($person.clone(), after.clone(), $agency);
            let page = run!($store, Read, |c, q| q::persons::$table(c, agency, &person, &from).await)?;
            $found.extend(page.found);
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
    };
}

impl Store {
    /// What of it is theirs by a field of its own, in this agency alone. What others wrote of them is not looked at.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away.
    pub async fn find_person(&self, agency: AgencyId, person: &Person) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        all!(self, found, leads, agency, person);
        all!(self, found, prospects, agency, person);
        all!(self, found, chats, agency, person);
        all!(self, found, messages, agency, person);
        Ok(found)
    }

    /// Deletes the agency's webhooks that tell of a person, whether they were sent or not; how many.
    ///
    /// # Errors
    /// As above.
    pub async fn unsend_person(&self, agency: AgencyId, person: &Matcher) -> Result<usize> {
        let (mut unsent, mut after) = (0, 0);
        loop {
            let person = person.clone();
            let (found, next) = run!(self, Append, |c, q| q::persons::unsend(c, agency, &person, after).await)?;
            unsent += found;
            match next {
                Some(next) => after = next,
                None => return Ok(unsent),
            }
        }
    }

    /// Deletes the files of the agency's campaigns that list a person; of how many campaigns. The hub makes them anew.
    ///
    /// # Errors
    /// As above.
    pub async fn drop_files_with(&self, agency: AgencyId, person: &Matcher) -> Result<usize> {
        let person = person.clone();
        run!(self, Append, |c, q| q::persons::drop_files(c, agency, &person).await)
    }
}
