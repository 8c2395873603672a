//! Socket.IO as the pages speak it that were written for another server: polling, its upgrade, and WebSocket alone.
//!
//! Every request comes on a connection of its own, and the hub has two workers: most come to another thread than the
//! session's.

use reqwest::{Method, RequestBuilder};

use super::{
    raw::{CLOSE, TEXT},
    *,
};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
pub(super) const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

/// A client that polls.
pub(super) struct Poller {
    pub(super) http: reqwest::Client,
    pub(super) base: String,
    packets: Vec<String>,
}

impl Poller {
    pub(super) async fn open(hub: &Hub) -> Self {
        Self::open_with(hub, |request| request).await
    }

    /// `head` adds what the handshake's head is to say.
    async fn open_with(hub: &Hub, head: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        let answer = head(http.get(hub.url(POLLING))).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/plain; charset=UTF-8");
        let open: Value = serde_json::from_str(answer.text().await.unwrap().strip_prefix('0').unwrap()).unwrap();
        assert_eq!((&open["upgrades"], &open["maxPayload"]), (&json!(["websocket"]), &json!(65_536)));
        let base = hub.url(&format!("{POLLING}&sid={}", open["sid"].as_str().unwrap()));
        Self { http, base, packets: Vec::new() }
    }

    /// Opens, asks to be let in with this, and returns the answer.
    pub(super) async fn connect(hub: &Hub, auth: &Value) -> (Self, String) {
        let mut poller = Self::open(hub).await;
        assert_eq!(poller.post(&format!("40{auth}")).await, (200, "ok".into()));
        let answer = poller.packet("4").await;
        (poller, answer)
    }

    async fn ask(&self, request: RequestBuilder) -> (u16, String) {
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn get(&self) -> (u16, String) {
        self.ask(self.http.get(&self.base).timeout(PATIENCE)).await
    }

    pub(super) async fn post(&self, body: &str) -> (u16, String) {
        self.ask(self.http.post(&self.base).body(body.to_owned())).await
    }

    /// The next packet that begins like this; pings are answered, others passed over.
    pub(super) async fn packet(&mut self, prefix: &str) -> String {
        loop {
            while !self.packets.is_empty() {
                let packet = self.packets.remove(0);
                if packet == "2" {
                    assert_eq!(self.post("3").await.0, 200);
                }
                if packet.starts_with(prefix) {
                    return packet;
                }
            }
            let (status, body) = self.get().await;
            assert_eq!(status, 200, "{body}");
            self.packets = body.split('\u{1e}').map(str::to_owned).collect();
        }
    }

    /// Subscribes as the pages do.
    pub(super) async fn join(&mut self) {
        assert_eq!(self.post(r#"42["join_dashboard"]"#).await.0, 200);
        let joined = self.packet(r#"42["joined_dashboard""#).await;
        assert_eq!(joined, r#"42["joined_dashboard",{"data":"You are now receiving live lead updates"}]"#);
    }

    fn upgrade_path(&self) -> String {
        format!("{WEBSOCKET}&sid={}", self.base.split_once("sid=").unwrap().1)
    }
}

/// A WebSocket, and the packets on it.
async fn raw(hub: &Hub, path: &str) -> Raw {
    let (raw, head) = Raw::open_with(hub, path, "", b"").await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    raw
}

impl Raw {
    pub(super) async fn packet(&mut self, prefix: &str) -> String {
        loop {
            let (first, payload) = self.frame().await.unwrap_or_else(|| panic!("it ended before {prefix}"));
            assert_eq!(first, TEXT, "before {prefix}");
            let packet = String::from_utf8(payload).unwrap();
            if packet.starts_with(prefix) {
                return packet;
            }
        }
    }
}

pub(super) fn two_workers(setup: Setup) -> Setup {
    setup.set("server.workers", 2)
}

#[tokio::test]
async fn a_page_that_only_polls_is_let_in_joins_and_sees_leads_with_harmless_names() {
    let house = House::open_with(two_workers).await;
    let (mut page, answer) = Poller::connect(&house.hub, &json!({"token": house.key})).await;
    assert!(answer.starts_with(r#"40{"sid":""#), "{answer}");
    assert_eq!(page.packets[0], r#"42["connection_response",{"data":"Connected to real-time lead server"}]"#);
    page.packet(r#"42["welcome",{"#).await;
    page.join().await;
    house.lead("<img src=x onerror='alert(1)'> & Co").await;
    let lead = page.packet(r#"42["new_lead","#).await;
    let lead: Value = serde_json::from_str(&lead[2..]).unwrap();
    assert_eq!(lead[1]["lead"]["name"], "&lt;img src=x onerror=&#39;alert(1)&#39;&gt; &amp; Co");
    assert_eq!(lead[1]["source"], "manual");
    // The rest of the hub's protocol, with acknowledgements; what it does not know is passed over or says so.
    let room = house.room();
    let asked = "42[\"dance\"]\u{1e}421[\"dance\"]\u{1e}422[\"unsubscribe\",{\"room\":\"dashboard\"}]".to_owned();
    assert_eq!(page.post(&asked).await.0, 200);
    assert!(page.packet("431").await.contains("unknown_type"));
    assert_eq!(page.packet("43").await, r#"432[{"ok":true}]"#);
    assert_eq!(page.post(&format!(r#"423["subscribe",{{"room":"{room}"}}]"#)).await.0, 200);
    assert_eq!(page.packet("43").await, r#"433[{"ok":true}]"#);
    assert_eq!(page.post("1").await.0, 200);
    house.until_sessions(0).await;
    assert_eq!(page.get().await.0, 400);
}

#[tokio::test]
async fn a_page_that_polls_goes_on_by_websocket_and_loses_nothing() {
    let house = House::open_with(two_workers).await;
    let (mut page, _) = Poller::connect(&house.hub, &json!({"token": house.key})).await;
    page.join().await;
    let mut socket = raw(&house.hub, &page.upgrade_path()).await;
    let waiting = tokio::spawn({
        let (http, base) = (page.http.clone(), page.base.clone());
        async move { http.get(base).send().await.unwrap().text().await.unwrap() }
    });
    socket.send(TEXT, b"2probe").await;
    assert_eq!(socket.packet("").await, "3probe");
    assert_eq!(waiting.await.unwrap(), "6", "its request must not wait on");
    house.lead("Between").await;
    socket.send(TEXT, b"5").await;
    assert!(socket.packet(r#"42["new_lead""#).await.contains("Between"));
    house.lead("After").await;
    assert!(socket.packet(r#"42["new_lead""#).await.contains("After"));
    assert_eq!((page.get().await.0, page.post("3").await.0), (400, 400), "it does not poll any more");
    raw(&house.hub, &page.upgrade_path()).await.control(CLOSE).await;
    socket.send(TEXT, br#"427["ack",{}]"#).await;
    assert_eq!(socket.packet("43").await, r#"437[{"ok":true}]"#, "another socket did not disturb it");
    socket.send(TEXT, b"1").await;
    assert_eq!(socket.code().await, 1000);
    house.until_sessions(0).await;
}

#[tokio::test]
async fn a_client_may_use_websocket_alone_and_go_on_polling_when_an_upgrade_fails() {
    let house = House::open_with(two_workers).await;
    let mut socket = raw(&house.hub, WEBSOCKET).await;
    assert!(socket.packet("0").await.contains(r#""upgrades":[]"#));
    socket.send(TEXT, format!(r#"40{{"token":"{}"}}"#, house.key).as_bytes()).await;
    socket.packet("40").await;
    socket.send(TEXT, br#"42["join_dashboard"]"#).await;
    socket.packet(r#"42["joined_dashboard""#).await;
    let (mut page, _) = Poller::connect(&house.hub, &json!({"token": house.key})).await;
    page.join().await;
    let mut failing = raw(&house.hub, &page.upgrade_path()).await;
    failing.send(TEXT, b"4hello").await;
    failing.ended().await;
    house.lead("Joe").await;
    assert!(socket.packet(r#"42["new_lead""#).await.contains("Joe"));
    assert!(page.packet(r#"42["new_lead""#).await.contains("Joe"));
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_and_end_no_session_but_their_own() {
    let house = House::open_with(two_workers).await;
    let (page, _) = Poller::connect(&house.hub, &json!({"token": house.key})).await;
    for (method, query) in [
        (Method::GET, "EIO=3&transport=polling"),
        (Method::GET, "transport=polling"),
        (Method::GET, "EIO=4"),
        (Method::GET, "EIO=4&transport=websocket"),
        (Method::POST, "EIO=4&transport=polling"),
        (Method::GET, "EIO=4&transport=polling&sid=nobody"),
        (Method::POST, "EIO=4&transport=polling&sid=nobody"),
    ] {
        let request = page.http.request(method.clone(), house.hub.url(&format!("/socket.io/?{query}")));
        assert_eq!(request.send().await.unwrap().status(), 400, "{method} {query}");
    }
    let (_, head) = Raw::open_with(&house.hub, &format!("{WEBSOCKET}&sid=nobody"), "", b"").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    assert_eq!(page.post(&"4".repeat(70_000)).await.0, 413);
    assert_eq!(page.post(r#"421["ack",{}]"#).await.0, 200, "it lives");
    assert_eq!(page.post("soup").await.0, 400);
    assert_eq!(page.get().await.0, 400, "that was its end");
    let (other, _) = Poller::connect(&house.hub, &json!({"token": house.key})).await;
    let packets = vec!["3"; 60].join("\u{1e}");
    assert_eq!(other.post(&packets).await.0, 400, "too many at once");
    house.until_sessions(0).await;
    assert_eq!(house.closed("protocol_error").await, 2);
}

#[tokio::test]
async fn who_has_no_good_token_is_told_so_and_who_is_silent_is_sent_away() {
    let house = House::open_with(|setup| two_workers(setup).set("realtime.auth_timeout", "1s")).await;
    for auth in [json!({}), json!({"token": "nonsense"}), json!({"token": 7})] {
        let (page, answer) = Poller::connect(&house.hub, &auth).await;
        assert_eq!(answer, r#"44{"message":"Not authorized"}"#, "{auth}");
        assert_eq!(page.post(r#"42["join_dashboard"]"#).await.0, 400, "{auth}");
    }
    let silent = Poller::open(&house.hub).await;
    house.until_sessions(0).await;
    assert_eq!(silent.get().await.0, 400);
    let (other, answer) = Poller::connect(&house.hub, &json!({"token": house.key})).await;
    assert!(answer.starts_with("40"));
    assert_eq!(other.post("40/admin,").await.0, 200);
    let mut other = other;
    assert_eq!(other.packet("44").await, r#"44/admin,{"message":"Invalid namespace"}"#);
}

#[tokio::test]
async fn a_header_or_a_cookie_of_the_hubs_own_page_lets_somebody_in() {
    let house = House::open_with(two_workers).await;
    let roles = [(house.account.as_str(), "agent")];
    let user = house.hub.add_user(&house.agency, "ada@harbor.example", "Ada", &roles).await.unwrap();
    let token = house.hub.issue_token(&user).await.unwrap();
    let leads = house.hub.url("/api/leads");
    until(async || house.hub.http().get(&leads).bearer_auth(&token).send().await.unwrap().status() == 200).await;
    let cookie = format!("leadwire_session={token}");
    let own = format!("http://{}", house.hub.address());
    for (name, value, origin, expected) in [
        ("authorization", format!("Bearer {token}"), "https://elsewhere.example", "40"),
        ("cookie", cookie.clone(), own.as_str(), "40"),
        ("cookie", cookie.clone(), "https://elsewhere.example", "44"),
    ] {
        let mut page =
            Poller::open_with(&house.hub, |request| request.header(name, &value).header("origin", origin)).await;
        assert_eq!(page.post("40").await.0, 200);
        let answer = page.packet("4").await;
        assert!(answer.starts_with(expected), "{name} from {origin}: {answer}");
    }
    // A browser that names the origin only with a POST: the cookie counts from there.
    let mut page = Poller::open(&house.hub).await;
    let asked = page.http.post(&page.base).header("cookie", &cookie).header("origin", &own).body("40");
    assert_eq!(page.ask(asked).await.0, 200);
    assert!(page.packet("4").await.starts_with("40"));
}

#[tokio::test]
async fn only_pages_of_allowed_origins_may_read_the_answers() {
    let house = House::open_with(|setup| setup.set("server.allowed_origins", json!(["https://dash.example"]))).await;
    let own = format!("http://{}", house.hub.address());
    for (origin, allowed) in [("https://dash.example", true), (&own, true), ("https://evil.example", false)] {
        for method in [Method::GET, Method::OPTIONS] {
            let request = house.hub.http().request(method.clone(), house.hub.url(POLLING)).header("origin", origin);
            let answer = request.send().await.unwrap();
            let headers = answer.headers();
            let echoed = headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap());
            assert_eq!(echoed, allowed.then_some(origin), "{method}");
            assert_eq!(headers.contains_key("access-control-allow-credentials"), allowed, "{method} {origin}");
            assert_eq!(answer.status(), if method == Method::GET { 200 } else { 204 });
        }
    }
}

#[tokio::test]
async fn a_client_that_stops_fetching_is_ended_when_too_much_waits_for_it() {
    let house = House::open_with(|setup| two_workers(setup).set("realtime.max_waiting", "256KiB")).await;
    let (mut page, _) = Poller::connect(&house.hub, &json!({"token": house.key})).await;
    page.join().await;
    let lead = house.lead("Joe").await;
    let notes = "n".repeat(60_000);
    for _ in 0..4 {
        house.notes(&lead, &notes).await;
    }
    assert_eq!(house.closed("slow").await, 0);
    house.notes(&lead, &notes).await;
    until(async || house.closed("slow").await == 1).await;
    house.until_sessions(0).await;
}

#[tokio::test]
async fn a_client_that_does_not_answer_pings_is_ended_and_one_that_does_is_kept() {
    let house = House::open_with(|setup| two_workers(setup).set("realtime.heartbeat", "1s")).await;
    let (mut page, _) = Poller::connect(&house.hub, &json!({"token": house.key})).await;
    page.join().await;
    let (_silent, _) = Poller::connect(&house.hub, &json!({"token": house.key})).await;
    for _ in 0..4 {
        page.packet("2").await;
    }
    house.until_sessions(1).await;
    assert_eq!(house.closed("no_heartbeat").await, 1);
    house.lead("Joe").await;
    assert!(page.packet(r#"42["new_lead""#).await.contains("Joe"));
}

#[tokio::test]
async fn a_hub_that_stops_says_when_to_come_back_and_puts_nobody_out_for_good() {
    let mut house = House::open_with(two_workers).await;
    let (mut page, _) = Poller::connect(&house.hub, &json!({"token": house.key})).await;
    page.join().await;
    let mut socket = raw(&house.hub, WEBSOCKET).await;
    socket.send(TEXT, format!(r#"40{{"token":"{}"}}"#, house.key).as_bytes()).await;
    socket.packet(r#"42["welcome""#).await;
    let watching = tokio::spawn(async move {
        assert!(page.packet(r#"42["goodbye""#).await.contains("reconnect_after_ms"));
        // `41` would make a stock client stay away.
        assert_eq!(page.packets, ["1"]);
        socket.packet(r#"42["goodbye""#).await;
        assert_eq!(socket.code().await, 1012);
    });
    let start = Instant::now();
    assert!(house.hub.stop().await.unwrap().success());
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    watching.await.unwrap();
}
