//! `leadwire token`.

use std::{sync::Arc, time::Duration};

use clap::Subcommand;
use secrecy::ExposeSecret;
use tokio::sync::watch;

use super::{BadInput, database};
use crate::{
    auth::{Authenticator, Options, Origins, OwnTokens, Subject},
    config::Settings,
    domain::{
        UserId,
        audit::{Action, Event},
        clock,
    },
};

/// The hub's own tokens.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Signs a token for a user and prints it.
    Issue {
        /// Who may come in with it.
        #[arg(long)]
        user: UserId,
        /// How long it lasts.
        #[arg(long, default_value = "12h", value_parser = humantime_serde::re::humantime::parse_duration)]
        ttl: Duration,
    },
}

impl Token {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let Self::Issue { user, ttl } = self;
        let (store, directory) = database::with_secrets(settings).await?;
        let known = database::user(&directory, user)?;
        let issued = Event::new(Action::TokenIssued, known.agency).on(user);
        if known.disabled {
            return Err(
                BadInput(format!("{user} is disabled; `leadwire user enable {user}` lets them in again")).into()
            );
        }
        let until = chrono::Duration::from_std(ttl).ok().and_then(|ttl| clock::now().checked_add_signed(ttl));
        let until = until.ok_or_else(|| BadInput("--ttl is too long".to_owned()))?;
        let keys = settings.master_keys()?;
        let (_keep, directory) = watch::channel(Some(directory));
        let auth = Authenticator::new(Options {
            directory,
            revocations: Arc::new(store.clone()),
            tokens: OwnTokens::configured(&settings.auth.signing_key_file, &keys)?,
            token_ttl: settings.auth.token_ttl,
            jwks_ttl: settings.auth.jwks_ttl,
            login_attempts: settings.auth.login_attempts,
            origins: Origins::default(),
            anonymous: None,
        })?;
        let (token, expires_at) = auth.issue(Subject::User(user), until)?;
        store.record(issued.with("until", clock::rfc3339(expires_at))).await?;
        eprintln!("Good until {}.", clock::rfc3339(expires_at));
        println!("{}", token.expose_secret());
        Ok(())
    }
}
