//! Sends: kept once, marked before they go, settled once, and no two of them the same message.

use chrono::TimeDelta;
use leadwire::{
    domain::{
        AccountId, SendId, clock,
        message::Message,
        send::{NewSend, Outgoing, Reason, SendState},
    },
    store::{Admission, Store},
};

use super::{
    conversations::talk::Talk,
    harness::{Bench, on_both_engines},
};

on_both_engines! {
    a_client_id_is_kept_once_however_many_come_at_once,
    an_account_has_only_so_many_open,
    a_send_is_marked_once_and_settled_once,
    open_sends_stand_in_the_order_in_which_they_were_kept,
    an_echo_is_found_and_is_one_sends_only,
    what_waits_and_what_failed_is_listed,
    an_echo_that_comes_late_is_still_the_sends,
    what_was_settled_long_ago_is_forgotten,
}

/// A chat of an account, to be answered.
async fn chat(bench: &Bench) -> (Talk, NewSend) {
    let talk = Talk::of(&bench.account().await);
    talk.keep(&bench.store, [talk.message(1)]).await;
    let send = NewSend {
        agency: talk.agency,
        account: talk.account,
        chat: talk.owner.chat("c"),
        source: talk.owner.source,
        client_id: None,
        text: "Yes, we do.".to_owned(),
        by: None,
    };
    (talk, send)
}

fn named(send: &NewSend, client_id: &str) -> NewSend {
    NewSend { client_id: Some(client_id.to_owned()), ..send.clone() }
}

async fn kept(store: &Store, send: &NewSend) -> Outgoing {
    match store.add_send(send, 100).await.unwrap() {
        Admission::New(send) => send,
        other => panic!("{other:?}"),
    }
}

/// Marked as being sent.
async fn claimed(store: &Store, send: &NewSend) -> Outgoing {
    let id = kept(store, send).await.id;
    store.claim_send(send.account, id).await.unwrap().unwrap()
}

async fn a_client_id_is_kept_once_however_many_come_at_once(bench: Bench) {
    let store = &bench.store;
    let (_, send) = chat(&bench).await;
    let send = named(&send, "c-1");
    let all = futures_util::future::join_all((0..10).map(|_| store.add_send(&send, 100))).await;
    let mut ids: Vec<(bool, SendId)> = all
        .into_iter()
        .map(|admission| match admission.unwrap() {
            Admission::New(send) => (true, send.id),
            Admission::Known(send) => (false, send.id),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids.iter().filter(|(new, _)| *new).count(), 1);
    ids.dedup_by_key(|(_, id)| *id);
    assert_eq!(ids.len(), 1);
    let other = NewSend { text: "No.".to_owned(), ..send.clone() };
    assert_eq!(store.add_send(&other, 100).await.unwrap(), Admission::Different);
    // The same name in another account is another send.
    let (_, elsewhere) = chat(&bench).await;
    kept(store, &named(&elsewhere, "c-1")).await;
    for bad in ["", " ", &"x".repeat(101), "a\0"] {
        assert!(store.add_send(&named(&send, bad), 100).await.unwrap_err().is_rejected(), "{bad:?}");
    }
    assert!(store.add_send(&NewSend { account: AccountId::generate(), ..send }, 100).await.is_err());
}

async fn an_account_has_only_so_many_open(bench: Bench) {
    let store = &bench.store;
    let (_, send) = chat(&bench).await;
    let first = claimed(store, &send).await;
    kept(store, &send).await;
    assert_eq!(store.add_send(&send, 2).await.unwrap(), Admission::Full);
    store.settle_send(&Outgoing { state: SendState::Sent, ..first }).await.unwrap();
    assert!(matches!(store.add_send(&send, 2).await.unwrap(), Admission::New(_)));
}

async fn a_send_is_marked_once_and_settled_once(bench: Bench) {
    let store = &bench.store;
    let (_, send) = chat(&bench).await;
    let id = kept(store, &send).await.id;
    let claims = futures_util::future::join_all((0..4).map(|_| store.claim_send(send.account, id))).await;
    let claims: Vec<_> = claims.into_iter().filter_map(|claim| claim.unwrap()).collect();
    let [claim] = &claims[..] else { panic!("{claims:?}") };
    assert_eq!((claim.state, claim.attempts), (SendState::Sending, 1));
    assert!(claim.tried_at.is_some());

    let reason = Some(Reason::new("unavailable", "The platform is away."));
    let later = clock::now() + TimeDelta::hours(1);
    let put_off = Outgoing { state: SendState::Pending, reason, next_try: later, ..claim.clone() };
    store.settle_send(&put_off).await.unwrap();
    assert_eq!(store.send(&[send.account], id).await.unwrap(), Some(put_off.clone()));
    assert!(store.sources_to_send().await.unwrap().is_empty(), "its time has not come");
    assert_eq!(store.open_sends(send.source).await.unwrap()[0].next_try, later);

    let again = store.claim_send(send.account, id).await.unwrap().unwrap();
    assert_eq!(again.attempts, 2);
    store.settle_send(&Outgoing { state: SendState::Sent, reason: None, ..again.clone() }).await.unwrap();
    store.settle_send(&Outgoing { state: SendState::Failed, ..again }).await.unwrap();
    let settled = store.send(&[send.account], id).await.unwrap().unwrap();
    assert_eq!((settled.state, settled.reason), (SendState::Sent, None), "the first word counts");
    assert_eq!(store.send(&[AccountId::generate()], id).await.unwrap(), None);
    assert!(store.open_sends(send.source).await.unwrap().is_empty());
}

async fn open_sends_stand_in_the_order_in_which_they_were_kept(bench: Bench) {
    let store = &bench.store;
    let (_, send) = chat(&bench).await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(kept(store, &send).await.id);
    }
    let open: Vec<_> = store.open_sends(send.source).await.unwrap().into_iter().map(|open| open.id).collect();
    assert_eq!(open, ids);
    assert_eq!(store.sources_to_send().await.unwrap(), [send.source]);
}

async fn an_echo_is_found_and_is_one_sends_only(bench: Bench) {
    let store = &bench.store;
    let (talk, send) = chat(&bench).await;
    let now = clock::now();
    let echo = |number: i64, text: &str| {
        let (timestamp, created_at) = (now + TimeDelta::seconds(number), now + TimeDelta::seconds(5));
        Message { text: Some(text.to_owned()), timestamp, created_at, ..talk.own(number) }
    };
    // Another text, too old, the other side's.
    talk.keep(
        store,
        [
            echo(2, "Yes!"),
            echo(-120, &send.text),
            Message { is_sender: talk.message(3).is_sender, ..echo(3, &send.text) },
        ],
    )
    .await;
    let first = claimed(store, &send).await;
    assert_eq!(store.echo_of(&first).await.unwrap(), None);
    talk.keep(store, [echo(4, &send.text), echo(6, &send.text)]).await;
    let (message, platform_id) = store.echo_of(&first).await.unwrap().unwrap();
    assert_eq!((message, platform_id.as_str()), (talk.owner.message("c-m4"), "c-m4"));
    store.settle_send(&Outgoing { state: SendState::Sent, message: Some(message), ..first }).await.unwrap();

    let second = claimed(store, &send).await;
    assert_eq!(store.echo_of(&second).await.unwrap().unwrap().1, "c-m6");
    let conflict = Outgoing { state: SendState::Sent, message: Some(message), ..second };
    assert!(matches!(store.settle_send(&conflict).await, Err(leadwire::store::StoreError::Conflict(_))));
}

async fn what_waits_and_what_failed_is_listed(bench: Bench) {
    let store = &bench.store;
    let (talk, send) = chat(&bench).await;
    let fail = async |at| {
        let send = claimed(store, &send).await;
        let reason = Some(Reason::new("refused", "The platform refuses it."));
        store
            .settle_send(&Outgoing { state: SendState::Failed, reason, updated_at: at, ..send.clone() })
            .await
            .unwrap();
        send.id
    };
    let now = clock::now();
    fail(now - TimeDelta::days(3)).await;
    let recent = fail(now).await;
    let gone = claimed(store, &send).await;
    store.settle_send(&Outgoing { state: SendState::Sent, ..gone }).await.unwrap();
    let waiting = kept(store, &send).await.id;
    let list = async |account| {
        let since = now - TimeDelta::days(2);
        let listed = store.sends_of_chat(talk.agency, account, send.chat, since).await.unwrap();
        listed.into_iter().map(|send| send.id).collect::<Vec<_>>()
    };
    assert_eq!(list(talk.account).await, [recent, waiting]);
    assert!(list(AccountId::generate()).await.is_empty());
}

async fn an_echo_that_comes_late_is_still_the_sends(bench: Bench) {
    let store = &bench.store;
    let (talk, send) = chat(&bench).await;
    let fail = async |code, age| {
        let send = claimed(store, &send).await;
        let (reason, updated_at) = (Some(Reason::new(code, "Nobody knows.")), clock::now() - age);
        store.settle_send(&Outgoing { state: SendState::Failed, reason, updated_at, ..send.clone() }).await.unwrap();
        send.id
    };
    let [_, unknown, _] = [
        fail("refused", TimeDelta::zero()).await,
        fail("unconfirmed", TimeDelta::zero()).await,
        fail("unconfirmed", TimeDelta::days(3)).await,
    ];
    assert_eq!(store.confirm_sends().await.unwrap(), []);
    let now = clock::now();
    talk.keep(
        store,
        [4, 5].map(|number| Message {
            text: Some(send.text.clone()),
            timestamp: now,
            created_at: now,
            ..talk.own(number)
        }),
    )
    .await;
    let confirmed = store.confirm_sends().await.unwrap();
    let [told] = &confirmed[..] else { panic!("{confirmed:?}") };
    assert_eq!((told.id, told.state, &told.reason), (unknown, SendState::Sent, &None));
    assert_eq!(told.message, Some(talk.owner.message("c-m4")));
    assert_eq!(store.send(&[send.account], unknown).await.unwrap().as_ref(), Some(told));
    assert_eq!(store.confirm_sends().await.unwrap(), [], "a second time there is nothing to tell");
}

async fn what_was_settled_long_ago_is_forgotten(bench: Bench) {
    let store = &bench.store;
    let (_, send) = chat(&bench).await;
    let settled = |send: Outgoing, updated_at| Outgoing { state: SendState::Sent, updated_at, ..send };
    let now = clock::now();
    let old = claimed(store, &send).await;
    store.settle_send(&settled(old.clone(), now - TimeDelta::days(2))).await.unwrap();
    let recent = claimed(store, &send).await;
    store.settle_send(&settled(recent.clone(), now)).await.unwrap();
    let waiting = kept(store, &send).await;
    assert_eq!(store.prune_sends(now - TimeDelta::days(1)).await.unwrap(), 1);
    assert_eq!(store.prune_sends(now - TimeDelta::days(1)).await.unwrap(), 0);
    let known = async |id| store.send(&[send.account], id).await.unwrap().is_some();
    assert_eq!([known(old.id).await, known(recent.id).await, known(waiting.id).await], [false, true, true]);
}
