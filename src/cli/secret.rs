//! Secrets for a command: from the environment, or from stdin when it is asked for; never from its arguments, which others
//! can see.

use std::io::Read;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::BadInput;
use crate::domain::secret::{LONGEST_SECRET, SHORTEST_SECRET, is_unfit};

/// More than any secret has; what comes after is not read.
const MAX_LENGTH: u64 = 64 * 1024;

/// Where a command's secret is. Without being told, a command never reads stdin: one that is open and silent, as under
/// cron or a container, would keep it waiting for ever.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Given {
    /// Read the secret from stdin instead of the environment.
    #[arg(long)]
    stdin: bool,
}

impl Given {
    /// What stands on stdin if it is to be read, else the variable's value.
    pub(super) fn find(self, variable: &str) -> anyhow::Result<Option<SecretString>> {
        if !self.stdin {
            return Ok(from_environment(variable));
        }
        let mut text = String::new();
        std::io::stdin().lock().take(MAX_LENGTH).read_to_string(&mut text)?;
        match tidy(&text) {
            Some(secret) => Ok(Some(secret)),
            None => Err(BadInput("--stdin was given, and stdin is empty".to_owned()).into()),
        }
    }

    /// The same, but it must be there.
    pub(super) fn demand(self, variable: &str, what: &str) -> anyhow::Result<SecretString> {
        let missing = || {
            BadInput(format!("no {what} was given: set {variable}, or add --stdin and write it to the command's stdin"))
        };
        Ok(self.find(variable)?.ok_or_else(missing)?)
    }
}

/// The variable's value, if it is set and not empty.
pub(super) fn from_environment(variable: &str) -> Option<SecretString> {
    std::env::var(variable).ok().and_then(|text| tidy(&text))
}

/// Without the line's end that `echo` and editors leave behind.
fn tidy(text: &str) -> Option<SecretString> {
    let text = text.trim_end_matches(['\r', '\n']);
    (!text.is_empty()).then(|| text.to_owned().into())
}

/// Refuses what can't open a door safely.
pub(super) fn fit(secret: SecretString, what: &str) -> Result<SecretString, BadInput> {
    if is_unfit(&secret) {
        return Err(BadInput(format!(
            "the {what} must have {SHORTEST_SECRET} to {LONGEST_SECRET} characters that nobody can guess, such as those of \
             `openssl rand -hex 32`"
        )));
    }
    Ok(secret)
}

/// Refuses a secret that is too short to be one.
pub(super) fn long_enough(secret: SecretString, least: usize, what: &str) -> Result<SecretString, BadInput> {
    if secret.expose_secret().len() < least {
        return Err(BadInput(format!("the {what} is too short: it needs at least {least} characters")));
    }
    Ok(secret)
}
