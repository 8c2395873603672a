//! Every metric of the hub, by name. Base units; no label that grows with tenants.

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

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
    pub platform_calls: Counters,
    pub platform_seconds: Histogram,
    pub sends: Counters,
    pub deliveries: Counters,
    pub delivery_seconds: Histogram,
    pub delivery_delay_seconds: Histogram,
    pub cost_alerts: Counters,
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
    pub stored_leads: Counter,
    /// Messages written to the store.
    pub stored_messages: Counter,
    pub store_failures: Counter,
    pub store_seconds: Histogram,
    pub inbox_bytes: Gauge,
    pub directory_age: Gauge,
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
            platform_calls: Counters::default(),
            platform_seconds: seconds(),
            sends: Counters::default(),
            deliveries: Counters::default(),
            delivery_seconds: seconds(),
            delivery_delay_seconds: seconds(),
            cost_alerts: Counters::default(),
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
            stored_leads: Counter::default(),
            stored_messages: Counter::default(),
            store_failures: Counter::default(),
            store_seconds: seconds(),
            inbox_bytes: Gauge::default(),
            directory_age: Gauge::default(),
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
        r.register("platform_calls", "Calls to platforms' APIs, by outcome", self.platform_calls.clone());
        r.register_with_unit("platform_call", "How long calls to platforms' APIs take", Unit::Seconds, self.platform_seconds.clone());
        r.register("sends", "Replies to platforms, by what became of them", self.sends.clone());
        r.register("deliveries", "Attempts to deliver webhooks, by what became of them", self.deliveries.clone());
        r.register_with_unit("delivery", "How long endpoints take to answer", Unit::Seconds, self.delivery_seconds.clone());
        r.register_with_unit("delivery_delay", "From a change in the database until an endpoint has it", Unit::Seconds, self.delivery_delay_seconds.clone());
        r.register("cost_alerts", "Alerts that costs have raised, by type of threshold", self.cost_alerts.clone());
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
        r.register("refused_sessions", "Sessions refused, by reason", self.refused_sessions.clone());
        r.register("stored_messages", "Messages written to the store", self.stored_messages.clone());
        r.register("stored_leads", "Leads written to the store", self.stored_leads.clone());
        r.register("store_failures", "Writes to the store that failed", self.store_failures.clone());
        r.register_with_unit("store_batch", "How long batches to the store take", Unit::Seconds, self.store_seconds.clone());
        r.register_with_unit("inbox_size", "Size of what the inbox holds", Unit::Bytes, self.inbox_bytes.clone());
        r.register_with_unit("directory_age", "Since the directory was last known to be current", Unit::Seconds, self.directory_age.clone());
    }

    /// Adds one to a word's counter.
    pub fn count(counters: &Counters, what: &'static str) {
        counters.get_or_create(&Labelled { what }).inc();
    }

    /// Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
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
    }
}
