//! `leadwire source`.

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    BadInput, check, database,
    secret::{self, Given},
    sources,
};
use crate::{
    auth::keys,
    config::Settings,
    domain::{
        AccountId, AgencyId, SourceId,
        directory::{self, Directory},
        event::SourceKind,
    },
    platforms::unipile,
    store::{NewSource, Store},
};

/// Pages and other things that send webhooks.
#[derive(Debug, Subcommand)]
pub enum Source {
    /// Connects a source to an account and prints its id.
    #[command(subcommand)]
    Add(Add),
    /// Replaces a source's token; what waits for it is tried again. From `LEADWIRE_TOKEN`, or with --stdin from there.
    #[command(after_help = "Example: pass show page | leadwire source set-token src_… --stdin")]
    SetToken {
        /// Whose.
        source: SourceId,
        #[command(flatten)]
        given: Given,
    },
    /// Says where Unipile's API is for a source: with it the hub registers its webhooks and fetches what was missed.
    SetDsn {
        /// Whose.
        source: SourceId,
        /// The host and port in Unipile's dashboard, like `api1.unipile.com:13111`.
        #[arg(value_parser = unipile::api_url)]
        dsn: Url,
    },
    /// Gives a source with an app of its own that app's new secret (`LEADWIRE_APP_SECRET`, or with --stdin from there).
    /// What the old one signed is still accepted until the next change, or not any more with `--only`.
    #[command(after_help = "Example: LEADWIRE_APP_SECRET=… leadwire source set-app-secret src_… --only")]
    SetAppSecret {
        /// Whose.
        source: SourceId,
        /// Refuse what the old secret signed from now on.
        #[arg(long)]
        only: bool,
        #[command(flatten)]
        given: Given,
    },
    /// Lets a source's events through again.
    Enable {
        /// Which.
        source: SourceId,
    },
    /// Parks a source's events from now on.
    Disable {
        /// Which.
        source: SourceId,
    },
    /// Disconnects a source; what it sent stays.
    Remove {
        /// Which.
        source: SourceId,
    },
    /// Shows what webhooks Unipile's sources have there, what is wrong, and what the hub would do. Exit code 1 if
    /// something is wrong and stays so.
    Check {
        /// Only this one.
        source: Option<SourceId>,
        /// Put it right.
        #[arg(long)]
        fix: bool,
    },
    /// Lists the sources, not their secrets.
    List {
        /// Only this account's.
        #[arg(long)]
        account: Option<AccountId>,
    },
}

/// The kinds of sources.
#[derive(Debug, Subcommand)]
pub enum Add {
    /// A Facebook page. Its token comes from `LEADWIRE_TOKEN`, or with --stdin from there.
    #[command(
        after_help = "Example: LEADWIRE_TOKEN=EAAB… leadwire source add meta --account acc_… --page 1015500000001 --name Bluebird"
    )]
    Meta(Meta),
    /// An account that is connected through Unipile. The workspace's API key comes from `LEADWIRE_TOKEN`, or with --stdin from
    /// there; the secret that its webhooks carry in the header `Unipile-Auth` from `LEADWIRE_APP_SECRET`, else one is made and shown.
    Unipile(Unipile),
    /// A prospecting database of one account, and the hub's own tables of it. The bearer token of its webhooks comes from
    /// `LEADWIRE_APP_SECRET`, else one is made and shown; `source set-app-secret` replaces it.
    Prospecting(Prospecting),
}

/// A prospecting database.
#[derive(Debug, Args)]
pub struct Prospecting {
    /// Whose leads, campaigns and costs it has.
    #[arg(long)]
    account: AccountId,
    /// For people.
    #[arg(long, value_parser = database::name)]
    name: String,
}

/// An account at Unipile.
#[derive(Debug, Args)]
pub struct Unipile {
    /// Whose messages it brings.
    #[arg(long)]
    account: AccountId,
    /// Unipile's id of the connected account, as its dashboard and its webhooks have it.
    #[arg(long = "unipile-account", value_parser = unipile_id)]
    connected: String,
    /// For people.
    #[arg(long, value_parser = database::name)]
    name: String,
    /// Where Unipile's API is: the host and port in its dashboard, like `api1.unipile.com:13111`. Without it the source
    /// only receives.
    #[arg(long, value_parser = unipile::api_url)]
    dsn: Option<Url>,
    #[command(flatten)]
    given: Given,
}

/// A Facebook page.
#[derive(Debug, Args)]
pub struct Meta {
    /// Whose events it sends.
    #[arg(long)]
    account: AccountId,
    /// The page's id: digits.
    #[arg(long, value_parser = page_id)]
    page: String,
    /// For people.
    #[arg(long, value_parser = database::name)]
    name: String,
    /// Its webhooks come through an app of the agency's own, not the hub's: `LEADWIRE_APP_SECRET` and
    /// `LEADWIRE_VERIFY_TOKEN` hold that app's secrets.
    #[arg(long)]
    own_app: bool,
    #[command(flatten)]
    given: Given,
}

impl Source {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let seals =
            matches!(self, Self::Add(_) | Self::SetToken { .. } | Self::SetAppSecret { .. } | Self::Check { .. });
        let (store, directory) =
            if seals { database::with_secrets(settings).await? } else { database::with_directory(settings).await? };
        match self {
            Self::Add(Add::Meta(page)) => add_page(&store, &directory, page).await?,
            Self::Add(Add::Unipile(account)) => add_unipile(&store, &directory, account).await?,
            Self::Add(Add::Prospecting(database)) => add_prospecting(&store, &directory, database).await?,
            Self::SetToken { source, given } => {
                if known(&directory, source)?.kind == SourceKind::Prospecting {
                    let words = "a prospecting database has no API: `leadwire source set-app-secret` replaces the token \
                                 of its webhooks";
                    return Err(BadInput(words.to_owned()).into());
                }
                let token = given.demand("LEADWIRE_TOKEN", "token")?;
                store.set_source_token(source, &token).await?;
                eprintln!("The token is replaced.");
            }
            Self::SetDsn { source, dsn } => {
                if known(&directory, source)?.kind != SourceKind::Unipile {
                    return Err(BadInput(format!("{source} is no source of Unipile's: it has no DSN")).into());
                }
                store.set_source_api_url(source, &dsn).await?;
                eprintln!("The hub asks Unipile's API there.");
            }
            Self::SetAppSecret { source, only, given } => {
                set_app_secret(&store, &directory, source, only, given).await?;
            }
            Self::Enable { source } => {
                known(&directory, source)?;
                store.set_source_enabled(source, true).await?;
                eprintln!("Its events go through.");
            }
            Self::Disable { source } => {
                known(&directory, source)?;
                store.set_source_enabled(source, false).await?;
                eprintln!("Its events are parked from now on.");
            }
            Self::Remove { source } => {
                let was = known(&directory, source)?;
                store.remove_source(source).await?;
                eprintln!("It is disconnected.");
                if was.kind == SourceKind::Unipile {
                    eprintln!("Webhooks that name it stay at Unipile until somebody removes them there.");
                }
            }
            Self::Check { source, fix } => {
                if let Some(source) = source {
                    known(&directory, source)?;
                }
                check::run(settings, &directory, source, fix).await?;
            }
            Self::List { account } => sources::list(&directory, account),
        }
        Ok(())
    }
}

async fn set_app_secret(
    store: &Store,
    directory: &Directory,
    id: SourceId,
    only: bool,
    given: Given,
) -> anyhow::Result<()> {
    let source = known(directory, id)?;
    if source.app_secrets.is_empty() {
        let hub = "this source belongs to the hub's own app: change meta.app_secrets in the settings instead";
        return Err(BadInput(hub.to_owned()).into());
    }
    let newest = secret::fit(given.demand("LEADWIRE_APP_SECRET", "app secret")?, "app secret")?;
    match source.kind {
        SourceKind::Meta => {}
        SourceKind::Unipile => is_no_other_agencys(directory, source.agency, &newest)?,
        SourceKind::Prospecting => is_no_other_sources(directory, Some(id), &newest)?,
    }
    let kept = source.app_secrets.iter().take(usize::from(!only)).cloned();
    let secrets: Vec<_> = std::iter::once(newest).chain(kept).collect();
    store.set_source_app_secrets(id, &secrets).await?;
    eprintln!("The app's secret is replaced.");
    Ok(())
}

async fn add_page(store: &Store, directory: &Directory, page: Meta) -> anyhow::Result<()> {
    database::account(directory, page.account)?;
    let own_app = || {
        Ok::<_, BadInput>((secret::fit(named("LEADWIRE_APP_SECRET")?, "app secret")?, named("LEADWIRE_VERIFY_TOKEN")?))
    };
    let own_app = page.own_app.then(own_app).transpose()?;
    let (app_secrets, verify_token) = own_app.map(|(secret, verify)| (vec![secret], verify)).unzip();
    let source = NewSource {
        account: page.account,
        kind: SourceKind::Meta,
        external_id: page.page,
        name: page.name,
        token: page.given.demand("LEADWIRE_TOKEN", "token")?,
        app_secrets: app_secrets.unwrap_or_default(),
        verify_token,
        api_url: None,
    };
    let id = store.add_source(source).await?;
    if page.own_app {
        eprintln!("Its app's webhook address ends in /webhook/meta/{id}");
    }
    println!("{id}");
    Ok(())
}

async fn add_unipile(store: &Store, directory: &Directory, wanted: Unipile) -> anyhow::Result<()> {
    database::account(directory, wanted.account)?;
    let (secret, is_made) = match secret::from_environment("LEADWIRE_APP_SECRET") {
        Some(given) => (secret::fit(given, "secret")?, false),
        None => (keys::random()?, true),
    };
    if let Some(agency) = directory.agency_of(wanted.account) {
        is_no_other_agencys(directory, agency, &secret)?;
    }
    let source = NewSource {
        account: wanted.account,
        kind: SourceKind::Unipile,
        external_id: wanted.connected,
        name: wanted.name,
        token: wanted.given.demand("LEADWIRE_TOKEN", "API key")?,
        app_secrets: vec![secret.clone()],
        verify_token: None,
        api_url: wanted.dsn,
    };
    let receives_only = source.api_url.is_none();
    let id = store.add_source(source).await?;
    if receives_only {
        eprintln!("It only receives: `leadwire source set-dsn {id} DSN` says where Unipile's API is.");
    }
    eprintln!("Its webhook's address ends in /webhook/unipile/{id}, or in /api/webhooks/unipile/messages.");
    if is_made {
        let secret = secret.expose_secret();
        eprintln!("Let Unipile send the header `Unipile-Auth: {secret}` with it; this is not shown again.");
    }
    println!("{id}");
    Ok(())
}

async fn add_prospecting(store: &Store, directory: &Directory, wanted: Prospecting) -> anyhow::Result<()> {
    database::account(directory, wanted.account)?;
    let (secret, is_made) = match secret::from_environment("LEADWIRE_APP_SECRET") {
        Some(given) => (secret::fit(given, "token")?, false),
        None => (keys::random()?, true),
    };
    is_no_other_sources(directory, None, &secret)?;
    let source = NewSource {
        account: wanted.account,
        kind: SourceKind::Prospecting,
        external_id: wanted.account.to_string(),
        name: wanted.name,
        token: SecretString::default(),
        app_secrets: vec![secret.clone()],
        verify_token: None,
        api_url: None,
    };
    let id = store.add_source(source).await?;
    eprintln!(
        "Its webhooks' address ends in /webhook/prospecting/{id}, or in /api/webhooks/lead-enrichment, cost-alert and \
         campaign-lifecycle. What is written into the account's tables here needs none."
    );
    if is_made {
        let secret = secret.expose_secret();
        eprintln!("Let the database send the header `Authorization: Bearer {secret}`; this is not shown again.");
    }
    println!("{id}");
    Ok(())
}

/// At the addresses that all prospecting databases share, the token tells whose a webhook is.
fn is_no_other_sources(directory: &Directory, of: Option<SourceId>, token: &SecretString) -> Result<(), BadInput> {
    let mut others = directory.sources.values();
    let is_taken = others.any(|other| {
        let is_another = other.kind == SourceKind::Prospecting && Some(other.id) != of;
        is_another && other.app_secrets.iter().any(|theirs| theirs.expose_secret() == token.expose_secret())
    });
    if is_taken {
        return Err(BadInput(
            "another prospecting database has this token: choose one that nobody can guess".to_owned(),
        ));
    }
    Ok(())
}

/// At the address that all of Unipile's sources share, the secret tells whose a webhook is.
fn is_no_other_agencys(directory: &Directory, agency: AgencyId, secret: &SecretString) -> Result<(), BadInput> {
    let mut others = directory.sources.values();
    let is_taken = others.any(|other| {
        let is_theirs = other.kind == SourceKind::Unipile && other.agency != agency;
        is_theirs && other.app_secrets.iter().any(|theirs| theirs.expose_secret() == secret.expose_secret())
    });
    if is_taken {
        return Err(BadInput(
            "another agency's webhooks carry this secret: choose one that nobody can guess".to_owned(),
        ));
    }
    Ok(())
}

fn known(directory: &Directory, source: SourceId) -> Result<&directory::Source, BadInput> {
    directory.sources.get(&source).ok_or_else(|| BadInput::unknown("source", source))
}

fn named(variable: &str) -> Result<SecretString, BadInput> {
    secret::from_environment(variable).ok_or_else(|| BadInput(format!("with --own-app, {variable} must be set")))
}

fn unipile_id(text: &str) -> Result<String, &'static str> {
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("an id of Unipile's is letters, digits, - and _: it stands beside the account in Unipile's dashboard")
    }
}

fn page_id(text: &str) -> Result<String, &'static str> {
    if !text.is_empty() && text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("a page's id is made of digits: it stands in the page's \"About\", and in its webhooks")
    }
}
