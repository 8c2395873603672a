//! `leadwire migrate`.

use std::io::{IsTerminal, Write};

use clap::Subcommand;

use super::{BadInput, database};
use crate::{
    config::{FolderError, Settings, data_folder},
    store::{Preview, Store},
};

/// The database's tables.
#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Brings the tables up to date; begins a new installation where there is none.
    #[command(after_help = "Example: leadwire --config leadwire.toml migrate up")]
    Up,
    /// Takes the newest changes back, with the data that only they hold. No hub may run meanwhile.
    #[command(after_help = "Example: leadwire --config leadwire.toml migrate down --steps 2 --yes")]
    Down {
        /// How many.
        #[arg(long, default_value_t = 1)]
        steps: usize,
        /// Do it without asking.
        #[arg(long)]
        yes: bool,
    },
    /// Says which changes are still to come; exit code 0 either way.
    #[command(after_help = "Example: leadwire --config leadwire.toml migrate status")]
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
            Self::Down { steps, yes } => down(&store, settings, steps, yes).await?,
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

async fn down(store: &Store, settings: &Settings, steps: usize, yes: bool) -> anyhow::Result<()> {
    let runs = |place: &str| {
        BadInput(format!(
            "a hub runs on {place}, whose tables would go from under it: stop it first. Nothing was changed"
        ))
    };
    // Both are held until the end.
    let _folder = match data_folder::lock(&settings.data.dir) {
        Err(FolderError::Taken(folder)) => return Err(runs(&folder.display().to_string()).into()),
        locked => locked?,
    };
    let Some(_database) = store.hold_alone().await? else { return Err(runs("this database").into()) };
    let preview = store.preview_revert(steps).await?;
    if preview.migrations.is_empty() {
        eprintln!("There is nothing to take back.");
        return Ok(());
    }
    say(&preview);
    if !yes && !agreed()? {
        return Err(BadInput("nothing was changed: add --yes if all of this may go".to_owned()).into());
    }
    let done = store.revert(steps).await?;
    eprintln!("Took back {}. `leadwire migrate up` makes the tables again, without what was in them.", done.join(", "));
    Ok(())
}

fn say(preview: &Preview) {
    eprintln!("This takes back {}.", preview.migrations.join(", "));
    if preview.lost.is_empty() {
        eprintln!("No table or column goes with it.");
    }
    for (what, rows) in &preview.lost {
        eprintln!("  lost for good: {what} ({rows} rows)");
    }
}

/// Asks somebody who is there.
fn agreed() -> std::io::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("Type yes to go on: ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
