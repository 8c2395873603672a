//! Stage 3: whether addresses take mail, and whether the website answers.

use super::{Tools, Work, discovery::bases, email, pre_validation::given};
use crate::{
    domain::prospect::{CheckedEmail, Findings, Prospect, Stage, Validation, Verdict, WebsiteCheck},
    platforms::mail::Mail,
};

/// Addresses that are looked at.
const MOST: usize = 2;
/// How sure an address is that somebody gave, and one that takes no mail.
const GIVEN: i32 = 50;
const USELESS: i32 = 10;

/// Looks at the addresses and the website; what was found is noted at once.
pub(super) async fn look(tools: &Tools<'_>, work: &mut Work) {
    work.findings.validation = Some(Validation::default());
    for address in candidates(&work.prospect, &work.findings) {
        let (verdict, why) = verdict(tools, &address).await;
        if let Some(why) = why {
            work.findings.degrade(Stage::Validation, "email", &why);
        }
        let checked = checked(address, verdict, &work.findings);
        if let Some(validation) = &mut work.findings.validation {
            validation.emails.push(checked);
        }
    }
    let website = website(tools, work).await;
    if let Some(validation) = &mut work.findings.validation {
        validation.website = website;
    }
}

/// An address that takes no mail gives way to one that does.
pub(super) fn apply(work: &mut Work) {
    let Some(validation) = &work.findings.validation else { return };
    let of = |verdict: Verdict| validation.emails.iter().find(|checked| checked.verdict == verdict);
    if let Some(best) = of(Verdict::Deliverable).or_else(|| of(Verdict::Unknown)) {
        let known = given(work.prospect.email.as_deref());
        if known.is_none_or(|known| !known.eq_ignore_ascii_case(&best.address)) {
            work.prospect.email = Some(best.address.clone());
        }
    }
}

/// What the columns of these names say: about the address that the prospect has, and its website.
pub(in crate::prospecting) fn validated(prospect: &Prospect, findings: &Findings) -> (Option<bool>, Option<bool>) {
    let Some(validation) = &findings.validation else { return (None, None) };
    let address = given(prospect.email.as_deref());
    let checked = address
        .and_then(|address| validation.emails.iter().find(|checked| checked.address.eq_ignore_ascii_case(address)));
    let email = checked.and_then(|checked| match checked.verdict {
        Verdict::Deliverable => Some(true),
        Verdict::Undeliverable | Verdict::Disposable => Some(false),
        Verdict::Unknown => None,
    });
    (email, validation.website.as_ref().map(|website| website.accessible))
}

/// The one that the prospect has, then those that were found.
fn candidates(prospect: &Prospect, findings: &Findings) -> Vec<String> {
    let found = findings.discovery.iter().flat_map(|discovery| &discovery.emails).map(|found| found.address.clone());
    let mut all: Vec<String> = given(prospect.email.as_deref()).map(str::to_owned).into_iter().collect();
    for address in found {
        if !all.iter().any(|known| known.eq_ignore_ascii_case(&address)) {
            all.push(address);
        }
    }
    all.truncate(MOST);
    all
}

async fn verdict(tools: &Tools<'_>, address: &str) -> (Verdict, Option<String>) {
    let Some(read) = email::read(address) else { return (Verdict::Undeliverable, None) };
    if email::is_thrown_away(&read) {
        return (Verdict::Disposable, None);
    }
    let domain = read.rsplit('@').next().unwrap_or_default();
    match tools.mail.ask(domain).await {
        Mail::Taken => (Verdict::Deliverable, None),
        Mail::Refused => (Verdict::Undeliverable, None),
        Mail::Unknown(why) => (Verdict::Unknown, Some(why)),
    }
}

fn checked(address: String, verdict: Verdict, findings: &Findings) -> CheckedEmail {
    let mut found = findings.discovery.iter().flat_map(|discovery| &discovery.emails);
    let found = found.find(|found| found.address.eq_ignore_ascii_case(&address));
    let confidence = match verdict {
        Verdict::Undeliverable | Verdict::Disposable => USELESS,
        Verdict::Deliverable | Verdict::Unknown => found.map_or(GIVEN, |found| found.confidence),
    };
    CheckedEmail { role: email::is_role(&address.to_lowercase()), address, verdict, confidence }
}

async fn website(tools: &Tools<'_>, work: &mut Work) -> Option<WebsiteCheck> {
    let url = bases(given(work.prospect.website.as_deref())?).into_iter().next()?;
    let discovery = work.findings.discovery.clone().unwrap_or_default();
    // It has shown that it is there, and may have asked not to be called again.
    if discovery.forbidden || discovery.status.is_some_and(|status| (200..400).contains(&status)) {
        return Some(answered(discovery.status.unwrap_or(200)));
    }
    let url = discovery.url.and_then(|url| url.parse().ok()).unwrap_or(url);
    let status = tools.websites.visit(&work.calls).status(&url).await;
    match status {
        Ok(status) => Some(answered(status)),
        Err(why) => {
            work.findings.degrade(Stage::Validation, "website", &why);
            Some(WebsiteCheck { accessible: false, status: None, confidence: 5 })
        }
    }
}

fn answered(status: u16) -> WebsiteCheck {
    let accessible = (200..400).contains(&status);
    WebsiteCheck { accessible, status: Some(status), confidence: if accessible { 95 } else { 10 } }
}
