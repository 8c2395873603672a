//! `leadwire user`.

use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};

use super::{BadInput, database, member, secret::Given, table};
use crate::{
    auth::{keys, password},
    config::Settings,
    domain::{AccountId, AgencyId, Role, UserId, directory::Directory},
    store::{NewUser, Store},
};

/// People who sign in.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Adds a user and prints their id. The password comes from `LEADWIRE_PASSWORD`, or with --stdin from there; without
    /// either one is made and printed on stderr.
    #[command(
        after_help = "Example: leadwire user add --agency agc_… --email ana@northwind.example --name Ana --member acc_…=owner"
    )]
    Add {
        /// Their agency.
        #[arg(long)]
        agency: AgencyId,
        /// What they sign in with.
        #[arg(long, value_parser = email)]
        email: String,
        /// For people.
        #[arg(long, value_parser = database::name)]
        name: String,
        /// What they may do where: acc_…=owner, manager, agent or viewer. May be repeated.
        #[arg(long = "member", value_name = "ACCOUNT=ROLE", value_parser = member::parse)]
        members: Vec<(AccountId, Role)>,
        #[command(flatten)]
        given: Given,
    },
    /// Replaces a password and ends the user's logins. The password comes from where `add` takes it.
    #[command(after_help = "Example: pass show ana | leadwire user set-password usr_… --stdin")]
    SetPassword {
        /// Whose.
        user: UserId,
        #[command(flatten)]
        given: Given,
    },
    /// Ends all logins of a user, who may sign in again.
    SignOut {
        /// Who.
        user: UserId,
    },
    /// Cuts a user off and lets them sign in no more.
    Disable {
        /// Who.
        user: UserId,
    },
    /// Lets a user sign in again.
    Enable {
        /// Who.
        user: UserId,
    },
    /// Lists the users.
    List {
        /// Only this agency's.
        #[arg(long)]
        agency: Option<AgencyId>,
    },
}

impl User {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let (store, directory) = database::with_directory(settings).await?;
        match self {
            Self::Add { agency, email, name, members, given } => {
                add(&store, &directory, agency, (email, name), members, given).await?;
            }
            Self::SetPassword { user, given } => {
                database::user(&directory, user)?;
                store.set_password(user, &password_hash(given)?).await?;
                eprintln!("The password is replaced; earlier logins have ended.");
            }
            Self::SignOut { user } => {
                database::user(&directory, user)?;
                store.bump_token_epoch(user).await?;
                eprintln!("All logins of the user have ended.");
            }
            Self::Disable { user } => {
                database::user(&directory, user)?;
                store.set_user_disabled(user, true).await?;
                eprintln!("The user is cut off.");
            }
            Self::Enable { user } => {
                database::user(&directory, user)?;
                store.set_user_disabled(user, false).await?;
                eprintln!("The user may sign in again.");
            }
            Self::List { agency } => list(&directory, agency),
        }
        Ok(())
    }
}

async fn add(
    store: &Store,
    directory: &Directory,
    agency: AgencyId,
    (email, name): (String, String),
    members: Vec<(AccountId, Role)>,
    given: Given,
) -> anyhow::Result<()> {
    database::agency(directory, agency)?;
    for (account, _) in &members {
        database::account_of(directory, *account, agency)?;
    }
    if directory.users_by_email.contains_key(&email) {
        return Err(BadInput(format!("somebody signs in with {email} already; an address is unique in the hub")).into());
    }
    let password_hash = password_hash(given)?;
    let user = store.add_user(NewUser { agency, email, name, password_hash }).await?;
    for (account, role) in members {
        store.set_membership(user, account, Some(role)).await?;
    }
    println!("{user}");
    Ok(())
}

fn list(directory: &Directory, agency: Option<AgencyId>) {
    let mut users: Vec<_> = directory.users.values().collect();
    users.retain(|user| agency.is_none_or(|only| only == user.agency));
    users.sort_by_key(|user| (user.agency, user.id));
    table::print(
        ["id", "agency", "email", "name", "state", "member of"],
        users.into_iter().map(|user| {
            let mut members: Vec<_> =
                user.memberships.iter().map(|(account, role)| format!("{account}={role}")).collect();
            members.sort();
            [
                user.id.to_string(),
                user.agency.to_string(),
                user.email.clone(),
                user.name.clone(),
                if user.disabled { "disabled" } else { "active" }.to_owned(),
                members.join(" "),
            ]
        }),
    );
}

/// The hash of the password that was given, or of one that is made here and shown once.
fn password_hash(given: Given) -> anyhow::Result<SecretString> {
    let password = if let Some(password) = given.find("LEADWIRE_PASSWORD")? {
        password
    } else {
        let made = keys::random()?;
        eprintln!("Password: {}", made.expose_secret());
        made
    };
    match password::hash(&password) {
        Err(error @ password::PasswordError::Length) => Err(BadInput(error.to_string()).into()),
        hashed => Ok(hashed?),
    }
}

fn email(text: &str) -> Result<String, &'static str> {
    let email = text.trim().to_lowercase();
    match email.split_once('@') {
        Some((local, host)) if !local.is_empty() && !host.is_empty() && !email.contains(char::is_whitespace) => {
            Ok(email)
        }
        _ => Err("an e-mail address has the form name@example.com"),
    }
}
