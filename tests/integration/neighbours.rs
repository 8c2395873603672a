//! What one account has wrong keeps no other's from being stored.

use anyhow::{Context, Result, ensure};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use loadtest::hub::Setup;
use tokio_postgres::NoTls;

use crate::support::{House, postgres};

/// So that what is tried again and again is parked soon.
fn impatient(setup: Setup) -> Setup {
    setup.set("persistence.backoff", "500ms")
}

/// A trigger of whoever runs the database, that refuses one name with an error of this code.
fn refusing(code: &str) -> String {
    format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.name = 'Refused' THEN \
         RAISE EXCEPTION 'not this one' USING ERRCODE = '{code}'; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON leads FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
}

async fn others_are_stored_and_the_refused_is_parked(house: &House) -> Result<()> {
    house.lead(0, "Refused").await?;
    let (own, other) = (house.lead(0, "Ann").await?, house.lead(1, "Bob").await?);
    house.has_stored(1, &[other]).await?;
    house.has_stored(0, &[own]).await?;
    let item = house.wants_attention(0, "not_storable", 1).await?;
    ensure!(item["reason"].as_str().is_some_and(|reason| reason.contains("not this one")), "{item}");
    house.has_stored(0, &[own, house.lead(0, "Eve").await?]).await
}

#[tokio::test]
async fn a_row_that_a_trigger_refuses_is_parked_alone_on_postgresql() -> Result<()> {
    // One that says what it is, and one that the hub knows nothing of.
    for code in ["P0001", "XX999"] {
        postgres::with_database(|database| async move {
            let house = House::open_with(|setup| impatient(setup).store_url(database.url())).await?;
            postgres::admin(database.url(), &refusing(code)).await;
            others_are_stored_and_the_refused_is_parked(&house).await
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_row_that_a_trigger_refuses_is_parked_alone_on_sqlite() -> Result<()> {
    let house = House::open_with(impatient).await?;
    let mut other = SqliteConnection::establish(&house.hub.data_dir().join("store.sqlite3").to_string_lossy())?;
    other.batch_execute(
        "PRAGMA busy_timeout = 10000; CREATE TRIGGER refuse BEFORE INSERT ON leads WHEN NEW.name = 'Refused' \
         BEGIN SELECT RAISE(ABORT, 'not this one'); END",
    )?;
    drop(other);
    others_are_stored_and_the_refused_is_parked(&house).await
}

#[tokio::test]
async fn a_lock_on_one_account_keeps_its_own_rows_waiting_and_no_others() -> Result<()> {
    postgres::with_database(|database| async move {
        let house = House::open_with(|setup| setup.store_url(database.url())).await?;
        let (client, connection) = tokio_postgres::connect(database.url(), NoTls).await?;
        let driver = tokio::spawn(connection);
        let before = [house.lead(0, "Ann").await?, house.lead(1, "Bob").await?];
        house.has_stored(0, &before[..1]).await?;
        house.has_stored(1, &before[1..]).await?;
        // As somebody does who looks at an account in a transaction and goes for lunch.
        client.batch_execute("BEGIN").await?;
        let account = &house.tenants[0].account;
        client.query("SELECT FROM accounts WHERE id = $1 FOR UPDATE", &[account]).await.context("the lock")?;
        let (own, mut others) = (house.lead(0, "Cid").await?, before[1..].to_vec());
        for name in ["Dan", "Eve"] {
            others.push(house.lead(1, name).await?);
            house.has_stored(1, &others).await?;
        }
        ensure!(house.stored(0).await?.len() == 1, "what is locked waits");
        client.batch_execute("ROLLBACK").await?;
        house.has_stored(0, &[before[0], own]).await?;
        let parked = house.attention(0).await?;
        ensure!(parked.iter().all(|item| item["kind"] != "not_storable"), "{parked:?}");
        drop(client);
        Ok(driver.await??)
    })
    .await
}
