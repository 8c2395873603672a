//! Endpoints: where webhooks of the hub go. Tokens and secrets are sealed.
//!
//! Whoever asks names the agency; which of its endpoints they may see is not decided here.

use diesel::prelude::*;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{
    check,
    engine::run,
    error::{Result, StoreError},
    handle::Store,
    schema::endpoints,
    types::{At, Json, Word},
    vault::{Place, Vault},
};
use crate::domain::{
    AccountId, AgencyId, EndpointId, SourceId, Timestamp,
    audit::{Action, Event},
    clock,
    delivery::{Endpoint, OWN_SCHEME, OWN_TYPES},
};

/// An endpoint to be added.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// The tenant.
    pub agency: AgencyId,
    /// Whose events it gets, and nobody else's; at least one.
    pub accounts: Vec<AccountId>,
    /// Who adds it and answers for it: the id of a user or of an API key.
    pub by: Option<String>,
    /// Where they are posted.
    pub url: Url,
    /// For people.
    pub description: String,
    /// What it asks for.
    pub types: Vec<String>,
    /// See [`Endpoint::ordered`].
    pub ordered: bool,
    /// See [`Endpoint::enabled`].
    pub enabled: bool,
    /// Goes with each delivery.
    pub token: Option<SecretString>,
    /// Signs each delivery.
    pub secret: SecretString,
}

/// What is to be different; `None` stays as it is.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "they mean what they mean in `NewEndpoint`")]
pub struct EndpointChange {
    pub url: Option<Url>,
    pub description: Option<String>,
    pub types: Option<Vec<String>>,
    pub ordered: Option<bool>,
    pub enabled: Option<bool>,
    pub token: Option<Option<SecretString>>,
    /// Exactly these from now on; whoever adds one answers for it.
    pub accounts: Option<Vec<AccountId>>,
    pub by: Option<String>,
    /// Signs from then on, alone, if the URL leads to another scheme, host or port; needed with a URL.
    pub secret: Option<SecretString>,
}

/// What a change made of an endpoint.
#[derive(Debug, Clone)]
pub struct ChangedEndpoint {
    /// As it is now.
    pub endpoint: Endpoint,
    /// It leads to another scheme, host or port: its token is gone unless another was given, its secret is the new one, and what
    /// waited is parked.
    pub moved: bool,
}

/// An endpoint with what is needed to deliver to it.
#[derive(Debug, Clone)]
pub struct Target {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Goes with each delivery.
    pub token: Option<SecretString>,
    /// Sign each delivery: the newest, and for a while the one before.
    pub secrets: Vec<SecretString>,
    /// The source whose endpoint it is, if it is the hub's own.
    pub own: Option<SourceId>,
}

/// A row of `endpoints`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = endpoints, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(super) struct EndpointRow {
    pub id: Word<EndpointId>,
    pub agency_id: Word<AgencyId>,
    pub account_id: Option<Word<AccountId>>,
    pub url: String,
    pub description: String,
    pub types: Json,
    pub ordered: bool,
    pub enabled: bool,
    pub disabled_reason: Option<String>,
    pub token: Option<Vec<u8>>,
    pub secret: Vec<u8>,
    pub previous_secret: Option<Vec<u8>>,
    pub previous_until: Option<At>,
    pub created_at: At,
    pub updated_at: At,
    pub source_id: Option<Word<SourceId>>,
    pub created_by: Option<String>,
    pub changed_by: Option<String>,
}

/// What a change makes of a row; the secrets sealed.
#[derive(Debug, Clone)]
pub(super) enum RowChange {
    Fields { change: Box<EndpointChange>, token: Option<Vec<u8>>, secret: Option<Vec<u8>> },
    Rotate { secret: Vec<u8>, until: At, by: Option<String> },
}

impl RowChange {
    /// As it is recorded.
    pub const fn action(&self) -> Action {
        match self {
            Self::Fields { .. } => Action::EndpointChanged,
            Self::Rotate { .. } => Action::EndpointRotated,
        }
    }

    /// With what was changed; where it leads and what opens it are not repeated.
    pub fn told(&self, event: Event) -> Event {
        let Self::Fields { change, .. } = self else { return event };
        let named = [
            ("url", change.url.is_some()),
            ("types", change.types.is_some()),
            ("token", change.token.is_some()),
            ("accounts", change.accounts.is_some()),
            ("ordered", change.ordered.is_some()),
            ("description", change.description.is_some()),
        ];
        let changed = named.into_iter().filter(|(_, changed)| *changed);
        let event = changed.fold(event, |event, (name, _)| event.with(name, "replaced"));
        change.enabled.into_iter().fold(event, |event, enabled| event.with("enabled", enabled))
    }

    /// Whether the endpoint leads elsewhere then: what was given for one origin is not for another.
    pub fn apply(&self, row: &mut EndpointRow) -> Result<bool> {
        let mut moved = false;
        match self.clone() {
            Self::Fields { change, token, secret } => {
                let change = *change;
                if let Some(url) = change.url {
                    moved = row.url.parse::<Url>().map_or(true, |before| before.origin() != url.origin());
                    row.url = url.into();
                }
                if moved {
                    let missing = || StoreError::Rejected("an endpoint that moves needs a new secret".to_owned());
                    row.secret = secret.ok_or_else(missing)?;
                    (row.token, row.previous_secret, row.previous_until) = (None, None, None);
                }
                if let Some(accounts) = change.accounts {
                    row.account_id = only(&accounts);
                }
                row.changed_by = change.by;
                row.description = change.description.unwrap_or(std::mem::take(&mut row.description));
                if let Some(types) = change.types {
                    row.types = Json(types.into());
                }
                row.ordered = change.ordered.unwrap_or(row.ordered);
                if let Some(enabled) = change.enabled {
                    row.enabled = enabled;
                    row.disabled_reason = None;
                }
                if change.token.is_some() {
                    row.token = token;
                }
            }
            Self::Rotate { secret, until, by } => {
                row.changed_by = by;
                row.previous_secret = Some(std::mem::replace(&mut row.secret, secret));
                row.previous_until = Some(until);
            }
        }
        Ok(moved)
    }

    /// What it covers from then on, if that changes, and who says so.
    pub fn accounts(&self) -> Option<(&[AccountId], Option<&str>)> {
        match self {
            Self::Fields { change, .. } => Some((change.accounts.as_deref()?, change.by.as_deref())),
            Self::Rotate { .. } => None,
        }
    }
}

/// The account, if it is one.
fn only(accounts: &[AccountId]) -> Option<Word<AccountId>> {
    if let [account] = accounts { Some(Word(*account)) } else { None }
}

impl Store {
    /// Adds an endpoint.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the agency has no such account; [`StoreError::Rejected`] if a text can't be stored.
    pub async fn add_endpoint(&self, new: NewEndpoint) -> Result<Endpoint> {
        check::key("url", new.url.as_str())?;
        check::key("description", &new.description)?;
        let (id, now) = (EndpointId::generate(), At(clock::now()));
        let name = id.to_string();
        let row = EndpointRow {
            id: Word(id),
            agency_id: Word(new.agency),
            account_id: only(&new.accounts),
            url: new.url.into(),
            description: new.description,
            types: Json(new.types.into()),
            ordered: new.ordered,
            enabled: new.enabled,
            disabled_reason: None,
            token: new.token.map(|token| self.vault().seal(place(&name, "token"), &token)).transpose()?,
            secret: self.vault().seal(place(&name, "secret"), &new.secret)?,
            previous_secret: None,
            previous_until: None,
            created_at: now,
            updated_at: now,
            source_id: None,
            created_by: new.by.clone(),
            changed_by: new.by,
        };
        let (accounts, trail) = (new.accounts, self.trail().clone());
        run!(self, Change, |c, q| q::endpoints::add(c, &row, &accounts, &trail).await).and_then(Endpoint::try_from)
    }

    /// The agency's endpoints, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database is away.
    pub async fn endpoints(&self, agency: AgencyId) -> Result<Vec<Endpoint>> {
        let rows = run!(self, Read, |c, q| q::endpoints::all(c, agency).await)?;
        rows.into_iter().map(Endpoint::try_from).collect()
    }

    /// One of the agency's endpoints.
    ///
    /// # Errors
    /// As [`Store::endpoints`].
    pub async fn endpoint(&self, agency: AgencyId, id: EndpointId) -> Result<Option<Endpoint>> {
        run!(self, Read, |c, q| q::endpoints::one(c, agency, id).await)?.map(Endpoint::try_from).transpose()
    }

    /// Changes an endpoint; enabling one forgets why it was disabled. One that moves keeps neither token nor secret, and what
    /// waits for it is parked.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the agency has no such endpoint; [`StoreError::Rejected`] if a text can't be stored.
    pub async fn change_endpoint(
        &self,
        agency: AgencyId,
        id: EndpointId,
        change: EndpointChange,
    ) -> Result<ChangedEndpoint> {
        change.url.as_ref().map_or(Ok(()), |url| check::key("url", url.as_str()))?;
        change.description.as_ref().map_or(Ok(()), |text| check::key("description", text))?;
        let name = id.to_string();
        let token = change.token.iter().flatten().next();
        let token = token.map(|token| self.vault().seal(place(&name, "token"), token)).transpose()?;
        let secret = change.secret.as_ref();
        let secret = secret.map(|secret| self.vault().seal(place(&name, "secret"), secret)).transpose()?;
        self.change_row(agency, id, RowChange::Fields { token, secret, change: Box::new(change) }).await
    }

    /// Gives an endpoint a new secret; the one before signs as well until then.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the agency has no such endpoint.
    pub async fn rotate_endpoint_secret(
        &self,
        agency: AgencyId,
        id: EndpointId,
        secret: &SecretString,
        until: Timestamp,
        by: Option<String>,
    ) -> Result<Endpoint> {
        let secret = self.vault().seal(place(&id.to_string(), "secret"), secret)?;
        Ok(self.change_row(agency, id, RowChange::Rotate { secret, until: At(until), by }).await?.endpoint)
    }

    /// Removes an endpoint with all that was delivered to it or waits.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the agency has no such endpoint.
    pub async fn remove_endpoint(&self, agency: AgencyId, id: EndpointId) -> Result<()> {
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::endpoints::remove(c, agency, id, &trail).await)
    }

    async fn change_row(&self, agency: AgencyId, id: EndpointId, change: RowChange) -> Result<ChangedEndpoint> {
        let (now, trail) = (At(clock::now()), self.trail().clone());
        let (row, moved) = run!(self, Change, |c, q| q::endpoints::change(c, agency, id, &change, now, &trail).await)?;
        Ok(ChangedEndpoint { endpoint: row.try_into()?, moved })
    }
}

/// The hub's own endpoint of a prospecting source. Nothing is signed on the way to it.
pub(super) fn own(vault: &Vault, source: SourceId, account: AccountId, agency: AgencyId) -> Result<EndpointRow> {
    let (id, now) = (EndpointId::generate(), At(clock::now()));
    Ok(EndpointRow {
        id: Word(id),
        agency_id: Word(agency),
        account_id: Some(Word(account)),
        url: format!("{OWN_SCHEME}{source}"),
        description: "The hub itself".to_owned(),
        types: Json(OWN_TYPES.as_slice().into()),
        ordered: true,
        enabled: true,
        disabled_reason: None,
        token: None,
        secret: vault.seal(place(&id.to_string(), "secret"), &SecretString::default())?,
        previous_secret: None,
        previous_until: None,
        created_at: now,
        updated_at: now,
        source_id: Some(Word(source)),
        created_by: None,
        changed_by: None,
    })
}

fn place<'a>(row: &'a str, column: &'a str) -> Place<'a> {
    Place { table: "endpoints", row, column }
}

impl TryFrom<EndpointRow> for Endpoint {
    type Error = StoreError;

    fn try_from(row: EndpointRow) -> Result<Self> {
        let corrupt = |error| StoreError::Corrupt(format!("endpoints.types of {}: {error}", row.id.0));
        Ok(Self {
            types: Deserialize::deserialize(&row.types.0).map_err(corrupt)?,
            id: row.id.0,
            agency: row.agency_id.0,
            account: row.account_id.map(|account| account.0),
            url: row.url,
            own: row.source_id.is_some(),
            description: row.description,
            ordered: row.ordered,
            enabled: row.enabled,
            disabled_reason: row.disabled_reason,
            has_token: row.token.is_some(),
            previous_secret_until: row.previous_until.map(|at| at.0),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            created_by: row.created_by,
            changed_by: row.changed_by,
        })
    }
}

/// With its secrets, as they are at some time.
pub(super) fn target(vault: &Vault, row: EndpointRow, now: Timestamp) -> Result<Target> {
    let name = row.id.0.to_string();
    let token = row.token.as_ref().map(|sealed| vault.open(place(&name, "token"), sealed)).transpose()?;
    let previous = row.previous_secret.as_ref().filter(|_| row.previous_until.is_some_and(|until| until.0 > now));
    let secrets = std::iter::once(&row.secret).chain(previous);
    let secrets = secrets.map(|sealed| vault.open(place(&name, "secret"), sealed)).collect::<Result<_>>()?;
    let own = row.source_id.map(|source| source.0);
    Ok(Target { token, secrets, own, endpoint: row.try_into()? })
}
