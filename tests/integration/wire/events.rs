//! Server-sent events: the same envelopes over plain HTTP.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

use super::*;

/// An open stream.
struct Events {
    answer: reqwest::Response,
    text: String,
}

/// One event: its type, its `id:` and its data.
type Event = (String, Option<String>, Value);

impl Events {
    async fn open(house: &House, query: &str, last: Option<&str>) -> Self {
        let mut request = house.hub.http().get(house.hub.url(&format!("/events{query}"))).bearer_auth(&house.key);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut events = Self { answer, text: String::new() };
        assert_eq!(events.block().await.unwrap(), "retry: 1000");
        events
    }

    /// The text up to the next empty line; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.unwrap().unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn next_of(&mut self, kind: &str) -> Event {
        loop {
            let block = self.block().await.expect("the stream goes on");
            let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if line("event: ").unwrap() == kind {
                return (kind.to_owned(), line("id: "), serde_json::from_str(&line("data: ").unwrap()).unwrap());
            }
        }
    }

    async fn next_name(&mut self) -> (String, String) {
        let (_, id, data) = self.next_of("new_lead").await;
        (data["payload"]["lead"]["name"].as_str().unwrap().to_owned(), id.unwrap())
    }
}

#[tokio::test]
async fn events_name_where_the_client_is_and_resume_every_room_from_there() {
    let mut house = House::open().await;
    let other = house.hub.add_account(&house.agency, "Dentist").await.unwrap();
    let leads = house.hub.url(&format!("/api/leads?account={other}"));
    until(async || house.hub.http().get(&leads).bearer_auth(&house.key).send().await.unwrap().status() == 200).await;
    let mut events = Events::open(&house, "", None).await;
    events.next_of("welcome").await;
    let (_, id, subscribed) = events.next_of("subscribed").await;
    assert_eq!((subscribed["rooms"].as_object().unwrap().len(), &subscribed["recovered"]), (2, &json!("none")));
    assert!(id.unwrap().contains(&format!("{}=", house.room())));
    house.lead("Ann").await;
    house.lead_in(&other, "Bob").await;
    assert_eq!(events.next_name().await.0, "Ann");
    let (name, last) = events.next_name().await;
    assert_eq!(name, "Bob");
    drop(events);
    house.until_sessions(0).await;

    house.lead("Cyd").await;
    house.hub.kill().await.unwrap();
    house.hub.start().await.unwrap();
    house.lead_in(&other, "Dan").await;
    let mut events = Events::open(&house, "?rooms=dashboard&types=new_lead", Some(&last)).await;
    let (_, id, subscribed) = events.next_of("subscribed").await;
    assert_eq!(subscribed["recovered"], "complete");
    assert_eq!(id.as_deref(), Some(last.as_str()), "what was missed is still to come");
    let mut names = [events.next_name().await.0, events.next_name().await.0];
    names.sort();
    assert_eq!(names, ["Cyd", "Dan"]);
    house.lead("Eve").await;
    assert_eq!(events.next_name().await.0, "Eve");

    let ending = async {
        let (_, _, goodbye) = events.next_of("goodbye").await;
        assert!(goodbye["reconnect_after_ms"].as_u64().unwrap() > 0);
        assert_eq!(events.next_of("close").await.2["code"], 1012);
        assert_eq!(events.block().await, None);
    };
    tokio::join!(house.hub.stop(), ending).0.unwrap();
}

#[tokio::test]
async fn a_stream_is_refused_with_a_reason() {
    let house = House::open_with(|setup| setup.set("realtime.sessions_per_user", 1)).await;
    let get = async |path: &str, key: Option<&str>| {
        let mut request = house.hub.http().get(house.hub.url(path));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, if status == 200 { Value::Null } else { answer.json::<Value>().await.unwrap() })
    };
    assert_eq!(get("/events", None).await.0, 401);
    assert_eq!(get("/events?token=x", None).await.0, 401);
    let key = Some(house.key.as_str());
    assert_eq!(get("/events?rooms=lounge", key).await.0, 404);
    let elsewhere = "/events?rooms=account:acc_01JD0000000000000000000000";
    assert_eq!(get(elsewhere, key).await.0, 403);
    assert_eq!(get("/events?types=nothing", key).await.0, 400);
    house.until_sessions(0).await;
    let _one = Events::open(&house, "", None).await;
    let (status, problem) = get("/events", key).await;
    assert_eq!((status, &problem["status"]), (429, &json!(429)));
}

#[tokio::test]
async fn a_stream_that_is_not_read_is_cut_and_its_room_goes_on() {
    let house = House::open_with(|setup| setup.set("realtime.max_waiting", "256KiB")).await;
    let lead = house.lead("Joe").await;
    let mut reader = house.listener().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stalled = socket.connect(house.hub.address()).await.unwrap();
    let request = format!("GET /events HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {}\r\n\r\n", house.key);
    stalled.write_all(request.as_bytes()).await.unwrap();
    house.until_sessions(2).await;
    let text = "n".repeat(60_000);
    let mut count = 0;
    while house.closed("slow").await == 0 {
        count += 1;
        assert!(count < 200, "it is not cut");
        house.notes(&lead, &format!("{count} {text}")).await;
        reader.next_envelope(PATIENCE).await.unwrap();
    }
    house.until_sessions(1).await;
    // What is left in the kernel, then the end.
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stalled.read_to_end(&mut rest)).await.expect("the connection has ended");
}

#[tokio::test]
async fn the_socket_of_the_setdm_inbox_carries_messages_and_nothing_else() {
    let house = House::open_with(|setup| setup.set("realtime.heartbeat", "1s")).await;
    let url = house.hub.ws_url().replace("/ws", "/ws/messages");
    let mut inbox = Socket::connect_as(&url, Login::Frame(&house.key)).await.unwrap();
    let mut reader = house.listener().await;
    inbox.send_text("anything at all".to_owned()).await.unwrap();
    house.lead("Joe").await;
    reader.next_envelope(PATIENCE).await.unwrap();
    reader.next_of("heartbeat", PATIENCE).await.unwrap();
    // No welcome, no lead, no heartbeat: it is alive, and the first frame is the end.
    let mut wrong = Socket::connect_as(&url, Login::Frame("wrong")).await.unwrap();
    assert_eq!(wrong.next(PATIENCE).await.unwrap(), Frame::Closed(Some((4001, "unauthenticated".to_owned()))));
    let mut house = house;
    let (stopped, first) = tokio::join!(house.hub.stop(), inbox.next(PATIENCE));
    stopped.unwrap();
    assert_eq!(first.unwrap(), Frame::Closed(Some((1012, "restart".to_owned()))));
}

#[tokio::test]
async fn in_more_rooms_than_a_header_holds_who_comes_back_is_told_to_read_again() {
    let (house, accounts) = super::many::with_accounts(100).await;
    let mut events = Events::open(&house, "", None).await;
    events.next_of("subscribed").await;
    house.lead_in(&accounts[50], "Joe").await;
    let (name, last) = events.next_name().await;
    assert_eq!((name.as_str(), last.as_str()), ("Joe", "*"), "not a list of 101 rooms with each event");
    let mut events = Events::open(&house, "", Some(&last)).await;
    let (_, _, subscribed) = events.next_of("subscribed").await;
    assert_eq!(subscribed["recovered"], "none");
    events.next_of("resync").await;
}

#[tokio::test]
async fn rooms_that_come_to_an_open_stream_make_its_id_no_longer_than_a_header_holds() {
    let house = House::open().await;
    let mut events = Events::open(&house, "", None).await;
    events.next_of("subscribed").await;
    let mut last = String::new();
    for account in super::many::grow(&house, 80).await {
        house.lead_in(&account, "Joe").await;
        last = events.next_name().await.1;
    }
    assert_eq!(last, "*", "not a list of 81 rooms");
}
