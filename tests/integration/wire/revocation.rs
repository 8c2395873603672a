//! What somebody may see changes while they watch.

use super::*;

/// Waits for a heartbeat in which these are the session's rooms.
async fn until_rooms(socket: &mut Socket, accounts: &[&str]) {
    let mut wanted: Vec<_> = accounts.iter().map(|account| format!("account:{account}")).collect();
    wanted.sort();
    loop {
        let heartbeat = socket.next_of("heartbeat", PATIENCE).await.unwrap();
        let rooms = heartbeat["positions"].as_object().unwrap();
        if rooms.keys().eq(&wanted) {
            return;
        }
    }
}

#[tokio::test]
async fn a_dashboard_leaves_what_its_user_loses_and_sees_what_they_gain_and_4003_ends_it() {
    let house = House::open_with(|setup| setup.set("realtime.heartbeat", "1s")).await;
    let (hub, first) = (&house.hub, house.account.as_str());
    let second = hub.add_account(&house.agency, "Dentist").await.unwrap();
    let third = hub.add_account(&house.agency, "Garage").await.unwrap();
    let roles = [(first, "agent"), (second.as_str(), "agent")];
    let user = hub.add_user(&house.agency, "ada@harbor.example", "Ada", &roles).await.unwrap();
    let token = hub.issue_token(&user).await.unwrap();
    let me = hub.url("/api/me");
    until(async || hub.http().get(&me).bearer_auth(&token).send().await.unwrap().status() == 200).await;
    let mut socket = house.session_as(&token).await;
    socket.subscribe("dashboard").await.unwrap();
    until_rooms(&mut socket, &[first, &second]).await;

    hub.run(&["member", "remove", "--user", &user, "--account", first], &[]).await.unwrap();
    until_rooms(&mut socket, &[&second]).await;
    house.lead_in(first, "Not for her").await;
    house.lead_in(&second, "For her").await;
    assert_eq!(next_name(&mut socket).await, "For her");
    let reply = ask(&mut socket, json!({"type": "subscribe", "room": house.room()})).await;
    assert_eq!(reply["error"]["code"], "forbidden");

    hub.run(&["member", "add", "--user", &user, "--account", &third, "--role", "viewer"], &[]).await.unwrap();
    until_rooms(&mut socket, &[&second, &third]).await;
    house.lead_in(&third, "New").await;
    assert_eq!(next_name(&mut socket).await, "New");

    for account in [&second, &third] {
        hub.run(&["member", "remove", "--user", &user, "--account", account], &[]).await.unwrap();
    }
    assert_eq!(code(&mut socket).await, 4003);
    house.until_sessions(0).await;
}
