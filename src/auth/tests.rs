//! The authenticator as a whole, on a sample directory.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
};

use super::{sample::Sample, *};
use crate::domain::{
    AccountId, Role, clock,
    directory::{Directory, IssuerKey},
};

const PASSWORD: &str = "correct horse battery";
const SHARED: &str = "a secret that the agency shares with the hub";

#[derive(Default)]
struct Memory {
    revoked: Mutex<Vec<String>>,
    away: bool,
}

impl Revocations for Memory {
    fn revoke<'a>(&'a self, jti: &'a str, _: Timestamp) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(async move {
            self.revoked.lock().unwrap().push(jti.to_owned());
            if self.away { Err(AuthError::Unavailable("the database is away")) } else { Ok(()) }
        })
    }
}

struct Hub {
    auth: Authenticator,
    directory: watch::Sender<Option<Arc<Directory>>>,
    memory: Arc<Memory>,
}

fn hub(directory: Directory, away: bool) -> Hub {
    hub_with(directory, away, None)
}

fn hub_with(directory: Directory, away: bool, anonymous: Option<AccountId>) -> Hub {
    let (sender, directory) = watch::channel(Some(Arc::new(directory)));
    let memory = Arc::new(Memory { away, ..Memory::default() });
    let auth = Authenticator::new(Options {
        directory,
        revocations: memory.clone(),
        tokens: OwnTokens::hs256(&[7; 32]),
        token_ttl: Duration::from_hours(1),
        jwks_ttl: Duration::from_mins(10),
        login_attempts: 2,
        origins: Origins::default(),
        anonymous,
    });
    Hub { auth: auth.unwrap(), directory: sender, memory }
}

impl Hub {
    async fn admit(&self, token: &str) -> Result<Principal, AuthError> {
        self.auth.authenticate(Credentials::token(token)).await
    }

    fn token(&self, subject: Subject) -> String {
        let until = clock::now() + chrono::Duration::hours(1);
        self.auth.issue(subject, None, until).unwrap().0.expose_secret().to_owned()
    }
}

/// A token of an agency's issuer, with this signature and these claims besides the usual ones.
fn foreign(algorithm: Algorithm, key: &EncodingKey, kid: Option<&str>, claims: &Value) -> String {
    let mut all = json!({
        "iss": "https://id.agency.example", "aud": "dashboards", "exp": clock::now().timestamp() + 60, "jti": "f1",
    });
    all.as_object_mut().unwrap().append(&mut claims.as_object().unwrap().clone());
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, &all, key).unwrap()
}

fn shared(claims: &Value) -> String {
    foreign(Algorithm::HS256, &EncodingKey::from_secret(SHARED.as_bytes()), None, claims)
}

fn with_issuer() -> (Sample, Hub) {
    let mut sample = Sample::new();
    sample.add_issuer("https://id.agency.example", IssuerKey::Secret(SHARED.into()));
    let hub = hub(std::mem::take(&mut sample.directory), false);
    (sample, hub)
}

#[test]
fn a_client_without_a_login_is_let_in_only_where_the_settings_say_so() {
    assert_eq!(hub(Sample::new().directory, false).auth.anonymous().unwrap_err(), AuthError::Missing);
    let sample = Sample::new();
    let hub = hub_with(sample.directory, false, Some(sample.account));
    let nobody = hub.auth.anonymous().unwrap();
    assert_eq!((nobody.role_in(sample.account), nobody.accounts().len()), (Some(Role::Viewer), 1));
    assert!(hub.auth.issue(nobody.subject, None, clock::now()).is_err(), "it gets no token");
    assert_eq!(hub.auth.recheck(&nobody), Some(nobody.grants.clone()));
    hub.directory.send_replace(Some(Arc::new(Directory::default())));
    assert!(hub.auth.recheck(&nobody).is_none() && matches!(hub.auth.anonymous(), Err(AuthError::Invalid(_))));
}

#[tokio::test]
async fn a_login_gives_a_token_that_lets_the_user_in_until_they_sign_out() {
    let mut sample = Sample::new();
    sample.user_mut().password_hash = password::hash(&PASSWORD.into()).unwrap();
    let hub = hub(sample.directory, false);
    let login = hub.auth.login(" ADA@example.com", PASSWORD.into(), None).await.unwrap();
    assert_eq!(login.principal.subject, Subject::User(sample.user));
    let principal = hub.admit(login.token.expose_secret()).await.unwrap();
    assert_eq!(principal.role_in(sample.account), Some(Role::Agent));
    assert_eq!(principal.role_in(sample.other_account), None);
    assert_eq!(principal.expires_at, Some(login.expires_at));

    hub.auth.logout(&principal).await.unwrap();
    assert_eq!(*hub.memory.revoked.lock().unwrap(), [principal.jti.clone().unwrap()]);
    let refused = hub.admit(login.token.expose_secret()).await.unwrap_err();
    assert_eq!(refused, AuthError::Invalid("it was signed out"));
    assert!(hub.auth.recheck(&principal).is_none());
}

#[tokio::test]
async fn a_token_made_from_a_login_ends_with_it() {
    let sample = Sample::new();
    let hub = hub(sample.directory, false);
    let login = hub.admit(&hub.token(Subject::User(sample.user))).await.unwrap();
    let (socket_token, _) = hub.auth.issue(login.subject, login.jti.clone(), login.expires_at.unwrap()).unwrap();
    assert!(hub.admit(socket_token.expose_secret()).await.is_ok());
    hub.auth.logout(&login).await.unwrap();
    assert!(hub.admit(socket_token.expose_secret()).await.is_err());
}

#[tokio::test]
async fn signing_out_holds_here_even_if_it_could_not_be_written_down() {
    let sample = Sample::new();
    let hub = hub(sample.directory, true);
    let token = hub.token(Subject::User(sample.user));
    let login = hub.admit(&token).await.unwrap();
    assert!(matches!(hub.auth.logout(&login).await, Err(AuthError::Unavailable(_))));
    assert!(hub.admit(&token).await.is_err());
}

#[tokio::test]
async fn wrong_logins_all_look_alike_and_are_limited() {
    let mut sample = Sample::new();
    sample.user_mut().password_hash = password::hash(&PASSWORD.into()).unwrap();
    sample.user_mut().disabled = true;
    let hub = hub(sample.directory, false);
    let address = Some([192, 0, 2, 1].into());
    let disabled = hub.auth.login("ada@example.com", PASSWORD.into(), None).await.unwrap_err();
    let unknown = hub.auth.login("eve@example.com", PASSWORD.into(), address).await.unwrap_err();
    assert_eq!((&disabled, &unknown), (&AuthError::WrongLogin, &AuthError::WrongLogin));
    hub.auth.login("eve@example.com", PASSWORD.into(), address).await.unwrap_err();
    let third = hub.auth.login("eve@example.com", PASSWORD.into(), None).await.unwrap_err();
    assert!(matches!(third, AuthError::TooManyAttempts { .. }));
    let neighbour = hub.auth.login("mallory@example.com", PASSWORD.into(), address).await.unwrap_err();
    assert!(matches!(neighbour, AuthError::TooManyAttempts { .. }));
}

#[tokio::test]
async fn a_later_epoch_a_disabled_user_and_a_revoked_token_are_seen_in_the_newest_directory() {
    let changes: [fn(&mut Sample, &str); 4] = [
        |sample, _| sample.user_mut().token_epoch += 1,
        |sample, _| sample.user_mut().disabled = true,
        |sample, jti| sample.directory.revoked_tokens.extend([jti.to_owned()]),
        |sample, _| sample.directory.users.clear(),
    ];
    for change in changes {
        let mut sample = Sample::new();
        let hub = hub(Directory::default(), false);
        hub.directory.send_replace(Some(Arc::new(std::mem::take(&mut sample.directory))));
        let token = hub.token(Subject::User(sample.user));
        let principal = hub.admit(&token).await.unwrap();
        let mut newer = Sample { directory: copy(hub.directory.borrow().as_ref().unwrap()), ..sample };
        change(&mut newer, principal.jti.as_deref().unwrap());
        hub.directory.send_replace(Some(Arc::new(newer.directory)));
        assert!(matches!(hub.admit(&token).await, Err(AuthError::Invalid(_))));
        assert!(hub.auth.recheck(&principal).is_none());
    }
}

fn copy(directory: &Directory) -> Directory {
    Directory {
        agencies: directory.agencies.clone(),
        accounts: directory.accounts.clone(),
        users: directory.users.clone(),
        ..Directory::default()
    }
}

#[tokio::test]
async fn nobody_is_let_in_before_the_directory_is_loaded() {
    let hub = hub(Directory::default(), false);
    hub.directory.send_replace(None);
    assert!(matches!(hub.admit("lw_x").await, Err(AuthError::Unavailable(_))));
    let login = hub.auth.login("ada@example.com", PASSWORD.into(), None).await;
    assert!(matches!(login, Err(AuthError::Unavailable(_))));
}

#[tokio::test]
async fn a_key_lets_a_program_in_until_it_is_removed_and_never_from_a_cookie() {
    let mut sample = Sample::new();
    let secret = keys::generate().unwrap();
    let id = sample.add_key(Some(sample.account), Role::Manager, secret.expose_secret());
    let hub = hub(sample.directory, false);
    let program = hub.admit(secret.expose_secret()).await.unwrap();
    assert_eq!((program.subject, program.role_in(sample.account)), (Subject::ApiKey(id), Some(Role::Manager)));
    assert!(hub.admit("lw_another").await.is_err());
    let jar = Credentials(vec![Credential::Cookie(secret)]);
    assert!(hub.auth.authenticate(jar).await.is_err());
    let derived = hub.token(program.subject);
    assert_eq!(hub.admit(&derived).await.unwrap().subject, program.subject);
    assert!(matches!(hub.auth.logout(&program).await, Err(AuthError::Invalid(_))));
    hub.directory.send_replace(Some(Arc::default()));
    assert!(hub.admit(&derived).await.is_err());
}

#[tokio::test]
async fn the_first_good_credential_counts() {
    let sample = Sample::new();
    let hub = hub(sample.directory, false);
    let good = hub.token(Subject::User(sample.user));
    let stale = Credential::Cookie(SecretString::from("stale"));
    let both = Credentials(vec![stale.clone(), Credential::Token(good.into())]);
    assert!(hub.auth.authenticate(both).await.is_ok());
    assert!(matches!(hub.auth.authenticate(Credentials(vec![stale])).await, Err(AuthError::Invalid(_))));
    assert_eq!(hub.auth.authenticate(Credentials::default()).await.unwrap_err(), AuthError::Missing);
}

#[tokio::test]
async fn an_agencys_issuer_names_its_own_users_by_id_or_email() {
    let (sample, hub) = with_issuer();
    for claims in [
        json!({"sub": sample.user}),
        json!({"sub": "auth0|17", "email": "Ada@Example.com"}),
        json!({"sub": "ada@example.com"}),
    ] {
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
    let jar = Credentials(vec![Credential::Cookie(token.clone().into())]);
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
    sample.add_issuer("https://id.agency.example", IssuerKey::Jwks(url));
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
    let confused = EncodingKey::from_secret(public["x"].as_str().unwrap().as_bytes());
    let confused = foreign(Algorithm::HS256, &confused, Some("k1"), &json!({"sub": sample.user}));
    let refused = hub.admit(&confused).await.unwrap_err();
    assert_eq!(refused, AuthError::Invalid("it is signed with an algorithm that is not accepted"));
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_not_the_users_fault() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut sample = Sample::new();
    sample.add_issuer("https://id.agency.example", IssuerKey::Jwks(format!("http://{closed}/").parse().unwrap()));
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
    sample.add_issuer("https://id.agency.example", IssuerKey::Jwks(url));
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
    sample.add_issuer("joe", IssuerKey::Jwks(url));
    sample.directory.issuers.get_mut("joe").unwrap().audience = None;
    let hub = hub(sample.directory, false);
    let claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let rs256 = format!(
        "eyJhbGciOiJSUzI1NiJ9.{claims}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    let es256 = format!(
        "eyJhbGciOiJFUzI1NiJ9.{claims}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    for token in [rs256, es256] {
        assert_eq!(hub.admit(&token).await.unwrap_err(), AuthError::Expired);
        let forged = token.replace(".cC4h", ".dC4h").replace(".DtEh", ".EtEh");
        let refused = hub.admit(&forged).await.unwrap_err();
        assert_eq!(refused, AuthError::Invalid("its signature or its claims are wrong"));
    }
}
