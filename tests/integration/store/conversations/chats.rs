//! Lists of chats and messages, and what people do to a chat.

use leadwire::{
    domain::{Role, message::Message},
    store::{Attendee, ChatChange, ChatFilter, MessageFilter, NewUser},
};

use super::{
    super::harness::{Bench, on_both_engines},
    talk::{OLDEST_FIRST, Talk, Told, at},
};

on_both_engines! {
    chats_are_listed_by_their_newest_message,
    messages_come_in_pages,
    a_chat_is_found_by_a_platforms_id_that_names_only_one,
    reading_a_chat_reads_what_is_in_it,
    people_change_a_chat,
    an_attendee_is_known_by_what_they_wrote,
}

const ALL: ChatFilter = ChatFilter { is_read: None, is_ignored: None, limit: 100, offset: 0 };

async fn chats_are_listed_by_their_newest_message(bench: Bench) {
    let store = &bench.store;
    let account = bench.account().await;
    let sibling = store.add_account(account.agency, "Montreal").await.unwrap();
    let talks = [Talk::of(&account), Talk::of(&sibling)];
    // Seven chats, each with a message of its own second, the accounts in turn.
    let messages =
        (0..7).map(|number| talks[usize::from(number % 2 == 1)].message_in(&format!("c{number}"), number.into()));
    let told = talks[0].keep(store, messages).await;
    assert_eq!(told.len(), 7);
    let accounts = [account.id, sibling.id];
    let list = async |filter: ChatFilter| {
        let page = store.list_chats(account.agency, &accounts, &filter).await.unwrap();
        (page.chats.into_iter().map(|chat| chat.platform_id).collect::<Vec<_>>(), page.total)
    };
    assert_eq!(list(ALL).await, (["c6", "c5", "c4", "c3", "c2", "c1", "c0"].map(str::to_owned).to_vec(), 7));
    assert_eq!(list(ChatFilter { limit: 3, offset: 2, ..ALL }).await.0, ["c4", "c3", "c2"]);
    assert_eq!(list(ChatFilter { limit: 3, offset: 6, ..ALL }).await, (vec!["c0".to_owned()], 7));
    assert_eq!(list(ChatFilter { offset: 700, ..ALL }).await, (vec![], 7));
    assert_eq!(list(ChatFilter { limit: 0, ..ALL }).await, (vec![], 7));

    let [one, other] = talks;
    for chat in ["c0", "c4"] {
        let id = one.owner.chat(chat);
        store.change_chat(one.agency, &accounts, id, &ChatChange::Read).await.unwrap().unwrap();
    }
    let ignored = other.owner.chat("c3");
    store.change_chat(one.agency, &accounts, ignored, &ChatChange::Ignored(true)).await.unwrap().unwrap();
    let (read, ignored) =
        (|is| ChatFilter { is_read: Some(is), ..ALL }, |is| ChatFilter { is_ignored: Some(is), ..ALL });
    assert_eq!(list(read(true)).await, (vec!["c4".to_owned(), "c0".to_owned()], 2));
    assert_eq!(list(read(false)).await.0, ["c6", "c5", "c3", "c2", "c1"]);
    assert_eq!(list(ignored(true)).await, (vec!["c3".to_owned()], 1));
    assert_eq!(list(ChatFilter { is_read: Some(false), ..ignored(false) }).await.1, 4);
    let alone = store.list_chats(one.agency, &[sibling.id], &ALL).await.unwrap();
    assert_eq!((alone.total, alone.chats.iter().all(|chat| chat.account == sibling.id)), (3, true));
    talks[0].keep(store, [one.message_in("c0", 50)]).await;
    assert_eq!(list(ChatFilter { limit: 2, ..ALL }).await.0, ["c0", "c6"]);
}

async fn messages_come_in_pages(bench: Bench) {
    let (talk, store) = (Talk::of(&bench.account().await), &bench.store);
    // Four of each second, so that the time alone does not tell their order.
    let messages = (0..40).map(|number| Message { timestamp: at(number / 4), ..talk.message(number) });
    talk.keep(store, messages).await;
    talk.keep(store, [talk.message_in("another chat", 1)]).await;
    let chat = talk.owner.chat("c");
    let page = async |filter: MessageFilter| {
        let page = store.messages(talk.agency, &[talk.account], chat, &filter).await.unwrap().unwrap();
        assert_eq!(page.total, 40);
        page.messages.into_iter().map(|message| message.id).collect::<Vec<_>>()
    };
    let all = page(OLDEST_FIRST).await;
    assert_eq!(all.len(), 40);
    let mut reversed = all.clone();
    reversed.reverse();
    let newest = MessageFilter { newest_first: true, limit: 7, ..OLDEST_FIRST };
    assert_eq!(page(MessageFilter { offset: 5, ..newest.clone() }).await, reversed[5..12]);
    assert_eq!(page(MessageFilter { limit: 7, offset: 38, ..OLDEST_FIRST }).await, all[38..]);
    let mut seen = Vec::new();
    let mut next = newest;
    loop {
        let found = page(next.clone()).await;
        next.before = found.last().copied();
        seen.extend(found);
        if seen.len() >= 40 {
            break;
        }
    }
    assert_eq!(seen, reversed);
    assert_eq!(page(next).await, []);
    let elsewhere = MessageFilter { before: Some(talk.message_in("another chat", 1).id), ..OLDEST_FIRST };
    assert!(store.messages(talk.agency, &[talk.account], chat, &elsewhere).await.unwrap_err().is_rejected());
}

async fn a_chat_is_found_by_a_platforms_id_that_names_only_one(bench: Bench) {
    let store = &bench.store;
    let account = bench.account().await;
    let sibling = store.add_account(account.agency, "Montreal").await.unwrap();
    let (one, other) = (Talk::of(&account), Talk::of(&sibling));
    let told: [Told; 3] = [one.message(1).into(), other.message(1).into(), other.message_in("d", 1).into()];
    one.keep(store, told).await;
    let find = async |name: &str| {
        store.chat(account.agency, &[account.id, sibling.id], name).await.unwrap().map(|chat| chat.account)
    };
    assert_eq!(find(&one.owner.chat("c").to_string()).await, Some(account.id));
    assert_eq!(find("d").await, Some(sibling.id));
    for name in ["c", "e", "", "\0", &"x".repeat(5_000)] {
        assert_eq!(find(name).await, None, "{name:?}");
    }
}

async fn reading_a_chat_reads_what_is_in_it(bench: Bench) {
    let (talk, store) = (Talk::of(&bench.account().await), &bench.store);
    let read = async || {
        let chat = talk.owner.chat("c");
        store.change_chat(talk.agency, &[talk.account], chat, &ChatChange::Read).await.unwrap().unwrap()
    };
    let future = Message { timestamp: "9999-01-01T00:00:00Z".parse().unwrap(), ..talk.message(3) };
    talk.keep(store, [talk.message(1), talk.message(5), talk.own(8)]).await;
    let changed = read().await;
    assert!(changed.differs && changed.chat.is_read && changed.chat == talk.chat(store).await);
    let again = read().await;
    assert_eq!((again.differs, again.chat), (false, changed.chat));
    // What was written after the newest that was here has not been read, whenever it was that somebody read.
    let told = talk.keep(store, [talk.message(2), talk.message(6)]).await;
    assert_eq!(
        (told[0].unread_count, talk.one(store, 2).await.seen.0, talk.one(store, 6).await.seen.0),
        (1, true, false)
    );
    assert!(!talk.one(store, 8).await.seen.0, "our own messages are read by the other side");
    talk.keep(store, [future]).await;
    assert_eq!(read().await.chat.unread_count, 0);
}

async fn people_change_a_chat(bench: Bench) {
    let store = &bench.store;
    let (account, other) = (bench.account().await, bench.account().await);
    let talk = Talk::of(&account);
    let user = async |agency, email: &str| {
        let user = NewUser { agency, email: email.into(), name: "Ada".into(), password_hash: "x".into() };
        store.add_user(user).await.unwrap()
    };
    let (ada, stranger, outsider) = (
        user(account.agency, "a@x.org").await,
        user(other.agency, "b@x.org").await,
        user(account.agency, "c@x.org").await,
    );
    store.set_membership(ada, account.id, Some(Role::Viewer)).await.unwrap();
    store.set_membership(stranger, other.id, Some(Role::Owner)).await.unwrap();
    talk.keep(store, [talk.message(1)]).await;
    let change = async |change| store.change_chat(talk.agency, &[talk.account], talk.owner.chat("c"), &change).await;
    let mode = |mode: &str| ChatChange::AssistMode(mode.to_owned());
    for (asked, differs) in [
        (ChatChange::Ignored(true), true),
        (ChatChange::Ignored(true), false),
        (mode("autopilot"), true),
        (mode("autopilot"), false),
        (ChatChange::Assigned(Some(ada)), true),
        (ChatChange::Assigned(Some(ada)), false),
    ] {
        let changed = change(asked.clone()).await.unwrap().unwrap();
        assert_eq!(changed.differs, differs, "{asked:?}");
        assert_eq!(talk.chat(store).await, changed.chat);
    }
    // New messages leave what people decided.
    let told = talk.keep(store, [talk.message(2)]).await;
    assert_eq!((told[0].is_ignored, &*told[0].assist_mode, told[0].assignee), (true, "autopilot", Some(ada)));
    for bad in [mode("pilot"), ChatChange::Assigned(Some(stranger)), ChatChange::Assigned(Some(outsider))] {
        assert!(change(bad).await.unwrap_err().is_rejected());
    }
    store.set_user_disabled(ada, true).await.unwrap();
    assert!(change(ChatChange::Assigned(Some(ada))).await.unwrap_err().is_rejected());
    assert_eq!(talk.chat(store).await.assignee, Some(ada));
    assert_eq!(change(ChatChange::Assigned(None)).await.unwrap().unwrap().chat.assignee, None);
    assert!(!change(ChatChange::Ignored(false)).await.unwrap().unwrap().chat.is_ignored);
}

async fn an_attendee_is_known_by_what_they_wrote(bench: Bench) {
    let (talk, store) = (Talk::of(&bench.account().await), &bench.store);
    let named = Message {
        chat_name: Some("Jane".into()),
        sender_name: Some("Jane Doe".into()),
        sender_attendee_id: Some("att".into()),
        ..talk.message(2)
    };
    talk.keep(store, [talk.message(1), named, talk.own(3)]).await;
    let find = async |id: &str| store.attendee(talk.agency, &[talk.account], talk.owner.chat("c"), id).await.unwrap();
    let jane = Attendee {
        id: Some("att".into()),
        account: talk.account,
        provider_id: "jane".into(),
        name: Some("Jane Doe".into()),
        is_self: false,
    };
    assert_eq!(find("jane").await, Some(jane.clone()));
    let us = Attendee { id: None, provider_id: "us".into(), name: None, is_self: true, ..jane };
    assert_eq!(find("us").await, Some(us));
    assert_eq!((find("nobody").await, find("\0").await), (None, None));
    talk.keep(store, [talk.message(9)]).await;
    assert_eq!(find("jane").await.unwrap().name.as_deref(), Some("Jane"), "the chat's, if the message has none");
}
