//! Deleting: with all that was made of it, within its account, and for good.

use leadwire::{
    domain::{
        clock,
        erasure::Thing,
        event::{EventKind, NewEvent, SourceKind},
        lead::Lead,
        message::{ChangeKind, Happening, Message},
    },
    store::{ChatFilter, ExportFile},
};
use serde_json::json;

use super::{
    conversations::talk::{OLDEST_FIRST, Talk},
    harness::{Bench, lead, on_both_engines},
};

on_both_engines! {
    a_deleted_lead_takes_with_it_what_was_made_of_it_and_what_is_to_be_sent,
    a_deleted_chat_stays_so_and_what_is_written_later_begins_it_anew,
    a_deleted_message_is_gone_from_its_chat_and_what_waited_for_it,
    a_deleted_campaign_takes_its_prospects_and_files_and_no_database_brings_it_back,
    files_that_were_begun_before_a_deletion_are_not_kept,
    a_deletion_is_open_until_it_is_finished_and_names_nobody_then,
}

async fn a_deleted_lead_takes_with_it_what_was_made_of_it_and_what_is_to_be_sent(bench: Bench) {
    let (account, other) = (bench.account().await, bench.account().await);
    for of in [&account, &other] {
        bench.endpoint(of, None, &["new_lead", "lead_enrichment"], false).await;
    }
    bench.store.set_account_enrichment(account.id, Some(true), None).await.unwrap();
    let fields = json!({"field_data": [{"name": "company_name", "values": ["Harbor Grill"]}]});
    let doomed = Lead { meta_data: fields, ..lead(&account, 1) };
    let private = Lead { email: "joe@gmail.com".to_owned(), ..lead(&account, 2) };
    let batch = [doomed.clone(), private, lead(&other, 3)];
    bench.store.insert_leads(&batch).await.unwrap();
    bench.store.route_outbox(100).await.unwrap();
    assert_eq!(bench.types().await.len(), 4);

    assert_eq!(bench.store.erase_lead(&[other.id], doomed.id, true).await.unwrap(), None, "nothing crosses accounts");
    let (was, erased) = bench.store.erase_lead(&[account.id], doomed.id, true).await.unwrap().unwrap();
    assert_eq!(
        (was.id, erased.iter().map(|one| one.thing).collect::<Vec<_>>()),
        (doomed.id, vec![Thing::Lead, Thing::Prospect])
    );
    let brought = NewEvent::key(&account.id.to_string(), SourceKind::Meta, "leadgen-1", EventKind::Lead);
    assert_eq!(erased[0].traces.events, [brought]);
    assert_eq!(bench.types().await, ["new_lead", "new_lead"], "those of the others");
    assert_eq!(bench.lines("SELECT subject AS line FROM deliveries").await.len(), 2);
    assert_eq!(bench.lines("SELECT id AS line FROM enhanced_leads").await, [""; 0]);
    assert_eq!(bench.store.insert_leads(&batch).await.unwrap(), 0, "nor does what was on its way bring it back");
    assert_eq!(bench.store.lead(&[account.id], doomed.id).await.unwrap(), None);
    assert_eq!(bench.lines("SELECT id AS line FROM enhanced_leads").await, [""; 0]);
}

fn heard(messages: &[Message]) -> Vec<Happening> {
    messages.iter().map(|message| Happening::Message(Box::new(message.clone()))).collect()
}

async fn a_deleted_chat_stays_so_and_what_is_written_later_begins_it_anew(bench: Bench) {
    let account = bench.account().await;
    let talk = Talk::of(&account);
    bench.endpoint(&account, None, &["message:new"], false).await;
    let before = heard(&[talk.message(1), talk.message(2), talk.message_in("d", 1)]);
    bench.store.apply_happenings(&before).await.unwrap();
    let chat = talk.owner.chat("c");
    assert_eq!(bench.store.erase_chat(&[], chat, true).await.unwrap(), None);
    let erased = bench.store.erase_chat(&[account.id], chat, true).await.unwrap().unwrap();
    assert!(erased.until.is_some() && erased.traces.names.contains(&"c-m2".to_owned()));
    assert_eq!(bench.lines("SELECT subject AS line FROM outbox").await, [talk.owner.chat("d").to_string()]);
    let late = [before, vec![Happening::Change(Box::new(talk.change(ChangeKind::Read, 1, 5)))]].concat();
    assert!(bench.store.apply_happenings(&late).await.unwrap().is_empty());
    let all = ChatFilter { limit: 9, ..ChatFilter::default() };
    assert_eq!(bench.store.list_chats(account.agency, &[account.id], &all).await.unwrap().total, 1);
    assert_eq!(bench.lines("SELECT id AS line FROM message_changes").await, [""; 0]);

    let after = Message { timestamp: clock::now() + chrono::TimeDelta::seconds(1), ..talk.message(3) };
    assert_eq!(bench.store.apply_happenings(&heard(&[after])).await.unwrap().len(), 1);
    let page = bench.store.messages(account.agency, &[account.id], chat, &OLDEST_FIRST).await.unwrap().unwrap();
    assert_eq!(page.messages.iter().map(|one| one.platform_id.as_str()).collect::<Vec<_>>(), ["c-m3"]);
}

async fn a_deleted_message_is_gone_from_its_chat_and_what_waited_for_it(bench: Bench) {
    let (account, other) = (bench.account().await, bench.account().await);
    let talk = Talk::of(&account);
    bench.endpoint(&account, None, &["message:new"], false).await;
    let all = heard(&[talk.message(1), talk.message(2)]);
    bench.store.apply_happenings(&all).await.unwrap();
    let (chat, doomed) = (talk.owner.chat("c"), talk.message(2));
    assert_eq!(bench.store.erase_message(&[other.id], chat, doomed.id, true).await.unwrap(), None);
    let elsewhere = talk.owner.chat("d");
    assert_eq!(bench.store.erase_message(&[account.id], elsewhere, doomed.id, true).await.unwrap(), None);
    let erased = bench.store.erase_message(&[account.id], chat, doomed.id, true).await.unwrap().unwrap();
    assert_eq!((erased.chat.last_message.as_deref(), erased.chat.unread_count), (Some("text 1"), 1));
    let shown = serde_json::to_string(&json!({
        "type": "chat:updated", "payload": serde_json::to_value(&erased.chat).unwrap(),
    }));
    let found = erased.erasure.traces.matcher().unwrap().unwrap();
    assert!(!found.is_in(shown.unwrap().as_bytes()), "what the chat shows now stays");
    assert_eq!(bench.lines("SELECT record_id AS line FROM outbox").await, [talk.message(1).id.to_string()]);
    let edit = Happening::Change(Box::new(talk.edit(2, 9, "again")));
    bench.store.apply_happenings(&[all, vec![edit]].concat()).await.unwrap();
    let page = bench.store.messages(account.agency, &[account.id], chat, &OLDEST_FIRST).await.unwrap().unwrap();
    assert_eq!(page.messages.iter().map(|one| one.id).collect::<Vec<_>>(), [talk.message(1).id]);
    assert_eq!(bench.lines("SELECT id AS line FROM message_changes").await, [""; 0]);
    let last = bench.store.erase_message(&[account.id], chat, talk.message(1).id, true).await.unwrap().unwrap();
    assert_eq!((last.chat.last_message, last.chat.unread_count), (None, 0));
}

async fn a_deleted_campaign_takes_its_prospects_and_files_and_no_database_brings_it_back(bench: Bench) {
    let (account, other) = (bench.account().await, bench.account().await);
    let id = bench.started(&account, "First").await.id;
    bench.add(&account, &["lead_1", "lead_2"], Some(&id)).await;
    bench.add(&account, &["lead_3"], None).await;
    assert_eq!(bench.store.erase_campaign(&[other.id], &id, true).await.unwrap(), None);
    let erased = bench.store.erase_campaign(&[account.id], &id, true).await.unwrap().unwrap();
    assert_eq!((erased.thing, erased.traces.names.len()), (Thing::Campaign, 3));
    assert_eq!(bench.lines("SELECT id AS line FROM enhanced_leads").await, ["lead_3"]);
    for table in ["campaigns", "enrichments WHERE lead_id <> 'lead_3'", "campaign_lifecycle_log"] {
        assert_eq!(bench.lines(&format!("SELECT '1' AS line FROM {table}")).await, [""; 0], "{table}");
    }
    assert_eq!(bench.store.erase_prospect(&[other.id], "lead_3", true).await.unwrap(), None);
    bench.store.erase_prospect(&[account.id], "lead_3", true).await.unwrap().unwrap();
    bench.add(&account, &["lead_3", "lead_4"], None).await;
    assert_eq!(bench.lines("SELECT id AS line FROM enhanced_leads").await, ["lead_4"], "whoever writes it");
}

async fn files_that_were_begun_before_a_deletion_are_not_kept(bench: Bench) {
    let account = bench.account().await;
    let campaign = bench.completed(&account).await;
    let file = || vec![ExportFile { name: "list.csv".to_owned(), content: b"lead_1".to_vec() }];
    let began = clock::now();
    bench.add(&account, &["lead_1"], Some(&campaign.id)).await;
    bench.store.erase_prospect(&[account.id], "lead_1", true).await.unwrap().unwrap();
    assert!(!bench.store.keep_exports(&campaign, file(), json!({}), began).await.unwrap());
    assert!(bench.store.keep_exports(&campaign, file(), json!({}), clock::now()).await.unwrap());
    bench.add(&account, &["lead_2"], Some(&campaign.id)).await;
    bench.store.erase_prospect(&[account.id], "lead_2", true).await.unwrap().unwrap();
    assert_eq!(bench.lines("SELECT name AS line FROM campaign_exports").await, [""; 0], "they are made anew");
    assert_eq!(bench.store.campaigns_to_export("").await.unwrap(), [campaign.id]);
}

async fn a_deletion_is_open_until_it_is_finished_and_names_nobody_then(bench: Bench) {
    let account = bench.account().await;
    let doomed = lead(&account, 1);
    bench.store.insert_leads(std::slice::from_ref(&doomed)).await.unwrap();
    let (_, erased) = bench.store.erase_lead(&[account.id], doomed.id, false).await.unwrap().unwrap();
    let open = bench.store.open_erasures(9).await.unwrap();
    assert_eq!((open.len(), open[0].told, &open[0].erasure), (1, false, &erased[0]));
    bench.store.finish_erasure(&erased[0]).await.unwrap();
    assert!(bench.store.open_erasures(9).await.unwrap().is_empty());
    assert_eq!(bench.lines("SELECT subject AS line FROM erasures").await, [doomed.id.to_string()]);
    assert_eq!(bench.lines("SELECT CAST(traces AS TEXT) AS line FROM erasures").await, ["{}"]);
    assert!(bench.store.checkpoint().await.unwrap());
}
