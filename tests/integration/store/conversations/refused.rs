//! What can't be kept, and what is not one's own.

use leadwire::{
    domain::{
        AccountId, SourceId,
        message::{ChangeKind, Happening, Message, MessageChange},
    },
    store::{ChatChange, ChatFilter},
};
use serde_json::json;

use super::{
    super::harness::{Bench, on_both_engines},
    talk::{OLDEST_FIRST, Talk, Told},
};

on_both_engines! {
    a_bad_one_is_refused_and_the_others_can_be_kept_without_it,
    accounts_with_the_same_platform_ids_stay_apart,
    another_accounts_chat_does_not_exist,
}

fn happenings(told: impl IntoIterator<Item = Told>) -> Vec<Happening> {
    told.into_iter().map(|told| told.0).collect()
}

async fn a_bad_one_is_refused_and_the_others_can_be_kept_without_it(bench: Bench) {
    let (account, other, store) = (bench.account().await, bench.account().await, &bench.store);
    let talk = Talk::of(&account);
    let message = || talk.message(5);
    let nul = || Some("a\0b".to_owned());
    let far = chrono::DateTime::<chrono::Utc>::MAX_UTC;
    let bad: Vec<Told> = vec![
        Message { text: nul(), ..message() }.into(),
        Message { chat_name: nul(), ..message() }.into(),
        Message { sender_id: nul(), ..message() }.into(),
        Message { attachments: vec![json!({"deep": ["a\0b"]})], ..message() }.into(),
        Message { seen_by: json!({"a\0b": 1}), ..message() }.into(),
        Message { timestamp: far, ..message() }.into(),
        Message { chat_platform_id: "x".repeat(3_000), ..message() }.into(),
        Message { chat_platform_id: String::new(), ..message() }.into(),
        Message { account: AccountId::generate(), ..message() }.into(),
        Message { agency: other.agency, ..message() }.into(),
        Message { source: SourceId::generate(), ..talk.message(1) }.into(),
        MessageChange { text: nul(), ..talk.edit(1, 9, "") }.into(),
        MessageChange { timestamp: far, ..talk.edit(1, 9, "x") }.into(),
        MessageChange { account: AccountId::generate(), ..talk.edit(1, 9, "x") }.into(),
        talk.reaction(1, 9, "\0").into(),
    ];
    for bad in bad {
        let batch = [talk.message(1).into(), bad, talk.message(2).into()];
        let batch = happenings(batch);
        let refused = store.apply_happenings(&batch).await.unwrap_err();
        assert!(refused.is_rejected() && !refused.is_transient(), "{refused} {batch:?}");
        assert_eq!(talk.chats(store).await, [], "all or none");
    }
    let long = Message { text: Some("né💥".repeat(200_000)), platform_id: "p".repeat(5_000), ..message() };
    talk.keep(store, [talk.message(1), talk.message(2), long.clone()]).await;
    assert_eq!(talk.one(store, 5).await, long);
}

async fn accounts_with_the_same_platform_ids_stay_apart(bench: Bench) {
    let store = &bench.store;
    let account = bench.account().await;
    let sibling = store.add_account(account.agency, "Montreal").await.unwrap();
    let (here, there) = (Talk::of(&account), Talk::of(&sibling));
    let both: [Told; 4] =
        [here.message(1).into(), there.message(1).into(), there.edit(1, 5, "theirs").into(), here.message(2).into()];
    assert_eq!(here.keep(store, both).await.len(), 2);
    assert_eq!((here.chat(store).await.unread_count, there.chat(store).await.unread_count), (2, 1));
    assert_eq!(here.one(store, 1).await.text.as_deref(), Some("text 1"));
    assert_eq!(there.one(store, 1).await.text.as_deref(), Some("theirs"));

    // Ids that are not the account's own touch nothing.
    let before = there.messages(store).await;
    let stolen = Message { id: there.message(1).id, text: Some("mine now".into()), ..here.message(9) };
    let refused = store.apply_happenings(&happenings([stolen.into()])).await.unwrap_err();
    assert!(!refused.is_transient(), "{refused}");
    let stolen = Message { chat: there.message(1).chat, ..here.message(9) };
    let refused = store.apply_happenings(&happenings([stolen.into()])).await.unwrap_err();
    assert!(!refused.is_transient(), "{refused}");
    let edit = MessageChange { id: Some(there.message(1).id), ..here.edit(1, 9, "mine now") };
    assert_eq!(here.keep(store, [edit]).await, []);
    let read = MessageChange { chat: Some(there.message(1).chat), ..here.receipt(ChangeKind::Read, false, 9) };
    assert_eq!(here.keep(store, [read]).await, []);
    assert_eq!((there.messages(store).await, there.chat(store).await.unread_count), (before, 1));
}

async fn another_accounts_chat_does_not_exist(bench: Bench) {
    let (here, there, store) = (bench.account().await, bench.account().await, &bench.store);
    let talk = Talk::of(&there);
    talk.keep(store, [talk.message(1)]).await;
    let (chat, all) = (talk.chat(store).await, ChatFilter { limit: 100, ..ChatFilter::default() });
    for (agency, accounts) in [
        (here.agency, vec![here.id]),
        (here.agency, vec![there.id]),
        (there.agency, vec![]),
        (there.agency, vec![here.id, AccountId::generate()]),
    ] {
        let page = store.list_chats(agency, &accounts, &all).await.unwrap();
        assert_eq!((page.chats.len(), page.total), (0, 0));
        for name in [&*chat.id.to_string(), "c"] {
            assert_eq!(store.chat(agency, &accounts, name).await.unwrap(), None);
        }
        assert_eq!(store.messages(agency, &accounts, chat.id, &OLDEST_FIRST).await.unwrap(), None);
        assert_eq!(store.attendee(agency, &accounts, chat.id, "jane").await.unwrap(), None);
        assert_eq!(store.change_chat(agency, &accounts, chat.id, &ChatChange::Read).await.unwrap(), None);
    }
    assert_eq!(talk.chat(store).await, chat);
}
