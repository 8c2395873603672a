//! What was received and read, on which device.

use super::{
    presence::{tab, user},
    *,
};

fn ack(room: &str, position: &Value, read: bool, device: &str) -> Value {
    json!({"type": "ack", "room": room, "position": position, "read": read, "device": device})
}

/// Publishes a lead; its position.
async fn position(house: &House, socket: &mut Socket, name: &str) -> Value {
    house.lead(name).await;
    socket.next_envelope(PATIENCE).await.unwrap()["position"].clone()
}

async fn watermarks(house: &House, socket: &mut Socket) -> Value {
    let reply = ask(socket, json!({"type": "watermarks", "room": house.room()})).await;
    assert_eq!(reply["ok"], true, "{reply}");
    json!({"read": reply["read"], "delivered": reply["delivered"], "devices": reply["devices"]})
}

#[tokio::test]
async fn what_is_read_on_one_device_is_told_to_the_others_and_survives_a_kill() {
    let mut house = House::open_with(|setup| setup.set("server.workers", 2)).await;
    let (ada, ben) = (user(&house, "Ada").await, user(&house, "Ben").await);
    let (mut phone, mut desk, mut other) = (tab(&house, &ada).await, tab(&house, &ada).await, tab(&house, &ben).await);
    let nothing = json!({"read": null, "delivered": null, "devices": {}});
    assert_eq!(watermarks(&house, &mut phone).await, nothing);
    let first = position(&house, &mut phone, "Joe").await;
    let second = position(&house, &mut phone, "Jill").await;
    let room = house.room();

    assert_eq!(ask(&mut phone, ack(&room, &second, false, "phone")).await["ok"], true);
    assert_eq!(ask(&mut phone, ack(&room, &first, true, "phone")).await["ok"], true);
    let told = desk.next_of("ack", PATIENCE).await.unwrap();
    let payload = json!({"room": room, "position": first, "read": true, "device": "phone"});
    assert_eq!((&told["payload"], &told["account"]), (&payload, &json!(house.account)));
    assert!(told.get("position").is_none() && told.get("id").is_none());
    // What is behind it is no news, on whatever device.
    assert_eq!(ask(&mut desk, ack(&room, &first, true, "desk")).await["ok"], true);
    assert_eq!(ask(&mut desk, ack(&room, &second, true, "desk")).await["ok"], true);
    assert_eq!(phone.next_of("ack", PATIENCE).await.unwrap()["payload"]["position"], second);
    assert_eq!(ask(&mut desk, ack(&room, &first, true, "desk")).await["ok"], true);
    let expected = json!({"read": second, "delivered": second, "devices": {
        "phone": {"read": first, "delivered": second}, "desk": {"read": second, "delivered": second},
    }});
    assert_eq!(watermarks(&house, &mut phone).await, expected);
    assert_eq!(watermarks(&house, &mut other).await, nothing, "that is Ada's own");
    house.lead("Last").await;
    loop {
        let frame = other.next(PATIENCE).await.unwrap();
        let Frame::Text(frame) = frame else { panic!("closed") };
        assert_ne!(frame["type"], "ack", "Ben was told what Ada reads");
        if frame["payload"]["lead"]["name"] == "Last" {
            break;
        }
    }

    house.hub.kill().await.unwrap();
    house.hub.start().await.unwrap();
    let mut phone = tab(&house, &ada).await;
    assert_eq!(watermarks(&house, &mut phone).await, expected);
    assert_eq!(ask(&mut phone, ack(&room, &second, true, "phone")).await["ok"], true, "from before the restart");
}

#[tokio::test]
async fn acks_are_refused_where_they_can_not_be_meant() {
    let house = House::open().await;
    let sibling = house.hub.add_account(&house.agency, "Dentist").await.unwrap();
    let ada = user(&house, "Ada").await;
    let mut socket = tab(&house, &ada).await;
    let (room, theirs) = (house.room(), format!("account:{sibling}"));
    assert_eq!(ask(&mut socket, ack(&room, &json!("1-1"), true, "")).await["error"]["code"], "unknown_position");
    let top = position(&house, &mut socket, "Joe").await;
    let next = top.as_str().unwrap().split_once('-').map(|(epoch, _)| format!("{epoch}-99")).unwrap();
    for (frame, code) in [
        (ack(&room, &json!(next), true, ""), "unknown_position"),
        (ack(&room, &json!(format!("{}-1", u32::MAX)), true, ""), "unknown_position"),
        (ack(&room, &json!("soup"), true, ""), "bad_frame"),
        (ack(&room, &Value::Null, true, ""), "bad_frame"),
        (ack(&room, &top, true, &"x".repeat(65)), "bad_frame"),
        (ack("dashboard", &top, true, ""), "no_such_room"),
        (ack(&theirs, &top, true, ""), "forbidden"),
        (json!({"type": "watermarks", "room": theirs}), "forbidden"),
        (json!({"type": "watermarks", "room": "dashboard"}), "no_such_room"),
        (json!({"type": "watermarks"}), "bad_frame"),
    ] {
        let reply = ask(&mut socket, frame.clone()).await;
        assert_eq!((&reply["ok"], &reply["error"]["code"]), (&json!(false), &json!(code)), "{frame}");
    }
    assert_eq!(ask(&mut socket, ack(&room, &top, true, &"ß".repeat(64))).await["ok"], true);
    assert_eq!(ask(&mut socket, json!({"type": "ack"})).await["ok"], true, "a sign of life");
}

/// `first_seen_at` of the account's leads by their names.
async fn seen(house: &House) -> std::collections::BTreeMap<String, Value> {
    let leads = house.hub.http().get(house.hub.url("/api/leads")).bearer_auth(&house.key).send().await.unwrap();
    let leads: Value = leads.json().await.unwrap();
    let name = |lead: &Value| lead["name"].as_str().unwrap().to_owned();
    leads["data"].as_array().unwrap().iter().map(|lead| (name(lead), lead["first_seen_at"].clone())).collect()
}

#[tokio::test]
async fn what_a_program_or_a_viewer_acknowledges_nobody_has_seen() {
    let house = House::open().await;
    let viewer = house.hub.add_key(&house.agency, None, "viewer").await.unwrap();
    let roles = [(house.account.as_str(), "viewer")];
    let vera = house.hub.add_user(&house.agency, "vera@harbor.example", "Vera", &roles).await.unwrap();
    let vera = house.hub.issue_token(&vera).await.unwrap();
    let ada = user(&house, "Ada").await;
    let mut agent = tab(&house, &ada).await;
    let joe = position(&house, &mut agent, "Joe").await;
    for reader in [&viewer, &house.key, &vera] {
        let mut socket = house.session_as(reader).await;
        assert_eq!(ask(&mut socket, ack(&house.room(), &joe, true, "")).await["ok"], true);
    }
    let jill = position(&house, &mut agent, "Jill").await;
    assert_eq!(ask(&mut agent, ack(&house.room(), &jill, true, "")).await["ok"], true);
    until(async || seen(&house).await["Jill"].is_string()).await;
    let (both, agreed) = (seen(&house).await, ["Joe", "Jill"]);
    let at = agreed.map(|name| both[name].clone());
    assert_eq!(at[0], at[1], "both were first seen when the agent read them");
}

#[tokio::test]
async fn a_lead_is_first_seen_when_anybody_reads_it_and_never_again() {
    let house = House::open().await;
    let (ada, ben) = (user(&house, "Ada").await, user(&house, "Ben").await);
    let (mut one, mut other) = (tab(&house, &ada).await, tab(&house, &ben).await);
    let joe = position(&house, &mut one, "Joe").await;
    let jill = position(&house, &mut one, "Jill").await;
    assert_eq!(seen(&house).await, [("Joe".into(), Value::Null), ("Jill".into(), Value::Null)].into());
    assert_eq!(ask(&mut one, ack(&house.room(), &jill, false, "")).await["ok"], true, "received is not read");
    assert_eq!(ask(&mut one, ack(&house.room(), &joe, true, "")).await["ok"], true);
    until(async || seen(&house).await["Joe"].is_string()).await;
    let first = seen(&house).await;
    assert_eq!(first["Jill"], Value::Null);
    assert!(first["Joe"].as_str().unwrap().ends_with('Z'));
    assert_eq!(ask(&mut other, ack(&house.room(), &jill, true, "")).await["ok"], true);
    until(async || seen(&house).await["Jill"].is_string()).await;
    let both = seen(&house).await;
    assert_eq!(both["Joe"], first["Joe"], "Ben read it as well, but later");
    assert_eq!(ask(&mut one, ack(&house.room(), &jill, true, "")).await["ok"], true);
    house.lead("Last").await;
    assert_eq!(seen(&house).await["Jill"], both["Jill"]);
}
