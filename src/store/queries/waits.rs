//! Waits that are longer than any can be.

use diesel::{dsl::sql, prelude::*, sql_types::Bool};
use diesel_async::RunQueryDsl;

use super::Conn;
use crate::store::{
    Result,
    schema::{cost_alert_thresholds, deliveries, enrichments, sends},
    types::At,
};

/// By the indexes of what is due, word for word their conditions.
pub(in crate::store) async fn shorten(c: &mut Conn, now: At, latest: At) -> Result<usize> {
    let waiting = deliveries::table.filter(deliveries::finished_at.is_null());
    let mut changed = diesel::update(waiting.filter(deliveries::next_try.gt(latest)))
        .set(deliveries::next_try.eq(now))
        .execute(c)
        .await?;
    changed += diesel::update(waiting.filter(deliveries::claimed_until.gt(latest)))
        .set(deliveries::claimed_until.eq(None::<At>))
        .execute(c)
        .await?;
    let open = sends::table.filter(sql::<Bool>("state IN ('pending', 'sending')"));
    changed += diesel::update(open.filter(sends::next_try.gt(latest))).set(sends::next_try.eq(now)).execute(c).await?;
    let waiting = enrichments::table.filter(enrichments::finished_at.is_null());
    changed += diesel::update(waiting.filter(enrichments::next_try.gt(latest)))
        .set(enrichments::next_try.eq(now))
        .execute(c)
        .await?;
    changed += diesel::update(waiting.filter(enrichments::claimed_until.gt(latest)))
        .set(enrichments::claimed_until.eq(None::<At>))
        .execute(c)
        .await?;
    changed += diesel::update(cost_alert_thresholds::table.filter(cost_alert_thresholds::look_again_at.gt(latest)))
        .set(cost_alert_thresholds::look_again_at.eq(Some(now)))
        .execute(c)
        .await?;
    Ok(changed)
}
