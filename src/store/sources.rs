//! Connected outside things, with their secrets sealed.

use diesel::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    check,
    endpoints::own,
    engine::run,
    error::{Result, StoreError},
    handle::Store,
    schema::sources,
    types::{At, Word},
    vault::{Place, Vault},
};
use crate::domain::{AccountId, AgencyId, SourceId, clock, directory::Source, event::SourceKind};

/// A source to be connected.
#[derive(Debug, Clone)]
pub struct NewSource {
    /// Whose events it will send.
    pub account: AccountId,
    /// The platform.
    pub kind: SourceKind,
    /// The platform's id of it: the page id. Unique in the hub together with the kind.
    pub external_id: String,
    /// For people.
    pub name: String,
    /// Opens the platform's API for it.
    pub token: SecretString,
    /// Of the agency's own app, the newest first; empty when it belongs to the hub's app.
    pub app_secrets: Vec<SecretString>,
    /// Of the agency's own app.
    pub verify_token: Option<SecretString>,
    /// Where the platform's API is, if that is the source's own.
    pub api_url: Option<Url>,
}

/// A row of `sources`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sources, treat_none_as_default_value = false)]
pub(super) struct SourceRow {
    pub id: Word<SourceId>,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub kind: Word<SourceKind>,
    pub external_id: String,
    pub name: String,
    pub token: Vec<u8>,
    pub app_secrets: Vec<u8>,
    pub verify_token: Option<Vec<u8>>,
    pub enabled: bool,
    pub created_at: At,
    pub api_url: Option<String>,
}

impl Store {
    /// Connects a source to an account; it routes at once. A prospecting source gets the hub's own endpoint with it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it is connected already, to whichever account; [`StoreError::NotFound`] if there is
    /// no such account; [`StoreError::Rejected`] if its id is empty.
    pub async fn add_source(&self, source: NewSource) -> Result<SourceId> {
        check::filled("external_id", &source.external_id)?;
        check::key("name", &source.name)?;
        let (id, account) = (SourceId::generate(), source.account);
        let agency = run!(self, Read, |c, q| q::agencies::agency_of(c, account).await)?;
        let endpoint = (source.kind == SourceKind::Prospecting).then(|| own(self.vault(), id, account, agency));
        let endpoint = endpoint.transpose()?;
        let row = seal(self.vault(), id, agency, source)?;
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::sources::add(c, &row, endpoint.as_ref(), &trail).await)?;
        Ok(id)
    }

    /// Sees to it that the hub is told what happens in its own tables of an account: by a prospecting source, which no token
    /// opens unless it gets one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such account.
    pub async fn watch_own_tables(&self, account: AccountId) -> Result<()> {
        if run!(self, Read, |c, q| q::sources::is_prospecting(c, account).await)? {
            return Ok(());
        }
        let source = NewSource {
            account,
            kind: SourceKind::Prospecting,
            external_id: account.to_string(),
            name: "Prospecting".to_owned(),
            token: SecretString::default(),
            app_secrets: Vec::new(),
            verify_token: None,
            api_url: None,
        };
        match self.add_source(source).await {
            // Somebody else was quicker.
            Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Replaces the token that opens the platform's API.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such source.
    pub async fn set_source_token(&self, source: SourceId, token: &SecretString) -> Result<()> {
        let sealed = self.vault().seal(place(&source.to_string(), "token"), token)?;
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::sources::set_token(c, source, &sealed, &trail).await)
    }

    /// Replaces the secrets of its agency's own app: the newest first, the one before while it is being rotated.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such source.
    pub async fn set_source_app_secrets(&self, source: SourceId, secrets: &[SecretString]) -> Result<()> {
        let sealed = seal_secrets(self.vault(), &source.to_string(), secrets)?;
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::sources::set_app_secrets(c, source, &sealed, &trail).await)
    }

    /// Says where the platform's API is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such source.
    pub async fn set_source_api_url(&self, source: SourceId, url: &Url) -> Result<()> {
        let url = url.to_string();
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::sources::set_api_url(c, source, &url, &trail).await)
    }

    /// Lets its events through, or parks them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such source.
    pub async fn set_source_enabled(&self, source: SourceId, enabled: bool) -> Result<()> {
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::sources::set_enabled(c, source, enabled, &trail).await)
    }

    /// Disconnects it. What it sent stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such source.
    pub async fn remove_source(&self, source: SourceId) -> Result<()> {
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::sources::remove(c, source, &trail).await)
    }
}

fn place<'a>(row: &'a str, column: &'a str) -> Place<'a> {
    Place { table: "sources", row, column }
}

fn seal(vault: &Vault, id: SourceId, agency: AgencyId, source: NewSource) -> Result<SourceRow> {
    let row = id.to_string();
    let verify_token = source.verify_token.as_ref().map(|token| vault.seal(place(&row, "verify_token"), token));
    Ok(SourceRow {
        id: Word(id),
        agency_id: Word(agency),
        account_id: Word(source.account),
        kind: Word(source.kind),
        external_id: source.external_id,
        name: source.name,
        token: vault.seal(place(&row, "token"), &source.token)?,
        app_secrets: seal_secrets(vault, &row, &source.app_secrets)?,
        verify_token: verify_token.transpose()?,
        enabled: true,
        created_at: At(clock::now()),
        api_url: source.api_url.map(String::from),
    })
}

fn seal_secrets(vault: &Vault, row: &str, secrets: &[SecretString]) -> Result<Vec<u8>> {
    let secrets: Vec<&str> = secrets.iter().map(ExposeSecret::expose_secret).collect();
    let secrets = serde_json::to_string(&secrets).map_err(|error| StoreError::Rejected(error.to_string()))?;
    vault.seal(place(row, "app_secrets"), &SecretString::from(secrets))
}

/// What of a source may be unreadable.
#[derive(Default)]
struct Opened {
    token: SecretString,
    app_secrets: Vec<SecretString>,
    verify_token: Option<SecretString>,
    api_url: Option<Url>,
}

/// Back from its row. One that can't be read is disabled and has no secrets; why stands beside it.
pub(super) fn open(vault: &Vault, row: SourceRow) -> (Source, Option<StoreError>) {
    let (opened, error) = match unseal(vault, &row) {
        Ok(opened) => (opened, None),
        Err(error) => (Opened::default(), Some(error)),
    };
    let source = Source {
        id: row.id.0,
        agency: row.agency_id.0,
        account: row.account_id.0,
        kind: row.kind.0,
        external_id: row.external_id,
        name: row.name,
        token: opened.token,
        app_secrets: opened.app_secrets,
        verify_token: opened.verify_token,
        enabled: row.enabled && error.is_none(),
        api_url: opened.api_url,
    };
    (source, error)
}

fn unseal(vault: &Vault, row: &SourceRow) -> Result<Opened> {
    let name = row.id.0.to_string();
    let secrets = vault.open(place(&name, "app_secrets"), &row.app_secrets)?;
    let secrets: Vec<String> = serde_json::from_str(secrets.expose_secret())
        .map_err(|_| StoreError::Corrupt(format!("sources.app_secrets of {name} is not a list")))?;
    let verify_token = row.verify_token.as_ref().map(|sealed| vault.open(place(&name, "verify_token"), sealed));
    let corrupt = |_| StoreError::Corrupt(format!("sources.api_url of {name} is no URL"));
    let api_url = row.api_url.as_ref().map(|url| url.parse().map_err(corrupt));
    Ok(Opened {
        token: vault.open(place(&name, "token"), &row.token)?,
        app_secrets: secrets.into_iter().map(SecretString::from).collect(),
        verify_token: verify_token.transpose()?,
        api_url: api_url.transpose()?,
    })
}
