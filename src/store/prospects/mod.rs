//! Prospects: rows of `enhanced_leads`. The hub is not the only program that writes them.

mod page;
mod row;

pub use page::{PageCursor, ProspectFilter, ProspectPage};
pub(super) use row::ProspectRow;

use serde_json::Value;

use super::{
    check,
    engine::run,
    enrichments::Enrichment,
    error::{Result, StoreError},
    handle::Store,
    types::At,
};
use crate::domain::{AccountId, AgencyId, clock, prospect::Prospect};

/// The longest text of a prospect, in bytes.
const LONGEST_TEXT: usize = 2_000;

/// A prospect with what enrichment has made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownProspect {
    /// The prospect.
    pub prospect: Prospect,
    /// How far its enrichment is; `None` if nobody asked for one.
    pub enrichment: Option<Enrichment>,
    /// What enrichment left in the column of that name.
    pub enrichment_data: Option<Value>,
}

/// What became of the wish to enrich a prospect again.
#[derive(Debug, Clone, PartialEq)]
pub enum Again {
    /// It begins anew.
    Begun(Box<Prospect>),
    /// It is not finished yet.
    UnderWay,
}

impl Store {
    /// Whether a prospect can be stored as it is.
    ///
    /// # Errors
    /// [`StoreError::Rejected`]: what is wrong with it.
    pub fn check_prospect(prospect: &Prospect) -> Result<()> {
        check::filled("name", &prospect.name)?;
        let p = prospect;
        let texts = [
            ("address", &p.address),
            ("city", &p.city),
            ("state", &p.state),
            ("postal_code", &p.postal_code),
            ("country", &p.country),
            ("source", &p.source),
            ("phone", &p.phone),
            ("website", &p.website),
            ("category", &p.category),
            ("email", &p.email),
            ("owner_name", &p.owner_name),
            ("owner_title", &p.owner_title),
            ("owner_email", &p.owner_email),
            ("google_place_id", &p.google_place_id),
        ];
        for (field, text) in texts {
            let Some(text) = text else { continue };
            check::text(field, text)?;
            if text.len() > LONGEST_TEXT {
                return Err(StoreError::Rejected(format!("{field} is longer than {LONGEST_TEXT} bytes")));
            }
        }
        Ok(())
    }

    /// Adds prospects and has them enriched, all or none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if their campaign is not the account's; [`StoreError::Rejected`] if one can't be stored.
    pub async fn add_prospects(&self, prospects: &[Prospect]) -> Result<()> {
        prospects.iter().try_for_each(Self::check_prospect)?;
        let now = At(clock::now());
        let rows: Vec<ProspectRow> = prospects.iter().map(ProspectRow::from).collect();
        run!(self, Change, |c, q| q::prospects::add(c, &rows, now).await)
    }

    /// A page of these accounts' prospects, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database is away, as with all of these.
    pub async fn prospects(
        &self,
        agency: AgencyId,
        accounts: &[AccountId],
        filter: &ProspectFilter,
    ) -> Result<ProspectPage> {
        let (accounts, filter) = (accounts.to_vec(), filter.clone());
        run!(self, Read, |c, q| q::prospects::page(c, agency, &accounts, &filter).await)
    }

    /// One prospect of these accounts.
    ///
    /// # Errors
    /// As above.
    pub async fn prospect(&self, agency: AgencyId, accounts: &[AccountId], id: &str) -> Result<Option<KnownProspect>> {
        let (accounts, id) = (accounts.to_vec(), id.to_owned());
        run!(self, Read, |c, q| q::prospects::one(c, agency, &accounts, &id).await)
    }

    /// Has a prospect of these accounts enriched from the beginning; `None` if there is none.
    ///
    /// # Errors
    /// As above.
    pub async fn enrich_again(&self, agency: AgencyId, accounts: &[AccountId], id: &str) -> Result<Option<Again>> {
        let (accounts, id, now) = (accounts.to_vec(), id.to_owned(), At(clock::now()));
        run!(self, Change, |c, q| q::enrichments::again(c, agency, &accounts, &id, now).await)
    }
}
