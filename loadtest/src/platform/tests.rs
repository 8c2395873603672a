//! The simulator asked over HTTP, as the hub asks it.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::{Behaviour, Failure, Lead, Settings, Simulator, meta};

const SOON: Duration = Duration::from_secs(5);

fn simulator() -> Simulator {
    Simulator::start(Settings::default()).unwrap()
}

async fn ask(simulator: &Simulator, id: u64, token: &str, query: &str) -> (StatusCode, String) {
    let url = format!("{}/v26.0/{id}?{query}", simulator.url());
    let answer = Client::new().get(url).bearer_auth(token).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

async fn error_of(simulator: &Simulator, id: u64, token: &str) -> (u64, u64, u16) {
    let (status, body) = ask(simulator, id, token, "").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    let number = |key: &str| body["error"][key].as_u64().unwrap_or_default();
    (number("code"), number("error_subcode"), status.as_u16())
}

#[tokio::test]
async fn a_lead_is_answered_as_on_the_wire_with_usage_headers() {
    let simulator = simulator();
    let page = simulator.add_page(1001, "EAAB1");
    page.set_usage(28);
    let id = page.add_lead(Lead::person(1_425_113_354, "Zoë Ångström", "zoe@example.com", "+1619"));
    let url = format!("{}/v26.0/{id}?access_token=EAAB1&fields=id,created_time,field_data", simulator.url());
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.headers()["facebook-api-version"], "v26.0");
    let usage: Value = serde_json::from_str(answer.headers()["x-app-usage"].to_str().unwrap()).unwrap();
    assert_eq!(usage["call_count"], 28);
    let usage = answer.headers()["x-business-use-case-usage"].to_str().unwrap();
    let usage: Value = serde_json::from_str(usage).unwrap();
    assert_eq!(usage["1001"][0]["type"], "leadgen");
    let text = answer.text().await.unwrap();
    assert!(text.contains(r"Zo\u00eb \u00c5ngstr\u00f6m") && text.contains(r"zoe\u0040example.com"), "{text}");
    let lead: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(lead["created_time"], "2015-02-28T08:49:14+0000");
    assert_eq!(lead["id"], id.to_string());
    assert!(lead.get("form_id").is_none(), "not asked for");
    assert_eq!((page.calls(), page.answered(), simulator.calls_for(id)), (1, 1, 1));
}

#[tokio::test]
async fn every_failure_has_its_documented_code() {
    let simulator = simulator();
    let page = simulator.add_page(1001, "EAAB1");
    let id = page.add_lead(Lead::generated(1, 0));
    for (failure, expected) in [
        (Failure::Unknown, (1, 0, 500)),
        (Failure::Unavailable, (2, 0, 500)),
        (Failure::AppLimit, (4, 0, 400)),
        (Failure::UserLimit, (17, 2_446_079, 400)),
        (Failure::PageLimit, (32, 0, 400)),
        (Failure::CustomLimit, (613, 1996, 400)),
        (Failure::LeadgenLimit { regain_minutes: 3 }, (80005, 0, 400)),
        (Failure::NotFound, (100, 33, 400)),
        (Failure::BadParameter, (100, 0, 400)),
        (Failure::Permission, (10, 0, 400)),
        (Failure::TokenExpired, (190, 463, 400)),
        (Failure::TokenRevoked, (190, 460, 400)),
        (Failure::Blocked, (368, 0, 400)),
    ] {
        page.behave_for(id, Behaviour::fails(failure));
        assert_eq!(error_of(&simulator, id, "EAAB1").await, expected, "{failure:?}");
    }
}

#[tokio::test]
async fn a_spent_budget_says_in_minutes_when_there_is_some_again() {
    let simulator = simulator();
    let page = simulator.add_page(1001, "EAAB1");
    page.behave(Behaviour::fails(Failure::LeadgenLimit { regain_minutes: 7 }));
    let answer = Client::new().get(format!("{}/v26.0/5", simulator.url())).bearer_auth("EAAB1").send().await.unwrap();
    let usage = answer.headers()["x-business-use-case-usage"].to_str().unwrap();
    let usage: Value = serde_json::from_str(usage).unwrap();
    assert_eq!(usage["1001"][0]["estimated_time_to_regain_access"], 7);
    assert_eq!(usage["1001"][0]["call_count"], 100);
}

#[tokio::test]
async fn a_lead_fails_as_often_as_told_and_then_succeeds() {
    let simulator = simulator();
    let page = simulator.add_page(1001, "EAAB1");
    let id = page.add_lead(Lead::generated(1, 0));
    page.behave_for(id, Behaviour::fails_times(2, Failure::Unavailable).then_fails_times(1, Failure::PageLimit));
    for expected in [2, 2, 32] {
        assert_eq!(error_of(&simulator, id, "EAAB1").await.0, expected);
    }
    assert_eq!(ask(&simulator, id, "EAAB1", "").await.0, StatusCode::OK);
    assert_eq!(simulator.calls_for(id), 4);
}

#[tokio::test]
async fn a_token_opens_its_own_page_only_and_until_it_runs_out() {
    let simulator = simulator();
    let page = simulator.add_page(1001, "EAAB1");
    let other = simulator.add_page(1002, "EAAB2");
    let id = page.add_lead(Lead::generated(1, 0));
    assert_eq!(error_of(&simulator, id, "EAAB2").await, (100, 33, 400));
    assert_eq!(error_of(&simulator, 12345, "EAAB1").await, (100, 33, 400));
    assert_eq!(error_of(&simulator, id, "nonsense").await.0, 190);
    page.expire_token();
    assert_eq!(error_of(&simulator, id, "EAAB1").await, (190, 463, 400));
    page.set_token("EAAB3");
    assert_eq!(error_of(&simulator, id, "EAAB1").await, (190, 463, 400));
    assert_eq!(ask(&simulator, id, "EAAB3", "").await.0, StatusCode::OK);
    assert_eq!((page.calls(), other.calls()), (4, 1));
}

#[tokio::test]
async fn a_revoked_token_fails_for_good_and_a_new_one_opens_the_page_again() {
    let simulator = simulator();
    let page = simulator.add_page(1001, "EAAB1");
    let id = page.add_lead(Lead::generated(1, 0));
    page.revoke_token();
    assert_eq!(error_of(&simulator, id, "EAAB1").await, (190, 460, 400));
    page.set_token("EAAB2");
    assert_eq!(error_of(&simulator, id, "EAAB1").await, (190, 460, 400));
    assert_eq!(ask(&simulator, id, "EAAB2", "").await.0, StatusCode::OK);
    page.set_token("EAAB1");
    assert_eq!(ask(&simulator, id, "EAAB1", "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_share_of_a_pages_calls_fails_until_it_is_told_otherwise() {
    let simulator = simulator();
    let page = simulator.add_page(1001, "EAAB1");
    let id = page.add_lead(Lead::generated(1, 0));
    page.behave(Behaviour::fails_share(3, 10, Failure::Unavailable));
    let mut failed = Vec::new();
    for number in 0..20 {
        if ask(&simulator, id, "EAAB1", "").await.0 != StatusCode::OK {
            failed.push(number);
        }
    }
    assert_eq!(failed, [3, 6, 9, 13, 16, 19], "three of ten, spread");
    page.behave(Behaviour::answers());
    assert_eq!(ask(&simulator, id, "EAAB1", "").await.0, StatusCode::OK);
    for (part, of, fails) in [(0, 10, false), (0, 0, false), (1, 1, true), (7, 3, true)] {
        page.behave(Behaviour::fails_share(part, of, Failure::Unknown));
        assert_eq!(ask(&simulator, id, "EAAB1", "").await.0 != StatusCode::OK, fails, "{part} of {of}");
    }
}

#[tokio::test]
async fn calls_get_slower_while_it_runs_unless_a_behaviour_says_how_long_they_take() {
    let simulator = simulator();
    let page = simulator.add_page(1001, "EAAB1");
    let [slow, fast] = [1, 2].map(|seed| page.add_lead(Lead::generated(seed, 0)));
    page.behave_for(fast, Behaviour::answers().latency(Duration::ZERO));
    simulator.set_latency(Duration::from_mins(10));
    let waiting = tokio::time::timeout(Duration::from_millis(100), ask(&simulator, slow, "EAAB1", ""));
    assert!(waiting.await.is_err(), "it was answered at once");
    assert_eq!(ask(&simulator, fast, "EAAB1", "").await.0, StatusCode::OK);
    simulator.set_latency(Duration::ZERO);
    assert_eq!(ask(&simulator, slow, "EAAB1", "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_page_with_a_secret_wants_the_proof() {
    let simulator = simulator();
    let page = simulator.add_page(1001, "EAAB_token");
    page.require_proof("app_secret_123");
    let id = page.add_lead(Lead::generated(1, 0));
    assert_eq!(ask(&simulator, id, "EAAB_token", "").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(ask(&simulator, id, "EAAB_token", "appsecret_proof=00").await.0, StatusCode::BAD_REQUEST);
    let query = format!("appsecret_proof={}", meta::proof("EAAB_token", "app_secret_123"));
    assert_eq!(ask(&simulator, id, "EAAB_token", &query).await.0, StatusCode::OK);
}

#[tokio::test]
async fn generated_leads_are_there_for_the_ids_of_their_range() {
    let simulator = simulator();
    let page = simulator.add_page(1001, "EAAB1");
    page.generate_leads(5_000..=5_999, |id| Lead::generated(id, 7));
    let (_, first) = ask(&simulator, 5_000, "EAAB1", "").await;
    assert_eq!(ask(&simulator, 5_000, "EAAB1", "").await.1, first, "the same again");
    assert_eq!(error_of(&simulator, 6_000, "EAAB1").await.0, 100);
    assert_eq!(page.change_for(5_999).unwrap().leadgen_id, 5_999);
    assert!(page.change_for(6_000).is_none());
}

#[tokio::test]
async fn a_network_fails_in_its_own_ways() {
    let simulator = simulator();
    let page = simulator.add_page(1001, "EAAB1");
    let id = page.add_lead(Lead::generated(1, 0));
    let client = Client::builder().timeout(Duration::from_millis(200)).build().unwrap();
    let call = || client.get(format!("{}/v26.0/{id}", simulator.url())).bearer_auth("EAAB1").send();

    page.behave_for(id, Behaviour::fails(Failure::NotJson { status: 502 }));
    let answer = call().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert!(answer.text().await.unwrap().starts_with("<!DOCTYPE html>"));

    page.behave_for(id, Behaviour::fails(Failure::Truncated));
    assert!(call().await.unwrap().json::<Value>().await.unwrap_err().is_decode());

    page.behave_for(id, Behaviour::fails(Failure::Close));
    let error = call().await.unwrap_err();
    assert!(!error.is_timeout(), "{error:?}");

    page.behave_for(id, Behaviour::fails(Failure::Hang));
    assert!(call().await.unwrap_err().is_timeout());
}

#[tokio::test]
async fn calls_can_be_waited_for() {
    let simulator = simulator();
    let page = simulator.add_page(1001, "EAAB1");
    let id = page.add_lead(Lead::generated(1, 0));
    let (_, waited) = tokio::join!(ask(&simulator, id, "EAAB1", ""), simulator.wait_for_calls(id, 1, SOON));
    assert!(waited);
    assert!(!simulator.wait_for_calls(id, 2, Duration::from_millis(10)).await);
}

#[tokio::test]
async fn another_path_is_unknown() {
    let simulator = simulator();
    let answer = reqwest::get(format!("{}/nonsense", simulator.url())).await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], 2500);
}
