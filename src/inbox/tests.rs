//! The inbox as its users see it: durable, once, patient.

use super::*;
use crate::domain::{
    AccountId, EventId, Room, SecretDigest, SourceId,
    clock::{from_micros, now},
    directory::{Directory, Source},
    envelope::Position,
    event::{EventKind, Fate, NewEvent, Scope, SourceKind},
};

pub(super) fn open(folder: &tempfile::TempDir) -> Inbox {
    Inbox::open(&folder.path().join("inbox.sqlite3"), 64).unwrap()
}

pub(super) fn lead(account: AccountId, platform_id: &str) -> NewEvent {
    NewEvent {
        id: NewEvent::key(&account.to_string(), SourceKind::Meta, platform_id, EventKind::Lead),
        kind: EventKind::Lead,
        source_kind: SourceKind::Meta,
        external_id: "1".to_owned(),
        platform_id: platform_id.to_owned(),
        item: "{}".to_owned(),
        fate: Fate::Work { account, source: SourceId::generate() },
    }
}

pub(super) fn delivery(events: Vec<NewEvent>) -> Delivery {
    Delivery {
        received_at: now(),
        provider: "meta",
        path: String::new(),
        remote: "127.0.0.1".to_owned(),
        headers: "{}".to_owned(),
        body: bytes::Bytes::from_static(b"{}"),
        events,
    }
}

pub(super) fn entry(account: AccountId, epoch: u32, count: u64) -> LogEntry {
    LogEntry {
        account,
        room: Room::Account(account),
        position: Position { epoch, count },
        at: now(),
        is_late: false,
        envelope: bytes::Bytes::from_static(b"{\"type\":\"new_lead\"}"),
    }
}

impl Inbox {
    /// From now on nothing can be logged.
    pub(crate) async fn lose_log(&self) {
        self.writer.write(1, |c| c.batch_execute("ALTER TABLE log RENAME TO lost")).await.unwrap();
    }

    pub(crate) async fn regain_log(&self) {
        self.writer.write(1, |c| c.batch_execute("ALTER TABLE lost RENAME TO log")).await.unwrap();
    }
}

#[tokio::test]
async fn an_event_is_accepted_once_however_often_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let account = AccountId::generate();
    let twice = delivery(vec![lead(account, "1"), lead(account, "1"), lead(account, "2")]);
    let first = inbox.accept(vec![twice.clone()]).await.unwrap();
    assert_eq!((first[0].new.len(), first[0].duplicates, first[0].work.len()), (2, 1, 2));
    let again = inbox.accept(vec![twice]).await.unwrap();
    assert_eq!((again[0].new.len(), again[0].duplicates), (0, 3));
}

#[tokio::test]
async fn accepted_and_published_work_is_found_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let account = AccountId::generate();
    let (first, second) = (lead(account, "1"), lead(account, "2"));
    let epoch = {
        let inbox = open(&folder);
        inbox.accept(vec![delivery(vec![first.clone(), second.clone()])]).await.unwrap();
        assert!(inbox.due_accounts(now()).await.unwrap().is_empty(), "just handed on: not due yet");
        inbox.publish(entry(account, inbox.epoch(), 1), Some(first.id)).1.await.unwrap();
        inbox.epoch()
    };
    let inbox = open(&folder);
    assert_eq!(inbox.epoch(), epoch + 1);
    assert_eq!(inbox.due_accounts(now()).await.unwrap(), [account]);
    let due: Vec<EventId> = inbox.due(account, now(), true, 10).await.unwrap().iter().map(|event| event.id).collect();
    assert_eq!(due, [second.id]);
    let unstored = inbox.unstored(now(), 10).await.unwrap();
    assert_eq!(unstored.len(), 1);
    assert!(matches!(&unstored[0].from, Kept::Envelope(envelope) if envelope[..] == b"{\"type\":\"new_lead\"}"[..]));
    assert_eq!(unstored[0].id, first.id);
    inbox.mark_stored(vec![first.id]).await.unwrap();
    assert!(inbox.unstored(now(), 10).await.unwrap().is_empty());
    assert_eq!(inbox.top_positions().await.unwrap(), [(Room::Account(account), Position { epoch, count: 1 })]);
}

#[tokio::test]
async fn what_is_not_shown_is_kept_all_the_same_and_told_by_its_item() {
    let folder = tempfile::tempdir().unwrap();
    let account = AccountId::generate();
    let event = NewEvent { kind: EventKind::Prospect, item: "{\"lead_id\":1}".to_owned(), ..lead(account, "1") };
    let inbox = open(&folder);
    inbox.accept(vec![delivery(vec![event.clone()])]).await.unwrap();
    assert_eq!(inbox.due(account, now(), false, 10).await.unwrap().len(), 1);
    inbox.pass(event.id).await.unwrap();
    assert!(inbox.due(account, now(), false, 10).await.unwrap().is_empty());
    let unstored = inbox.unstored(now(), 10).await.unwrap().remove(0);
    assert!(unstored.account == account && matches!(&unstored.from, Kept::Item { item, .. } if *item == event.item));
    inbox.mark_stored(vec![event.id]).await.unwrap();
    inbox.pass(event.id).await.unwrap();
    assert!(inbox.unstored(now(), 10).await.unwrap().is_empty(), "what is stored stays so");
}

#[tokio::test]
async fn what_was_put_off_before_the_clock_went_back_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let account = AccountId::generate();
    let [put_off, handed_on, pushed] = ["1", "2", "3"].map(|id| lead(account, id));
    inbox.accept(vec![delivery(vec![put_off.clone(), handed_on, pushed.clone()])]).await.unwrap();
    inbox.defer(put_off.id, now() + chrono::TimeDelta::seconds(60), true, String::new()).await.unwrap();
    inbox.publish(entry(account, inbox.epoch(), 1), Some(pushed.id)).1.await.unwrap();
    let due = async |now| inbox.due_accounts(now).await.unwrap().len();

    inbox.clock_went_back(now()).await.unwrap();
    assert_eq!(due(now()).await, 0, "it has not");
    let earlier = now() - chrono::TimeDelta::hours(1);
    assert_eq!(due(earlier).await + inbox.unstored(earlier, 10).await.unwrap().len(), 0);
    inbox.clock_went_back(earlier).await.unwrap();
    assert_eq!(due(earlier).await, 1);
    let events = inbox.due(account, earlier, true, 10).await.unwrap();
    assert!(events.iter().any(|event| event.id == put_off.id && event.attempts == 1));
    assert_eq!(inbox.unstored(earlier, 10).await.unwrap()[0].id, pushed.id);
}

#[tokio::test]
async fn what_is_logged_behind_later_envelopes_or_twice_does_not_set_its_room_back() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let account = AccountId::generate();
    let (room, epoch) = (Room::Account(account), inbox.epoch());
    let top = Position { epoch, count: 3 };
    for count in [1, 3, 2] {
        inbox.publish(entry(account, epoch, count), None).1.await.unwrap();
    }
    assert_eq!(inbox.top_positions().await.unwrap(), [(room, top)]);
    for count in [3, 1] {
        inbox.publish(entry(account, epoch, count), None).1.await.unwrap();
    }
    inbox.publish(entry(account, epoch, 0), None).1.await.unwrap();
    assert_eq!(inbox.top_positions().await.unwrap(), [(room, top)], "folded before");
    inbox.publish(entry(account, epoch + 1, 1), None).1.await.unwrap();
    assert_eq!(inbox.top_positions().await.unwrap(), [(room, Position { epoch: epoch + 1, count: 1 })]);
}

#[tokio::test]
async fn a_deferred_event_waits_and_a_parked_one_stays_until_it_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let account = AccountId::generate();
    let event = lead(account, "1");
    inbox.accept(vec![delivery(vec![event.clone()])]).await.unwrap();
    let later = now() + chrono::TimeDelta::seconds(60);
    inbox.defer(event.id, later, true, "timeout".to_owned()).await.unwrap();
    assert!(inbox.due(account, now(), true, 10).await.unwrap().is_empty());
    assert_eq!(inbox.due(account, later, true, 10).await.unwrap()[0].attempts, 1);
    inbox.park(event.id, ParkReason::Denied, "no permission".to_owned()).await.unwrap();
    assert!(inbox.due(account, later, true, 10).await.unwrap().is_empty());
    let attention = inbox.attention(now()).await.unwrap();
    assert_eq!((attention[0].reason.as_str(), attention[0].count), ("denied", 1));
    assert_eq!(inbox.replay(Selection::Parked("denied".to_owned())).await.unwrap(), 1);
    assert!(inbox.due(account, now(), true, 10).await.unwrap()[0].replayed);
}

#[tokio::test]
async fn an_unrouted_event_goes_to_whoever_claims_its_page_but_only_within_its_scope() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let (agency, stranger) = (crate::domain::AgencyId::generate(), crate::domain::AgencyId::generate());
    let source = Source {
        id: SourceId::generate(),
        agency,
        account: AccountId::generate(),
        kind: SourceKind::Meta,
        external_id: "77".to_owned(),
        name: String::new(),
        token: String::new().into(),
        app_secrets: vec!["its own secret".into()],
        verify_token: None,
        enabled: true,
        api_url: None,
    };
    let secret = |text: &str| Scope::Secret { agency, secret: SecretDigest::of(text.as_bytes()) };
    let unrouted = |scope: Scope, platform_id: &str| {
        let event = NewEvent {
            id: NewEvent::key(&format!("unrouted:{scope}:77"), SourceKind::Meta, platform_id, EventKind::Lead),
            external_id: "77".to_owned(),
            fate: Fate::Unrouted { scope },
            ..lead(source.account, platform_id)
        };
        delivery(vec![event])
    };
    let accepted = [
        unrouted(Scope::Hub, "1"),
        unrouted(secret("its own secret"), "2"),
        unrouted(secret("a neighbour's secret"), "3"),
        unrouted(Scope::Agency(stranger), "4"),
    ];
    inbox.accept(accepted.into()).await.unwrap();
    let directory = Directory { sources: [(source.id, source.clone())].into(), ..Directory::default() }.indexed();
    assert_eq!(inbox.release_claimed(std::sync::Arc::new(directory)).await.unwrap(), 2);
    let due = inbox.due(source.account, now(), true, 10).await.unwrap();
    let ids: Vec<_> = due.iter().map(|event| event.id).collect();
    let wanted = ["1", "2"].map(|id| lead(source.account, id).id);
    assert_eq!(ids, wanted, "forged events must not follow, and a later redelivery must meet the same key");
}

#[tokio::test]
async fn retention_removes_what_is_finished_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let account = AccountId::generate();
    let (done, open_event) = (lead(account, "1"), lead(account, "2"));
    inbox.accept(vec![delivery(vec![done.clone()]), delivery(vec![open_event.clone()])]).await.unwrap();
    for (count, event) in [(1, &done), (2, &open_event)] {
        inbox.publish(entry(account, 1, count), Some(event.id)).1.await.unwrap();
    }
    inbox.mark_stored(vec![done.id]).await.unwrap();
    let nothing = Limits {
        deliveries: std::time::Duration::ZERO,
        events: std::time::Duration::ZERO,
        log: std::time::Duration::ZERO,
        max_size: u64::MAX,
    };
    assert_eq!(inbox.prune(now() + chrono::TimeDelta::seconds(1), nothing).await.unwrap().removed, 3);
    assert_eq!(inbox.unstored(now(), 10).await.unwrap()[0].id, open_event.id);
    let full = inbox.prune(from_micros(0), Limits { max_size: 0, ..nothing }).await.unwrap();
    assert_eq!((full.removed, full.space), (1, Space::Full), "only the raw webhook goes");
    assert_eq!(inbox.unstored(now(), 10).await.unwrap()[0].id, open_event.id);
    let refused = inbox.accept(vec![delivery(vec![lead(account, "3")])]).await;
    assert!(matches!(refused, Err(InboxError::Unavailable(_))), "larger than it may be: refused, not lost");
    inbox.prune(from_micros(0), nothing).await.unwrap();
    assert!(inbox.accept(vec![delivery(vec![lead(account, "3")])]).await.is_ok());
}

#[tokio::test]
async fn the_quarantine_is_capped() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let refused = Quarantined {
        received_at: now(),
        path: String::new(),
        remote: "127.0.0.1".to_owned(),
        headers: "{}".to_owned(),
        body: bytes::Bytes::from_static(b"x"),
    };
    for _ in 0..5 {
        inbox.quarantine(refused.clone(), 2, 12).await.unwrap();
    }
    assert_eq!(inbox.quarantined().await.unwrap(), 3, "a quarter of it is for one address");
    let attention = inbox.attention(now()).await.unwrap();
    assert_eq!((attention[0].reason.as_str(), attention[0].count), ("bad_signature", 10));
    for number in 0..20 {
        let refused = Quarantined { path: number.to_string(), ..refused.clone() };
        inbox.quarantine(refused, 2, 12).await.unwrap();
    }
    assert_eq!(inbox.quarantined().await.unwrap(), 12);
}

/// An envelope that names the one before it.
fn chained(room: Room, count: u64) -> LogEntry {
    let json = format!(r#"{{"type":"new_lead","position":"1-{count}","prev":"1-{}","payload":{{}}}}"#, count - 1);
    LogEntry { account: room.account(), room, position: at(count), at: now(), is_late: false, envelope: json.into() }
}

fn at(count: u64) -> Position {
    Position { epoch: 1, count }
}

#[tokio::test]
async fn the_log_is_read_page_by_page_and_only_of_one_room() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let account = AccountId::generate();
    let (room, operators) = (Room::Account(account), Room::Operators(account));
    for count in 1..=300 {
        let room = if count == 5 { operators } else { room };
        let (_, logged) = inbox.publish(chained(room, count), None);
        if count == 300 {
            logged.await.unwrap();
        }
    }
    let page = inbox.log_after(room, at(2), usize::MAX).await.unwrap();
    let counts: Vec<_> = page.entries.iter().map(|entry| entry.position.count).collect();
    assert_eq!(counts, (3..=4).chain(6..=259).collect::<Vec<_>>());
    assert!(page.more);
    let page = inbox.log_after(room, at(259), usize::MAX).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (41, false));
    let small = inbox.log_after(room, at(0), 100).await.unwrap();
    assert_eq!((small.entries.len(), small.more), (2, true), "a page ends where its bytes do");
    let first = inbox.first_after(vec![(operators, at(1)), (room, at(300)), (room, at(9))]).await.unwrap();
    let found: Vec<_> = first.iter().map(|entry| entry.as_ref().map(|entry| (entry.position, entry.prev))).collect();
    assert_eq!(found, [Some((at(5), Some(at(4)))), None, Some((at(10), Some(at(9))))]);
    assert_eq!(page.entries[0].kind, "new_lead");
}

fn ack(room: Room, reader: &str, device: &str, count: u64, read: bool) -> Ack {
    let (reader, device) = (reader.to_owned(), device.to_owned());
    Ack { room, reader, device, position: at(count), read, counts: true, at: from_micros(7) }
}

#[tokio::test]
async fn watermarks_never_go_back_and_are_a_users_own_on_each_device() {
    let folder = tempfile::tempdir().unwrap();
    let room = Room::Account(AccountId::generate());
    {
        let inbox = open(&folder);
        assert!(!inbox.ack(ack(room, "ada", "phone", 5, false)).await.unwrap(), "received is not read");
        assert!(inbox.ack(ack(room, "ada", "phone", 3, true)).await.unwrap());
        assert!(!inbox.ack(ack(room, "ada", "phone", 2, true)).await.unwrap());
        assert!(!inbox.ack(ack(room, "ada", "desk", 3, true)).await.unwrap(), "read on the phone");
        assert!(inbox.ack(ack(room, "ada", "desk", 4, true)).await.unwrap());
        assert!(inbox.ack(ack(room, "ben", "", 1, true)).await.unwrap());
    }
    let inbox = open(&folder);
    let mark = |device: &str, delivered, read| Watermark {
        device: device.to_owned(),
        delivered: Some(at(delivered)),
        read: Some(at(read)),
    };
    let found = inbox.watermarks(room, "ada".to_owned()).await.unwrap();
    assert_eq!(found, [mark("desk", 4, 4), mark("phone", 5, 3)]);
    assert_eq!(inbox.watermarks(room, "ben".to_owned()).await.unwrap(), [mark("", 1, 1)]);
    let elsewhere = Room::Operators(room.account());
    assert!(inbox.watermarks(elsewhere, "ada".to_owned()).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_too_many_devices_the_one_that_has_read_least_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (inbox, room) = (open(&folder), Room::Account(AccountId::generate()));
    for device in 0..40 {
        inbox.ack(ack(room, "ada", &format!("{device:02}"), 100 - device, true)).await.unwrap();
    }
    let found = inbox.watermarks(room, "ada".to_owned()).await.unwrap();
    assert_eq!((found.len(), found[0].read), (32, Some(at(100))), "what was read stays read");
}

#[tokio::test]
async fn what_anybody_reads_first_is_found_once_and_its_envelopes_stay_until_it_is_settled() {
    let folder = tempfile::tempdir().unwrap();
    let (inbox, room) = (open(&folder), Room::Account(AccountId::generate()));
    for count in 1..=4 {
        inbox.publish(chained(room, count), None).1.await.unwrap();
    }
    for (reader, count, read) in [("ada", 4, false), ("ada", 2, true), ("ben", 2, true), ("ben", 3, true)] {
        inbox.ack(ack(room, reader, "", count, read)).await.unwrap();
    }
    inbox.something_seen().await;
    let part = |after, up_to| Seen {
        room,
        after: Position { epoch: u32::from(after > 0), count: after },
        up_to: at(up_to),
        at: from_micros(7),
    };
    let (first, second) = (part(0, 2), part(2, 3));
    assert_eq!(inbox.seen_after(None, 10).await.unwrap(), [first, second]);
    assert_eq!(inbox.seen_after(Some(first), 10).await.unwrap(), [second]);

    let nothing = Limits {
        deliveries: std::time::Duration::ZERO,
        events: std::time::Duration::ZERO,
        log: std::time::Duration::ZERO,
        max_size: u64::MAX,
    };
    let later = now() + chrono::TimeDelta::seconds(1);
    inbox.prune(from_micros(8), nothing).await.unwrap();
    assert!(inbox.watermarks(room, "ada".to_owned()).await.unwrap().is_empty(), "unused for too long");
    assert_eq!(inbox.prune(later, nothing).await.unwrap().removed, 0);
    inbox.settle_seen(first).await.unwrap();
    assert_eq!(inbox.prune(later, nothing).await.unwrap().removed, 2, "up to what is not settled");
    inbox.settle_seen(second).await.unwrap();
    assert_eq!(inbox.prune(later, nothing).await.unwrap().removed, 2);
    inbox.ack(ack(room, "ada", "", 2, true)).await.unwrap();
    assert!(inbox.seen_after(None, 10).await.unwrap().is_empty(), "it was read before");
    for (count, is_late) in [(3, true), (4, true), (2, false)] {
        inbox.publish(LogEntry { is_late, at: from_micros(9), ..chained(room, count) }, None).1.await.unwrap();
    }
    let late = Seen { after: at(2), up_to: at(3), at: from_micros(9), room };
    assert_eq!(inbox.seen_after(None, 10).await.unwrap(), [late], "logged only after it was read");
}
