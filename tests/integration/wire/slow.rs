//! Clients that read too little, and those that read just enough.

use super::{
    raw::{CLOSE, TEXT, frame},
    *,
};

/// Notes of one update.
const NOTES: usize = 60_000;

/// Publishes updates until the condition holds after one of them; how many that took.
async fn publish_until(house: &House, lead: &str, mut enough: impl AsyncFnMut(usize) -> bool) -> usize {
    let text = "n".repeat(NOTES);
    for count in 1..2000 {
        house.notes(lead, &format!("{count} {text}")).await;
        if enough(count).await {
            return count;
        }
    }
    panic!("two thousand updates were not enough");
}

/// A client in the account's room that reads no more.
async fn stalled_in_room(house: &House) -> Raw {
    let mut raw = Raw::open_narrow(&house.hub, &house.key).await;
    raw.send(TEXT, json!({"type": "subscribe", "room": house.room()}).to_string().as_bytes()).await;
    raw.json_of("subscribed").await;
    raw
}

/// The number at the beginning of the notes in an update.
fn number(envelope: &Value) -> usize {
    let notes = envelope["payload"]["lead"]["notes"].as_str().unwrap();
    notes.split_once(' ').unwrap().0.parse().unwrap()
}

#[tokio::test]
async fn clients_that_do_not_read_are_cut_and_their_room_goes_on_at_full_speed() {
    let house = House::open_with(|setup| setup.set("realtime.max_waiting", "256KiB")).await;
    let lead = house.lead("Joe").await;
    let mut reader = house.listener().await;
    let mut stalled = Vec::new();
    for _ in 0..4 {
        stalled.push(stalled_in_room(&house).await);
    }
    // It is at the front of the room all the time: each update comes before the next is made.
    let mut read_along = async |count| assert_eq!(number(&reader.next_envelope(PATIENCE).await.unwrap()), count);
    publish_until(&house, &lead, async |count| {
        read_along(count).await;
        house.closed("slow").await == 4
    })
    .await;
    let decided = Instant::now();
    house.until_sessions(1).await;
    assert!(decided.elapsed().as_millis() < 2000, "the connections ended {:?} after that", decided.elapsed());
    publish_until(&house, &lead, async |count| {
        read_along(count).await;
        count == 20
    })
    .await;
    for mut raw in stalled {
        raw.ended().await;
    }
}

#[tokio::test]
async fn clients_that_ask_and_never_read_the_answers_cost_no_memory() {
    let settings = |setup: Setup| setup.set("realtime.frames_per_second", 100_000).set("realtime.frame_burst", 100_000);
    let house = House::open_with(settings).await;
    // Each gets answers of its own, as long as its questions.
    let question = json!({"type": "ack", "ref": "r".repeat(NOTES)}).to_string();
    let before = house.memory();
    for client in 1..=4 {
        let mut raw = Raw::open_narrow(&house.hub, &house.key).await;
        let question = frame(TEXT, question.as_bytes());
        let (start, mut asked) = (Instant::now(), 0);
        while raw.write(&question).await.is_ok() {
            asked += 1;
            assert!(start.elapsed() < PATIENCE, "not cut after {asked} questions");
        }
        assert_eq!(house.closed("slow").await, client);
        let grown = house.memory().saturating_sub(before);
        // The allocator keeps some of what it was given back: 20 MB after forty such clients, who asked 60 to 120 MB each.
        assert!(grown < 32 << 20, "{grown} bytes more after {asked} questions");
        raw.ended().await;
    }
    house.until_sessions(0).await;
}

#[tokio::test]
async fn a_client_that_closes_half_its_connection_and_does_not_read_is_let_go() {
    let house = House::open_with(|setup| setup.set("realtime.max_waiting", "64MiB")).await;
    let lead = house.lead("Joe").await;
    let mut raw = stalled_in_room(&house).await;
    publish_until(&house, &lead, async |count| count == 120).await;
    let sockets = || std::fs::read_dir(format!("/proc/{}/fd", house.hub.pid().unwrap())).unwrap().count();
    let before = sockets();
    raw.half_close().await;
    house.until_sessions(0).await;
    until(async || sockets() < before).await;
}

#[tokio::test]
async fn a_client_that_reads_late_but_within_the_limit_gets_everything_in_order() {
    let house = House::open_with(|setup| setup.set("realtime.max_waiting", "16MiB")).await;
    let lead = house.lead("Joe").await;
    let mut raw = Raw::open_narrow(&house.hub, &house.key).await;
    raw.send(TEXT, json!({"type": "subscribe", "room": house.room()}).to_string().as_bytes()).await;
    let mut prev = raw.json_of("subscribed").await["position"].clone();
    for _ in 0..2 {
        // More than the kernel holds for it: frames wait in the hub, and one of them is cut in two by a full socket.
        publish_until(&house, &lead, async |count| count == 120).await;
        for expected in 1..=120 {
            let envelope = raw.json_of("lead:updated").await;
            assert_eq!((number(&envelope), &envelope["prev"]), (expected, &prev));
            prev = envelope["position"].clone();
        }
    }
    assert_eq!(house.closed("slow").await, 0);
    // A close behind frames that wait comes as a close, not as a connection that breaks within one.
    publish_until(&house, &lead, async |count| count == 120).await;
    raw.send(CLOSE, b"\x03\xe8").await;
    house.until_sessions(0).await;
    assert_eq!(raw.code().await, 1000);
}
