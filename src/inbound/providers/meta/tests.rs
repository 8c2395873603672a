//! The documented bodies, the traps, and garbage.

use std::collections::HashSet;

use super::{Meta, Provider, routing::LONGEST_UNREADABLE, translate::MOST_EVENTS};
use crate::domain::{
    AccountId, AgencyId, SourceId,
    directory::{Directory, Source},
    event::{EventKind, Fate, NewEvent, Scope, SourceKind},
};

const NUMBERS: &str = include_str!("samples/leadgen_numbers.json");
const ORGANIC: &str = include_str!("samples/leadgen_organic.json");
const TEST_LEADGEN: &str = include_str!("samples/test_leadgen.json");
const TEST_MESSAGES: &str = include_str!("samples/test_messages.json");
const MESSENGER: &str = include_str!("samples/messenger.json");
const INSTAGRAM: &str = include_str!("samples/instagram.json");
const OTHERS: &str = include_str!("samples/others.json");
const WHATSAPP: &str = include_str!("samples/whatsapp.json");
const SAMPLES: [&str; 8] = [NUMBERS, ORGANIC, TEST_LEADGEN, TEST_MESSAGES, MESSENGER, INSTAGRAM, OTHERS, WHATSAPP];

fn source(page: &str) -> Source {
    Source {
        id: SourceId::derive(&[page.as_bytes()]),
        agency: AgencyId::derive(&[b"agency"]),
        account: AccountId::derive(&[page.as_bytes()]),
        kind: SourceKind::Meta,
        external_id: page.to_owned(),
        name: page.to_owned(),
        token: "token".into(),
        app_secrets: Vec::new(),
        verify_token: None,
        enabled: true,
        api_url: None,
    }
}

fn directory(pages: &[&str]) -> Directory {
    let sources = pages.iter().map(|page| source(page)).map(|source| (source.id, source)).collect();
    Directory { sources, ..Directory::default() }.indexed()
}

fn split(body: impl AsRef<[u8]>) -> Vec<NewEvent> {
    Meta.split(body.as_ref(), &directory(&["987987987", "153125381133"]), Scope::Hub, None)
}

fn one(body: impl AsRef<[u8]>) -> NewEvent {
    let mut events = split(body);
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn kinds(events: &[NewEvent]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

fn work(page: &str) -> Fate {
    Fate::Work { account: source(page).account, source: source(page).id }
}

fn owned(page: &str) -> Fate {
    Fate::Record { owner: Some((source(page).account, source(page).id)) }
}

const NOBODYS: Fate = Fate::Record { owner: None };

#[test]
fn a_lead_goes_to_the_account_of_its_page() {
    let event = one(ORGANIC);
    assert_eq!((event.kind, event.source_kind), (EventKind::Lead, SourceKind::Meta));
    assert_eq!((event.external_id.as_str(), event.platform_id.as_str()), ("987987987", "321321321"));
    assert_eq!(event.fate, work("987987987"));
    assert_eq!(
        event.item,
        r#"{"form_id":"456456456","leadgen_id":"321321321","created_time":1630087926,"page_id":"123123123"}"#
    );
    let owner = source("987987987").account.to_string();
    assert_eq!(event.id, NewEvent::key(&owner, SourceKind::Meta, "321321321", EventKind::Lead));
}

#[test]
fn ids_may_be_numbers_and_each_change_is_an_event() {
    let events = split(NUMBERS);
    assert_eq!(kinds(&events), [EventKind::Lead, EventKind::Lead]);
    assert_eq!(events[0].platform_id, "123123123123");
    assert_eq!(events[1].platform_id, "123123123124");
    assert!(events.iter().all(|event| event.fate == work("153125381133")));
}

#[test]
fn the_page_of_the_value_is_taken_only_where_the_entry_names_none() {
    assert_eq!(one(ORGANIC.replace(r#""id":"987987987","#, "")).external_id, "123123123");
    let from_value = one(ORGANIC.replace(r#""id":"987987987","#, r#""id":null,"#).replace("123123123", "987987987"));
    assert_eq!(from_value.fate, work("987987987"));
}

#[test]
fn a_page_that_nobody_claimed_parks_its_leads_for_the_scope_they_came_in() {
    let body = ORGANIC.replace("987987987", "5");
    let event = one(&body);
    assert_eq!(event.fate, Fate::Unrouted { scope: Scope::Hub });
    assert_eq!(event.id, NewEvent::key("unrouted:hub:5", SourceKind::Meta, "321321321", EventKind::Lead));
    let stranger = Scope::Agency(AgencyId::derive(&[b"stranger"]));
    let events = Meta.split(ORGANIC.as_bytes(), &directory(&["987987987"]), stranger, None);
    assert_eq!(events[0].fate, Fate::Unrouted { scope: stranger });
    assert_ne!(events[0].id, one(ORGANIC).id);
}

#[test]
fn test_buttons_are_recorded_and_never_fetched() {
    let event = one(TEST_LEADGEN);
    assert_eq!((event.kind, &event.fate), (EventKind::Test, &NOBODYS));
    assert_eq!(event.external_id, "444444444444");
    assert_eq!(one(TEST_LEADGEN.replace(r#""id":"0""#, r#""id":0"#)).kind, EventKind::Test);
    assert_eq!(one(TEST_LEADGEN.replace(r#""id":"0""#, r#""id":"987987987""#)).kind, EventKind::Test);
    assert_eq!(one(TEST_LEADGEN.replace(r#""id":"0","#, "")).kind, EventKind::Test);
    let real = TEST_LEADGEN.replace(r#""id":"0""#, r#""id":"987987987""#);
    let real = real.replace(r#""leadgen_id":"444444444444""#, r#""leadgen_id":"321321321""#);
    assert_eq!(one(real).fate, work("987987987"), "the entry's page counts, not that of the value");
    let pressed_again = one(TEST_LEADGEN.replace(r#""time":1588890044,"#, r#""time":1588890099,"#));
    assert_ne!(event.id, pressed_again.id);

    let event = one(TEST_MESSAGES);
    assert_eq!((event.kind, event.external_id.as_str()), (EventKind::Test, "1067280970047460"));
    assert_eq!(one(TEST_MESSAGES.replace("1067280970047460", "987987987")).fate, owned("987987987"));
    let newer = INSTAGRAM.replace(r#""id":"17841400000000001","time""#, r#""id":"0","time""#);
    assert_eq!(kinds(&split(newer)), [EventKind::Test, EventKind::Test]);
}

#[test]
fn every_happening_of_a_message_is_work_with_an_id_of_its_own() {
    let events = split(MESSENGER);
    let (policy, others): (Vec<_>, Vec<_>) = events.iter().partition(|event| event.item.contains("policy_enforcement"));
    assert!(policy.len() == 1 && policy[0].kind == EventKind::Other && policy[0].fate == owned("987987987"));
    assert_eq!(others.len(), 10, "with that of a conversation that another app owns");
    assert!(others.iter().all(|event| event.kind == EventKind::Message && event.fate == work("987987987")));
    let ids: Vec<_> = events.iter().map(|event| event.platform_id.as_str()).collect();
    let expected = [
        "mid.1457764197618:41d102a3e1ae206a38",
        "m_2",
        "m_3",
        "delivery|987987987|5|1458668856253",
        "read|987987987|5|1458668856253",
        "reaction|m_3|5|react|1458668856463",
        "reaction|m_3|5|unreact|1458668856464",
        "edit|m_2|1",
        "postback|m_4",
    ];
    assert_eq!(ids[..9], expected);
    assert_eq!(events.iter().map(|event| event.id).collect::<HashSet<_>>().len(), 11);
}

#[test]
fn instagram_comes_as_messaging_and_as_changes() {
    let events = split(INSTAGRAM);
    assert_eq!(kinds(&events), [EventKind::Message; 2]);
    assert_eq!(events[0].platform_id, "deleted|ig_1");
    assert_eq!(events[1].platform_id, "ig_2");
    assert_eq!(events[1].fate, Fate::Unrouted { scope: Scope::Hub });
    assert_eq!(
        events[1].id,
        NewEvent::key("unrouted:hub:17841400000000001", SourceKind::Meta, "ig_2", EventKind::Message)
    );
    let claimed = Meta.split(INSTAGRAM.as_bytes(), &directory(&["17841400000000001"]), Scope::Hub, None);
    assert!(claimed.iter().all(|event| event.fate == work("17841400000000001")));
}

#[test]
fn what_says_nothing_of_a_message_is_a_record() {
    for kind in [
        r#""optin":{"ref":"r"}"#,
        r#""account_linking":{"status":"linked"}"#,
        r#""pass_thread_control":{"new_owner_app_id":"1"}"#,
        r#""referral":{"ref":"r","source":"SHORTLINK"}"#,
        r#""message":null"#,
        r#""message":"hi""#,
        r#""something_new":{"mid":"m"}"#,
    ] {
        let item = format!(r#"{{"sender":{{"id":"5"}},"recipient":{{"id":"987987987"}},"timestamp":1,{kind}}}"#);
        for list in ["messaging", "standby"] {
            let event = one(format!(r#"{{"object":"page","entry":[{{"id":"987987987","{list}":[{item}]}}]}}"#));
            assert_eq!((event.kind, event.fate, &event.item), (EventKind::Other, owned("987987987"), &item));
        }
    }
}

#[test]
fn other_fields_objects_and_names_without_values_are_recorded() {
    let events = split(OTHERS);
    assert_eq!(kinds(&events), [EventKind::Other; 3]);
    assert!(events[1].item.contains("changed_fields"));
    assert!(events[0].item.starts_with(r#"{"field":"feed""#));
    assert_eq!(one(WHATSAPP).kind, EventKind::Other);
    let user = one(ORGANIC.replace("page\"", "user\""));
    assert_eq!(user.kind, EventKind::Other, "a lead of an object that has none");
}

#[test]
fn a_body_without_items_leaves_one_record() {
    for body in [
        "{}",
        r#"{"object":"page"}"#,
        r#"{"object":"page","entry":[]}"#,
        r#"{"object":"page","entry":null}"#,
        r#"{"object":"page","entry":[{"id":"1","changes":[]}]}"#,
        r#"{"object":"page","entry":[{}]}"#,
    ] {
        let event = one(body);
        assert_eq!((event.kind, event.fate), (EventKind::Other, NOBODYS), "{body}");
    }
}

#[test]
fn what_is_no_json_object_leaves_one_unreadable_record() {
    for body in ["", "null", "[]", "\"page\"", "1", "{", "{\"entry\":{}}", "{\"entry\":1e999}", "{} x", "\u{feff}{}"] {
        let event = one(body);
        assert_eq!((event.kind, event.fate, event.item.as_str()), (EventKind::Unreadable, NOBODYS, body));
    }
    let event = one([0xff, 0x00, b'{']);
    assert_eq!(event.item, "\u{fffd}\u{fffd}{");
    assert_ne!(event.id, one([0xfe, 0x00, b'{']).id, "the id is that of the bytes");
    assert_eq!(one("ä".repeat(LONGEST_UNREADABLE)).item.len(), LONGEST_UNREADABLE);
}

#[test]
fn a_bad_item_neither_fails_nor_hides_the_others() {
    let good = r#"{"field":"leadgen","value":{"leadgen_id":"9","page_id":"1"}}"#;
    for bad in [
        "null",
        "7",
        "\"x\"",
        "[]",
        r#"["leadgen",{"leadgen_id":"8"}]"#,
        "{}",
        r#"{"field":7,"field":8}"#,
        r#"{"field":"leadgen"}"#,
        r#"{"field":"leadgen","value":null}"#,
        r#"{"field":"leadgen","value":[]}"#,
        r#"{"field":"leadgen","value":{}}"#,
        r#"{"field":"leadgen","value":{"leadgen_id":""}}"#,
        r#"{"field":"leadgen","value":{"leadgen_id":1.5}}"#,
        r#"{"field":"leadgen","value":{"leadgen_id":-1}}"#,
        r#"{"field":"leadgen","value":{"leadgen_id":"1","leadgen_id":"2"}}"#,
        r#"{"field":"leadgen","value":{"leadgen_id":"\ud800"}}"#,
    ] {
        let body = format!(r#"{{"object":"page","entry":[{{"id":"987987987","changes":[{bad},{good}]}}]}}"#);
        let events = split(&body);
        assert_eq!(kinds(&events), [EventKind::Unreadable, EventKind::Lead], "{bad}");
        assert_eq!((events[0].item.as_str(), &events[0].fate), (bad, &owned("987987987")));
    }
    for bad in ["null", "7", "[]", r#"{"id":1.5}"#, r#"{"id":""}"#, r#"{"id":{}}"#, r#"{"id":"1","id":"2"}"#] {
        let body = format!(r#"{{"entry":[{bad},{{"id":"987987987","changes":[{good}]}}]}}"#);
        let events = split(&body);
        assert_eq!(kinds(&events), [EventKind::Unreadable, EventKind::Lead], "{bad}");
    }
    let list_in_name_only = format!(r#"{{"entry":[{{"id":"987987987","messaging":"x","changes":[{good}]}}]}}"#);
    assert_eq!(kinds(&split(list_in_name_only)), [EventKind::Unreadable, EventKind::Lead]);
    assert_eq!(one(r#"{"entry":[{"id":"1","changes":{}}]}"#).kind, EventKind::Unreadable);
}

#[test]
fn bytes_that_are_no_text_spoil_only_their_own_item() {
    let [before, after] = [r#"{"entry":[{"id":"987987987","changes":["#, r"]}]}"];
    let mut body = before.as_bytes().to_vec();
    body.extend_from_slice(b"{\"field\":\"leadgen\",\"value\":{\"leadgen_id\":\"\xff\"}},");
    body.extend_from_slice(br#"{"field":"leadgen","value":{"leadgen_id":"9"}}"#);
    body.extend_from_slice(after.as_bytes());
    assert_eq!(kinds(&split(body)), [EventKind::Unreadable, EventKind::Lead]);
}

#[test]
fn a_thousand_changes_of_many_pages_all_come_out_each_to_its_own() {
    let pages: Vec<_> = (1..=10).map(|page| format!("10{page}")).collect();
    let entry = |page: &String| {
        let changes: Vec<_> = (0..100)
            .map(|n| format!(r#"{{"value":{{"leadgen_id":"{page}{n:03}","page_id":"{page}"}},"field":"leadgen"}}"#))
            .collect();
        format!(r#"{{"id":"{page}","time":1,"changes":[{}]}}"#, changes.join(","))
    };
    let body = format!(r#"{{"object":"page","entry":[{}]}}"#, pages.iter().map(entry).collect::<Vec<_>>().join(","));
    let known: Vec<_> = pages.iter().map(String::as_str).collect();
    let events = Meta.split(body.as_bytes(), &directory(&known), Scope::Hub, None);
    assert_eq!(events.len(), 1_000);
    assert!(events.iter().all(|event| event.fate == work(&event.external_id)));
    assert!(events.iter().all(|event| event.platform_id.starts_with(&event.external_id)));
    assert_eq!(events.iter().map(|event| event.id).collect::<HashSet<_>>().len(), 1_000);
    assert_eq!(events, Meta.split(body.as_bytes(), &directory(&known), Scope::Hub, None), "a redelivery is the same");
}

#[test]
fn the_same_lead_twice_in_a_post_has_one_id() {
    let twice = NUMBERS.replace("123123123124", "123123123123");
    let events = split(twice);
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].id, events[1].id);
}

#[test]
fn one_body_never_becomes_millions_of_events() {
    let changes = vec!["1"; 3 * MOST_EVENTS].join(",");
    let events = split(format!(r#"{{"entry":[{{"id":"1","changes":[{changes}],"messaging":[{changes}]}},{{}}]}}"#));
    assert_eq!(events.len(), MOST_EVENTS + 1);
    assert_eq!(events.last().map(|event| event.item.len()), Some(LONGEST_UNREADABLE), "the rest as one record");
    let entries = vec!["{}"; 3 * MOST_EVENTS].join(",");
    assert_eq!(split(format!(r#"{{"entry":[{entries}]}}"#)).len(), MOST_EVENTS + 1);
    let exactly = vec!["{}"; MOST_EVENTS].join(",");
    assert_eq!(split(format!(r#"{{"entry":[{exactly}]}}"#)).len(), MOST_EVENTS);
}

#[test]
fn no_depth_of_nesting_overflows_the_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        let lead = format!(r#"{{"leadgen_id":"9","x":{deep}}}"#);
        for body in [
            deep.clone(),
            format!(r#"{{"object":{deep},"entry":{deep}}}"#),
            format!(r#"{{"entry":[{deep},{{"id":{deep}}},{{"id":"1","changes":{deep},"messaging":[{deep}]}}]}}"#),
            format!(r#"{{"entry":[{{"id":"1","messaging":[{{"message":{deep}}},{{"sender":{{"id":{deep}}}}}]}}]}}"#),
        ] {
            assert!(!split(&body).is_empty());
        }
        let body = format!(r#"{{"entry":[{{"id":"987987987","changes":[{{"field":"leadgen","value":{lead}}}]}}]}}"#);
        assert_eq!((one(&body).kind, one(&body).item), (EventKind::Lead, lead));
    }
}

/// A small generator, so that the garbage is the same on every run.
struct Garbage(u64);

impl Garbage {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[test]
fn garbage_is_always_some_record_and_never_a_panic() {
    const SPLICES: [&[u8]; 12] =
        [b"\"", b"{", b"}", b"[", b"]", b",", b"null", b"\\u0000", b"\xff", b"-1e999", b"\"entry\":", b"\0"];
    let mut garbage = Garbage(7);
    let directory = directory(&["987987987", "153125381133"]);
    for round in 0..40_000 {
        let mut body = SAMPLES[round % SAMPLES.len()].as_bytes().to_vec();
        for _ in 0..=garbage.below(4) {
            let at = garbage.below(body.len());
            match garbage.below(4) {
                0 => body[at] = u8::try_from(garbage.below(256)).unwrap(),
                1 => drop(body.drain(at..(at + garbage.below(40)).min(body.len()))),
                2 => drop(body.splice(at..at, SPLICES[garbage.below(SPLICES.len())].iter().copied())),
                _ => drop(body.splice(at..=at, body[..garbage.below(body.len())].to_vec())),
            }
            if body.is_empty() {
                break;
            }
        }
        let events = Meta.split(&body, &directory, Scope::Hub, None);
        assert!(!events.is_empty(), "round {round}");
        for event in events {
            assert!(!event.platform_id.is_empty(), "round {round}");
            assert!(event.kind != EventKind::Lead || event.platform_id.bytes().all(|byte| byte.is_ascii_digit()));
            let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&event.item).is_ok();
            assert!(is_json || event.kind == EventKind::Unreadable, "round {round}: {}", event.item);
        }
    }
}
