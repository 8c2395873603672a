//! `leadwire check` against hubs that run, and against one that does not.

use anyhow::{Context, Result, ensure};
use loadtest::hub::Hub;

use crate::support::{binary, postgres};

#[tokio::test]
async fn a_hub_that_runs_passes_ten_checks_and_nothing_is_left_of_them_with_the_embedded_database() -> Result<()> {
    passes(None).await
}

#[tokio::test]
async fn a_hub_that_runs_passes_ten_checks_and_nothing_is_left_of_them_with_postgresql() -> Result<()> {
    postgres::with_database(|database| passes(Some(database.url().to_owned()))).await
}

async fn passes(store: Option<String>) -> Result<()> {
    let setup = loadtest::hub::Setup::new(binary());
    let mut hub = Hub::prepare(store.iter().fold(setup, |setup, url| setup.store_url(url))).await?;
    hub.add_agency("Leadwire check 2026-01-02T03:04:05Z").await?;
    let agency = hub.add_agency("Leadwire checkers").await?;
    hub.start().await?;
    // Two people look at once.
    let (one, other) = tokio::join!(hub.run(&["check"], &[]), hub.run(&["check"], &[]));
    for said in [one?, other?] {
        let (checks, end) = said.rsplit_once('\n').context("one line alone")?;
        ensure!(checks.lines().count() == 10 && checks.lines().all(|line| line.starts_with("ok ")), "{said}");
        ensure!(end.starts_with("All ten checks passed"), "{said}");
    }
    let agencies = hub.run(&["agency", "list"], &[]).await?;
    ensure!(agencies.contains(&agency) && !agencies.contains("Leadwire check "), "{agencies}");
    hub.stop().await?;
    let refused = hub.run(&["check"], &[]).await.err().context("no hub runs")?.to_string();
    ensure!(refused.contains("exit status: 2") && refused.contains("start it with `leadwire serve`"), "{refused}");
    Ok(())
}
