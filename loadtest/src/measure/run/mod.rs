//! `kind = "leads"`: leads on a schedule, dashboards that watch, faults in between, and a book of it all.
//!
//! Latencies count from when a webhook was *due*, not from when it was sent: a hub that makes the sender wait does not
//! look better for it (coordinated omission).

mod bare;
mod clients;
mod faults;
mod ledger;
mod opened;
mod outcome;
mod plan;
mod sample;
mod scenario;
mod schedule;
mod stage;
mod stored;
mod watch;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::task::LocalSet;

use super::{
    Report, process,
    report::{Mark, Sample},
    scenarios::Run,
    sessions::raise_file_limit,
};
use crate::{
    fault::{Database, Proxy},
    hub::Hub,
};
use clients::{Companions, Honest};
use ledger::Ledger;
use plan::Plan;
pub(in crate::measure) use scenario::Scenario;
use scenario::{Store, What};
use stage::Stage;
use stored::{Looker, Stored};

/// Before the first webhook, so that all is in place by then.
const LEAD_IN: Duration = Duration::from_millis(300);

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
        (scenario.accounts.count * scenario.accounts.sessions
            + scenario.clients.count()
            + 2 * scenario.webhooks.connections
            + 256) as u64,
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
        scenario.storms(),
        options.common.seed,
    ));
    ensure!(plan.events() > 0, "the phases of {name} send nothing");
    let proxy = database.map(|database| Proxy::start(database.address())).transpose()?;
    let store = database.zip(proxy.as_ref()).map(|(database, proxy)| database.through(proxy.address()));
    let mut stage = Stage::open(options, scenario, &plan, store.as_deref()).await?;
    // Before there are sessions: a hub without any takes nothing meanwhile.
    let bare =
        if options.baseline { Some(bare::measure(&plan, &stage.tenants, &scenario.webhooks).await?) } else { None };

    let looker = Looker::new(&stage.hub, &stage.tenants, &plan)?;
    let what = scenario.webhooks.what;
    let book =
        Book { looks: bare.is_none() && what == What::Leads, ..Book::open(scenario, &plan, looker, stage.hub.pid())? };
    let before = resident(&stage.hub)?;
    let (cut, cuts) = tokio::sync::watch::channel(0);
    let (ledger, ended) = (Rc::clone(&book.ledger), watch::Ended::default());
    let (may_end, honest) = (scenario.cuts_sessions(), Arc::new(Honest::default()));
    let watch =
        watch::Watch { what, ledger, cut: cuts, may_end, ended: Rc::clone(&ended), honest: Arc::clone(&honest) };
    watch.open(&stage.hub, &stage.tenants, scenario.accounts.sessions).await?;
    let sessions_kib = resident(&stage.hub)?.saturating_sub(before);
    let Stage { hub, tenants, .. } = &stage;
    let clients = scenario.clients;
    let start = || Companions::start(clients, hub, tenants, &honest, &scenario.hub.settings);
    let companions = (clients.count() > 0).then(start).transpose()?;
    let stored = book.keep(scenario, &mut stage, &cut, &honest, proxy.as_ref()).await?;

    let mut report = Report::new(name, options.common.seed);
    outcome::report(&mut report, book, scenario, &stage.tenants, &stored, sessions_kib, bare.as_ref());
    if what == What::Messages
        && let Some(opened) = opened::longest_chat(&stage.hub, &stage.tenants[0]).await?
    {
        opened.tell(&mut report, scenario.targets.first_page_p99_ms);
    }
    if let Some(companions) = companions {
        companions.stop(&mut report)?;
    }
    for closed in ended.borrow().iter() {
        report.problem(closed);
    }
    stage.hub.stop().await?;
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
        for storm in scenario.storms() {
            let (from_ms, to_ms) = (u64::try_from(storm.from.as_millis())?, u64::try_from(storm.to.as_millis())?);
            marks.push(Mark { from_ms, to_ms: Some(to_ms), text: "retry storm".to_owned() });
        }
        let (samples, marks) = (RefCell::default(), RefCell::new(marks));
        let pushed = Cell::default();
        Ok(Self { plan: Rc::clone(plan), ledger, looker, looks: true, samples, pushed, marks, pid: Cell::new(pid) })
    }

    /// Sends, breaks and samples; ends when all is pushed and stored, or the time is up.
    async fn keep(
        &self,
        scenario: &Scenario,
        stage: &mut Stage,
        cut: &tokio::sync::watch::Sender<u64>,
        honest: &Honest,
        database: Option<&Proxy>,
    ) -> Result<Vec<Stored>> {
        let Stage { hub, platform, tenants, clock } = stage;
        let [posts, again] = [&self.plan.posts, &self.plan.again];
        let requests = |posts| schedule::requests(hub.address(), tenants, &self.plan, posts, &scenario.webhooks);
        let requests = (requests(posts), requests(again));
        let start = Instant::now() + LEAD_IN;
        self.ledger.borrow_mut().begin(start);
        let end = start + scenario.length() + Duration::from_secs_f64(scenario.drain_seconds);
        let (address, ledger, connections) = (hub.address(), &self.ledger, scenario.webhooks.connections);
        let live = schedule::Sender { address, posts, ledger, connections, end };
        let storms = schedule::Sender { posts: again, ..live };
        let send = async { tokio::try_join!(live.send(&requests.0), storms.send(&requests.1)).map(drop) };
        let (pid, marks, clock) = (&self.pid, &self.marks, clock.as_ref());
        let breaker = faults::Breaker { faults: &scenario.faults, tenants, platform, clock, honest, start, pid, marks };
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
            tokio::try_join!(send, breaker.break_hub(hub, cut), break_database, break_platform)?;
            while self.ledger.borrow_mut().waiting().0 > 0 && Instant::now() < end {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            self.pushed.set(start.elapsed());
            stored::wait(hub, tenants, &self.ledger, &self.looker.seen, scenario.webhooks.what, end).await
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
