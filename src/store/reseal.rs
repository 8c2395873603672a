//! Sealing again what an older master key sealed, while hubs are at work.

use super::{
    engine::run,
    error::Result,
    handle::Store,
    vault::{Place, Vault},
};

/// Rows looked at in one transaction.
pub(super) const PORTION: i64 = 100;

/// A column of secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    SourceToken,
    SourceAppSecrets,
    SourceVerifyToken,
    IssuerSecret,
    EndpointToken,
    EndpointSecret,
    EndpointPreviousSecret,
}

impl Column {
    /// Every column that is sealed.
    pub const ALL: [Self; 7] = [
        Self::SourceToken,
        Self::SourceAppSecrets,
        Self::SourceVerifyToken,
        Self::IssuerSecret,
        Self::EndpointToken,
        Self::EndpointSecret,
        Self::EndpointPreviousSecret,
    ];

    /// Where a row's secret is sealed for.
    pub fn place(self, row: &str) -> Place<'_> {
        let (table, column) = match self {
            Self::SourceToken => ("sources", "token"),
            Self::SourceAppSecrets => ("sources", "app_secrets"),
            Self::SourceVerifyToken => ("sources", "verify_token"),
            Self::IssuerSecret => ("issuers", "secret"),
            Self::EndpointToken => ("endpoints", "token"),
            // One that is replaced moves to the other column as it is.
            Self::EndpointSecret | Self::EndpointPreviousSecret => ("endpoints", "secret"),
        };
        Place { table, row, column }
    }
}

/// Some rows of a column: their ids, and what is sealed in them.
pub(super) type Portion = Vec<(String, Option<Vec<u8>>)>;

/// A secret that is sealed anew: the row, what it was, what it is to be.
pub(super) type Resealed = (String, Vec<u8>, Vec<u8>);

/// What is sealed, and what became of sealing it again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resealing {
    /// Secrets under the newest key.
    pub newest: usize,
    /// Secrets under older ones.
    pub older: usize,
    /// Those that were sealed again.
    pub resealed: usize,
    /// Why some can't be opened; they are as they were.
    pub unreadable: Vec<String>,
}

impl Store {
    /// Seals everything under the newest key that is under another, a portion at a time. Whoever changes a secret
    /// meanwhile wins. It may be cut off at any instant and done again.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away: what was done stays done.
    pub async fn reseal(&self) -> Result<Resealing> {
        self.go_over(true).await
    }

    /// Looks under which keys everything is sealed, and whether it opens.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away.
    pub async fn sealed(&self) -> Result<Resealing> {
        self.go_over(false).await
    }

    async fn go_over(&self, again: bool) -> Result<Resealing> {
        let mut done = Resealing::default();
        for column in Column::ALL {
            let mut after = String::new();
            loop {
                let from = after.clone();
                let portion = run!(self, Read, |c, q| q::reseal::portion(c, column, &from).await)?;
                let Some((last, _)) = portion.last() else { break };
                after.clone_from(last);
                let fresh = sealed_anew(self.vault(), column, portion, &mut done);
                if again && !fresh.is_empty() {
                    done.resealed += run!(self, Change, |c, q| q::reseal::replace(c, column, &fresh).await)?;
                }
            }
        }
        if again {
            (done.newest, done.older) = (done.newest + done.resealed, done.older - done.resealed);
        }
        Ok(done)
    }
}

fn sealed_anew(vault: &Vault, column: Column, portion: Portion, done: &mut Resealing) -> Vec<Resealed> {
    let mut fresh = Vec::new();
    for (row, sealed) in portion {
        let Some(sealed) = sealed else { continue };
        let place = column.place(&row);
        match vault.open(place, &sealed) {
            Err(error) => done.unreadable.push(error.to_string()),
            Ok(_) if vault.is_newest(&sealed) => done.newest += 1,
            Ok(secret) => match vault.seal(place, &secret) {
                Ok(anew) => {
                    done.older += 1;
                    fresh.push((row, sealed, anew));
                }
                Err(error) => done.unreadable.push(error.to_string()),
            },
        }
    }
    fresh
}
