//! The ways to sign in, and what ends a login, on a hub that runs.

use jsonwebtoken::{EncodingKey, Header};
use leadwire::domain::clock;
use loadtest::hub::{Hub, Setup};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{PATIENCE, binary, until};

const ISS: &str = "https://id.harbor.example";
const SHARED: &str = "a secret that the agency shares with the hub";

/// A hub with one agency, one account and one agent.
struct Harbor {
    hub: Hub,
    agency: String,
    user: String,
}

impl Harbor {
    async fn open() -> Self {
        let mut hub = Hub::prepare(Setup::new(binary())).await.unwrap();
        let agency = hub.add_agency("Harbor").await.unwrap();
        let account = hub.add_account(&agency, "Bakery").await.unwrap();
        let user = hub.add_user(&agency, "ada@harbor.example", "Ada", &[(&account, "agent")]).await.unwrap();
        hub.start().await.unwrap();
        Self { hub, agency, user }
    }

    async fn status_of(&self, token: &str) -> StatusCode {
        self.hub.http().get(self.hub.url("/api/me")).bearer_auth(token).send().await.unwrap().status()
    }

    async fn until_answered(&self, token: &str, status: u16) {
        let what = format!("/api/me answers {status}");
        let answered = until(&what, PATIENCE, || async {
            let now = self.status_of(token).await;
            Ok(if now == status { Ok(()) } else { Err(now.to_string()) })
        });
        answered.await.unwrap();
    }
}

#[tokio::test]
async fn a_token_made_of_an_issuers_token_ends_within_moments_when_the_issuer_is_removed() {
    let harbor = Harbor::open().await;
    let add = ["issuer", "add", "--agency", &harbor.agency, "--iss", ISS];
    let issuer = harbor.hub.run(&add, &[("LEADWIRE_ISSUER_SECRET", SHARED)]).await.unwrap();
    let now = clock::now().timestamp();
    let claims = json!({"iss": ISS, "sub": harbor.user, "iat": now, "exp": now + 3600});
    let key = EncodingKey::from_secret(SHARED.as_bytes()).unwrap();
    let token = jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap();
    harbor.until_answered(&token, 200).await;
    let answer = harbor.hub.http().post(harbor.hub.url("/api/token")).bearer_auth(&token).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let derived = answer["token"].as_str().unwrap();
    assert_eq!(harbor.status_of(derived).await, 200);

    harbor.hub.run(&["issuer", "remove", &issuer], &[]).await.unwrap();
    harbor.until_answered(&token, 401).await;
    assert_eq!(harbor.status_of(derived).await, 401);
}

#[tokio::test]
async fn an_issuer_that_publishes_its_keys_is_not_added_without_an_audience() {
    let harbor = Harbor::open().await;
    let add = ["issuer", "add", "--agency", &harbor.agency, "--iss", ISS, "--jwks", "https://id.harbor.example/keys"];
    let refused = harbor.hub.run(&add, &[]).await.unwrap_err().to_string();
    assert!(refused.contains("--audience is missing") && refused.contains("client id"), "{refused}");
    harbor.hub.run(&[&add[..], &["--audience", "ours"]].concat(), &[]).await.unwrap();
    let other = harbor.hub.add_agency("Meadow").await.unwrap();
    let add = [&["issuer", "add", "--agency", &other], &add[4..], &["--audience", "theirs", "--trust-email"]].concat();
    harbor.hub.run(&add, &[]).await.unwrap();
    let listed = harbor.hub.run(&["issuer", "list"], &[]).await.unwrap();
    assert!(listed.contains("ours") && listed.contains("theirs") && listed.contains("trusted"), "{listed}");
}
