//! `kind = "leads"`: leads on a schedule, dashboards that watch, faults in between, and a book of it all.
//!
//! Latencies count from when a webhook was *due*, not from when it was sent: a hub that makes the sender wait does not
//! look better for it (coordinated omission).

mod bare;
mod faults;
mod ledger;
mod outcome;
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
    Report, process, progress,
    report::{Mark, Sample},
    scenarios::Run,
    sessions::raise_file_limit,
};
use crate::{
    fault::{Database, Proxy},
    hub::{Hub, Tenant},
    platform::{self, Settings, Simulator},
};
use ledger::Ledger;
use plan::Plan;
pub(in crate::measure) use scenario::Scenario;
use scenario::Store;
use stored::{Looker, Stored};

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
    let (mut hub, platform, tenants) = start_hub(options, scenario, &plan, store.as_deref()).await?;
    // Before there are sessions: a hub without any takes nothing meanwhile.
    let connections = scenario.webhooks.connections;
    let bare = if options.baseline { Some(bare::measure(&plan, &tenants, connections).await?) } else { None };

    let looker = Looker::new(&hub, &tenants, &plan)?;
    let book = Book { looks: bare.is_none(), ..Book::open(scenario, &plan, looker, hub.pid())? };
    let before = resident(&hub)?;
    let (cut, cuts) = tokio::sync::watch::channel(0);
    let (ledger, ended) = (Rc::clone(&book.ledger), watch::Ended::default());
    let watch = watch::Watch { ledger, cut: cuts, may_end: scenario.cuts_sessions(), ended: Rc::clone(&ended) };
    watch.open(&hub, &tenants, scenario.accounts.sessions).await?;
    let sessions_kib = resident(&hub)?.saturating_sub(before);
    let stored = book.keep(scenario, &mut hub, &platform, &tenants, &cut, proxy.as_ref()).await?;

    let mut report = Report::new(name, options.common.seed);
    outcome::report(&mut report, book, scenario, &tenants, &stored, sessions_kib, bare.as_ref());
    for closed in ended.borrow().iter() {
        report.problem(closed);
    }
    hub.stop().await?;
    Ok(report)
}

fn resident(hub: &Hub) -> Result<u64> {
    process::resident_kib(hub.pid().context("the hub has ended")?)
}

/// Microseconds of each of so many.
#[expect(clippy::cast_precision_loss, reason = "no run has 2^53 leads")]
fn cost(cpu: Duration, count: u64) -> f64 {
    cpu.as_secs_f64() * 1e6 / count.max(1) as f64
}

/// All that is noted of a run.
struct Book {
    plan: Rc<Plan>,
    ledger: Rc<RefCell<Ledger>>,
    looker: Looker,
    /// Looking costs the hub processor time, which a comparison with a baseline leaves out.
    looks: bool,
    samples: RefCell<Vec<Sample>>,
    /// How long it took until all was pushed; what comes after it is looking for what is stored.
    pushed: Cell<Duration>,
    marks: RefCell<Vec<Mark>>,
    /// The hub's process, while it runs.
    pid: Cell<Option<u32>>,
}

impl Book {
    fn open(scenario: &Scenario, plan: &Rc<Plan>, looker: Looker, pid: Option<u32>) -> Result<Self> {
        let ledger = Rc::new(RefCell::new(Ledger::new(Rc::clone(plan), Instant::now())?));
        let (mut marks, mut from_ms) = (Vec::new(), 0);
        for phase in &scenario.phases {
            let to_ms = from_ms + u64::try_from(Duration::from_secs_f64(phase.seconds).as_millis())?;
            marks.push(Mark { from_ms, to_ms: Some(to_ms), text: phase.name.clone() });
            from_ms = to_ms;
        }
        let (samples, marks) = (RefCell::default(), RefCell::new(marks));
        let pushed = Cell::default();
        Ok(Self { plan: Rc::clone(plan), ledger, looker, looks: true, samples, pushed, marks, pid: Cell::new(pid) })
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
            while self.ledger.borrow_mut().waiting().0 > 0 && Instant::now() < end {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            self.pushed.set(start.elapsed());
            stored::wait(hub, tenants, &self.ledger, &self.looker.seen, end).await
        };
        tokio::select! {
            stored = work => stored,
            () = self.looker.look(&self.ledger), if self.looks => anyhow::bail!("the looks at the store ended"),
            broken = sample::take(&self.ledger, &self.plan, &self.pid, &self.samples) => {
                broken.and_then(|()| anyhow::bail!("the samples ended"))
            }
        }
    }
}

/// A hub whose accounts all belong to one agency, each with a page and a user of its own.
async fn start_hub(
    options: &Run,
    scenario: &Scenario,
    plan: &Plan,
    store: Option<&str>,
) -> Result<(Hub, faults::Platform, Vec<Tenant>)> {
    let _step = progress::step("starting the hub");
    let latency = Duration::from_millis(scenario.platform.latency_ms);
    let simulator = Simulator::start(Settings { latency, ..Settings::default() })?;
    let mut setup = options.common.setup_for(plan.sessions * plan.accounts)?.graph_url(&simulator.url());
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
        let first = plan.first_id;
        let happened = move |id: u64| stored::happened(usize::try_from(id - first).unwrap_or(usize::MAX));
        leads.generate_leads(first..=u64::MAX, move |id| platform::Lead::generated(id, happened(id)));
        pages.push(leads);
    }
    hub.start().await?;
    Ok((hub, faults::Platform { simulator, pages, latency }, tenants))
}
