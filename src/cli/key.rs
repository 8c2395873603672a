//! `leadwire key`.

use clap::Subcommand;
use secrecy::ExposeSecret;

use super::{BadInput, database, rotate, table};
use crate::{
    auth::keys,
    config::Settings,
    domain::{AccountId, AgencyId, ApiKeyId, Role},
};

/// Keys for programs.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Makes a key and prints it; it is shown this once.
    Add {
        /// Whose accounts it opens.
        #[arg(long)]
        agency: AgencyId,
        /// Only this one; without it, all of the agency's.
        #[arg(long)]
        account: Option<AccountId>,
        /// owner, manager, agent or viewer.
        #[arg(long)]
        role: Role,
        /// For people: what uses it.
        #[arg(long, value_parser = database::name)]
        name: String,
    },
    /// Takes a key back: it opens nothing any more.
    Remove {
        /// Its id, from `leadwire key list`.
        key: ApiKeyId,
    },
    /// Seals all secrets with a new master key and signs logins with it, while hubs run.
    RotateMaster(rotate::Rotate),
    /// Lists the keys, not the secrets.
    List {
        /// Only this agency's.
        #[arg(long)]
        agency: Option<AgencyId>,
    },
}

impl Key {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        if let Self::RotateMaster(rotate) = self {
            return rotate.run(settings).await;
        }
        let (store, directory) = database::with_directory(settings).await?;
        match self {
            Self::RotateMaster(_) => {}
            Self::Add { agency, account, role, name } => {
                database::agency(&directory, agency)?;
                if let Some(account) = account {
                    database::account_of(&directory, account, agency)?;
                }
                let key = keys::generate()?;
                let id = store.add_api_key(agency, account, role, &name, keys::hash(key.expose_secret())).await?;
                eprintln!("The key {id} is shown this once:");
                println!("{}", key.expose_secret());
            }
            Self::Remove { key } => {
                if !directory.api_keys.values().any(|known| known.id == key) {
                    return Err(BadInput::unknown("key", key).into());
                }
                store.remove_api_key(key).await?;
                eprintln!("The key opens nothing any more.");
            }
            Self::List { agency } => {
                let mut keys: Vec<_> = directory.api_keys.values().collect();
                keys.retain(|key| agency.is_none_or(|only| only == key.agency));
                keys.sort_by_key(|key| (key.agency, key.id));
                table::print(
                    ["id", "agency", "account", "role", "name"],
                    keys.into_iter().map(|key| {
                        [
                            key.id.to_string(),
                            key.agency.to_string(),
                            key.account.map_or_else(|| "all".to_owned(), |account| account.to_string()),
                            key.role.to_string(),
                            key.name.clone(),
                        ]
                    }),
                );
            }
        }
        Ok(())
    }
}
