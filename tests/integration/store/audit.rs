//! The record of who did what.

use std::time::Duration;

use leadwire::{
    domain::{
        AgencyId, Role, UserId,
        audit::{Action, Actor, Author, Entry, Event},
        event::SourceKind,
    },
    store::{AuditFilter, AuditScope, NewSource, NewUser, Store, StoreError},
};

use super::harness::{Bench, on_both_engines};

on_both_engines! {
    every_change_of_who_may_do_what_is_recorded_with_who_did_it,
    a_change_that_is_refused_leaves_no_record,
    a_record_is_never_changed_replaced_or_deleted_before_its_time,
    a_record_goes_when_its_time_is_over,
    pages_show_only_the_records_of_their_scope_the_newest_first,
    a_record_of_a_newer_hub_hides_no_others,
}

fn everything() -> AuditFilter {
    AuditFilter {
        scope: AuditScope::Everything,
        since: None,
        until: None,
        action: None,
        actor: None,
        limit: 100,
        cursor: None,
    }
}

async fn recorded(store: &Store, scope: AuditScope) -> Vec<Entry> {
    store.audit(&AuditFilter { scope, ..everything() }).await.unwrap().entries
}

async fn person(store: &Store, agency: AgencyId, email: &str) -> UserId {
    let new = NewUser { agency, email: email.into(), name: "Ada".into(), password_hash: "$argon2id$hash".into() };
    store.add_user(new).await.unwrap()
}

/// What the test below does, in its order.
const TOLD: [&str; 18] = [
    "agency.added",
    "account.added",
    "user.added",
    "member.added",
    "member.changed",
    "member.removed",
    "user.changed",
    "user.signed_out",
    "user.disabled",
    "user.enabled",
    "key.added",
    "key.removed",
    "source.added",
    "source.changed",
    "source.changed",
    "source.removed",
    "account.changed",
    "agency.removed",
];

async fn every_change_of_who_may_do_what_is_recorded_with_who_did_it(bench: Bench) {
    let store = bench.store.by(Author::operator("grace"));
    let agency = store.add_agency("Harbour").await.unwrap().id;
    let account = store.add_account(agency, "Toronto").await.unwrap().id;
    let ada = person(&store, agency, "ada@example.com").await;
    for role in [Some(Role::Agent), Some(Role::Agent), Some(Role::Owner), None, None] {
        store.set_membership(ada, account, role).await.unwrap();
    }
    store.set_password(ada, &"$argon2id$other".into()).await.unwrap();
    store.bump_token_epoch(ada).await.unwrap();
    store.set_user_disabled(ada, true).await.unwrap();
    store.set_user_disabled(ada, false).await.unwrap();
    let key = store.add_api_key(agency, Some(account), Role::Viewer, "CRM", [3; 32], None).await.unwrap();
    store.remove_api_key(key).await.unwrap();
    let page = NewSource {
        account,
        kind: SourceKind::Meta,
        external_id: "1001".into(),
        name: "Page".into(),
        token: "EAAB-very-secret".into(),
        app_secrets: Vec::new(),
        verify_token: None,
        api_url: None,
    };
    let source = store.add_source(page).await.unwrap();
    store.set_source_token(source, &"EAAB-new-secret".into()).await.unwrap();
    store.set_source_enabled(source, false).await.unwrap();
    store.remove_source(source).await.unwrap();
    store.set_account_enrichment(account, Some(true), None).await.unwrap();
    store.set_account_enrichment(account, None, None).await.unwrap();
    store.remove_agency(agency).await.unwrap();

    let mut entries = recorded(&store, AuditScope::Agency(agency)).await;
    entries.reverse();
    let told: Vec<_> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(told, TOLD);
    let text = serde_json::to_string(&entries).unwrap();
    for private in ["secret", "argon2", "ada@example.com", "Ada"] {
        assert!(!text.contains(private), "{private} is in {text}");
    }
    let changed = &entries[4];
    assert_eq!((changed.account, changed.target.clone()), (Some(account), Some(ada.to_string())));
    assert_eq!(changed.details, serde_json::json!({"role": "owner", "was": "agent"}));
    assert!(entries.iter().all(|entry| entry.actor == Actor::Operator("grace".into())));
    assert!(entries.iter().all(|entry| entry.address.is_some_and(|address| address.to_string() == "cli")));
}

async fn a_change_that_is_refused_leaves_no_record(bench: Bench) {
    let store = &bench.store;
    let account = bench.account().await;
    person(store, account.agency, "ada@example.com").await;
    let before = recorded(store, AuditScope::Everything).await;
    let again = NewUser {
        agency: account.agency,
        email: "ada@example.com".into(),
        name: "Eve".into(),
        password_hash: "$argon2id$hash".into(),
    };
    assert!(matches!(store.add_user(again).await, Err(StoreError::Conflict(_))));
    let nobody = UserId::generate();
    assert!(matches!(store.set_user_disabled(nobody, true).await, Err(StoreError::NotFound(_))));
    assert!(matches!(store.bump_token_epoch(nobody).await, Err(StoreError::NotFound(_))));
    assert_eq!(recorded(store, AuditScope::Everything).await, before);
}

async fn a_record_is_never_changed_replaced_or_deleted_before_its_time(bench: Bench) {
    let agency = bench.account().await.agency;
    let before = recorded(&bench.store, AuditScope::Agency(agency)).await;
    let mut statements = vec!["UPDATE audit SET actor = 'hub'", "UPDATE audit SET at = at", "DELETE FROM audit"];
    let replace =
        "INSERT OR REPLACE INTO audit SELECT id, at, agency_id, account_id, 'unknown', action, target, address,
                   details, 0 FROM audit";
    statements.push(if bench.is_sqlite() { replace } else { "TRUNCATE audit" });
    for statement in statements {
        // As another program would: whoever can write the database can't rewrite what was done.
        let refused = bench.refusal_of(statement).await;
        assert!(refused.contains("append-only"), "{statement}: {refused}");
    }
    assert_eq!(recorded(&bench.store, AuditScope::Agency(agency)).await, before);
}

async fn a_record_goes_when_its_time_is_over(bench: Bench) {
    let (store, agency) = (&bench.store, AgencyId::generate());
    let lasting = Event::new(Action::ExportDownloaded, agency);
    store.record(lasting.clone()).await.unwrap();
    let brief = store.keeping_audit_for(Duration::ZERO);
    brief.record(Event::new(Action::Logout, agency)).await.unwrap();
    assert_eq!(store.prune_audit().await.unwrap(), 0, "clocks may differ by minutes");
    let mut row = "INSERT INTO audit (id, at, agency_id, actor, action, details, kept_until) VALUES ('aud_00000000000000000000000001', ".to_owned();
    row += if bench.is_sqlite() {
        "1, 'a', 'hub', 'logout', '{}', 1)"
    } else {
        "'2020-01-01', 'a', 'hub', 'logout', '{}', '2020-01-01')"
    };
    bench.execute(&row).await;
    assert_eq!(store.prune_audit().await.unwrap(), 1);
    let kept = recorded(store, AuditScope::Agency(agency)).await;
    assert_eq!(kept.iter().map(|entry| entry.action).collect::<Vec<_>>(), [Action::Logout, Action::ExportDownloaded]);
}

async fn pages_show_only_the_records_of_their_scope_the_newest_first(bench: Bench) {
    let store = &bench.store;
    let (north, south) = (AgencyId::generate(), AgencyId::generate());
    let account = bench.account().await;
    let user = UserId::generate();
    let ada = store.by(Author::client(Actor::User(user), Some([192, 0, 2, 7].into())));
    for _ in 0..5 {
        ada.record(Event::new(Action::LoginSucceeded, north).on(user)).await.unwrap();
        store.record(Event::nobodys(Action::LoginFailed).with("count", 3)).await.unwrap();
        store.record(Event::new(Action::ExportDownloaded, south)).await.unwrap();
    }
    store.record(Event::new(Action::EndpointTested, account.agency).within(account.id)).await.unwrap();

    let mut filter = AuditFilter { scope: AuditScope::Agency(north), limit: 2, ..everything() };
    let mut seen = Vec::new();
    loop {
        let page = store.audit(&filter).await.unwrap();
        assert!(page.entries.len() <= 2);
        seen.extend(page.entries);
        let Some(next) = page.next else { break };
        filter.cursor = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(seen.len(), 5, "each once");
    assert!(seen.iter().all(|entry| entry.agency == Some(north) && entry.actor == Actor::User(user)));
    assert!(seen.iter().all(|entry| entry.address.unwrap().to_string() == "192.0.2.7"));
    assert!(seen.is_sorted_by_key(|entry| std::cmp::Reverse(entry.at)));

    let of = |agency, accounts: &[_]| AuditScope::Accounts(agency, accounts.to_vec());
    let theirs = recorded(store, of(account.agency, &[account.id])).await;
    let actions: Vec<_> = theirs.iter().map(|entry| entry.action).collect();
    assert_eq!(actions, [Action::EndpointTested, Action::AccountAdded], "not what is about the whole agency");
    assert!(recorded(store, of(north, &[account.id])).await.is_empty());
    assert!(recorded(store, of(account.agency, &[])).await.is_empty());

    let failed = AuditFilter { action: Some(Action::LoginFailed), ..everything() };
    assert_eq!(store.audit(&failed).await.unwrap().entries.len(), 5);
    let hers = AuditFilter { actor: Some(Actor::User(user)), ..everything() };
    assert_eq!(store.audit(&hers).await.unwrap().entries.len(), 5);
    let (oldest, newest) = (seen[4].at, seen[0].at);
    let between =
        AuditFilter { since: Some(oldest), until: Some(newest), scope: AuditScope::Agency(north), ..everything() };
    let between = store.audit(&between).await.unwrap().entries;
    assert!(between.iter().all(|entry| (oldest..newest).contains(&entry.at)) && !between.is_empty());
}

async fn a_record_of_a_newer_hub_hides_no_others(bench: Bench) {
    let agency = bench.account().await.agency;
    let row = format!(
        "INSERT INTO audit (id, at, agency_id, actor, action, details, kept_until)
         SELECT 'aud_00000000000000000000000001', at, agency_id, actor, 'moon.landed', details, kept_until
           FROM audit WHERE agency_id = '{agency}' AND action = 'agency.added'"
    );
    bench.execute(&row).await;
    assert_eq!(recorded(&bench.store, AuditScope::Agency(agency)).await.len(), 2);
}
