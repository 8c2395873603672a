//! `Exporter`: makes the files of campaigns that are completed, whoever completed them.
//!
//! Apart from the event: that one is told whether or not there will ever be files. What could not be made is tried again; two
//! hubs that make the same files keep those of one.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{sync::Notify, time::timeout};

use super::{Csv, ExportError, Leads, MOST, Row, Tally, name};
use crate::{
    domain::{campaign::Campaign, clock},
    store::{ExportFile, ExportFilter, Store},
    telemetry::Metrics,
};

/// How often campaigns are looked for of which nobody told.
const SWEEP: Duration = Duration::from_secs(3);
/// Between two tries of one campaign, the first time and at most.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// Wakes the exporter. Cheap to clone.
#[derive(Clone, Default)]
pub struct Desk(Arc<Notify>);

impl Desk {
    /// A campaign may be completed.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Makes files.
pub struct Exporter {
    store: Store,
    desk: Desk,
    metrics: Arc<Metrics>,
    /// Those that could not be exported. As many as there are completed campaigns without files, at most.
    put_off: HashMap<String, PutOff>,
}

struct PutOff {
    until: Instant,
    pause: Duration,
}

impl Exporter {
    /// Begins with what the store has.
    #[must_use]
    pub fn new(store: Store, desk: Desk, metrics: Arc<Metrics>) -> Self {
        Self { store, desk, metrics, put_off: HashMap::new() }
    }

    /// Sweeps for ever.
    pub async fn run(mut self) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "completed campaigns could not be looked for; tried again soon");
            }
            // Woken or not.
            let _ = timeout(SWEEP, self.desk.0.notified()).await;
        }
    }

    async fn sweep(&mut self) -> Result<(), ExportError> {
        let mut put_off = std::mem::take(&mut self.put_off);
        let mut after = String::new();
        loop {
            let due = self.store.campaigns_to_export(&after).await;
            let due = match due {
                Ok(due) => due,
                Err(error) => {
                    self.put_off.extend(put_off);
                    return Err(error.into());
                }
            };
            let Some(last) = due.last() else { return Ok(()) };
            after.clone_from(last);
            for id in due {
                let before = put_off.remove(&id);
                if before.as_ref().is_some_and(|before| before.until > Instant::now()) {
                    self.put_off.extend(before.map(|before| (id, before)));
                } else if !self.export(&id).await {
                    let pause = before.map_or(PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
                    self.put_off.insert(id, PutOff { until: Instant::now() + pause, pause });
                }
            }
        }
    }

    /// Whether there is nothing more to be done.
    async fn export(&self, id: &str) -> bool {
        let (outcome, is_done) = match self.make(id).await {
            Ok(None) => return false,
            Ok(Some(true)) => ("made", true),
            Ok(Some(false)) => ("made_by_another", true),
            Err(error) => {
                tracing::error!(campaign = id, %error, "a campaign's files could not be made; tried again later");
                ("failed", false)
            }
        };
        Metrics::count(&self.metrics.campaign_exports, outcome);
        is_done
    }

    /// `None`: it is not the time yet. Otherwise whether the files are those of this hub.
    async fn make(&self, id: &str) -> Result<Option<bool>, ExportError> {
        let began = clock::now();
        let Some(campaign) = self.store.campaign_to_export(id).await? else { return Ok(None) };
        let (mut tally, mut csv, mut listed) = (Tally::default(), Csv::new()?, 0);
        let mut leads = Leads::new(self.store.clone(), campaign.clone(), ExportFilter::default());
        loop {
            let page = leads.next().await?;
            if page.is_empty() {
                break;
            }
            for lead in &page {
                let row = Row::new(&campaign, lead);
                tally.add(row);
                if lead.prospect.qualifies() && listed < MOST {
                    csv.add(row)?;
                    listed += 1;
                }
            }
        }
        let at = clock::now();
        let document = |ending: &str, document: &Value| ExportFile {
            name: name(&campaign, at, ending),
            content: format!("{document:#}\n").into_bytes(),
        };
        let mut files = vec![
            document("-summary.json", &tally.summary(&campaign, at)),
            document("-analysis.json", &tally.analysis(&campaign, at)),
        ];
        if listed > 0 {
            files.push(ExportFile { name: name(&campaign, at, ".csv"), content: csv.take()? });
        }
        let made = self.store.keep_exports(&campaign, files, metadata(&campaign, &tally, listed), began).await?;
        tracing::info!(campaign = id, leads = listed, made, "a completed campaign was exported");
        Ok(Some(made))
    }
}

/// What `export_metadata` says.
fn metadata(campaign: &Campaign, tally: &Tally, listed: usize) -> Value {
    let [leads, qualified] = tally.counts();
    let mut metadata = json!({
        "qualified_leads_exported": listed,
        "export_format": if listed > 0 { Value::from("csv") } else { Value::Null },
        "automated_export": true,
        "total_leads": leads,
        "qualified_leads": qualified,
    });
    if listed == 0 {
        metadata["note"] = json!("No lead is qualified: there is no list, only a summary and an analysis.");
    } else if qualified > listed as u64 {
        let all = format!("/api/campaigns/{}/export?format=csv", campaign.id);
        metadata["note"] = json!(format!("The list ends after {MOST} leads; all of them are at {all}."));
    }
    metadata
}
