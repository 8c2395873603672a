//! What can go wrong in the store, by what the caller should do about it.

use diesel::result::{ConnectionError, DatabaseErrorInformation, DatabaseErrorKind as Kind, Error};

/// The store's result.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why the store did not do what it was asked for. The texts are for people and hold no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database is away, slow, full, locked, shutting down or not set up. The same call may succeed later; whether
    /// a change took effect is not known.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The data can't be stored as it is, however often it is tried.
    #[error("the database can't take this: {0}")]
    Rejected(String),
    /// It would exist twice.
    #[error("{0}")]
    Conflict(String),
    /// What the change is about does not exist.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// What is stored can't be read: another master key, or a damaged row.
    #[error("stored data can't be read: {0}")]
    Corrupt(String),
    /// `store.url` is not one that can be used.
    #[error("store.url: {0}")]
    Address(String),
    /// A migration failed; it was rolled back.
    #[error("migration: {0}")]
    Migration(String),
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing what it asks for.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether the data is to blame: another row of the same batch may well be fine.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::DatabaseError(kind, info) => classify(kind, &*info),
            Error::RollbackErrorOnCommit { commit_error, .. } => (*commit_error).into(),
            Error::SerializationError(reason) | Error::QueryBuilderError(reason) => Self::Rejected(reason.to_string()),
            Error::DeserializationError(reason) => Self::Corrupt(reason.to_string()),
            Error::NotFound => Self::NotFound("row"),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<ConnectionError> for StoreError {
    fn from(error: ConnectionError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Diesel names the kind of the common violations and drops the SQLSTATE of everything else, so the rest is told by its
/// text. Data faults are the short list: what is not recognised (a full disk, a missing permission, a table that is
/// not there yet, a message in another language) is no reason to give up on a row. `store::check` finds the data
/// faults that PostgreSQL would report before it is asked.
fn classify(kind: Kind, info: &dyn DatabaseErrorInformation) -> StoreError {
    let text = info.message().to_owned();
    match kind {
        Kind::UniqueViolation => StoreError::Conflict(format!("it exists already ({text})")),
        Kind::ForeignKeyViolation
        | Kind::RestrictViolation
        | Kind::ExclusionViolation
        | Kind::NotNullViolation
        | Kind::CheckViolation => StoreError::Rejected(text),
        Kind::Unknown if is_data_fault(&text) => StoreError::Rejected(text),
        _ => StoreError::Unavailable(text),
    }
}

/// Texts of SQLSTATE classes 22 and 54 and of SQLite's `TOOBIG`, `MISMATCH` and `CONSTRAINT_DATATYPE`.
fn is_data_fault(text: &str) -> bool {
    const FAULTS: [&str; 14] = [
        "invalid byte sequence",
        "unsupported Unicode escape",
        "invalid input syntax",
        "invalid memory alloc request size",
        "out of range",
        "value too long",
        "string too long",
        "exceeds the maximum",
        "exceeds btree version",
        "row is too big",
        "string or blob too big",
        "datatype mismatch",
        "cannot store",
        "malformed JSON",
    ];
    FAULTS.iter().any(|fault| text.contains(fault))
}

/// For `map_err`: says in words for people what must not exist twice, and what a reference names that isn't there.
pub(super) fn explain(twice: &'static str, missing: &'static str) -> impl Fn(Error) -> StoreError {
    move |error| match error {
        Error::DatabaseError(Kind::UniqueViolation, _) => StoreError::Conflict(twice.to_owned()),
        Error::DatabaseError(Kind::ForeignKeyViolation, _) => StoreError::NotFound(missing),
        other => other.into(),
    }
}

/// For changes: an error unless exactly that row was there.
pub(super) fn found(rows: usize, what: &'static str) -> Result<()> {
    if rows == 0 { Err(StoreError::NotFound(what)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: Kind, text: &str) -> StoreError {
        Error::DatabaseError(kind, Box::new(text.to_owned())).into()
    }

    #[test]
    fn a_row_is_given_up_only_for_a_fault_of_its_own() {
        for text in [
            "invalid byte sequence for encoding \"UTF8\": 0x00",
            "unsupported Unicode escape sequence",
            "timestamp out of range",
            "index row size 2800 exceeds btree version 4 maximum 2704 for index \"leads_newest\"",
            "string or blob too big",
        ] {
            assert!(told(Kind::Unknown, text).is_rejected(), "{text}");
        }
        for text in [
            "could not extend file \"base/1/2\": No space left on device",
            "database or disk is full",
            "database is locked",
            "attempt to write a readonly database",
            "disk I/O error",
            "terminating connection due to administrator command",
            "sorry, too many clients already",
            "canceling statement due to statement timeout",
            "relation \"leads\" does not exist",
            "permission denied for table leads",
            "eine Meldung in einer anderen Sprache",
        ] {
            assert!(told(Kind::Unknown, text).is_transient(), "{text}");
        }
        for kind in [Kind::UnableToSendCommand, Kind::ReadOnlyTransaction, Kind::SerializationFailure] {
            assert!(told(kind, "").is_transient());
        }
        for kind in [Kind::ForeignKeyViolation, Kind::NotNullViolation, Kind::CheckViolation] {
            assert!(told(kind, "").is_rejected());
        }
    }
}
