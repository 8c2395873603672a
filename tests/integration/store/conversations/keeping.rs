//! What messages and changes leave behind.

use leadwire::domain::message::{Arrival, ChangeKind, Flag, Message, MessageChange, Reaction};
use serde_json::json;

use super::{
    super::harness::{Bench, on_both_engines},
    talk::{Talk, Told, at},
};

on_both_engines! {
    a_chat_begins_with_its_first_message,
    every_field_of_a_message_is_kept,
    what_is_kept_already_changes_nothing,
    an_older_edit_or_reaction_never_overwrites_a_newer,
    what_was_taken_back_stays_empty,
    unread_are_shown_messages_of_the_other_side_that_nobody_read,
    who_read_a_message_has_read_those_before_it,
    the_newest_message_is_shown_whichever_came_last,
    writers_of_the_same_chat_take_turns,
}

async fn a_chat_begins_with_its_first_message(bench: Bench) {
    let (talk, store) = (Talk::of(&bench.account().await), &bench.store);
    let first = talk.message(1);
    let told = talk.keep(store, [first.clone()]).await;
    assert_eq!(told, [talk.chat(store).await]);
    let chat = &told[0];
    assert_eq!(
        (chat.id, chat.agency, chat.account, chat.source),
        (first.chat, talk.agency, talk.account, first.source)
    );
    assert_eq!((&*chat.account_type, &*chat.platform_id, &chat.name), ("INSTAGRAM", "c", &None));
    assert_eq!((chat.timestamp, chat.last_message.as_deref()), (at(1), Some("text 1")));
    assert_eq!((chat.unread_count, chat.is_read, chat.is_ignored), (1, false, false));
    assert_eq!((&*chat.assist_mode, chat.assignee, chat.created_at), ("manual", None, at(100_000)));

    let named = Message { chat_name: Some("Jane Doe".into()), text: None, ..talk.message(2) };
    let told = talk.keep(store, [named]).await;
    assert_eq!((told[0].name.as_deref(), told[0].last_message.as_deref()), (Some("Jane Doe"), None));
    let renamed = Message { chat_name: Some("Janet".into()), text: Some("é".repeat(9_000)), ..talk.message(3) };
    let told = talk.keep(store, [renamed]).await;
    assert_eq!((told[0].name.as_deref(), told[0].last_message.clone()), (Some("Jane Doe"), Some("é".repeat(500))));
    assert_eq!(talk.one(store, 3).await.text, Some("é".repeat(9_000)));
}

async fn every_field_of_a_message_is_kept(bench: Bench) {
    let (talk, store) = (Talk::of(&bench.account().await), &bench.store);
    let reaction = |value: &str, sender: &str| Reaction {
        value: value.into(),
        sender_id: sender.into(),
        is_sender: Flag(sender == "us"),
    };
    let mut full = Message {
        chat_name: Some("Jane".into()),
        sender_attendee_id: Some("att".into()),
        sender_name: Some("Jane D".into()),
        original: Some("before".into()),
        attachments: vec![json!({"type": "img", "url": "https://example.com/a?b=1", "size": {"width": 1.5}})],
        reactions: vec![reaction("👍", "jane"), reaction("❤️", "us")],
        seen: Flag(true),
        seen_by: json!({"us": true}),
        hidden: Flag(true),
        edited: Flag(true),
        is_event: Flag(true),
        delivered: Flag(true),
        sent_by_autopilot: true,
        arrival: Arrival::Replay,
        ..talk.message(1)
    };
    full.details.quoted = json!({"text": "'); DROP TABLE messages;-- \\u0000"});
    full.details.event_type = json!(3);
    talk.keep(store, [full.clone()]).await;
    assert_eq!(talk.messages(store).await, [full]);
}

async fn what_is_kept_already_changes_nothing(bench: Bench) {
    let (talk, store) = (Talk::of(&bench.account().await), &bench.store);
    let first = talk.message(1);
    let all = || -> [Told; 3] {
        [first.clone().into(), talk.edit(1, 5, "better").into(), talk.reaction(1, 6, "👍").into()]
    };
    assert_eq!(talk.keep(store, all()).await.len(), 1);
    let (chat, message) = (talk.chat(store).await, talk.one(store, 1).await);
    assert_eq!((message.text.as_deref(), message.original.as_deref()), (Some("better"), Some("text 1")));
    assert_eq!((message.edited, chat.last_message.as_deref(), chat.unread_count), (Flag(true), Some("better"), 1));

    let again = Message { created_at: at(200_000), arrival: Arrival::Replay, ..first.clone() };
    assert_eq!(talk.keep(store, [again]).await, []);
    assert_eq!(talk.keep(store, all()).await, []);
    assert_eq!((talk.chat(store).await, talk.messages(store).await), (chat, vec![message]));
    assert_eq!(store.apply_happenings(&[]).await.unwrap(), []);

    // A list that is read later may know more than the first copy did.
    let known = Message { seen: Flag(true), sender_name: Some("Jane".into()), arrival: Arrival::Sync, ..first };
    assert_eq!(talk.keep(store, [known]).await[0].unread_count, 0);
    let message = talk.one(store, 1).await;
    assert_eq!((message.text.as_deref(), message.sender_name.as_deref()), (Some("better"), Some("Jane")));
    assert_eq!((message.seen, message.arrival), (Flag(true), Arrival::Webhook));
}

async fn an_older_edit_or_reaction_never_overwrites_a_newer(bench: Bench) {
    let (talk, store) = (Talk::of(&bench.account().await), &bench.store);
    talk.keep(store, [talk.message(1)]).await;
    talk.keep(store, [talk.edit(1, 9, "third"), talk.edit(1, 7, "second")]).await;
    talk.keep(store, [talk.reaction(1, 9, ""), talk.reaction(1, 7, "👍")]).await;
    let message = talk.one(store, 1).await;
    assert_eq!((message.text.as_deref(), message.original.as_deref()), (Some("third"), Some("text 1")));
    assert_eq!(message.reactions, [], "it was taken back later");
    let mut ours = talk.reaction(1, 3, "🎉");
    ours.reaction = Some(Reaction { value: "🎉".into(), sender_id: "us".into(), is_sender: Flag(true) });
    talk.keep(store, [talk.reaction(1, 10, "😀"), ours]).await;
    let values: Vec<_> = talk.one(store, 1).await.reactions.into_iter().map(|one| one.value).collect();
    assert_eq!(values, ["🎉", "😀"]);
}

async fn what_was_taken_back_stays_empty(bench: Bench) {
    let (talk, store) = (Talk::of(&bench.account().await), &bench.store);
    let first = Message { attachments: vec![json!({"id": 1})], ..talk.message(1) };
    talk.keep(store, [first.clone()]).await;
    let told = talk.keep(store, [talk.change(ChangeKind::Deleted, 1, 5)]).await;
    assert_eq!((told[0].unread_count, &told[0].last_message, told[0].timestamp), (0, &None, at(1)));
    assert_eq!(talk.keep(store, [talk.edit(1, 9, "back")]).await, []);
    assert_eq!(talk.keep(store, [first]).await, []);
    let message = talk.one(store, 1).await;
    assert_eq!((message.deleted, message.text, message.original), (Flag(true), None, None));
    assert_eq!(message.attachments, [json!(null); 0]);
}

async fn unread_are_shown_messages_of_the_other_side_that_nobody_read(bench: Bench) {
    let (talk, store) = (Talk::of(&bench.account().await), &bench.store);
    let messages = vec![
        talk.message(1),
        Message { is_event: Flag(true), ..talk.message(2) },
        Message { hidden: Flag(true), ..talk.message(3) },
        Message { seen: Flag(true), ..talk.message(4) },
        Message { deleted: Flag(true), ..talk.message(5) },
        talk.own(6),
        talk.message(7),
        talk.message(8),
    ];
    let unread = async || talk.chat(store).await.unread_count;
    talk.keep(store, messages.clone()).await;
    assert_eq!(unread().await, 3);
    talk.keep(store, messages).await;
    talk.keep(store, [talk.edit(1, 20, "x"), talk.edit(8, 20, "x")]).await;
    assert_eq!(unread().await, 3);
    talk.keep(store, [talk.change(ChangeKind::Deleted, 7, 20)]).await;
    assert_eq!(unread().await, 2);
    talk.keep(store, [talk.receipt(ChangeKind::Read, false, 7)]).await;
    assert_eq!(unread().await, 1);
    assert_eq!(talk.keep(store, [talk.receipt(ChangeKind::Read, false, 4)]).await, [], "an older receipt says less");
    assert_eq!(talk.keep(store, [talk.receipt(ChangeKind::Read, true, 50)]).await, [], "that is for our messages");
    assert_eq!(unread().await, 1);
    let late = [Message { timestamp: at(6), ..talk.message(66) }, Message { timestamp: at(9), ..talk.message(99) }];
    talk.keep(store, late).await;
    assert_eq!(
        (unread().await, talk.one(store, 66).await.seen, talk.one(store, 99).await.seen.0),
        (2, Flag(true), false)
    );
}

async fn who_read_a_message_has_read_those_before_it(bench: Bench) {
    let (talk, store) = (Talk::of(&bench.account().await), &bench.store);
    let messages = [talk.message(1), talk.own(2), talk.message(3), talk.own(4), talk.message(5), talk.own(6)];
    talk.keep(store, messages).await;
    let flags = async || -> Vec<(bool, bool)> {
        talk.messages(store).await.into_iter().map(|message| (message.seen.0, message.delivered.0)).collect()
    };
    let unknown_chat = MessageChange { chat: None, ..talk.change(ChangeKind::Read, 3, 10) };
    talk.keep(store, [unknown_chat]).await;
    assert_eq!(talk.chat(store).await.unread_count, 1);
    let no = (false, false);
    assert_eq!(flags().await, [(true, false), no, (true, false), no, no, no]);
    talk.keep(store, [talk.change(ChangeKind::Read, 2, 10), talk.change(ChangeKind::Delivered, 6, 10)]).await;
    assert_eq!(flags().await, [(true, false), (true, true), (true, false), no, no, (false, true)]);
    talk.keep(store, [talk.receipt(ChangeKind::Delivered, true, 5)]).await;
    assert_eq!(flags().await[3], (false, true));
    let nothing = MessageChange { up_to: None, ..talk.receipt(ChangeKind::Read, true, 5) };
    assert_eq!(talk.keep(store, [nothing]).await, []);
}

async fn the_newest_message_is_shown_whichever_came_last(bench: Bench) {
    let (talk, store) = (Talk::of(&bench.account().await), &bench.store);
    let shown = async || (talk.chat(store).await.timestamp, talk.chat(store).await.last_message);
    talk.keep(store, [Message { hidden: Flag(true), ..talk.message(4) }]).await;
    assert_eq!(shown().await, (at(4), None), "not to be shown");
    talk.keep(store, [talk.message(3)]).await;
    assert_eq!(shown().await, (at(3), Some("text 3".into())));
    assert_eq!(talk.keep(store, [Message { seen: Flag(true), ..talk.message(1) }]).await, []);
    assert_eq!(talk.keep(store, [talk.edit(1, 50, "old news")]).await, []);
    talk.keep(store, [talk.edit(3, 50, "news")]).await;
    assert_eq!(shown().await, (at(3), Some("news".into())));

    let times = ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59Z"];
    let times = times.map(|time| time.parse().unwrap());
    let odd = (100..).zip(times).map(|(number, timestamp)| Message { timestamp, ..talk.message(number) });
    talk.keep(store, odd).await;
    let kept: Vec<_> = talk.messages(store).await.into_iter().map(|message| message.timestamp).collect();
    assert_eq!(kept, [times[0], times[1], at(1), at(3), at(4), times[2]]);
    assert_eq!(shown().await, (times[2], Some("text 102".into())));
    talk.keep(store, [talk.receipt(ChangeKind::Read, false, 60)]).await;
    assert_eq!(talk.chat(store).await.unread_count, 1);
}

async fn writers_of_the_same_chat_take_turns(bench: Bench) {
    let account = bench.account().await;
    let (talk, other) = (Talk::of(&account), Talk::of(&bench.account().await));
    let mut work = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let store = bench.store.clone();
        work.spawn(async move {
            for round in 0..5 {
                let number = 1 + (writer + round * 3) % 10;
                let (one, two) = (talk.message(number).into(), other.message(number).into());
                let told: [Told; 4] =
                    [talk.edit(number, 50, "x").into(), one, two, talk.reaction(number, writer, "y").into()];
                talk.keep(&store, told).await;
                let read = leadwire::store::ChatChange::Ignored(round % 2 == 0);
                store.change_chat(talk.agency, &[talk.account], talk.owner.chat("c"), &read).await.unwrap();
            }
        });
    }
    work.join_all().await;
    for talk in [talk, other] {
        let messages = talk.messages(&bench.store).await;
        assert_eq!(messages.len(), 10);
        assert_eq!(talk.chat(&bench.store).await.unread_count, 10);
    }
    assert!(talk.messages(&bench.store).await.iter().all(|message| message.text.as_deref() == Some("x")));
}
