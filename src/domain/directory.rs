//! Who is who: a snapshot of every agency, account, user and source.
//!
//! Routing a webhook, checking a session's rooms and verifying a token read this, never the database, so a database
//! that is slow or away stops none of them. The store loads it; whoever needs it holds a [`Watch`] and sees each newer
//! snapshot when it comes.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    AccountId, AgencyId, ApiKeyId, IssuerId, Role, SecretDigest, SourceId, Timestamp, UserId,
    delivery::Cover,
    event::{Scope, SourceKind},
};

/// The newest snapshot; `None` until the first is loaded.
pub type Watch = tokio::sync::watch::Receiver<Option<Arc<Directory>>>;

/// Everything that changes rarely and is asked for often.
#[derive(Debug, Default)]
pub struct Directory {
    /// Grows with every change.
    pub version: i64,
    /// All tenants.
    pub agencies: HashMap<AgencyId, Agency>,
    /// All client businesses.
    pub accounts: HashMap<AccountId, Account>,
    /// All people.
    pub users: HashMap<UserId, User>,
    /// All sources.
    pub sources: HashMap<SourceId, Source>,
    /// Keys for programs, by the SHA-256 of the key.
    pub api_keys: HashMap<[u8; 32], ApiKey>,
    /// Agencies' own token issuers.
    pub issuers: HashMap<IssuerId, Issuer>,
    /// Tokens (by `jti`) that were signed out before they ran out.
    pub revoked_tokens: HashSet<String>,
    /// Which source stands for a platform's object.
    pub sources_by_object: HashMap<(SourceKind, String), SourceId>,
    /// Which sources carry a secret that opens their addresses, in the order of their ids.
    pub sources_by_secret: HashMap<(SourceKind, SecretDigest), Vec<SourceId>>,
    /// Which user has an address, in lower case.
    pub users_by_email: HashMap<String, UserId>,
    /// Which issuers go by an `iss`; each has an audience of its own.
    pub issuers_by_name: HashMap<String, Vec<IssuerId>>,
    /// Rows that are there and can't be read. A source is among the others, disabled and without its secrets; an issuer
    /// verifies nothing; a key is left out.
    pub unreadable: Vec<Unreadable>,
    /// There are secrets, and all of them were sealed with master keys that this hub does not have.
    pub wrong_key: bool,
}

/// A row that can't be read: damaged, or sealed with another master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its table.
    pub table: &'static str,
    /// Its id.
    pub id: String,
    /// Its account, if it is a source.
    pub account: Option<AccountId>,
    /// For people; holds no secret.
    pub why: String,
}

impl Directory {
    /// Fills the look-up tables from the lists.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        self.sources_by_object =
            self.sources.values().map(|source| ((source.kind, source.external_id.clone()), source.id)).collect();
        self.sources_by_secret = by_secret(self.sources.values());
        self.users_by_email = self.users.values().map(|user| (user.email.to_lowercase(), user.id)).collect();
        self.issuers_by_name.clear();
        for issuer in self.issuers.values() {
            self.issuers_by_name.entry(issuer.iss.clone()).or_default().push(issuer.id);
        }
        self
    }

    /// The source that stands for a platform's object, enabled or not, if a webhook of this scope may reach it: what comes
    /// for a disabled one is its account's and waits there. A prospecting database that names no account is the only one
    /// that there is.
    #[must_use]
    pub fn route(&self, kind: SourceKind, external_id: &str, scope: Scope) -> Option<&Source> {
        let source = if kind == SourceKind::Prospecting && external_id.is_empty() {
            self.only(kind)?
        } else {
            self.sources.get(self.sources_by_object.get(&(kind, external_id.to_owned()))?)?
        };
        let reachable = match scope {
            Scope::Hub => true,
            Scope::Agency(agency) => source.agency == agency,
            Scope::Secret { agency, secret } => {
                source.agency == agency && self.carriers(kind, secret).binary_search(&source.id).is_ok()
            }
        };
        reachable.then_some(source)
    }

    /// The sources of a kind that carry exactly this secret, enabled or not.
    #[must_use]
    pub fn carriers(&self, kind: SourceKind, secret: SecretDigest) -> &[SourceId] {
        self.sources_by_secret.get(&(kind, secret)).map_or(&[], Vec::as_slice)
    }

    /// The one source of a kind, if there is one and no other.
    fn only(&self, kind: SourceKind) -> Option<&Source> {
        let mut all = self.sources.values().filter(|source| source.kind == kind);
        all.next().filter(|_| all.next().is_none())
    }

    /// What a person may do in an account; `None` if they are gone or disabled, or it is not theirs.
    #[must_use]
    pub fn role_of(&self, user: UserId, account: AccountId) -> Option<Role> {
        let user = self.users.get(&user).filter(|user| !user.disabled)?;
        let role = user.memberships.get(&account).copied();
        // A membership in another agency's account, however it came about, counts for nothing.
        role.filter(|_| self.agency_of(account) == Some(user.agency))
    }

    /// What a key may do in an account: no more than the person who answers for it, who must manage the account.
    #[must_use]
    pub fn role_of_key(&self, key: &ApiKey, account: AccountId) -> Option<Role> {
        let in_reach = key.account.is_none_or(|only| only == account) && self.agency_of(account) == Some(key.agency);
        if !in_reach || key.left {
            return None;
        }
        match key.responsible {
            None => Some(key.role),
            Some(user) => self.role_of(user, account).filter(|role| role.may_operate()).map(|role| role.min(key.role)),
        }
    }

    /// Whether nobody answers for an endpoint in an account any more. Nobody was ever named for the oldest ones: these go on.
    #[must_use]
    pub fn is_left(&self, cover: &Cover) -> bool {
        cover.left_at.is_some() || cover.responsible.as_ref().is_some_and(|who| !self.manages(who, cover.account))
    }

    /// Whether a user or a key, by its id, manages an account.
    #[must_use]
    pub fn manages(&self, subject: &str, account: AccountId) -> bool {
        let role = if let Ok(user) = subject.parse() {
            self.role_of(user, account)
        } else {
            let key = subject.parse::<ApiKeyId>().ok();
            let key = key.and_then(|id| self.api_keys.values().find(|key| key.id == id));
            key.and_then(|key| self.role_of_key(key, account))
        };
        role.is_some_and(Role::may_operate)
    }

    /// The tenant of an account.
    #[must_use]
    pub fn agency_of(&self, account: AccountId) -> Option<AgencyId> {
        self.accounts.get(&account).map(|account| account.agency)
    }
}

/// An empty secret is one that nobody set: nothing is found by it.
fn by_secret<'s>(sources: impl Iterator<Item = &'s Source>) -> HashMap<(SourceKind, SecretDigest), Vec<SourceId>> {
    let mut found: HashMap<_, Vec<SourceId>> = HashMap::new();
    for source in sources {
        for secret in source.app_secrets.iter().map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty()) {
            found.entry((source.kind, SecretDigest::of(secret.as_bytes()))).or_default().push(source.id);
        }
    }
    for sources in found.values_mut() {
        sources.sort_unstable();
        sources.dedup();
    }
    found
}

/// A tenant.
#[derive(Debug, Clone)]
pub struct Agency {
    /// Its id.
    pub id: AgencyId,
    /// For people.
    pub name: String,
}

/// One client business.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its tenant.
    pub agency: AgencyId,
    /// For people.
    pub name: String,
}

/// A person.
#[derive(Debug, Clone)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their tenant.
    pub agency: AgencyId,
    /// What they sign in with; unique in the hub, compared without case.
    pub email: String,
    /// For people.
    pub name: String,
    /// Argon2id in PHC form.
    pub password_hash: SecretString,
    /// May not sign in, and is cut off when set.
    pub disabled: bool,
    /// Tokens issued under an earlier epoch are refused.
    pub token_epoch: i64,
    /// What they may do, where.
    pub memberships: HashMap<AccountId, Role>,
}

/// A connected outside thing that sends webhooks.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// Its tenant.
    pub agency: AgencyId,
    /// Whose events it sends.
    pub account: AccountId,
    /// The platform.
    pub kind: SourceKind,
    /// The platform's id of it: the page id.
    pub external_id: String,
    /// For people.
    pub name: String,
    /// Opens the platform's API for this source.
    pub token: SecretString,
    /// Of the agency's own app, the newest first; empty when the source belongs to the hub's app.
    pub app_secrets: Vec<SecretString>,
    /// Of the agency's own app.
    pub verify_token: Option<SecretString>,
    /// Its events are worked on only while set.
    pub enabled: bool,
    /// Where the platform's API is, for platforms that say so per customer; without it the source only receives.
    pub api_url: Option<Url>,
}

impl Source {
    /// Whether this and `other` hold the same token: a token that was replaced deserves a new try.
    #[must_use]
    pub fn same_token(&self, other: &SecretString) -> bool {
        self.token.expose_secret() == other.expose_secret()
    }
}

/// A key for programs.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Its tenant.
    pub agency: AgencyId,
    /// One account, or all of the agency's.
    pub account: Option<AccountId>,
    /// What it may do there.
    pub role: Role,
    /// For people.
    pub name: String,
    /// The person who answers for it, if one was named: it opens what they manage, and nothing more than they may do.
    pub responsible: Option<UserId>,
    /// They are gone: it opens nothing until somebody takes it over.
    pub left: bool,
}

/// An agency's own issuer of tokens.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Its id.
    pub id: IssuerId,
    /// Its tenant: its tokens name users of this agency and no other.
    pub agency: AgencyId,
    /// The `iss` of its tokens.
    pub iss: String,
    /// The `aud` its tokens must carry, if any is demanded.
    pub audience: Option<String>,
    /// Whether e-mail addresses count that a token does not call verified.
    pub trust_email: bool,
    /// How its tokens are verified.
    pub key: IssuerKey,
}

impl Issuer {
    /// Whether its tokens may let anybody in. Whoever publishes keys signs tokens for many sites with them: without an
    /// audience, tokens for any of those would count here. Rows from before audiences were obligatory may lack it.
    #[must_use]
    pub const fn is_safe(&self) -> bool {
        matches!((&self.key, &self.audience), (IssuerKey::Secret(_) | IssuerKey::Unreadable, _) | (_, Some(_)))
    }
}

/// How an issuer's tokens are verified.
#[derive(Debug, Clone)]
pub enum IssuerKey {
    /// HS256 with a shared secret.
    Secret(SecretString),
    /// RS256, ES256 or `EdDSA` with the keys published at this address.
    Jwks(Url),
    /// Not at all: what is stored of it can't be read.
    Unreadable,
}

/// A sign-in that was ended before its token ran out.
#[derive(Debug, Clone)]
pub struct RevokedToken {
    /// The token's `jti`.
    pub jti: String,
    /// When the token would have run out: the record may go then.
    pub expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(agency: AgencyId, external_id: &str, secrets: &[&str]) -> Source {
        Source {
            id: SourceId::generate(),
            agency,
            account: AccountId::generate(),
            kind: SourceKind::Unipile,
            external_id: external_id.to_owned(),
            name: String::new(),
            token: "".into(),
            app_secrets: secrets.iter().map(|secret| SecretString::from(*secret)).collect(),
            verify_token: None,
            enabled: true,
            api_url: None,
        }
    }

    #[test]
    fn a_secret_reaches_the_sources_of_its_agency_that_carry_exactly_it() {
        let (agency, other) = (AgencyId::generate(), AgencyId::generate());
        let sources = [
            source(agency, "first", &["shared"]),
            source(agency, "second", &["newer", "shared"]),
            source(agency, "third", &["its own", ""]),
            source(agency, "without", &[]),
            source(other, "stranger", &["shared"]),
        ];
        let directory =
            Directory { sources: sources.into_iter().map(|one| (one.id, one)).collect(), ..Directory::default() };
        let directory = directory.indexed();
        let reached = |secret: &str| {
            let scope = Scope::Secret { agency, secret: SecretDigest::of(secret.as_bytes()) };
            let all = ["first", "second", "third", "without", "stranger"];
            all.into_iter().filter(|id| directory.route(SourceKind::Unipile, id, scope).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(reached("shared"), ["first", "second"]);
        assert_eq!(reached("newer"), ["second"]);
        assert_eq!(reached("its own"), ["third"]);
        assert!(reached("").is_empty() && reached("unknown").is_empty());
        let digest = SecretDigest::of(b"shared");
        assert_eq!(directory.carriers(SourceKind::Unipile, digest).len(), 3);
        assert!(directory.carriers(SourceKind::Meta, digest).is_empty(), "another platform's secret");
    }
}
