//! `leadwire endpoint`.

use clap::Subcommand;

use super::{BadInput, database, table};
use crate::{
    config::Settings,
    domain::{
        AgencyId, EndpointId,
        delivery::{self, Cover},
        directory::Directory,
    },
    store::{EndpointChange, Store},
};

/// Where agencies' webhooks go. People add and change endpoints in the dashboard.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: see where an agency's data goes, and stop one endpoint:\n  \
                        leadwire endpoint list --agency AGENCY\n  leadwire endpoint disable ENDPOINT")]
pub enum Endpoint {
    /// Lists the endpoints: where they lead, which accounts they cover, and who answers for them.
    List {
        /// Only this agency's.
        #[arg(long)]
        agency: Option<AgencyId>,
    },
    /// Sends nothing to an endpoint until a manager enables it again. What waits stays.
    Disable {
        /// Its id, from `leadwire endpoint list`.
        endpoint: EndpointId,
    },
}

impl Endpoint {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let (store, directory) = database::with_directory(settings).await?;
        match self {
            Self::List { agency } => {
                if let Some(agency) = agency {
                    database::agency(&directory, agency)?;
                }
                let mut rows = Vec::new();
                for agency in agencies(&directory, agency) {
                    let mut covers = store.endpoint_covers(agency).await?;
                    for endpoint in store.endpoints(agency).await? {
                        let cover = covers.remove(&endpoint.id).unwrap_or_default();
                        rows.push(row(&directory, &endpoint, &cover));
                    }
                }
                table::print(
                    ["id", "agency", "state", "covers", "responsible", "added by", "url", "description"],
                    rows,
                );
            }
            Self::Disable { endpoint } => {
                let agency = owner(&store, &directory, endpoint).await?;
                let off = EndpointChange { enabled: Some(false), ..EndpointChange::default() };
                store.change_endpoint(agency, endpoint, off).await?;
                eprintln!("Nothing is sent to the endpoint any more.");
            }
        }
        Ok(())
    }
}

fn agencies(directory: &Directory, only: Option<AgencyId>) -> Vec<AgencyId> {
    let mut agencies: Vec<AgencyId> = directory.agencies.keys().copied().collect();
    agencies.retain(|agency| only.is_none_or(|only| only == *agency));
    agencies.sort_unstable();
    agencies
}

async fn owner(store: &Store, directory: &Directory, endpoint: EndpointId) -> anyhow::Result<AgencyId> {
    for agency in agencies(directory, None) {
        if store.endpoint(agency, endpoint).await?.is_some() {
            return Ok(agency);
        }
    }
    Err(BadInput::unknown("endpoint", endpoint).into())
}

fn row(directory: &Directory, endpoint: &delivery::Endpoint, cover: &[Cover]) -> [String; 8] {
    let covers = cover.iter().map(|cover| match (cover.stopped_at, directory.is_left(cover)) {
        (Some(_), _) => format!("{} (stopped)", cover.account),
        (None, true) => format!("{} (left behind)", cover.account),
        (None, false) => cover.account.to_string(),
    });
    let mut responsible: Vec<String> =
        cover.iter().map(|cover| named(directory, cover.responsible.as_deref())).collect();
    responsible.sort();
    responsible.dedup();
    [
        endpoint.id.to_string(),
        endpoint.agency.to_string(),
        if endpoint.enabled { "enabled" } else { "disabled" }.to_owned(),
        covers.collect::<Vec<_>>().join(" "),
        responsible.join(" "),
        named(directory, endpoint.created_by.as_deref()),
        endpoint.url.clone(),
        endpoint.description.clone(),
    ]
}

/// People by their address, keys by their id.
fn named(directory: &Directory, subject: Option<&str>) -> String {
    let Some(subject) = subject else { return "-".to_owned() };
    let user = subject.parse().ok().and_then(|user| directory.users.get(&user));
    user.map_or_else(|| subject.to_owned(), |user| user.email.clone())
}
