//! Who comes back with a position gets what it has missed: all of it, in order, once.

use std::collections::BTreeMap;

use leadwire::inbox::{Inbox, Limits};

use super::{
    raw::{Raw, TEXT},
    *,
};

/// The notes in an update.
fn notes(envelope: &Value) -> &str {
    envelope["payload"]["lead"]["notes"].as_str().unwrap()
}

/// Reads updates with these notes, each naming the one before it; the last position.
async fn reads(socket: &mut Socket, mut prev: Value, expected: impl IntoIterator<Item = String>) -> Value {
    for expected in expected {
        let envelope = socket.next_envelope(PATIENCE).await.unwrap();
        assert_eq!((notes(&envelope), &envelope["prev"]), (expected.as_str(), &prev));
        prev = envelope["position"].clone();
    }
    prev
}

fn numbered(numbers: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    numbers.map(|number| number.to_string())
}

#[tokio::test]
async fn what_was_missed_comes_in_order_also_after_a_crash_and_then_what_is_live() {
    let mut house = House::open().await;
    let lead = house.lead("Joe").await;
    let mut socket = house.session().await;
    let position = socket.subscribe(&house.room()).await.unwrap()["position"].clone();
    house.notes(&lead, "0").await;
    let seen = reads(&mut socket, position, numbered(0..1)).await;
    drop(socket);
    for number in numbered(1..4) {
        house.notes(&lead, &number).await;
    }
    house.hub.kill().await.unwrap();
    house.hub.start().await.unwrap();
    for number in numbered(4..6) {
        house.notes(&lead, &number).await;
    }
    let mut socket = house.session().await;
    let since = seen.as_str().unwrap();
    let subscribed = socket.subscribe_since(&house.room(), since).await.unwrap();
    assert_eq!(subscribed["recovered"], "complete");
    house.notes(&lead, "6").await;
    let last = reads(&mut socket, seen.clone(), numbered(1..6)).await;
    assert_eq!(subscribed["position"], last);
    reads(&mut socket, last, numbered(6..7)).await;
    // Asked again in the same session, it comes again.
    assert_eq!(socket.subscribe_since(&house.room(), since).await.unwrap()["recovered"], "complete");
    reads(&mut socket, seen, numbered(1..7)).await;
}

#[tokio::test]
async fn clients_that_come_back_while_the_room_is_busy_miss_nothing_and_see_nothing_twice() {
    let house = House::open_with(|setup| setup.set("realtime.max_waiting", "64KiB")).await;
    let lead = house.lead("Joe").await;
    let mut first = house.listener().await;
    let (total, padding) = (300_u32, "x".repeat(2000));
    let publish = async {
        for number in numbered(0..total) {
            house.notes(&lead, &format!("{number} {padding}")).await;
        }
    };
    let begun = house.position(1).await;
    // It comes back after every few envelopes, from where it was, while more are published.
    let come_back = async {
        let (mut since, mut seen) = (None::<String>, 0);
        let mut lives = 0;
        while seen < total {
            let mut socket = house.session().await;
            if let Some(since) = &since {
                let subscribed = socket.subscribe_since(&house.room(), since).await.unwrap();
                assert_eq!(subscribed["recovered"], "complete");
            } else {
                socket.subscribe_with(json!({"room": "dashboard", "since": {house.room(): begun}})).await.unwrap();
            }
            for _ in 0..(7 + lives % 5).min(total - seen) {
                let envelope = socket.next_envelope(PATIENCE).await.unwrap();
                assert_eq!(notes(&envelope), format!("{seen} {padding}"));
                since = Some(envelope["position"].as_str().unwrap().to_owned());
                seen += 1;
            }
            lives += 1;
        }
        lives
    };
    // More than the hub and both kernels hold for who does not read.
    let stay = async {
        for number in numbered(0..total) {
            assert_eq!(notes(&first.next_envelope(PATIENCE).await.unwrap()), format!("{number} {padding}"));
        }
    };
    let ((), lives, ()) = tokio::join!(publish, come_back, stay);
    assert!(lives > 20, "{lives} lives");
    assert_eq!(house.closed("slow").await, 0);
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_caught_up_at_its_own_pace_and_left_alone_when_it_goes() {
    let house = House::open_with(|setup| setup.set("realtime.max_waiting", "256KiB")).await;
    let lead = house.lead("Joe").await;
    let text = "n".repeat(50_000);
    for number in numbered(0..200) {
        house.notes(&lead, &format!("{number} {text}")).await;
    }
    let subscribe = json!({"type": "subscribe", "room": house.room(), "since": house.position(1).await}).to_string();
    let mut slow = Raw::open_narrow(&house.hub, &house.key).await;
    slow.send(TEXT, subscribe.as_bytes()).await;
    assert_eq!(slow.json_of("subscribed").await["recovered"], "complete");
    // Forty times the bytes that may wait for it, and it has not read a tenth of them when another one leaves halfway.
    let mut leaving = Raw::open_narrow(&house.hub, &house.key).await;
    leaving.send(TEXT, subscribe.as_bytes()).await;
    leaving.json_of("subscribed").await;
    drop(leaving);
    house.until_sessions(1).await;
    for number in numbered(0..200) {
        assert_eq!(notes(&slow.json_of("lead:updated").await), format!("{number} {text}"));
    }
    house.notes(&lead, "live").await;
    assert_eq!(notes(&slow.json_of("lead:updated").await), "live");
    assert_eq!(house.closed("slow").await, 0);
}

#[tokio::test]
async fn a_client_that_asks_on_and_on_without_reading_is_refused_before_it_fills_the_memory() {
    let settings = |setup: Setup| setup.set("realtime.max_waiting", "256KiB").set("realtime.frame_burst", 1000);
    let house = House::open_with(settings).await;
    let lead = house.lead("Joe").await;
    let text = "n".repeat(50_000);
    for number in numbered(0..60) {
        house.notes(&lead, &format!("{number} {text}")).await;
    }
    let begun = house.position(1).await;
    let mut raw = Raw::open_narrow(&house.hub, &house.key).await;
    raw.json_of("welcome").await;
    for number in 0..100 {
        let ask = json!({"type": "subscribe", "room": house.room(), "since": begun, "ref": number});
        raw.send(TEXT, ask.to_string().as_bytes()).await;
    }
    let (mut busy, mut answered) = (0, 0);
    while answered < 100 {
        let reply = raw.json_of("reply").await;
        answered += 1;
        busy += usize::from(reply["error"]["code"] == "busy");
    }
    assert!((1..100).contains(&busy), "{busy} were refused");
    house.notes(&lead, "live").await;
    while notes(&raw.json_of("lead:updated").await) != "live" {}
}

#[tokio::test]
async fn who_loses_the_room_while_it_catches_up_gets_no_more_of_it() {
    let house = House::open_with(|setup| setup.set("realtime.max_waiting", "256KiB")).await;
    let roles = [(house.account.as_str(), "agent")];
    let user = house.hub.add_user(&house.agency, "ada@harbor.example", "Ada", &roles).await.unwrap();
    let token = house.hub.issue_token(&user).await.unwrap();
    let lead = house.lead("Joe").await;
    let text = "n".repeat(50_000);
    for number in numbered(0..200) {
        house.notes(&lead, &format!("{number} {text}")).await;
    }
    let me = house.hub.url("/api/me");
    until(async || house.hub.http().get(&me).bearer_auth(&token).send().await.unwrap().status() == 200).await;
    let mut raw = Raw::open_narrow(&house.hub, &token).await;
    raw.json_of("welcome").await;
    let subscribe = json!({"type": "subscribe", "room": "dashboard", "since": {house.room(): house.position(1).await}});
    raw.send(TEXT, subscribe.to_string().as_bytes()).await;
    assert_eq!(raw.json_of("subscribed").await["recovered"], "complete");
    house.hub.run(&["member", "remove", "--user", &user, "--account", &house.account], &[]).await.unwrap();
    until(async || house.closed("forbidden").await == 1).await;
    let mut came = 0;
    while let Some((first, _)) = raw.frame().await {
        came += usize::from(first == TEXT);
    }
    assert!(came < 200, "{came} came");
}

#[tokio::test]
async fn who_was_away_for_longer_than_the_log_reaches_is_told_so_room_by_room() {
    let mut house = House::open().await;
    let other = house.hub.add_account(&house.agency, "Dentist").await.unwrap();
    let leads = house.hub.url(&format!("/api/leads?account={other}"));
    until(async || house.hub.http().get(&leads).bearer_auth(&house.key).send().await.unwrap().status() == 200).await;
    for name in ["Ann", "Bob", "Cyd"] {
        house.lead(name).await;
    }
    let second = house.position(2).await;
    house.hub.stop().await.unwrap();
    // What was pushed until now is past its time.
    let inbox = Inbox::attach(&house.hub.data_dir().join("inbox.sqlite3")).unwrap();
    let kept = Duration::from_hours(1);
    let limits = Limits { deliveries: kept, events: kept, log: Duration::ZERO, max_size: 1 << 30 };
    inbox.prune(leadwire::domain::clock::now(), limits).await.unwrap();
    drop(inbox);
    house.hub.start().await.unwrap();
    house.lead("Dan").await;
    house.lead_in(&other, "Eve").await;

    let rooms = [house.room(), format!("account:{other}")];
    let mut socket = house.session().await;
    let since = BTreeMap::from([(rooms[0].clone(), json!(second)), (rooms[1].clone(), Value::Null)]);
    let subscribed = socket.subscribe_with(json!({"room": "dashboard", "since": since})).await.unwrap();
    assert_eq!(subscribed["recovered"], "partial");
    let resync = socket.next_of("resync", PATIENCE).await.unwrap();
    assert_eq!((&resync["room"], &resync["reason"]), (&json!(rooms[0]), &json!("envelopes_missed")));
    assert_eq!(next_name(&mut socket).await, "Eve");
    house.lead("Fay").await;
    assert_eq!(next_name(&mut socket).await, "Fay");
}

#[tokio::test]
async fn a_hub_that_has_lost_its_folder_says_so_to_who_was_there_before() {
    let mut house = House::open().await;
    for name in ["Ann", "Bob"] {
        house.lead(name).await;
    }
    let seen = house.position(2).await;
    house.hub.kill().await.unwrap();
    for file in ["inbox.sqlite3", "inbox.sqlite3-wal", "inbox.sqlite3-shm"] {
        let _ = fs::remove_file(house.hub.data_dir().join(file));
    }
    // Nobody replaces a folder within the second in which its hub began.
    tokio::time::sleep(Duration::from_secs(1)).await;
    house.hub.start().await.unwrap();
    let mut socket = house.session().await;
    let subscribed = socket.subscribe_since(&house.room(), &seen).await.unwrap();
    assert_eq!(subscribed["recovered"], "none", "nothing was pushed here yet");
    for name in ["Cyd", "Dan", "Eve"] {
        house.lead(name).await;
    }
    let mut socket = house.session().await;
    let subscribed = socket.subscribe_since(&house.room(), &seen).await.unwrap();
    assert_eq!(subscribed["recovered"], "none", "not complete, though there are later ones");
    socket.next_of("resync", PATIENCE).await.unwrap();
}
