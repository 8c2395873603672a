//! Every shape of body: whose it is, what tells one from another, and what is answered.

use serde_json::{Value, json};

use super::{Answer, HandshakeError, Kept, Post, Proof, Prospecting, Provider};
use crate::domain::{
    AccountId, AgencyId, SourceId, clock,
    directory::{Directory, Source},
    event::{EventKind, Fate, NewEvent, Scope, SourceKind},
};

const LEAD: &str = include_str!("samples/lead_insert.json");
const STATUS: &str = include_str!("samples/lead_status.json");
const NESTED: &str = include_str!("samples/lead_nested.json");
const ALERT: &str = include_str!("samples/alert_daily.json");
const NESTED_ALERT: &str = include_str!("samples/alert_nested.json");
const CAMPAIGN: &str = include_str!("samples/campaign_completed.json");
const NESTED_CAMPAIGN: &str = include_str!("samples/campaign_nested.json");
const PROGRESS: &str = include_str!("samples/campaign_progress.json");
const OWN_LEAD: &str = include_str!("samples/own_lead.json");
const OWN_COST: &str = include_str!("samples/own_cost.json");
const ROW_LEAD: &str = include_str!("samples/row_lead.json");
const ROW_CAMPAIGN: &str = include_str!("samples/row_campaign.json");
const ROW_COST: &str = include_str!("samples/row_cost.json");

const LEADS: &str = "/api/webhooks/lead-enrichment";
const COSTS: &str = "/api/webhooks/cost-alert";
const CAMPAIGNS: &str = "/api/webhooks/campaign-lifecycle";
const OWN: &str = "/webhook/prospecting/src_1";

/// The one that the samples of the hub's own name.
const ACCOUNT: &str = "acc_00000000000000000000000001";

fn source(account: AccountId) -> Source {
    Source {
        id: SourceId::derive(&[&account.to_bytes()]),
        agency: AgencyId::derive(&[&account.to_bytes()]),
        account,
        kind: SourceKind::Prospecting,
        external_id: account.to_string(),
        name: String::new(),
        token: "".into(),
        app_secrets: vec!["token".into()],
        verify_token: None,
        enabled: true,
        api_url: None,
    }
}

fn first() -> Source {
    source(ACCOUNT.parse().unwrap())
}

fn second() -> Source {
    source(AccountId::derive(&[b"second"]))
}

fn directory(sources: impl IntoIterator<Item = Source>) -> Directory {
    let sources = sources.into_iter().map(|source| (source.id, source)).collect();
    Directory { sources, ..Directory::default() }.indexed()
}

fn split(body: &str, directory: &Directory, of: Option<&Source>) -> NewEvent {
    let scope = of.map_or(Scope::Hub, |source| Scope::Agency(source.agency));
    let mut events = Prospecting.split(body.as_bytes(), directory, scope, of);
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

/// Of a source's own token.
fn one(body: &str) -> NewEvent {
    split(body, &directory([first(), second()]), Some(&first()))
}

fn work(source: &Source) -> Fate {
    Fate::Work { account: source.account, source: source.id }
}

#[test]
fn every_shape_is_work_for_the_account_whose_token_came() {
    for (body, kind) in [
        (LEAD, EventKind::Prospect),
        (STATUS, EventKind::Prospect),
        (NESTED, EventKind::Prospect),
        (OWN_LEAD, EventKind::Prospect),
        (ROW_LEAD, EventKind::Prospect),
        (CAMPAIGN, EventKind::Campaign),
        (NESTED_CAMPAIGN, EventKind::Campaign),
        (PROGRESS, EventKind::Campaign),
        (ROW_CAMPAIGN, EventKind::Campaign),
        (OWN_COST, EventKind::Cost),
        (ROW_COST, EventKind::Cost),
    ] {
        let event = one(body);
        assert_eq!((event.kind, &event.fate, event.item.as_str()), (kind, &work(&first()), body));
        assert_eq!(event.external_id, ACCOUNT);
        assert_eq!(one(body), event, "a redelivery is the same");
        let other = split(body, &directory([first(), second()]), Some(&second()));
        assert_eq!(other.fate, work(&second()), "the token counts, whatever account the payload names");
    }
    assert_eq!(one(OWN_LEAD).platform_id, "evt_00123456789ABCDEF012345678");
}

#[test]
fn alerts_of_others_are_work() {
    for body in [ALERT, NESTED_ALERT] {
        let event = one(body);
        assert_eq!((event.kind, event.fate), (EventKind::Cost, work(&first())));
    }
}

#[test]
fn with_the_hubs_token_the_payload_names_the_account() {
    let both = directory([first(), second()]);
    assert_eq!(split(OWN_LEAD, &both, None).fate, work(&first()));
    let row = ROW_COST.replace("\"id\": 9", &format!("\"id\": 9, \"account_id\": \"{}\"", second().account));
    assert_eq!(split(&row, &both, None).fate, work(&second()));
    let stranger = AccountId::derive(&[b"stranger"]).to_string();
    let event = split(&OWN_LEAD.replace(ACCOUNT, &stranger), &both, None);
    assert_eq!((event.fate, event.external_id), (Fate::Unrouted { scope: Scope::Hub }, stranger));
}

#[test]
fn who_names_no_account_is_the_only_database_there_is() {
    let one = split(LEAD, &directory([second()]), None);
    assert_eq!((one.fate, one.external_id), (work(&second()), second().account.to_string()));
    let none = split(LEAD, &directory([]), None);
    assert_eq!((&none.fate, none.external_id.as_str()), (&Fate::Unrouted { scope: Scope::Hub }, ""));
    let found = directory([first()]).route(SourceKind::Prospecting, "", Scope::Hub).map(|source| source.id);
    assert_eq!(found, Some(first().id), "the first that is added gets it");
    let several = split(LEAD, &directory([first(), second()]), None);
    assert_eq!(several.fate, Fate::Unrouted { scope: Scope::Hub });
    let left = directory([first()]);
    assert!(left.route(SourceKind::Prospecting, &several.external_id, Scope::Hub).is_none(), "it may not be theirs");
    assert!(directory([first(), second()]).route(SourceKind::Prospecting, "", Scope::Hub).is_none());
}

#[test]
fn two_changes_are_two_events_and_two_spellings_of_one_are_one() {
    for (body, part, other) in [
        (LEAD, "\"lead_id\": 1", "\"lead_id\": 2"),
        (LEAD, "21:52:20.990702+00:00\", \"trigger_event", "21:52:20.990703+00:00\", \"trigger_event"),
        // One transaction has one time.
        (STATUS, "\"new_status\": \"qualified\"", "\"new_status\": \"enriched\""),
        (NESTED, "stage1", "stage2"),
        (CAMPAIGN, "\"lifecycle_event\": \"completed\"", "\"lifecycle_event\": \"created\""),
        (PROGRESS, "\"processed_leads\": 40", "\"processed_leads\": 41"),
        (NESTED_CAMPAIGN, "\"qualified_leads\":34", "\"qualified_leads\":35"),
        (ALERT, "daily_spend_limit", "anomaly_spike"),
        (ALERT, "21:52:35", "21:52:36"),
        (NESTED_ALERT, "15:30:00", "16:30:00"),
        (ROW_LEAD, "\"confidence_score\": 81", "\"confidence_score\": 82"),
        (ROW_LEAD, "UPDATE", "INSERT"),
        (ROW_COST, "\"id\": 9", "\"id\": 10"),
        (OWN_COST, "345679", "345670"),
    ] {
        assert!(body.contains(part), "{part}");
        assert_ne!(one(body).id, one(&body.replace(part, other)).id, "{part}");
    }
    for body in [LEAD, STATUS, ALERT, CAMPAIGN, PROGRESS, NESTED_CAMPAIGN, ROW_LEAD, ROW_COST, OWN_LEAD] {
        let rewritten = serde_json::from_str::<Value>(body).unwrap().to_string();
        assert_ne!(rewritten, body);
        assert_eq!(one(&rewritten).id, one(body).id, "{body}");
    }
}

#[test]
fn the_hubs_own_word_of_anothers_rows_is_kept_and_not_told_again() {
    for told in [STATUS, CAMPAIGN] {
        let own = told.replacen('{', &format!(r#"{{"event_id":"{}","account_id":"{ACCOUNT}","#, one(LEAD).id), 1);
        assert_eq!(one(&own).fate, work(&first()));
        let echo = own.replacen('{', r#"{"external_id":"7","#, 1);
        assert_eq!(one(&echo).fate, Fate::Record { owner: Some((first().account, first().id)) });
        let of_another_hub = split(&echo, &directory([second()]), Some(&second()));
        assert_eq!(of_another_hub.fate, work(&second()), "it is news here");
    }
}

#[test]
fn what_is_not_understood_is_on_record() {
    let deleted = ROW_LEAD.replace("\"record\": {", "\"record\": null, \"x\": {").replace("UPDATE", "DELETE");
    for (body, kind) in [
        ("", EventKind::Unreadable),
        ("[]", EventKind::Unreadable),
        ("{\"lead_id\":1,\"lead_id\":2}", EventKind::Unreadable),
        ("{\"lead_data\":{}}", EventKind::Unreadable),
        ("{}", EventKind::Other),
        ("{\"type\":\"INSERT\",\"table\":\"users\",\"record\":{\"id\":1},\"old_record\":null}", EventKind::Other),
        (
            &CAMPAIGN.replace("\"lifecycle_event\": \"completed\"", "\"lifecycle_event\": \"danced\""),
            EventKind::Campaign,
        ),
        (&deleted, EventKind::Prospect),
    ] {
        let event = one(body);
        assert_eq!(event.kind, kind, "{body}");
        assert!(matches!(event.fate, Fate::Record { owner: Some(_) }), "{body}");
    }
}

fn said(answer: &Answer) -> (u16, Value) {
    assert!(answer.is_json);
    let mut body: Value = serde_json::from_str(&answer.body).unwrap();
    for key in ["timestamp", "processed_at"] {
        if body.get(key).is_some() {
            assert_eq!(body[key], "1970-01-01T00:00:00.000Z");
            body.as_object_mut().unwrap().remove(key);
        }
    }
    (answer.status, body)
}

fn answered(path: &str, body: &str) -> Value {
    let post = Post { path, header: &|name| (name == "x-alert-id").then_some(b"3".as_slice()), body: body.as_bytes() };
    assert_eq!(Prospecting.objection(post), None, "{path} {body}");
    let (status, body) = said(&Prospecting.accepted(post, Kept { at: clock::from_micros(0), took_ms: 7 }));
    assert_eq!(status, 200);
    body
}

#[test]
fn what_is_kept_is_answered_as_the_origin_does() {
    let accepted = |id: Value, name: &str| {
        json!({"status": "accepted", "lead_id": id, "business_name": name, "message": "Lead enrichment started",
               "processing_time_ms": 7})
    };
    for path in [LEADS, "/api/webhooks/lead-enrichment/lead-enrichment", OWN] {
        assert_eq!(answered(path, LEAD), accepted(json!(1), "Harbor Grill"));
        assert_eq!(answered(path, STATUS), accepted(json!(1), "Harbor Grill"));
        assert_eq!(answered(path, NESTED), accepted(json!(123), "Example Business"));
        assert_eq!(answered(path, OWN_LEAD), accepted(json!("lead_1"), "Harbor Grill"));
        let uuid = json!("8f1c2d3e-0000-4000-8000-000000000001");
        assert_eq!(answered(path, ROW_LEAD), accepted(uuid, "Harbor Grill"));
    }
    for path in [COSTS, "/api/webhooks/cost-alert/cost-alert", OWN] {
        assert_eq!(
            answered(path, ALERT),
            json!({"status": "received", "alert_id": "3", "alert_type": "daily_spend_threshold",
                   "threshold_name": "daily_spend_limit", "message": "Cost alert processed", "processing_time_ms": 7})
        );
        assert_eq!(answered(path, ROW_COST)["status"], "received");
    }
    assert_eq!(answered(COSTS, "{}")["alert_type"], Value::Null);
    for path in [CAMPAIGNS, OWN] {
        assert_eq!(
            answered(path, NESTED_CAMPAIGN),
            json!({"success": true, "campaign_id": 456, "lifecycle_event": "completed",
                   "result": {"status": "processed", "action": "campaign_completed", "campaign_id": 456,
                              "qualified_leads": 34, "export_attempted": true}})
        );
        assert_eq!(answered(path, PROGRESS)["result"]["current_progress"], 50.0);
        assert_eq!(answered(path, ROW_CAMPAIGN)["result"]["processing_initiated"], true);
        let danced = answered(path, r#"{"campaign_id":1,"lifecycle_event":"danced"}"#);
        assert_eq!(danced["result"]["reason"], "Unknown lifecycle event");
        for (event, action) in [
            ("processing_started", "processing_started_logged"),
            ("error", "error_logged"),
            ("cancelled", "cancellation_logged"),
        ] {
            let body = json!({"campaign_id": 1, "lifecycle_event": event}).to_string();
            assert_eq!(answered(path, &body)["result"]["action"], action);
        }
    }
}

fn refused(path: &str, body: &str) -> (u16, Value) {
    let post = Post { path, header: &|_| None, body: body.as_bytes() };
    said(&Prospecting.objection(post).expect(body))
}

#[test]
fn what_lacks_what_its_address_demands_is_refused_in_the_origins_words() {
    let fields = json!({"error": "Invalid payload", "message": "Missing required fields: lead_id, business_name, location",
                        "required": ["lead_id", "business_name", "location"]});
    let lead = |change: &dyn Fn(&mut Value)| {
        let mut body: Value = serde_json::from_str(LEAD).unwrap();
        change(&mut body);
        body.to_string()
    };
    for body in ["", "[]", "{}", CAMPAIGN] {
        assert_eq!(refused(LEADS, body), (400, fields.clone()), "{body}");
    }
    for (key, value) in [
        ("lead_id", json!(null)),
        ("lead_id", json!(0)),
        ("business_name", json!("")),
        ("business_name", json!(null)),
        ("location", json!(null)),
    ] {
        for path in [LEADS, OWN] {
            let body = lead(&|body| body[key] = value.clone());
            // Without its id it is no lead.
            if path != OWN || key != "lead_id" || !value.is_null() {
                assert_eq!(refused(path, &body), (400, fields.clone()), "{path} {body}");
            }
        }
    }
    let metadata = json!({"error": "Invalid payload", "message": "Missing webhook metadata",
                          "required": ["webhook_metadata.trigger_event", "webhook_metadata.trigger_time"]});
    for key in ["trigger_event", "trigger_time"] {
        assert_eq!(refused(LEADS, &lead(&|body| body["webhook_metadata"][key] = "".into())), (400, metadata.clone()));
    }
    assert_eq!(refused(LEADS, &lead(&|body| body["webhook_metadata"] = Value::Null)), (400, metadata));
    let campaign = json!({"error": "Missing required fields: campaign_id, lifecycle_event"});
    for body in ["", "{}", LEAD, r#"{"campaign_id":1}"#, r#"{"lifecycle_event":"created"}"#] {
        assert_eq!(refused(CAMPAIGNS, body), (400, campaign.clone()), "{body}");
    }
    assert_eq!(refused(LEADS, &STATUS.replace("\"new_status\": \"qualified\"", "\"new_status\": \"\"")).0, 400);
}

#[test]
fn without_a_token_nothing_opens_and_the_refusal_has_the_origins_shape() {
    let shown = |name: &'static str, value: &'static str| {
        let proof = Prospecting.proof(&move |asked: &str| (asked == name).then_some(value.as_bytes()));
        matches!(proof, Some(Proof::Secret(b"token")))
    };
    assert!(shown("authorization", "Bearer token"));
    assert!(!shown("authorization", "Bearer tokens") && !shown("x-token", "Bearer token"));
    assert!(Prospecting.proof(&|_| Some(b"Bearer ")).is_none());
    assert_eq!(Prospecting.handshake("hub.challenge=1", &"".into()), Err(HandshakeError::Token));
    let words = json!({"error": "Unauthorized", "message": "Invalid webhook authentication token"});
    for path in [LEADS, COSTS, OWN] {
        assert_eq!(said(&Prospecting.bad_signature(path)), (401, words.clone()));
    }
    assert_eq!(said(&Prospecting.bad_signature(CAMPAIGNS)), (401, json!({"error": "Unauthorized"})));
    assert_eq!([LEADS, COSTS, CAMPAIGNS].map(|path| Prospecting.largest(path)), [Some(10 << 20), Some(1 << 20), None]);
}
