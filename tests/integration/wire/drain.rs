//! The hub stops.

use std::time::Duration;

use super::{raw::CLOSE, *};

#[tokio::test]
async fn a_hub_that_is_told_to_stop_says_goodbye_to_everybody_and_ends_well() {
    let mut house = House::open().await;
    let mut sockets = Vec::new();
    for _ in 0..40 {
        sockets.push(house.listener().await);
    }
    // One does not answer the close frame; it is not waited for longer than it takes to cut it.
    let mut mute = house.raw().await;
    let start = Instant::now();
    let watching = tokio::spawn(async move {
        let mut come_back = Vec::new();
        for socket in &mut sockets {
            let goodbye = socket.next_of("goodbye", PATIENCE).await.unwrap();
            assert_eq!((&goodbye["code"], &goodbye["reason"]), (&json!(1012), &json!("restart")));
            come_back.push(goodbye["reconnect_after_ms"].as_u64().unwrap());
            assert_eq!(code(socket).await, 1012);
        }
        mute.json_of("goodbye").await;
        assert_eq!(mute.control(CLOSE).await, b"\x03\xf4restart");
        come_back
    });
    let status = house.hub.stop().await.unwrap();
    assert!(status.success(), "{status}");
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let come_back = watching.await.unwrap();
    assert!(come_back.iter().all(|after| (500..=5500).contains(after)), "{come_back:?}");
    let spread = come_back.iter().max().unwrap() - come_back.iter().min().unwrap();
    assert!(spread > 2000, "they do not all come back at once: {come_back:?}");
    house.hub.start().await.unwrap();
    house.listener().await;
}
