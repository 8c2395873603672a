//! Who is here and who is typing.

use super::{raw::TEXT, *};

/// A token of a new user with this role in the house's account.
pub(super) async fn user(house: &House, name: &str) -> String {
    user_of(house, &house.account, name).await
}

async fn user_of(house: &House, account: &str, name: &str) -> String {
    let email = format!("{}@harbor.example", name.to_lowercase());
    let user = house.hub.add_user(&house.agency, &email, name, &[(account, "manager")]).await.unwrap();
    let token = house.hub.issue_token(&user).await.unwrap();
    let me = house.hub.url("/api/me");
    // The hub may see the user before the membership.
    until(async || {
        let answer = house.hub.http().get(&me).bearer_auth(&token).send().await.unwrap();
        answer.text().await.unwrap().contains(account)
    })
    .await;
    token
}

/// A session of theirs in the account's room.
pub(super) async fn tab(house: &House, token: &str) -> Socket {
    let mut socket = house.session_as(token).await;
    socket.subscribe(&house.room()).await.unwrap();
    socket
}

/// Name and state of the next sign of this type.
async fn sign(socket: &mut Socket, kind: &str) -> (String, String) {
    let payload = &socket.next_of(kind, PATIENCE).await.unwrap()["payload"];
    let text = |key: &str| payload[key].as_str().unwrap().to_owned();
    (text("name"), text("state"))
}

fn is(name: &str, state: &str) -> (String, String) {
    (name.to_owned(), state.to_owned())
}

/// What comes until the next lead, by type and state.
async fn until_lead(socket: &mut Socket) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        match socket.next(PATIENCE).await.unwrap() {
            Frame::Text(frame) if frame["type"] == "new_lead" => return heard,
            Frame::Text(frame) if frame.get("payload").is_some() => {
                let (kind, state) = (frame["type"].as_str().unwrap(), frame["payload"]["state"].as_str().unwrap());
                heard.push(format!("{kind} {state}"));
            }
            Frame::Text(_) => {}
            Frame::Closed(why) => panic!("closed: {why:?}"),
        }
    }
}

#[tokio::test]
async fn tabs_of_one_user_on_both_workers_come_and_go_as_one() {
    let house = House::open_with(|setup| setup.set("server.workers", 2)).await;
    let (ada, ben) = (user(&house, "Ada").await, user(&house, "Ben").await);
    let mut watching = tab(&house, &ada).await;
    // Workers take connections in turn.
    let mut tabs = Vec::new();
    for _ in 0..4 {
        tabs.push(tab(&house, &ben).await);
    }
    let joined = watching.next_of("presence", PATIENCE).await.unwrap();
    let user = joined["payload"]["user"].clone();
    assert!(user.as_str().unwrap().starts_with("usr_"));
    let payload = json!({"user": user, "name": "Ben", "room": house.room(), "state": "join"});
    assert_eq!(
        (&joined["payload"], &joined["room"], &joined["account"]),
        (&payload, &json!(house.room()), &json!(house.account))
    );
    assert!(joined["timestamp"].is_string() && joined.get("id").is_none() && joined.get("position").is_none());

    let here = ask(&mut tabs[3], json!({"type": "presence", "room": house.room()})).await;
    assert_eq!((&here["ok"], &here["count"]), (&json!(true), &json!(2)));
    let mut names: Vec<_> =
        here["users"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Ada", "Ben"]);
    for tab in tabs.drain(1..) {
        tab.close().await.unwrap();
    }
    house.until_sessions(2).await;
    let here = ask(&mut tabs[0], json!({"type": "presence", "room": house.room()})).await;
    assert_eq!(here["count"], 2);
    ask(&mut tabs[0], json!({"type": "unsubscribe", "room": house.room()})).await;
    assert_eq!(sign(&mut watching, "presence").await, is("Ben", "leave"), "once, with the last of them");
    house.lead("Joe").await;
    assert_eq!(until_lead(&mut watching).await, [""; 0]);
}

#[tokio::test]
async fn whoever_is_cut_off_without_a_word_leaves_after_two_heartbeats() {
    let house = House::open_with(|setup| setup.set("realtime.heartbeat", "1s")).await;
    let (ada, ben) = (user(&house, "Ada").await, user(&house, "Ben").await);
    let mut watching = tab(&house, &ada).await;
    let mut silent = Raw::open(&house.hub, &ben).await;
    silent.send(TEXT, json!({"type": "subscribe", "room": house.room()}).to_string().as_bytes()).await;
    let since = Instant::now();
    assert_eq!(sign(&mut watching, "presence").await, is("Ben", "join"));
    // Its connection stays, and it answers nothing any more.
    assert_eq!(sign(&mut watching, "presence").await, is("Ben", "leave"));
    assert!(since.elapsed() >= Duration::from_secs(1));
    // Nor does one that is dropped stay.
    let mut dropped = Raw::open(&house.hub, &ben).await;
    dropped.send(TEXT, json!({"type": "subscribe", "room": house.room()}).to_string().as_bytes()).await;
    assert_eq!(sign(&mut watching, "presence").await, is("Ben", "join"));
    drop(dropped);
    assert_eq!(sign(&mut watching, "presence").await, is("Ben", "leave"));
}

#[tokio::test]
async fn nobody_hears_of_rooms_that_are_not_theirs_or_asks_of_them() {
    let house = House::open().await;
    let sibling = house.hub.add_account(&house.agency, "Dentist").await.unwrap();
    let (ada, cleo) = (user(&house, "Ada").await, user_of(&house, &sibling, "Cleo").await);
    let mut outside = house.session_as(&cleo).await;
    outside.subscribe("dashboard").await.unwrap();
    for kind in ["presence", "typing"] {
        for (room, why) in
            [(house.room(), "forbidden"), ("dashboard".into(), "no_such_room"), ("chat:1".into(), "no_such_room")]
        {
            let reply = ask(&mut outside, json!({"type": kind, "room": room})).await;
            assert_eq!((&reply["ok"], &reply["error"]["code"]), (&json!(false), &json!(why)), "{kind} {room}");
        }
    }
    let elsewhere = json!({"type": "typing", "room": format!("operators:{sibling}")});
    assert_eq!(ask(&mut outside, elsewhere).await["error"]["code"], "not_in_room");
    let dancing = json!({"type": "typing", "room": format!("account:{sibling}"), "state": "dancing"});
    assert_eq!(ask(&mut outside, dancing).await["error"]["code"], "bad_frame");

    let mut inside = tab(&house, &ada).await;
    assert_eq!(ask(&mut inside, json!({"type": "typing", "room": house.room()})).await["ok"], true);
    inside.close().await.unwrap();
    house.until_sessions(1).await;
    house.lead_in(&sibling, "Joe").await;
    assert_eq!(until_lead(&mut outside).await, [""; 0]);
}

#[tokio::test]
async fn typing_is_heard_by_the_others_once_a_second_and_only_by_who_wants_it() {
    let house = House::open_with(|setup| setup.set("server.workers", 2)).await;
    let (ada, ben) = (user(&house, "Ada").await, user(&house, "Ben").await);
    let (mut other, mut own) = (tab(&house, &ada).await, tab(&house, &ben).await);
    let (mut picky, mut curious) = (house.session_as(&ada).await, house.session_as(&ada).await);
    let only = |types: Value| json!({"type": "subscribe", "room": house.room(), "types": types});
    assert_eq!(ask(&mut picky, only(json!(["new_lead"]))).await["ok"], true);
    assert_eq!(ask(&mut curious, only(json!(["new_lead", "typing"]))).await["ok"], true);
    let mut typing = tab(&house, &ben).await;
    assert_eq!(sign(&mut other, "presence").await, is("Ben", "join"));
    for frame in [
        json!({"type": "typing", "room": house.room()}),
        json!({"type": "typing", "chat": house.room()}),
        json!({"type": "typing", "room": house.room(), "state": "stopped"}),
        json!({"type": "typing", "room": house.room(), "state": "typing"}),
    ] {
        typing.send(&frame).await.unwrap();
    }
    assert_eq!(ask(&mut typing, json!({"type": "ack"})).await["ok"], true);
    house.lead("Joe").await;
    assert_eq!(until_lead(&mut other).await, ["typing typing", "typing stopped"]);
    assert_eq!(until_lead(&mut curious).await, ["typing typing", "typing stopped"]);
    // Ada's coming may have been told only when Ben was there already.
    assert!(until_lead(&mut own).await.iter().all(|heard| heard == "presence join"));
    assert_eq!(until_lead(&mut picky).await, [""; 0]);
}

#[tokio::test]
async fn in_a_chat_one_sees_who_looks_at_it_and_types_there() {
    let house = House::open_with(|setup| setup.set("server.workers", 2)).await;
    let (ada, ben) = (user(&house, "Ada").await, user(&house, "Ben").await);
    let chat = format!("chat:{}/chat_01HZZZZZZZZZZZZZZZZZZZZZZZ", house.account);
    let (mut looking, mut coming) = (house.session_as(&ada).await, house.session_as(&ben).await);
    looking.subscribe(&chat).await.unwrap();
    let elsewhere = ask(&mut coming, json!({"type": "typing", "chat": chat})).await;
    assert_eq!(elsewhere["error"]["code"], "not_in_room");
    coming.subscribe(&chat).await.unwrap();
    assert_eq!(sign(&mut looking, "presence").await, is("Ben", "join"));
    assert_eq!(ask(&mut coming, json!({"type": "typing", "chat": chat})).await["ok"], true);
    assert_eq!(sign(&mut looking, "typing").await, is("Ben", "typing"));
    let here = ask(&mut looking, json!({"type": "presence", "room": chat})).await;
    assert_eq!(here["count"], 2, "{here}");
    let acked = ask(&mut looking, json!({"type": "ack", "room": chat, "position": "1-1"})).await;
    assert_eq!(acked["error"]["code"], "no_such_room");
    let since = json!({"type": "subscribe", "room": chat, "since": "1-1"});
    coming.send(&since).await.unwrap();
    assert_eq!(coming.next_of("resync", PATIENCE).await.unwrap()["reason"], "has_no_positions");
    coming.close().await.unwrap();
    assert_eq!(sign(&mut looking, "presence").await, is("Ben", "leave"));
}
