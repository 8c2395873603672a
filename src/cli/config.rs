//! `leadwire config`.

use std::path::Path;

use clap::Subcommand;

use super::table;
use crate::{
    auth::OwnTokens,
    config::{KeyRing, Settings},
};

/// The settings.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Names everything that is wrong with the settings, if anything is.
    Check,
    /// Prints the settings in force, without the secrets.
    Print,
    /// Prints every setting with its default and what it means: the start of a file of your own.
    Defaults,
}

impl Config {
    pub(super) fn run(self, file: Option<&Path>) -> anyhow::Result<()> {
        match self {
            Self::Check => {
                let settings = Settings::load(file)?;
                // The key does not matter here, the file does; and a check must not make a master key.
                OwnTokens::configured(&settings.auth.signing_key_file, &KeyRing::fixed(Vec::new()))?;
                eprintln!("The settings are good.");
            }
            Self::Print => table::show(&format!("{:#?}\n", Settings::load(file)?)),
            Self::Defaults => table::show(include_str!("../config/default.toml")),
        }
        Ok(())
    }
}
