//! Opening the store for one command.

use std::{fmt::Display, sync::Arc};

use super::BadInput;
use crate::{
    config::{KeyError, Settings, data_folder},
    domain::{
        AccountId, AgencyId, UserId,
        audit::Author,
        directory::{Account, Agency, Directory, User},
    },
    store::{Store, Vault},
};

/// Connections a command needs.
const POOL: usize = 1;

/// The store as it is, its tables perhaps missing or old.
pub(super) async fn open(settings: &Settings) -> anyhow::Result<Store> {
    for narrowed in data_folder::secure(&settings.data.dir)? {
        eprintln!("Note: {narrowed}.");
    }
    let vault = Vault::under(&settings.master_keys()?);
    let store = Store::open(&settings.store_url(), POOL, settings.store.timeout, vault).await?;
    Ok(store.keeping_audit_for(settings.audit.retention).by(Author::operator(operator())))
}

/// Who is at the command line; who became root by sudo is who they were.
fn operator() -> String {
    let name = whoami::username().unwrap_or_else(|_| "unnamed".to_owned());
    let before = std::env::var("SUDO_USER").ok().filter(|before| name == "root" && !before.is_empty());
    before.unwrap_or(name).chars().filter(|letter| !letter.is_control()).take(64).collect()
}

/// The store with its tables up to date.
pub(super) async fn ready(settings: &Settings) -> anyhow::Result<Store> {
    let store = open(settings).await?;
    let pending = store.pending_migrations().await?.len();
    if pending > 0 {
        eprintln!("Bringing the database up to date ({pending} migrations).");
        store.migrate().await?;
    }
    Ok(store)
}

/// The store, ready, and what is in its directory.
pub(super) async fn with_directory(settings: &Settings) -> anyhow::Result<(Store, Arc<Directory>)> {
    let store = ready(settings).await?;
    let directory = store.load_directory().await?;
    for row in &directory.unreadable {
        eprintln!("Note: {} {} can't be read and does nothing: {}.", row.table, row.id, row.why);
    }
    Ok((store, Arc::new(directory)))
}

/// The same for commands that seal or sign: with another master key than the database's, nobody could open it.
pub(super) async fn with_secrets(settings: &Settings) -> anyhow::Result<(Store, Arc<Directory>)> {
    let (store, directory) = with_directory(settings).await?;
    if directory.wrong_key { Err(KeyError::Wrong.into()) } else { Ok((store, directory)) }
}

/// An agency that must be there.
pub(super) fn agency(directory: &Directory, id: AgencyId) -> Result<&Agency, BadInput> {
    directory.agencies.get(&id).ok_or_else(|| BadInput::unknown("agency", id))
}

/// An account that must be there.
pub(super) fn account(directory: &Directory, id: AccountId) -> Result<&Account, BadInput> {
    directory.accounts.get(&id).ok_or_else(|| BadInput::unknown("account", id))
}

/// An account that must be there and belong to the agency.
pub(super) fn account_of(directory: &Directory, id: AccountId, agency: AgencyId) -> Result<&Account, BadInput> {
    let account = account(directory, id)?;
    if account.agency != agency {
        return Err(BadInput(format!(
            "account {id} does not belong to agency {agency}; `leadwire account list` shows whose it is"
        )));
    }
    Ok(account)
}

/// A user that must be there.
pub(super) fn user(directory: &Directory, id: UserId) -> Result<&User, BadInput> {
    directory.users.get(&id).ok_or_else(|| BadInput::unknown("user", id))
}

/// A name, cut of blanks around it; for clap.
pub(super) fn name(text: &str) -> Result<String, &'static str> {
    let name = text.trim();
    if name.is_empty() || name.contains(char::is_control) {
        return Err("a name needs at least one character, and none that can't be seen");
    }
    Ok(name.to_owned())
}

/// An optional id for a table.
pub(super) fn or_dash(id: Option<impl Display>) -> String {
    id.map_or_else(|| "-".to_owned(), |id| id.to_string())
}
