//! How many sessions and rooms there may be, at the edge; whoever goes over it is alone with it.

use super::*;

async fn subscribed(socket: &mut Socket, room: &str) -> Result<(), String> {
    let reply = ask(socket, json!({"type": "subscribe", "room": room})).await;
    if reply["ok"] == true { Ok(()) } else { Err(reply["error"]["code"].as_str().unwrap().to_owned()) }
}

/// Waits until somebody is let in again after somebody else has left.
async fn until_let_in(house: &House, key: &str) -> Socket {
    let end = Instant::now() + PATIENCE;
    loop {
        let mut socket = Socket::connect(&house.hub.ws_url(), key).await.unwrap();
        match socket.next(PATIENCE).await.unwrap() {
            Frame::Text(_) => return socket,
            closed @ Frame::Closed(_) => assert!(Instant::now() < end, "{closed:?}"),
        }
    }
}

#[tokio::test]
async fn a_user_may_have_so_many_sessions_and_an_address_so_many() {
    let limits = |setup: Setup| setup.set("realtime.sessions_per_user", 2).set("realtime.sessions_per_address", 4);
    let house = House::open_with(limits).await;
    let second = house.hub.add_key(&house.agency, None, "agent").await.unwrap();
    let leads = house.hub.url("/api/leads");
    until(async || house.hub.http().get(&leads).bearer_auth(&second).send().await.unwrap().status() == 200).await;
    let (mut one, two) = (house.listener().await, house.listener().await);
    let mut over = Socket::connect(&house.hub.ws_url(), &house.key).await.unwrap();
    assert_eq!(code(&mut over).await, 4009);
    house.until_sessions(2).await;
    let (three, four) = (house.session_as(&second).await, house.session_as(&second).await);
    let mut over = Socket::connect_as(&house.hub.ws_url(), Login::Nothing).await.unwrap();
    assert_eq!(code(&mut over).await, 4009, "of the address, whoever it may be");
    assert_eq!(labelled(&house.hub, "leadwire_refused_sessions_total", "address").await, 1);
    house.lead("Joe").await;
    assert_eq!(next_name(&mut one).await, "Joe");
    for (leaves, key) in [(two, &house.key), (three, &second)] {
        leaves.close().await.unwrap();
        let back = until_let_in(&house, key).await;
        back.close().await.unwrap();
    }
    four.close().await.unwrap();
}

#[tokio::test]
async fn an_account_may_have_so_many_sessions_and_each_counts_once() {
    let house = House::open_with(|setup| setup.set("realtime.sessions_per_account", 2)).await;
    let (mut one, mut two, mut three) = (house.session().await, house.session().await, house.session().await);
    let operators = format!("operators:{}", house.account);
    for room in [house.room(), "dashboard".to_owned(), operators, house.room()] {
        assert_eq!(subscribed(&mut one, &room).await, Ok(()), "{room}");
    }
    assert_eq!(subscribed(&mut two, "dashboard").await, Ok(()));
    assert_eq!(subscribed(&mut three, "dashboard").await, Err("account_full".into()));
    assert_eq!(subscribed(&mut two, "dashboard").await, Ok(()), "it has its seat");
    house.lead("Joe").await;
    assert_eq!(next_name(&mut one).await, "Joe");
    assert_eq!(next_name(&mut two).await, "Joe");
    assert_eq!(ask(&mut two, json!({"type": "unsubscribe", "room": "dashboard"})).await["ok"], true);
    assert_eq!(subscribed(&mut three, "dashboard").await, Ok(()));
    one.close().await.unwrap();
    house.until_sessions(2).await;
    assert_eq!(subscribed(&mut two, &house.room()).await, Ok(()));
}

#[tokio::test]
async fn a_session_may_be_in_so_many_rooms() {
    let house = House::open_with(|setup| setup.set("realtime.rooms_per_session", 2)).await;
    let operators = format!("operators:{}", house.account);
    let mut socket = house.session().await;
    assert_eq!(subscribed(&mut socket, &operators).await, Ok(()));
    assert_eq!(subscribed(&mut socket, "operators").await, Ok(()));
    assert_eq!(subscribed(&mut socket, "dashboard").await, Err("too_many_rooms".into()));
    assert_eq!(subscribed(&mut socket, "operators").await, Ok(()), "it is in it already");
    assert_eq!(ask(&mut socket, json!({"type": "unsubscribe", "room": operators})).await["ok"], true);
    assert_eq!(subscribed(&mut socket, "dashboard").await, Ok(()));
    house.lead("Joe").await;
    assert_eq!(next_name(&mut socket).await, "Joe");
}
