//! Every route of the API, and what it answers to everybody: the table that `SECURITY.md` tells of.

/// A request: method and route as the router has them, what is asked for, with what body; and the answers.
pub struct Row {
    pub method: &'static str,
    pub route: &'static str,
    /// Of the route, filled in: `{id}` and the like are names of what is in the first account.
    pub path: &'static str,
    pub body: Option<&'static str>,
    /// To anybody; to another agency's owner and to a colleague who has another account; to viewers, agents, managers
    /// and owners of the account, people and keys alike.
    pub answers: [u16; 6],
}

const fn row(
    method: &'static str,
    route: &'static str,
    path: &'static str,
    body: Option<&'static str>,
    answers: [u16; 6],
) -> Row {
    Row { method, route, path, body, answers }
}

/// What one has oneself: everybody sees their own, and nothing of others.
const OWN: [u16; 6] = [401, 200, 200, 200, 200, 200];
/// Something of the account: it is not there for others.
const SEEN: [u16; 6] = [401, 404, 200, 200, 200, 200];
/// It is worked on.
const WORKED: [u16; 6] = [401, 404, 403, 200, 200, 200];
/// As above, but not now: it would need a platform, or something else before.
const NOT_NOW: [u16; 6] = [401, 404, 403, 409, 409, 409];
/// It is for those who manage the account, and shown to nobody else.
const MANAGED: [u16; 6] = [401, 404, 404, 404, 200, 200];

/// About signing in itself: everybody asks for themselves alone.
pub const ONESELF: [(&str, &str); 3] = [("POST", "/api/login"), ("POST", "/api/logout"), ("POST", "/api/token")];

pub const TABLE: &[Row] = &[
    row("GET", "/api/me", "/api/me", None, OWN),
    row("GET", "/api/people", "/api/people", None, OWN),
    row("GET", "/api/attention", "/api/attention", None, [401, 200, 403, 403, 200, 200]),
    row("GET", "/api/audit", "/api/audit", None, [401, 200, 403, 403, 403, 200]),
    // Leads.
    row("GET", "/api/leads", "/api/leads", None, OWN),
    row("GET", "/api/leads", "/api/leads?account={account}", None, SEEN),
    row("GET", "/api/leads/manual", "/api/leads/manual", None, OWN),
    row("GET", "/api/leads/from-facebook", "/api/leads/from-facebook", None, OWN),
    row(
        "POST",
        "/api/leads/create",
        "/api/leads/create",
        Some(r#"{"account": "{account}", "name": "Joe"}"#),
        [401, 404, 403, 201, 201, 201],
    ),
    row("GET", "/api/leads/{id}", "/api/leads/{lead}", None, SEEN),
    row("PUT", "/api/leads/{id}", "/api/leads/{lead}", Some(r#"{"status": "Called"}"#), WORKED),
    row("POST", "/api/leads/{id}/signal", "/api/leads/{lead}/signal", Some(r#"{"signal": "red"}"#), WORKED),
    row("DELETE", "/api/leads/{id}", "/api/leads/{new_lead}", None, [401, 404, 403, 403, 200, 200]),
    // Chats.
    row("GET", "/api/chats", "/api/chats", None, OWN),
    row("GET", "/api/chats", "/api/chats?account_id={account}", None, SEEN),
    row("POST", "/api/chats/sync", "/api/chats/sync?account_id={account}", None, WORKED),
    row("POST", "/api/chats/{id}/sync", "/api/chats/{chat}/sync", None, NOT_NOW),
    row("GET", "/api/chats/{id}", "/api/chats/{chat}", None, SEEN),
    row("GET", "/api/chats/{id}/messages", "/api/chats/{chat}/messages", None, SEEN),
    row("POST", "/api/chats/{id}/messages", "/api/chats/{chat}/messages", Some(r#"{"text": "Hi"}"#), NOT_NOW),
    row(
        "POST",
        "/api/unipile/chats/{id}/messages",
        "/api/unipile/chats/{chat}/messages",
        Some(r#"{"text": "Hi"}"#),
        NOT_NOW,
    ),
    row("GET", "/api/chats/{id}/sends", "/api/chats/{chat}/sends", None, SEEN),
    row("GET", "/api/chats/{id}/attendee/{provider_id}", "/api/chats/{chat}/attendee/{attendee}", None, SEEN),
    row("POST", "/api/chats/{id}/mark-read", "/api/chats/{chat}/mark-read", None, WORKED),
    row("POST", "/api/chats/{id}/ignore", "/api/chats/{chat}/ignore", None, WORKED),
    row("POST", "/api/chats/{id}/unignore", "/api/chats/{chat}/unignore", None, WORKED),
    row(
        "POST",
        "/api/chats/{id}/assist-mode",
        "/api/chats/{chat}/assist-mode",
        Some(r#"{"assist_mode": "manual"}"#),
        WORKED,
    ),
    row("POST", "/api/chats/{id}/assign", "/api/chats/{chat}/assign", Some(r#"{"user": null}"#), WORKED),
    row("DELETE", "/api/chats/{id}", "/api/chats/{new_chat}", None, [401, 404, 403, 403, 200, 200]),
    row(
        "DELETE",
        "/api/chats/{id}/messages/{message}",
        "/api/chats/{chat}/messages/{new_message}",
        None,
        [401, 404, 403, 403, 200, 200],
    ),
    // Endpoints.
    row("GET", "/api/endpoints", "/api/endpoints", None, OWN),
    row(
        "POST",
        "/api/endpoints",
        "/api/endpoints",
        Some(r#"{"account": "{account}", "url": "http://127.0.0.1:9/", "types": ["new_lead"]}"#),
        [401, 404, 403, 403, 201, 201],
    ),
    row("GET", "/api/endpoints/{id}", "/api/endpoints/{endpoint}", None, MANAGED),
    row("PUT", "/api/endpoints/{id}", "/api/endpoints/{endpoint}", Some(r#"{"description": "x"}"#), MANAGED),
    row("DELETE", "/api/endpoints/{id}", "/api/endpoints/{new_endpoint}", None, [401, 404, 404, 404, 204, 204]),
    row("POST", "/api/endpoints/{id}/rotate", "/api/endpoints/{endpoint}/rotate", None, MANAGED),
    row("POST", "/api/endpoints/{id}/test", "/api/endpoints/{endpoint}/test", None, MANAGED),
    row(
        "POST",
        "/api/endpoints/{id}/stop",
        "/api/endpoints/{endpoint}/stop",
        Some(r#"{"account": "{account}"}"#),
        MANAGED,
    ),
    row(
        "POST",
        "/api/endpoints/{id}/resume",
        "/api/endpoints/{endpoint}/resume",
        Some(r#"{"account": "{account}"}"#),
        MANAGED,
    ),
    row("POST", "/api/endpoints/{id}/take-over", "/api/endpoints/{endpoint}/take-over", Some("{}"), MANAGED),
    row("GET", "/api/endpoints/{id}/deliveries", "/api/endpoints/{endpoint}/deliveries", None, MANAGED),
    row(
        "POST",
        "/api/endpoints/{id}/replay",
        "/api/endpoints/{endpoint}/replay",
        Some(r#"{"type": "new_lead"}"#),
        [401, 404, 404, 404, 202, 202],
    ),
    row("GET", "/api/endpoints/{id}/replays/{replay}", "/api/endpoints/{endpoint}/replays/{replay}", None, MANAGED),
    row(
        "POST",
        "/api/endpoints/{id}/replays/{replay}/cancel",
        "/api/endpoints/{endpoint}/replays/{replay}/cancel",
        None,
        MANAGED,
    ),
    // Prospects and campaigns.
    row("GET", "/api/prospects", "/api/prospects", None, OWN),
    row("GET", "/api/prospects", "/api/prospects?account_id={account}", None, SEEN),
    row(
        "POST",
        "/api/prospects",
        "/api/prospects",
        Some(r#"{"account_id": "{account}", "prospects": [{"name": "Grill"}]}"#),
        [401, 404, 403, 201, 201, 201],
    ),
    row("GET", "/api/prospects/{id}", "/api/prospects/{prospect}", None, SEEN),
    row("POST", "/api/prospects/{id}/enrich", "/api/prospects/{prospect}/enrich", None, [401, 404, 403, 202, 202, 202]),
    row("DELETE", "/api/prospects/{id}", "/api/prospects/{new_prospect}", None, [401, 404, 403, 403, 200, 200]),
    row("GET", "/api/campaigns", "/api/campaigns", None, OWN),
    row("GET", "/api/campaigns", "/api/campaigns?account_id={account}", None, SEEN),
    row(
        "POST",
        "/api/campaigns",
        "/api/campaigns",
        Some(r#"{"account_id": "{account}", "name": "Grills"}"#),
        [401, 404, 403, 201, 201, 201],
    ),
    row("GET", "/api/campaigns/summary", "/api/campaigns/summary?campaign_id={campaign}", None, OWN),
    row("GET", "/api/campaigns/{id}", "/api/campaigns/{campaign}", None, SEEN),
    row("POST", "/api/campaigns/{id}/start", "/api/campaigns/{new_campaign}/start", None, WORKED),
    row("POST", "/api/campaigns/{id}/complete", "/api/campaigns/{completed}/complete", None, NOT_NOW),
    row("POST", "/api/campaigns/{id}/cancel", "/api/campaigns/{new_campaign}/cancel", None, WORKED),
    row("GET", "/api/campaigns/{id}/export", "/api/campaigns/{campaign}/export", None, SEEN),
    row("GET", "/api/campaigns/{id}/files", "/api/campaigns/{completed}/files", None, SEEN),
    row("GET", "/api/campaigns/{id}/files/{name}", "/api/campaigns/{completed}/files/{file}", None, SEEN),
    row("DELETE", "/api/campaigns/{id}", "/api/campaigns/{new_campaign}", None, [401, 404, 403, 403, 200, 200]),
    // Costs.
    row("GET", "/api/cost-thresholds", "/api/cost-thresholds?account={account}", None, MANAGED),
    row(
        "PUT",
        "/api/cost-thresholds",
        "/api/cost-thresholds",
        Some(r#"{"account": "{account}", "threshold_name": "daily_spend_limit", "is_active": true}"#),
        [401, 404, 403, 403, 200, 200],
    ),
    row(
        "DELETE",
        "/api/cost-thresholds/{id}",
        "/api/cost-thresholds/{new_threshold}",
        None,
        [401, 404, 404, 404, 204, 204],
    ),
    row("GET", "/api/cost-alerts", "/api/cost-alerts?account={account}", None, SEEN),
    row("GET", "/api/costs/summary", "/api/costs/summary?account={account}", None, SEEN),
    row("GET", "/api/webhooks/cost-alert/status", "/api/webhooks/cost-alert/status?account={account}", None, SEEN),
    // Once it is resolved it is so for all.
    row(
        "POST",
        "/api/webhooks/cost-alert/resolve/{id}",
        "/api/webhooks/cost-alert/resolve/{alert}",
        Some("{}"),
        [401, 404, 403, 200, 404, 404],
    ),
    row(
        "GET",
        "/api/webhooks/campaign-lifecycle/events/{id}",
        "/api/webhooks/campaign-lifecycle/events/{campaign}",
        None,
        OWN,
    ),
];
