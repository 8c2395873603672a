//! Signing in and out.

use actix_web::{
    http::{Method, header},
    test,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Hub, PASSWORD};
use crate::{
    auth::{COOKIE, SECURE_COOKIE},
    domain::{Role, clock},
};

fn login_request(password: &str) -> test::TestRequest {
    let request = test::TestRequest::post().uri("/api/login").peer_addr("127.0.0.1:4711".parse().unwrap());
    request.set_json(json!({"email": "ada@example.com", "password": password}))
}

#[actix_web::test]
async fn a_login_sets_a_cookie_that_works_until_logout() {
    let hub = Hub::new(Role::Agent).await;
    let login = hub.ask(login_request(PASSWORD).insert_header(("x-forwarded-proto", "https"))).await;
    assert_eq!((login.status.as_u16(), &login.body["success"]), (200, &json!(true)));
    let account = json!({"id": hub.account, "name": "Bakery", "role": "agent"});
    assert_eq!(login.body["user"]["accounts"], json!([account]));
    assert_eq!(login.body["user"]["agency"], json!({"id": hub.agency, "name": "North"}));
    let cookie = login.header(header::SET_COOKIE).to_owned();
    assert!(cookie.starts_with("__Host-leadwire_session="), "{cookie}");
    for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/", "Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let pair = cookie.split(';').next().unwrap().to_owned();
    let with_cookie = |request: test::TestRequest| request.insert_header((header::COOKIE, pair.clone()));

    let me = hub.ask(with_cookie(test::TestRequest::get().uri("/api/me"))).await;
    assert_eq!(me.body["user"], login.body["user"]);
    assert_eq!(me.header(header::CACHE_CONTROL), "no-store");

    let out = || with_cookie(test::TestRequest::post().uri("/api/logout"));
    let stranger = hub.ask(out().insert_header((header::ORIGIN, "https://evil.example"))).await;
    assert_eq!(stranger.status, 403);
    let own_page = hub.ask(out().insert_header(("sec-fetch-site", "same-origin"))).await;
    assert_eq!(own_page.status, 204);
    let cleared: Vec<_> = own_page.headers.get_all(header::SET_COOKIE).map(|line| line.to_str().unwrap()).collect();
    assert!(cleared[0].starts_with(&format!("{COOKIE}=;")) && !cleared[0].contains("Secure"), "{cleared:?}");
    assert!(cleared[1].starts_with(&format!("{SECURE_COOKIE}=;")) && cleared[1].contains("Secure"), "{cleared:?}");
    assert_eq!(hub.ask(with_cookie(test::TestRequest::get().uri("/api/me"))).await.status, 401);
    let directory = hub.state.store.load_directory().await.unwrap();
    assert_eq!(directory.revoked_tokens.len(), 1, "other nodes learn of it too");
    let again = hub.ask(out().insert_header(("sec-fetch-site", "same-origin"))).await;
    assert_eq!(again.status, 204, "signing out twice is no error");
}

#[actix_web::test]
async fn wrong_logins_are_problems_and_are_limited() {
    let hub = Hub::new(Role::Agent).await;
    let wrong = hub.ask(login_request("wrong")).await;
    assert_eq!(wrong.status, 401);
    assert_eq!(wrong.header(header::CONTENT_TYPE), "application/problem+json");
    assert_eq!(wrong.body["status"], 401);
    assert_eq!(wrong.body["title"], "Unauthorized");
    // At once: what is allowed in a minute comes back while a busy machine hashes.
    let passwords = ["wrong", "wrong", "wrong", "wrong", "wrong", PASSWORD];
    let answers = join_all(passwords.map(|password| hub.ask(login_request(password)))).await;
    let limited = &answers[5];
    assert_eq!(limited.status, 429, "the right one as well");
    assert!(limited.header(header::RETRY_AFTER).parse::<u64>().unwrap() > 0);

    let lacking = hub.ask(test::TestRequest::post().uri("/api/login").set_json(json!({"email": "a"}))).await;
    assert_eq!((lacking.status.as_u16(), &lacking.body["detail"]), (400, &json!("`password` is missing.")));
    let elsewhere = login_request(PASSWORD).insert_header((header::ORIGIN, "https://evil.example"));
    assert_eq!(hub.ask(elsewhere).await.status, 403);
}

/// The cookies of an answer, as the next request shows them.
fn jar(reply: &super::Reply) -> (header::HeaderName, String) {
    let lines = reply.headers.get_all(header::SET_COOKIE);
    let pairs: Vec<_> = lines.map(|line| line.to_str().unwrap().split(';').next().unwrap()).collect();
    (header::COOKIE, pairs.join("; "))
}

#[actix_web::test]
async fn a_second_login_in_a_browser_ends_the_first_and_one_elsewhere_does_not() {
    let hub = Hub::new(Role::Agent).await;
    let (first, elsewhere) = (hub.ask(login_request(PASSWORD)).await, hub.ask(login_request(PASSWORD)).await);
    let second = hub.ask(login_request(PASSWORD).insert_header(jar(&first))).await;
    assert_eq!(second.status, 200);
    let me = |reply: &super::Reply| test::TestRequest::get().uri("/api/me").insert_header(jar(reply));
    for (reply, status) in [(&first, 401), (&elsewhere, 200), (&second, 200)] {
        assert_eq!(hub.ask(me(reply)).await.status, status);
    }
    let wrong = hub.ask(login_request("wrong").insert_header(jar(&second))).await;
    assert_eq!(
        (wrong.status.as_u16(), hub.ask(me(&second)).await.status.as_u16()),
        (401, 200),
        "nothing took its place"
    );
}

#[actix_web::test]
async fn a_device_that_was_in_before_is_let_in_while_its_network_has_to_wait() {
    let hub = Hub::new(Role::Agent).await;
    let first = hub.ask(login_request(PASSWORD)).await;
    let device = first.headers.get_all(header::SET_COOKIE).map(|line| line.to_str().unwrap());
    let device = device.into_iter().find(|line| line.starts_with("leadwire_device=")).unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/api/login", "Max-Age="] {
        assert!(device.contains(part), "{device}");
    }
    for _ in 0..3 {
        assert_eq!(hub.ask(login_request("wrong")).await.status, 401);
    }
    let limited = hub.ask(login_request(PASSWORD)).await;
    assert_eq!((limited.status.as_u16(), &limited.body["code"]), (429, &json!("too_many_logins")));
    assert!(
        limited.body["detail"].as_str().unwrap().contains("a device that you have used before"),
        "{}",
        limited.body
    );
    assert_eq!(hub.ask(login_request(PASSWORD).insert_header(jar(&first))).await.status, 200);
}

#[actix_web::test]
async fn a_page_of_another_origin_is_told_what_is_wrong() {
    let hub = Hub::new(Role::Agent).await;
    let refused = hub.ask(login_request(PASSWORD).insert_header((header::ORIGIN, "https://evil.example"))).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (403, &json!("origin_refused")));
    assert!(refused.body["detail"].as_str().unwrap().contains("server.public_url"), "{}", refused.body);
}

#[actix_web::test]
async fn a_token_for_sockets_is_short_lived() {
    let hub = Hub::new(Role::Agent).await;
    let reply = hub.by("lw_agent", Method::POST, "/api/token", Value::Null).await;
    let until: crate::domain::Timestamp = reply.body["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(until <= clock::now() + chrono::Duration::minutes(15));
    let token = reply.body["token"].as_str().unwrap();
    let me = hub.by(token, Method::GET, "/api/me", Value::Null).await;
    assert_eq!((&me.body["user"]["name"], &me.body["user"]["email"]), (&json!("test"), &Value::Null));
}
