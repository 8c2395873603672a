//! Costs are held against their thresholds, and dashboards told of what comes of it.
//!
//! One way for all costs, whoever writes them: the store knows which rows no threshold was held against, and a sweep asks it.
//! An alert is kept first and told after, under an id that is made from it: what a crash left untold is told by the next sweep.

use std::sync::Arc;

use actix::Recipient;
use tokio::time::sleep;

use crate::{
    config,
    domain::{
        AccountId, AgencyId, clock,
        cost::{CostAlert, ThresholdKind},
        envelope::{Body, Envelope},
    },
    realtime::Publish,
    store::{Store, StoreError},
    telemetry::Metrics,
};

/// Waits are doubled until this many times the first, while the database is away.
const LONGEST: u32 = 16;

/// Holds costs against thresholds and tells of alerts.
pub struct Watcher {
    /// Settings of this module.
    pub settings: config::Costs,
    /// Where costs and alerts are.
    pub store: Store,
    /// Tells dashboards.
    pub publish: Recipient<Publish>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

impl Watcher {
    /// Sweeps for ever.
    pub async fn run(self) {
        let mut patience = 1;
        loop {
            patience = match self.sweep().await {
                Ok(()) => 1,
                Err(error) => {
                    tracing::warn!(%error, "costs are not held against their thresholds; tried again soon");
                    (patience * 2).min(LONGEST)
                }
            };
            sleep(self.settings.sweep_interval * patience).await;
        }
    }

    async fn sweep(&self) -> Result<(), StoreError> {
        let due = self.store.costs_due().await?;
        let (mut untold, mut failed) = (due.untold, Ok(()));
        for (agency, account) in due.accounts {
            match self.evaluate(agency, account).await {
                Ok(any) => untold |= any,
                // The others' costs are looked at all the same.
                Err(error) => failed = Err(error),
            }
        }
        if untold {
            self.tell().await?;
        }
        failed
    }

    /// Whether there are new alerts.
    async fn evaluate(&self, agency: AgencyId, account: AccountId) -> Result<bool, StoreError> {
        let limits = &self.settings.calls_per_hour;
        let alerts = self.store.evaluate_costs(agency, account, limits, clock::now()).await?;
        for alert in &alerts {
            let (threshold, value, limit) = (&alert.threshold_name, alert.alert_value, alert.threshold_value);
            tracing::warn!(%account, threshold, %value, %limit, severity = %alert.severity, "costs have passed a threshold");
            if let Ok(kind) = alert.threshold_type.parse::<ThresholdKind>() {
                Metrics::count(&self.metrics.cost_alerts, kind.as_str());
            }
        }
        Ok(!alerts.is_empty())
    }

    /// What can't be told now is told by a later sweep, under the same id.
    async fn tell(&self) -> Result<(), StoreError> {
        let mut told = Vec::new();
        for alert in self.store.unannounced_alerts().await? {
            let id = alert.id;
            match self.publish.send(envelope(alert)).await {
                Ok(Ok(_)) => told.push(id),
                Ok(Err(error)) => tracing::error!(alert = %id, %error, "an alert was not published; tried again soon"),
                Err(error) => tracing::warn!(alert = %id, %error, "an alert was not published; tried again soon"),
            }
        }
        self.store.mark_announced(&told).await
    }
}

fn envelope(alert: CostAlert) -> Publish {
    let (id, account, timestamp) = (alert.event(), alert.account, alert.created_at);
    let body = Body::CostAlert(Box::new(alert.raised()));
    Publish { envelope: Envelope { id, account, timestamp, body }, event: None }
}
