//! Who hears what.

use super::*;

async fn refused(socket: &mut Socket, room: &str) -> String {
    let reply = ask(socket, json!({"type": "subscribe", "room": room})).await;
    assert_eq!(reply["ok"], false, "{room}: {reply}");
    reply["error"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_room_of_another_account_is_refused_and_nothing_of_it_arrives() {
    let house = House::open().await;
    let hub = &house.hub;
    let sibling = hub.add_account(&house.agency, "Dentist").await.unwrap();
    let stranger = hub.add_account(&hub.add_agency("Maple").await.unwrap(), "Garage").await.unwrap();
    let key = hub.add_key(&house.agency, Some(&house.account), "agent").await.unwrap();
    let stranger_agency_key = &house.key;
    let me = hub.url("/api/leads");
    until(async || hub.http().get(&me).bearer_auth(&key).send().await.unwrap().status() == 200).await;
    let mut socket = house.session_as(&key).await;
    for account in [&sibling, &stranger] {
        assert_eq!(refused(&mut socket, &format!("account:{account}")).await, "forbidden");
    }
    for nowhere in ["account:acc_1", "account:", "chat:1", "", "*", "dashboard "] {
        assert_eq!(refused(&mut socket, nowhere).await, "no_such_room", "{nowhere:?}");
    }
    let dashboard = socket.subscribe("dashboard").await.unwrap();
    assert_eq!(dashboard["rooms"], json!({house.room(): null}));
    create(hub, stranger_agency_key, &sibling, "Next door").await;
    house.lead("Here").await;
    let envelope = socket.next_envelope(PATIENCE).await.unwrap();
    assert_eq!((&envelope["account"], &envelope["payload"]["lead"]["name"]), (&json!(house.account), &json!("Here")));
}

#[tokio::test]
async fn the_operators_room_is_for_managers_and_owners() {
    let house = House::open().await;
    let room = format!("operators:{}", house.account);
    for (role, may) in [("viewer", false), ("agent", false), ("manager", true), ("owner", true)] {
        let key = house.hub.add_key(&house.agency, None, role).await.unwrap();
        let leads = house.hub.url("/api/leads");
        until(async || house.hub.http().get(&leads).bearer_auth(&key).send().await.unwrap().status() == 200).await;
        let mut socket = house.session_as(&key).await;
        let reply = ask(&mut socket, json!({"type": "subscribe", "room": room})).await;
        assert_eq!(reply["ok"], may, "{role}: {reply}");
        if !may {
            assert_eq!(reply["error"]["code"], "forbidden");
        }
    }
}

#[tokio::test]
async fn types_choose_what_comes_and_unsubscribing_ends_it() {
    let house = House::open().await;
    let (mut all, mut updates) = (house.listener().await, house.session().await);
    let (mut either, mut gone) = (house.listener().await, house.listener().await);
    let only = |types: Value| json!({"type": "subscribe", "room": house.room(), "types": types});
    assert_eq!(ask(&mut updates, only(json!(["lead:updated", "no such type"]))).await["ok"], true);
    assert_eq!(ask(&mut updates, only(json!(["no such type"]))).await["error"]["code"], "bad_frame");
    // Two subscriptions that cover the same room: what either of them wants, once.
    assert_eq!(ask(&mut either, only(json!(["lead:updated"]))).await["ok"], true);
    let dashboard = json!({"type": "subscribe", "room": "dashboard", "types": ["new_lead"]});
    assert_eq!(ask(&mut either, dashboard).await["ok"], true);
    assert_eq!(ask(&mut gone, json!({"type": "unsubscribe", "room": house.room()})).await["ok"], true);

    let lead = house.lead("Joe").await;
    house.notes(&lead, "called back").await;
    for socket in [&mut all, &mut either] {
        assert_eq!(socket.next_envelope(PATIENCE).await.unwrap()["type"], "new_lead");
        assert_eq!(socket.next_envelope(PATIENCE).await.unwrap()["payload"]["lead"]["notes"], "called back");
    }
    assert_eq!(updates.next_envelope(PATIENCE).await.unwrap()["type"], "lead:updated");
    assert_eq!(ask(&mut gone, json!({"type": "ack"})).await["ok"], true);
    gone.subscribe(&house.room()).await.unwrap();
    house.lead("Jill").await;
    assert_eq!(next_name(&mut gone).await, "Jill", "and nothing from the time between");
}
