//! A token that runs out, and one that takes its place.

use super::*;

async fn brief_token(house: &House, user: &str) -> String {
    house.hub.run(&["token", "issue", "--user", user, "--ttl", "3s"], &[]).await.unwrap()
}

async fn add_user(house: &House, name: &str) -> String {
    let email = format!("{name}@harbor.example");
    house.hub.add_user(&house.agency, &email, name, &[(&house.account, "agent")]).await.unwrap()
}

/// The hub notices a new user within `store.directory_interval`.
async fn until_known(house: &House, token: &str) {
    let url = house.hub.url("/api/me");
    until(async || house.hub.http().get(&url).bearer_auth(token).send().await.unwrap().status() == 200).await;
}

#[tokio::test]
async fn a_token_that_runs_out_is_warned_about_then_closed_and_a_fresh_one_keeps_the_session() {
    let house = House::open_with(|setup| setup.set("realtime.token_grace", "2s")).await;
    let user = add_user(&house, "ada").await;
    let lasting = house.hub.issue_token(&user).await.unwrap();
    until_known(&house, &lasting).await;
    let brief = brief_token(&house, &user).await;
    let (mut kept, mut lost) = (house.session_as(&brief).await, house.session_as(&brief).await);
    for socket in [&mut kept, &mut lost] {
        socket.subscribe(&house.room()).await.unwrap();
        assert_eq!(socket.next_of("token_expired", PATIENCE).await.unwrap()["grace"], 2);
    }
    house.lead("Within the grace").await;
    assert_eq!(next_name(&mut kept).await, "Within the grace");
    assert_eq!(next_name(&mut lost).await, "Within the grace");
    assert_eq!(ask(&mut kept, json!({"type": "auth", "token": lasting})).await["ok"], true);
    assert_eq!(code(&mut lost).await, 4001);
    house.lead("After the grace").await;
    assert_eq!(next_name(&mut kept).await, "After the grace", "its rooms are still its own");
}

#[tokio::test]
async fn a_bad_token_in_band_changes_nothing_and_somebody_elses_closes_with_4003() {
    let house = House::open().await;
    let (ada, ben) = (add_user(&house, "ada").await, add_user(&house, "ben").await);
    let (ada, ben) = (house.hub.issue_token(&ada).await.unwrap(), house.hub.issue_token(&ben).await.unwrap());
    until_known(&house, &ben).await;
    let mut socket = house.session_as(&ada).await;
    socket.subscribe("dashboard").await.unwrap();
    let reply = ask(&mut socket, json!({"type": "auth", "token": "nonsense"})).await;
    assert_eq!((&reply["ok"], &reply["error"]["code"]), (&json!(false), &json!("unauthenticated")));
    house.lead("Joe").await;
    assert_eq!(next_name(&mut socket).await, "Joe");
    socket.send(&json!({"type": "auth", "token": ben})).await.unwrap();
    assert_eq!(code(&mut socket).await, 4003);
}

#[tokio::test]
async fn signing_out_ends_the_sockets_of_that_sign_in() {
    let house = House::open().await;
    let user = add_user(&house, "ada").await;
    let (one, other) = (house.hub.issue_token(&user).await.unwrap(), house.hub.issue_token(&user).await.unwrap());
    until_known(&house, &one).await;
    let (mut out, mut stays) = (house.session_as(&one).await, house.session_as(&other).await);
    let answer = house.hub.http().post(house.hub.url("/api/logout")).bearer_auth(&one).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(code(&mut out).await, 4003);
    stays.subscribe("dashboard").await.unwrap();
}
