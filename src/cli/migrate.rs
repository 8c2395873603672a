//! `leadwire migrate`.

use clap::Subcommand;

use super::database;
use crate::config::Settings;

/// The database's tables.
#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Brings the tables up to date.
    Up,
    /// Takes the newest changes back, with the data that only they hold.
    Down {
        /// How many.
        #[arg(long, default_value_t = 1)]
        steps: usize,
    },
    /// Says which changes are still to come; exit code 0 either way.
    Status,
}

impl Migrate {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let store = database::open(settings).await?;
        match self {
            Self::Up => {
                let pending = store.pending_migrations().await?;
                store.migrate().await?;
                eprintln!("The database is up to date ({} migrations were new).", pending.len());
            }
            Self::Down { steps } => {
                store.revert(steps).await?;
                eprintln!("Took back {steps}.");
            }
            Self::Status => {
                let pending = store.pending_migrations().await?;
                if pending.is_empty() {
                    eprintln!("The database is up to date.");
                }
                for migration in pending {
                    println!("pending {migration}");
                }
            }
        }
        Ok(())
    }
}
