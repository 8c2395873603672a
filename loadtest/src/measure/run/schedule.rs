//! The open loop: webhooks go out when they are due, however the hub does.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use tokio::sync::Semaphore;

use super::{
    super::{
        http::Connection,
        requests::{HAPPENED, lead_body, message_body, post},
    },
    ledger::Ledger,
    plan::{Plan, Post},
    scenario::{Webhooks, What},
    stored::happened,
};
use crate::{
    hub::Tenant,
    platform::meta::{Change, Message, Webhook},
};

/// A POST that was refused or broke off is sent again after this long.
const AGAIN: Duration = Duration::from_millis(50);

/// The requests of a plan's POSTs, ready-made, so that making them takes no time of the schedule.
pub(super) fn requests(
    address: SocketAddr,
    tenants: &[Tenant],
    plan: &Plan,
    posts: &[Post],
    webhooks: &Webhooks,
) -> Vec<Vec<u8>> {
    let body = |planned| match webhooks.what {
        What::Leads => lead_bodies(tenants, plan, planned),
        What::Messages => message_bodies(tenants, plan, planned, webhooks.people),
    };
    posts.iter().map(|planned| post(address, &body(planned))).collect()
}

const FIRST_PERSON: u64 = 7_100_000_000_000_001;

fn message_bodies(tenants: &[Tenant], plan: &Plan, post: &Post, people: u64) -> String {
    let page = |event: usize| tenants[plan.account_of(event)].page;
    // By what the account has had before, so that all people write, whatever the accounts' turns are.
    let person = |event: usize| FIRST_PERSON + (event / plan.accounts) as u64 % people;
    if let [event] = *post.events {
        return message_body(page(event), person(event), plan.id_of(event), happened(event));
    }
    let messages = post.events.iter().map(|&event| Message {
        page_id: page(event),
        psid: person(event),
        mid: format!("m_{}", plan.id_of(event)),
        text: "Is it still free?".to_owned(),
        timestamp: happened(event) * 1000,
    });
    messages.fold(Webhook::new(HAPPENED), Webhook::with_message).body()
}

fn lead_bodies(tenants: &[Tenant], plan: &Plan, post: &Post) -> String {
    let page = |event: usize| tenants[plan.account_of(event)].page;
    if let [event] = *post.events {
        return lead_body(page(event), plan.id_of(event));
    }
    let changes = post.events.iter().map(|&event| Change::new(page(event), plan.id_of(event), HAPPENED));
    changes.fold(Webhook::new(HAPPENED), Webhook::with).body()
}

/// The platform that sends.
pub(super) struct Sender<'a> {
    pub address: SocketAddr,
    /// In the order in which they are due.
    pub posts: &'a [Post],
    pub ledger: &'a RefCell<Ledger>,
    pub connections: usize,
    /// When it gives up on what the hub does not take.
    pub end: Instant,
}

impl Sender<'_> {
    /// Sends what is planned and returns when all is acknowledged or the time is up.
    pub(super) async fn send(&self, requests: &[Vec<u8>]) -> Result<()> {
        let start = self.ledger.borrow().start();
        let due = Arc::new(Semaphore::new(0));
        let clock = {
            let dues: Vec<_> = self.posts.iter().map(|post| start + post.due).collect();
            let due = Arc::clone(&due);
            thread::Builder::new().name("schedule".to_owned()).spawn(move || tick(&dues, &due))?
        };
        let next = Cell::new(0);
        let drivers = (0..self.connections).map(|_| self.drive(&due, &next, requests));
        futures_util::future::try_join_all(drivers).await?;
        if clock.join().is_err() {
            bail!("the schedule's thread panicked");
        }
        Ok(())
    }

    /// One connection: takes whatever is due next.
    async fn drive(&self, due: &Semaphore, next: &Cell<usize>, requests: &[Vec<u8>]) -> Result<()> {
        let mut connection = None;
        loop {
            // A closed semaphore gives none, not even those that are left: what is left is taken below all the same.
            if let Ok(permit) = due.acquire().await {
                permit.forget();
            }
            let number = next.get();
            let Some(request) = requests.get(number) else { return Ok(()) };
            next.set(number + 1);
            while !self.deliver(&mut connection, request, &self.posts[number]).await? {
                if Instant::now() >= self.end {
                    return Ok(());
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// One attempt; whether the hub took it.
    async fn deliver(&self, connection: &mut Option<Connection>, request: &[u8], post: &Post) -> Result<bool> {
        let mut open = match connection.take() {
            Some(open) => open,
            None => match Connection::open(self.address).await {
                Ok(open) => open,
                Err(_) => return Ok(post.unheard),
            },
        };
        post.events.iter().for_each(|&event| self.ledger.borrow_mut().send(event, Instant::now()));
        let Ok(status) = open.exchange(request).await else {
            self.ledger.borrow_mut().break_off();
            return Ok(post.unheard);
        };
        if post.unheard {
            // The answer is lost on its way; the POST comes again in a storm.
            return Ok(true);
        }
        *connection = Some(open);
        match status {
            200 => {
                let now = Instant::now();
                let mut ledger = self.ledger.borrow_mut();
                post.events.iter().for_each(|&event| ledger.acknowledge(event, now));
                Ok(true)
            }
            503 => {
                self.ledger.borrow_mut().refuse();
                Ok(false)
            }
            status => bail!("a webhook was answered with status {status}"),
        }
    }
}

/// Releases each POST when it is due. A thread of its own: its sleep is exact to some ten microseconds, a runtime's
/// timer to a millisecond only.
fn tick(dues: &[Instant], due: &Semaphore) {
    for at in dues {
        thread::sleep(at.saturating_duration_since(Instant::now()));
        due.add_permits(1);
    }
    due.close();
}
