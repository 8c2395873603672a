//! Signing in with a password: what is limited, for whom, and what a device changes.

use std::time::Instant;

use futures_util::future::join_all;

use super::*;
use crate::auth::limits::Candidate;

const HERE: &str = "192.0.2.1";

fn with_password(change: impl FnOnce(&mut Sample)) -> Hub {
    let mut sample = Sample::new();
    sample.user_mut().password_hash = password::hash(&PASSWORD.into()).unwrap();
    change(&mut sample);
    hub(sample.directory, false)
}

/// What a wrong password from there counts; a real one takes its time to check, and some is forgiven meanwhile.
fn fail(hub: &Hub, email: &str, address: &str) {
    hub.auth.inner.limits.failed(Candidate::new(email, Some(address.parse().unwrap()), None), Instant::now());
}

fn is_crowded(outcome: &Result<Login, AuthError>, expected: Crowd) -> bool {
    matches!(outcome, Err(AuthError::TooManyAttempts { crowd, .. }) if *crowd == expected)
}

#[tokio::test]
async fn wrong_logins_all_look_alike_and_are_limited() {
    let hub = with_password(|sample| sample.user_mut().disabled = true);
    let disabled = hub.login("ada@example.com", PASSWORD, "192.0.2.7", None).await.unwrap_err();
    let unknown = hub.login("eve@example.com", PASSWORD, HERE, None).await.unwrap_err();
    assert_eq!((&disabled, &unknown), (&AuthError::WrongLogin, &AuthError::WrongLogin));
    hub.login("eve@example.com", PASSWORD, HERE, None).await.unwrap_err();
    let third = hub.login("eve@example.com", PASSWORD, HERE, None).await;
    assert!(is_crowded(&third, Crowd::Network));
    assert!(is_crowded(&hub.login("mallory@example.com", PASSWORD, HERE, None).await, Crowd::Network));
}

#[tokio::test]
async fn wrong_passwords_from_elsewhere_keep_nobody_out() {
    let hub = with_password(|_| ());
    for _ in 0..10 {
        hub.login("ada@example.com", "wrong", "203.0.113.66", None).await.unwrap_err();
    }
    assert!(hub.login("ada@example.com", PASSWORD, "203.0.113.66", None).await.is_err());
    assert!(hub.login("ada@example.com", PASSWORD, HERE, None).await.is_ok());
}

#[tokio::test]
async fn a_device_that_was_in_before_gets_in_while_its_network_and_its_person_have_to_wait() {
    let hub = with_password(|_| ());
    let first = hub.login("ada@example.com", PASSWORD, HERE, None).await.unwrap();
    for network in 0..200 {
        fail(&hub, "ada@example.com", &format!("203.0.113.{network}"));
        fail(&hub, "ada@example.com", HERE);
    }
    assert!(is_crowded(&hub.login("ada@example.com", PASSWORD, "198.51.100.1", None).await, Crowd::Person));
    assert!(hub.login("ada@example.com", PASSWORD, HERE, None).await.is_err());
    let again = hub.login("ada@example.com", PASSWORD, HERE, Some(&first.device)).await.unwrap();
    // Whoever took it tries out no more passwords than others.
    for _ in 0..2 {
        let wrong = hub.login("ada@example.com", "wrong", HERE, Some(&again.device)).await.unwrap_err();
        assert_eq!(wrong, AuthError::WrongLogin);
    }
    let third = hub.login("ada@example.com", PASSWORD, "198.51.100.1", Some(&first.device)).await;
    assert!(is_crowded(&third, Crowd::Device), "it is the same device");
}

#[tokio::test]
async fn a_device_opens_nothing_counts_for_its_own_user_and_is_unknown_after_a_new_password() {
    let hub = with_password(|_| ());
    let login = hub.login("ada@example.com", PASSWORD, HERE, None).await.unwrap();
    assert!(hub.admit(login.device.expose_secret()).await.is_err());
    let session = Credentials::from(vec![Credential::Cookie(login.device.clone())]);
    assert!(hub.auth.authenticate(session).await.is_err());

    for _ in 0..20 {
        fail(&hub, "eve@example.com", HERE);
    }
    let other = hub.login("bob@example.com", PASSWORD, HERE, Some(&login.device)).await;
    assert!(is_crowded(&other, Crowd::Network), "it is Ada's");
    assert!(hub.login("ada@example.com", PASSWORD, HERE, Some(&login.device)).await.is_ok());
    // A session's token is no device.
    assert!(is_crowded(&hub.login("ada@example.com", PASSWORD, HERE, Some(&login.token)).await, Crowd::Network));

    let newer = {
        let directory = hub.directory.borrow();
        let mut newer = copy(directory.as_ref().unwrap());
        newer.users.values_mut().for_each(|user| user.token_epoch += 1);
        newer.indexed()
    };
    hub.directory.send_replace(Some(Arc::new(newer)));
    assert!(is_crowded(&hub.login("ada@example.com", PASSWORD, HERE, Some(&login.device)).await, Crowd::Network));
}

#[tokio::test]
async fn many_logins_of_one_person_at_once_leave_the_others_their_turns() {
    let hub = with_password(|sample| {
        let hash = sample.user_mut().password_hash.clone();
        sample.directory.users.get_mut(&sample.other_user).unwrap().password_hash = hash;
    });
    let flood = join_all((0..50).map(|_| hub.login("ada@example.com", PASSWORD, HERE, None)));
    let other = hub.login("bob@example.com", PASSWORD, "192.0.2.2", None);
    let (outcomes, other) = tokio::join!(flood, other);
    assert!(other.is_ok());
    let refused =
        outcomes.iter().filter(|outcome| outcome.is_err()).map(|outcome| is_crowded(outcome, Crowd::UnderWay));
    let refused: Vec<_> = refused.collect();
    assert!(refused.len() == 47 && refused.into_iter().all(|crowded| crowded));
    assert!(hub.login("ada@example.com", PASSWORD, HERE, None).await.is_ok(), "they were no failures");
}

#[tokio::test]
async fn a_login_takes_the_place_of_the_session_that_the_browser_shows() {
    let hub = with_password(|_| ());
    let earlier = hub.login("ada@example.com", PASSWORD, HERE, None).await.unwrap();
    let elsewhere = hub.login("ada@example.com", PASSWORD, HERE, None).await.unwrap();
    let key = Credential::Token(elsewhere.token.clone());
    hub.auth.end_sessions(vec![Credential::Cookie(earlier.token.clone()), key].into(), None).await;
    assert!(hub.admit(earlier.token.expose_secret()).await.is_err());
    assert!(hub.admit(elsewhere.token.expose_secret()).await.is_ok(), "only cookies are sessions of the browser");
}
