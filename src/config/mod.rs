//! Settings: `default.toml`, then a file, then `LEADWIRE__SECTION__KEY` from the environment.
//!
//! `default.toml` documents every key and is compiled in; a key that it doesn't have is unknown. All that is wrong is
//! named at once. One struct a section, with the names of the file.

pub mod certificates;
pub mod data_folder;
mod keyfile;
mod keys;
mod load;
mod ring;
mod sections;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use data_folder::FolderError;
pub use keyfile::{KeyFile, Rotation};
pub use keys::{KeyError, MasterKey};
pub use load::ConfigError;
pub use ring::{KeyRing, Made};
pub use sections::{
    Audit, Auth, Compat, Costs, Data, Enrichment, Inbox, LogFormat, Meta, Outbox, Persistence, Prospecting, Realtime,
    Retention, Sending, Server, Span, Store, Telemetry, Unipile,
};

/// Every setting.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Listening.
    pub server: Server,
    /// Where files are kept.
    pub data: Data,
    /// The database.
    pub store: Store,
    /// What was accepted and is not finished.
    pub inbox: Inbox,
    /// The hub's own Meta app and the Graph API.
    pub meta: Meta,
    /// Unipile's API.
    pub unipile: Unipile,
    /// Fetching what a webhook only points to.
    pub enrichment: Enrichment,
    /// Replies to platforms.
    pub sending: Sending,
    /// Webhooks that the hub sends.
    pub outbox: Outbox,
    /// Thresholds of what accounts spend.
    pub costs: Costs,
    /// Prospecting databases, and finding out about the businesses in them.
    pub prospecting: Prospecting,
    /// Writing to the database.
    pub persistence: Persistence,
    /// Sessions.
    pub realtime: Realtime,
    /// Logins and tokens.
    pub auth: Auth,
    /// Records of who did what.
    pub audit: Audit,
    /// How long the database keeps what grows with every day.
    pub retention: Retention,
    /// Clients of the systems that the hub replaces.
    pub compat: Compat,
    /// Logs.
    pub telemetry: Telemetry,
}

impl Settings {
    /// The database's URL: the configured one, or the embedded SQLite file.
    #[must_use]
    pub fn store_url(&self) -> String {
        use secrecy::ExposeSecret;
        let url = self.store.url.expose_secret();
        if url.is_empty() {
            format!("sqlite://{}", self.data.dir.join("store.sqlite3").display())
        } else {
            url.to_owned()
        }
    }

    /// What an installation can't be without and this one is, if anything.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        use secrecy::ExposeSecret;
        let key = self.data.dir.join("master.key");
        if self.data.master_key.expose_secret().is_empty() && !key.is_file() {
            return Some(key.display().to_string());
        }
        let url = self.store_url();
        let file = url.strip_prefix("sqlite://")?;
        (!Path::new(file).is_file()).then(|| file.to_owned())
    }

    /// The inbox's file.
    #[must_use]
    pub fn inbox_path(&self) -> PathBuf {
        self.data.dir.join("inbox.sqlite3")
    }

    /// The master keys: from the settings, or from their file, which is made with mode 0600 when there is none.
    ///
    /// # Errors
    /// If a key is not 64 hex digits, or the file can't be read or made.
    pub fn master_keys(&self) -> Result<KeyRing, KeyError> {
        MasterKey::find(&self.data.master_key, &self.data.dir.join("master.key"))
    }

    /// Whether [`Self::master_keys`] would find some or make one. Makes none.
    ///
    /// # Errors
    /// As [`Self::master_keys`].
    pub fn check_master_key(&self) -> Result<(), KeyError> {
        MasterKey::look(&self.data.master_key, &self.data.dir.join("master.key")).map(drop)
    }
}
