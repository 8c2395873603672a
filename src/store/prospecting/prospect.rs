//! A prospect as its row, and what is told of it.

use diesel::prelude::*;

use crate::{
    domain::{
        AccountId, AgencyId,
        prospecting::{ProspectFields, ProspectTold, rank},
    },
    store::{
        schema::enhanced_leads,
        types::{At, Word},
    },
};

/// A row of `enhanced_leads` that another database has told of.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = enhanced_leads, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(in crate::store) struct ProspectRow {
    pub id: String,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub campaign_id: Option<String>,
    pub name: String,
    pub address: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
    pub source: Option<String>,
    pub phone: Option<String>,
    pub website: Option<String>,
    pub category: Option<String>,
    pub email: Option<String>,
    pub owner_name: Option<String>,
    pub owner_title: Option<String>,
    pub status: String,
    pub google_place_id: Option<String>,
    pub confidence_score: Option<i32>,
    pub created_at: At,
    pub updated_at: At,
    pub external_id: Option<String>,
}

/// The name of a business of which none was told.
const NAMELESS: &str = "Unknown";

impl ProspectRow {
    pub fn new(told: &ProspectTold) -> Self {
        let mut row = Self {
            id: told.id.id.clone(),
            agency_id: Word(told.owner.agency),
            account_id: Word(told.owner.account),
            campaign_id: None,
            name: NAMELESS.to_owned(),
            address: None,
            city: None,
            state: None,
            postal_code: None,
            country: None,
            source: None,
            phone: None,
            website: None,
            category: None,
            email: None,
            owner_name: None,
            owner_title: None,
            status: "new".to_owned(),
            google_place_id: None,
            confidence_score: None,
            created_at: At(told.fields.created_at.unwrap_or(told.at)),
            updated_at: At(told.at),
            external_id: told.id.external.clone(),
        };
        row.take(told);
        row
    }

    /// What is newer than the row counts; of what is older only what the row lacks. Its status is never taken back.
    pub fn take(&mut self, told: &ProspectTold) {
        let is_newer = told.at >= self.updated_at.0;
        let ProspectFields { name, status, confidence_score, created_at, .. } = &told.fields;
        let fields = told.fields.clone();
        for (column, told) in [
            (&mut self.address, fields.address),
            (&mut self.city, fields.city),
            (&mut self.state, fields.state),
            (&mut self.postal_code, fields.postal_code),
            (&mut self.country, fields.country),
            (&mut self.source, fields.source),
            (&mut self.phone, fields.phone),
            (&mut self.website, fields.website),
            (&mut self.category, fields.category),
            (&mut self.email, fields.email),
            (&mut self.owner_name, fields.owner_name),
            (&mut self.owner_title, fields.owner_title),
            (&mut self.google_place_id, fields.google_place_id),
            (&mut self.campaign_id, told.campaign.as_ref().map(|campaign| campaign.id.clone())),
        ] {
            if is_newer || column.is_none() {
                *column = told.or(column.take());
            }
        }
        if let Some(name) = name.as_ref().filter(|_| is_newer || self.name == NAMELESS) {
            self.name.clone_from(name);
        }
        if is_newer || self.confidence_score.is_none() {
            self.confidence_score = confidence_score.or(self.confidence_score);
        }
        if let Some(status) = status.as_ref().filter(|status| rank(status) >= rank(&self.status)) {
            // Two words of one rank: the later one.
            if is_newer || rank(status) > rank(&self.status) {
                self.status.clone_from(status);
            }
        }
        self.created_at = At(created_at.unwrap_or(self.created_at.0).min(self.created_at.0));
        self.updated_at = At(self.updated_at.0.max(told.at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        SourceId, clock,
        message::Owner,
        prospecting::{RecordId, StatusChange},
    };

    fn told(at: i64, status: &str, city: Option<&str>) -> ProspectTold {
        let account = AccountId::derive(&[b"account"]);
        ProspectTold {
            owner: Owner { agency: AgencyId::derive(&[b"agency"]), account, source: SourceId::derive(&[b"source"]) },
            id: RecordId::lead(account, "7".to_owned()),
            campaign: None,
            fields: ProspectFields {
                status: Some(status.to_owned()),
                city: city.map(str::to_owned),
                ..ProspectFields::default()
            },
            status: Some(StatusChange { old: None, new: status.to_owned() }),
            at: clock::from_micros(at),
        }
    }

    #[test]
    fn whichever_way_it_is_told_the_same_row_is_left() {
        let all = [told(1, "new", Some("Ottawa")), told(2, "enriched", None), told(3, "qualified", Some("San Diego"))];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut row = ProspectRow::new(&all[order[0]]);
            for at in order {
                row.take(&all[at]);
                row.take(&all[at]);
            }
            assert_eq!((row.status.as_str(), row.city.as_deref()), ("qualified", Some("San Diego")), "{order:?}");
            assert_eq!((row.created_at, row.updated_at), (At(all[order[0]].at), At(all[2].at)), "{order:?}");
        }
    }

    #[test]
    fn a_status_is_never_taken_back() {
        let mut row = ProspectRow::new(&told(1, "qualified", None));
        row.take(&told(2, "enriched", Some("Ottawa")));
        assert_eq!((row.status.as_str(), row.city.as_deref()), ("qualified", Some("Ottawa")));
    }
}
