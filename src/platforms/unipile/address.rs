//! Where a customer's API is: Unipile gives each a host and a port, the DSN.

use url::Url;

use crate::domain::reach;

/// Why a text is no address of Unipile's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither a host nor a URL of one.
    #[error("a DSN is a host and a port, as Unipile's dashboard shows it: api1.unipile.com:13111")]
    Malformed,
    /// The key would be readable on its way.
    #[error("the API key must not travel unencrypted: only this machine may be reached by http://")]
    Unencrypted,
}

/// The base of the API from a DSN (`api1.unipile.com:13111`) or a full URL. `http` is for this machine only.
///
/// # Errors
/// If it names no host, holds more than that, or is not encrypted.
pub fn api_url(dsn: &str) -> Result<Url, AddressError> {
    let dsn = dsn.trim();
    // `host:port` alone would be read as a scheme and a path.
    let full = if dsn.contains("://") { dsn.to_owned() } else { format!("https://{dsn}") };
    let url: Url = full.parse().map_err(|_| AddressError::Malformed)?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::Malformed);
    }
    match url.scheme() {
        "https" | "http" if reach::is_private(&url) => Ok(url),
        "http" => Err(AddressError::Unencrypted),
        _ => Err(AddressError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_or_a_url_names_the_api() {
        for (given, expected) in [
            ("api1.unipile.com:13111", "https://api1.unipile.com:13111/"),
            (" https://api1.unipile.com:13111/ \n", "https://api1.unipile.com:13111/"),
            ("localhost:8000", "https://localhost:8000/"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000/"),
            ("http://[::1]:8000", "http://[::1]:8000/"),
        ] {
            assert_eq!(api_url(given).map(String::from).as_deref(), Ok(expected), "{given}");
        }
    }

    #[test]
    fn what_names_no_host_or_is_not_encrypted_is_refused() {
        for given in
            ["", "https://", "api1.unipile.com:x", "ftp://a.example", "https://a.example/api/v1", "a.example?x"]
        {
            assert_eq!(api_url(given), Err(AddressError::Malformed), "{given}");
        }
        assert_eq!(api_url("https://key@a.example"), Err(AddressError::Malformed));
        for given in ["http://api1.unipile.com:13111", "http://localhost.example", "http://10.0.0.1"] {
            assert_eq!(api_url(given), Err(AddressError::Unencrypted), "{given}");
        }
    }
}
