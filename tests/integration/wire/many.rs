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

/// An agency with so many accounts besides the house's; in order.
pub(super) async fn with_accounts(count: usize) -> (House, Vec<String>) {
    let house = House::open().await;
    let accounts = grow(&house, count).await;
    (house, accounts)
}

/// Adds so many accounts to the house's agency; all that it has then, in order.
pub(super) async fn grow(house: &House, count: usize) -> Vec<String> {
    let url = format!("sqlite://{}", house.hub.data_dir().join("store.sqlite3").display());
    let store = leadwire::store::Store::open(&url, 1, PATIENCE, leadwire::store::Vault::new([0; 32])).await.unwrap();
    let agency = house.agency.parse().unwrap();
    let mut accounts = vec![house.account.clone()];
    for place in 0..count {
        accounts.push(store.add_account(agency, &format!("Client {place}")).await.unwrap().id.to_string());
    }
    until(async || {
        house.session().await.subscribe("dashboard").await.unwrap()["rooms"].as_object().unwrap().len() > count
    })
    .await;
    accounts.sort_unstable();
    accounts
}

#[tokio::test]
async fn the_dashboard_of_two_thousand_accounts_is_one_subscription_and_resumes_in_all_of_them() {
    let (house, accounts) = with_accounts(2000).await;
    let chosen = [&accounts[0], &accounts[1000], &accounts[2000]];
    let stranger = house.hub.add_agency("Elsewhere").await.unwrap();
    let theirs = house.hub.add_account(&stranger, "Not ours").await.unwrap();
    let their_key = house.hub.add_key(&stranger, None, "manager").await.unwrap();
    let leads = house.hub.url("/api/leads");
    until(async || house.hub.http().get(&leads).bearer_auth(&their_key).send().await.unwrap().status() == 200).await;
    let mut socket = house.session().await;
    let dashboard = socket.subscribe("dashboard").await.unwrap();
    assert_eq!(dashboard["rooms"].as_object().unwrap().len(), 2001);
    let operators = socket.subscribe("operators").await.unwrap();
    assert_eq!(operators["rooms"].as_object().unwrap().len(), 2001);
    for account in chosen {
        create(&house.hub, &their_key, &theirs, "Stranger").await;
        house.lead_in(account, account).await;
        let envelope = socket.next_of("new_lead", PATIENCE).await.unwrap();
        assert_eq!(envelope["account"], **account);
    }
    let subscribed = socket.subscribe("dashboard").await.unwrap();
    let since = subscribed["rooms"].clone();
    assert!(since.to_string().len() > 65_536, "more than a frame of anybody else may have");
    socket.close().await.unwrap();

    for account in chosen {
        house.lead_in(account, &format!("{account} again")).await;
    }
    let mut socket = house.session().await;
    let resumed =
        socket.subscribe_with(json!({"type": "subscribe", "room": "dashboard", "since": since})).await.unwrap();
    assert_eq!(resumed["recovered"], "complete");
    let mut missed = Vec::new();
    for _ in chosen {
        missed.push(next_name(&mut socket).await);
    }
    assert_eq!(missed, chosen.map(|account| format!("{account} again")));
    house.lead_in(chosen[1], "Joe").await;
    assert_eq!(next_name(&mut socket).await, "Joe", "and nothing comes twice");
}
