//! Who may read what lies on the disk.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};
use loadtest::{
    hub::{Hub, Setup},
    platform::Simulator,
};

use crate::support::{binary, setup};

/// The program, begun by a shell that does this first.
fn after(folder: &Path, line: &str) -> Result<PathBuf> {
    let script = folder.join("leadwire.sh");
    fs::write(&script, format!("#!/bin/sh\n{line}\nexec {} \"$@\"\n", binary().display()))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(script)
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

/// What others may do something with.
fn open_to_others(folder: &Path) -> Result<Vec<String>> {
    let mut open = Vec::new();
    for path in [vec![folder.to_owned()], entries(folder)?].concat() {
        let mode = mode(&path)?;
        if mode & 0o077 != 0 {
            open.push(format!("{} {mode:o}", path.display()));
        }
    }
    Ok(open)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

#[tokio::test]
async fn everything_in_the_data_folder_is_its_owners_alone_whatever_the_umask() -> Result<()> {
    let scripts = tempfile::tempdir()?;
    let platform = Simulator::start(loadtest::platform::Settings::default())?;
    let setup = Setup::new(after(scripts.path(), "umask 000")?).graph_url(&platform.url());
    let mut hub = Hub::prepare(setup).await?;
    hub.start().await?;
    let folder = hub.data_dir();
    for name in ["master.key", "lock", "store.sqlite3-wal", "inbox.sqlite3", "inbox.sqlite3-wal", "inbox.sqlite3-shm"] {
        ensure!(folder.join(name).is_file(), "{name} is not there: the test looks at the wrong names");
    }
    let open = open_to_others(&folder)?;
    ensure!(open.is_empty(), "others can reach {open:?}");
    Ok(())
}

#[tokio::test]
async fn a_data_folder_that_was_open_is_closed_at_the_start_and_that_is_said() -> Result<()> {
    let platform = Simulator::start(loadtest::platform::Settings::default())?;
    let mut hub = Hub::launch(setup(&platform)).await?;
    hub.stop().await?;
    let folder = hub.data_dir();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
    for path in entries(&folder)?.iter().filter(|path| !path.ends_with("master.key")) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
    }
    hub.start().await?;
    let open = open_to_others(&folder)?;
    ensure!(open.is_empty(), "others can reach {open:?}");
    let said = hub.log_tail(100);
    ensure!(said.contains("inbox.sqlite3") && said.contains("mode 0755"), "{said}");
    Ok(())
}

#[test]
fn a_master_key_that_cannot_be_written_leaves_no_file_of_its_name() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let full = after(folder.path(), "trap '' XFSZ; ulimit -f 0")?;
    let output = Command::new(full).args(["migrate", "up"]).current_dir(folder.path()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains("master.key"), "{said}");
    let left = entries(&folder.path().join("data"))?;
    ensure!(left.is_empty(), "it left {left:?}");
    Ok(())
}
