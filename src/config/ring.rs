//! The master keys, the newest first, and what is made of them: kept up while another program changes their file.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant, SystemTime},
};

use super::{
    keyfile::Keys,
    keys::{KeyError, MasterKey},
};

/// The file is looked at no more often than this.
const LOOK: Duration = Duration::from_millis(500);

/// The master keys. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct KeyRing(Arc<Inner>);

struct Inner {
    /// None: the keys are from the settings, and another start brings others.
    file: Option<PathBuf>,
    held: RwLock<Held>,
    looked: Mutex<Look>,
}

#[derive(Clone)]
struct Held {
    /// Grows when the keys change.
    version: u64,
    keys: Arc<[MasterKey]>,
}

struct Look {
    at: Instant,
    seen: Option<(SystemTime, u64)>,
}

impl KeyRing {
    /// Keys that stay as they are, the newest first.
    #[must_use]
    pub fn fixed(keys: Vec<MasterKey>) -> Self {
        Self::new(keys, None)
    }

    /// Keys as `data.master_key` has them, with blanks or commas between them, the newest first.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if one is not 64 hex digits, or there is none.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        Ok(Self::fixed(Keys::parse(text, "data.master_key")?.all))
    }

    /// The keys of this file, which is looked at again.
    pub(super) fn of_file(path: &Path) -> Result<Self, KeyError> {
        let seen = mark(path);
        let ring = Self::new(Keys::read(path)?.all, Some(path.to_owned()));
        ring.0.looked.lock().unwrap_or_else(PoisonError::into_inner).seen = seen;
        Ok(ring)
    }

    fn new(keys: Vec<MasterKey>, file: Option<PathBuf>) -> Self {
        let held = RwLock::new(Held { version: 0, keys: keys.into() });
        Self(Arc::new(Inner { file, held, looked: Mutex::new(Look { at: Instant::now(), seen: None }) }))
    }

    /// Where the keys are, unless they are from the settings.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// The keys, the newest first.
    #[must_use]
    pub fn keys(&self) -> Arc<[MasterKey]> {
        self.held().keys
    }

    /// Reads the file again if it was changed. One that can't be read leaves the keys as they are.
    pub fn look_again(&self) {
        let Some(path) = &self.0.file else { return };
        let mut looked = self.0.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.at.elapsed() < LOOK {
            return;
        }
        looked.at = Instant::now();
        let seen = mark(path);
        if seen == looked.seen {
            return;
        }
        match Keys::read(path) {
            Ok(Keys { all: keys, .. }) => {
                looked.seen = seen;
                let mut held = self.0.held.write().unwrap_or_else(PoisonError::into_inner);
                *held = Held { version: held.version + 1, keys: keys.into() };
                tracing::info!(keys = held.keys.len(), "the master keys were read again");
            }
            Err(error) => {
                tracing::warn!(%error, "the master keys were changed and can't be read: those from before are used");
            }
        }
    }

    fn held(&self) -> Held {
        self.0.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What tells one content of the file from the next, without reading it.
fn mark(path: &Path) -> Option<(SystemTime, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.ino()))
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys)", self.held().keys.len())
    }
}

/// What is made of each key, the newest first; made again when the keys change. Cheap to clone.
pub struct Made<T>(Arc<Making<T>>);

/// Makes something of a key.
type Derive<T> = Box<dyn Fn(&MasterKey) -> T + Send + Sync>;

struct Making<T> {
    /// None: nothing changes.
    of: Option<(KeyRing, Derive<T>)>,
    made: RwLock<(u64, Arc<[T]>)>,
}

impl<T: 'static> Made<T> {
    /// What `derive` makes of each.
    pub fn of(ring: &KeyRing, derive: impl Fn(&MasterKey) -> T + Send + Sync + 'static) -> Self {
        let held = ring.held();
        let made = RwLock::new((held.version, held.keys.iter().map(&derive).collect()));
        Self(Arc::new(Making { of: Some((ring.clone(), Box::new(derive))), made }))
    }

    /// The one there is.
    #[must_use]
    pub fn only(one: T) -> Self {
        Self(Arc::new(Making { of: None, made: RwLock::new((0, [one].into())) }))
    }

    /// The newest first.
    #[must_use]
    pub fn all(&self) -> Arc<[T]> {
        let made = || Arc::clone(&self.0.made.read().unwrap_or_else(PoisonError::into_inner).1);
        let Some((ring, derive)) = &self.0.of else { return made() };
        let held = ring.held();
        if self.0.made.read().unwrap_or_else(PoisonError::into_inner).0 < held.version {
            let mut made = self.0.made.write().unwrap_or_else(PoisonError::into_inner);
            if made.0 < held.version {
                *made = (held.version, held.keys.iter().map(derive).collect());
            }
        }
        made()
    }

    /// The first that this holds for; the keys are looked at again before it is given up.
    pub fn find(&self, is_it: impl Fn(&T) -> bool) -> Option<(Arc<[T]>, usize)> {
        let look = || {
            let all = self.all();
            all.iter().position(&is_it).map(|at| (all, at))
        };
        look().or_else(|| {
            self.0.of.as_ref()?.0.look_again();
            look()
        })
    }
}

impl<T> Clone for Made<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
