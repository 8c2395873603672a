//! Signs of life, both ways.

use super::{
    raw::{PING, PONG},
    *,
};

#[tokio::test]
async fn heartbeats_name_the_positions_and_whoever_answers_none_is_closed_with_4012() {
    let house = House::open_with(|setup| setup.set("realtime.heartbeat", "1s")).await;
    let mut silent = house.raw().await;
    let connected = Instant::now();
    let mut answering = house.listener().await;
    let mut writing = house.raw().await;
    assert_eq!(answering.next_of("heartbeat", PATIENCE).await.unwrap()["positions"], json!({house.room(): null}));
    house.lead("Joe").await;
    let position = answering.next_envelope(PATIENCE).await.unwrap()["position"].clone();
    assert_eq!(answering.next_of("heartbeat", PATIENCE).await.unwrap()["positions"], json!({house.room(): position}));

    assert_eq!(silent.json_of("heartbeat").await["positions"], json!({}));
    silent.control(PING).await;
    // Any frame is a sign of life.
    let mut beats = 0;
    while beats < 5 {
        writing.json_of("heartbeat").await;
        writing.send(PONG, b"").await;
        beats += 1;
        answering.next_of("heartbeat", PATIENCE).await.unwrap();
    }
    assert_eq!(silent.code().await, 4012);
    assert!(connected.elapsed().as_secs() >= 2);
    assert!(answering.pings() >= 5);
    assert_eq!(ask(&mut answering, json!({"type": "ack"})).await["ok"], true);
    assert_eq!(house.closed("no_heartbeat").await, 1);
    house.until_sessions(2).await;
}
