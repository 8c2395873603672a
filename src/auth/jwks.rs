//! The public keys of agencies' issuers, fetched from where they publish them and kept for a while.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use tokio::time::Instant;
use url::Url;

use super::AuthError;
use crate::{config::certificates, domain::IssuerId};

/// A fetch that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A larger document has failed.
const MAX_BYTES: usize = 256 * 1024;
/// More keys in one document are not looked at.
const MAX_KEYS: usize = 100;
/// An unknown key id asks the issuer again, but not more often than this: anybody can make one up.
const REFETCH: Duration = Duration::from_secs(30);
/// After a fetch that failed the next waits this long.
const RETRY: Duration = Duration::from_secs(5);
/// While an issuer can't be reached its last keys stay good so much longer than `auth.jwks_ttl`.
const STALE: Duration = Duration::from_hours(1);

/// One key that can verify tokens, with the one algorithm it is good for.
#[derive(Debug, Clone)]
pub struct Key {
    id: Option<String>,
    /// RS256, ES256 or `EdDSA`, by the kind of key.
    pub algorithm: Algorithm,
    /// The public key.
    pub decoding: DecodingKey,
}

/// The keys of all issuers.
#[derive(Debug)]
pub struct Jwks {
    client: reqwest::Client,
    ttl: Duration,
    issuers: Mutex<HashMap<IssuerId, Arc<Published>>>,
}

/// What one issuer publishes. The outer lock is held while fetching, so that one fetch serves all who wait for it.
#[derive(Debug, Default)]
struct Published {
    fetching: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default, Clone)]
struct State {
    keys: Arc<[Key]>,
    fetched_at: Option<Instant>,
    asked_at: Option<Instant>,
    failed: bool,
}

impl Jwks {
    /// Keeps fetched keys for `ttl`.
    ///
    /// # Errors
    /// If the HTTP client cannot be built.
    pub fn new(ttl: Duration) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(certificates::client())
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("leadwire/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, ttl, issuers: Mutex::default() })
    }

    /// The key with this id; without an id, the issuer's only key for that algorithm.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] if the issuer publishes no such key, [`AuthError::Unavailable`] if it can't be asked.
    pub async fn key(
        &self,
        issuer: IssuerId,
        url: &Url,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Key, AuthError> {
        let published = self.published(issuer);
        let state = published.state();
        if let Some(key) = state.fresh(self.ttl).then(|| pick(&state.keys, id, algorithm)).flatten() {
            return Ok(key);
        }
        let _one_at_a_time = published.fetching.lock().await;
        let mut state = published.state();
        let found = pick(&state.keys, id, algorithm);
        if !(found.is_some() && state.fresh(self.ttl)) && state.may_ask() {
            match self.fetch(url).await {
                Ok(keys) => {
                    state = State { keys, fetched_at: Some(Instant::now()), asked_at: None, failed: false };
                }
                Err(reason) => {
                    tracing::warn!(issuer = %issuer, url = %url, reason, "an issuer's keys could not be fetched");
                    state.failed = true;
                }
            }
            state.asked_at = Some(Instant::now());
            *published.state.lock().unwrap_or_else(PoisonError::into_inner) = state.clone();
        }
        match pick(&state.keys, id, algorithm).filter(|_| state.fresh(self.ttl + STALE)) {
            Some(key) => Ok(key),
            None if state.failed => Err(AuthError::Unavailable("the issuer's keys can't be fetched")),
            None => Err(AuthError::Invalid("its issuer publishes no such key")),
        }
    }

    /// Forgets issuers that are no longer there.
    pub fn retain(&self, known: impl Fn(IssuerId) -> bool) {
        self.issuers.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| known(*id));
    }

    fn published(&self, issuer: IssuerId) -> Arc<Published> {
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(issuers.entry(issuer).or_default())
    }

    async fn fetch(&self, url: &Url) -> Result<Arc<[Key]>, &'static str> {
        #[derive(serde::Deserialize)]
        struct Document {
            keys: Vec<serde_json::Value>,
        }
        let mut answer = self.client.get(url.clone()).send().await.map_err(|_| "no answer")?;
        if !answer.status().is_success() {
            return Err("the answer is not 200");
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|_| "the answer broke off")? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err("the answer is too large");
            }
            body.extend_from_slice(&chunk);
        }
        let document: Document = serde_json::from_slice(&body).map_err(|_| "the answer is no JWK set")?;
        Ok(document.keys.into_iter().take(MAX_KEYS).filter_map(usable).collect())
    }
}

impl Published {
    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl State {
    fn fresh(&self, ttl: Duration) -> bool {
        self.fetched_at.is_some_and(|at| at.elapsed() < ttl)
    }

    fn may_ask(&self) -> bool {
        let wait = if self.failed { RETRY } else { REFETCH };
        self.asked_at.is_none_or(|at| at.elapsed() >= wait)
    }
}

fn pick(keys: &[Key], id: Option<&str>, algorithm: Algorithm) -> Option<Key> {
    let mut fitting = keys.iter().filter(|key| key.algorithm == algorithm);
    match id {
        Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)).cloned(),
        None => fitting.next().filter(|_| fitting.next().is_none()).cloned(),
    }
}

/// A published key, if it is of a kind the hub accepts. One that is not leaves the others untouched.
fn usable(value: serde_json::Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    let for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let for_this = jwk.common.key_algorithm.is_none_or(|algorithm| algorithm == named);
    let decoding = DecodingKey::from_jwk(&jwk).ok().filter(|_| for_signatures && for_this)?;
    Some(Key { id: jwk.common.key_id, algorithm, decoding })
}
