//! Is it Meta? The handshake that sets a webhook up, and the signature on every POST.

use std::borrow::Cow;

use secrecy::SecretString;
use url::form_urlencoded;

use super::{HandshakeError, proof::same};

/// Carries `sha256=` and 64 hex digits. The older `x-hub-signature` (SHA-1) still comes along and is not looked at.
pub const SIGNATURE: &str = "x-hub-signature-256";

/// The documented challenge is an integer; scripts that set webhooks up send words.
const LONGEST_CHALLENGE: usize = 256;

/// Answers `hub.mode`, `hub.verify_token` and `hub.challenge`. A missing mode counts as `subscribe`, the only one
/// there is. The token is looked at first, so that who doesn't know it learns nothing else.
pub fn handshake(query: &str, token: &SecretString) -> Result<String, HandshakeError> {
    let (mut mode, mut given, mut challenge) = (None, None, None);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match key.as_ref() {
            "hub.mode" => mode = mode.or(Some(value)),
            "hub.verify_token" => given = given.or(Some(value)),
            "hub.challenge" => challenge = challenge.or(Some(value)),
            _ => {}
        }
    }
    if !given.is_some_and(|given| same(given.as_bytes(), token)) {
        return Err(HandshakeError::Token);
    }
    if mode.is_some_and(|mode| mode != "subscribe") {
        return Err(HandshakeError::Mode);
    }
    challenge.filter(|challenge| plain_and_short(challenge)).map(Cow::into_owned).ok_or(HandshakeError::Challenge)
}

fn plain_and_short(challenge: &str) -> bool {
    !challenge.is_empty()
        && challenge.chars().count() <= LONGEST_CHALLENGE
        && !challenge.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER)
}

/// The signature in the header's value.
///
/// Meta signs the body with its characters outside ASCII escaped, and that is how it sends it: the raw bytes are
/// right, and a body that was parsed and written again is not.
pub fn signature(given: &[u8]) -> Option<[u8; 32]> {
    let mut signature = [0; 32];
    hex::decode_to_slice(given.strip_prefix(b"sha256=")?, &mut signature).ok().map(|()| signature)
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;

    use super::{super::proof::signer, *};

    const BODY: &[u8] = br#"{"entry":[{"id":"0","time":1588890044,"changes":[{"field":"leadgen","value":{"ad_id":"444444444","form_id":"444444444444","leadgen_id":"444444444444","created_time":1588890044,"page_id":"444444444444","adgroup_id":"44444444444"}}]}],"object":"page"}"#;
    const BODY_SIGNATURE: &str = "sha256=488d3132b0975d01a9e771f4f82235c54eb1b5904cdc947d5c518861291c51ab";
    const ESCAPED: &[u8] =
        br#"{"object":"page","entry":[{"id":"1","time":1,"messaging":[{"message":{"mid":"m","text":"\u00e4\u00f6\u00e5"}}]}]}"#;
    const ESCAPED_SIGNATURE: &str = "sha256=4c3c569f8ccfc2f32fc5ad806cbf98c34585ed3a1b124ea1316ab54444d24585";

    fn secrets(list: &[&str]) -> Vec<SecretString> {
        list.iter().map(|secret| SecretString::from(*secret)).collect()
    }

    fn signed(secrets: &[SecretString], header: &[u8], body: &[u8]) -> bool {
        signature(header).is_some_and(|signature| signer(secrets, &signature, body).is_some())
    }

    fn shake(query: &str) -> Result<String, HandshakeError> {
        handshake(query, &"meaty hamhock".into())
    }

    #[test]
    fn meta_gets_its_challenge_back_as_it_was() {
        let query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meaty+hamhock";
        assert_eq!(shake(query), Ok("1158201444".to_owned()));
        let escaped = "hub%2Emode=subscribe&hub%2Echallenge=a%2Bb%20%C3%A4&hub.verify_token=meaty%20hamhock";
        assert_eq!(shake(escaped), Ok("a+b ä".to_owned()));
    }

    #[test]
    fn a_script_without_a_mode_and_with_words_for_a_challenge_is_answered() {
        let query = "hub.verify_token=meaty%20hamhock&hub.challenge=test_challenge_123";
        assert_eq!(shake(query), Ok("test_challenge_123".to_owned()));
    }

    #[test]
    fn who_does_not_know_the_token_is_refused() {
        for token in ["", "meaty", "meaty hamhock ", "Meaty hamhock", "%00"] {
            let query = format!("hub.mode=subscribe&hub.challenge=1&hub.verify_token={token}");
            assert_eq!(shake(&query), Err(HandshakeError::Token), "{token}");
        }
        assert_eq!(shake(""), Err(HandshakeError::Token));
        assert_eq!(shake("hub.mode=subscribe&hub.challenge=1"), Err(HandshakeError::Token));
        assert_eq!(HandshakeError::Token.status(), 403);
    }

    #[test]
    fn a_token_that_nobody_set_is_known_by_nobody() {
        let query = "hub.mode=subscribe&hub.challenge=1&hub.verify_token=";
        assert_eq!(handshake(query, &"".into()), Err(HandshakeError::Token));
    }

    #[test]
    fn another_mode_and_an_unfit_challenge_are_refused() {
        let with = |rest: &str| shake(&format!("hub.verify_token=meaty+hamhock&{rest}"));
        assert_eq!(with("hub.mode=unsubscribe&hub.challenge=1"), Err(HandshakeError::Mode));
        assert_eq!(with("hub.mode=subscribe"), Err(HandshakeError::Challenge));
        assert_eq!(with("hub.challenge="), Err(HandshakeError::Challenge));
        assert_eq!(with("hub.challenge=a%0D%0Ab"), Err(HandshakeError::Challenge));
        assert_eq!(with("hub.challenge=%FF"), Err(HandshakeError::Challenge));
        assert_eq!(with(&format!("hub.challenge={}", "9".repeat(257))), Err(HandshakeError::Challenge));
        assert!(with(&format!("hub.challenge={}", "9".repeat(256))).is_ok());
        assert_eq!(HandshakeError::Challenge.status(), 400);
    }

    #[test]
    fn a_signature_over_the_raw_bytes_is_accepted() {
        assert!(signed(&secrets(&["app_secret_123"]), BODY_SIGNATURE.as_bytes(), BODY));
        assert!(signed(&secrets(&["app_secret_123"]), ESCAPED_SIGNATURE.as_bytes(), ESCAPED));
    }

    #[test]
    fn a_body_that_was_written_again_is_another_body() {
        let unescaped = String::from_utf8_lossy(ESCAPED).replace("\\u00e4\\u00f6\\u00e5", "äöå");
        assert!(!signed(&secrets(&["app_secret_123"]), ESCAPED_SIGNATURE.as_bytes(), unescaped.as_bytes()));
        let own = b"sha256=ef745d171ee75c0404b5407968e910da7340c34ae38eb63edad3500c8ca98ba8";
        assert!(signed(&secrets(&["app_secret_123"]), own, unescaped.as_bytes()));
        assert!(!signed(&secrets(&["app_secret_123"]), BODY_SIGNATURE.as_bytes(), &BODY[..BODY.len() - 1]));
    }

    #[test]
    fn any_of_the_secrets_will_do_and_an_empty_one_never_does() {
        let signature = BODY_SIGNATURE.as_bytes();
        assert!(signed(&secrets(&["newer", "app_secret_123"]), signature, BODY));
        assert!(signed(&secrets(&["app_secret_123", "older"]), signature, BODY));
        assert!(!signed(&secrets(&["newer", "older"]), signature, BODY));
        assert!(!signed(&[], signature, BODY));
        let with_empty_key =
            hex::encode(Hmac::<Sha256>::new_from_slice(b"").unwrap().chain_update(BODY).finalize().into_bytes());
        assert!(!signed(&secrets(&[""]), format!("sha256={with_empty_key}").as_bytes(), BODY));
    }

    #[test]
    fn a_header_that_is_no_signature_is_false_and_never_a_panic() {
        let digits = &BODY_SIGNATURE["sha256=".len()..];
        let sha1 = format!("sha1={digits}");
        let (long, short, spaced) =
            (format!("{BODY_SIGNATURE}00"), &BODY_SIGNATURE[..70], format!(" {BODY_SIGNATURE}"));
        for header in [digits, &sha1, &long, short, &spaced, "", "sha256=", "sha256=zz", "sha256=äöå", "SHA256="] {
            assert!(!signed(&secrets(&["app_secret_123"]), header.as_bytes(), BODY), "{header}");
        }
        assert!(!signed(&secrets(&["app_secret_123"]), &[0xff; 71], BODY));
    }
}
