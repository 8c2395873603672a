//! Deletes what agencies hold of people, and remembers that it did.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Conn,
    audit::note,
    chats,
    dialect::{self, lock_account, write_tx},
    messages as all_messages,
};
use crate::{
    domain::{
        AccountId, AgencyId, ChatId, LeadId, MessageId, SendId, Timestamp,
        audit::{Action, Event},
        erasure::{Erasure, Thing, Traces},
        event::{EventKind, NewEvent, SourceKind},
        lead::Lead,
        message::Chat,
    },
    store::{
        Result,
        chats::ChatRow,
        erasures::{ErasedMessage, ErasureRow, How, OpenErasure},
        leads::LeadRow,
        messages::Tenancy,
        schema::{
            campaign_exports, campaigns, chats as chats_table, enhanced_leads, erasures, leads, message_changes,
            messages, outbox, sends,
        },
        types::{At, Json, Word},
    },
};

/// Ids in one question.
const TOGETHER: usize = 500;

type Owner = (Word<AgencyId>, Word<AccountId>);

fn words(accounts: &[AccountId]) -> Vec<Word<AccountId>> {
    accounts.iter().copied().map(Word).collect()
}

fn erasure((agency, account): Owner, thing: Thing, id: String, traces: Traces) -> Erasure {
    Erasure { agency: agency.0, account: account.0, thing, id, until: None, traces }
}

async fn remember(c: &mut Conn, erasure: &Erasure, how: &How) -> Result<()> {
    let row = ErasureRow::new(erasure, how.told, how.now);
    let known = erasures::table.find((row.account_id, &row.subject));
    if diesel::update(known).set(&row).execute(c).await? == 0 {
        diesel::insert_into(erasures::table).values(&row).execute(c).await?;
    }
    let action = if erasure.thing == Thing::Lead { Action::LeadErased } else { Action::ErasureDone };
    let event = Event::new(action, erasure.agency).within(erasure.account).on(&erasure.id);
    note(c, &how.trail, event.with("thing", erasure.thing.as_str())).await
}

/// What is to be sent of these, and what was.
async fn unsend(c: &mut Conn, account: Word<AccountId>, subjects: &[String]) -> Result<()> {
    for subjects in subjects.chunks(TOGETHER) {
        let of = outbox::table.filter(outbox::subject.eq_any(subjects)).filter(outbox::account_id.eq(account));
        diesel::delete(of).execute(c).await?;
    }
    Ok(())
}

/// Files that may list what is gone. The exporter makes those of completed campaigns anew.
pub(super) async fn drop_files(c: &mut Conn, of: &[String]) -> Result<()> {
    for of in of.chunks(TOGETHER) {
        diesel::delete(campaign_exports::table.filter(campaign_exports::campaign_id.eq_any(of))).execute(c).await?;
        let unmade = (campaigns::exported_at.eq(None::<At>), campaigns::export_metadata.eq(None::<Json>));
        diesel::update(campaigns::table.filter(campaigns::id.eq_any(of))).set(unmade).execute(c).await?;
    }
    Ok(())
}

pub(in crate::store) async fn lead(
    c: &mut Conn,
    accounts: &[AccountId],
    id: LeadId,
    how: &How,
) -> Result<Option<(Lead, Vec<Erasure>)>> {
    write_tx!(c, async |c| {
        // Before the lead, which takes them with it.
        let made = enhanced_leads::table
            .filter(enhanced_leads::lead_id.eq(id.to_string()))
            .filter(enhanced_leads::account_id.eq_any(words(accounts)))
            .select(enhanced_leads::id);
        let made: Vec<String> = made.load(c).await?;
        let mut prospects = Vec::new();
        for prospect in made {
            prospects.extend(one_prospect(c, &words(accounts), &prospect).await?);
        }
        let row = leads::table.filter(leads::id.eq(Word(id))).filter(leads::account_id.eq_any(words(accounts)));
        let row = diesel::delete(row).returning(LeadRow::as_returning()).get_result(c).await.optional()?;
        let Some(row) = row else { return Ok(None) };
        let owner = (row.agency_id, row.account_id);
        let mut traces = Traces::of([id.to_string()].into_iter().chain(row.meta_lead_id.clone()));
        let brought = |platform_id: &String| {
            NewEvent::key(&owner.1.0.to_string(), SourceKind::Meta, platform_id, EventKind::Lead)
        };
        traces.events.extend(row.meta_lead_id.iter().map(brought));
        let mut erased = vec![erasure(owner, Thing::Lead, id.to_string(), traces)];
        erased.extend(prospects);
        unsend(c, owner.1, &[id.to_string()]).await?;
        for erasure in &erased {
            remember(c, erasure, how).await?;
        }
        Ok(Some((row.into(), erased)))
    })
    .await
}

type Told = (Word<AgencyId>, Word<AccountId>, Option<String>, Option<String>);

async fn one_prospect(c: &mut Conn, accounts: &[Word<AccountId>], id: &str) -> Result<Option<Erasure>> {
    let row = enhanced_leads::table.find(id).filter(enhanced_leads::account_id.eq_any(accounts));
    let columns = (
        enhanced_leads::agency_id,
        enhanced_leads::account_id,
        enhanced_leads::campaign_id,
        enhanced_leads::external_id,
    );
    let row: Option<Told> = diesel::delete(row).returning(columns).get_result(c).await.optional()?;
    let Some((agency, account, campaign, external)) = row else { return Ok(None) };
    unsend(c, account, &[id.to_owned()]).await?;
    drop_files(c, &campaign.into_iter().collect::<Vec<_>>()).await?;
    let traces = Traces::of([id.to_owned()].into_iter().chain(external));
    Ok(Some(erasure((agency, account), Thing::Prospect, id.to_owned(), traces)))
}

pub(in crate::store) async fn prospect(
    c: &mut Conn,
    accounts: &[AccountId],
    id: &str,
    how: &How,
) -> Result<Option<Erasure>> {
    write_tx!(c, async |c| {
        let Some(erasure) = one_prospect(c, &words(accounts), id).await? else { return Ok(None) };
        remember(c, &erasure, how).await?;
        Ok(Some(erasure))
    })
    .await
}

pub(in crate::store) async fn campaign(
    c: &mut Conn,
    accounts: &[AccountId],
    id: &str,
    how: &How,
) -> Result<Option<Erasure>> {
    write_tx!(c, async |c| {
        let found = enhanced_leads::table
            .filter(enhanced_leads::campaign_id.eq(id))
            .filter(enhanced_leads::account_id.eq_any(words(accounts)))
            .select(enhanced_leads::id);
        let found: Vec<String> = found.load(c).await?;
        let row = campaigns::table.find(id).filter(campaigns::account_id.eq_any(words(accounts)));
        let columns = (campaigns::agency_id, campaigns::account_id, campaigns::external_id);
        let row = diesel::delete(row).returning(columns).get_result(c).await.optional()?;
        let row: Option<(Word<AgencyId>, Word<AccountId>, Option<String>)> = row;
        let Some((agency, account, external)) = row else { return Ok(None) };
        unsend(c, account, &[id.to_owned()]).await?;
        unsend(c, account, &found).await?;
        let traces = Traces::of([id.to_owned()].into_iter().chain(external).chain(found));
        let erasure = erasure((agency, account), Thing::Campaign, id.to_owned(), traces);
        remember(c, &erasure, how).await?;
        Ok(Some(erasure))
    })
    .await
}

pub(in crate::store) async fn chat(
    c: &mut Conn,
    accounts: &[AccountId],
    id: ChatId,
    how: &How,
) -> Result<Option<Erasure>> {
    write_tx!(c, async |c| {
        let Some(chat) = locked_chat(c, accounts, id).await? else { return Ok(None) };
        let said =
            messages::table.filter(messages::chat_id.eq(Word(id))).filter(messages::account_id.eq(chat.account_id));
        let said: Vec<(Word<MessageId>, String)> = said.select((messages::id, messages::platform_id)).load(c).await?;
        let ids: Vec<String> = said.iter().map(|(id, _)| id.0.to_string()).chain([id.to_string()]).collect();
        forget_changes(c, chat.account_id, &ids).await?;
        unsend(c, chat.account_id, &[id.to_string()]).await?;
        diesel::delete(chats_table::table.find(Word(id))).execute(c).await?;
        let names = [id.to_string(), chat.platform_id.clone()].into_iter().chain(said.into_iter().map(|one| one.1));
        let erasure = erasure((chat.agency_id, chat.account_id), Thing::Chat, id.to_string(), Traces::of(names));
        let erasure = Erasure { until: Some(how.now.0), ..erasure };
        remember(c, &erasure, how).await?;
        Ok(Some(erasure))
    })
    .await
}

/// Behind the lock of its account: nothing is added to it meanwhile.
async fn locked_chat(c: &mut Conn, accounts: &[AccountId], id: ChatId) -> Result<Option<ChatRow>> {
    let of = chats_table::table.find(Word(id)).filter(chats_table::account_id.eq_any(words(accounts)));
    let of: Option<Owner> = of.select((chats_table::agency_id, chats_table::account_id)).first(c).await.optional()?;
    let Some((agency, account)) = of else { return Ok(None) };
    lock_account(c, Tenancy { account: account.0, agency: agency.0 }).await?;
    chats::row(c, agency.0, &[account.0], id).await
}

/// What waits for messages that are gone.
async fn forget_changes(c: &mut Conn, account: Word<AccountId>, waits_for: &[String]) -> Result<()> {
    for ids in waits_for.chunks(TOGETHER) {
        let of = message_changes::table
            .filter(message_changes::account_id.eq(account))
            .filter(message_changes::waits_for.eq_any(ids));
        diesel::delete(of).execute(c).await?;
    }
    Ok(())
}

type Said = (String, Option<String>, Option<String>);

pub(in crate::store) async fn message(
    c: &mut Conn,
    accounts: &[AccountId],
    of: ChatId,
    id: MessageId,
    how: &How,
) -> Result<Option<ErasedMessage>> {
    write_tx!(c, async |c| {
        let Some(mut chat) = locked_chat(c, accounts, of).await? else { return Ok(None) };
        let row = messages::table.find(Word(id)).filter(messages::chat_id.eq(chat.id));
        let columns = (messages::platform_id, messages::text, messages::original);
        let row: Option<Said> = diesel::delete(row).returning(columns).get_result(c).await.optional()?;
        let Some((platform_id, text, original)) = row else { return Ok(None) };
        let replies = sends::table.filter(sends::message_id.eq(Some(Word(id))));
        let replies: Vec<Word<SendId>> = diesel::delete(replies).returning(sends::id).get_results(c).await?;
        forget_changes(c, chat.account_id, &[id.to_string()]).await?;
        let sent =
            outbox::table.filter(outbox::subject.eq(of.to_string())).filter(outbox::record_id.eq(id.to_string()));
        diesel::delete(sent).execute(c).await?;
        all_messages::summarize(c, &mut chat).await?;
        if all_messages::is_empty(c, &chat).await? {
            chat.last_message = None;
        }
        chat.updated_at = how.now;
        chats::update(c, Tenancy { account: chat.account_id.0, agency: chat.agency_id.0 }, &chat).await?;
        let names = [id.to_string(), platform_id].into_iter().chain(replies.iter().map(|send| send.0.to_string()));
        let mut traces = Traces::of(names);
        for text in [text, original].into_iter().flatten().filter(|text| !text.is_empty()) {
            traces.add_glimpse(of, &ChatRow::glimpse(&text));
        }
        let erasure = erasure((chat.agency_id, chat.account_id), Thing::Message, id.to_string(), traces);
        remember(c, &erasure, how).await?;
        Ok(Some(ErasedMessage { erasure, chat: Chat::from(chat) }))
    })
    .await
}

pub(in crate::store) async fn open(c: &mut Conn, limit: i64) -> Result<Vec<OpenErasure>> {
    let rows = erasures::table.filter(erasures::finished_at.is_null()).order(erasures::erased_at).limit(limit);
    Ok(rows.select(ErasureRow::as_select()).load(c).await?.into_iter().map(OpenErasure::from).collect())
}

pub(in crate::store) async fn finish(c: &mut Conn, account: AccountId, id: &str, now: At) -> Result<()> {
    let none = serde_json::Value::Object(serde_json::Map::new());
    let set = (erasures::finished_at.eq(Some(now)), erasures::traces.eq(Json(none)), erasures::told.eq(true));
    let row = erasures::table.find((Word(account), id));
    diesel::update(row).set(set).execute(c).await?;
    Ok(())
}

/// What of these was deleted, and until when.
pub(in crate::store) async fn known(
    c: &mut Conn,
    account: AccountId,
    ids: &[String],
) -> Result<Vec<(String, Option<Timestamp>)>> {
    let mut known = Vec::new();
    for ids in ids.chunks(TOGETHER) {
        let of = erasures::table.filter(erasures::account_id.eq(Word(account))).filter(erasures::subject.eq_any(ids));
        let rows: Vec<(String, Option<At>)> = of.select((erasures::subject, erasures::until)).load(c).await?;
        known.extend(rows.into_iter().map(|(subject, until)| (subject, until.map(|until| until.0))));
    }
    Ok(known)
}

/// Whether anything of an account was deleted since.
pub(in crate::store) async fn any_since(c: &mut Conn, account: AccountId, since: At) -> Result<bool> {
    let newer = erasures::table.filter(erasures::account_id.eq(Word(account))).filter(erasures::erased_at.ge(since));
    Ok(diesel::select(diesel::dsl::exists(newer)).get_result(c).await?)
}

/// Leaves nothing of what was deleted in the write-ahead log; `false`: it is to be tried again.
pub(in crate::store) async fn checkpoint(c: &mut Conn) -> Result<bool> {
    dialect::checkpoint(c).await
}
