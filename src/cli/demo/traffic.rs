//! What the simulated Meta sends: its documented payloads first, then leads for as long as the demo runs.

use std::{net::SocketAddr, time::Duration};

use loadtest::platform::{
    Ad, Lead, Page,
    meta::{self, Change, Webhook},
};
use tokio::time::sleep;

use super::{cast::Cast, database};
use crate::{config::Settings, domain::clock};

/// A page that no account has claimed.
const UNCLAIMED: u64 = 101_550_000_000_099;
/// Leads of the large batch.
const BATCH: usize = 1000;

/// Ids tell what a lead is like, so that a lead of an earlier run is still the same: microseconds since 1970, whose last
/// digit says what it shows.
#[derive(Clone, Copy)]
enum Kind {
    Plain = 0,
    Organic = 1,
    TestingTool = 2,
    Hostile = 3,
    FirstAndLastName = 4,
}

/// Every id is a lead of this page.
pub(super) fn make_leads(page: &Page) {
    page.generate_leads(1..=u64::MAX, |id| {
        let created = i64::try_from(id / 1_000_000).unwrap_or(0);
        let person = Lead::generated(id, created);
        match id % 10 {
            1 => person.organic().answer("how_soon_do_you_need_it?", "within_a_week"),
            2 => Lead::testing_tool(created),
            3 => Lead::person(
                created,
                "<img src=x onerror=\"alert('lead')\"> \u{202e}O'Neill & Söhne",
                "=HYPERLINK(\"http://evil.example\")@example.com",
                "+1 619 555 0199",
            ),
            4 => Lead::new(created)
                .answer("FIRST_NAME", "Zoë")
                .answer("LAST_NAME", "van der Berg")
                .answer("EMAIL", "zoe@example.com")
                .answers("services", &["whitening", "implants"]),
            _ => person.from_ad(Ad::new(120_210_000_000_000_000 + id % 7)).answer("preferred_contact", "by_phone"),
        }
    });
}

struct Sender {
    client: reqwest::Client,
    url: String,
    secret: String,
    last: u64,
}

impl Sender {
    fn id(&mut self, kind: Kind) -> u64 {
        let now = u64::try_from(clock::now().timestamp_micros()).unwrap_or(0);
        self.last = now.max(self.last + 10) / 10 * 10;
        self.last + kind as u64
    }

    fn lead(&mut self, page: &Page, kind: Kind) -> Option<Change> {
        let id = self.id(kind);
        page.change_for(id)
    }

    async fn post(&self, body: String, what: &str) {
        match meta::post(&self.client, &self.url, body, &self.secret).await {
            Ok(answer) => tracing::info!(what, status = answer.status().as_u16(), "the simulated Meta posted"),
            Err(error) => tracing::warn!(what, %error, "the simulated Meta got no answer"),
        }
    }
}

fn seconds() -> i64 {
    clock::now().timestamp()
}

/// Posts until the hub stops.
pub(super) async fn flow(
    client: reqwest::Client,
    (address, secret): (SocketAddr, String),
    pages: [Page; 3],
    cast: Cast,
    settings: Settings,
) {
    let url = format!("http://{address}/webhook");
    let mut sender = Sender { client, url, secret, last: 0 };
    actix_rt::spawn(token_story(pages[2].clone(), cast, settings));
    documented(&mut sender, &pages).await;
    sleep(Duration::from_secs(8)).await;
    batch(&mut sender, &pages).await;
    for round in 0_usize.. {
        sleep(Duration::from_millis(1500 + fastrand::u64(..2500))).await;
        let kind = match round % 9 {
            3 => Kind::Organic,
            6 => Kind::FirstAndLastName,
            _ => Kind::Plain,
        };
        let page = &pages[fastrand::usize(..pages.len())];
        if let Some(change) = sender.lead(page, kind) {
            let webhook = Webhook::lead(change);
            sender.post(webhook.body(), "a lead").await;
            if round % 5 == 0 {
                sender.post(webhook.redelivered(seconds()).body(), "the same lead again").await;
            }
        }
    }
}

/// One of each that the platform's documents describe.
async fn documented(sender: &mut Sender, pages: &[Page; 3]) {
    for (kind, what) in [
        (Kind::Plain, "a lead"),
        (Kind::Organic, "an organic lead"),
        (Kind::TestingTool, "a lead of the testing tool"),
        (Kind::Hostile, "a lead with a hostile name"),
        (Kind::FirstAndLastName, "a lead with first and last name"),
    ] {
        if let Some(change) = sender.lead(&pages[0], kind) {
            let webhook = Webhook::lead(change);
            sender.post(webhook.body(), what).await;
            for _ in 0..2 {
                sender.post(webhook.redelivered(seconds()).body(), "the same lead again").await;
            }
        }
        sleep(Duration::from_millis(600)).await;
    }
    sender.post(meta::test_button_leadgen(seconds()), "the dashboard's test button").await;
    sender.post(meta::test_button_messages(seconds()), "the dashboard's test button for messages").await;
    let unclaimed = Change::new(UNCLAIMED, sender.id(Kind::Organic), seconds());
    sender.post(Webhook::lead(unclaimed).body(), "a lead of a page that nobody has claimed").await;
    if let Some(change) = sender.lead(&pages[1], Kind::Plain) {
        sender.post(Webhook::lead(change).ids_as_numbers().body(), "a lead with numbers as ids").await;
    }
}

/// One POST with a thousand changes for all pages.
async fn batch(sender: &mut Sender, pages: &[Page; 3]) {
    let changes: Vec<Change> =
        (0..BATCH).filter_map(|place| sender.lead(&pages[place * pages.len() / BATCH], Kind::Plain)).collect();
    sender.post(Webhook::batch(seconds(), changes).body(), "a batch of a thousand leads").await;
}

/// The last page's token runs out; a while later somebody replaces it.
async fn token_story(page: Page, cast: Cast, settings: Settings) {
    sleep(Duration::from_secs(30)).await;
    page.expire_token();
    tracing::info!("the token of one page has run out; its leads are parked until it is replaced");
    sleep(Duration::from_secs(40)).await;
    let token = format!("EAAB-demo-{}-renewed", page.id());
    page.set_token(&token);
    let replaced = async {
        let store = database::open(&settings).await?;
        anyhow::Ok(store.set_source_token(cast.pages[2].source, &token.into()).await?)
    };
    match replaced.await {
        Ok(()) => tracing::info!("the token was replaced; what was parked goes on"),
        Err(error) => tracing::warn!(%error, "the token could not be replaced"),
    }
}
