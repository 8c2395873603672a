//! The client against a platform that answers one call with given bytes.

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;

use super::{
    super::one_call::{http, platform},
    *,
};

const LEAD: &str = r#"{"id":"321321321","created_time":"2015-02-28T08:49:14+0000","field_data":[]}"#;

fn settings(url: &str) -> GraphSettings {
    GraphSettings {
        url: url.parse().unwrap(),
        version: "v26.0".to_owned(),
        lead_fields: "id,field_data".to_owned(),
        timeout: Duration::from_secs(20),
        max_response: 4096,
    }
}

async fn ask(answer: Option<Vec<u8>>) -> (Result<Fetched, GraphError>, String) {
    let (address, told) = platform(answer).await;
    let client = GraphClient::new(settings(&address)).unwrap();
    let answer = client.lead(&"EAAB_token".into(), Some(&"app_secret_123".into()), "321321321").await;
    (answer, told.await.unwrap())
}

async fn failure(answer: Vec<u8>) -> GraphError {
    ask(Some(answer)).await.0.unwrap_err()
}

#[tokio::test]
async fn a_lead_is_fetched_with_the_token_in_a_header_and_its_proof_in_the_query() {
    let usage = "x-app-usage: {\"call_count\":28}\r\n";
    let (answer, head) = ask(Some(http("200 OK", usage, LEAD))).await;
    let fetched = answer.unwrap();
    assert_eq!(fetched.object["created_time"], "2015-02-28T08:49:14+0000");
    assert_eq!(fetched.usage, Usage { percent: 28, regain: None });
    let line = head.lines().next().unwrap();
    let proof = "7ac11bd217eedca6f0f7d03f8bdd3acff38646d0170d59627fdd6942047df1ca";
    assert_eq!(line, format!("GET /v26.0/321321321?fields=id%2Cfield_data&appsecret_proof={proof} HTTP/1.1"));
    assert!(head.contains("authorization: Bearer EAAB_token\r\n"), "{head}");
    assert!(!line.contains("EAAB_token"));
}

#[tokio::test]
async fn without_an_app_secret_there_is_no_proof_and_a_path_of_the_url_stays() {
    let (address, told) = platform(Some(http("200 OK", "", LEAD))).await;
    let client = GraphClient::new(settings(&format!("{address}/graph/"))).unwrap();
    client.lead(&"t".into(), Some(&"".into()), "321321321").await.unwrap();
    let head = told.await.unwrap();
    assert!(head.starts_with("GET /graph/v26.0/321321321?fields=id%2Cfield_data HTTP/1.1\r\n"), "{head}");
}

#[tokio::test]
async fn an_error_body_counts_whatever_the_status_is() {
    let throttled = json!({"error": {"code": 80005, "message": "(#80005) There have been too many leadgen api calls"}});
    let header = "x-business-use-case-usage: {\"1\":[{\"call_count\":100,\"estimated_time_to_regain_access\":7}]}\r\n";
    for status in ["200 OK", "400 Bad Request", "500 Internal Server Error"] {
        let error = failure(http(status, header, &throttled.to_string())).await;
        let wait = Some(Duration::from_mins(7));
        assert_eq!(error.remedy, Remedy::Pause { scope: PauseScope::Page, wait }, "{status}");
        assert_eq!((error.code, error.usage.percent), (Some(80_005), 100));
    }
}

#[tokio::test]
async fn a_message_that_repeats_the_token_is_passed_on_without_it() {
    let body = json!({"error": {"code": 190, "message": "Malformed access token EAAB_token"}}).to_string();
    let error = failure(http("400 Bad Request", "", &body)).await;
    assert_eq!(error.to_string(), "Malformed access token […] (Graph error 190)");
}

#[tokio::test]
async fn an_answer_that_is_no_lead_is_asked_for_again() {
    let moved = "location: http://127.0.0.1:1/elsewhere\r\n";
    for answer in [
        http("200 OK", "", "<html>"),
        http("200 OK", "", ""),
        http("200 OK", "", "[]"),
        http("200 OK", "", &"[".repeat(2000)),
        http("200 OK", "", r#"{"id":"9"}"#),
        http("502 Bad Gateway", "", "<html>"),
        http("503 Service Unavailable", "", "{}"),
        http("404 Not Found", "", "{}"),
        http("302 Found", moved, ""),
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec(),
        b"HTTP/1.1 200 OK\r\n".to_vec(),
        b"\0\0\0\0\r\n\r\n".to_vec(),
        Vec::new(),
    ] {
        let error = failure(answer.clone()).await;
        assert_eq!((error.remedy, error.code), (Remedy::Retry, None), "{}", String::from_utf8_lossy(&answer));
        assert!(!error.message.contains("127.0.0.1"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_given_up_while_it_is_read() {
    let large = format!(r#"{{"id":"321321321","x":"{}"}}"#, "x".repeat(4096));
    assert_eq!(failure(http("200 OK", "", &large)).await.message, "the platform's answer is too large");
    let endless = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".iter().copied();
    let error = failure(endless.chain([b'x'; 5000]).collect()).await;
    assert_eq!(error.message, "the platform's answer is too large");
}

#[tokio::test]
async fn a_platform_that_does_not_answer_is_given_up() {
    let (address, told) = platform(None).await;
    let settings = GraphSettings { timeout: Duration::from_millis(300), ..settings(&address) };
    let answer = GraphClient::new(settings).unwrap().lead(&"t".into(), None, "1").await;
    let error = answer.unwrap_err();
    assert_eq!((error.remedy, error.message.as_str()), (Remedy::Retry, "the platform took too long to answer"));
    assert!(told.await.is_ok(), "it was asked");
}

#[tokio::test]
async fn a_platform_that_is_not_there_is_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = GraphClient::new(settings(&address)).unwrap().lead(&"t".into(), None, "1").await.unwrap_err();
    assert_eq!((error.remedy, error.message.as_str()), (Remedy::Retry, "the platform could not be reached"));
}

#[tokio::test]
async fn what_can_not_be_asked_is_not_asked() {
    let client = GraphClient::new(settings("http://127.0.0.1:1")).unwrap();
    for id in ["", "1/../me", "me", "1?x", "-1", "١", &"1".repeat(41)] {
        let error = client.lead(&"t".into(), None, id).await.unwrap_err();
        assert_eq!(error.remedy, Remedy::Park, "{id}");
    }
    for token in ["", " ", "a\nb", "a\0"] {
        let error = client.lead(&token.into(), None, "1").await.unwrap_err();
        assert_eq!(error.remedy, Remedy::ReplaceToken, "{token:?}");
    }
    for url in ["mailto:x@example.com", "ftp://127.0.0.1"] {
        assert!(matches!(GraphClient::new(settings(url)), Err(BuildError::Url)), "{url}");
    }
}
