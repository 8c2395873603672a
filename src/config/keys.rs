//! The master key and the keys derived from it.

use std::{
    fmt, fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::{data_folder, ring::KeyRing};

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not 64 hex digits.
    #[error("the master key in {0} is not 64 hex digits; restore the right one, or the stored tokens can't be read")]
    Malformed(String),
    /// Others on this machine can read the key.
    #[error("{0} can be read by others on this machine; set its mode to 0600")]
    Exposed(PathBuf),
    /// It opens nothing that the database holds.
    #[error(
        "none of the secrets in the database opens with this master key: they were sealed with another one. Restore the \
         master.key that belongs to this database (or set data.master_key), or name the database that belongs to this key; \
         nothing was changed"
    )]
    Wrong,
    /// The file can't be read or made.
    #[error("the master key file {path} can't be used: {error}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// 32 random bytes from which every other key of the hub is derived.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl MasterKey {
    /// The configured keys, else the file's, else a new one written to the file.
    pub(super) fn find(configured: &SecretString, path: &Path) -> Result<KeyRing, KeyError> {
        match Self::look(configured, path)? {
            Some(ring) => Ok(ring),
            None => Self::create(path),
        }
    }

    /// The configured keys, else the file's, if there are any. Makes none.
    pub(super) fn look(configured: &SecretString, path: &Path) -> Result<Option<KeyRing>, KeyError> {
        if !configured.expose_secret().is_empty() {
            return KeyRing::parse(configured.expose_secret()).map(Some);
        }
        match KeyRing::of_file(path) {
            Err(KeyError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        }
    }

    /// 32 random bytes; an error names `path`.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn generate(path: &Path) -> Result<Self, KeyError> {
        let mut key = [0; 32];
        let random = fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut key));
        random.map_err(|error| KeyError::File { path: path.to_owned(), error })?;
        Ok(Self(key))
    }

    /// As it stands in its file: 64 hex digits. It opens everything.
    #[must_use]
    pub fn text(&self) -> SecretString {
        hex::encode(self.0).into()
    }

    fn create(path: &Path) -> Result<KeyRing, KeyError> {
        match write_aside(path, &Self::generate(path)?.text(), false) {
            Ok(()) => KeyRing::of_file(path),
            // Another command made it in the meantime: its key is the one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => KeyRing::of_file(path),
            Err(error) => Err(KeyError::File { path: path.to_owned(), error }),
        }
    }

    /// The key for one purpose: HMAC-SHA256 of its name under the master key.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        // A key of 32 bytes fits into the block of 64 that HMAC takes as it is.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(b"leadwire/");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// Writes a file whole or not at all: whoever finds it by its name finds all of it, also after a crash. One that is there is
/// an error unless it is to be replaced.
pub(super) fn write_aside(path: &Path, text: &SecretString, replaces: bool) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    data_folder::make(folder)?;
    // Its mode is 0600, and it goes when this fails.
    let mut file = tempfile::Builder::new().prefix(".master.key-").tempfile_in(folder)?;
    file.write_all(text.expose_secret().as_bytes())?;
    file.as_file().sync_all()?;
    if replaces {
        file.persist(path)?;
    } else {
        file.persist_noclobber(path)?;
    }
    fs::File::open(folder)?.sync_all()
}

pub(super) fn parse(text: &str, place: &str) -> Result<MasterKey, KeyError> {
    let mut key = [0; 32];
    hex::decode_to_slice(text, &mut key).map_err(|_| KeyError::Malformed(place.to_owned()))?;
    Ok(MasterKey(key))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn newest(path: &Path) -> MasterKey {
        MasterKey::find(&none(), path).unwrap().keys()[0].clone()
    }

    fn none() -> SecretString {
        SecretString::from(String::new())
    }

    #[test]
    fn a_key_is_made_once_with_mode_0600_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/master.key");
        let first = newest(&path);
        let second = newest(&path);
        assert_eq!(first.derive("a"), second.derive("a"));
        assert_ne!(first.derive("a"), first.derive("b"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn first_commands_that_run_at_once_find_one_whole_key() {
        for _ in 0..50 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("data/master.key");
            let find = || newest(&path).derive("a");
            let keys: Vec<_> = std::thread::scope(|scope| {
                let at_once: Vec<_> = (0..4).map(|_| scope.spawn(find)).collect();
                at_once.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert!(keys.iter().all(|key| *key == keys[0]));
            assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "what was written aside is gone");
        }
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        newest(&path);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(MasterKey::find(&none(), &path), Err(KeyError::Exposed(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "not a key").unwrap();
        assert!(matches!(MasterKey::find(&none(), &path), Err(KeyError::Malformed(_))));
    }
}
