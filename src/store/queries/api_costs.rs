//! What calls in prospecting have cost.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, campaigns_told, dialect::write_tx};
use crate::{
    domain::prospecting::CostRecorded,
    store::{Result, error::explain, prospecting::CostRow, schema::api_costs, types::At},
};

pub(in crate::store) async fn add(c: &mut Conn, row: &CostRow) -> Result<()> {
    let added = diesel::insert_into(api_costs::table).values(row).execute(c).await;
    added.map_err(explain("this cost is recorded already", "account or campaign"))?;
    Ok(())
}

/// Keeps what was told of costs. The hub's own rows come by here as well, each after it was committed.
pub(in crate::store) async fn keep(c: &mut Conn, told: &[CostRecorded], now: At) -> Result<()> {
    write_tx!(c, async |c| {
        for one in told.iter().filter(|one| !one.id.is_own()) {
            if let Some(campaign) = &one.campaign {
                campaigns_told::name(c, one.owner, campaign, now).await?;
            }
            let row = CostRow::from(one);
            let added = diesel::insert_into(api_costs::table).values(&row).on_conflict_do_nothing().execute(c).await?;
            if added == 0 && one.is_change {
                let known = api_costs::table.find(&row.id).filter(api_costs::account_id.eq(row.account_id));
                diesel::update(known).set(&row).execute(c).await?;
            }
        }
        Ok(())
    })
    .await
}
