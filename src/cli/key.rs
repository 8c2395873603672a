//! `leadwire key`.

use clap::Subcommand;
use secrecy::ExposeSecret;

use super::{BadInput, database, rotate, table};
use crate::{
    auth::keys,
    config::Settings,
    domain::{
        AccountId, AgencyId, ApiKeyId, Role, UserId,
        directory::{ApiKey, Directory},
    },
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
        /// Who answers for it, by e-mail address: it opens what this person manages, and nothing once they are gone.
        #[arg(long, value_name = "EMAIL")]
        responsible: Option<String>,
    },
    /// Makes somebody answer for a key: one whose person is gone opens again.
    TakeOver {
        /// Its id, from `leadwire key list`.
        key: ApiKeyId,
        /// Who answers for it from now on, by e-mail address.
        #[arg(long, value_name = "EMAIL")]
        responsible: String,
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
            Self::Add { agency, account, role, name, responsible } => {
                database::agency(&directory, agency)?;
                if let Some(account) = account {
                    database::account_of(&directory, account, agency)?;
                }
                let responsible = responsible.map(|email| manager(&directory, agency, account, &email)).transpose()?;
                let key = keys::generate()?;
                let hash = keys::hash(key.expose_secret());
                let id = store.add_api_key(agency, account, role, &name, hash, responsible).await?;
                eprintln!("The key {id} is shown this once:");
                println!("{}", key.expose_secret());
            }
            Self::TakeOver { key, responsible } => {
                let known = directory.api_keys.values().find(|known| known.id == key);
                let known = known.ok_or_else(|| BadInput::unknown("key", key))?;
                let user = manager(&directory, known.agency, known.account, &responsible)?;
                store.take_over_api_key(key, user).await?;
                eprintln!("{responsible} answers for the key now.");
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
                    ["id", "agency", "account", "role", "responsible", "name"],
                    keys.into_iter().map(|key| {
                        [
                            key.id.to_string(),
                            key.agency.to_string(),
                            key.account.map_or_else(|| "all".to_owned(), |account| account.to_string()),
                            key.role.to_string(),
                            responsible(&directory, key),
                            key.name.clone(),
                        ]
                    }),
                );
            }
        }
        Ok(())
    }
}

/// Somebody of the agency who manages the account, or one of them for a key to all.
fn manager(
    directory: &Directory,
    agency: AgencyId,
    account: Option<AccountId>,
    email: &str,
) -> Result<UserId, BadInput> {
    let email = email.trim().to_lowercase();
    let user = directory.users_by_email.get(&email).and_then(|id| directory.users.get(id));
    let user = user.filter(|user| user.agency == agency);
    let user = user.ok_or_else(|| {
        BadInput(format!(
            "nobody of the agency signs in with {email}; `leadwire user list --agency {agency}` shows who does"
        ))
    })?;
    let manages = |account| directory.role_of(user.id, account).is_some_and(Role::may_operate);
    if account.map_or_else(|| user.memberships.keys().any(|account| manages(*account)), manages) {
        return Ok(user.id);
    }
    Err(BadInput(format!(
        "{email} does not manage what the key opens: `leadwire member add --role manager` lets them, or name somebody else"
    )))
}

fn responsible(directory: &Directory, key: &ApiKey) -> String {
    let Some(user) = key.responsible else { return "-".to_owned() };
    let email = directory.users.get(&user).map_or_else(|| user.to_string(), |user| user.email.clone());
    if key.left { format!("{email} (gone)") } else { email }
}
