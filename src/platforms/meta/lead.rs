//! From the platform's object to the hub's lead.
//!
//! Forms are free: names of questions come in any case, answers may be missing, empty or several. What people typed is
//! kept as they typed it, however long; it is theirs and hostile, so whoever shows it escapes it.

use std::borrow::Cow;

use serde_json::Value;

use super::super::item::{moment, without_nul};
use crate::domain::{
    AccountId, AgencyId, SourceId, Timestamp,
    lead::{Cents, Lead},
};

/// Names of the questions that are asked under several, the best first.
const FULL_NAME: [&str; 2] = ["full_name", "name"];
const PHONE: [&str; 7] =
    ["phone_number", "phone", "mobile_number", "mobile", "cell_phone", "work_phone_number", "work_phone"];
const EMAIL: [&str; 3] = ["email_address", "email", "work_email"];

/// What is known about a lead besides its answers.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The tenant.
    pub agency: AgencyId,
    /// Whose lead it is.
    pub account: AccountId,
    /// Through which source it came.
    pub source: SourceId,
    /// The platform's id of the lead: the event's.
    pub leadgen_id: &'a str,
    /// When its webhook came: the lead's time if the platform tells none.
    pub received_at: Timestamp,
    /// The present.
    pub now: Timestamp,
}

/// The lead in what [`super::GraphClient::lead`] fetched. Whatever the object lacks is left empty.
#[must_use]
pub fn lead_from(object: &Value, origin: Origin<'_>) -> Lead {
    let meta_data = without_nul(object);
    let answers = Answers::of(&meta_data);
    Lead {
        id: Lead::id_for(origin.account, origin.leadgen_id),
        agency: origin.agency,
        account: origin.account,
        source: Some(origin.source),
        meta_lead_id: Some(origin.leadgen_id.to_owned()),
        meta_user_id: None,
        name: answers.name(),
        phone: answers.first(&PHONE),
        email: answers.first(&EMAIL),
        message: answers.first(&["message"]),
        kind: "Auto".to_owned(),
        status: "New Lead".to_owned(),
        potential_status: "Not Qualified".to_owned(),
        notes: String::new(),
        is_manual: false,
        premium: Cents(0),
        renewal_date: None,
        insurance_type: None,
        policy_term: None,
        visa_type: None,
        coverage: None,
        trip_start: None,
        trip_end: None,
        last_sync: None,
        sync_status: "Not Synced".to_owned(),
        sync_signal: None,
        driver_license_received: answers.drivers_licence(),
        created_at: object.get("created_time").and_then(moment).unwrap_or(origin.received_at),
        updated_at: origin.now,
        meta_data,
        first_seen_at: None,
    }
}

/// The answered questions, by their names in lower case, in the form's order.
struct Answers(Vec<(String, String)>);

impl Answers {
    fn of(object: &Value) -> Self {
        let fields = object.get("field_data").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let answered = |field: &Value| {
            let name = field.get("name")?.as_str()?.trim().to_lowercase();
            // The reference has `values`; documents of other systems have `value`.
            let answer = [field.get("values"), field.get("value")].into_iter().flatten().map(joined);
            let answer = answer.into_iter().find(|answer| !answer.trim().is_empty())?;
            Some((name, answer))
        };
        Self(fields.iter().filter_map(answered).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(question, _)| question == name).map(|(_, answer)| answer.as_str())
    }

    fn first(&self, names: &[&str]) -> String {
        names.iter().find_map(|name| self.get(name)).unwrap_or_default().to_owned()
    }

    fn name(&self) -> String {
        let full = self.first(&FULL_NAME);
        if !full.is_empty() {
            return full;
        }
        let parts: Vec<_> = ["first_name", "last_name"].into_iter().filter_map(|name| self.get(name)).collect();
        if parts.is_empty() { "Unknown".to_owned() } else { parts.join(" ") }
    }

    /// The answer to "When did you first receive your G or G2 driver's licence?" in any spelling. It is often chosen
    /// from a list, and then comes as a slug: `less_than_1_year`.
    fn drivers_licence(&self) -> String {
        let asks = |question: &str| {
            let question = words(question);
            question.contains("g or g2")
                && question.contains("driver")
                && (question.contains("licence") || question.contains("license"))
        };
        let answer = self.0.iter().find(|(question, _)| asks(question)).map_or("", |(_, answer)| answer);
        if answer.contains(' ') { answer.to_owned() } else { answer.replace('_', " ") }
    }
}

/// Letters and digits, with one space wherever there was anything else.
fn words(question: &str) -> String {
    question.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// One text of one or several values; those that are empty are left out.
fn joined(values: &Value) -> String {
    let list = match values {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let texts: Vec<_> = list.iter().filter_map(text).filter(|text| !text.is_empty()).collect();
    texts.join(", ")
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        other => Some(Cow::Owned(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::domain::clock;

    fn origin() -> Origin<'static> {
        Origin {
            agency: AgencyId::derive(&[b"agency"]),
            account: AccountId::derive(&[b"account"]),
            source: SourceId::derive(&[b"source"]),
            leadgen_id: "321321321",
            received_at: clock::from_micros(1_000_001),
            now: clock::from_micros(2_000_002),
        }
    }

    fn answered(fields: &[(&str, Value)]) -> Lead {
        let fields: Vec<_> = fields.iter().map(|(name, values)| json!({"name": name, "values": values})).collect();
        lead_from(&json!({"id": "321321321", "field_data": fields}), origin())
    }

    #[test]
    fn the_documented_lead_becomes_a_new_lead() {
        let object = json!({"created_time": "2015-02-28T08:49:14+0000", "id": "321321321", "ad_id": "1", "form_id": "2",
            "field_data": [
                {"name": "car_make", "values": ["Honda"]}, {"name": "full_name", "values": ["Joe Example"]},
                {"name": "email", "values": ["joe@example.com"]}, {"name": "phone_number", "values": ["+1234567890"]}]});
        let lead = lead_from(&object, origin());
        assert_eq!(lead.id, Lead::id_for(origin().account, "321321321"));
        assert_eq!(
            (lead.agency, lead.account, lead.source),
            (origin().agency, origin().account, Some(origin().source))
        );
        assert_eq!(lead.meta_lead_id.as_deref(), Some("321321321"));
        assert_eq!((lead.name.as_str(), lead.phone.as_str()), ("Joe Example", "+1234567890"));
        assert_eq!((lead.email.as_str(), lead.message.as_str()), ("joe@example.com", ""));
        assert_eq!(clock::rfc3339(lead.created_at), "2015-02-28T08:49:14.000Z");
        assert_eq!(lead.updated_at, origin().now);
        assert_eq!(lead.meta_data, object);
        let json = serde_json::to_value(&lead).unwrap();
        for (name, value) in [
            ("type", json!("Auto")),
            ("status", json!("New Lead")),
            ("potential_status", json!("Not Qualified")),
            ("sync_status", json!("Not Synced")),
            ("sync_signal", json!(false)),
            ("is_manual", json!(false)),
            ("premium", json!(0)),
            ("notes", json!("")),
            ("driver_license_received", json!("")),
        ] {
            assert_eq!(json[name], value, "{name}");
        }
    }

    #[test]
    fn questions_are_found_under_any_of_their_names_in_any_case() {
        let lead = answered(&[("FULL_NAME", json!(["A"])), ("Email", json!(["b@c.de"])), ("PHONE", json!(["1"]))]);
        assert_eq!((lead.name.as_str(), lead.email.as_str(), lead.phone.as_str()), ("A", "b@c.de", "1"));
        let work =
            answered(&[("work_phone_number", json!(["2"])), ("work_email", json!(["w"])), ("name", json!(["N"]))]);
        assert_eq!((work.name.as_str(), work.email.as_str(), work.phone.as_str()), ("N", "w", "2"));
        let both = answered(&[
            ("work_email", json!(["w"])),
            ("email", json!(["e"])),
            ("email_address", json!(["a"])),
            ("phone", json!(["p"])),
            ("phone_number", json!(["n"])),
            ("message", json!(["m"])),
        ]);
        assert_eq!((both.email.as_str(), both.phone.as_str(), both.message.as_str()), ("a", "n", "m"));
    }

    #[test]
    fn a_name_is_put_together_and_never_empty() {
        let name = |fields: &[(&str, Value)]| answered(fields).name;
        assert_eq!(name(&[("last_name", json!(["Doe"])), ("first_name", json!(["Jane"]))]), "Jane Doe");
        assert_eq!(name(&[("last_name", json!(["Doe"]))]), "Doe");
        assert_eq!(name(&[("full_name", json!([])), ("name", json!([""])), ("first_name", json!(["Jane"]))]), "Jane");
        assert_eq!(name(&[("full_name", json!([" "]))]), "Unknown");
        assert_eq!(name(&[]), "Unknown");
    }

    #[test]
    fn answers_may_be_several_one_or_none_and_of_any_type() {
        let lead = answered(&[("message", json!(["a", "", "b", null, 7, true]))]);
        assert_eq!(lead.message, "a, b, 7, true");
        let single =
            json!({"field_data": [{"name": "message", "value": "x"}, {"name": "email", "values": [], "value": "e"}]});
        let lead = lead_from(&single, origin());
        assert_eq!((lead.message.as_str(), lead.email.as_str()), ("x", "e"));
    }

    #[test]
    fn what_the_testing_tool_sends_is_kept_whole() {
        let dummy = "<test lead: dummy data for phone_number>";
        let lead = answered(&[("phone_number", json!([dummy])), ("full_name", json!(["x".repeat(100_000)]))]);
        assert_eq!(lead.phone, dummy);
        assert_eq!(lead.name.len(), 100_000);
    }

    #[test]
    fn the_drivers_licence_question_is_known_in_any_spelling() {
        for question in [
            "when_did_you_first_receive_your_g_or_g2_driver's_licence?",
            "When did you first receive your G or G2 driver’s license",
            "G or G2 - Driver Licence (date)",
        ] {
            let received = |answer: &str| answered(&[(question, json!([answer]))]).driver_license_received;
            assert_eq!(received("less_than_1_year"), "less than 1 year", "{question}");
            assert_eq!(received("in my_own words"), "in my_own words");
        }
        assert_eq!(answered(&[("driver_licence", json!(["x"]))]).driver_license_received, "");
    }

    #[test]
    fn times_come_in_many_forms() {
        let created = |time: Value| lead_from(&json!({"created_time": time}), origin()).created_at;
        let expected = DateTime::from_timestamp(1_425_113_354, 0).unwrap();
        for time in [
            json!("2015-02-28T08:49:14+0000"),
            json!("2015-02-28T09:49:14+0100"),
            json!("2015-02-28T08:49:14Z"),
            json!("2015-02-28T09:49:14+01:00"),
            json!("2015-02-28T08:49:14.000+0000"),
            json!(1_425_113_354),
            json!("1425113354"),
            json!(1_425_113_354_000_i64),
        ] {
            assert_eq!(created(time.clone()), expected, "{time}");
        }
        let exact = created(json!("2015-02-28T08:49:14.1234567Z"));
        assert_eq!(exact, expected + chrono::TimeDelta::microseconds(123_456));
    }

    #[test]
    fn without_a_time_of_its_own_a_lead_has_the_time_it_came() {
        for time in [
            json!(null),
            json!(""),
            json!("soon"),
            json!(-1),
            json!(1.5),
            json!(i64::MAX),
            json!({}),
            json!("0001-01-01T00:00:00Z"),
            json!(u64::MAX),
        ] {
            let lead = lead_from(&json!({"created_time": time}), origin());
            assert_eq!(lead.created_at, origin().received_at, "{time}");
        }
    }

    #[test]
    fn nul_is_replaced_everywhere() {
        let lead = lead_from(
            &json!({"a\u{0}": ["\u{0}"], "field_data": [{"name": "full_name", "values": ["J\u{0}oe"]}]}),
            origin(),
        );
        assert_eq!(lead.name, "J\u{fffd}oe");
        assert_eq!(lead.meta_data["a\u{fffd}"][0], "\u{fffd}");
        assert!(!serde_json::to_string(&lead).unwrap().contains("\\u0000"));
    }

    #[test]
    fn an_object_of_another_shape_is_a_lead_without_answers() {
        for object in [
            json!(null),
            json!([]),
            json!("x"),
            json!({"field_data": {}}),
            json!({"field_data": [1, {}, null]}),
            json!({"field_data": [{"name": 1, "values": ["x"]}, {"name": "email"}, {"name": "phone", "values": null}]}),
        ] {
            let lead = lead_from(&object, origin());
            assert_eq!((lead.name.as_str(), lead.email.as_str(), lead.phone.as_str()), ("Unknown", "", ""), "{object}");
        }
    }
}
