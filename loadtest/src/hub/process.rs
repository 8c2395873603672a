//! The process: start, readiness, logs, end.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::Setup;

/// Where hubs listen, and where they serve who runs them: apart, so that one is never taken for the other.
const PORTS: Range<u16> = 15_000..32_000;
const TELEMETRY_PORTS: Range<u16> = 10_000..15_000;

/// A hub with its directory. The process ends, and the directory goes, when this is dropped; if that happens in a panic,
/// the last lines of its log are shown.
pub struct Hub {
    setup: Setup,
    directory: TempDir,
    address: SocketAddr,
    telemetry: SocketAddr,
    child: Option<Child>,
    http: reqwest::Client,
}

impl Hub {
    /// Makes the directory, the settings and the database, so that agencies and sources can be added; starts nothing.
    ///
    /// # Errors
    /// If the program is missing or can't make its database.
    pub async fn prepare(setup: Setup) -> Result<Self> {
        if !setup.binary.is_file() {
            bail!("hub program not found: {} (build it, or name it with --hub)", setup.binary.display());
        }
        let directory = tempfile::Builder::new().prefix("leadwire-").tempdir().context("no temporary directory")?;
        let address = free_address(PORTS)?;
        let telemetry = free_address(TELEMETRY_PORTS)?;
        let toml = setup.to_toml(address, telemetry, &directory.path().join("data"));
        fs::write(directory.path().join("leadwire.toml"), toml)?;
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        let hub = Self { setup, directory, address, telemetry, child: None, http };
        hub.run(&["migrate", "up"], &[]).await?;
        Ok(hub)
    }

    /// [`prepare`](Self::prepare) and [`start`](Self::start) in one.
    ///
    /// # Errors
    /// As those.
    pub async fn launch(setup: Setup) -> Result<Self> {
        let mut hub = Self::prepare(setup).await?;
        hub.start().await?;
        Ok(hub)
    }

    /// Starts `serve` and waits until `/ready` answers 200. After [`stop`](Self::stop) or [`kill`](Self::kill) it comes
    /// back on the same address with the same data.
    ///
    /// # Errors
    /// If it ends or is not ready in time; the error has the last lines of its log.
    pub async fn start(&mut self) -> Result<()> {
        if self.child.is_some() {
            bail!("the hub runs already");
        }
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut command = self.command(&["serve"], self.setup.bears_full_disk);
        command.envs(self.setup.environment.iter().map(|(name, value)| (name, value)));
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        self.child = Some(child.with_context(|| format!("can't start {}", self.setup.binary.display()))?);
        let end = Instant::now() + self.setup.patience;
        while !self.is_ready().await {
            if let Some(status) = self.child.as_mut().map(Child::try_wait).transpose()?.flatten() {
                self.child = None;
                bail!("the hub ended before it was ready ({status}); its last words:\n{}", self.log_tail(20));
            }
            if Instant::now() > end {
                let log = self.log_tail(20);
                self.kill().await?;
                bail!("the hub was not ready within {:?}; its last words:\n{log}", self.setup.patience);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Whether `/ready` answers 200 now.
    pub async fn is_ready(&self) -> bool {
        let answer = self.http.get(self.url("/ready")).timeout(Duration::from_secs(2)).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// If it does not run, or is not gone within a minute; then it is killed.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("the hub does not run")?;
        let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        kill_process(pid.context("the hub ended by itself")?, Signal::TERM)?;
        let Ok(status) = tokio::time::timeout(Duration::from_mins(1), child.wait()).await else {
            child.kill().await?;
            bail!("the hub did not stop within a minute; its last words:\n{}", self.log_tail(20));
        };
        Ok(status?)
    }

    /// Ends it at once (SIGKILL), as a crash does.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the hub does not run")?;
        Ok(child.kill().await?)
    }

    /// The id of the process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, which begins with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The URL of a path, which begins with `/`, on the listener for whoever runs the hub.
    #[must_use]
    pub fn telemetry_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.telemetry)
    }

    /// The URL of the WebSocket.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Where its data is.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A client for its HTTP interface, without cookies.
    #[must_use]
    pub const fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The sum of a metric over all its labels; 0 when there is none of that name.
    ///
    /// # Errors
    /// If `/metrics` doesn't answer.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        let text = self.http.get(self.telemetry_url("/metrics")).send().await?.error_for_status()?.text().await?;
        Ok(sum_of(&text, name))
    }

    /// Runs another command of the program with the hub's settings, and returns what it prints, trimmed.
    ///
    /// # Errors
    /// If it fails; the error has what it says on stderr.
    pub async fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Result<String> {
        let mut command = self.command(arguments, false);
        let output = command.envs(environment.iter().copied()).stdin(Stdio::null()).output().await;
        let output = output.with_context(|| format!("can't start {}", self.setup.binary.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`leadwire {}` failed ({}):\n{}", arguments.join(" "), output.status, said.trim());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        let log = fs::read(self.log_path()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let all: Vec<&str> = log.lines().collect();
        all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("hub.log")
    }

    /// The program with the settings file; settings in this process's environment are not handed on.
    fn command(&self, arguments: &[&str], bears_full_disk: bool) -> Command {
        let mut command = if bears_full_disk {
            // What a process ignores, the program that it turns into ignores as well.
            let mut shell = Command::new("sh");
            shell.args(["-c", r#"trap '' XFSZ && exec "$0" "$@""#]).arg(&self.setup.binary);
            shell
        } else {
            Command::new(&self.setup.binary)
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LEADWIRE_")) {
            command.env_remove(name);
        }
        command.arg("--config").arg(self.directory.path().join("leadwire.toml")).args(arguments).kill_on_drop(true);
        command
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the hub's last words:\n{}", self.log_tail(40));
        }
    }
}

/// A loopback address that nobody listens on, below the ports that outgoing connections take, so that a hub that comes
/// back finds it free.
fn free_address(ports: Range<u16>) -> Result<SocketAddr> {
    // Those of this process: a hub that was killed comes back to its own.
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    for _ in 0..100 {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, fastrand::u16(ports.clone())));
        let is_new = GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(address.port());
        if is_new && TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no free port found on the loopback address");
}

/// Sums the samples of one name in the Prometheus text format.
fn sum_of(text: &str, name: &str) -> f64 {
    let samples = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.strip_prefix('{') {
            Some(labels) => labels.rsplit_once('}')?.1,
            None => rest.strip_prefix(' ')?,
        };
        value.split_whitespace().next()?.parse::<f64>().ok()
    });
    samples.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_labels_and_not_over_other_names() {
        let text = "# HELP events_total Events.\n# TYPE events_total counter\nevents_total{kind=\"lead\"} 3\n\
                    events_total{kind=\"message\"} 4.5 1700000000\nevents_total_other 9\nplain 2\n# EOF\n";
        assert!((sum_of(text, "events_total") - 7.5).abs() < f64::EPSILON);
        assert!((sum_of(text, "plain") - 2.0).abs() < f64::EPSILON);
        assert!(sum_of(text, "absent").abs() < f64::EPSILON);
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = Hub::prepare(Setup::new("/nowhere/leadwire")).await.err().unwrap();
        assert!(error.to_string().contains("/nowhere/leadwire"), "{error}");
    }
}
