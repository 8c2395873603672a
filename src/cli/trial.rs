//! `leadwire check`: the ten checks of the prospecting system that users switch over from, against a hub that runs. What they
//! write stands in an agency of their own, which is there only meanwhile.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail, ensure};
use chrono::TimeDelta;
use clap::Args;
use serde_json::{Value, json};
use tokio::time::sleep;
use url::Url;

use super::{BadInput, database};
use crate::{
    config::Settings,
    domain::{
        AccountId, AgencyId, EndpointId, LeadId, Timestamp,
        campaign::Step,
        clock,
        cost::Amount,
        delivery::DeliveryState,
        directory::Directory,
        prospect::{Prospect, status},
    },
    platforms,
    store::{AlertFilter, DeliveryFilter, NewCampaign, NewCost, Stepped, Store, StoreError},
};

/// Agencies of checks begin so; then comes when the check began.
const AGENCY: &str = "Leadwire check ";
/// No check takes as long: an agency as old is of one that was cut off.
const ABANDONED: TimeDelta = TimeDelta::hours(1);
/// Between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(100);
/// Of an account that has just been made there is little.
const NEWEST: u32 = 100;

/// Checks a hub that runs: that database events are noted, delivered and worked on.
#[derive(Debug, Args)]
pub struct Check {
    /// Where the hub answers, if that is not `server.bind`.
    #[arg(long)]
    url: Option<Url>,
    /// Where it answers whoever runs it, if that is not `telemetry.bind`.
    #[arg(long)]
    telemetry_url: Option<Url>,
    /// How long one thing is waited for, in seconds.
    #[arg(long, default_value_t = 60)]
    patience: u64,
}

struct Trial {
    store: Store,
    http: reqwest::Client,
    telemetry: Url,
    patience: Duration,
    agency: AgencyId,
    account: AccountId,
    endpoint: EndpointId,
}

impl Check {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let url = self.url.map_or_else(|| format!("http://{}", settings.server.bind).parse(), Ok)?;
        let telemetry = match (self.telemetry_url, settings.telemetry.bind) {
            (Some(url), _) => url,
            (None, Some(address)) => format!("http://{address}").parse()?,
            (None, None) => {
                let why = "the health routes have no address: set telemetry.bind, or name theirs with --telemetry-url";
                return Err(BadInput(why.to_owned()).into());
            }
        };
        // The one provider of TLS in the tree; a second call finds it installed.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = platforms::http::client(Duration::from_secs(10))?;
        let alive = http.get(url.join("/health")?).send().await.and_then(reqwest::Response::error_for_status);
        if let Err(error) = alive {
            let why =
                format!("no hub answers at {url} ({error}): start it with `leadwire serve`, or name it with --url");
            return Err(BadInput(why).into());
        }
        let (store, directory) = database::with_secrets(settings).await?;
        sweep(&store, &directory).await?;
        let agency = store.add_agency(&format!("{AGENCY}{}", clock::rfc3339(clock::now()))).await?.id;
        let patience = Duration::from_secs(self.patience.max(1));
        let checked = async {
            let trial = Trial::begin(store.clone(), http, telemetry, patience, agency).await?;
            trial.all().await
        };
        let checked = checked.await;
        store.remove_agency(agency).await.context("what the checks have written could not be removed")?;
        match checked? {
            0 => say("All ten checks passed: noted, delivered and worked on."),
            failed => bail!("{failed} of ten checks failed"),
        }
        Ok(())
    }
}

/// Removes what a check has left that was cut off.
async fn sweep(store: &Store, directory: &Directory) -> anyhow::Result<()> {
    for agency in directory.agencies.values() {
        let began = agency.name.strip_prefix(AGENCY).and_then(|began| began.parse::<Timestamp>().ok());
        if began.is_some_and(|began| clock::now() - began > ABANDONED) {
            match store.remove_agency(agency.id).await {
                // Another check has removed it.
                Ok(()) | Err(StoreError::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

fn say(line: &str) {
    // Whoever started it may have closed its output.
    let _ = writeln!(std::io::stdout(), "{line}");
}

impl Trial {
    /// An account whose tables tell the hub what happens in them.
    async fn begin(
        store: Store,
        http: reqwest::Client,
        telemetry: Url,
        patience: Duration,
        agency: AgencyId,
    ) -> anyhow::Result<Self> {
        let account = store.add_account(agency, AGENCY.trim_end()).await?.id;
        store.watch_own_tables(account).await?;
        let endpoint = store.endpoints(agency).await?.first().context("the source has no endpoint")?.id;
        Ok(Self { store, http, telemetry, patience, agency, account, endpoint })
    }

    /// How many failed; each says its own line, and none keeps the others from being made.
    async fn all(&self) -> anyhow::Result<u32> {
        let mut failed = 0;
        let mut check = |what: &str, began: Instant, outcome: anyhow::Result<()>| {
            let took = began.elapsed().as_millis();
            match outcome {
                Ok(()) => say(&format!("ok      {what} ({took} ms)")),
                Err(error) => {
                    failed += 1;
                    say(&format!("FAILED  {what}: {error:#}"));
                }
            }
        };
        let began = Instant::now();
        check("lead: health", began, self.health("lead-enrichment").await);
        let (lead, began) = (LeadId::generate().to_string(), Instant::now());
        check("lead: inserted, delivered, enriched", began, self.lead(&lead).await);
        let began = Instant::now();
        check("lead: new status delivered", began, self.delivered("lead_status_update", &lead).await);
        let began = Instant::now();
        check("cost: health", began, self.health("cost-alert").await);
        let began = Instant::now();
        check("cost: 55.00 in a day raises daily_spend", began, self.alert(550_000, None, "daily_spend").await);
        let began = Instant::now();
        check(
            "cost: 0.30 for a lead raises cost_per_lead",
            began,
            self.alert(3_000, Some(&lead), "cost_per_lead").await,
        );
        let began = Instant::now();
        check("campaign: health", began, self.health("campaign-lifecycle").await);
        let (campaign, began) = (self.campaign().await?, Instant::now());
        check("campaign: created", began, self.lived(&campaign, "created").await);
        for (step, event) in [(Step::Start, "processing_started"), (Step::Complete, "completed")] {
            let began = Instant::now();
            let outcome = async {
                self.step(&campaign, step).await?;
                self.lived(&campaign, event).await
            };
            check(&format!("campaign: {event}"), began, outcome.await);
        }
        Ok(failed)
    }

    async fn health(&self, of: &str) -> anyhow::Result<()> {
        let answer = self.http.get(self.telemetry.join(&format!("/api/webhooks/{of}/health"))?).send().await?;
        let (status, body) = (answer.status(), answer.json::<Value>().await.unwrap_or_default());
        ensure!(status.is_success() && body["status"] == "healthy", "{status} {body}");
        let parts = [("/dependencies/supabase", json!("connected")), ("/integrations/supabase", json!(true))];
        let reached = parts.iter().any(|(part, good)| body.pointer(part) == Some(good));
        ensure!(reached, "the hub does not reach its database: {body}");
        Ok(())
    }

    async fn lead(&self, id: &str) -> anyhow::Result<()> {
        let known = Prospect::new(id.to_owned(), self.agency, self.account, "Harbor Grill".to_owned(), clock::now());
        let prospect = Prospect {
            source: Some("webhook_test".to_owned()),
            address: Some("12 Bay St".to_owned()),
            city: Some("San Diego".to_owned()),
            phone: Some("+16198675309".to_owned()),
            ..known
        };
        self.store.add_prospects(&[prospect]).await?;
        self.delivered("lead_enrichment", id).await?;
        self.wait("the end of its enrichment", async || {
            let known = self.store.prospect(self.agency, &[self.account], id).await?;
            let status = known.map(|known| known.prospect.status).unwrap_or_default();
            let is_over = [status::ENRICHED, status::QUALIFIED].contains(&status.as_str());
            Ok(if is_over { Ok(()) } else { Err(format!("its status is `{status}`")) })
        })
        .await
    }

    /// Waits until there is a delivery of this type, for this row, that the endpoint has.
    async fn delivered(&self, kind: &str, subject: &str) -> anyhow::Result<()> {
        let filter = DeliveryFilter { kind: Some(kind.to_owned()), ..DeliveryFilter::default() };
        self.wait(&format!("a delivery of type {kind}"), async || {
            let all = self.store.deliveries(self.endpoint, &filter, None, NEWEST).await?;
            let Some(one) = all.into_iter().find(|one| one.subject == subject) else {
                return Ok(Err("no trigger has noted it".to_owned()));
            };
            let is_there = one.attempts.iter().any(|attempt| attempt.status.is_some_and(|it| (200..300).contains(&it)));
            let attempts: Vec<_> = one.attempts.iter().map(|it| it.error.clone().unwrap_or_default()).collect();
            let why = || format!("it is {}; attempts: {}", one.state.as_str(), attempts.join(", "));
            Ok(if one.state == DeliveryState::Delivered && is_there { Ok(()) } else { Err(why()) })
        })
        .await
    }

    async fn alert(&self, cost: i64, lead: Option<&str>, kind: &str) -> anyhow::Result<()> {
        let new = NewCost {
            agency: self.agency,
            account: self.account,
            api_service: "webhook_test".to_owned(),
            cost: Amount(cost),
            campaign: None,
            lead: lead.map(str::to_owned),
        };
        let id = self.store.add_cost(new).await?;
        self.delivered("cost_recorded", &id).await?;
        let filter = AlertFilter { limit: NEWEST, ..AlertFilter::default() };
        self.wait("the alert", async || {
            let page = self.store.cost_alerts(self.agency, &[self.account], &filter).await?;
            let Some(alert) = page.alerts.into_iter().find(|alert| alert.threshold_type == kind) else {
                return Ok(Err(format!("no threshold of type {kind} has raised one")));
            };
            Ok(alert.announced_at.map(|_| ()).ok_or_else(|| "dashboards were not told of it".to_owned()))
        })
        .await
    }

    async fn campaign(&self) -> anyhow::Result<String> {
        let new = NewCampaign {
            agency: self.agency,
            account: self.account,
            name: format!("Webhook Test Campaign {}", clock::rfc3339(clock::now())),
            user_id: "leadwire check".to_owned(),
            search_query: Some("restaurants".to_owned()),
            location: Some("San Diego, CA".to_owned()),
            business_type: Some("restaurant".to_owned()),
            target_count: Some(50),
            budget_limit: Some(Amount(25 * Amount::PARTS)),
        };
        Ok(self.store.add_campaign(new).await?.id)
    }

    async fn step(&self, campaign: &str, step: Step) -> anyhow::Result<()> {
        match self.store.step_campaign(self.agency, &[self.account], campaign, step).await? {
            Some(Stepped::Taken(_)) => Ok(()),
            other => Err(anyhow!("the campaign can't become `{}`: {other:?}", step.to())),
        }
    }

    /// Waits until an event of a campaign is in its log, and dashboards were told of it.
    async fn lived(&self, campaign: &str, event: &str) -> anyhow::Result<()> {
        self.delivered("campaign_lifecycle", campaign).await?;
        self.wait(&format!("the event `{event}`"), async || {
            let log = self.store.lifecycle(&[self.account], campaign, NEWEST).await?;
            let Some(logged) = log.into_iter().find(|logged| logged.lifecycle_event == event) else {
                return Ok(Err("no trigger has logged it".to_owned()));
            };
            Ok(logged.processed_at.map(|_| ()).ok_or_else(|| "it was logged, but not worked on".to_owned()))
        })
        .await
    }

    /// Looks until it is so; then the last reason why it is not.
    async fn wait(
        &self,
        what: &str,
        mut look: impl AsyncFnMut() -> anyhow::Result<Result<(), String>>,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + self.patience;
        loop {
            let why = match look().await? {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            if Instant::now() >= end {
                bail!("waited {} s for {what}: {why}", self.patience.as_secs());
            }
            sleep(LOOK).await;
        }
    }
}
