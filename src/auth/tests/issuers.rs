//! Tokens of agencies' own issuers.

use std::sync::atomic::{AtomicUsize, Ordering};

use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{auth::sample, domain::directory::IssuerKey};

const ISS: &str = "https://id.agency.example";
const SHARED: &str = "a secret that the agency shares with the hub";

/// A token of an agency's issuer, with this signature and these claims besides the usual ones.
fn foreign(algorithm: Algorithm, key: &EncodingKey, kid: Option<&str>, claims: &Value) -> String {
    let mut all = json!({
        "iss": ISS, "aud": "dashboards", "exp": clock::now().timestamp() + 60, "jti": "f1",
    });
    all.as_object_mut().unwrap().append(&mut claims.as_object().unwrap().clone());
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, &all, key).unwrap()
}

fn shared(claims: &Value) -> String {
    foreign(Algorithm::HS256, &EncodingKey::from_secret(SHARED.as_bytes()).unwrap(), None, claims)
}

fn with_issuer() -> (Sample, Hub) {
    let mut sample = Sample::new();
    sample.add_issuer(ISS, IssuerKey::Secret(SHARED.into()));
    let hub = hub(std::mem::take(&mut sample.directory), false);
    (sample, hub)
}
#[tokio::test]
async fn an_agencys_issuer_names_its_own_users_by_id_or_email() {
    let (sample, hub) = with_issuer();
    for claims in
        [json!({"sub": sample.user}), json!({"sub": "auth0|17", "email": "Ada@Example.com", "email_verified": true})]
    {
        let principal = hub.admit(&shared(&claims)).await.unwrap();
        assert_eq!(principal.subject, Subject::User(sample.user));
        assert!(principal.jti.unwrap().starts_with("iss_"));
    }
}

#[tokio::test]
async fn an_agencys_issuer_cannot_name_another_agencys_users() {
    let (sample, hub) = with_issuer();
    for claims in [
        json!({"sub": sample.other_user}),
        json!({"sub": sample.other_user, "email": "ada@example.com"}),
        json!({"sub": "x", "email": "bob@example.com"}),
        json!({"sub": "x", "email": "ada@example.com", "email_verified": false}),
        json!({"sub": "x", "email": "bob@example.com", "email_verified": true}),
        json!({"sub": "x"}),
        json!({"sub": sample.user, "iss": "https://unknown.example"}),
        json!({"sub": sample.user, "iss": "leadwire", "aud": "leadwire"}),
        json!({"sub": sample.user, "aud": "somebody else"}),
        json!({"sub": sample.user, "exp": null}),
    ] {
        let refused = hub.admit(&shared(&claims)).await;
        assert!(matches!(refused, Err(AuthError::Invalid(_))), "{claims}: {refused:?}");
    }
    let late = json!({"sub": sample.user, "exp": clock::now().timestamp() - 60});
    assert_eq!(hub.admit(&shared(&late)).await.unwrap_err(), AuthError::Expired);
}

#[tokio::test]
async fn an_issuers_tokens_do_not_count_from_a_cookie_and_end_with_the_issuer() {
    let (sample, hub) = with_issuer();
    let token = shared(&json!({"sub": sample.user}));
    let jar = Credentials::from(vec![Credential::Cookie(token.clone().into())]);
    assert!(hub.auth.authenticate(jar).await.is_err());
    let principal = hub.admit(&token).await.unwrap();
    let without = copy(hub.directory.borrow().as_ref().unwrap());
    hub.directory.send_replace(Some(Arc::new(without)));
    assert!(hub.auth.recheck(&principal).is_none());
}

/// Answers every request with the document and counts.
async fn publish(document: String) -> (url::Url, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap()).parse().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let mut head = [0; 4096];
            let _ = socket.read(&mut head).await;
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", document.len());
            let _ = socket.write_all(head.as_bytes()).await;
            let _ = socket.write_all(document.as_bytes()).await;
        }
    });
    (url, asked)
}

fn ed25519(byte: u8, kid: &str) -> (EncodingKey, Value) {
    let key = EncodingKey::from_ed_pem(sample::ed25519_pem(byte).as_bytes()).unwrap();
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::EdDSA).unwrap()).unwrap();
    jwk["kid"] = json!(kid);
    (key, jwk)
}

#[tokio::test]
async fn keys_of_an_issuer_are_fetched_once_for_all_who_wait_and_unknown_ids_do_not_hammer_it() {
    let (key, public) = ed25519(1, "k1");
    let strange = json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"});
    let (url, asked) = publish(json!({"keys": [strange, public, {"kty": 5}]}).to_string()).await;
    let mut sample = Sample::new();
    sample.add_issuer(ISS, IssuerKey::Jwks(url));
    let hub = hub(std::mem::take(&mut sample.directory), false);

    let token = foreign(Algorithm::EdDSA, &key, Some("k1"), &json!({"sub": sample.user}));
    let (one, other) = tokio::join!(hub.admit(&token), hub.admit(&token));
    assert_eq!(
        (one.unwrap().subject, other.unwrap().subject),
        (Subject::User(sample.user), Subject::User(sample.user))
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let unnamed = foreign(Algorithm::EdDSA, &key, None, &json!({"sub": sample.user}));
    assert!(hub.admit(&unnamed).await.is_ok(), "the only key needs no name");

    for kid in ["k2", "k3"] {
        let unknown = foreign(Algorithm::EdDSA, &key, Some(kid), &json!({"sub": sample.user}));
        let refused = hub.admit(&unknown).await.unwrap_err();
        assert_eq!(refused, AuthError::Invalid("its issuer publishes no such key"));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the issuer was asked less than half a minute ago");

    let (wrong, _) = ed25519(2, "k1");
    let forged = foreign(Algorithm::EdDSA, &wrong, Some("k1"), &json!({"sub": sample.user}));
    assert!(hub.admit(&forged).await.is_err());
    let confused = EncodingKey::from_secret(public["x"].as_str().unwrap().as_bytes()).unwrap();
    let confused = foreign(Algorithm::HS256, &confused, Some("k1"), &json!({"sub": sample.user}));
    let refused = hub.admit(&confused).await.unwrap_err();
    assert_eq!(refused, AuthError::Invalid("it is signed with an algorithm that is not accepted"));
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_not_the_users_fault() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut sample = Sample::new();
    sample.add_issuer(ISS, IssuerKey::Jwks(format!("http://{closed}/").parse().unwrap()));
    let hub = hub(std::mem::take(&mut sample.directory), false);
    let (key, _) = ed25519(1, "k1");
    let token = foreign(Algorithm::EdDSA, &key, Some("k1"), &json!({"sub": sample.user}));
    assert!(matches!(hub.admit(&token).await, Err(AuthError::Unavailable(_))));
}

#[tokio::test]
async fn a_key_document_that_is_too_large_is_not_read_to_its_end() {
    let (key, public) = ed25519(1, "k1");
    let (url, _) = publish(json!({"keys": [public], "pad": "x".repeat(300 * 1024)}).to_string()).await;
    let mut sample = Sample::new();
    sample.add_issuer(ISS, IssuerKey::Jwks(url));
    let hub = hub(std::mem::take(&mut sample.directory), false);
    let token = foreign(Algorithm::EdDSA, &key, Some("k1"), &json!({"sub": sample.user}));
    assert!(matches!(hub.admit(&token).await, Err(AuthError::Unavailable(_))));
}

/// RFC 7515, appendices A.2 and A.3: genuine but from 2011, so that "expired" proves the signature.
#[tokio::test]
async fn the_rfcs_examples_for_rs256_and_es256_are_genuine_but_expired() {
    let published = json!({"keys": [
        {"kty": "RSA", "kid": "unused", "use": "enc", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
        {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
    ]});
    let (url, _) = publish(published.to_string()).await;
    let mut sample = Sample::new();
    // Keys that are fetched, for tokens that name no audience: what the hub itself would refuse to ask.
    let jwks = jwks::Jwks::new(Duration::from_mins(1)).unwrap();
    let id = sample.add_issuer("joe", IssuerKey::Jwks(url));
    sample.issuer_mut(id).audience = None;
    let issuer = sample.directory.issuers[&id].clone();
    let claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let rs256 = format!(
        "eyJhbGciOiJSUzI1NiJ9.{claims}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    let es256 = format!(
        "eyJhbGciOiJFUzI1NiJ9.{claims}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    for token in [rs256, es256] {
        assert_eq!(crate::auth::issuers::verify(&issuer, &token, &jwks).await.unwrap_err(), AuthError::Expired);
        let forged = token.replace(".cC4h", ".dC4h").replace(".DtEh", ".EtEh");
        let refused = crate::auth::issuers::verify(&issuer, &forged, &jwks).await.unwrap_err();
        assert_eq!(refused, AuthError::Invalid("its signature or its claims are wrong"));
    }
}

/// A hub with this agency's issuer, changed before.
fn with_issuer_that(change: impl FnOnce(&mut crate::domain::directory::Issuer)) -> (Sample, Hub) {
    let mut sample = Sample::new();
    let id = sample.add_issuer(ISS, IssuerKey::Secret(SHARED.into()));
    change(sample.issuer_mut(id));
    let hub = hub(std::mem::take(&mut sample.directory), false);
    (sample, hub)
}

#[tokio::test]
async fn an_address_counts_only_if_the_issuer_has_verified_it_or_is_trusted_with_addresses() {
    let unverified = [
        json!({"sub": "auth0|17", "email": "ada@example.com"}),
        json!({"sub": "ada@example.com"}),
        json!({"sub": "ada@example.com", "email_verified": true}),
    ];
    let (_, strict) = with_issuer();
    let (sample, trusting) = with_issuer_that(|issuer| issuer.trust_email = true);
    for claims in unverified {
        let refused = strict.admit(&shared(&claims)).await;
        assert!(
            matches!(refused, Err(AuthError::Invalid(why)) if why.contains("--trust-email")),
            "{claims}: {refused:?}"
        );
        let principal = trusting.admit(&shared(&claims)).await.unwrap();
        assert_eq!(principal.subject, Subject::User(sample.user), "{claims}");
    }
    let denied = json!({"sub": "x", "email": "ada@example.com", "email_verified": false});
    assert!(trusting.admit(&shared(&denied)).await.is_err(), "it says itself that the address is not verified");
}

#[tokio::test]
async fn a_token_of_an_issuer_lives_a_day_at_most() {
    let (sample, hub) = with_issuer();
    let now = clock::now().timestamp();
    let day = 24 * 3600;
    for (iat, exp, is_good) in [
        (Some(now), now + day, true),
        (Some(now - 3600), now + day - 3600, true),
        (None, now + day, true),
        (Some(now), now + day + 1, false),
        (Some(now - day), now + 60, false),
        // A beginning that is still to come makes no life longer.
        (Some(now + 30 * day), now + 31 * day, false),
        (None, now + day + 60, false),
        (None, 3_345_000_000, false),
    ] {
        let mut claims = json!({"sub": sample.user, "exp": exp});
        if let Some(iat) = iat {
            claims["iat"] = json!(iat);
        }
        let outcome = hub.admit(&shared(&claims)).await;
        match outcome {
            Ok(_) => assert!(is_good, "{claims}"),
            Err(error) => assert!(!is_good && error.to_string().contains("24 hours"), "{claims}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_token_without_a_name_can_be_signed_out_and_takes_no_other_with_it() {
    let (sample, hub) = with_issuer();
    let now = clock::now().timestamp();
    let token = |iat: i64| shared(&json!({"sub": sample.user, "jti": null, "iat": iat}));
    let (one, other) = (token(now), token(now - 1));
    let principal = hub.admit(&one).await.unwrap();
    hub.auth.logout(&principal, None).await.unwrap();
    assert_eq!(hub.admit(&one).await.unwrap_err(), AuthError::Invalid("it was signed out"));
    assert!(hub.auth.recheck(&principal).is_none());
    assert!(hub.admit(&other).await.is_ok());
}

#[tokio::test]
async fn what_was_made_of_an_issuers_token_ends_with_the_issuer() {
    let (_, hub) = {
        let mut sample = Sample::new();
        sample.add_issuer(ISS, IssuerKey::Secret(SHARED.into()));
        let hub = hub(std::mem::take(&mut sample.directory), false);
        (sample, hub)
    };
    let user = hub.directory.borrow().as_ref().unwrap().users_by_email["ada@example.com"];
    let principal = hub.admit(&shared(&json!({"sub": user}))).await.unwrap();
    let (derived, _) = hub.auth.derive(&principal, principal.expires_at.unwrap()).unwrap();
    let session = hub.admit(derived.expose_secret()).await.unwrap();
    let (again, _) = hub.auth.derive(&session, session.expires_at.unwrap()).unwrap();
    assert!(hub.auth.recheck(&session).is_some());

    let without = copy(hub.directory.borrow().as_ref().unwrap());
    hub.directory.send_replace(Some(Arc::new(without)));
    for token in [derived, again] {
        let refused = hub.admit(token.expose_secret()).await;
        assert!(matches!(refused, Err(AuthError::Invalid(_))), "{refused:?}");
    }
    assert!(hub.auth.recheck(&session).is_none());
    assert!(hub.admit(&hub.token(Subject::User(user))).await.is_ok(), "the user's own logins go on");
}

#[tokio::test]
async fn one_issuer_serves_two_agencies_by_the_audience_of_its_tokens() {
    let mut sample = Sample::new();
    let id = sample.add_issuer(ISS, IssuerKey::Secret(SHARED.into()));
    let mut other = sample.directory.issuers[&id].clone();
    other.id = IssuerId::generate();
    other.agency = sample.directory.users[&sample.other_user].agency;
    other.audience = Some("other".into());
    sample.directory.issuers.insert(other.id, other);
    sample.reindex();
    let hub = hub(std::mem::take(&mut sample.directory), false);
    let at = |sub: UserId, aud: Value| shared(&json!({"sub": sub, "aud": aud}));
    for (sub, aud) in [(sample.user, json!("dashboards")), (sample.other_user, json!(["x", "other"]))] {
        assert_eq!(hub.admit(&at(sub, aud)).await.unwrap().subject, Subject::User(sub));
    }
    for (sub, aud) in [
        (sample.other_user, json!("dashboards")),
        (sample.user, json!("other")),
        (sample.user, json!("a third site")),
        (sample.user, json!(["dashboards", "other"])),
        (sample.user, json!([])),
        (sample.user, json!(7)),
    ] {
        let refused = hub.admit(&at(sub, aud.clone())).await;
        assert!(matches!(refused, Err(AuthError::Invalid(_))), "{aud}: {refused:?}");
    }
}

#[tokio::test]
async fn keys_that_are_published_count_for_nobody_without_an_audience() {
    let (key, public) = ed25519(1, "k1");
    let (url, asked) = publish(json!({"keys": [public]}).to_string()).await;
    let mut sample = Sample::new();
    let id = sample.add_issuer(ISS, IssuerKey::Jwks(url));
    sample.issuer_mut(id).audience = None;
    let hub = hub(std::mem::take(&mut sample.directory), false);
    for aud in [json!("some other app"), json!(null)] {
        let token = foreign(Algorithm::EdDSA, &key, Some("k1"), &json!({"sub": sample.user, "aud": aud}));
        let refused = hub.admit(&token).await;
        assert!(matches!(refused, Err(AuthError::Invalid(why)) if why.contains("--audience")), "{refused:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}
