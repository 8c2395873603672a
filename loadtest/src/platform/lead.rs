//! What a person filled in, as the Graph API tells it.

use chrono::DateTime;
use serde_json::{Map, Value, json};

/// Where a lead that is not organic came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ad {
    /// The ad; its set and campaign get ids derived from it.
    pub id: u64,
    /// The ad's name.
    pub name: String,
    /// The ad set's name.
    pub adset_name: String,
    /// The campaign's name.
    pub campaign_name: String,
}

impl Ad {
    /// An ad with plain names.
    #[must_use]
    pub fn new(id: u64) -> Self {
        Self {
            id,
            name: "Winter offer, video".to_owned(),
            adset_name: "Homeowners 30-55".to_owned(),
            campaign_name: "Winter offer".to_owned(),
        }
    }
}

/// A lead that the simulator can be asked for. Built up with the methods that consume it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    pub(super) created_time: i64,
    pub(super) form_id: u64,
    ad: Option<Ad>,
    platform: &'static str,
    answers: Vec<(String, Vec<String>)>,
    disclaimers: Vec<(String, bool)>,
}

/// Every field of a lead that may be asked for; another is an error.
pub(super) const FIELDS: [&str; 19] = [
    "ad_id",
    "ad_name",
    "adset_id",
    "adset_name",
    "campaign_id",
    "campaign_name",
    "created_time",
    "custom_disclaimer_responses",
    "field_data",
    "form_id",
    "home_listing",
    "id",
    "is_organic",
    "partner_name",
    "platform",
    "post",
    "post_submission_check_result",
    "retailer_item_id",
    "vehicle",
];

/// What is answered when no fields are asked for.
const DEFAULT_FIELDS: [&str; 5] = ["created_time", "id", "ad_id", "form_id", "field_data"];

impl Lead {
    /// A lead from an ad, without answers, created at `created_time` (seconds since 1970).
    #[must_use]
    pub fn new(created_time: i64) -> Self {
        Self {
            created_time,
            form_id: 456_456_456_456_456,
            ad: Some(Ad::new(120_210_000_000_000_001)),
            platform: "fb",
            answers: Vec::new(),
            disclaimers: Vec::new(),
        }
    }

    /// Name, e-mail address and phone number answered.
    #[must_use]
    pub fn person(created_time: i64, name: &str, email: &str, phone: &str) -> Self {
        Self::new(created_time).answer("full_name", name).answer("email", email).answer("phone_number", phone)
    }

    /// What the Lead Ads Testing Tool makes of a form: a placeholder for every question (the phone number has 40
    /// characters), organic, and no mark that it is a test.
    #[must_use]
    pub fn testing_tool(created_time: i64) -> Self {
        let placeholder = |field: &str| format!("<test lead: dummy data for {field}>");
        Self::new(created_time)
            .organic()
            .answer("full_name", &placeholder("full_name"))
            .answer("phone_number", &placeholder("phone_number"))
            .answer("email", "test@meta.com")
    }

    /// A person made up from `seed`; the same seed always gives the same person. Some names are not ASCII.
    #[must_use]
    pub fn generated(seed: u64, created_time: i64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let first = random.choice(FIRST_NAMES).unwrap_or("Joe");
        let last = random.choice(LAST_NAMES).unwrap_or("Example");
        let plain = |name: &str| name.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
        let email = format!("{}.{}.{}@example.com", plain(first), plain(last), seed % 100_000);
        let phone = format!("+1619555{:04}", random.u16(0..10_000));
        Self::person(created_time, &format!("{first} {last}"), &email, &phone)
    }

    /// Adds an answer.
    #[must_use]
    pub fn answer(self, field: &str, value: &str) -> Self {
        self.answers(field, &[value])
    }

    /// Adds an answer with several values, or with none.
    #[must_use]
    pub fn answers(mut self, field: &str, values: &[&str]) -> Self {
        self.answers.push((field.to_owned(), values.iter().map(|&value| value.to_owned()).collect()));
        self
    }

    /// Adds a checkbox of the disclaimer.
    #[must_use]
    pub fn disclaimer(mut self, key: &str, checked: bool) -> Self {
        self.disclaimers.push((key.to_owned(), checked));
        self
    }

    /// Not from an ad: the ad's keys are then absent, in the webhook as well.
    #[must_use]
    pub fn organic(mut self) -> Self {
        self.ad = None;
        self
    }

    /// From this ad.
    #[must_use]
    pub fn from_ad(mut self, ad: Ad) -> Self {
        self.ad = Some(ad);
        self
    }

    /// Through this form.
    #[must_use]
    pub const fn form(mut self, form_id: u64) -> Self {
        self.form_id = form_id;
        self
    }

    /// Filled in on Instagram.
    #[must_use]
    pub const fn on_instagram(mut self) -> Self {
        self.platform = "ig";
        self
    }

    pub(super) fn ad_id(&self) -> Option<u64> {
        self.ad.as_ref().map(|ad| ad.id)
    }

    /// The Graph API's object with the fields asked for, or the documented few. Unknown names must be gone already.
    pub(super) fn object(&self, id: u64, fields: Option<&[&str]>) -> Value {
        let names = fields.unwrap_or(&DEFAULT_FIELDS);
        let mut object = Map::new();
        for &name in names {
            if let Some(value) = self.field(id, name) {
                object.insert(name.to_owned(), value);
            }
        }
        object.insert("id".to_owned(), id.to_string().into());
        object.into()
    }

    fn field(&self, id: u64, name: &str) -> Option<Value> {
        let ad = self.ad.as_ref();
        Some(match name {
            "id" => id.to_string().into(),
            "created_time" => wire_time(self.created_time).into(),
            "form_id" => self.form_id.to_string().into(),
            "ad_id" => ad?.id.to_string().into(),
            "ad_name" => ad?.name.clone().into(),
            "adset_id" => (ad?.id + 1).to_string().into(),
            "adset_name" => ad?.adset_name.clone().into(),
            "campaign_id" => (ad?.id + 2).to_string().into(),
            "campaign_name" => ad?.campaign_name.clone().into(),
            "is_organic" => ad.is_none().into(),
            "platform" => self.platform.into(),
            "field_data" => {
                self.answers.iter().map(|(name, values)| json!({ "name": name, "values": values })).collect()
            }
            "custom_disclaimer_responses" if !self.disclaimers.is_empty() => self
                .disclaimers
                .iter()
                .map(|(key, checked)| json!({ "checkbox_key": key, "is_checked": if *checked { "1" } else { "" } }))
                .collect(),
            _ => return None,
        })
    }
}

/// `2015-02-28T08:49:14+0000`: the offset has no colon, which strict parsers refuse.
fn wire_time(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S+0000").to_string()
}

const FIRST_NAMES: [&str; 24] = [
    "Joe", "Maria", "Zoë", "Liam", "Noor", "Søren", "Grace", "Mateo", "Aisha", "Björn", "Priya", "Emma", "Łukasz",
    "Chloé", "Diego", "Hana", "Oliver", "Fatima", "İpek", "Marcus", "Yuki", "Anna", "Tomás", "Ivy",
];

const LAST_NAMES: [&str; 24] = [
    "Example",
    "Garcia",
    "Ångström",
    "Nguyen",
    "Haddad",
    "Jørgensen",
    "Okafor",
    "Müller",
    "Silva",
    "O'Brien",
    "Patel",
    "Novák",
    "Kowalski",
    "Dubois",
    "Rossi",
    "Tanaka",
    "Smith",
    "Öztürk",
    "Peña",
    "Larsen",
    "Ivanova",
    "Cohen",
    "Brown",
    "Walker",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_is_the_documented_one() {
        let lead = Lead::new(1_425_113_354).answer("car_make", "Honda").answers("extras", &["roof", "radio"]).form(7);
        assert_eq!(
            lead.object(9_007_199_254_740_993, None),
            json!({
                "created_time": "2015-02-28T08:49:14+0000", "id": "9007199254740993", "form_id": "7",
                "ad_id": "120210000000000001",
                "field_data": [{"name": "car_make", "values": ["Honda"]}, {"name": "extras", "values": ["roof", "radio"]}],
            })
        );
    }

    #[test]
    fn an_organic_lead_has_no_ad_and_a_testing_tool_phone_has_forty_characters() {
        let object = Lead::testing_tool(0).object(1, Some(&["ad_id", "is_organic", "field_data"]));
        assert!(object.get("ad_id").is_none());
        assert_eq!(object["is_organic"], true);
        assert_eq!(object["field_data"][1]["values"][0].as_str().unwrap().len(), 40);
    }

    #[test]
    fn the_same_seed_makes_the_same_person() {
        assert_eq!(Lead::generated(7, 0), Lead::generated(7, 0));
        assert_ne!(Lead::generated(7, 0), Lead::generated(8, 0));
    }
}
