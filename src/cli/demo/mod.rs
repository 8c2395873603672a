//! `leadwire demo`: the hub with a simulated Meta and Unipile beside it, an agency with two accounts, leads and messages that
//! flow, and a campaign that finds businesses. Replies reach the simulated platforms, which tell of them as the real ones do.

mod cast;
mod prospecting;
mod talk;
mod traffic;

use std::{io::Write, net::SocketAddr, time::Duration};

use clap::Args;
use loadtest::platform::{
    self, Echo, Simulator,
    unipile::{Connected, Workspace},
};
use secrecy::ExposeSecret;

use super::{BadInput, database, serve, wait};
use crate::{app, config::Settings, domain::clock, platforms};
use cast::{Cast, UNIPILE_ACCOUNT, UNIPILE_KEY};
use prospecting::Prospecting;
use talk::Talk;

/// How long the simulated Graph API takes to answer.
const LATENCY: Duration = Duration::from_millis(120);

/// How long the hub has for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the hub with a simulated platform and leads that flow, to look at.
#[derive(Debug, Args)]
pub struct Demo {
    /// Listen where others reach it as well. Its logins are printed, and its webhooks may go to this machine's own addresses.
    #[arg(long)]
    expose: bool,
}

impl Demo {
    pub(super) fn run(self, settings: Settings) -> anyhow::Result<()> {
        if !settings.server.bind.ip().is_loopback() && !self.expose {
            let why = format!(
                "server.bind = {}: others would reach the demo there, whose logins are printed and whose webhooks may go to \
                 this machine's own addresses. Bind it to 127.0.0.1, or add --expose",
                settings.server.bind
            );
            return Err(BadInput(why).into());
        }
        run(settings)
    }
}

/// Runs hub and platform until SIGTERM or Ctrl-C. What is in the data folder stays, so a second start goes on.
fn run(mut settings: Settings) -> anyhow::Result<()> {
    let simulator = Simulator::start(platform::Settings { latency: LATENCY, ..platform::Settings::default() })?;
    let prospecting = Prospecting::start()?;
    prospecting.configure(&mut settings)?;
    let key = settings.master_keys()?.keys()[0].clone();
    let workspace = Workspace::start(UNIPILE_KEY)?;
    let app_secret = hex::encode(key.derive("demo app secret"));
    settings.meta.graph_url = simulator.url().parse()?;
    settings.meta.app_secrets = vec![app_secret.clone().into()];
    settings.meta.verify_token = hex::encode(&key.derive("demo verify token")[..8]).into();
    let client = platforms::http::client(PATIENCE)?;
    let cast = wait_for(async {
        let store = database::ready(&settings).await?;
        Cast::assemble(&store, &key, &workspace.dsn().parse()?).await
    })?;
    let pages = cast.pages.clone().map(|page| simulator.add_page(page.id, &page.token));
    pages.iter().for_each(traffic::make_leads);
    let announcement = settings.clone();
    let ready = move |address: SocketAddr| {
        announce(address, &cast, &announcement);
        let talk = Talk {
            client: client.clone(),
            address,
            app_secret: app_secret.clone(),
            page: cast.pages[0].id,
            connected: Connected::linked_in(UNIPILE_ACCOUNT),
            workspace,
        };
        // Of this run alone: a second start repeats no id.
        let run = u64::try_from(clock::now().timestamp_millis()).unwrap_or(0);
        talk.workspace.count_from(run);
        for page in &pages {
            page.count_from(run);
        }
        talk.tell_hub(&cast.unipile_secret);
        let echo =
            Echo { url: format!("http://{address}/webhook"), app_secret: app_secret.clone(), delay: LATENCY * 4 };
        for page in &pages {
            page.echo_to(Some(echo.clone()));
        }
        actix_rt::spawn(talk.flow());
        actix_rt::spawn(prospecting.flow(address, cast.clone()));
        actix_rt::spawn(traffic::flow(client, (address, app_secret), pages, cast, announcement));
    };
    let outcome = app::run(settings, ready, serve::stop_signal());
    simulator.stop();
    outcome
}

/// Runs one short piece of work and gives back what it brings.
fn wait_for<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let mut brought = None;
    wait(async {
        brought = Some(work.await?);
        Ok(())
    })?;
    brought.ok_or_else(|| anyhow::anyhow!("the work ended without a result"))
}

fn announce(address: SocketAddr, cast: &Cast, settings: &Settings) {
    let mut lines = vec![
        String::new(),
        format!("  Leadwire demo   http://{address}"),
        String::new(),
        format!("  {}: {}", cast.agency, cast.accounts.join(", ")),
    ];
    for login in &cast.logins {
        lines.push(format!(
            "  sign in as      {:<24} {}   ({})",
            login.email,
            login.password.expose_secret(),
            login.role
        ));
    }
    lines.push(format!("  data            {}", settings.data.dir.display()));
    lines.push("  stop            Ctrl-C; started again, nothing is lost and nothing repeats".to_owned());
    lines.push(String::new());
    // Whoever started the hub may have closed its output.
    let _ = writeln!(std::io::stdout(), "{}", lines.join("\n"));
}
