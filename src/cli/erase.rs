//! `leadwire erase`: all that an agency holds of a person. Works beside a running hub, and without one.

use clap::Args;

use super::{BadInput, database};
use crate::{
    config::Settings,
    domain::{AgencyId, person::Person},
    erasure::{Counts, Eraser},
    inbox::Inbox,
};

/// Erase a person from all that is held for an agency. What is given is one person's; each may be given several times.
#[derive(Debug, Args)]
pub struct Erase {
    /// Whose data: `agc_…`. Nothing of another agency is touched.
    #[arg(long)]
    agency: AgencyId,
    /// A telephone number, with its country.
    #[arg(long, required_unless_present_any = ["email", "platform_id"])]
    phone: Vec<String>,
    /// An e-mail address.
    #[arg(long)]
    email: Vec<String>,
    /// An id of theirs at a platform: of the person, a lead or a chat.
    #[arg(long)]
    platform_id: Vec<String>,
    /// Count what there is, and change nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do it. It can't be undone.
    #[arg(long)]
    yes: bool,
}

impl Erase {
    /// Does it, and prints the receipt as JSON.
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let mut person = Person::new();
        for phone in &self.phone {
            person = person.phone(phone).map_err(|error| BadInput(error.to_string()))?;
        }
        for email in &self.email {
            person = person.email(email).map_err(|error| BadInput(error.to_string()))?;
        }
        for id in &self.platform_id {
            person = person.id(id).map_err(|error| BadInput(error.to_string()))?;
        }
        let (store, directory) = database::with_directory(settings).await?;
        database::agency(&directory, self.agency)?;
        let path = settings.inbox_path();
        if !path.is_file() {
            return Err(BadInput(format!("there is no inbox at {}: is data.dir right?", path.display())).into());
        }
        let eraser = Eraser::new(store, Inbox::attach(&path)?);
        if !self.yes {
            let counts = Counts::of(&eraser.find(self.agency, &person).await?);
            println!("{}", serde_json::to_string_pretty(&counts)?);
            if !self.dry_run {
                return Err(
                    BadInput("nothing was changed: add --yes to erase this, which can't be undone".to_owned()).into()
                );
            }
            return Ok(());
        }
        let receipt = eraser.erase_person(&directory, self.agency, &person, |doing| eprintln!("{doing} …")).await?;
        println!("{}", serde_json::to_string_pretty(&receipt)?);
        eprintln!("Dashboards are told by the running hub, or by the next that starts.");
        Ok(())
    }
}
