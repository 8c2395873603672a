//! The business that a lead belongs to, if it says so.

use super::{LeadId, Prospect, Timestamp};
use crate::domain::lead::Lead;

/// Names of form fields in which people say where they work. Those of Meta's own questions come first.
const COMPANY: [&str; 5] = ["company_name", "company", "business_name", "organization", "organisation"];
const WEBSITE: [&str; 5] = ["website", "company_website", "website_url", "domain", "url"];
const WORK_EMAIL: [&str; 2] = ["work_email", "business_email"];
const WORK_PHONE: [&str; 2] = ["work_phone_number", "business_phone"];
/// Mail of these says nothing about where somebody works.
const PRIVATE_MAIL: [&str; 24] = [
    "aol.com",
    "fastmail.com",
    "gmail.com",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.fr",
    "icloud.com",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "web.de",
    "yahoo.co.uk",
    "yahoo.com",
];
/// Of what people typed in, in characters.
const LONGEST: usize = 200;

/// The prospect that a lead makes: the business that it names, or that its website or its mail belongs to.
#[must_use]
pub fn of_lead(lead: &Lead, now: Timestamp) -> Option<Prospect> {
    let email = answer(lead, &WORK_EMAIL).or_else(|| Some(lead.email.trim().to_owned()).filter(|it| !it.is_empty()));
    let domain = || {
        let (_, domain) = email.as_deref()?.rsplit_once('@')?;
        let domain = domain.to_lowercase();
        (domain.contains('.') && !PRIVATE_MAIL.contains(&domain.as_str())).then_some(domain)
    };
    let website = answer(lead, &WEBSITE).or_else(domain);
    let name = answer(lead, &COMPANY).or_else(|| website.as_deref().map(host))?;
    let id = LeadId::derive(&[b"prospect", &lead.id.to_bytes()]).to_string();
    let phone = answer(lead, &WORK_PHONE).or_else(|| Some(lead.phone.clone()).filter(|it| !it.trim().is_empty()));
    Some(Prospect {
        lead: Some(lead.id),
        source: Some(if lead.is_manual { "manual" } else { "meta" }.to_owned()),
        phone,
        email,
        website,
        ..Prospect::new(id, lead.agency, lead.account, name, now)
    })
}

/// What was answered to one of these fields.
fn answer(lead: &Lead, names: &[&str]) -> Option<String> {
    let fields = lead.meta_data.get("field_data")?.as_array()?;
    let value = |name: &&str| {
        let field =
            fields.iter().find(|field| field["name"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(name)))?;
        let value = field["values"].as_array()?.first()?.as_str()?;
        let value: String = value.trim().chars().filter(|it| !it.is_control()).take(LONGEST).collect();
        (!value.is_empty()).then_some(value)
    };
    names.iter().find_map(value)
}

/// `https://www.harbor.example/x` is known as `harbor.example`.
fn host(website: &str) -> String {
    let rest = website.split_once("://").map_or(website, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or(rest);
    host.strip_prefix("www.").unwrap_or(host).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{AccountId, AgencyId, clock};

    fn lead(email: &str, fields: &[(&str, &str)]) -> Lead {
        let fields: Vec<Value> = fields.iter().map(|(name, value)| json!({"name": name, "values": [value]})).collect();
        serde_json::from_value(json!({
            "id": LeadId::derive(&[b"1"]), "agency_id": AgencyId::derive(&[b"a"]), "account_id": AccountId::derive(&[b"a"]),
            "meta_lead_id": "1", "name": "Joe", "phone": "+16195550100", "email": email, "type": "Auto",
            "status": "New Lead", "potential_status": "", "sync_status": "",
            "created_at": clock::from_micros(0), "updated_at": clock::from_micros(0), "meta_data": {"field_data": fields},
        }))
        .unwrap()
    }

    #[test]
    fn a_business_is_known_by_its_name_its_website_or_its_mail() {
        let of = |lead: &Lead| of_lead(lead, clock::from_micros(0)).map(|it| (it.name, it.website));
        let some = |name: &str, website: Option<&str>| Some((name.to_owned(), website.map(str::to_owned)));
        assert_eq!(of(&lead("joe@gmail.com", &[("full_name", "Joe")])), None);
        assert_eq!(of(&lead("", &[])), None);
        assert_eq!(of(&lead("joe@gmail.com", &[("Company_Name", " Harbor Grill ")])), some("Harbor Grill", None));
        assert_eq!(of(&lead("joe@Harbor.example", &[])), some("harbor.example", Some("harbor.example")));
        let site = lead("joe@gmail.com", &[("website", "https://www.harbor.example/menu")]);
        assert_eq!(of(&site), some("harbor.example", Some("https://www.harbor.example/menu")));
        let work = lead("joe@gmail.com", &[("company_name", "Grill"), ("work_email", "joe@grill.example")]);
        assert_eq!(of(&work), some("Grill", Some("grill.example")));
    }

    #[test]
    fn the_prospect_names_the_lead_and_is_the_same_however_often_it_is_made() {
        let lead = lead("joe@harbor.example", &[]);
        let made = of_lead(&lead, clock::from_micros(5)).unwrap();
        assert_eq!((made.lead, made.source.as_deref()), (Some(lead.id), Some("meta")));
        assert_eq!((made.phone.as_deref(), made.email.as_deref()), (Some("+16195550100"), Some("joe@harbor.example")));
        assert_eq!(made.id, of_lead(&lead, clock::from_micros(9)).unwrap().id);
    }
}
