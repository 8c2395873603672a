//! Whichever way the same happenings come, the same rows are left.

use std::time::Duration;

use leadwire::{
    domain::{
        AccountId, ChatId, MessageId,
        message::{ChangeKind, Chat, Flag, Happening, Message, MessageChange, Reaction},
    },
    store::Store,
};
use proptest::{collection::vec, prelude::*, sample::Index};
use tempfile::TempDir;

use super::{
    super::harness::open,
    talk::{Talk, Told, at},
};

/// What may happen in one chat; made for an account by [`Step::told`].
#[derive(Debug, Clone)]
enum Step {
    Message { number: i64, own: bool, edited: bool, named: bool },
    Edited { number: i64, when: i64, text: u8 },
    Deleted { number: i64, when: i64 },
    Reaction { number: i64, when: i64, value: u8, sender: u8 },
    Read { number: i64 },
    Delivered { number: i64 },
    UpTo { delivered: bool, own: bool, when: i64, chat: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let (number, when) = (0..6_i64, 0..9_i64);
    // What is said of a message must be the same each time it is said.
    let message = number.clone().prop_map(|number| Step::Message {
        number,
        own: number % 3 == 1,
        edited: number == 4,
        named: number % 2 == 0,
    });
    prop_oneof![
        4 => message,
        2 => (number.clone(), when.clone(), 0..3_u8).prop_map(|(number, when, text)| Step::Edited { number, when, text }),
        1 => (number.clone(), when.clone()).prop_map(|(number, when)| Step::Deleted { number, when }),
        2 => (number.clone(), when.clone(), 0..3_u8, 0..2_u8)
            .prop_map(|(number, when, value, sender)| Step::Reaction { number, when, value, sender }),
        1 => number.clone().prop_map(|number| Step::Read { number }),
        1 => number.prop_map(|number| Step::Delivered { number }),
        1 => (any::<bool>(), any::<bool>(), when, any::<bool>())
            .prop_map(|(delivered, own, when, chat)| Step::UpTo { delivered, own, when, chat }),
    ]
}

impl Step {
    fn told(&self, talk: &Talk) -> Happening {
        let told: Told = match *self {
            Self::Message { number, own, edited, named } => {
                let base = if own { talk.own(number) } else { talk.message(number) };
                let chat_name = named.then(|| format!("Name {number}"));
                Message { chat_name, edited: Flag(edited), ..base }.into()
            }
            Self::Edited { number, when, text } => talk.edit(number, when, &format!("edit {text}")).into(),
            Self::Deleted { number, when } => talk.change(ChangeKind::Deleted, number, when).into(),
            Self::Reaction { number, when, value, sender } => {
                let value = ["", "👍", "❤️"][usize::from(value)].to_owned();
                let reaction = Reaction { value, sender_id: format!("s{sender}"), is_sender: Flag(sender == 0) };
                MessageChange { reaction: Some(reaction), ..talk.reaction(number, when, "") }.into()
            }
            Self::Read { number } => talk.change(ChangeKind::Read, number, 9).into(),
            Self::Delivered { number } => talk.change(ChangeKind::Delivered, number, 9).into(),
            Self::UpTo { delivered, own, when, chat } => {
                let kind = if delivered { ChangeKind::Delivered } else { ChangeKind::Read };
                let receipt = talk.receipt(kind, own, when);
                // Either names the chat, or a message that knows it.
                if chat { receipt } else { MessageChange { chat: None, id: talk.edit(0, 0, "").id, ..receipt } }.into()
            }
        };
        told.0
    }
}

/// What is left, without what differs between two accounts.
async fn left(talk: &Talk, store: &Store) -> (Vec<Message>, Option<Chat>) {
    let (account, chat) = (AccountId::derive(&[]), ChatId::derive(&[]));
    let messages = talk.messages(store).await.into_iter();
    let messages = messages.map(|message| Message { id: MessageId::derive(&[]), account, chat, ..message }).collect();
    let shown = store.chat(talk.agency, &[talk.account], "c").await.unwrap();
    (messages, shown.map(|shown| Chat { id: chat, account, updated_at: at(0), ..shown }))
}

async fn run(store: &Store, steps: &[Step], order: &[Index], cuts: usize) {
    let agency = store.add_agency("North").await.unwrap().id;
    let first = Talk::of(&store.add_account(agency, "One").await.unwrap());
    let second = Talk::of(&store.add_account(agency, "Two").await.unwrap());
    let told: Vec<Happening> = steps.iter().map(|step| step.told(&first)).collect();
    store.apply_happenings(&told).await.unwrap();

    // Each at least once, in any order, some of them several times, in batches.
    let mut rest: Vec<usize> = (0..steps.len()).collect();
    let mut shuffled = Vec::new();
    for index in order.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        shuffled.push(&steps[rest.swap_remove(index.index(rest.len()))]);
        shuffled.push(&steps[index.index(steps.len())]);
    }
    for batch in shuffled.chunks(cuts) {
        let told: Vec<Happening> = batch.iter().map(|step| step.told(&second)).collect();
        store.apply_happenings(&told).await.unwrap();
    }
    assert_eq!(left(&first, store).await, left(&second, store).await);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_any_repetition_leave_the_same_rows(
        steps in vec(step(), 1..30), order in vec(any::<Index>(), 8..40), cuts in 1..12_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = TempDir::new().unwrap();
            let url = format!("sqlite://{}", dir.path().join("store.sqlite3").display());
            let store = open(&url, Duration::from_secs(10)).await;
            store.migrate().await.unwrap();
            run(&store, &steps, &order, cuts).await;
        });
    }
}
