//! `leadwire issuer`.

use clap::Subcommand;
use url::{Host, Url};

use super::{
    BadInput, database,
    secret::{self, Given},
    table,
};
use crate::{
    auth,
    config::Settings,
    domain::{
        AgencyId, IssuerId,
        directory::{self, IssuerKey},
    },
    store::NewIssuer,
};

/// Agencies' own issuers of tokens.
#[derive(Debug, Subcommand)]
pub enum Issuer {
    /// Trusts an issuer's tokens for one agency's users and prints its id. Without --jwks its tokens are HS256, with the
    /// shared secret from `LEADWIRE_ISSUER_SECRET`, or with --stdin from there.
    #[command(
        after_help = "Example: leadwire issuer add --agency agc_… --iss https://id.example --audience leadwire --jwks \
                      https://id.example/jwks.json"
    )]
    Add {
        /// Whose users its tokens may name.
        #[arg(long)]
        agency: AgencyId,
        /// The `iss` of its tokens, exactly.
        #[arg(long, value_parser = issuer_name)]
        iss: String,
        /// The `aud` that its tokens must carry. Obligatory with --jwks. Several agencies may use one issuer, each with an
        /// audience of its own.
        #[arg(long, value_parser = database::name)]
        audience: Option<String>,
        /// Where it publishes its keys (RS256, ES256 or `EdDSA`).
        #[arg(long, value_parser = jwks_url)]
        jwks: Option<Url>,
        /// Takes its word for e-mail addresses, also in `sub`, without `email_verified`: only if no one can enter an
        /// address there that is not theirs.
        #[arg(long)]
        trust_email: bool,
        #[command(flatten)]
        given: Given,
    },
    /// Trusts an issuer no more.
    Remove {
        /// Its id, from `leadwire issuer list`.
        issuer: IssuerId,
    },
    /// Lists the issuers.
    List,
}

impl Issuer {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let seals = matches!(self, Self::Add { .. });
        let (store, directory) =
            if seals { database::with_secrets(settings).await? } else { database::with_directory(settings).await? };
        match self {
            Self::Add { agency, iss, audience, jwks, trust_email, given } => {
                database::agency(&directory, agency)?;
                let key = if let Some(url) = jwks {
                    if audience.is_none() {
                        return Err(BadInput(NO_AUDIENCE.to_owned()).into());
                    }
                    IssuerKey::Jwks(url)
                } else {
                    let shared = given.demand("LEADWIRE_ISSUER_SECRET", "shared secret (or --jwks URL)")?;
                    // RFC 7518, section 3.2: a key of at least the hash's size.
                    IssuerKey::Secret(secret::long_enough(shared, 32, "shared secret")?)
                };
                println!("{}", store.add_issuer(NewIssuer { agency, iss, audience, trust_email, key }).await?);
            }
            Self::Remove { issuer } => {
                if !directory.issuers.contains_key(&issuer) {
                    return Err(BadInput::unknown("issuer", issuer).into());
                }
                store.remove_issuer(issuer).await?;
                eprintln!("The issuer's tokens, and those that were made of them, let nobody in any more.");
            }
            Self::List => list(directory.issuers.values().collect()),
        }
        Ok(())
    }
}

const NO_AUDIENCE: &str = "--audience is missing: who publishes keys signs tokens for many sites with them, and those \
                           for other sites would let their users in here. Give the `aud` of the tokens that are meant \
                           for this hub (a client id, at most providers)";

fn list(mut issuers: Vec<&directory::Issuer>) {
    issuers.sort_by_key(|issuer| (issuer.agency, issuer.id));
    let unsafe_ones: Vec<_> = issuers.iter().filter(|issuer| !issuer.is_safe()).map(|issuer| issuer.id).collect();
    table::print(
        ["id", "agency", "iss", "audience", "e-mail", "keys"],
        issuers.into_iter().map(|issuer| {
            let keys = match &issuer.key {
                IssuerKey::Secret(_) => "shared secret".to_owned(),
                IssuerKey::Jwks(url) => url.to_string(),
                IssuerKey::Unreadable => "unreadable: remove it and add it again".to_owned(),
            };
            [
                issuer.id.to_string(),
                issuer.agency.to_string(),
                issuer.iss.clone(),
                database::or_dash(issuer.audience.as_ref()),
                if issuer.trust_email { "trusted" } else { "if verified" }.to_owned(),
                keys,
            ]
        }),
    );
    for issuer in unsafe_ones {
        eprintln!(
            "{issuer} has no audience, so its tokens are refused: `leadwire issuer remove {issuer}`, then add it anew \
             with --audience."
        );
    }
}

fn issuer_name(text: &str) -> Result<String, String> {
    if text == auth::ISSUER {
        return Err(format!("`{}` is the hub's own name", auth::ISSUER));
    }
    database::name(text).map_err(str::to_owned)
}

/// Whoever can change the keys on their way can sign anything, so they travel over HTTPS, or not at all.
fn jwks_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error: url::ParseError| error.to_string())?;
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        _ => Err("keys are fetched over https only (http on this machine)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fetched_over_https_or_from_this_machine() {
        assert!(jwks_url("https://id.example/jwks").is_ok());
        assert!(jwks_url("http://127.0.0.1:9/jwks").is_ok());
        assert!(jwks_url("http://id.example/jwks").is_err());
        assert!(jwks_url("file:///etc/keys").is_err());
    }

    #[test]
    fn nobody_may_take_the_hubs_own_name() {
        assert!(issuer_name("leadwire").is_err());
        assert_eq!(issuer_name("https://id.example").unwrap(), "https://id.example");
    }
}
