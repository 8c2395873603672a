//! The hub's own tokens: JWTs signed with HS256 (a key derived from the master key) or `EdDSA` (a PEM file).

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    errors::{Error as JwtError, ErrorKind},
    jwk::Jwk,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::AuthError;
use crate::{
    config::{KeyRing, Made},
    domain::{AgencyId, IssuerId, Timestamp},
};

/// The `iss` of the hub's own tokens; no agency may name its issuer so.
pub const ISSUER: &str = "leadwire";
/// The `aud` of the hub's own tokens.
pub const AUDIENCE: &str = "leadwire";
/// A longer token is not looked at.
pub const MAX_LENGTH: usize = 8 * 1024;
/// How far clocks may differ, in seconds.
pub(super) const LEEWAY: u64 = 30;

/// What a token of the hub's own says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// [`ISSUER`].
    pub iss: String,
    /// [`AUDIENCE`].
    pub aud: String,
    /// A user's or an API key's id.
    pub sub: String,
    /// Their tenant.
    pub agency: AgencyId,
    /// The user's epoch when it was issued.
    pub epoch: i64,
    /// Names the sign-in.
    pub jti: String,
    /// The agency's own issuer whose token it was made of; it ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<IssuerId>,
    /// Issued, in seconds since 1970.
    pub iat: i64,
    /// Good until, in seconds since 1970.
    pub exp: i64,
}

impl Claims {
    /// When the token runs out.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_timestamp(self.exp, 0).unwrap_or_default()
    }
}

/// The PEM file holds no key that can be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "auth.signing_key_file must hold an Ed25519 private key in PKCS#8 PEM form: openssl genpkey -algorithm ed25519"
)]
pub struct SigningKeyError;

/// Signs and verifies the hub's own tokens, with one algorithm and no other. The newest key signs, all of them verify.
pub struct OwnTokens {
    keys: Made<Key>,
}

struct Key {
    encoding: EncodingKey,
    decoding: DecodingKey,
    header: Header,
}

impl OwnTokens {
    /// HS256 with a key that is used for nothing else.
    ///
    /// # Panics
    /// Never: only an empty key is refused.
    #[must_use]
    pub fn hs256(key: &[u8; 32]) -> Self {
        Self { keys: Made::only(Key::hs256(key)) }
    }

    /// `EdDSA` with an Ed25519 private key in PKCS#8 PEM form.
    ///
    /// # Errors
    /// If the text is no such key.
    pub fn eddsa(pem: &[u8]) -> Result<Self, SigningKeyError> {
        let encoding = EncodingKey::from_ed_pem(pem).map_err(|_| SigningKeyError)?;
        let public = Jwk::from_encoding_key(&encoding, Algorithm::EdDSA).map_err(|_| SigningKeyError)?;
        let decoding = DecodingKey::from_jwk(&public).map_err(|_| SigningKeyError)?;
        let id = decoding.try_get_as_bytes().map_err(|_| SigningKeyError)?.to_vec();
        Ok(Self { keys: Made::only(Key::new(Algorithm::EdDSA, (encoding, decoding), &id)) })
    }

    /// `EdDSA` with the key in this file (`auth.signing_key_file`), or HS256 with keys that are derived from the master keys
    /// if none is named.
    ///
    /// # Errors
    /// If the file can't be read or holds no such key.
    pub fn configured(file: &str, masters: &KeyRing) -> Result<Self, SigningKeyError> {
        if file.is_empty() {
            return Ok(Self { keys: Made::of(masters, |master| Key::hs256(&master.derive("login tokens"))) });
        }
        Self::eddsa(&std::fs::read(file).map_err(|_| SigningKeyError)?)
    }

    /// Signs.
    ///
    /// # Errors
    /// [`AuthError::Unavailable`] if the key cannot sign.
    pub(super) fn sign(&self, claims: &impl Serialize) -> Result<SecretString, AuthError> {
        let keys = self.keys.all();
        let token = jsonwebtoken::encode(&keys[0].header, claims, &keys[0].encoding);
        token.map(SecretString::from).map_err(|_| AuthError::Unavailable("no token could be signed"))
    }

    /// What a token says, if one of the keys signed it and it is still good.
    ///
    /// # Errors
    /// [`AuthError::Expired`] or [`AuthError::Invalid`].
    pub(super) fn verify(&self, token: &str) -> Result<Claims, AuthError> {
        self.verify_for(token, AUDIENCE)
    }

    /// The same for what is meant for another audience than logins are.
    ///
    /// # Errors
    /// [`AuthError::Expired`] or [`AuthError::Invalid`].
    pub(super) fn verify_for<T: DeserializeOwned>(&self, token: &str, audience: &str) -> Result<T, AuthError> {
        let header = header(token)?;
        let found = self.keys.find(|key| key.header.kid == header.kid);
        let (keys, at) = found.ok_or(AuthError::Invalid("it was signed with a key that is no longer used"))?;
        let key = &keys[at];
        decode(token, &key.decoding, &validation(key.header.alg, ISSUER, Some(audience)))
    }
}

impl Key {
    fn hs256(key: &[u8; 32]) -> Self {
        let encoding = EncodingKey::from_secret(key).expect("32 bytes are a key");
        let decoding = DecodingKey::from_secret(key).expect("32 bytes are a key");
        Self::new(Algorithm::HS256, (encoding, decoding), key)
    }

    fn new(algorithm: Algorithm, (encoding, decoding): (EncodingKey, DecodingKey), id: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(b"leadwire kid").chain_update(id).finalize();
        let header = Header { kid: Some(hex::encode(&digest[..8])), ..Header::new(algorithm) };
        Self { encoding, decoding, header }
    }
}

/// The rules that every token must pass: this algorithm, this issuer, a time to run out.
pub(super) fn validation(algorithm: Algorithm, issuer: &str, audience: Option<&str>) -> Validation {
    let mut rules = Validation::new(algorithm);
    rules.leeway = LEEWAY;
    rules.validate_nbf = true;
    rules.set_issuer(&[issuer]);
    rules.validate_aud = audience.is_some();
    rules.set_audience(audience.as_slice());
    rules.set_required_spec_claims(if audience.is_some() { &["exp", "iss", "aud"][..] } else { &["exp", "iss"][..] });
    rules
}

/// Verifies a token and reads its claims.
pub(super) fn decode<T: DeserializeOwned>(token: &str, key: &DecodingKey, rules: &Validation) -> Result<T, AuthError> {
    jsonwebtoken::decode(token, key, rules).map(|data| data.claims).map_err(|error| refusal(&error))
}

/// Reads a token's header. One that demands an extension (`crit`) is refused: none is known here.
pub(super) fn header(token: &str) -> Result<Header, AuthError> {
    if token.len() > MAX_LENGTH {
        return Err(AuthError::Invalid("it is too long"));
    }
    match jsonwebtoken::decode_header(token) {
        Ok(Header { crit: Some(_), .. }) => Err(AuthError::Invalid("it demands an extension that is not known here")),
        Ok(header) => Ok(header),
        Err(_) => Err(AuthError::Invalid("it is no signed token")),
    }
}

/// Who a token says issued it, and for whom.
#[derive(Debug, Deserialize)]
pub(super) struct Claimed {
    pub iss: String,
    #[serde(default)]
    aud: Audience,
}

/// One name or several.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
    #[default]
    Nobody,
}

impl Claimed {
    /// Whether it says that it is for `audience`.
    pub(super) fn is_for(&self, audience: &str) -> bool {
        match &self.aud {
            Audience::One(name) => name == audience,
            Audience::Several(names) => names.iter().any(|name| name == audience),
            Audience::Nobody => false,
        }
    }
}

/// Who a token says issued it. Nothing about it is believed yet; it only chooses the key to verify it with.
pub(super) fn claimed(token: &str) -> Result<Claimed, AuthError> {
    header(token)?;
    let claimed = jsonwebtoken::dangerous::insecure_decode_claims(token);
    claimed.map_err(|_| AuthError::Invalid("it does not say who issued it"))
}

fn refusal(error: &JwtError) -> AuthError {
    match error.kind() {
        ErrorKind::ExpiredSignature => AuthError::Expired,
        ErrorKind::ImmatureSignature => AuthError::Invalid("its time has not come yet"),
        ErrorKind::InvalidAudience => AuthError::Invalid("it is meant for somebody else"),
        ErrorKind::InvalidIssuer => AuthError::Invalid("its issuer is not known here"),
        ErrorKind::InvalidAlgorithm => AuthError::Invalid("it is signed with an algorithm that is not accepted"),
        ErrorKind::MissingRequiredClaim(_) => AuthError::Invalid("a claim that it must have is missing"),
        _ => AuthError::Invalid("its signature or its claims are wrong"),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;
    use crate::{auth::sample, domain::clock};

    const KEY: &[u8; 32] = b"an example key of exactly 32 oct";

    fn claims() -> Claims {
        let now = clock::now().timestamp();
        Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: "usr_01".into(),
            agency: AgencyId::generate(),
            epoch: 3,
            jti: "j".into(),
            issuer: None,
            iat: now,
            exp: now + 60,
        }
    }

    fn changed(tokens: &OwnTokens, change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut claims = serde_json::to_value(claims()).unwrap();
        change(&mut claims);
        jsonwebtoken::encode(&tokens.keys.all()[0].header, &claims, &tokens.keys.all()[0].encoding).unwrap()
    }

    #[test]
    fn a_token_survives_signing_with_either_algorithm() {
        for tokens in [OwnTokens::hs256(KEY), OwnTokens::eddsa(sample::ed25519_pem(7).as_bytes()).unwrap()] {
            let claims = claims();
            let token = tokens.sign(&claims).unwrap();
            assert_eq!(tokens.verify(token.expose_secret()), Ok(claims));
        }
    }

    #[test]
    fn the_newest_key_signs_and_all_of_them_verify() {
        let keys = |text: &str| OwnTokens::configured("", &KeyRing::parse(text).unwrap()).unwrap();
        let (old, new) = ("ab".repeat(32), "cd".repeat(32));
        let (before, both) = (keys(&old), keys(&format!("{new} {old}")));
        let early = before.sign(&claims()).unwrap();
        assert!(both.verify(early.expose_secret()).is_ok());
        let late = both.sign(&claims()).unwrap();
        assert!(both.verify(late.expose_secret()).is_ok() && keys(&new).verify(late.expose_secret()).is_ok());
        assert!(matches!(before.verify(late.expose_secret()), Err(AuthError::Invalid(_))));
        assert!(matches!(keys(&new).verify(early.expose_secret()), Err(AuthError::Invalid(_))), "it was forgotten");
    }

    #[test]
    fn a_pem_file_without_an_ed25519_key_is_refused() {
        assert!(OwnTokens::eddsa(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").is_err());
    }

    #[test]
    fn a_token_runs_out_after_the_leeway() {
        let tokens = OwnTokens::hs256(KEY);
        let now = clock::now().timestamp();
        let late = changed(&tokens, |claims| claims["exp"] = json!(now - 20));
        assert!(tokens.verify(&late).is_ok(), "clocks may differ by half a minute");
        let later = changed(&tokens, |claims| claims["exp"] = json!(now - 40));
        assert_eq!(tokens.verify(&later), Err(AuthError::Expired));
        let early = changed(&tokens, |claims| claims["nbf"] = json!(now + 300));
        assert!(matches!(tokens.verify(&early), Err(AuthError::Invalid(_))));
    }

    #[test]
    fn a_token_without_exp_or_with_another_audience_or_issuer_is_refused() {
        let tokens = OwnTokens::hs256(KEY);
        let remove = |key: &'static str| {
            changed(&tokens, |claims| {
                claims.as_object_mut().unwrap().remove(key);
            })
        };
        for bad in [
            remove("exp"),
            remove("aud"),
            remove("iss"),
            changed(&tokens, |claims| claims["aud"] = json!("other")),
            changed(&tokens, |claims| claims["iss"] = json!("other")),
            changed(&tokens, |claims| claims["exp"] = json!("never")),
        ] {
            assert!(matches!(tokens.verify(&bad), Err(AuthError::Invalid(_))), "{bad}");
        }
    }

    #[test]
    fn an_unsigned_token_and_one_signed_with_the_public_key_as_secret_are_refused() {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
        let tokens = OwnTokens::eddsa(sample::ed25519_pem(7).as_bytes()).unwrap();
        let payload = BASE64.encode(serde_json::to_vec(&claims()).unwrap());
        let kid = tokens.keys.all()[0].header.kid.clone().unwrap();
        let unsigned = format!("{}.{payload}.", BASE64.encode(json!({"alg": "none", "kid": kid}).to_string()));
        assert!(matches!(tokens.verify(&unsigned), Err(AuthError::Invalid(_))));

        let keys = tokens.keys.all();
        let public = keys[0].decoding.try_get_as_bytes().unwrap();
        let header = Header { kid: Some(kid), ..Header::new(Algorithm::HS256) };
        let confused = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(public).unwrap()).unwrap();
        let refused = tokens.verify(&confused);
        assert_eq!(refused, Err(AuthError::Invalid("it is signed with an algorithm that is not accepted")));
    }

    #[test]
    fn a_token_of_another_key_is_refused_even_under_the_same_key_id() {
        let (ours, theirs) = (OwnTokens::hs256(KEY), OwnTokens::hs256(b"another key of exactly 32 octets"));
        assert!(ours.verify(theirs.sign(&claims()).unwrap().expose_secret()).is_err());
        let forged =
            jsonwebtoken::encode(&ours.keys.all()[0].header, &claims(), &theirs.keys.all()[0].encoding).unwrap();
        assert!(ours.verify(&forged).is_err());
    }

    #[test]
    fn a_token_that_demands_an_extension_is_refused() {
        let tokens = OwnTokens::hs256(KEY);
        let header = Header { crit: Some(vec!["b64".into()]), ..tokens.keys.all()[0].header.clone() };
        let token = jsonwebtoken::encode(&header, &claims(), &tokens.keys.all()[0].encoding).unwrap();
        assert!(tokens.verify(&token).is_err());
    }
}
