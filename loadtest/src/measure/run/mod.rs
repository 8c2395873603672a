//! `kind = "leads"`: leads on a schedule, dashboards that watch, faults in between, and a book of it all.
//!
//! Latencies count from when a webhook was *due*, not from when it was sent: a hub that makes the sender wait does not
//! look better for it (coordinated omission).

mod faults;
mod ledger;
mod plan;
mod sample;
mod scenario;
mod schedule;
mod stored;
mod watch;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::task::LocalSet;

use super::{
    Report, progress,
    report::{LedgerRow, Mark, Sample, Timeline},
    requests::HAPPENED,
    scenarios::Run,
    sessions::raise_file_limit,
};
use crate::{
    fault::{Database, Proxy},
    hub::{Hub, Tenant},
    platform::{self, Settings, Simulator},
};
use ledger::{Ledger, Sums};
use plan::Plan;
pub(in crate::measure) use scenario::Scenario;
use scenario::{Store, Targets};
use stored::Stored;

/// Before the first webhook, so that all is in place by then.
const LEAD_IN: Duration = Duration::from_millis(300);
const FIRST_PAGE: u64 = 100_200_300_400_700;

/// Runs the scenario.
///
/// # Errors
/// If the hub can't be started or filled.
pub(super) fn measure(options: &Run, name: &str, scenario: &Scenario) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run(options, name, scenario))
}

async fn run(options: &Run, name: &str, scenario: &Scenario) -> Result<Report> {
    raise_file_limit(
        (scenario.accounts.count * scenario.accounts.sessions + scenario.webhooks.connections + 256) as u64,
    )?;
    let database = match scenario.hub.database {
        Store::Embedded => None,
        Store::Postgres => {
            let server = options.postgres.as_deref();
            let server = server.context("this scenario needs PostgreSQL: say where with --postgres URL")?;
            Some(Database::create(server).await?)
        }
    };
    let outcome = Box::pin(run_on(options, name, scenario, database.as_ref())).await;
    if let Some(database) = database {
        database.remove().await?;
    }
    outcome
}

async fn run_on(options: &Run, name: &str, scenario: &Scenario, database: Option<&Database>) -> Result<Report> {
    let plan = Rc::new(Plan::new(
        options.common.first_id(),
        &scenario.accounts,
        &scenario.phases,
        &scenario.webhooks.deliveries(),
        options.common.seed,
    ));
    ensure!(plan.events() > 0, "the phases of {name} send nothing");
    let proxy = database.map(|database| Proxy::start(database.address())).transpose()?;
    let store = database.zip(proxy.as_ref()).map(|(database, proxy)| database.through(proxy.address()));
    let step = progress::step("starting the hub");
    let (mut hub, platform, tenants) = start_hub(options, scenario, &plan, store.as_deref()).await?;
    step.finish_and_clear();

    let book = Book::open(scenario, &plan, hub.pid())?;
    let (cut, cuts) = tokio::sync::watch::channel(0);
    let (ledger, ended) = (Rc::clone(&book.ledger), watch::Ended::default());
    let watch = watch::Watch { ledger, cut: cuts, may_end: scenario.cuts_sessions(), ended: Rc::clone(&ended) };
    watch.open(&hub, &tenants, scenario.accounts.sessions).await?;
    let stored = book.keep(scenario, &mut hub, &platform, &tenants, &cut, proxy.as_ref()).await?;

    let mut report = Report::new(name, options.common.seed);
    book.report(&mut report, scenario, &tenants, &stored);
    for closed in ended.borrow().iter() {
        report.problem(closed);
    }
    hub.stop().await?;
    Ok(report)
}

/// All that is noted of a run.
struct Book {
    plan: Rc<Plan>,
    ledger: Rc<RefCell<Ledger>>,
    samples: RefCell<Vec<Sample>>,
    marks: RefCell<Vec<Mark>>,
    /// The hub's process, while it runs.
    pid: Cell<Option<u32>>,
}

impl Book {
    fn open(scenario: &Scenario, plan: &Rc<Plan>, pid: Option<u32>) -> Result<Self> {
        let ledger = Rc::new(RefCell::new(Ledger::new(Rc::clone(plan), Instant::now())?));
        let (mut marks, mut from_ms) = (Vec::new(), 0);
        for phase in &scenario.phases {
            let to_ms = from_ms + u64::try_from(Duration::from_secs_f64(phase.seconds).as_millis())?;
            marks.push(Mark { from_ms, to_ms: Some(to_ms), text: phase.name.clone() });
            from_ms = to_ms;
        }
        let (samples, marks) = (RefCell::default(), RefCell::new(marks));
        Ok(Self { plan: Rc::clone(plan), ledger, samples, marks, pid: Cell::new(pid) })
    }

    /// Sends, breaks and samples; ends when all is pushed and stored, or the time is up.
    async fn keep(
        &self,
        scenario: &Scenario,
        hub: &mut Hub,
        platform: &faults::Platform,
        tenants: &[Tenant],
        cut: &tokio::sync::watch::Sender<u64>,
        database: Option<&Proxy>,
    ) -> Result<Vec<Stored>> {
        let requests = schedule::requests(hub.address(), tenants, &self.plan);
        let start = Instant::now() + LEAD_IN;
        self.ledger.borrow_mut().begin(start);
        let end = start + scenario.length() + Duration::from_secs_f64(scenario.drain_seconds);
        let sender = schedule::Sender {
            address: hub.address(),
            plan: &self.plan,
            ledger: &self.ledger,
            connections: scenario.webhooks.connections,
            end,
        };
        let (pid, marks) = (&self.pid, &self.marks);
        let breaker = faults::Breaker { faults: &scenario.faults, tenants, platform, start, pid, marks };
        let break_database = async {
            if let Some(proxy) = database {
                breaker.break_database(proxy).await;
            }
            Ok(())
        };
        let break_platform = async {
            breaker.break_platform().await;
            Ok(())
        };
        let work = async {
            tokio::try_join!(sender.send(&requests), breaker.break_hub(hub, cut), break_database, break_platform)?;
            let step = progress::step("waiting until all are pushed and stored");
            while self.ledger.borrow_mut().waiting().0 > 0 && Instant::now() < end {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let stored = stored::wait(hub, tenants, &self.ledger, end).await;
            step.finish_and_clear();
            stored
        };
        tokio::select! {
            stored = work => stored,
            broken = sample::take(&self.ledger, &self.plan, &self.pid, &self.samples) => {
                broken.and_then(|()| anyhow::bail!("the samples ended"))
            }
        }
    }

    fn report(self, report: &mut Report, scenario: &Scenario, tenants: &[Tenant], stored: &[Stored]) {
        let ledger = self.ledger.borrow();
        let (sums, (repeated, unexpected, refused, broken)) = (ledger.sums(), ledger.oddities());
        let (acks, pushes, others) = ledger.latencies();
        let all = |of: fn(&Sums) -> u64| sums.iter().map(of).sum::<u64>();
        let of_store = |of: fn(&Stored) -> u64| stored.iter().map(of).sum::<u64>();
        report.count("leads due", all(|sums| sums.due));
        report.count("acknowledged", all(|sums| sums.acknowledged));
        report.must_be_zero("never acknowledged", all(|sums| sums.due - sums.acknowledged));
        report.count("refused with 503 and sent again", refused);
        report.count("broken off and sent again", broken);
        report.count("deliveries", all(|sums| sums.pushed));
        report.count("read in the list after being away", all(|sums| sums.in_list));
        report.count("repeated after a crash, dropped by id", repeated);
        report.latencies("acknowledged after", acks.quantiles());
        report.latencies("pushed after", pushes.quantiles());
        report.percentiles("acknowledged", acks);
        report.percentiles("pushed", pushes);
        report.must_be_zero("lost", all(|sums| sums.lost));
        report.must_be_zero("duplicated", all(|sums| sums.duplicated));
        report.must_be_zero("out of order", all(|sums| sums.out_of_order));
        report.must_be_zero("leaked to another account", all(|sums| sums.leaked));
        report.must_be_zero("never asked for", unexpected);
        report.must_be_zero("acknowledged, but not stored", of_store(|stored| stored.missing));
        report.must_be_zero("stored twice", of_store(|stored| stored.duplicated));
        report.must_be_zero("stored in another account", of_store(|stored| stored.foreign));
        let samples = self.samples.into_inner();
        let cores: Vec<f64> = samples.iter().filter_map(|sample| sample.cpu_cores).collect();
        report.figure_of("hub: CPU, half-second windows", &cores, "cores");
        let most = samples.iter().filter_map(|sample| sample.rss_kib).max().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "no process has 2^53 KiB")]
        let rss_mib = most as f64 / 1024.0;
        report.figure("hub: most resident memory", rss_mib, "MiB");
        let measured = [acks.quantile(0.5), acks.quantile(0.99), pushes.quantile(0.5), pushes.quantile(0.99)];
        targets(report, &scenario.targets, measured, others.quantile(0.99), rss_mib);
        report.ledger(
            tenants.iter().zip(&sums).zip(stored).map(|((tenant, sums), stored)| row(tenant, sums, stored)).collect(),
        );
        report.timeline(Timeline { samples, marks: self.marks.into_inner() });
    }
}

fn targets(report: &mut Report, targets: &Targets, latencies: [Option<f64>; 4], others: Option<f64>, rss_mib: f64) {
    let [ack_p50, ack_p99, push_p50, push_p99] = latencies;
    let rows = [
        ("acknowledged after p50", targets.acknowledge_p50_ms, ack_p50, "ms"),
        ("acknowledged after p99", targets.acknowledge_p99_ms, ack_p99, "ms"),
        ("pushed after p50", targets.push_p50_ms, push_p50, "ms"),
        ("pushed after p99", targets.push_p99_ms, push_p99, "ms"),
        ("accounts but the first: pushed after p99", targets.others_push_p99_ms, others, "ms"),
        ("most resident memory", targets.rss_mib, Some(rss_mib), "MiB"),
    ];
    for (name, wanted, measured, unit) in rows {
        match (wanted, measured) {
            (Some(wanted), Some(measured)) => {
                report.target(name, format!("≤ {wanted}"), measured, unit, measured <= wanted);
            }
            (Some(_), None) => report.problem(format!("{name}: nothing was measured")),
            (None, _) => {}
        }
    }
}

fn row(tenant: &Tenant, sums: &Sums, stored: &Stored) -> LedgerRow {
    LedgerRow {
        account: tenant.account.clone(),
        due: sums.due,
        acknowledged: sums.acknowledged,
        expected: sums.expected,
        live: sums.pushed,
        after_reconnect: sums.in_list,
        stored: stored.found,
        lost: sums.lost,
        duplicated: sums.duplicated + stored.duplicated,
        out_of_order: sums.out_of_order,
        leaked: sums.leaked + stored.foreign,
    }
}

/// A hub whose accounts all belong to one agency, each with a page and a user of its own.
async fn start_hub(
    options: &Run,
    scenario: &Scenario,
    plan: &Plan,
    store: Option<&str>,
) -> Result<(Hub, faults::Platform, Vec<Tenant>)> {
    let latency = Duration::from_millis(scenario.platform.latency_ms);
    let simulator = Simulator::start(Settings { latency, ..Settings::default() })?;
    let enough = plan.sessions * plan.accounts + 100;
    let mut setup = ["user", "account", "address"]
        .iter()
        .fold(options.common.setup()?, |setup, of| setup.set(&format!("realtime.sessions_per_{of}"), enough))
        .graph_url(&simulator.url());
    if let Some(url) = store {
        setup = setup.store_url(url);
    }
    for (key, value) in &scenario.hub.settings {
        setup = setup.set(key, value.clone());
    }
    let mut hub = Hub::prepare(setup).await?;
    let agency = hub.add_agency("Loadtest").await?;
    let (mut tenants, mut pages) = (Vec::new(), Vec::new());
    for (page, index) in (FIRST_PAGE..).zip(0..plan.accounts) {
        let token = format!("EAAB-run-{index}");
        tenants.push(hub.add_tenant_of(&agency, &format!("Account {index}"), page, &token).await?);
        let leads = simulator.add_page(page, &token);
        leads.generate_leads(plan.first_id..=u64::MAX, |id| platform::Lead::generated(id, HAPPENED));
        pages.push(leads);
    }
    hub.start().await?;
    Ok((hub, faults::Platform { simulator, pages, latency }, tenants))
}
