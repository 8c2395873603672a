//! What an endpoint covers, who answers for it, and what was given for where it leads.

use leadwire::{
    domain::{AccountId, AgencyId, EndpointId, Role, UserId, directory::Account},
    store::{Consent, DeliveryFilter, EndpointChange, LEFT_BEHIND, MOVED, NewEndpoint, NewUser, Outcome},
};
use secrecy::ExposeSecret;

use super::{
    harness::{Bench, lead, on_both_engines},
    others::settled,
};

on_both_engines! {
    an_account_that_is_added_later_is_never_covered_unasked,
    an_endpoint_that_is_stopped_for_an_account_gets_nothing_of_it,
    another_scheme_host_or_port_drops_token_and_secret_and_parks_what_waits,
    what_a_person_answered_for_waits_until_somebody_takes_it_over,
    what_a_key_answered_for_is_left_behind_with_it,
    a_key_opens_nothing_once_whoever_answers_for_it_is_gone,
    endpoints_for_all_accounts_cover_those_of_the_day_they_are_migrated,
}

impl Bench {
    async fn manager(&self, of: &Account, email: &str) -> UserId {
        let user = NewUser { agency: of.agency, email: email.into(), name: email.into(), password_hash: "-".into() };
        let user = self.store.add_user(user).await.unwrap();
        self.store.set_membership(user, of.id, Some(Role::Manager)).await.unwrap();
        user
    }

    async fn endpoint_by(&self, agency: AgencyId, accounts: Vec<AccountId>, by: &str) -> EndpointId {
        let new = NewEndpoint {
            agency,
            accounts,
            by: Some(by.to_owned()),
            url: "https://crm.example/hook".parse().unwrap(),
            description: String::new(),
            types: vec!["new_lead".to_owned()],
            ordered: false,
            enabled: true,
            token: Some("token".into()),
            secret: "whsec_c2VjcmV0".into(),
        };
        self.store.add_endpoint(new).await.unwrap().id
    }

    /// Keeps leads with these numbers, and makes deliveries of them.
    async fn leads(&self, of: &[(&Account, i64)]) {
        let leads: Vec<_> = of.iter().map(|(account, number)| lead(account, *number)).collect();
        self.store.insert_leads(&leads).await.unwrap();
        self.store.route_outbox(100).await.unwrap();
    }

    async fn states(&self, endpoint: EndpointId) -> Vec<(String, Option<String>)> {
        let listed = self.store.deliveries(endpoint, &DeliveryFilter::default(), None, 100).await.unwrap();
        listed.into_iter().map(|one| (one.state.to_string(), one.reason)).collect()
    }
}

async fn an_account_that_is_added_later_is_never_covered_unasked(bench: Bench) {
    let account = bench.account().await;
    let second = bench.store.add_account(account.agency, "Ottawa").await.unwrap();
    let endpoint = bench.endpoint(&account, None, &["new_lead"], false).await;
    let later = bench.store.add_account(account.agency, "Halifax").await.unwrap();
    bench.leads(&[(&account, 1), (&second, 2), (&later, 3)]).await;
    assert_eq!(bench.types().await.len(), 2, "nothing is even kept for it");
    assert_eq!(bench.claim(endpoint, 10).await.len(), 2);

    let all = EndpointChange {
        accounts: Some(vec![account.id, later.id]),
        by: Some("usr_x".into()),
        ..EndpointChange::default()
    };
    bench.store.change_endpoint(account.agency, endpoint, all).await.unwrap();
    bench.leads(&[(&second, 4), (&later, 5)]).await;
    let claimed = bench.claim(endpoint, 10).await;
    assert_eq!(
        (claimed.len(), claimed[0].account),
        (1, Some(later.id)),
        "and what is not covered any more gets nothing"
    );
    let cover = bench.store.endpoint_cover(account.agency, endpoint).await.unwrap();
    let responsible = |id| cover.iter().find(|cover| cover.account == id).unwrap().responsible.as_deref();
    assert_eq!((responsible(account.id), responsible(later.id)), (None, Some("usr_x")), "who adds one answers for it");
}

async fn an_endpoint_that_is_stopped_for_an_account_gets_nothing_of_it(bench: Bench) {
    let account = bench.account().await;
    let second = bench.store.add_account(account.agency, "Ottawa").await.unwrap();
    let endpoint = bench.endpoint(&account, None, &["new_lead"], false).await;
    bench.leads(&[(&account, 1), (&second, 2)]).await;
    let stop = async |by: Option<String>| {
        bench.store.stop_endpoint(account.agency, endpoint, second.id, by).await.unwrap();
    };
    stop(Some("usr_x".into())).await;
    bench.leads(&[(&account, 3), (&second, 4)]).await;
    let claimed = bench.claim(endpoint, 10).await;
    let mut got: Vec<_> = claimed.iter().map(|one| (one.account == Some(second.id), one.consent.clone())).collect();
    got.sort_by_key(|(is_second, _)| *is_second);
    let by = Consent::By(None);
    assert_eq!(got, [(false, by.clone()), (false, by), (true, Consent::Stopped)], "what waited is not for it any more");
    stop(None).await;
    bench.leads(&[(&second, 5)]).await;
    assert_eq!(bench.claim(endpoint, 10).await[0].consent, Consent::By(None));
    assert!(bench.store.stop_endpoint(account.agency, endpoint, AccountId::generate(), None).await.is_err());
    assert!(bench.store.stop_endpoint(AgencyId::generate(), endpoint, second.id, None).await.is_err());
}

async fn another_scheme_host_or_port_drops_token_and_secret_and_parks_what_waits(bench: Bench) {
    let account = bench.account().await;
    let moved = async |url: &str, token: Option<&str>| {
        let endpoint = bench.endpoint(&account, None, &["new_lead"], false).await;
        bench.leads(&[(&account, 1)]).await;
        let change = EndpointChange {
            url: Some(url.parse().unwrap()),
            token: token.map(|token| Some(token.into())),
            secret: Some("whsec_bmV3".into()),
            ..EndpointChange::default()
        };
        let changed = bench.store.change_endpoint(account.agency, endpoint, change).await.unwrap();
        let until = leadwire::domain::clock::now() + chrono::TimeDelta::minutes(1);
        let (target, _) = bench.store.add_test_delivery(account.agency, endpoint, until).await.unwrap();
        let waits = bench.states(endpoint).await.pop();
        bench.store.remove_endpoint(account.agency, endpoint).await.unwrap();
        bench.execute("DELETE FROM leads").await;
        let token = target.token.map(|token| token.expose_secret().to_owned());
        let secrets: Vec<String> = target.secrets.iter().map(|secret| secret.expose_secret().to_owned()).collect();
        (changed.moved, token, secrets, waits)
    };
    let parked = Some(("parked".to_owned(), Some(MOVED.to_owned())));
    let new = vec!["whsec_bmV3".to_owned()];
    for url in ["https://evil.example/hook", "http://crm.example/hook", "https://crm.example:8443/hook"] {
        assert_eq!(moved(url, None).await, (true, None, new.clone(), parked.clone()), "{url}");
    }
    let given = moved("https://evil.example/hook", Some("theirs")).await;
    assert_eq!(given, (true, Some("theirs".to_owned()), new, parked));
    let (old, pending) = (vec!["whsec_c2VjcmV0".to_owned()], Some(("pending".to_owned(), None)));
    for url in ["https://crm.example/other?a=b", "https://crm.example:443/hook", "https://CRM.example/hook"] {
        assert_eq!(moved(url, None).await, (false, Some("token".to_owned()), old.clone(), pending.clone()), "{url}");
    }
}

async fn what_a_person_answered_for_waits_until_somebody_takes_it_over(bench: Bench) {
    let account = bench.account().await;
    let second = bench.store.add_account(account.agency, "Ottawa").await.unwrap();
    let store = &bench.store;
    for (number, way) in [(0, "disabled"), (10, "demoted"), (20, "removed")] {
        let user = bench.manager(&account, &format!("{way}@example.com")).await;
        store.set_membership(user, second.id, Some(Role::Owner)).await.unwrap();
        let accounts = vec![account.id, second.id];
        let endpoint = bench.endpoint_by(account.agency, accounts, &user.to_string()).await;
        bench.leads(&[(&account, number + 1)]).await;
        match way {
            "disabled" => store.set_user_disabled(user, true).await.unwrap(),
            "demoted" => store.set_membership(user, account.id, Some(Role::Agent)).await.unwrap(),
            _ => store.set_membership(user, account.id, None).await.unwrap(),
        }
        bench.leads(&[(&account, number + 2), (&second, number + 3)]).await;
        let claimed = bench.claim(endpoint, 10).await;
        assert_eq!(claimed.len(), 3, "{way}: nothing is lost");
        for one in &claimed {
            let is_left = one.account == Some(account.id) || way == "disabled";
            let wanted = if is_left { Consent::LeftBehind } else { Consent::By(Some(user.to_string())) };
            assert_eq!(one.consent, wanted, "{way}");
        }
        let park = claimed.iter().map(|one| settled(endpoint, one, Outcome::Parked(LEFT_BEHIND)));
        store.settle_deliveries(park.collect()).await.unwrap();
        if way == "disabled" {
            // That they may sign in again is no word on what they left.
            store.set_user_disabled(user, false).await.unwrap();
            let cover = store.endpoint_cover(account.agency, endpoint).await.unwrap();
            assert!(cover.iter().all(|cover| cover.left_at.is_some()), "{cover:?}");
        }
        let heir = bench.manager(&account, &format!("heir-{way}@example.com")).await.to_string();
        store.take_over_endpoint(account.agency, endpoint, &[account.id], &heir).await.unwrap();
        let again = bench.claim(endpoint, 10).await;
        assert_eq!(again.len(), 2, "{way}: the account's, and of no other");
        assert!(again.iter().all(|one| one.consent == Consent::By(Some(heir.clone()))), "{way}");
        store.remove_endpoint(account.agency, endpoint).await.unwrap();
    }
}

async fn what_a_key_answered_for_is_left_behind_with_it(bench: Bench) {
    let account = bench.account().await;
    let key = bench.store.add_api_key(account.agency, None, Role::Owner, "CRM", [5; 32], None).await.unwrap();
    let endpoint = bench.endpoint_by(account.agency, vec![account.id], &key.to_string()).await;
    let cover = async || bench.store.endpoint_cover(account.agency, endpoint).await.unwrap().remove(0);
    let directory = bench.store.load_directory().await.unwrap();
    assert!(!directory.is_left(&cover().await));
    bench.store.remove_api_key(key).await.unwrap();
    assert!(cover().await.left_at.is_some() && cover().await.responsible == Some(key.to_string()));
    let listed = bench.store.covered_by(&[account.id]).await.unwrap();
    assert_eq!((listed[0].endpoint, listed[0].name.as_str()), (endpoint, "crm.example"));
    assert!(bench.store.covered_by(&[AccountId::generate()]).await.unwrap().is_empty());
}

async fn a_key_opens_nothing_once_whoever_answers_for_it_is_gone(bench: Bench) {
    let account = bench.account().await;
    let second = bench.store.add_account(account.agency, "Ottawa").await.unwrap();
    let ada = bench.manager(&account, "ada@example.com").await;
    let store = &bench.store;
    let key = store.add_api_key(account.agency, None, Role::Owner, "CRM", [6; 32], Some(ada)).await.unwrap();
    let opens = async |account: AccountId| {
        let directory = store.load_directory().await.unwrap();
        let key = directory.api_keys.values().find(|known| known.id == key).unwrap().clone();
        directory.role_of_key(&key, account)
    };
    assert_eq!(opens(account.id).await, Some(Role::Manager), "no more than the person may");
    assert_eq!(opens(second.id).await, None, "and not what they don't manage");
    store.set_membership(ada, account.id, Some(Role::Agent)).await.unwrap();
    assert_eq!(opens(account.id).await, None);
    store.set_membership(ada, account.id, Some(Role::Owner)).await.unwrap();
    assert_eq!(opens(account.id).await, Some(Role::Owner));
    store.set_user_disabled(ada, true).await.unwrap();
    store.set_user_disabled(ada, false).await.unwrap();
    assert_eq!(opens(account.id).await, None, "until somebody takes it over");
    let bob = bench.manager(&second, "bob@example.com").await;
    store.take_over_api_key(key, bob).await.unwrap();
    assert_eq!((opens(account.id).await, opens(second.id).await), (None, Some(Role::Manager)));
}

async fn endpoints_for_all_accounts_cover_those_of_the_day_they_are_migrated(bench: Bench) {
    const MIGRATION: &str = "2026-12-01-100000_endpoint_cover";
    let account = bench.account().await;
    let second = bench.store.add_account(account.agency, "Ottawa").await.unwrap();
    let wide = bench.endpoint(&account, None, &["new_lead"], false).await;
    let narrow = bench.endpoint(&account, Some(account.id), &["new_lead"], false).await;
    let partly = bench.endpoint(&account, None, &["new_lead"], false).await;
    bench.store.stop_endpoint(account.agency, partly, second.id, Some("usr_x".into())).await.unwrap();
    while !bench.store.pending_migrations().await.unwrap().iter().any(|name| name.contains(MIGRATION)) {
        bench.store.revert(1).await.unwrap();
    }
    let wanted = bench
        .lines(
            "SELECT endpoint_id || ' ' || coalesce(account_id, 'all') AS line FROM subscriptions ORDER BY endpoint_id",
        )
        .await;
    let mut expected = [format!("{wide} all"), format!("{narrow} {}", account.id)];
    expected.sort();
    assert_eq!(wanted, expected, "what covered not all is disabled, rather than given all");
    bench.store.migrate().await.unwrap();
    let third = bench.store.add_account(account.agency, "Halifax").await.unwrap();
    bench.leads(&[(&account, 1), (&second, 2), (&third, 3)]).await;
    assert_eq!((bench.claim(wide, 10).await.len(), bench.claim(narrow, 10).await.len()), (2, 1));
    let endpoint = bench.store.endpoint(account.agency, partly).await.unwrap().unwrap();
    assert!(!endpoint.enabled);
}
