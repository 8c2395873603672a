//! The command line: one file a command.
//!
//! A command that makes something prints its id (or key, or token) alone on one line of stdout; talk goes to stderr.
//! Exit code 2 means that what was asked for can't be done as it was asked, 1 that it failed.

mod account;
mod agency;
mod audit;
mod check;
mod config;
mod database;
mod demo;
mod endpoint;
mod erase;
mod failure;
mod inbox;
mod installation;
mod issuer;
mod key;
mod member;
mod migrate;
mod rotate;
mod secret;
mod serve;
mod source;
mod sources;
mod table;
mod token;
mod trial;
mod user;

use std::{future::Future, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

pub use failure::BadInput;

use crate::config::{Settings, data_folder};

/// Webhooks in, dashboards first, database after.
#[derive(Debug, Parser)]
#[command(name = "leadwire", version, after_help = "Example: leadwire --config /etc/leadwire.toml user list")]
pub struct Cli {
    /// Settings that differ from the defaults, as TOML; see `leadwire config defaults`.
    #[arg(long, global = true, value_name = "FILE", env = "LEADWIRE_CONFIG")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the hub.
    Serve,
    /// Run the hub with a simulated platform and leads that flow, to look at.
    Demo(demo::Demo),
    /// Check a hub that runs: that database events are noted, delivered and worked on.
    Check(trial::Check),
    /// What was accepted and is not finished.
    #[command(subcommand)]
    Inbox(inbox::Inbox),
    /// Erase a person from all that is held for an agency.
    Erase(erase::Erase),
    /// Tenants.
    #[command(subcommand)]
    Agency(agency::Agency),
    /// An agency's client businesses.
    #[command(subcommand)]
    Account(account::Account),
    /// People who sign in.
    #[command(subcommand)]
    User(user::User),
    /// What people may do in which account.
    #[command(subcommand)]
    Member(member::Member),
    /// Pages and other things that send webhooks.
    #[command(subcommand)]
    Source(source::Source),
    /// Keys for programs.
    #[command(subcommand)]
    Key(key::Key),
    /// Where agencies' webhooks go.
    #[command(subcommand)]
    Endpoint(endpoint::Endpoint),
    /// Agencies' own issuers of tokens.
    #[command(subcommand)]
    Issuer(issuer::Issuer),
    /// The hub's own tokens.
    #[command(subcommand)]
    Token(token::Token),
    /// Who did what.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// The database's tables.
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    /// The settings.
    #[command(subcommand)]
    Config(config::Config),
}

/// Parses the command line and does what it says.
#[must_use]
pub fn run() -> ExitCode {
    data_folder::make_files_private();
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<()> {
    let (file, needs) = (cli.config, cli.command.needs());
    let settings = || -> anyhow::Result<Settings> {
        let settings = Settings::load(file.as_deref())?;
        installation::must_find(&settings, needs, file.is_some())?;
        Ok(settings)
    };
    match cli.command {
        Command::Serve => serve::run(settings()?),
        Command::Demo(demo) => demo.run(settings()?),
        Command::Check(check) => wait(check.run(&settings()?)),
        Command::Inbox(command) => wait(command.run(&settings()?)),
        Command::Erase(command) => wait(command.run(&settings()?)),
        Command::Agency(command) => wait(command.run(&settings()?)),
        Command::Account(command) => wait(command.run(&settings()?)),
        Command::User(command) => wait(command.run(&settings()?)),
        Command::Member(command) => wait(command.run(&settings()?)),
        Command::Source(command) => wait(command.run(&settings()?)),
        Command::Key(command) => wait(command.run(&settings()?)),
        Command::Endpoint(command) => wait(command.run(&settings()?)),
        Command::Issuer(command) => wait(command.run(&settings()?)),
        Command::Token(command) => wait(command.run(&settings()?)),
        Command::Audit(command) => wait(command.run(&settings()?)),
        Command::Migrate(command) => wait(command.run(&settings()?)),
        Command::Config(command) => command.run(file.as_deref()),
    }
}

/// Runs one short piece of work on this thread.
fn wait(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::domain::Role;

    fn parse(line: &[String]) -> Command {
        Cli::try_parse_from(line).unwrap().command
    }

    fn line(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[tokio::test]
    async fn an_empty_database_is_set_up_and_provisioned() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::parse(&format!("[data]\ndir = '{}'", folder.path().join("data").display())).unwrap();
        let Command::Agency(add) = parse(&line("leadwire agency add --name North")) else { panic!() };
        add.run(&settings).await.unwrap();
        let (store, directory) = database::with_directory(&settings).await.unwrap();
        let agency = *directory.agencies.keys().next().unwrap();
        let Command::Account(add) = parse(&line(&format!("leadwire account add --agency {agency} --name Bakery")))
        else {
            panic!()
        };
        add.run(&settings).await.unwrap();
        let Command::Key(add) = parse(&line(&format!("leadwire key add --agency {agency} --role agent --name import")))
        else {
            panic!()
        };
        add.run(&settings).await.unwrap();
        let directory = store.load_directory().await.unwrap();
        assert_eq!(directory.accounts.values().next().unwrap().agency, agency);
        assert_eq!(directory.api_keys.values().next().unwrap().role, Role::Agent);
    }

    #[tokio::test]
    async fn what_does_not_exist_is_named_and_nothing_is_added() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::parse(&format!("[data]\ndir = '{}'", folder.path().display())).unwrap();
        let stranger = crate::domain::AgencyId::generate();
        let Command::Account(add) = parse(&line(&format!("leadwire account add --agency {stranger} --name X"))) else {
            panic!()
        };
        let error = add.run(&settings).await.unwrap_err();
        assert!(error.is::<BadInput>() && error.to_string().contains("`leadwire agency list`"), "{error}");
        let (_, directory) = database::with_directory(&settings).await.unwrap();
        assert!(directory.accounts.is_empty());
    }
}
