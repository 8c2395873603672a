//! Tokens as anybody may send them, for [fuzzing](crate::fuzzing).

use std::sync::LazyLock;

use secrecy::{ExposeSecret, SecretString};

use super::{
    OwnTokens, Subject, keys,
    tokens::{AUDIENCE, Claims, ISSUER, claimed, header},
    who,
};
use crate::domain::{
    AccountId, AgencyId, ApiKeyId, Role,
    directory::{Agency, ApiKey, Directory},
};

const KEY: &[u8; 32] = b"an example key of exactly 32 oct";
/// In the corpus as well.
const API_KEY: &str = "lw_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

struct Known {
    own: OwnTokens,
    /// The one token that was ever signed.
    token: SecretString,
    directory: Directory,
    key: ApiKeyId,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let agency = AgencyId::derive(&[b"agency"]);
    let own = OwnTokens::hs256(KEY);
    let claims = Claims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: "usr_01".into(),
        agency,
        epoch: 1,
        jti: "one".into(),
        issuer: None,
        iat: 1_790_000_000,
        exp: 4_102_444_800,
    };
    let token = own.sign(&claims).expect("the key signs");
    let mut directory = Directory::default();
    let key = ApiKeyId::derive(&[b"key"]);
    let account = Some(AccountId::derive(&[b"account"]));
    directory.agencies.insert(agency, Agency { id: agency, name: String::new() });
    directory.api_keys.insert(
        keys::hash(API_KEY),
        ApiKey { id: key, agency, account, role: Role::Viewer, name: String::new(), responsible: None, left: false },
    );
    Known { own, token, directory: directory.indexed(), key }
});

/// A text that is to be somebody's token or key: it opens only if it is the very one that was given out.
pub fn tokens(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let known = &*KNOWN;
    assert!(known.own.verify(known.token.expose_secret()).is_ok(), "the token that was given out does not open");
    if let Ok(claims) = known.own.verify(text) {
        assert_eq!(text, known.token.expose_secret(), "another token opens");
        assert_eq!(claims.jti, "one");
    }
    if header(text).is_err() {
        assert!(claimed(text).is_err(), "it has no header, and an issuer");
    }
    if let Ok(principal) = who::by_key(text, &known.directory) {
        assert_eq!(text, API_KEY, "another key opens");
        assert!(matches!(principal.subject, Subject::ApiKey(id) if id == known.key));
    }
}
