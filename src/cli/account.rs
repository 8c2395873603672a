//! `leadwire account`.

use clap::{Subcommand, ValueEnum};

use super::{database, table};
use crate::{
    config::Settings,
    domain::{AccountId, AgencyId},
    store::Threshold,
};

/// An agency's client businesses.
#[derive(Debug, Subcommand)]
pub enum Account {
    /// Adds an account and prints its id.
    Add {
        /// Whose it is.
        #[arg(long)]
        agency: AgencyId,
        /// For people.
        #[arg(long, value_parser = database::name)]
        name: String,
    },
    /// Changes how an account's leads are enriched, and prints it.
    Set {
        /// Which one.
        account: AccountId,
        /// Whether its leads that name a business become prospects.
        #[arg(long)]
        enrich_leads: Option<Switch>,
        /// The score from which on its prospects are qualified, or `default` for that of the settings.
        #[arg(long, value_parser = threshold)]
        quality_threshold: Option<Threshold>,
    },
    /// Lists the accounts.
    List {
        /// Only this agency's.
        #[arg(long)]
        agency: Option<AgencyId>,
    },
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

fn threshold(text: &str) -> Result<Threshold, String> {
    if text == "default" {
        return Ok(Threshold::OfSettings);
    }
    let score = text.parse().ok().filter(|score| (0..=100).contains(score));
    score.map(Threshold::Own).ok_or_else(|| "a score is from 0 to 100, or `default`".to_owned())
}

impl Account {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let (store, directory) = database::with_directory(settings).await?;
        match self {
            Self::Add { agency, name } => {
                database::agency(&directory, agency)?;
                println!("{}", store.add_account(agency, &name).await?.id);
            }
            Self::Set { account, enrich_leads, quality_threshold } => {
                let leads = enrich_leads.map(|switch| switch == Switch::On);
                let (leads, threshold) = store.set_account_enrichment(account, leads, quality_threshold).await?;
                let threshold = threshold.unwrap_or(settings.prospecting.quality_threshold);
                let leads = if leads { "on" } else { "off" };
                println!("enrich-leads: {leads}\nquality-threshold: {threshold}");
            }
            Self::List { agency } => {
                let mut accounts: Vec<_> = directory.accounts.values().collect();
                accounts.retain(|account| agency.is_none_or(|only| only == account.agency));
                accounts.sort_by_key(|account| (account.agency, account.id));
                table::print(
                    ["id", "agency", "name"],
                    accounts
                        .into_iter()
                        .map(|account| [account.id.to_string(), account.agency.to_string(), account.name.clone()]),
                );
            }
        }
        Ok(())
    }
}
