//! Points and scores, computed by hand from the rules; discovery and validation against websites of the test's own.

use std::time::Duration;

use super::*;
use crate::{
    config::Settings,
    domain::{
        AccountId, AgencyId, clock,
        prospect::{CheckedEmail, Validation, Verdict, WebsiteCheck},
    },
    platforms::one_site::{Site, answer, html_page},
};

fn work(change: impl FnOnce(&mut Prospect)) -> Work {
    let (agency, account) = (AgencyId::derive(&[b"a"]), AccountId::derive(&[b"a"]));
    let name = "Harbor Grill".to_owned();
    let mut prospect = Prospect::new("lead_1".to_owned(), agency, account, name, clock::from_micros(0));
    change(&mut prospect);
    Work { prospect, findings: Findings::default(), calls: Cell::new(0) }
}

#[expect(clippy::unnecessary_wraps, reason = "most of a prospect may be missing")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn full(prospect: &mut Prospect) {
    prospect.address = some("12 Bay St");
    (prospect.city, prospect.state, prospect.postal_code) = (some("San Diego"), some("CA"), some("92101"));
    (prospect.phone, prospect.website) = (some("+16198675309"), some("https://harbor.example"));
    (prospect.rating, prospect.review_count) = (Some(4.5), Some(120));
}

#[test]
fn points_are_given_for_what_is_known_and_not_made_up() {
    let points = |change: fn(&mut Prospect)| {
        let mut work = work(change);
        pre_validation::score(&mut work);
        let points = work.findings.pre_validation.unwrap();
        assert_eq!(work.prospect.pre_validation_score, Some(points.total()));
        ([points.name, points.address, points.phone, points.rating, points.website], points.total())
    };
    assert_eq!(points(full), ([25, 20, 20, 15, 20], 100));
    assert_eq!(points(|_| ()), ([25, 0, 0, 0, 0], 25));
    for (name, wanted) in [
        ("Business LLC", 15),
        ("My company  Inc.", 15),
        ("BUSINESS", 15),
        ("Test Business 7", 15),
        ("Business as usual", 25),
        ("A company", 25),
        ("Businesses", 25),
        ("  ", 0),
    ] {
        let mut work = work(|prospect| name.clone_into(&mut prospect.name));
        pre_validation::score(&mut work);
        assert_eq!(work.findings.pre_validation.unwrap().name, wanted, "{name}");
    }
    let address = |address: &str| {
        let mut work = work(|prospect| prospect.address = some(address));
        pre_validation::score(&mut work);
        work.findings.pre_validation.unwrap().address
    };
    let given = ["12 Bay St, San Diego", "12 Bay St", "Harbor Boulevard", "12345678901", "1 Main St, Main St 2", ""];
    assert_eq!(given.map(address), [20, 15, 15, 15, 15, 0]);
    let rated = |rating, review_count| {
        let mut work = work(|prospect| (prospect.rating, prospect.review_count) = (rating, review_count));
        pre_validation::score(&mut work);
        work.findings.pre_validation.unwrap().rating
    };
    let given =
        [(Some(4.0), Some(10)), (Some(4.9), Some(9)), (Some(3.5), None), (Some(3.4), Some(99)), (None, Some(99))];
    assert_eq!(given.map(|(rating, count)| rated(rating, count)), [15, 10, 10, 0, 0]);
    let websites = ["http://example.com", "http://example.com/", "harbor.example"].map(|website| {
        let mut work = work(|prospect| prospect.website = some(website));
        pre_validation::score(&mut work);
        work.findings.pre_validation.unwrap().website
    });
    assert_eq!(websites, [10, 20, 20]);
}

fn checked(work: &mut Work, accessible: bool, confidence: i32) {
    let address = work.prospect.email.clone().unwrap_or_default();
    work.findings.validation = Some(Validation {
        emails: vec![CheckedEmail { address, verdict: Verdict::Deliverable, role: false, confidence }],
        website: Some(WebsiteCheck { accessible, status: None, confidence: 0 }),
    });
}

#[test]
fn the_score_is_the_weighted_mean_of_what_is_known() {
    let total = |work: &mut Work| {
        scoring::score(work);
        assert_eq!(work.prospect.confidence_score, work.findings.scores.map(|scores| scores.total));
        work.prospect.confidence_score.unwrap()
    };
    // 90·12 + 80·12 + 85·15 + 95·12 + 75·15 + 50·12 + 50·5 + 50·10 + 50·7 = 7280 of 100.
    let mut best = work(full);
    best.prospect.email = some("ann@harbor.example");
    checked(&mut best, true, 75);
    assert_eq!(total(&mut best), 73);
    // With a registry's word and as a nonprofit: + 40·12 + 45·7 = 8075.
    (best.prospect.registry_validated, best.prospect.is_nonprofit) = (Some(true), Some(true));
    assert_eq!(total(&mut best), 81);
    // 90·12 + 50·12 + 50·5 + 50·10 + 50·7 = 2780 of 46: 60.43.
    assert_eq!(total(&mut work(|_| ())), 60);
    // 30·12 + 10·15 + 10·12 + 10·15 + 20·12 + 50·5 + 50·10 + 70·7 = 2260 of 88: 25.68.
    let mut worst = work(|prospect| {
        "Test Business".clone_into(&mut prospect.name);
        (prospect.phone, prospect.website) = (some("(555) 000-0000"), some("http://example.com"));
        prospect.email = some("a@33mail.com");
        (prospect.registry_validated, prospect.is_nonprofit) = (Some(false), Some(false));
    });
    checked(&mut worst, true, 10);
    assert_eq!(total(&mut worst), 26);
    // 90·12 + 40·12 + 30·15 + 50·12 + 50·15 + 50·12 + 50·5 + 50·10 + 50·7 = 5060 of 100.
    let mut vague = work(|prospect| {
        (prospect.address, prospect.phone) = (some("Bay St"), some("867-5309"));
        (prospect.website, prospect.email) = (some("https://harbor.example"), some("ann@harbor.example"));
    });
    assert_eq!(total(&mut vague), 51);
}

/// Runs stages on a prospect with this website, without a name server that answers.
async fn staged(website: &str, stages: &[Stage], change: impl FnOnce(&mut Prospect)) -> Work {
    let mut settings = Settings::parse("").unwrap().prospecting;
    settings.allow_private = vec!["127.0.0.1/32".parse().unwrap()];
    (settings.host_pause, settings.dns_timeout) = (Duration::ZERO, Duration::from_millis(100));
    settings.stage_timeout = Duration::from_secs(2);
    settings.nameserver = Some("127.0.0.1:9".parse().unwrap());
    let (websites, mail) = (Websites::new(&settings).unwrap(), MailDomains::new(&settings));
    let tools = Tools { settings: &settings, websites: &websites, mail: &mail };
    let mut work = work(|prospect| {
        change(prospect);
        prospect.website = some(website);
    });
    for stage in stages {
        run(*stage, &tools, &mut work).await;
    }
    work
}

const HOME: &str = r#"<a href="mailto:web@designer.example">by us</a> info@harbor.example
    <script type="application/ld+json">{"founder":{"name":"Ann Lee","jobTitle":"Owner"}}</script>"#;

#[tokio::test]
async fn pages_are_read_and_a_person_comes_before_an_office() {
    let pages: &[_] = &[
        ("/", HOME),
        ("/contact", "Ann: ann@127.example ann@harbor.example <a href='tel:+1 619 867 5309'>call</a>"),
        ("/about", "info@harbor.example"),
    ];
    let site = Site::of(pages).await;
    let work = staged(&site.url, &[Stage::Discovery], |_| ()).await;
    assert_eq!(site.calls(), ["GET /robots.txt", "GET /", "GET /contact", "GET /contact-us", "GET /about"]);
    let found = work.findings.discovery.unwrap();
    let addresses: Vec<&str> = found.emails.iter().map(|found| found.address.as_str()).collect();
    assert_eq!(addresses, ["web@designer.example", "ann@127.example", "ann@harbor.example", "info@harbor.example"]);
    assert!(found.emails.iter().all(|found| found.confidence == 75));
    assert_eq!((found.status, found.pages.len(), work.calls.get()), (Some(200), 3, 5));
    assert_eq!(work.prospect.phone.as_deref(), Some("+16198675309"));
    assert_eq!(work.prospect.owner_name.as_deref(), Some("Ann Lee"));
    assert_eq!(work.findings.degraded, []);
}

#[test]
fn an_address_is_of_the_house_if_its_domain_is_the_sites() {
    for (address, host, own) in [
        ("a@harbor.example", "harbor.example", true),
        ("a@mail.harbor.example", "harbor.example", true),
        ("a@harbor.example", "shop.harbor.example", true),
        ("a@notharbor.example", "harbor.example", false),
        ("a@designer.example", "harbor.example", false),
    ] {
        assert_eq!(discovery::is_at(address, host), own, "{address} {host}");
    }
}

#[tokio::test]
async fn what_is_known_stays_and_what_is_blank_is_filled() {
    let site = Site::of(&[("/", HOME)]).await;
    let work = staged(&site.url, &[Stage::Discovery], |prospect| {
        (prospect.phone, prospect.email) = (some(" "), some("joe@harbor.example"));
        prospect.owner_name = some("Joe");
    })
    .await;
    assert_eq!(work.prospect.email.as_deref(), Some("joe@harbor.example"));
    assert_eq!((work.prospect.owner_name.as_deref(), work.prospect.owner_title), (Some("Joe"), None));
}

#[tokio::test]
async fn a_site_that_is_away_degrades_the_stage_and_the_rest_goes_on() {
    let all = [Stage::PreValidation, Stage::Discovery, Stage::Validation, Stage::Scoring];
    let work = staged("http://127.0.0.1:9", &all, full).await;
    let told: Vec<(Stage, &str)> =
        work.findings.degraded.iter().map(|degraded| (degraded.stage, degraded.what.as_str())).collect();
    assert_eq!(told, [(Stage::Discovery, "website"), (Stage::Validation, "website")]);
    assert_eq!(work.findings.validation.unwrap().website.unwrap().confidence, 5);
    // 90·12 + 80·12 + 85·15 + 50·12 + 1700 = 5615 of 85: 66.06.
    assert_eq!(work.prospect.confidence_score, Some(66));
    for website in ["http://", "ht!tp://x", "https://127.0.0.2", "http://10.0.0.1/"] {
        let work = staged(website, &[Stage::Discovery], |_| ()).await;
        assert_eq!(work.findings.degraded.len(), 1, "{website}");
    }
}

#[tokio::test]
async fn a_site_that_forbids_is_not_read_nor_called_again_and_is_known_to_be_there() {
    let site = Site::open("127.0.0.1", |call| {
        Some(match call {
            "GET /robots.txt" => answer("200 OK", "", b"User-agent: *\nDisallow: /"),
            _ => html_page(b"x"),
        })
    })
    .await;
    let work = staged(&site.url, &[Stage::Discovery, Stage::Validation], |_| ()).await;
    assert_eq!(site.calls(), ["GET /robots.txt"]);
    assert_eq!(work.findings.degraded[0].why, "robots.txt forbids it");
    assert!(work.findings.validation.unwrap().website.unwrap().accessible);
}

#[tokio::test]
async fn a_stage_that_takes_too_long_goes_on_with_what_it_has() {
    let site = Site::open("127.0.0.1", |call| match call {
        "GET /robots.txt" => Some(answer("404 Not Found", "", b"")),
        "GET /" => Some(html_page(b"ann@harbor.example")),
        _ => None,
    })
    .await;
    let work = staged(&site.url, &[Stage::Discovery], |_| ()).await;
    assert!(work.findings.degraded.iter().any(|degraded| degraded.what == "stage"), "{:?}", work.findings.degraded);
    assert_eq!(work.prospect.email.as_deref(), Some("ann@harbor.example"));
}

#[tokio::test]
async fn without_a_name_server_addresses_are_unknown_and_those_that_are_none_are_not() {
    let work = staged("", &[Stage::Validation], |prospect| prospect.email = some("ann@harbor.example")).await;
    let checked = &work.findings.validation.as_ref().unwrap().emails[0];
    assert_eq!((checked.verdict, checked.confidence), (Verdict::Unknown, 50));
    assert_eq!(work.findings.degraded[0].what, "email");
    assert_eq!(validated(&work.prospect, &work.findings), (None, None));
    for (address, verdict) in [("ann@@x", Verdict::Undeliverable), ("a@33mail.com", Verdict::Disposable)] {
        let work = staged("", &[Stage::Validation], |prospect| prospect.email = some(address)).await;
        let checked = &work.findings.validation.as_ref().unwrap().emails[0];
        assert_eq!((checked.verdict, checked.confidence), (verdict, 10));
        assert_eq!(validated(&work.prospect, &work.findings), (Some(false), None));
    }
}
