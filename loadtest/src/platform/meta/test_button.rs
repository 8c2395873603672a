//! What the "Test" buttons of Meta's App Dashboard send: authentic by signature, about nothing that exists.

/// The id that stands for page, form and lead in the leadgen test; fetching it always fails.
pub const TEST_BUTTON_ID: u64 = 444_444_444_444;

/// The leadgen test, sent at `time` (seconds since 1970). `entry.id` is "0".
#[must_use]
pub fn test_button_leadgen(time: i64) -> String {
    format!(
        concat!(
            r#"{{"object":"page","entry":[{{"id":"0","time":{time},"changes":[{{"field":"leadgen","value":"#,
            r#"{{"ad_id":"444444444","form_id":"444444444444","leadgen_id":"444444444444","created_time":{time},"#,
            r#""page_id":"444444444444","adgroup_id":"44444444444"}}}}]}}]}}"#
        ),
        time = time
    )
}

/// The messages test: it comes as `changes`, although real messages come as `messaging`.
#[must_use]
pub fn test_button_messages(time: i64) -> String {
    format!(
        r#"{{"entry":[{{"changes":[{{"field":"messages","value":{{"page_id":"1067280970047460"}}}}],"id":"0","time":{time}}}],"object":"page"}}"#
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn both_are_json_with_entry_id_zero() {
        for body in [test_button_leadgen(1_588_890_044), test_button_messages(1_517_005_945)] {
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["entry"][0]["id"], "0");
        }
    }
}
