//! A disk that is full, for one process: from [`fill`] on none of its files takes another byte, until [`relieve`].
//!
//! Played by the process's limit on the size of files, which needs no mount and no rights. It is stricter than a disk: a
//! file can't be written again in place either, and the error is `EFBIG` instead of `ENOSPC`. A process that does not
//! ignore `SIGXFSZ` is ended by it: [`Setup::bears_full_disk`](crate::hub::Setup::bears_full_disk).

use anyhow::{Context, Result};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

/// From now on the process can write nothing.
///
/// # Errors
/// If it is gone, or somebody else's.
pub fn fill(pid: u32) -> Result<()> {
    limit(pid, Some(0)).context("the hub's files can't be limited")
}

/// It can again write as much as this process can.
///
/// # Errors
/// If it is gone, or somebody else's.
pub fn relieve(pid: u32) -> Result<()> {
    limit(pid, getrlimit(Resource::Fsize).current).context("the hub's files can't be let grow again")
}

/// Only the soft limit: the hard one can't be raised again by everybody.
fn limit(pid: u32, current: Option<u64>) -> Result<()> {
    let pid = Pid::from_raw(pid.cast_signed()).context("0 is no process")?;
    let maximum = getrlimit(Resource::Fsize).maximum;
    prlimit(Some(pid), Resource::Fsize, Rlimit { current, maximum })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        process::{Command, Stdio},
    };

    use super::*;

    #[test]
    fn a_process_whose_disk_is_full_writes_nothing_until_there_is_room_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        // Writes a line into the file for each that it reads, and says whether it could.
        let script = "trap '' XFSZ; while read line; do (echo $line >> \"$0\") 2> /dev/null; echo $?; done";
        let mut command = Command::new("sh");
        let command = command.arg("-c").arg(script).arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (pid, mut to) = (child.id(), child.stdin.take().unwrap());
        let mut from = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut write = |line: &str| {
            writeln!(to, "{line}").unwrap();
            from.next().unwrap().unwrap() == "0"
        };
        assert!(write("before"));
        fill(pid).unwrap();
        assert!(!write("full"));
        relieve(pid).unwrap();
        assert!(write("after"));
        drop(to);
        child.wait().unwrap();
        assert_eq!(std::fs::read_to_string(file).unwrap(), "before\nafter\n");
    }
}
