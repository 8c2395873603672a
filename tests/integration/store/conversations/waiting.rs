//! What comes before its message.

use leadwire::domain::message::{ChangeKind, Flag, MessageChange};

use super::{
    super::harness::{Bench, on_both_engines},
    talk::{Talk, Told, at},
};

on_both_engines! {
    a_change_waits_for_its_message,
    a_receipt_waits_for_its_chat,
    the_oldest_that_wait_are_dropped,
}

async fn a_change_waits_for_its_message(bench: Bench) {
    let (talk, store) = (Talk::of(&bench.account().await), &bench.store);
    let early = || {
        [
            talk.edit(1, 9, "third"),
            talk.edit(1, 7, "second"),
            talk.reaction(1, 8, "👍"),
            talk.reaction(1, 9, "❤️"),
            talk.change(ChangeKind::Read, 1, 9),
            talk.change(ChangeKind::Delivered, 2, 9),
            MessageChange { chat: None, ..talk.change(ChangeKind::Deleted, 2, 9) },
        ]
    };
    assert_eq!(talk.keep(store, early()).await, []);
    assert_eq!(talk.keep(store, early()).await, [], "and once more");
    assert_eq!(talk.chats(store).await, []);
    let told = talk.keep(store, [talk.message(1), talk.own(2), talk.message(3)]).await;
    assert_eq!((told.len(), told[0].unread_count), (1, 1));
    let [one, two, three] = &talk.messages(store).await[..] else { panic!() };
    assert_eq!((one.text.as_deref(), one.original.as_deref()), (Some("third"), Some("text 1")));
    assert_eq!((one.reactions.len(), &*one.reactions[0].value, one.seen), (1, "❤️", Flag(true)));
    assert_eq!((two.deleted, two.delivered, &two.text), (Flag(true), Flag(true), &None));
    assert_eq!((three.seen, three.edited), (Flag(false), Flag(false)));
    assert_eq!(talk.keep(store, early()).await, []);
    assert_eq!(&talk.messages(store).await[0], one);
}

async fn a_receipt_waits_for_its_chat(bench: Bench) {
    let (talk, store) = (Talk::of(&bench.account().await), &bench.store);
    talk.keep(store, [talk.receipt(ChangeKind::Read, false, 2), talk.receipt(ChangeKind::Delivered, true, 4)]).await;
    talk.keep(store, [talk.message(1), talk.own(3), talk.message(5), talk.own(6)]).await;
    let flags: Vec<_> = talk.messages(store).await.into_iter().map(|it| (it.seen.0, it.delivered.0)).collect();
    assert_eq!(flags, [(true, false), (false, true), (false, false), (false, false)]);
    assert_eq!(talk.chat(store).await.unread_count, 1);
}

async fn the_oldest_that_wait_are_dropped(bench: Bench) {
    let (talk, other, store) = (Talk::of(&bench.account().await), Talk::of(&bench.account().await), &bench.store);
    talk.keep(store, [talk.edit(1, 5, "dropped")]).await;
    other.keep(store, [other.edit(1, 5, "kept")]).await;
    talk.keep(store, (2..1_002).map(|number| talk.edit(number, 5_000, "kept"))).await;
    let messages = [1, 2, 1_001].map(|number| Told::from(talk.message(number)));
    talk.keep(store, messages.into_iter().chain([other.message(1).into()])).await;
    let texts: Vec<_> = talk.messages(store).await.into_iter().filter_map(|message| message.text).collect();
    assert_eq!(texts, ["text 1", "kept", "kept"]);
    assert_eq!(other.one(store, 1).await.text.as_deref(), Some("kept"), "another account's does not count");
    assert_eq!(talk.chat(store).await.timestamp, at(1_001));
}
