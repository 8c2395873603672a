//! Pages: which of them a cookie counts from, behind which proxy, and what those are told that it does not count from.

use super::*;

/// Where people reach the hub.
const PUBLIC: &str = "https://leads.example";

struct Desk {
    house: House,
    cookie: String,
}

impl Desk {
    async fn open(change: impl FnOnce(Setup) -> Setup) -> Self {
        let house = House::open_with(|setup| change(setup.set("realtime.auth_timeout", "1s"))).await;
        let roles = [(house.account.as_str(), "agent")];
        let user = house.hub.add_user(&house.agency, "ada@harbor.example", "Ada", &roles).await.unwrap();
        let cookie = house.hub.issue_token(&user).await.unwrap();
        let me = house.hub.url("/api/me");
        until(async || house.hub.http().get(&me).bearer_auth(&cookie).send().await.unwrap().status() == 200).await;
        Self { house, cookie }
    }

    /// A WebSocket whose request has these lines, in the form that a proxy passes them on.
    async fn socket(&self, lines: &[(&str, &str)]) -> Raw {
        let mut head = format!("Cookie: leadwire_session={0}; __Host-leadwire_session={0}\r\n", self.cookie);
        for (name, value) in lines {
            head.extend([*name, ": ", *value, "\r\n"]);
        }
        Raw::open_with(&self.house.hub, "/ws", &head, b"").await.0
    }

    async fn events(&self, headers: &[(&str, &str)]) -> reqwest::Response {
        let request = self.house.hub.http().get(self.house.hub.url("/events"));
        let request = request.header("cookie", format!("leadwire_session={}", self.cookie));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.unwrap()
    }
}

#[tokio::test]
async fn behind_a_proxy_that_passes_no_host_on_a_page_of_the_public_address_is_the_hubs_own() {
    let desk = Desk::open(|setup| setup.set("server.public_url", PUBLIC)).await;
    desk.socket(&[("Origin", PUBLIC)]).await.json_of("welcome").await;
    let mut stranger = desk.socket(&[("Origin", "https://evil.example")]).await;
    assert_eq!(stranger.code().await, 4003);
}

#[tokio::test]
async fn the_host_that_a_trusted_proxy_names_is_the_one_that_was_asked_and_nobody_elses_word_is_taken() {
    let page = [("Origin", PUBLIC), ("X-Forwarded-Host", "leads.example")];
    let desk = Desk::open(|setup| setup.set("server.trusted_proxies", json!(["127.0.0.1/32"]))).await;
    desk.socket(&page).await.json_of("welcome").await;
    let desk = Desk::open(|setup| setup).await;
    assert_eq!(desk.socket(&page).await.code().await, 4003);
}

#[tokio::test]
async fn a_page_that_is_refused_finds_a_line_in_the_log_that_says_what_to_set() {
    let desk = Desk::open(|setup| setup).await;
    for _ in 0..3 {
        desk.socket(&[("Origin", PUBLIC)]).await.code().await;
    }
    let log = desk.house.hub.log_tail(200);
    let lines: Vec<_> = log.lines().filter(|line| line.contains("server.public_url")).collect();
    assert_eq!(lines.len(), 1, "one a minute: {log}");
    for said in [PUBLIC, &desk.house.hub.address().to_string(), "server.allowed_origins", "proxy_set_header Host"] {
        assert!(lines[0].contains(said), "{said}: {}", lines[0]);
    }
    assert!(!log.contains(&desk.cookie));
}

#[tokio::test]
async fn a_page_of_the_hub_reads_events_by_cookie_over_plain_http_and_another_sites_page_does_not() {
    let desk = Desk::open(|setup| setup).await;
    let own = desk.events(&[]).await;
    assert_eq!(own.status(), 200, "browsers send neither Origin nor Sec-Fetch-Site there");
    assert!(own.headers().get("access-control-allow-origin").is_none(), "no other page may read it");
    assert_eq!(own.headers()["cross-origin-resource-policy"], "same-origin");
    assert_eq!(own.headers()["x-content-type-options"], "nosniff");
    for foreign in
        [("origin", "https://evil.example"), ("sec-fetch-site", "same-site"), ("sec-fetch-site", "cross-site")]
    {
        let refused = desk.events(&[foreign]).await;
        assert_eq!(refused.status(), 403, "{foreign:?}");
        let problem: Value = refused.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains("another origin"), "{problem}");
    }
}
