//! How a hub under test is set up.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fmt::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, bail};
use serde_json::{Value, json};

/// The secret of the hub's own Meta app, unless a test sets another.
pub const APP_SECRET: &str = "5f1d7a84c0e92b63af08d51be7c4962d";
/// What the hub's own Meta app verifies its webhook with, unless a test sets another.
pub const VERIFY_TOKEN: &str = "verify_token_123";
/// The password of the users that [`Hub`](super::Hub) adds.
pub const PASSWORD: &str = "correct horse battery staple";

/// The program, its settings and how long it may take to get ready.
#[derive(Debug, Clone)]
pub struct Setup {
    pub(super) binary: PathBuf,
    pub(super) patience: Duration,
    /// `serve` is told of a file that may not grow, and not ended for it.
    pub(super) bears_full_disk: bool,
    /// What `serve` has in its environment.
    pub(super) environment: Vec<(String, OsString)>,
    settings: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Setup {
    /// A hub from this program file, with settings that let a test go as fast as it likes.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let setup = Self {
            binary: binary.into(),
            patience: Duration::from_secs(30),
            bears_full_disk: false,
            environment: Vec::new(),
            settings: BTreeMap::new(),
        };
        setup
            .set("meta.app_secrets", json!([APP_SECRET]))
            .set("meta.verify_token", VERIFY_TOKEN)
            .set("enrichment.calls_per_second", 100_000)
            .set("enrichment.call_burst", 100_000)
            .set("auth.login_attempts", 1000)
    }

    /// A hub from the program `leadwire` next to the running one, or one folder up, where Cargo puts it for tests.
    ///
    /// # Errors
    /// If it is in neither place.
    pub fn beside_this_program() -> Result<Self> {
        let here = env::current_exe()?;
        let name = format!("leadwire{}", env::consts::EXE_SUFFIX);
        let folders = here.ancestors().skip(1).take(2);
        match folders.map(|folder| folder.join(&name)).find(|path| path.is_file()) {
            Some(path) => Ok(Self::new(path)),
            None => bail!("there is no `{name}` next to {}: build it, or name it with --hub", here.display()),
        }
    }

    /// Sets `section.key`; strings, numbers, booleans and lists of them. A later call replaces an earlier one.
    ///
    /// # Panics
    /// If the key has no section: that is a mistake in the test.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        let (section, key) = key.split_once('.').expect("a setting is named `section.key`");
        self.settings.entry(section.to_owned()).or_default().insert(key.to_owned(), value.into());
        self
    }

    /// Where the hub finds Meta's Graph API: the simulator's URL.
    #[must_use]
    pub fn graph_url(self, url: &str) -> Self {
        self.set("meta.graph_url", url)
    }

    /// Stores in PostgreSQL; without this, in the embedded database.
    #[must_use]
    pub fn store_url(self, url: &str) -> Self {
        self.set("store.url", url)
    }

    /// How long the hub may take until `/ready` says so. 30 seconds by default.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// For a hub whose disk is to be [full](crate::fault::disk): the system ends a process that writes beyond its limit,
    /// where a full disk only says no.
    #[must_use]
    pub const fn bears_full_disk(mut self) -> Self {
        self.bears_full_disk = true;
        self
    }

    /// Starts `serve` with this in its environment.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, OsString)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// The settings file. JSON's strings, numbers, booleans and lists are TOML's as well.
    pub(super) fn to_toml(&self, bind: SocketAddr, telemetry: SocketAddr, data: &Path) -> String {
        let mut setup = self.clone().set("data.dir", data.to_string_lossy().as_ref());
        setup = setup.set("server.bind", bind.to_string()).set("telemetry.bind", telemetry.to_string());
        let server = setup.settings.entry("server".to_owned()).or_default();
        server.entry("public_url".to_owned()).or_insert(format!("http://{bind}").into());
        setup.settings.entry("telemetry".to_owned()).or_default().entry("log".to_owned()).or_insert("info".into());
        let mut text = String::new();
        for (section, keys) in &setup.settings {
            let _ = writeln!(text, "[{section}]");
            for (key, value) in keys {
                let _ = writeln!(text, "{key} = {value}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_as_toml_and_the_last_word_counts() {
        let text = Setup::new("leadwire")
            .set("realtime.heartbeat", "30s")
            .set("realtime.heartbeat", "1s")
            .set("realtime.sessions_per_user", 7)
            .to_toml(([127, 0, 0, 1], 1234).into(), ([127, 0, 0, 1], 1235).into(), Path::new("/somewhere"));
        assert!(text.contains("[realtime]\nheartbeat = \"1s\"\nsessions_per_user = 7\n"), "{text}");
        assert!(text.contains("[meta]\napp_secrets = [\"5f1d7a84c0e92b63af08d51be7c4962d\"]\n"), "{text}");
        assert!(
            text.contains("[server]\nbind = \"127.0.0.1:1234\"\npublic_url = \"http://127.0.0.1:1234\"\n"),
            "{text}"
        );
    }
}
