//! Every metric of the hub, by name. Base units; no label that grows with tenants.

use std::{sync::atomic::AtomicU64, time::Instant};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

/// Parts of the start, in their order.
const BOOTED: [&str; 3] = ["store", "inbox", "actors"];

/// The one label that a metric may have: a word from a short list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Labelled {
    /// Kind, type, reason or outcome.
    pub what: &'static str,
}

/// A stage of enrichment, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Staged {
    /// Which one.
    pub stage: &'static str,
    /// How it went.
    pub outcome: &'static str,
}

/// A request to the API or for the page.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Requested {
    /// `GET`, `POST` and so on; `other` for one that is none of these.
    pub method: &'static str,
    /// As it is registered, with the names of its parts: `/api/leads/{id}`; `none` if there is no such route.
    pub route: String,
    /// Of the answer.
    pub status: u16,
}

/// A counter for each word of a short list.
pub type Counters = Family<Labelled, Counter>;

/// All metrics; what each means stands in [`Metrics::new`].
#[derive(Debug)]
#[expect(missing_docs, reason = "the help texts below are the documentation, once")]
pub struct Metrics {
    registry: Registry,
    pub webhooks: Counters,
    pub accepted_events: Counters,
    pub duplicate_events: Counter,
    pub receiving_bytes: Gauge,
    pub acknowledge_seconds: Histogram,
    pub commit_seconds: Histogram,
    pub parked_events: Counters,
    pub deferred_events: Counters,
    /// Parked events that were removed because their owner was over its share.
    pub dropped_events: Counters,
    /// Agencies whose webhooks are refused because what waits of them takes more than their share.
    pub agencies_over_share: Gauge,
    pub platform_calls: Counters,
    pub platform_seconds: Histogram,
    pub sends: Counters,
    pub deliveries: Counters,
    pub delivery_seconds: Histogram,
    pub delivery_delay_seconds: Histogram,
    pub cost_alerts: Counters,
    pub campaign_exports: Counters,
    pub enrichment_seconds: Family<Staged, Histogram>,
    pub website_calls: Counter,
    pub registrations: Counters,
    pub syncs: Counters,
    pub synced_messages: Counter,
    pub supervisors: Gauge,
    pub supervisor_restarts: Counter,
    pub published_envelopes: Counters,
    pub push_seconds: Histogram,
    pub delivered_frames: Counter,
    pub replayed_frames: Counter,
    pub resumed_sessions: Counters,
    pub sessions: Gauge,
    pub closed_sessions: Counters,
    pub refused_sessions: Counters,
    /// Connections that were closed at once because their address had too many.
    pub refused_connections: Counter,
    pub audit_records: Counters,
    pub stored_leads: Counter,
    /// Messages written to the store.
    pub stored_messages: Counter,
    pub store_failures: Counter,
    pub store_seconds: Histogram,
    pub inbox_bytes: Gauge,
    /// Whether it has room: 0 enough, 1 nearly full, 2 full.
    pub inbox_space: Gauge,
    pub directory_age: Gauge,
    pub directory_unreadable: Gauge,
    pub http_seconds: Family<Requested, Histogram>,
    pub campaigns: Counters,
    pub prospect_score: Histogram,
    pub api_cost: Family<Labelled, Counter<f64, AtomicU64>>,
    pub store_connections: Gauge,
    pub store_ping_seconds: Histogram,
    pub healthy: Family<Labelled, Gauge>,
    pub boot_seconds: Family<Labelled, Gauge<f64, AtomicU64>>,
    pub uptime_seconds: Gauge,
    began: Instant,
}

/// 0.5 ms to 16 s, each twice the one before.
fn seconds() -> Histogram {
    Histogram::new((0..16).map(|step| 0.0005 * f64::from(1 << step)))
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut all = Self {
            registry: Registry::with_prefix("leadwire"),
            webhooks: Counters::default(),
            accepted_events: Counters::default(),
            duplicate_events: Counter::default(),
            receiving_bytes: Gauge::default(),
            acknowledge_seconds: seconds(),
            commit_seconds: seconds(),
            parked_events: Counters::default(),
            deferred_events: Counters::default(),
            dropped_events: Counters::default(),
            agencies_over_share: Gauge::default(),
            platform_calls: Counters::default(),
            platform_seconds: seconds(),
            sends: Counters::default(),
            deliveries: Counters::default(),
            delivery_seconds: seconds(),
            delivery_delay_seconds: seconds(),
            cost_alerts: Counters::default(),
            campaign_exports: Counters::default(),
            enrichment_seconds: Family::new_with_constructor(seconds),
            website_calls: Counter::default(),
            registrations: Counters::default(),
            syncs: Counters::default(),
            synced_messages: Counter::default(),
            supervisors: Gauge::default(),
            supervisor_restarts: Counter::default(),
            published_envelopes: Counters::default(),
            push_seconds: seconds(),
            delivered_frames: Counter::default(),
            replayed_frames: Counter::default(),
            resumed_sessions: Counters::default(),
            sessions: Gauge::default(),
            closed_sessions: Counters::default(),
            refused_sessions: Counters::default(),
            refused_connections: Counter::default(),
            audit_records: Counters::default(),
            stored_leads: Counter::default(),
            stored_messages: Counter::default(),
            store_failures: Counter::default(),
            store_seconds: seconds(),
            inbox_bytes: Gauge::default(),
            inbox_space: Gauge::default(),
            directory_age: Gauge::default(),
            directory_unreadable: Gauge::default(),
            http_seconds: Family::new_with_constructor(seconds),
            campaigns: Counters::default(),
            prospect_score: Histogram::new((1..=10).map(|ten| f64::from(ten * 10))),
            api_cost: Family::default(),
            store_connections: Gauge::default(),
            store_ping_seconds: seconds(),
            healthy: Family::default(),
            boot_seconds: Family::default(),
            uptime_seconds: Gauge::default(),
            began: Instant::now(),
        };
        all.register();
        all
    }

    #[rustfmt::skip]
    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("webhooks", "Webhook POSTs by outcome", self.webhooks.clone());
        r.register("inbox_accepted_events", "New events made durable, by kind", self.accepted_events.clone());
        r.register("inbox_duplicate_events", "Events that were here already", self.duplicate_events.clone());
        r.register("inbox_receiving_bytes", "Bytes of webhooks being received or waiting for a commit", self.receiving_bytes.clone());
        r.register_with_unit("webhook_acknowledge", "From a webhook's head to its answer", Unit::Seconds, self.acknowledge_seconds.clone());
        r.register_with_unit("inbox_commit", "From handing webhooks to the inbox until they are durable", Unit::Seconds, self.commit_seconds.clone());
        r.register("parked_events", "Events parked, by reason", self.parked_events.clone());
        r.register("deferred_events", "Events put off, by reason", self.deferred_events.clone());
        r.register("dropped_events", "Parked events removed because their owner was over its share of the inbox, by reason", self.dropped_events.clone());
        r.register("agencies_over_share", "Agencies whose webhooks get 503 because what waits of them takes more than their share", self.agencies_over_share.clone());
        r.register("platform_calls", "Calls to platforms' APIs, by outcome", self.platform_calls.clone());
        r.register_with_unit("platform_call", "How long calls to platforms' APIs take", Unit::Seconds, self.platform_seconds.clone());
        r.register("sends", "Replies to platforms, by what became of them", self.sends.clone());
        r.register("deliveries", "Attempts to deliver webhooks, by what became of them", self.deliveries.clone());
        r.register_with_unit("delivery", "How long endpoints take to answer", Unit::Seconds, self.delivery_seconds.clone());
        r.register_with_unit("delivery_delay", "From a change in the database until an endpoint has it", Unit::Seconds, self.delivery_delay_seconds.clone());
        r.register("cost_alerts", "Alerts that costs have raised, by type of threshold", self.cost_alerts.clone());
        r.register("campaign_exports", "Campaigns whose files were to be made, by outcome", self.campaign_exports.clone());
        r.register_with_unit("enrichment_stage", "How long stages of enrichment take, by stage and outcome", Unit::Seconds, self.enrichment_seconds.clone());
        r.register("website_calls", "Requests to websites of prospects", self.website_calls.clone());
        r.register("webhook_registrations", "Webhooks at platforms that were looked at, by outcome", self.registrations.clone());
        r.register("syncs", "Times that a source's messages were read at the platform, by outcome", self.syncs.clone());
        r.register("synced_messages", "Messages that no webhook had brought", self.synced_messages.clone());
        r.register("supervisors", "Accounts being worked on", self.supervisors.clone());
        r.register("supervisor_restarts", "Supervisors that failed and were started again", self.supervisor_restarts.clone());
        r.register("published_envelopes", "Envelopes pushed, by type", self.published_envelopes.clone());
        r.register_with_unit("push", "From a webhook's acceptance to its push", Unit::Seconds, self.push_seconds.clone());
        r.register("delivered_frames", "Envelopes handed to sessions' sockets", self.delivered_frames.clone());
        r.register("replayed_frames", "Envelopes from the log handed to sessions that came back", self.replayed_frames.clone());
        r.register("resumed_sessions", "Subscriptions with a position, by how much was brought back", self.resumed_sessions.clone());
        r.register("sessions", "Connected dashboards", self.sessions.clone());
        r.register("closed_sessions", "Sessions that the hub closed, by close code", self.closed_sessions.clone());
        r.register("refused_connections", "Connections closed at once: their address had too many", self.refused_connections.clone());
        r.register("audit_records", "Records of sign-ins: kept, summed with others of the minute, lost", self.audit_records.clone());
        r.register("refused_sessions", "Sessions refused, by reason", self.refused_sessions.clone());
        r.register("stored_messages", "Messages written to the store", self.stored_messages.clone());
        r.register("stored_leads", "Leads written to the store", self.stored_leads.clone());
        r.register("store_failures", "Writes to the store that failed", self.store_failures.clone());
        r.register_with_unit("store_batch", "How long batches to the store take", Unit::Seconds, self.store_seconds.clone());
        r.register("inbox_space", "Whether the inbox has room: 0 enough, 1 nearly full, 2 full", self.inbox_space.clone());
        r.register_with_unit("inbox_size", "Size of what the inbox holds", Unit::Bytes, self.inbox_bytes.clone());
        r.register_with_unit("directory_age", "Since the directory was last known to be current", Unit::Seconds, self.directory_age.clone());
        r.register("directory_unreadable_rows", "Sources, issuers and keys whose rows can't be read", self.directory_unreadable.clone());
        r.register_with_unit("http_request", "Requests to the API and for the page, by method, route and status", Unit::Seconds, self.http_seconds.clone());
        r.register("campaigns", "What happened to campaigns, by event", self.campaigns.clone());
        r.register("prospect_score", "Scores of prospects whose enrichment has ended", self.prospect_score.clone());
        r.register("api_cost", "What the hub has spent at others' APIs, in units of money, by service", self.api_cost.clone());
        r.register("store_connections", "Connections to the database", self.store_connections.clone());
        r.register_with_unit("store_ping", "How long the database takes to answer that it is there", Unit::Seconds, self.store_ping_seconds.clone());
        r.register("healthy", "1 while a part works, else 0", self.healthy.clone());
        r.register_with_unit("boot", "How long the hub took to start, by part, and all together", Unit::Seconds, self.boot_seconds.clone());
        r.register_with_unit("uptime", "Since the hub was started", Unit::Seconds, self.uptime_seconds.clone());
        r.register("build", "Which hub this is", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    }

    /// Whether a part works.
    pub fn set_healthy(&self, what: &'static str, is_healthy: bool) {
        self.healthy.get_or_create(&Labelled { what }).set(i64::from(is_healthy));
    }

    /// A part has started, as long ago as the one before it; `all` is since the beginning.
    pub fn booted(&self, what: &'static str) {
        let before: f64 = BOOTED.iter().map(|what| self.boot_seconds.get_or_create(&Labelled { what }).get()).sum();
        let since = self.began.elapsed().as_secs_f64();
        let took = if what == "all" { since } else { since - before };
        self.boot_seconds.get_or_create(&Labelled { what }).set(took);
    }

    /// Adds one to a word's counter.
    pub fn count(counters: &Counters, what: &'static str) {
        counters.get_or_create(&Labelled { what }).inc();
    }

    /// Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.uptime_seconds.set(i64::try_from(self.began.elapsed().as_secs()).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_rendered_under_their_prometheus_names() {
        let metrics = Metrics::new();
        Metrics::count(&metrics.accepted_events, "lead");
        metrics.acknowledge_seconds.observe(0.002);
        let text = metrics.render();
        assert!(text.contains("leadwire_inbox_accepted_events_total{what=\"lead\"} 1"), "{text}");
        assert!(text.contains("leadwire_webhook_acknowledge_seconds_bucket"), "{text}");
        assert!(text.contains(concat!("leadwire_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1")), "{text}");
    }

    #[test]
    fn the_parts_of_a_start_add_up() {
        let metrics = Metrics::new();
        BOOTED.iter().chain(&["all"]).for_each(|what| metrics.booted(what));
        let took = |what| metrics.boot_seconds.get_or_create(&Labelled { what }).get();
        let parts: f64 = BOOTED.map(took).iter().sum();
        assert!(parts > 0.0 && took("all") >= parts, "{parts}");
    }
}
