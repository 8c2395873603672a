//! Who did what: rows are added and stay until their time is over. The database itself refuses anything else.
//!
//! A change that is recorded writes its row in its own transaction, so there is none without the other. The author is the
//! handle's ([`Store::by`]); a handle that was given none acts for the hub.

use std::time::Duration;

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::Value;

use super::{
    check,
    engine::run,
    error::Result,
    handle::Store,
    prospects::PageCursor,
    schema::audit,
    types::{At, Json, Word},
};
use crate::domain::{
    AccountId, AgencyId, AuditId, Timestamp,
    audit::{Action, Actor, Address, Author, Entry, Event},
    clock,
};

/// A row of `audit`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit, treat_none_as_default_value = false)]
pub(super) struct AuditRow {
    pub id: Word<AuditId>,
    pub at: At,
    pub agency_id: Option<Word<AgencyId>>,
    pub account_id: Option<Word<AccountId>>,
    pub actor: Word<Actor>,
    /// Text, so that a row of a newer hub can be read.
    pub action: String,
    pub target: Option<String>,
    pub address: Option<Word<Address>>,
    pub details: Json,
    pub kept_until: At,
}

/// A record that is not written yet.
#[derive(Debug, Clone)]
pub struct AuditDraft(AuditRow);

/// Who acts through a handle, and how long the record of it is kept.
#[derive(Debug, Clone)]
pub(super) struct Trail {
    pub author: Author,
    pub retention: Duration,
}

impl Trail {
    /// A year, for handles that nobody set up.
    pub const RETENTION: Duration = Duration::from_hours(365 * 24);

    /// The row of an event that happens now.
    pub fn row(&self, event: Event) -> AuditRow {
        let at = clock::now();
        let kept = TimeDelta::from_std(self.retention).ok().and_then(|kept| at.checked_add_signed(kept));
        AuditRow {
            id: Word(AuditId::generate()),
            at: At(at),
            agency_id: event.agency.map(Word),
            account_id: event.account.map(Word),
            actor: Word(self.author.actor.clone()),
            action: event.action.to_string(),
            target: event.target,
            address: self.author.address.map(Word),
            details: Json(Value::Object(event.details)),
            // Neither engine has years beyond 9999.
            kept_until: At(kept.filter(|until| check::moment("", Some(*until)).is_ok()).unwrap_or(LAST)),
        }
    }
}

/// 9999-12-31T00:00:00Z.
const LAST: Timestamp = match Timestamp::from_timestamp(253_402_214_400, 0) {
    Some(last) => last,
    None => Timestamp::MAX_UTC,
};

/// Whose records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditScope {
    /// All there are, those of no agency as well: for operators alone.
    Everything,
    /// An agency's.
    Agency(AgencyId),
    /// Those of an agency that are about one of these accounts.
    Accounts(AgencyId, Vec<AccountId>),
}

/// Which records a page is to show: those that everything given here holds for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFilter {
    /// Whose.
    pub scope: AuditScope,
    /// Recorded then or later.
    pub since: Option<Timestamp>,
    /// Recorded before then.
    pub until: Option<Timestamp>,
    /// Of this kind.
    pub action: Option<Action>,
    /// Done by this one.
    pub actor: Option<Actor>,
    /// Records on the page.
    pub limit: u32,
    /// Where the page before ended.
    pub cursor: Option<PageCursor>,
}

/// Records, the newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditPage {
    /// What was found.
    pub entries: Vec<Entry>,
    /// Where the next page goes on; none if this is the last.
    pub next: Option<PageCursor>,
}

impl Store {
    /// The same store for somebody: what they change is recorded as theirs.
    #[must_use]
    pub fn by(&self, author: Author) -> Self {
        self.with_trail(Trail { author, ..self.trail().clone() })
    }

    /// The same store, which keeps what it records from now on for so long.
    #[must_use]
    pub fn keeping_audit_for(&self, retention: Duration) -> Self {
        self.with_trail(Trail { retention, ..self.trail().clone() })
    }

    /// Records something that is no change of the store.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away: then it must not be done, or be counted as unrecorded.
    pub async fn record(&self, event: Event) -> Result<()> {
        let row = self.trail().row(event);
        run!(self, Change, |c, q| q::audit::insert(c, &row).await)
    }

    /// What [`Store::record`] would write now, to be written later by [`Store::keep`].
    #[must_use]
    pub fn draft(&self, event: Event) -> AuditDraft {
        AuditDraft(self.trail().row(event))
    }

    /// Writes drafts, all or none; those that are there already are passed over, so doing it again does no harm.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away.
    pub async fn keep(&self, drafts: &[AuditDraft]) -> Result<()> {
        let rows: Vec<AuditRow> = drafts.iter().map(|draft| draft.0.clone()).collect();
        run!(self, Append, |c, q| q::audit::keep(c, &rows).await)
    }

    /// A page of what was recorded.
    ///
    /// # Errors
    /// [`super::StoreError::Rejected`] if a moment is out of range, [`super::StoreError::Unavailable`] if the database is
    /// away.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<AuditPage> {
        check::moment("since", filter.since)?;
        check::moment("until", filter.until)?;
        let filter = filter.clone();
        run!(self, Read, |c, q| q::audit::page(c, &filter).await)
    }

    /// Removes records whose time is over: so many, up to a thousand.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away.
    pub async fn prune_audit(&self) -> Result<usize> {
        // The database holds its own clock against them, which may be behind.
        let now = At(clock::now() - TimeDelta::minutes(5));
        run!(self, Append, |c, q| q::audit::prune(c, now).await)
    }
}

impl AuditRow {
    /// `None` if a newer hub wrote it, of something that this one does not know.
    pub fn entry(self) -> Option<Entry> {
        Some(Entry {
            id: self.id.0,
            at: self.at.0,
            agency: self.agency_id.map(|id| id.0),
            account: self.account_id.map(|id| id.0),
            actor: self.actor.0,
            action: self.action.parse().ok()?,
            target: self.target,
            address: self.address.map(|address| address.0),
            details: self.details.0,
        })
    }
}
