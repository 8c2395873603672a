//! What was deleted is gone from the file, and stays so.

use std::path::Path;

use super::{
    tests::{delivery, entry, lead, open},
    *,
};
use crate::domain::{
    AccountId, AgencyId, EventId, LeadId, Room, clock,
    envelope::Position,
    erasure::{Erasure, Thing, Traces},
    event::NewEvent,
};

/// No file has these bytes.
fn nowhere(folder: &Path, needle: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.into_iter().all(|bytes| !bytes.windows(needle.len()).any(|part| part == needle.as_bytes()))
}

fn erasure(account: AccountId, id: &LeadId, events: Vec<EventId>) -> Erasure {
    let traces = Traces { events, ..Traces::of([id]) };
    Erasure { agency: AgencyId::generate(), account, thing: Thing::Lead, id: id.to_string(), until: None, traces }
}

fn told(account: AccountId, count: u64, text: &str) -> LogEntry {
    let envelope = format!(
        r#"{{"type":"new_lead","id":"{}","position":"1-{count}","prev":"1-{}","room":"account:{account}","account":"{account}","timestamp":"2026-12-01T00:00:00.000Z","payload":{{"lead":{{"id":"{text}"}}}}}}"#,
        EventId::generate(),
        count - 1,
    );
    LogEntry { envelope: envelope.into(), ..entry(account, 1, count) }
}

#[tokio::test]
async fn an_erased_event_leaves_no_byte_in_the_file_and_its_redelivery_is_a_duplicate_without_its_item() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let (account, id) = (AccountId::generate(), LeadId::generate());
    let item = r#"{"leadgen_id":"77","name":"Zebulon Quagmire"}"#;
    let event = NewEvent { item: item.to_owned(), ..lead(account, "77") };
    let other = NewEvent { item: r#"{"name":"Ada"}"#.to_owned(), ..lead(account, "78") };
    let body = format!(r#"{{"entry":[{item},{}]}}"#, other.item);
    let both = Delivery { body: body.into(), ..delivery(vec![event.clone(), other]) };
    inbox.accept(vec![both.clone()]).await.unwrap();
    inbox.publish(told(account, 1, &format!("{id}\",\"name\":\"Zebulon Quagmire")), Some(event.id)).1.await.unwrap();
    assert!(!nowhere(folder.path(), "Zebulon"));

    let gone = erasure(account, &id, vec![event.id]);
    let forgotten = inbox.mark_erased(std::slice::from_ref(&gone)).await.unwrap();
    assert_eq!((forgotten.events, forgotten.unfinished), (1, 1));
    assert_eq!(inbox.erase_log(&gone).await.unwrap(), 1);
    assert_eq!(inbox.erase_events(&gone).await.unwrap(), Forgotten::default(), "nothing is left");
    assert!(inbox.unstored(clock::now(), 10).await.unwrap().is_empty(), "nothing of it is to be stored");
    assert_eq!(inbox.due(account, clock::now(), true, 10).await.unwrap().len(), 1, "the other goes on");
    assert!(inbox.checkpoint().await.unwrap());
    assert!(nowhere(folder.path(), "Zebulon") && !nowhere(folder.path(), "Ada"));

    let again = inbox.accept(vec![both]).await.unwrap().remove(0);
    assert_eq!((again.new.len(), again.duplicates), (0, 2));
    assert_eq!(inbox.replay(Selection::One(event.id)).await.unwrap(), 0);
    assert!(inbox.checkpoint().await.unwrap());
    assert!(nowhere(folder.path(), "Zebulon"), "nor does its redelivery bring it");
    let limits = Limits {
        deliveries: std::time::Duration::ZERO,
        events: std::time::Duration::ZERO,
        log: std::time::Duration::ZERO,
        max_size: u64::MAX,
    };
    inbox.prune(clock::now() + chrono::TimeDelta::days(90), limits).await.unwrap();
    let late = inbox.accept(vec![delivery(vec![event])]).await.unwrap().remove(0);
    assert_eq!((late.new.len(), late.duplicates), (0, 1), "also when its row was pruned");
}

#[tokio::test]
async fn a_tombstone_keeps_its_place_so_that_who_resumes_finds_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let (account, foreign, id) = (AccountId::generate(), AccountId::generate(), LeadId::generate());
    for of in [account, foreign] {
        for count in 1..=1_200 {
            let text = if count % 2 == 0 { id.to_string() } else { LeadId::generate().to_string() };
            drop(inbox.publish(told(of, count, &text), None).1);
        }
    }
    inbox.settle().await.unwrap();
    assert_eq!(inbox.erase_log(&erasure(account, &id, Vec::new())).await.unwrap(), 600, "of this account only");
    let (mut seen, mut kinds) = (Position { epoch: 1, count: 0 }, Vec::new());
    loop {
        let page = inbox.log_after(Room::Account(account), seen, 1 << 20).await.unwrap();
        for entry in page.entries {
            assert_eq!(entry.prev, Some(seen));
            seen = entry.position;
            kinds.push(entry.kind);
        }
        if !page.more {
            break;
        }
    }
    assert_eq!(kinds.len(), 1_200);
    assert!(kinds.chunks(2).all(|pair| pair == ["new_lead", ERASED]));
    let whole = inbox.log_after(Room::Account(foreign), Position { epoch: 1, count: 0 }, 1 << 24).await.unwrap();
    assert!(whole.entries.iter().all(|entry| entry.kind == "new_lead"), "nothing crosses accounts");
}

#[tokio::test]
async fn what_was_deleted_is_not_shown_again_also_after_a_restart() {
    use crate::domain::envelope::{Body, Envelope, LeadUpdated};

    let folder = tempfile::tempdir().unwrap();
    let (account, id) = (AccountId::generate(), LeadId::generate());
    let update = |account| {
        let lead = [("id".to_owned(), id.to_string().into())].into_iter().collect();
        let body = Body::LeadUpdated(LeadUpdated { lead, deleted: false });
        Envelope { id: EventId::generate(), account, timestamp: clock::now(), body }
    };
    let inbox = open(&folder);
    assert!(!inbox.is_erased(&update(account)));
    inbox.mark_erased(&[erasure(account, &id, Vec::new())]).await.unwrap();
    assert!(inbox.is_erased(&update(account)) && !inbox.is_erased(&update(AccountId::generate())));
    drop(inbox);
    assert!(open(&folder).is_erased(&update(account)));
}
