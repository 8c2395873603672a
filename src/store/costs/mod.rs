//! Costs: held against thresholds, summed for reports; and the alerts that came of it.
//!
//! A row of `api_costs` that no threshold was held against is told by a column that is null, which whoever writes it need not
//! know of. Alerts are decided in a transaction that nobody else of the account is in, and told after it.

mod row;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::Value;

pub(super) use row::{AlertRow, ThresholdRow};

use super::{check, engine::run, error::Result, handle::Store, messages::Tenancy, prospecting::CostRow, types::At};
use crate::domain::{
    AccountId, AgencyId, AlertId, ThresholdId, Timestamp, clock,
    cost::{Amount, CallLimits, Comparison, CostAlert, Threshold, ThresholdKind},
};

/// What there is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CostsDue {
    /// Their costs are to be held against their thresholds.
    pub accounts: Vec<(AgencyId, AccountId)>,
    /// Alerts are there that dashboards do not know of.
    pub untold: bool,
}

/// What is to be different; `None` stays as it is, or is what it is by default.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "they mean what they mean in `Threshold`")]
pub struct ThresholdChange {
    pub kind: Option<ThresholdKind>,
    pub value: Option<Amount>,
    pub comparison: Option<Comparison>,
    pub is_active: Option<bool>,
    pub quiet_minutes: Option<i32>,
}

/// Which alerts a page is to show.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    /// Those that a person has dealt with, or the others.
    pub resolved: Option<bool>,
    /// Raised then or later.
    pub since: Option<Timestamp>,
    /// Older than this one.
    pub before: Option<AlertId>,
    /// On the page.
    pub limit: u32,
}

/// Alerts, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertPage {
    /// What was found.
    pub alerts: Vec<CostAlert>,
    /// The last of them, if there are more.
    pub next: Option<AlertId>,
}

/// What an account spends, as of now: a row of the view `cost_monitoring_summary`. Several may be added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpendingSummary {
    /// Since midnight, UTC.
    pub daily_spend: Amount,
    /// In the last hour.
    pub hourly_spend: Amount,
    /// For leads in 24 hours, and how many they were.
    pub lead_spend: Amount,
    /// See above.
    pub leads: i64,
    /// For campaigns in 24 hours, and how many they were.
    pub campaign_spend: Amount,
    /// See above.
    pub campaigns: i64,
    /// Alerts that nobody has dealt with.
    pub active_alerts: i64,
    /// The services on which most was spent since midnight.
    pub top_services: BTreeMap<String, Amount>,
}

/// What an account has spent on one day, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DailyCosts {
    /// Which day.
    pub day: NaiveDate,
    /// Together.
    pub total: Amount,
    /// Each service.
    pub services: BTreeMap<String, Amount>,
}

/// What a call of another's API has cost.
#[derive(Debug, Clone)]
pub struct NewCost {
    /// The tenant.
    pub agency: AgencyId,
    /// Who pays.
    pub account: AccountId,
    /// Which API.
    pub api_service: String,
    /// How much.
    pub cost: Amount,
    /// For which campaign.
    pub campaign: Option<String>,
    /// For which lead.
    pub lead: Option<String>,
}

impl Store {
    /// Records what a call has cost; its id.
    ///
    /// # Errors
    /// [`super::StoreError::Rejected`] if a text can't be stored; [`super::StoreError::NotFound`] if there is no such account
    /// or campaign.
    pub async fn add_cost(&self, new: NewCost) -> Result<String> {
        check::filled("api_service", &new.api_service)?;
        let row = CostRow::new(new, At(clock::now()));
        let id = row.id.clone();
        run!(self, Change, |c, q| q::api_costs::add(c, &row).await)?;
        Ok(id)
    }

    /// What there is to do now; three questions that indexes answer.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away, as with all of these.
    pub async fn costs_due(&self) -> Result<CostsDue> {
        let now = At(clock::now());
        run!(self, Read, |c, q| q::costs::due(c, now).await)
    }

    /// Holds an account's costs against its thresholds: the alerts that come of it, which are kept. Of one threshold there
    /// is one alert within its quiet time, however many ask at once.
    ///
    /// # Errors
    /// As above; [`super::StoreError::NotFound`] if the agency has no such account.
    pub async fn evaluate_costs(
        &self,
        agency: AgencyId,
        account: AccountId,
        limits: &CallLimits,
        at: Timestamp,
    ) -> Result<Vec<CostAlert>> {
        let (tenancy, limits, at) = (Tenancy { account, agency }, limits.clone(), At(at));
        run!(self, Append, |c, q| q::costs::evaluate(c, tenancy, &limits, at).await)
    }

    /// Alerts that dashboards do not know of, the oldest first; so many at once.
    ///
    /// # Errors
    /// As above.
    pub async fn unannounced_alerts(&self) -> Result<Vec<CostAlert>> {
        run!(self, Read, |c, q| q::costs::unannounced(c).await)
    }

    /// Keeps alerts of other databases, which dashboards know of, all or nothing; keeping one again changes nothing.
    ///
    /// # Errors
    /// [`super::StoreError::Rejected`] if the account of one is gone.
    pub async fn keep_alerts(&self, alerts: &[CostAlert]) -> Result<()> {
        if alerts.is_empty() {
            return Ok(());
        }
        let (alerts, now) = (alerts.to_vec(), At(clock::now()));
        run!(self, Append, |c, q| q::costs::keep(c, &alerts, now).await)
    }

    /// Dashboards know of these.
    ///
    /// # Errors
    /// As above.
    pub async fn mark_announced(&self, alerts: &[AlertId]) -> Result<()> {
        let (alerts, now) = (alerts.to_vec(), At(clock::now()));
        run!(self, Append, |c, q| q::costs::mark_announced(c, &alerts, now).await)
    }

    /// The thresholds of these accounts, by account and name.
    ///
    /// # Errors
    /// As above.
    pub async fn thresholds(&self, agency: AgencyId, accounts: &[AccountId]) -> Result<Vec<Threshold>> {
        let accounts = accounts.to_vec();
        run!(self, Read, |c, q| q::cost_records::thresholds(c, agency, &accounts).await)
    }

    /// One of the agency's thresholds.
    ///
    /// # Errors
    /// As above.
    pub async fn threshold(&self, agency: AgencyId, id: ThresholdId) -> Result<Option<Threshold>> {
        run!(self, Read, |c, q| q::cost_records::threshold(c, agency, id).await)
    }

    /// Changes the account's threshold of this name, or makes it; whether it is new.
    ///
    /// # Errors
    /// [`super::StoreError::Rejected`] if a new one lacks its type or its value, or the name can't be stored;
    /// [`super::StoreError::NotFound`] if the agency has no such account.
    pub async fn put_threshold(
        &self,
        agency: AgencyId,
        account: AccountId,
        name: &str,
        change: ThresholdChange,
    ) -> Result<(Threshold, bool)> {
        check::filled("threshold_name", name)?;
        let (tenancy, name, now) = (Tenancy { account, agency }, name.to_owned(), At(clock::now()));
        run!(self, Change, |c, q| q::cost_records::put_threshold(c, tenancy, &name, &change, now).await)
    }

    /// Removes a threshold; its alerts stay.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] if the agency has no such threshold.
    pub async fn remove_threshold(&self, agency: AgencyId, id: ThresholdId) -> Result<()> {
        run!(self, Change, |c, q| q::cost_records::remove_threshold(c, agency, id).await)
    }

    /// Alerts of these accounts.
    ///
    /// # Errors
    /// As above.
    pub async fn cost_alerts(
        &self,
        agency: AgencyId,
        accounts: &[AccountId],
        filter: &AlertFilter,
    ) -> Result<AlertPage> {
        let (accounts, filter) = (accounts.to_vec(), filter.clone());
        run!(self, Read, |c, q| q::cost_records::alerts(c, agency, &accounts, &filter).await)
    }

    /// A person has dealt with an alert of these accounts; `false` if there is none such that nobody had dealt with.
    ///
    /// # Errors
    /// [`super::StoreError::Rejected`] if the note can't be stored.
    pub async fn resolve_alert(
        &self,
        agency: AgencyId,
        accounts: &[AccountId],
        id: AlertId,
        note: &str,
        by: &str,
    ) -> Result<bool> {
        check::text("resolution_note", note)?;
        let (accounts, note, by, now) = (accounts.to_vec(), note.to_owned(), by.to_owned(), At(clock::now()));
        run!(self, Change, |c, q| q::cost_records::resolve(c, agency, &accounts, id, &note, &by, now).await)
    }

    /// What these accounts spend, each for itself.
    ///
    /// # Errors
    /// As above.
    pub async fn spending(&self, accounts: &[AccountId]) -> Result<BTreeMap<AccountId, SpendingSummary>> {
        let accounts = accounts.to_vec();
        run!(self, Read, |c, q| q::cost_records::summaries(c, &accounts).await)
    }

    /// What these accounts have spent on each of so many days until today, the oldest first; days without costs as well.
    ///
    /// # Errors
    /// As above.
    pub async fn daily_costs(
        &self,
        agency: AgencyId,
        accounts: &[AccountId],
        days: u32,
    ) -> Result<BTreeMap<AccountId, Vec<DailyCosts>>> {
        let (accounts, today) = (accounts.to_vec(), clock::now().date_naive());
        let span: Vec<NaiveDate> =
            (0..days).rev().filter_map(|ago| today.checked_sub_days(chrono::Days::new(ago.into()))).collect();
        let Some(first) = span.first().copied() else { return Ok(BTreeMap::new()) };
        let mut sums = {
            let accounts = accounts.clone();
            run!(self, Read, |c, q| q::cost_records::daily(c, agency, &accounts, first).await)?
        };
        let of_day = |account: AccountId, day: NaiveDate, sums: &mut BTreeMap<_, BTreeMap<String, Amount>>| {
            let services = sums.remove(&(account, day)).unwrap_or_default();
            DailyCosts { day, total: services.values().copied().sum(), services }
        };
        let of_account =
            |account: AccountId| (account, span.iter().map(|day| of_day(account, *day, &mut sums)).collect());
        Ok(accounts.into_iter().map(of_account).collect())
    }
}

impl SpendingSummary {
    /// For one lead; none if nothing was paid for any.
    #[must_use]
    pub fn cost_per_lead(&self) -> Option<Amount> {
        self.lead_spend.among(self.leads)
    }

    /// For one campaign; none if nothing was paid for any.
    #[must_use]
    pub fn cost_per_campaign(&self) -> Option<Amount> {
        self.campaign_spend.among(self.campaigns)
    }

    /// Both together.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        for (service, cost) in other.top_services {
            let sum = self.top_services.entry(service).or_default();
            *sum = *sum + cost;
        }
        Self {
            daily_spend: self.daily_spend + other.daily_spend,
            hourly_spend: self.hourly_spend + other.hourly_spend,
            lead_spend: self.lead_spend + other.lead_spend,
            leads: self.leads + other.leads,
            campaign_spend: self.campaign_spend + other.campaign_spend,
            campaigns: self.campaigns + other.campaigns,
            active_alerts: self.active_alerts + other.active_alerts,
            top_services: self.top_services,
        }
    }

    /// With the names of the view's columns.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::json!({
            "daily_spend": self.daily_spend,
            "hourly_spend": self.hourly_spend,
            "cost_per_lead_24h": self.cost_per_lead(),
            "cost_per_campaign_24h": self.cost_per_campaign(),
            "active_alerts_count": self.active_alerts,
            "top_spending_services_today": self.top_services,
        })
    }
}
