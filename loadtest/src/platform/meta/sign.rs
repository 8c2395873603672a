//! Signatures and how a webhook is posted.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// `sha256=` and 64 lower-case hex digits: the HMAC-SHA256 of the body's bytes under the app secret, as
/// `X-Hub-Signature-256` carries it.
#[must_use]
pub fn sign(body: impl AsRef<[u8]>, app_secret: &str) -> String {
    format!("sha256={}", hex_hmac(app_secret, body.as_ref()))
}

/// `appsecret_proof`: the HMAC-SHA256 of the access token under the app secret, in lower-case hex.
#[must_use]
pub fn proof(access_token: &str, app_secret: &str) -> String {
    hex_hmac(app_secret, access_token.as_bytes())
}

fn hex_hmac(key: &str, message: &[u8]) -> String {
    // HMAC takes keys of every length; an empty one stands in where that could not be.
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map(|mac| mac.chain_update(message).finalize());
    mac.map(|mac| hex::encode(mac.into_bytes())).unwrap_or_default()
}

/// Signs a body and posts it the way Meta does.
///
/// # Errors
/// If no answer came; an answer of any status is an answer.
pub async fn post(
    client: &reqwest::Client,
    url: &str,
    body: impl Into<String>,
    app_secret: &str,
) -> reqwest::Result<reqwest::Response> {
    let body = body.into();
    client
        .post(url)
        .header("content-type", "application/json")
        .header("user-agent", "Webhooks/1.0 (https://fb.me/webhooks)")
        .header("x-hub-signature-256", sign(&body, app_secret))
        .body(body)
        .send()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "app_secret_123";

    #[test]
    fn the_test_button_body_has_its_known_signature() {
        let body = concat!(
            r#"{"entry":[{"id":"0","time":1588890044,"changes":[{"field":"leadgen","value":{"ad_id":"444444444","#,
            r#""form_id":"444444444444","leadgen_id":"444444444444","created_time":1588890044,"#,
            r#""page_id":"444444444444","adgroup_id":"44444444444"}}]}],"object":"page"}"#
        );
        assert_eq!(body.len(), 249);
        assert_eq!(sign(body, SECRET), "sha256=488d3132b0975d01a9e771f4f82235c54eb1b5904cdc947d5c518861291c51ab");
    }

    #[test]
    fn escaped_and_raw_letters_are_signed_differently() {
        let escaped = r#"{"object":"page","entry":[{"id":"1","time":1,"messaging":[{"message":{"mid":"m","text":"\u00e4\u00f6\u00e5"}}]}]}"#;
        let raw = escaped.replace(r"\u00e4\u00f6\u00e5", "äöå");
        assert_eq!(sign(escaped, SECRET), "sha256=4c3c569f8ccfc2f32fc5ad806cbf98c34585ed3a1b124ea1316ab54444d24585");
        assert_eq!(sign(raw, SECRET), "sha256=ef745d171ee75c0404b5407968e910da7340c34ae38eb63edad3500c8ca98ba8");
    }

    #[test]
    fn the_proof_of_a_token_is_the_known_one() {
        assert_eq!(proof("EAAB_token", SECRET), "7ac11bd217eedca6f0f7d03f8bdd3acff38646d0170d59627fdd6942047df1ca");
    }
}
