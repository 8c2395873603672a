//! Campaigns, as databases tell of them, and what happened to them.

use diesel::{dsl::exists, prelude::*};
use diesel_async::RunQueryDsl;

use super::{
    Conn,
    dialect::{locked, write_tx},
};
use crate::{
    domain::{
        AccountId, EventId,
        message::Owner,
        prospecting::{CampaignTold, Lifecycle, RecordId},
    },
    store::{
        Result, StoreError,
        prospecting::{CampaignRow, LogRow, LoggedLifecycle, ProgressRow},
        schema::{
            campaign_lifecycle_log as log, campaign_processing_status as progress, campaigns, endpoints, outbox,
            subscriptions,
        },
        types::{At, Word},
    },
};

/// The type of event that endpoints ask for.
const OUT: &str = "campaign_lifecycle";

/// Keeps what was told of campaigns.
pub(in crate::store) async fn keep(c: &mut Conn, told: &[CampaignTold], now: At) -> Result<()> {
    write_tx!(c, async |c| {
        for one in told {
            match &one.event {
                Some(event) if one.id.is_own() => note_processed(c, one.owner, event, now).await?,
                _ if one.id.is_own() => {}
                _ => upsert(c, one, now).await?,
            }
        }
        Ok(())
    })
    .await
}

/// Sees to it that a campaign of another database is there, for what names it: it may come later.
pub(super) async fn name(c: &mut Conn, owner: Owner, id: &RecordId, now: At) -> Result<()> {
    if !id.is_own() {
        let row = CampaignRow::named(owner, id, now);
        diesel::insert_into(campaigns::table).values(&row).on_conflict_do_nothing().execute(c).await?;
    }
    Ok(())
}

async fn note_processed(c: &mut Conn, owner: Owner, event: &Lifecycle, now: At) -> Result<()> {
    let row = log::table
        .filter(log::id.eq(&event.log_id))
        .filter(log::account_id.eq(Word(owner.account)))
        .filter(log::agency_id.eq(Word(owner.agency)))
        .filter(log::processed_at.is_null());
    diesel::update(row).set(log::processed_at.eq(Some(now))).execute(c).await?;
    Ok(())
}

async fn upsert(c: &mut Conn, told: &CampaignTold, now: At) -> Result<()> {
    name(c, told.owner, &told.id, now).await?;
    let row = campaigns::table
        .filter(campaigns::id.eq(&told.id.id))
        .filter(campaigns::account_id.eq(Word(told.owner.account)))
        .filter(campaigns::agency_id.eq(Word(told.owner.agency)));
    let row = locked!(row.select(CampaignRow::as_select())).first(c).await.optional()?;
    // Neither new nor there: it was deleted.
    let Some(mut row): Option<CampaignRow> = row else { return Ok(()) };
    let newest = log::table.filter(log::campaign_id.eq(&told.id.id)).order(log::created_at.desc());
    let newest: Option<At> = newest.select(log::created_at).first(c).await.optional()?;
    let is_newest = newest.is_none_or(|newest| newest.0 <= told.at);
    row.take(told, is_newest);
    diesel::update(campaigns::table.find(&row.id)).set(&row).execute(c).await?;
    if is_newest && (told.event.is_some() || told.progress.is_some()) {
        advance(c, told, &row).await?;
    }
    if let Some(event) = &told.event {
        let entry = LogRow::new(told, event, &row.status, now);
        if diesel::insert_into(log::table).values(&entry).on_conflict_do_nothing().execute(c).await? == 1 {
            pass_on(c, told, event, &row, now).await?;
        }
    }
    Ok(())
}

/// Puts it into the outbox if an endpoint wants it, besides the hub's own, which brought it.
async fn pass_on(c: &mut Conn, told: &CampaignTold, event: &Lifecycle, of: &CampaignRow, now: At) -> Result<()> {
    let wants = subscriptions::table
        .inner_join(endpoints::table.on(endpoints::id.eq(subscriptions::endpoint_id)))
        .filter(endpoints::source_id.is_null())
        .filter(subscriptions::agency_id.eq(of.agency_id))
        .filter(subscriptions::kind.eq(OUT))
        .filter(subscriptions::account_id.eq(of.account_id));
    if !diesel::select(exists(wants)).get_result(c).await? {
        return Ok(());
    }
    let event_id = event.log_id.parse::<EventId>().map_err(|error| StoreError::Rejected(error.to_string()))?;
    let known = progress::table.find(&of.id).select(ProgressRow::as_select());
    let known: Option<ProgressRow> = known.first(c).await.optional()?;
    let row = (
        outbox::event_id.eq(Word(event_id)),
        outbox::agency_id.eq(of.agency_id),
        outbox::account_id.eq(Some(of.account_id)),
        outbox::kind.eq(OUT),
        outbox::subject.eq(&of.id),
        outbox::record_id.eq(&of.id),
        outbox::payload.eq(of.passed_on(told, event, known.as_ref()).to_string()),
        outbox::created_at.eq(now),
    );
    diesel::insert_into(outbox::table).values(row).execute(c).await?;
    Ok(())
}

async fn advance(c: &mut Conn, told: &CampaignTold, of: &CampaignRow) -> Result<()> {
    let known = progress::table.find(&told.id.id).select(ProgressRow::as_select());
    let known: Option<ProgressRow> = known.first(c).await.optional()?;
    let is_new = known.is_none();
    let mut row = known.unwrap_or_else(|| ProgressRow::unbegun(of, At(told.at)));
    row.take(told);
    if is_new {
        diesel::insert_into(progress::table).values(&row).execute(c).await?;
    } else {
        diesel::update(progress::table.find(&told.id.id)).set(&row).execute(c).await?;
    }
    Ok(())
}

pub(in crate::store) async fn lifecycle(
    c: &mut Conn,
    accounts: &[AccountId],
    campaign: &str,
    limit: u32,
) -> Result<Vec<LoggedLifecycle>> {
    let accounts: Vec<_> = accounts.iter().copied().map(Word).collect();
    let named = campaigns::id.eq(campaign).or(campaigns::external_id.eq(Some(campaign)));
    let meant = campaigns::table.filter(campaigns::account_id.eq_any(&accounts)).filter(named);
    let meant: Vec<String> = meant.select(campaigns::id).load(c).await?;
    let rows = log::table
        .filter(log::account_id.eq_any(&accounts))
        .filter(log::campaign_id.eq_any(meant))
        .order((log::created_at.desc(), log::id.desc()))
        .limit(limit.into());
    let rows: Vec<LogRow> = rows.select(LogRow::as_select()).load(c).await?;
    Ok(rows.into_iter().map(LoggedLifecycle::from).collect())
}
