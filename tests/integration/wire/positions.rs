//! Where a room is, and who has missed something; also across a crash.

use super::*;

/// `epoch-count`, as numbers: opaque to clients, but it must grow.
fn parts(position: &Value) -> (u64, u64) {
    let (epoch, count) = position.as_str().unwrap().split_once('-').unwrap();
    (epoch.parse().unwrap(), count.parse().unwrap())
}

async fn resumed(house: &House, since: &str) -> (Value, bool) {
    let mut socket = house.session().await;
    let subscribed = socket.subscribe_since(&house.room(), since).await.unwrap();
    // The answer to the next question tells that a `resync` would have come by now.
    socket.send(&json!({"type": "ack", "ref": "then"})).await.unwrap();
    let mut resync = false;
    loop {
        match socket.next(PATIENCE).await.unwrap() {
            Frame::Text(frame) if frame["type"] == "resync" => {
                assert_eq!(frame["room"], house.room());
                resync = true;
            }
            Frame::Text(frame) if frame["ref"] == "then" => return (subscribed, resync),
            Frame::Text(_) => {}
            closed @ Frame::Closed(_) => panic!("{closed:?}"),
        }
    }
}

#[tokio::test]
async fn positions_grow_and_name_the_one_before_also_after_a_crash() {
    let mut house = House::open().await;
    let other = house.hub.add_account(&house.agency, "Dentist").await.unwrap();
    let leads = house.hub.url(&format!("/api/leads?account={other}"));
    until(async || house.hub.http().get(&leads).bearer_auth(&house.key).send().await.unwrap().status() == 200).await;
    let mut seen: Vec<Value> = Vec::new();
    for life in 0..3 {
        let mut socket = house.session().await;
        let subscribed = socket.subscribe(&house.room()).await.unwrap();
        assert_eq!(subscribed["position"], seen.last().cloned().unwrap_or_default(), "life {life}");
        for lead in 0..3 {
            // What happens in another room does not show in this one.
            house.lead_in(&other, "Elsewhere").await;
            house.lead(&format!("{life}.{lead}")).await;
            let envelope = socket.next_envelope(PATIENCE).await.unwrap();
            assert_eq!(envelope["room"], house.room());
            assert_eq!(envelope["prev"], seen.last().cloned().unwrap_or_default());
            if let Some(last) = seen.last() {
                assert!(parts(&envelope["position"]) > parts(last), "{envelope}");
            }
            seen.push(envelope["position"].clone());
        }
        house.hub.kill().await.unwrap();
        house.hub.start().await.unwrap();
    }
    let newest = seen.last().unwrap().as_str().unwrap();
    let (subscribed, resync) = resumed(&house, newest).await;
    assert_eq!((&subscribed["position"], &subscribed["recovered"]), (&json!(newest), &json!("complete")));
    assert!(!resync);
    for unknown in ["9-9", "no position", ""] {
        let (subscribed, resync) = resumed(&house, unknown).await;
        assert_eq!(subscribed["recovered"], "none", "{unknown:?}");
        assert!(resync, "{unknown:?}");
    }
}
