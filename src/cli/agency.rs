//! `leadwire agency`.

use clap::Subcommand;

use super::{database, table};
use crate::config::Settings;

/// Tenants.
#[derive(Debug, Subcommand)]
pub enum Agency {
    /// Adds an agency and prints its id.
    Add {
        /// For people.
        #[arg(long, value_parser = database::name)]
        name: String,
    },
    /// Lists the agencies.
    List,
}

impl Agency {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        match self {
            Self::Add { name } => println!("{}", database::ready(settings).await?.add_agency(&name).await?.id),
            Self::List => {
                let (_, directory) = database::with_directory(settings).await?;
                let mut agencies: Vec<_> = directory.agencies.values().collect();
                agencies.sort_by_key(|agency| agency.id);
                table::print(
                    ["id", "name"],
                    agencies.into_iter().map(|agency| [agency.id.to_string(), agency.name.clone()]),
                );
            }
        }
        Ok(())
    }
}
