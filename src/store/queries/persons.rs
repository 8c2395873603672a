//! Finds what an agency holds of a person, a page of a table at a time: numbers are written in too many ways for an index.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{Conn, dialect::write_tx, erasures};
use crate::{
    domain::{AccountId, AgencyId, ChatId, LeadId, MessageId, erasure::Matcher, person::Person},
    store::{
        Result,
        persons::{Found, Page},
        schema::{campaign_exports, chats, enhanced_leads, leads, messages, outbox},
        types::Word,
    },
};

/// Rows of a page.
const PAGE: i64 = 1_000;

fn is(person: &Person, fields: &[Option<&str>]) -> bool {
    fields.iter().flatten().any(|field| person.is(field))
}

fn page<T>(rows: Vec<T>, id: fn(&T) -> String, found: impl FnMut(T) -> Option<Found>) -> Page {
    let next = rows.last().map(id);
    Page { found: rows.into_iter().filter_map(found).collect(), next }
}

pub(in crate::store) async fn leads(c: &mut Conn, agency: AgencyId, person: &Person, after: &str) -> Result<Page> {
    type Row = (Word<LeadId>, Word<AccountId>, String, String, Option<String>, Option<String>);
    let rows = leads::table
        .filter(leads::agency_id.eq(Word(agency)))
        .filter(leads::id.gt(after))
        .order(leads::id)
        .limit(PAGE)
        .select((leads::id, leads::account_id, leads::phone, leads::email, leads::meta_lead_id, leads::meta_user_id));
    let rows: Vec<Row> = rows.load(c).await?;
    Ok(page(
        rows,
        |row| row.0.0.to_string(),
        |(id, account, phone, email, lead, user)| {
            let theirs = is(person, &[Some(&phone), Some(&email), lead.as_deref(), user.as_deref()]);
            theirs.then_some(Found::Lead(account.0, id.0))
        },
    ))
}

pub(in crate::store) async fn prospects(c: &mut Conn, agency: AgencyId, person: &Person, after: &str) -> Result<Page> {
    type Row = (String, Word<AccountId>, Option<String>, Option<String>, Option<String>, Option<String>);
    let rows = enhanced_leads::table
        .filter(enhanced_leads::agency_id.eq(Word(agency)))
        .filter(enhanced_leads::id.gt(after))
        .order(enhanced_leads::id)
        .limit(PAGE)
        .select((
            enhanced_leads::id,
            enhanced_leads::account_id,
            enhanced_leads::phone,
            enhanced_leads::email,
            enhanced_leads::owner_email,
            enhanced_leads::google_place_id,
        ));
    let rows: Vec<Row> = rows.load(c).await?;
    Ok(page(
        rows,
        |row| row.0.clone(),
        |(id, account, phone, email, owner, place)| {
            let theirs =
                is(person, &[phone.as_deref(), email.as_deref(), owner.as_deref(), place.as_deref(), Some(&id)]);
            theirs.then_some(Found::Prospect(account.0, id))
        },
    ))
}

pub(in crate::store) async fn chats(c: &mut Conn, agency: AgencyId, person: &Person, after: &str) -> Result<Page> {
    type Row = (Word<ChatId>, Word<AccountId>, String, String);
    let rows = chats::table
        .filter(chats::agency_id.eq(Word(agency)))
        .filter(chats::id.gt(after))
        .order(chats::id)
        .limit(PAGE)
        .select((chats::id, chats::account_id, chats::platform_id, chats::provider_id));
    let rows: Vec<Row> = rows.load(c).await?;
    Ok(page(
        rows,
        |row| row.0.0.to_string(),
        |(id, account, platform, provider)| {
            is(person, &[Some(&platform), Some(&provider)]).then_some(Found::Chat(account.0, id.0))
        },
    ))
}

pub(in crate::store) async fn messages(c: &mut Conn, agency: AgencyId, person: &Person, after: &str) -> Result<Page> {
    type Row = (Word<MessageId>, Word<AccountId>, Word<ChatId>, String, Option<String>, Option<String>);
    let rows = messages::table
        .filter(messages::agency_id.eq(Word(agency)))
        .filter(messages::id.gt(after))
        .order(messages::id)
        .limit(PAGE)
        .select((
            messages::id,
            messages::account_id,
            messages::chat_id,
            messages::platform_id,
            messages::sender_id,
            messages::sender_attendee_id,
        ));
    let rows: Vec<Row> = rows.load(c).await?;
    Ok(page(
        rows,
        |row| row.0.0.to_string(),
        |(id, account, chat, platform, sender, attendee)| {
            let theirs = is(person, &[Some(&platform), sender.as_deref(), attendee.as_deref()]);
            theirs.then_some(Found::Message(account.0, chat.0, id.0))
        },
    ))
}

/// Webhooks to send, and sent, that tell of them: a page from the row after this on. How many are gone, and where to go on.
pub(in crate::store) async fn unsend(
    c: &mut Conn,
    agency: AgencyId,
    person: &Matcher,
    after: i64,
) -> Result<(usize, Option<i64>)> {
    let rows = outbox::table.filter(outbox::agency_id.eq(Word(agency))).filter(outbox::id.gt(after));
    let rows = rows.order(outbox::id).limit(PAGE).select((outbox::id, outbox::payload));
    let rows: Vec<(i64, String)> = rows.load(c).await?;
    let next = rows.last().map(|row| row.0);
    let found = rows.into_iter().filter(|(_, payload)| person.is_in(payload.as_bytes())).map(|row| row.0);
    let found: Vec<i64> = found.collect();
    if !found.is_empty() {
        diesel::delete(outbox::table.filter(outbox::id.eq_any(&found))).execute(c).await?;
    }
    Ok((found.len(), next))
}

/// Files of campaigns that list them: those of these campaigns are made anew.
pub(in crate::store) async fn drop_files(c: &mut Conn, agency: AgencyId, person: &Matcher) -> Result<usize> {
    write_tx!(c, async |c| {
        let all = campaign_exports::table.filter(campaign_exports::agency_id.eq(Word(agency)));
        let all: Vec<(String, String)> =
            all.select((campaign_exports::campaign_id, campaign_exports::name)).load(c).await?;
        let mut found = Vec::new();
        for (campaign, name) in all {
            let one = campaign_exports::table.find((&campaign, &name)).select(campaign_exports::content);
            let content: Vec<u8> = one.first(c).await?;
            if person.is_in(&content) {
                found.push(campaign);
            }
        }
        found.dedup();
        erasures::drop_files(c, &found).await?;
        Ok(found.len())
    })
    .await
}
