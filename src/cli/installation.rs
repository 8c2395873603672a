//! Whether there is something that a command can work on. A command in the wrong folder must not begin a second installation
//! beside the first: with a master key of its own, it would find nothing and seal what the other can't open.

use super::{BadInput, Command, agency::Agency, migrate::Migrate};
use crate::config::Settings;

/// What a command needs to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    Installation,
    /// Makes one where it is told to: by settings that name the folder, or by a folder that is there.
    Place,
}

impl Command {
    pub(super) fn needs(&self) -> Needs {
        match self {
            Self::Serve | Self::Demo(_) | Self::Migrate(Migrate::Up) | Self::Config(_) => Needs::Nothing,
            Self::Agency(Agency::Add { .. }) => Needs::Place,
            _ => Needs::Installation,
        }
    }
}

/// Refuses what would begin an installation by mistake. `told`: a settings file was named.
pub(super) fn must_find(settings: &Settings, needs: Needs, told: bool) -> Result<(), BadInput> {
    let folder = &settings.data.dir;
    let has_place = told || folder.is_dir() || !settings.data.is_default();
    if needs == Needs::Nothing || (needs == Needs::Place && has_place) {
        return Ok(());
    }
    match settings.missing() {
        None => Ok(()),
        Some(missing) => Err(BadInput(format!(
            "there is no installation in {}: {missing} is missing, and nothing was made. Name the settings with --config or \
             LEADWIRE_CONFIG, or go where its data is; `leadwire migrate up` or `leadwire serve` begins a new one",
            folder.display()
        ))),
    }
}
