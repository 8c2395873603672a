//! `leadwire config`.

use std::path::Path;

use clap::Subcommand;

use super::table;
use crate::{app, config::Settings};

/// The settings.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Names everything for which `serve` would refuse to start, if there is anything. Makes and changes nothing.
    #[command(after_help = "Example: leadwire --config leadwire.toml config check && systemctl restart leadwire")]
    Check,
    /// Prints the settings in force, without the secrets.
    Print,
    /// Prints every setting with its default and what it means: the start of a file of your own.
    #[command(after_help = "Example: leadwire config defaults > leadwire.toml")]
    Defaults,
}

impl Config {
    pub(super) fn run(self, file: Option<&Path>) -> anyhow::Result<()> {
        match self {
            Self::Check => {
                let settings = Settings::load(file)?;
                app::preflight(&settings)?;
                for caution in app::cautions(&settings) {
                    eprintln!("Note: {caution}.");
                }
                eprintln!("The settings are good.");
            }
            Self::Print => table::show(&format!("{:#?}\n", Settings::load(file)?)),
            Self::Defaults => table::show(include_str!("../config/default.toml")),
        }
        Ok(())
    }
}
