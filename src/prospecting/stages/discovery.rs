//! Stage 2: what the business's own pages say. At most four of them, those that its robots.txt allows.

use url::Url;

use super::{Tools, Work, email, page, pre_validation::given};
use crate::{
    domain::prospect::{Discovery, FoundEmail, Prospect, Stage},
    platforms::website::{Page, Visit, WebError},
};

/// Where contacts stand, after the first page.
const MORE: [&str; 3] = ["/contact", "/contact-us", "/about"];
/// How sure an address is that stands on the business's own pages.
const FOUND: i32 = 75;

/// Reads the pages; what was found is noted after each.
pub(super) async fn look(tools: &Tools<'_>, work: &mut Work) {
    work.findings.discovery = Some(Discovery::default());
    let Some(website) = given(work.prospect.website.as_deref()) else { return };
    let bases = bases(website);
    let Some(first) = bases.first().cloned() else {
        return work.findings.degrade(Stage::Discovery, "website", &"its address is no URL");
    };
    let mut visit = tools.websites.visit(&work.calls);
    let mut read = Read { found: Discovery::default(), national: is_north_american(&work.prospect) };
    let base = match home(&mut visit, &bases).await {
        Ok(page) => {
            let base = page.url.clone();
            (read.found.url, read.found.status) = (Some(base.to_string()), Some(200));
            read.page(page).await;
            base
        }
        Err(why) => {
            work.findings.degrade(Stage::Discovery, "website", &why);
            read.found.forbidden = why == WebError::Forbidden;
            read.found.status = match why {
                WebError::Status(status) => Some(status),
                WebError::NotHtml => Some(200),
                _ => None,
            };
            work.findings.discovery = Some(read.found.clone());
            // It is there, and may say more elsewhere.
            if read.found.status.is_none() && !read.found.forbidden {
                return;
            }
            first
        }
    };
    work.findings.discovery = Some(read.found.clone());
    for path in MORE {
        let Ok(url) = base.join(path) else { continue };
        match visit.page(&url).await {
            Ok(page) => read.page(page).await,
            Err(WebError::Unreached | WebError::Slow | WebError::Cut) => {
                work.findings.degrade(Stage::Discovery, "website", &"it did not answer for all of its pages");
                break;
            }
            // Not every business has each of them.
            Err(_) => {}
        }
        work.findings.discovery = Some(read.found.clone());
    }
}

/// What was found becomes what is known, where nothing was.
pub(super) fn apply(work: &mut Work) {
    let Some(discovery) = &work.findings.discovery else { return };
    let prospect = &mut work.prospect;
    let is_missing = |text: &Option<String>| given(text.as_deref()).is_none();
    if is_missing(&prospect.phone) {
        prospect.phone = discovery.phones.first().cloned().or(prospect.phone.take());
    }
    if is_missing(&prospect.email) {
        let best = discovery.emails.first().map(|found| found.address.clone());
        prospect.email = best.or(prospect.email.take());
    }
    if let Some(owner) = discovery.owner.clone().filter(|_| is_missing(&prospect.owner_name)) {
        prospect.owner_name = Some(owner.name);
        prospect.owner_title = owner.title.or(prospect.owner_title.take());
        prospect.owner_email = owner.email.or(prospect.owner_email.take());
    }
}

/// The first page, by the first of these that answers.
async fn home(visit: &mut Visit<'_>, bases: &[Url]) -> Result<Page, WebError> {
    let mut outcome = Err(WebError::Unreached);
    for base in bases {
        outcome = visit.page(base).await;
        if !matches!(outcome, Err(WebError::Unreached)) {
            break;
        }
    }
    outcome
}

/// Where a website may be: as it is written; without a scheme first as it should be.
pub(super) fn bases(website: &str) -> Vec<Url> {
    let candidates = if website.contains("://") {
        vec![website.to_owned()]
    } else {
        vec![format!("https://{website}"), format!("http://{website}")]
    };
    let urls = candidates.iter().filter_map(|candidate| candidate.parse::<Url>().ok());
    urls.filter(Url::has_host).collect()
}

/// Numbers without a country are read as North America's unless the prospect is elsewhere.
fn is_north_american(prospect: &Prospect) -> bool {
    let country = prospect.country.as_deref().unwrap_or_default().trim().to_uppercase();
    matches!(country.as_str(), "" | "US" | "USA" | "UNITED STATES" | "CA" | "CAN" | "CANADA")
}

/// What was read so far.
struct Read {
    found: Discovery,
    national: bool,
}

impl Read {
    async fn page(&mut self, page: Page) {
        let url = page.url.to_string();
        if self.found.pages.contains(&url) {
            return;
        }
        self.found.pages.push(url);
        let (html, national) = (page.html, self.national);
        // Apart: a page may be long, and what it does to its reader is no one else's.
        let Ok(contacts) = tokio::task::spawn_blocking(move || page::read(&html, national)).await else { return };
        for address in contacts.emails {
            if self.found.emails.iter().all(|known| known.address != address) {
                let generic = email::is_generic(&address);
                self.found.emails.push(FoundEmail { address, generic, confidence: FOUND });
            }
        }
        for number in contacts.phones {
            if !self.found.phones.contains(&number) {
                self.found.phones.push(number);
            }
        }
        self.found.owner = self.found.owner.take().or(contacts.owner);
        let host = page.url.host_str().unwrap_or_default().trim_start_matches("www.").to_owned();
        // The sort is stable: what stood first stays first.
        self.found.emails.sort_by_key(|found| (is_role(found), !is_at(&found.address, &host)));
    }
}

fn is_role(found: &FoundEmail) -> bool {
    found.generic || email::is_role(&found.address)
}

/// Whether an address is the site's own and not, say, its web designer's.
pub(super) fn is_at(address: &str, host: &str) -> bool {
    let domain = address.rsplit('@').next().unwrap_or_default();
    domain == host || domain.ends_with(&format!(".{host}")) || host.ends_with(&format!(".{domain}"))
}
