//! Many at once.

use futures_util::future::join_all;

use super::*;

#[tokio::test]
async fn five_hundred_sessions_connect_at_once_and_each_gets_the_next_envelope_once() {
    let house = House::open_with(|setup| setup.set("realtime.sessions_per_user", 500)).await;
    let mut sockets = join_all((0..500).map(|_| house.listener())).await;
    house.until_sessions(500).await;
    for name in ["One", "Two"] {
        house.lead(name).await;
    }
    let names = join_all(sockets.iter_mut().map(async |socket| [next_name(socket).await, next_name(socket).await]));
    assert!(names.await.iter().all(|names| names == &["One", "Two"]));
    let replies = join_all(sockets.iter_mut().map(|socket| ask(socket, json!({"type": "ack"}))));
    assert!(replies.await.iter().all(|reply| reply["ok"] == true), "and nothing comes twice");
    drop(sockets);
    house.until_sessions(0).await;
}
