//! Who plays in the demo: an agency, two accounts, two users, three pages, an inbox. Made once, found again afterwards.

use secrecy::SecretString;
use url::Url;

use crate::{
    auth::password,
    config::MasterKey,
    domain::{AccountId, AgencyId, Role, SourceId, directory::Directory, event::SourceKind},
    store::{NewSource, NewUser, Store},
};

/// Unipile's id of the connected account.
pub(super) const UNIPILE_ACCOUNT: &str = "demo-linkedin";
/// Opens the simulated Unipile.
pub(super) const UNIPILE_KEY: &str = "demo";
const AGENCY: &str = "Northwind Media";
const ACCOUNTS: [&str; 2] = ["Bluebird Dental", "Harbor Roofing"];
const OWNER: &str = "ana@northwind.example";
const AGENT: &str = "ben@northwind.example";

/// A page and the token that opens it.
#[derive(Debug, Clone)]
pub(super) struct DemoPage {
    /// Meta's id.
    pub(super) id: u64,
    /// Opens the simulated Graph API.
    pub(super) token: String,
    /// The hub's id.
    pub(super) source: SourceId,
}

/// Somebody who may sign in.
#[derive(Debug, Clone)]
pub(super) struct DemoLogin {
    /// With this address.
    pub(super) email: &'static str,
    /// And this password, the same after every start.
    pub(super) password: SecretString,
    /// For people.
    pub(super) role: &'static str,
}

/// Everybody.
#[derive(Debug, Clone)]
pub(super) struct Cast {
    /// For people.
    pub(super) agency: &'static str,
    /// For people.
    pub(super) accounts: [&'static str; 2],
    /// The first belongs to the first account, the others to the second; the last one's token runs out.
    pub(super) pages: [DemoPage; 3],
    /// Both users.
    pub(super) logins: [DemoLogin; 2],
    /// The second account, for which businesses are looked for.
    pub(super) prospecting: AccountId,
    /// What the webhooks of [`UNIPILE_ACCOUNT`], which the first account has, carry.
    pub(super) unipile_secret: String,
}

impl Cast {
    /// Finds or makes everybody.
    pub(super) async fn assemble(store: &Store, key: &MasterKey, unipile: &Url) -> anyhow::Result<Self> {
        let known = store.load_directory().await?;
        let agency = match known.agencies.values().find(|agency| agency.name == AGENCY) {
            Some(agency) => agency.id,
            None => store.add_agency(AGENCY).await?.id,
        };
        let mut accounts = Vec::new();
        for name in ACCOUNTS {
            accounts.push(account(store, &known, agency, name).await?);
        }
        let logins = [
            DemoLogin { email: OWNER, password: password_for(key, OWNER), role: "owner of both accounts" },
            DemoLogin { email: AGENT, password: password_for(key, AGENT), role: "agent of Bluebird Dental" },
        ];
        let both = [(accounts[0], Role::Owner), (accounts[1], Role::Owner)];
        let unipile_secret = hex::encode(&key.derive("demo unipile")[..16]);
        inbox(store, &known, accounts[0], &unipile_secret, unipile).await?;
        user(store, &known, agency, ("Ana Ferreira", &logins[0]), &both).await?;
        user(store, &known, agency, ("Ben Okafor", &logins[1]), &[(accounts[0], Role::Agent)]).await?;
        Ok(Self {
            agency: AGENCY,
            accounts: ACCOUNTS,
            pages: [
                page(store, &known, (accounts[0], 101_550_000_000_001), "Bluebird Dental").await?,
                page(store, &known, (accounts[1], 101_550_000_000_002), "Harbor Roofing").await?,
                page(store, &known, (accounts[1], 101_550_000_000_003), "Harbor Roofing, South").await?,
            ],
            logins,
            prospecting: accounts[1],
            unipile_secret,
        })
    }
}

/// Not written down anywhere: made from the master key, so that it differs from one machine to the next.
fn password_for(key: &MasterKey, email: &str) -> SecretString {
    hex::encode(&key.derive(&format!("demo password {email}"))[..5]).into()
}

async fn account(store: &Store, known: &Directory, agency: AgencyId, name: &str) -> anyhow::Result<AccountId> {
    match known.accounts.values().find(|account| account.agency == agency && account.name == name) {
        Some(account) => Ok(account.id),
        None => Ok(store.add_account(agency, name).await?.id),
    }
}

async fn user(
    store: &Store,
    known: &Directory,
    agency: AgencyId,
    (name, login): (&str, &DemoLogin),
    roles: &[(AccountId, Role)],
) -> anyhow::Result<()> {
    if known.users_by_email.contains_key(login.email) {
        return Ok(());
    }
    let user = NewUser {
        agency,
        email: login.email.to_owned(),
        name: name.to_owned(),
        password_hash: password::hash(&login.password)?,
    };
    let user = store.add_user(user).await?;
    for (account, role) in roles {
        store.set_membership(user, *account, Some(*role)).await?;
    }
    Ok(())
}

/// The simulated Unipile has another port after each start.
async fn inbox(
    store: &Store,
    known: &Directory,
    account: AccountId,
    secret: &str,
    unipile: &Url,
) -> anyhow::Result<()> {
    let external_id = UNIPILE_ACCOUNT.to_owned();
    if let Some(source) = known.sources_by_object.get(&(SourceKind::Unipile, external_id.clone())) {
        return Ok(store.set_source_api_url(*source, unipile).await?);
    }
    let source = NewSource {
        account,
        kind: SourceKind::Unipile,
        external_id,
        name: "Bluebird on LinkedIn".to_owned(),
        token: UNIPILE_KEY.into(),
        app_secrets: vec![secret.into()],
        verify_token: None,
        api_url: Some(unipile.clone()),
    };
    store.add_source(source).await?;
    Ok(())
}

async fn page(
    store: &Store,
    known: &Directory,
    (account, id): (AccountId, u64),
    name: &str,
) -> anyhow::Result<DemoPage> {
    let token = format!("EAAB-demo-{id}");
    if let Some(source) = known.sources_by_object.get(&(SourceKind::Meta, id.to_string())) {
        // The last run may have ended while the token was one that had run out.
        store.set_source_token(*source, &token.clone().into()).await?;
        return Ok(DemoPage { id, token, source: *source });
    }
    let source = NewSource {
        account,
        kind: SourceKind::Meta,
        external_id: id.to_string(),
        name: name.to_owned(),
        token: token.clone().into(),
        app_secrets: Vec::new(),
        verify_token: None,
        api_url: None,
    };
    let source = store.add_source(source).await?;
    Ok(DemoPage { id, token, source })
}
