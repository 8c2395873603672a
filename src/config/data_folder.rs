//! The data folder and the files in it: for their owner alone, whatever the umask.
//!
//! The files hold what people write to each other, with names and phone numbers. Everything that the hub makes there goes
//! through [`file`] or [`database`]; [`secure`] mends what an earlier version, a backup or a hand has left open.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, Mode, access},
    process,
};

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;
/// Group and others.
const OPEN: u32 = 0o077;
const WRITABLE_BY_OTHERS: u32 = 0o002;

/// How the names of the hub's own files begin; others in the folder are left alone. `master.key` is not among them: a key
/// that others could read is refused, because it may have been copied.
const OWN: [&str; 3] = ["inbox.sqlite3", "store.sqlite3", LOCK];
const LOCK: &str = "lock";

/// Why the data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Somebody else could put files of theirs in the place of the hub's.
    #[error(
        "{0} belongs to another user and everybody may write into it: give the hub a folder of its own, or \
         change the owner (chown)"
    )]
    Foreign(PathBuf),
    /// One hub a data folder: two would give out the same positions.
    #[error("another hub runs on {0}: stop it, or give this one a data.dir of its own")]
    Taken(PathBuf),
    /// Something else has its name.
    #[error("{0} is not a folder: name another, or move the file away")]
    NotFolder(PathBuf),
    /// It can't be made or looked into.
    #[error("{path} can't be used: {error}")]
    Unusable {
        /// Which folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Lets every file that this process makes from now on be its owner's alone.
pub fn make_files_private() {
    process::umask(Mode::from_raw_mode(OPEN));
}

/// Makes the folder if it isn't there, and closes it and the hub's files in it to others. Says in words what it changed, and
/// what it left open.
///
/// # Errors
/// If the folder can't be made or used, or is one that strangers write into.
pub fn secure(folder: &Path) -> Result<Vec<String>, FolderError> {
    let unusable = |error| FolderError::Unusable { path: folder.to_owned(), error };
    make(folder).map_err(|error| existing(folder, error))?;
    let found = fs::metadata(folder).map_err(unusable)?;
    judge(folder, &found)?;
    let (mut said, mut narrowed, mut shared) = (Vec::new(), Vec::new(), false);
    for entry in fs::read_dir(folder).map_err(unusable)? {
        let entry = entry.map_err(unusable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            shared |= name != "lost+found";
        } else if OWN.iter().any(|own| name.starts_with(own)) && narrow(&entry.path(), FILE).map_err(unusable)? {
            narrowed.push(name);
        }
    }
    let (place, mode) = (folder.display(), found.mode() & 0o7777);
    if mode & OPEN != 0 {
        said.push(if shared {
            format!(
                "data.dir {place} holds folders that are not the hub's, so its mode stays {mode:04o}: give the hub a folder \
                 of its own"
            )
        } else if narrow(folder, FOLDER).is_ok() {
            format!("data.dir {place} was open to others (mode {mode:04o}); it is its owner's alone now")
        } else {
            format!("data.dir {place} belongs to another user, so its mode stays {mode:04o}")
        });
    }
    if !narrowed.is_empty() {
        narrowed.sort();
        said.push(format!(
            "others could read {} in {place}; they are their owner's alone now. What was read before can't be taken back",
            narrowed.join(", ")
        ));
    }
    Ok(said)
}

/// Whether [`secure`] would take the folder as it is. Touches nothing.
///
/// # Errors
/// As [`secure`].
pub fn inspect(folder: &Path) -> Result<(), FolderError> {
    let unusable = |error| FolderError::Unusable { path: folder.to_owned(), error };
    // The nearest folder that is there must let the rest be made in it.
    let there = folder.ancestors().find(|path| path.as_os_str().is_empty() || path.exists()).unwrap_or(folder);
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let found = fs::metadata(there).map_err(unusable)?;
    if !found.is_dir() {
        return Err(FolderError::NotFolder(there.to_owned()));
    }
    if there == folder {
        judge(folder, &found)?;
    }
    access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| unusable(error.into()))
}

/// Opens a file for its owner alone, made with its folder if it isn't there, and closes it to others.
///
/// # Errors
/// If the file can't be opened.
pub fn file(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        make(folder)?;
    }
    let file = File::options().create(true).append(true).mode(FILE).open(path)?;
    narrow(path, FILE)?;
    Ok(file)
}

/// Sees to it that a database is there and its owner's alone, with what SQLite keeps beside it; SQLite gives what it makes
/// there the mode of the file.
///
/// # Errors
/// If the file can't be made or closed to others.
pub fn database(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // One that is there is not opened: with the end of a second descriptor SQLite's locks on the file would end.
    if !path.exists() {
        return file(path).map(drop);
    }
    let path = path.canonicalize()?;
    for beside in ["", "-wal", "-shm"] {
        let mut name = path.clone().into_os_string();
        name.push(beside);
        match narrow(Path::new(&name), FILE) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Takes the folder for a hub, until the file is closed.
///
/// # Errors
/// If another has it, or the file can't be opened.
pub fn lock(folder: &Path) -> Result<File, FolderError> {
    let path = folder.join(LOCK);
    let file = file(&path).map_err(|error| FolderError::Unusable { path, error })?;
    file.try_lock().map_err(|_| FolderError::Taken(folder.to_owned()))?;
    Ok(file)
}

/// Whether a hub has the folder. Makes nothing.
#[must_use]
pub fn is_locked(folder: &Path) -> bool {
    File::open(folder.join(LOCK)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Whether a file can be read and written, or made if it isn't there. Touches nothing.
///
/// # Errors
/// If not.
pub fn inspect_file(path: &Path) -> Result<(), FolderError> {
    if !path.exists() {
        return inspect(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")));
    }
    let unusable = |error: rustix::io::Errno| FolderError::Unusable { path: path.to_owned(), error: error.into() };
    access(path, Access::READ_OK | Access::WRITE_OK).map_err(unusable)
}

/// Whether there is such a file and others may do something with it.
#[must_use]
pub fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.mode() & OPEN != 0)
}

/// Parents that are there already are left as they are.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(FOLDER).create(folder)
}

fn existing(folder: &Path, error: io::Error) -> FolderError {
    match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => FolderError::NotFolder(folder.to_owned()),
        _ => FolderError::Unusable { path: folder.to_owned(), error },
    }
}

fn judge(folder: &Path, found: &fs::Metadata) -> Result<(), FolderError> {
    let is_foreign = found.uid() != process::geteuid().as_raw();
    if is_foreign && found.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(FolderError::Foreign(folder.to_owned()));
    }
    Ok(())
}

/// Whether it was open to others.
fn narrow(path: &Path, mode: u32) -> io::Result<bool> {
    let is_open = fs::metadata(path)?.mode() & OPEN != 0;
    if is_open {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(is_open)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::chown;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn open_to_all(path: &Path) {
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_was_open_is_narrowed_and_named_and_the_parent_stays() {
        let parent = tempfile::tempdir().unwrap();
        open_to_all(parent.path());
        let folder = parent.path().join("data");
        assert_eq!(secure(&folder).unwrap(), Vec::<String>::new());
        assert_eq!(mode(&folder), 0o700);
        let names = ["inbox.sqlite3", "inbox.sqlite3-wal", "store.sqlite3-shm", "leadwire.toml"];
        for name in names {
            fs::write(folder.join(name), "").unwrap();
            open_to_all(&folder.join(name));
        }
        open_to_all(&folder);
        let said = secure(&folder).unwrap().join("\n");
        assert!(names[..3].iter().all(|name| said.contains(name)) && said.contains("0755"), "{said}");
        assert!(names[..3].iter().all(|name| mode(&folder.join(name)) == 0o600));
        assert_eq!((mode(&folder), mode(&folder.join(names[3])), mode(parent.path())), (0o700, 0o644, 0o755));
        assert_eq!(secure(&folder).unwrap(), Vec::<String>::new(), "there is nothing left to say");
    }

    #[test]
    fn a_folder_that_holds_others_folders_keeps_its_mode_and_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        open_to_all(folder.path());
        fs::create_dir(folder.path().join("of-somebody-else")).unwrap();
        fs::write(folder.path().join("inbox.sqlite3"), "").unwrap();
        open_to_all(&folder.path().join("inbox.sqlite3"));
        let said = secure(folder.path()).unwrap().join("\n");
        assert!(said.contains("stays 0755") && said.contains("inbox.sqlite3"), "{said}");
        assert_eq!((mode(folder.path()), mode(&folder.path().join("inbox.sqlite3"))), (0o755, 0o600));
    }

    #[test]
    fn a_strangers_folder_that_everybody_writes_into_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let folder = if process::geteuid().is_root() {
            chown(folder.path(), Some(65_534), None).unwrap();
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
            folder.path()
        } else {
            Path::new("/tmp")
        };
        assert!(matches!(secure(folder), Err(FolderError::Foreign(_))));
        assert!(matches!(inspect(folder), Err(FolderError::Foreign(_))));
    }

    #[test]
    fn a_database_is_made_for_its_owner_alone_or_narrowed_with_what_stands_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/inbox.sqlite3");
        database(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let log = folder.path().join("new/inbox.sqlite3-wal");
        fs::write(&log, "").unwrap();
        open_to_all(&path);
        open_to_all(&log);
        database(&path).unwrap();
        assert_eq!((mode(&path), mode(&log)), (0o600, 0o600));
    }

    #[test]
    fn looking_at_a_folder_makes_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        inspect(&folder.path().join("deep/data")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(folder.path().join("taken"), "").unwrap();
        for path in ["taken", "taken/data"] {
            let refused = inspect(&folder.path().join(path)).unwrap_err();
            assert!(matches!(refused, FolderError::NotFolder(_)), "{refused}");
            assert!(secure(&folder.path().join(path)).is_err());
        }
    }
}
