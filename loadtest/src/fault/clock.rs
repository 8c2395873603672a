//! A wall clock that jumps, for one process.
//!
//! The kernel has no such thing: a time namespace moves the monotonic clocks only, and what asks for the wall clock does
//! not come by the kernel at all. So it takes libfaketime, loaded into the process before its C library. It leaves the
//! monotonic clock alone, as a jump of a real clock does.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// The clock of the processes that were started with its [`environment`](Self::environment).
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    directory: TempDir,
}

/// The one for programs with threads.
const LIBRARY: &str = "libfaketimeMT.so.1";

/// Where systems keep it.
const FOLDERS: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu/faketime",
    "/usr/lib/aarch64-linux-gnu/faketime",
    "/usr/lib64/faketime",
    "/usr/lib/faketime",
    "/usr/local/lib/faketime",
    "/usr/lib/libfaketime",
];

const MISSING: &str =
    "there is no libfaketimeMT.so.1: install libfaketime (on Debian and Ubuntu: apt install libfaketime)";

impl Clock {
    /// A clock that is right, until it [jumps](Self::jump). `library` says where libfaketime is, if it is not where
    /// systems keep it.
    ///
    /// # Errors
    /// If there is no libfaketime; the error says what to install.
    pub fn new(library: Option<&Path>) -> Result<Self> {
        let library = match library {
            Some(library) if library.is_file() => fs::canonicalize(library)?,
            Some(library) => bail!("there is no {}", library.display()),
            None => {
                let mut known = FOLDERS.iter().map(|folder| Path::new(folder).join(LIBRARY));
                known.find(|path| path.is_file()).context(MISSING)?
            }
        };
        let clock = Self { library, directory: tempfile::Builder::new().prefix("leadwire-clock-").tempdir()? };
        clock.jump(0)?;
        Ok(clock)
    }

    /// What a process must have in its environment for its clock to be this one.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, OsString)> {
        let set = |name: &str, value: &str| (name.to_owned(), OsString::from(value));
        vec![
            ("LD_PRELOAD".to_owned(), self.library.clone().into_os_string()),
            ("FAKETIME_TIMESTAMP_FILE".to_owned(), self.file().into_os_string()),
            // Seconds between two looks at the file.
            set("FAKETIME_CACHE_DURATION", "1"),
            set("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            // Times of files stay those of the disk, and sleeping takes as long as it does.
            set("NO_FAKE_STAT", "1"),
            set("FAKETIME_DONT_RESET", "1"),
        ]
    }

    /// So many seconds ahead of the true time, or behind it; within two seconds the processes go by it.
    ///
    /// # Errors
    /// If the file that tells them can't be written.
    pub fn jump(&self, seconds: i64) -> Result<()> {
        // In one step: a file that is half written would be no time.
        let new = self.directory.path().join("new");
        fs::write(&new, format!("{seconds:+}\n"))?;
        Ok(fs::rename(new, self.file())?)
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("clock")
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_missing_library_is_told_with_what_to_install() {
        let error = Clock::new(Some(Path::new("/nowhere/libfaketimeMT.so.1"))).unwrap_err();
        assert!(error.to_string().contains("/nowhere"), "{error}");
        if let Err(error) = Clock::new(None) {
            assert!(error.to_string().contains("apt install libfaketime"), "{error}");
        }
    }

    #[test]
    fn a_process_goes_by_the_clock_that_it_was_given() {
        let Ok(clock) = Clock::new(std::env::var_os("LOADTEST_FAKETIME").as_deref().map(Path::new)) else {
            eprintln!("LEFT OUT: there is no libfaketime to let a clock jump");
            return;
        };
        let off_by = || {
            let output = Command::new("date").arg("+%s").envs(clock.environment()).output().unwrap();
            let there: i64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
            let here = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
            there - i64::try_from(here).unwrap()
        };
        for jump in [0, 3600, -86_400] {
            clock.jump(jump).unwrap();
            assert!((jump - 5..=jump + 5).contains(&off_by()), "{} after a jump of {jump}", off_by());
        }
    }
}
