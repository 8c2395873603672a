//! `leadwire account`.

use clap::Subcommand;

use super::{database, table};
use crate::{config::Settings, domain::AgencyId};

/// An agency's client businesses.
#[derive(Debug, Subcommand)]
pub enum Account {
    /// Adds an account and prints its id.
    Add {
        /// Whose it is.
        #[arg(long)]
        agency: AgencyId,
        /// For people.
        #[arg(long, value_parser = database::name)]
        name: String,
    },
    /// Lists the accounts.
    List {
        /// Only this agency's.
        #[arg(long)]
        agency: Option<AgencyId>,
    },
}

impl Account {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let (store, directory) = database::with_directory(settings).await?;
        match self {
            Self::Add { agency, name } => {
                database::agency(&directory, agency)?;
                println!("{}", store.add_account(agency, &name).await?.id);
            }
            Self::List { agency } => {
                let mut accounts: Vec<_> = directory.accounts.values().collect();
                accounts.retain(|account| agency.is_none_or(|only| only == account.agency));
                accounts.sort_by_key(|account| (account.agency, account.id));
                table::print(
                    ["id", "agency", "name"],
                    accounts
                        .into_iter()
                        .map(|account| [account.id.to_string(), account.agency.to_string(), account.name.clone()]),
                );
            }
        }
        Ok(())
    }
}
