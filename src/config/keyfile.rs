//! The file of master keys: one a line, the first seals and signs, all of them open. `next` before a key means that it is
//! going to be the first, once every hub knows it.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    time::SystemTime,
};

use secrecy::{ExposeSecret, SecretString};

use super::keys::{KeyError, MasterKey, parse, write_aside};

const NEXT: &str = "next";

/// The keys of a file or a setting, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    pub all: Vec<MasterKey>,
    /// Where the one stands that is going to be the first.
    pub next: Option<usize>,
}

impl Keys {
    /// Reads keys with blanks, commas or line ends between them.
    pub fn parse(text: &str, place: &str) -> Result<Self, KeyError> {
        let mut keys = Self::default();
        for word in text.split([' ', '\t', '\r', '\n', ',']).filter(|word| !word.is_empty()) {
            if word == NEXT {
                keys.next = Some(keys.all.len());
            } else {
                keys.all.push(parse(word, place)?);
            }
        }
        let named = keys.next.is_none_or(|at| at > 0 && at < keys.all.len());
        if keys.all.is_empty() || !named { Err(KeyError::Malformed(place.to_owned())) } else { Ok(keys) }
    }

    /// Reads a file, which must be its owner's alone.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |error| KeyError::File { path: path.to_owned(), error };
        let mut file = fs::File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyError::Exposed(path.to_owned()));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        Self::parse(&text, &path.display().to_string())
    }

    fn text(&self) -> SecretString {
        let line = |(at, key): (usize, &MasterKey)| {
            let mark = if self.next == Some(at) { "next " } else { "" };
            format!("{mark}{}\n", key.text().expose_secret())
        };
        self.all.iter().enumerate().map(line).collect::<String>().into()
    }
}

/// How far a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// There is one key.
    None,
    /// There is a key that opens and does not seal yet.
    Announced,
    /// The first key seals, and others open.
    Switched,
}

/// The file of master keys, to be changed by one command at a time: it holds a lock as long as this lives.
#[derive(Debug)]
pub struct KeyFile<'a> {
    path: &'a Path,
    _lock: fs::File,
}

impl<'a> KeyFile<'a> {
    /// Takes the file.
    ///
    /// # Errors
    /// [`KeyError::File`] if another command has it.
    pub fn take(path: &'a Path) -> Result<Self, KeyError> {
        let failed = |error| KeyError::File { path: path.to_owned(), error };
        let lock =
            fs::File::options().create(true).truncate(false).write(true).mode(0o600).open(path.with_extension("lock"));
        let lock = lock.map_err(failed)?;
        let busy = || failed(io::Error::other("another command is changing the keys"));
        lock.try_lock().map_err(|_| busy())?;
        Ok(Self { path, _lock: lock })
    }

    /// How far the rotation is.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn rotation(&self) -> Result<Rotation, KeyError> {
        let keys = Keys::read(self.path)?;
        Ok(match (keys.all.len(), keys.next) {
            (_, Some(_)) => Rotation::Announced,
            (1, None) => Rotation::None,
            _ => Rotation::Switched,
        })
    }

    /// Adds a new key that opens and does not seal yet.
    ///
    /// # Errors
    /// If there are no random numbers, or the file can't be changed: then it is as it was, as with all of these.
    pub fn announce(&self) -> Result<(), KeyError> {
        let mut keys = Keys::read(self.path)?;
        keys.next = Some(keys.all.len());
        keys.all.push(MasterKey::generate(self.path)?);
        self.write(&keys)
    }

    /// Puts the key that was announced first.
    ///
    /// # Errors
    /// As above.
    pub fn switch(&self) -> Result<(), KeyError> {
        let mut keys = Keys::read(self.path)?;
        let Some(next) = keys.next.take() else { return Ok(()) };
        keys.all[..=next].rotate_right(1);
        self.write(&keys)
    }

    /// Forgets every key but the first; answers how many these were.
    ///
    /// # Errors
    /// As above.
    pub fn forget_older(&self) -> Result<usize, KeyError> {
        let mut keys = Keys::read(self.path)?;
        let older = keys.all.split_off(1).len();
        keys.next = None;
        self.write(&keys)?;
        Ok(older)
    }

    /// When it was changed last.
    ///
    /// # Errors
    /// If the file is gone.
    pub fn changed_at(&self) -> Result<SystemTime, KeyError> {
        let found = fs::metadata(self.path).and_then(|found| found.modified());
        found.map_err(|error| KeyError::File { path: self.path.to_owned(), error })
    }

    fn write(&self, keys: &Keys) -> Result<(), KeyError> {
        let failed = |error| KeyError::File { path: self.path.to_owned(), error };
        write_aside(self.path, &keys.text(), true).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(keys: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        write_aside(&path, &keys.join("\n").into(), false).unwrap();
        (folder, path)
    }

    #[test]
    fn a_key_is_announced_before_it_is_first_and_the_older_one_is_kept_until_it_is_forgotten() {
        let (_folder, path) = file(&[&"ab".repeat(32)]);
        let old = Keys::read(&path).unwrap().all[0].derive("a");
        let taken = KeyFile::take(&path).unwrap();
        assert!(KeyFile::take(&path).is_err(), "one command at a time");
        assert_eq!(taken.rotation().unwrap(), Rotation::None);
        taken.announce().unwrap();
        let announced = Keys::read(&path).unwrap();
        assert_eq!((taken.rotation().unwrap(), announced.all.len()), (Rotation::Announced, 2));
        assert_eq!(announced.all[0].derive("a"), old, "it seals until everybody knows the next");
        let new = announced.all[1].derive("a");
        taken.switch().unwrap();
        taken.switch().unwrap();
        let switched = Keys::read(&path).unwrap();
        assert_eq!(taken.rotation().unwrap(), Rotation::Switched);
        assert_eq!([switched.all[0].derive("a"), switched.all[1].derive("a")], [new, old]);
        assert_eq!(taken.forget_older().unwrap(), 1);
        assert_eq!(Keys::read(&path).unwrap().all[0].derive("a"), new);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn keys_stand_on_lines_or_between_commas_and_nonsense_is_refused() {
        let (one, two) = ("ab".repeat(32), "cd".repeat(32));
        assert_eq!(Keys::parse(&format!("{one}, {two}"), "it").unwrap().all.len(), 2);
        assert_eq!(Keys::parse(&format!("{one}\r\nnext {two}\n"), "it").unwrap().next, Some(1));
        for text in [String::new(), "next".into(), format!("next {one}"), format!("{one} next"), format!("{one} x")] {
            assert!(matches!(Keys::parse(&text, "it"), Err(KeyError::Malformed(_))), "{text}");
        }
    }
}
