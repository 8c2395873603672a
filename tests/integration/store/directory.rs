//! Agencies, users and sources: what is written is what is loaded.

use leadwire::{
    domain::{
        AccountId, AgencyId, ApiKeyId, IssuerId, Role, SourceId, UserId,
        audit::{Action, Event},
        clock,
        directory::{Account, Directory, IssuerKey},
        event::SourceKind,
    },
    store::{NewIssuer, NewSource, NewUser, Result, Store, StoreError},
};
use secrecy::{ExposeSecret, SecretString};

use super::harness::{Bench, KEY, on_both_engines};

on_both_engines! {
    what_is_written_is_loaded,
    what_is_changed_is_loaded,
    every_change_bumps_the_version_and_a_refused_one_does_not,
    what_exists_is_refused_a_second_time,
    what_does_not_exist_is_named,
    one_issuer_may_serve_two_agencies_under_an_audience_each,
    nothing_crosses_agencies,
    a_secret_that_does_not_open_disables_its_own_row_alone,
    another_master_key_opens_nothing,
    a_revoked_token_is_forgotten_once_it_has_run_out,
}

fn user(agency: AgencyId, email: &str) -> NewUser {
    NewUser { agency, email: email.into(), name: "Ada".into(), password_hash: "$argon2id$v=19$hash".into() }
}

fn page(account: AccountId, external_id: &str) -> NewSource {
    NewSource {
        account,
        kind: SourceKind::Meta,
        external_id: external_id.into(),
        name: "Our page".into(),
        token: "EAAB-token".into(),
        app_secrets: vec!["new".into(), "old".into()],
        verify_token: Some("verify".into()),
        api_url: None,
    }
}

fn secret(text: &str) -> IssuerKey {
    IssuerKey::Secret(text.into())
}

fn issuer(agency: AgencyId, iss: &str, audience: Option<&str>, key: IssuerKey) -> NewIssuer {
    NewIssuer { agency, iss: iss.into(), audience: audience.map(str::to_owned), trust_email: false, key }
}

fn gone() -> Event {
    Event::new(Action::Logout, AgencyId::generate())
}

async fn loaded(store: &Store) -> Directory {
    store.load_directory().await.unwrap()
}

async fn what_is_written_is_loaded(bench: Bench) {
    let store = &bench.store;
    let account = bench.account().await;
    let ada = store.add_user(user(account.agency, " Ada@Example.COM ")).await.unwrap();
    store.set_membership(ada, account.id, Some(Role::Manager)).await.unwrap();
    let source = store.add_source(page(account.id, "1001")).await.unwrap();
    let key = store.add_api_key(account.agency, Some(account.id), Role::Agent, "CRM", [3; 32], None).await.unwrap();
    let jwks = IssuerKey::Jwks("https://login.example/keys".parse().unwrap());
    store
        .add_issuer(NewIssuer {
            trust_email: true,
            ..issuer(account.agency, "https://login.example", Some("leadwire"), jwks)
        })
        .await
        .unwrap();
    let shared = store.add_issuer(issuer(account.agency, "crm", None, secret("hs256"))).await.unwrap();

    let directory = loaded(store).await;
    assert_eq!(directory.version, store.directory_version().await.unwrap());
    assert_eq!(directory.agencies[&account.agency].name, "Harbour Insurance");
    assert_eq!(directory.accounts[&account.id].agency, account.agency);
    assert_eq!(directory.users_by_email["ada@example.com"], ada);
    let person = &directory.users[&ada];
    assert_eq!((person.disabled, person.token_epoch, &*person.name), (false, 0, "Ada"));
    assert_eq!(person.password_hash.expose_secret(), "$argon2id$v=19$hash");
    assert_eq!(person.memberships[&account.id], Role::Manager);

    let found = &directory.sources[&directory.sources_by_object[&(SourceKind::Meta, "1001".into())]];
    assert_eq!((found.id, found.agency, found.account, found.enabled), (source, account.agency, account.id, true));
    assert_eq!(found.token.expose_secret(), "EAAB-token");
    assert_eq!(found.app_secrets.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>(), ["new", "old"]);
    assert_eq!(found.verify_token.as_ref().map(ExposeSecret::expose_secret), Some("verify"));

    let found = &directory.api_keys[&[3; 32]];
    assert_eq!((found.id, found.account, found.role, &*found.name), (key, Some(account.id), Role::Agent, "CRM"));
    let found = &directory.issuers[&directory.issuers_by_name["https://login.example"][0]];
    assert_eq!((found.audience.as_deref(), found.trust_email), (Some("leadwire"), true));
    assert!(matches!(&found.key, IssuerKey::Jwks(url) if url.as_str() == "https://login.example/keys"));
    let found = &directory.issuers[&shared];
    assert!(found.is_safe() && !found.trust_email);
    assert!(matches!(&found.key, IssuerKey::Secret(secret) if secret.expose_secret() == "hs256"));
}

async fn what_is_changed_is_loaded(bench: Bench) {
    let store = &bench.store;
    let account = bench.account().await;
    let ada = store.add_user(user(account.agency, "ada@example.com")).await.unwrap();
    let source = store.add_source(page(account.id, "1001")).await.unwrap();
    let gone = store.add_source(page(account.id, "1002")).await.unwrap();
    let key = store.add_api_key(account.agency, None, Role::Owner, "all", [4; 32], None).await.unwrap();
    let crm = store.add_issuer(issuer(account.agency, "crm", None, secret("hs256"))).await.unwrap();
    assert_eq!(loaded(store).await.api_keys[&[4; 32]].account, None);

    store.set_membership(ada, account.id, Some(Role::Viewer)).await.unwrap();
    store.set_membership(ada, account.id, Some(Role::Owner)).await.unwrap();
    assert_eq!(loaded(store).await.users[&ada].memberships[&account.id], Role::Owner);
    store.set_membership(ada, account.id, None).await.unwrap();
    store.set_user_disabled(ada, true).await.unwrap();
    store.set_password(ada, &SecretString::from("$argon2id$other")).await.unwrap();
    store.bump_token_epoch(ada).await.unwrap();
    store.set_source_token(source, &SecretString::from("fresh")).await.unwrap();
    store.set_source_enabled(source, false).await.unwrap();
    store.remove_source(gone).await.unwrap();
    store.remove_api_key(key).await.unwrap();
    store.remove_issuer(crm).await.unwrap();

    let directory = loaded(store).await;
    let person = &directory.users[&ada];
    assert!(person.disabled && person.memberships.is_empty());
    assert_eq!((person.password_hash.expose_secret(), person.token_epoch), ("$argon2id$other", 2));
    let found = &directory.sources[&source];
    assert_eq!((found.token.expose_secret(), found.enabled), ("fresh", false));
    assert!(directory.sources.len() == 1 && directory.api_keys.is_empty() && directory.issuers.is_empty());
}

async fn every_change_bumps_the_version_and_a_refused_one_does_not(bench: Bench) {
    let store = &bench.store;
    let mut version = store.directory_version().await.unwrap();
    let mut grown = async |by: i64, what: &str| {
        let now = store.directory_version().await.unwrap();
        assert_eq!(now, version + by, "{what}");
        version = now;
    };
    let agency = store.add_agency("A").await.unwrap().id;
    grown(1, "add_agency").await;
    let account = store.add_account(agency, "a").await.unwrap().id;
    grown(1, "add_account").await;
    let ada = store.add_user(user(agency, "ada@example.com")).await.unwrap();
    grown(1, "add_user").await;
    store.set_membership(ada, account, Some(Role::Agent)).await.unwrap();
    grown(1, "set_membership").await;
    store.set_user_disabled(ada, true).await.unwrap();
    grown(1, "set_user_disabled").await;
    store.set_password(ada, &"x".into()).await.unwrap();
    grown(1, "set_password").await;
    store.bump_token_epoch(ada).await.unwrap();
    grown(1, "bump_token_epoch").await;
    let source = store.add_source(page(account, "1")).await.unwrap();
    grown(1, "add_source").await;
    store.set_source_token(source, &"x".into()).await.unwrap();
    grown(1, "set_source_token").await;
    store.set_source_app_secrets(source, &["new".into(), "old".into()]).await.unwrap();
    grown(1, "set_source_app_secrets").await;
    let secrets = store.load_directory().await.unwrap().sources[&source].app_secrets.clone();
    assert_eq!(secrets.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>(), ["new", "old"]);
    let api = "https://api1.unipile.com:13111".parse().unwrap();
    store.set_source_api_url(source, &api).await.unwrap();
    grown(1, "set_source_api_url").await;
    assert_eq!(store.load_directory().await.unwrap().sources[&source].api_url, Some(api));
    store.set_source_enabled(source, false).await.unwrap();
    grown(1, "set_source_enabled").await;
    let key = store.add_api_key(agency, None, Role::Agent, "k", [1; 32], None).await.unwrap();
    grown(1, "add_api_key").await;
    let added = store.add_issuer(issuer(agency, "i", None, secret("s"))).await.unwrap();
    grown(1, "add_issuer").await;
    store.revoke_token("jti", clock::now() + chrono::Duration::hours(1), gone()).await.unwrap();
    grown(1, "revoke_token").await;

    store.add_user(user(agency, "ADA@example.com")).await.unwrap_err();
    store.add_source(page(account, "1")).await.unwrap_err();
    store.set_membership(UserId::generate(), account, None).await.unwrap_err();
    store.set_source_enabled(SourceId::generate(), true).await.unwrap_err();
    grown(0, "refused changes").await;

    store.remove_source(source).await.unwrap();
    store.remove_api_key(key).await.unwrap();
    store.remove_issuer(added).await.unwrap();
    grown(3, "removals").await;
}

fn is_conflict<T>(outcome: Result<T>) -> bool {
    matches!(outcome.err(), Some(StoreError::Conflict(_)))
}

fn is_missing<T>(outcome: Result<T>) -> bool {
    matches!(outcome.err(), Some(StoreError::NotFound(_)))
}

async fn what_exists_is_refused_a_second_time(bench: Bench) {
    let store = &bench.store;
    let (here, there) = (bench.account().await, bench.account().await);
    store.add_user(user(here.agency, "ada@example.com")).await.unwrap();
    assert!(is_conflict(store.add_user(user(there.agency, "ADA@EXAMPLE.com")).await));
    store.add_source(page(here.id, "1001")).await.unwrap();
    assert!(is_conflict(store.add_source(page(there.id, "1001")).await));
    store.add_api_key(here.agency, None, Role::Agent, "k", [1; 32], None).await.unwrap();
    assert!(is_conflict(store.add_api_key(there.agency, None, Role::Agent, "k", [1; 32], None).await));
    store.add_issuer(issuer(here.agency, "iss", None, secret("s"))).await.unwrap();
    assert!(is_conflict(store.add_issuer(issuer(there.agency, "iss", None, secret("s"))).await));
}

async fn one_issuer_may_serve_two_agencies_under_an_audience_each(bench: Bench) {
    let store = &bench.store;
    let (here, there) = (bench.account().await, bench.account().await);
    let iss = "https://login.example";
    let keys = || IssuerKey::Jwks("https://login.example/keys".parse().unwrap());
    let ours = store.add_issuer(issuer(here.agency, iss, Some("ours"), keys())).await.unwrap();
    let theirs = store.add_issuer(issuer(there.agency, iss, Some("theirs"), keys())).await.unwrap();
    assert!(is_conflict(store.add_issuer(issuer(there.agency, iss, Some("ours"), keys())).await));
    let directory = loaded(store).await;
    let agencies = [ours, theirs].map(|id| directory.issuers[&id].agency);
    assert_eq!(agencies, [here.agency, there.agency]);
    assert_eq!(directory.issuers_by_name[iss].len(), 2);
    for audience in [None, Some(" ")] {
        let refused = store.add_issuer(issuer(here.agency, "https://other.example", audience, keys())).await;
        assert!(refused.unwrap_err().is_rejected(), "{audience:?}");
    }
}

async fn what_does_not_exist_is_named(bench: Bench) {
    let store = &bench.store;
    let Account { id: account, agency, .. } = bench.account().await;
    let ada = store.add_user(user(agency, "ada@example.com")).await.unwrap();
    let nobody = UserId::generate();
    assert!(is_missing(store.add_account(AgencyId::generate(), "x").await));
    assert!(is_missing(store.add_user(user(AgencyId::generate(), "x@example.com")).await));
    assert!(is_missing(store.set_membership(nobody, account, Some(Role::Owner)).await));
    assert!(is_missing(store.set_membership(ada, AccountId::generate(), Some(Role::Owner)).await));
    assert!(is_missing(store.set_user_disabled(nobody, true).await));
    assert!(is_missing(store.set_password(nobody, &"x".into()).await));
    assert!(is_missing(store.bump_token_epoch(nobody).await));
    assert!(is_missing(store.add_source(page(AccountId::generate(), "1")).await));
    assert!(is_missing(store.set_source_token(SourceId::generate(), &"x".into()).await));
    assert!(is_missing(store.remove_source(SourceId::generate()).await));
    assert!(is_missing(store.add_api_key(AgencyId::generate(), None, Role::Agent, "k", [1; 32], None).await));
    assert!(is_missing(store.remove_api_key(ApiKeyId::generate()).await));
    assert!(is_missing(store.add_issuer(issuer(AgencyId::generate(), "iss", None, secret("s"))).await));
    assert!(is_missing(store.remove_issuer(IssuerId::generate()).await));
    assert!(store.add_agency("  ").await.unwrap_err().is_rejected());
    assert!(store.add_agency("a\0b").await.unwrap_err().is_rejected());
    assert!(store.add_user(user(agency, "")).await.unwrap_err().is_rejected());
    assert!(store.revoke_token(&"j".repeat(3000), clock::now(), gone()).await.unwrap_err().is_rejected());
}

async fn nothing_crosses_agencies(bench: Bench) {
    let store = &bench.store;
    let (here, there) = (bench.account().await, bench.account().await);
    let ada = store.add_user(user(here.agency, "ada@example.com")).await.unwrap();
    assert!(is_missing(store.set_membership(ada, there.id, Some(Role::Owner)).await));
    assert!(is_missing(store.add_api_key(here.agency, Some(there.id), Role::Owner, "k", [1; 32], None).await));
    let directory = loaded(store).await;
    assert!(directory.users[&ada].memberships.is_empty() && directory.api_keys.is_empty());
}

async fn a_secret_that_does_not_open_disables_its_own_row_alone(bench: Bench) {
    let (store, account) = (&bench.store, bench.account().await);
    let whole = store.add_source(page(account.id, "1001")).await.unwrap();
    let damaged = store.add_source(page(account.id, "1002")).await.unwrap();
    let other = bench.reopened([8; 32]).await;
    other.set_source_token(damaged, &"sealed elsewhere".into()).await.unwrap();
    let unknown = issuer(account.agency, "https://id.example", None, secret("sealed elsewhere"));
    let issuer = other.add_issuer(unknown).await.unwrap();
    let directory = loaded(store).await;
    assert!(!directory.wrong_key && directory.sources[&whole].enabled && !directory.sources[&damaged].enabled);
    assert!(matches!(directory.issuers[&issuer].key, IssuerKey::Unreadable));
    let mut found: Vec<_> = directory.unreadable.iter().map(|row| (row.table, row.id.clone())).collect();
    found.sort();
    assert_eq!(found, [("issuers", issuer.to_string()), ("sources", damaged.to_string())]);
    store.set_source_token(damaged, &"set again".into()).await.unwrap();
    assert!(loaded(store).await.sources[&damaged].enabled);
}

async fn another_master_key_opens_nothing(bench: Bench) {
    let account = bench.account().await;
    bench.store.add_source(page(account.id, "1001")).await.unwrap();
    let foreign = loaded(&bench.reopened([8; 32]).await).await;
    assert!(foreign.wrong_key && foreign.unreadable[0].why.contains("another master key"), "{:?}", foreign.unreadable);
    let found = foreign.sources.values().next().unwrap();
    assert!(!found.enabled && found.token.expose_secret().is_empty() && found.app_secrets.is_empty());
    let known = loaded(&bench.reopened(KEY).await).await;
    assert!(!known.wrong_key && known.unreadable.is_empty() && known.sources.len() == 1);
    if bench.is_sqlite() {
        let path = bench.url.strip_prefix("sqlite://").unwrap();
        for path in [path.to_owned(), format!("{path}-wal")] {
            let bytes = std::fs::read(path).unwrap();
            assert!(!bytes.windows(10).any(|bytes| bytes == b"EAAB-token"), "the token is on disk in the clear");
        }
    }
}

async fn a_revoked_token_is_forgotten_once_it_has_run_out(bench: Bench) {
    let (store, now) = (&bench.store, clock::now());
    store.revoke_token("past", now - chrono::Duration::seconds(1), gone()).await.unwrap();
    store.revoke_token("future", now + chrono::Duration::hours(1), gone()).await.unwrap();
    store.revoke_token("future", now + chrono::Duration::hours(1), gone()).await.unwrap();
    assert_eq!(Vec::from_iter(loaded(store).await.revoked_tokens), ["future"]);
}
