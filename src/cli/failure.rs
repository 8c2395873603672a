//! How a command fails: one clear line, and a code that says whose turn it is.

use std::process::ExitCode;

use crate::{app, auth::SigningKeyError, config, store::StoreError};

/// What was asked for can't be done as it was asked. The text says what to do instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

impl BadInput {
    /// There is no such thing; says how to find the right one.
    pub(super) fn unknown(what: &str, id: impl std::fmt::Display) -> Self {
        Self(format!("there is no {what} {id}; `leadwire {what} list` shows what there is"))
    }
}

/// Prints why, and chooses the exit code.
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("leadwire: {error:#}");
    ExitCode::from(if is_input(error) { 2 } else { 1 })
}

fn is_input(error: &anyhow::Error) -> bool {
    let store = error.downcast_ref::<StoreError>().is_some_and(|error| {
        matches!(
            error,
            StoreError::Conflict(_) | StoreError::NotFound(_) | StoreError::Rejected(_) | StoreError::Address(_)
        )
    });
    store
        || error.is::<BadInput>()
        || error.is::<config::ConfigError>()
        || error.is::<config::KeyError>()
        || error.is::<config::FolderError>()
        || error.is::<SigningKeyError>()
        || error.is::<app::Refused>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_caller_can_put_right_has_code_2() {
        assert!(is_input(&BadInput("x".into()).into()));
        assert!(is_input(&StoreError::Conflict("taken".into()).into()));
        assert!(!is_input(&StoreError::Unavailable("away".into()).into()));
    }
}
