//! Removes what is past its time, the oldest first.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::Conn;
use crate::store::{
    Result,
    retention::Kept,
    schema::{api_costs, campaign_exports, campaign_lifecycle_log, cost_alert_history},
    types::At,
};

/// Rows of a piece. Files are large.
const PIECE: i64 = 1000;
const FILES: i64 = 20;

pub(in crate::store) async fn prune(c: &mut Conn, what: Kept, before: At) -> Result<usize> {
    let rows = match what {
        Kept::Costs => {
            let old = api_costs::table.filter(api_costs::created_at.lt(before)).order(api_costs::created_at);
            // What no threshold was held against yet is still to be.
            let old = old.filter(api_costs::evaluated_at.is_not_null());
            let old: Vec<String> = old.limit(PIECE).select(api_costs::id).load(c).await?;
            diesel::delete(api_costs::table.filter(api_costs::id.eq_any(old))).execute(c).await?
        }
        Kept::Lifecycle => {
            let old = campaign_lifecycle_log::table.filter(campaign_lifecycle_log::created_at.lt(before));
            let old = old.order(campaign_lifecycle_log::created_at).limit(PIECE).select(campaign_lifecycle_log::id);
            let old: Vec<String> = old.load(c).await?;
            let old = campaign_lifecycle_log::table.filter(campaign_lifecycle_log::id.eq_any(old));
            diesel::delete(old).execute(c).await?
        }
        Kept::Alerts => {
            let old = cost_alert_history::table.filter(cost_alert_history::resolved_at.lt(before));
            let old = old.order(cost_alert_history::resolved_at).limit(PIECE).select(cost_alert_history::id);
            let old: Vec<String> = old.load(c).await?;
            diesel::delete(cost_alert_history::table.filter(cost_alert_history::id.eq_any(old))).execute(c).await?
        }
        Kept::Files => {
            let old = campaign_exports::table.filter(campaign_exports::made_at.lt(before));
            let old = old.order(campaign_exports::made_at).limit(FILES);
            let old: Vec<(String, String)> =
                old.select((campaign_exports::campaign_id, campaign_exports::name)).load(c).await?;
            let mut rows = 0;
            for (campaign, name) in old {
                rows += diesel::delete(campaign_exports::table.find((campaign, name))).execute(c).await?;
            }
            rows
        }
    };
    Ok(rows)
}
