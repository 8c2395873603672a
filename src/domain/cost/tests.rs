use serde_json::json;

use super::*;

fn at() -> Timestamp {
    "2026-11-21T21:52:35.727Z".parse().unwrap()
}

fn threshold(kind: &str, comparison: Comparison, value: &str) -> Threshold {
    Threshold {
        id: ThresholdId::generate(),
        agency: AgencyId::generate(),
        account: AccountId::generate(),
        name: format!("{kind}_limit"),
        kind: kind.to_owned(),
        value: amount(value),
        comparison,
        is_active: true,
        quiet_minutes: 60,
        created_at: at(),
        updated_at: at(),
    }
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn services(of: &[(&str, &str)]) -> BTreeMap<String, Amount> {
    of.iter().map(|(name, cost)| ((*name).to_owned(), amount(cost))).collect()
}

fn hour(of: &[(&str, &str, i64)]) -> BTreeMap<String, Paid> {
    of.iter().map(|(name, cost, count)| ((*name).to_owned(), Paid { cost: amount(cost), count: *count })).collect()
}

/// A day of half a dollar an hour, and 55 dollars now.
fn a_dear_hour() -> Spending {
    Spending {
        today: services(&[("google_places", "55.5"), ("hunter_io", "0.25")]),
        last_hour: hour(&[("google_places", "55", 1)]),
        hours_before: Paid { cost: amount("3"), count: 6 },
        leads: Paid { cost: amount("0.5"), count: 3 },
        campaigns: services(&[("cmp_1", "1.5"), ("cmp_2", "55")]),
    }
}

#[test]
fn each_type_finds_its_own_value() {
    let limits = CallLimits::from([("hunter_io".into(), 500), ("google_places".into(), 8), ("idle".into(), 1)]);
    for (kind, wanted) in [
        ("daily_spend", Some("55.75")),
        ("cost_per_lead", Some("0.1667")),
        ("rate_limit", Some("12.5")),
        ("anomaly", Some("110")),
        ("daily_spend_threshold", None),
        ("", None),
    ] {
        let found = judge(&threshold(kind, Comparison::AtLeast, "0"), &a_dear_hour(), &limits, at());
        assert_eq!(found.map(|found| found.value), wanted.map(amount), "{kind}");
    }
}

#[test]
fn where_there_is_nothing_to_look_at_there_is_no_alert_but_of_a_day_without_costs() {
    let nothing = Spending::default();
    for (kind, limits, alerts) in [
        ("daily_spend", CallLimits::new(), true),
        ("cost_per_lead", CallLimits::new(), false),
        ("rate_limit", CallLimits::new(), false),
        ("rate_limit", CallLimits::from([("hunter_io".into(), 0)]), false),
        ("rate_limit", CallLimits::from([("hunter_io".into(), 1)]), true),
        ("anomaly", CallLimits::new(), false),
    ] {
        let found = judge(&threshold(kind, Comparison::AtMost, "1"), &nothing, &limits, at());
        assert_eq!(found.is_some(), alerts, "{kind}");
    }
    let inactive = Threshold { is_active: false, ..threshold("daily_spend", Comparison::AtMost, "1") };
    assert!(judge(&inactive, &nothing, &CallLimits::new(), at()).is_none());
}

#[test]
fn every_operator_is_exact() {
    use Comparison::{Above, AtLeast, AtMost, Below, Equal};
    for (found, holds) in [
        ("49.9999", [false, false, true, true, false]),
        ("50", [false, true, false, true, true]),
        ("50.0001", [true, true, false, false, false]),
    ] {
        let spending = Spending { today: services(&[("a", found)]), ..Spending::default() };
        for (comparison, holds) in [Above, AtLeast, Below, AtMost, Equal].into_iter().zip(holds) {
            let found = judge(&threshold("daily_spend", comparison, "50"), &spending, &CallLimits::new(), at());
            assert_eq!(found.is_some(), holds, "{found:?} {comparison}");
        }
    }
}

#[test]
fn an_alert_is_critical_beyond_half_as_much_again() {
    for (found, severity) in [("75", Severity::Warning), ("75.0001", Severity::Critical)] {
        let spending = Spending { today: services(&[("a", found)]), ..Spending::default() };
        let found = judge(&threshold("daily_spend", Comparison::Above, "50"), &spending, &CallLimits::new(), at());
        assert_eq!(found.unwrap().severity, severity);
    }
    let spending = Spending { today: services(&[("a", "1")]), ..Spending::default() };
    let found = judge(&threshold("daily_spend", Comparison::Below, "50"), &spending, &CallLimits::new(), at());
    assert_eq!(found.unwrap().severity, Severity::Warning);
}

#[test]
fn alerts_have_the_origins_shape_and_the_keys_of_its_document() {
    let limits = CallLimits::from([("google_places".into(), 1)]);
    let said = |kind, value| judge(&threshold(kind, Comparison::Above, value), &a_dear_hour(), &limits, at()).unwrap();
    let daily = said("daily_spend", "50");
    assert_eq!(
        daily.payload,
        json!({
            "alert_data": {
                "date": "2026-11-21",
                "api_breakdown": {"google_places": 55.5, "hunter_io": 0.25},
                "total_daily_spend": 55.75,
            },
            "alert_type": "daily_spend_threshold", "trigger_time": "2026-11-21T21:52:35.727Z",
            "current_value": 55.75, "trigger_event": "cost_threshold_exceeded",
            "threshold_name": "daily_spend_limit", "threshold_value": 50.0, "comparison_operator": ">",
            "threshold_exceeded_by": 5.75, "time_period": "daily",
            "alert_metadata": {
                "campaign_ids": ["cmp_2", "cmp_1"], "top_cost_apis": ["google_places", "hunter_io"],
                "alert_triggered_at": "2026-11-21T21:52:35.727Z",
            },
        })
    );
    assert_eq!((daily.time_period, daily.api_service, daily.campaign), ("daily", None, None));

    let anomaly = said("anomaly", "3");
    let (payload, data) = (&anomaly.payload, &anomaly.payload["alert_data"]);
    assert_eq!((&payload["alert_type"], &payload["current_value"]), (&json!("spending_anomaly"), &json!(55.0)));
    assert_eq!((&payload["anomaly_multiplier"], &payload["threshold_multiplier"]), (&json!(110.0), &json!(3.0)));
    assert_eq!((&payload["average_value"], &data["average_hourly_spend"]), (&json!(0.5), &json!(0.5)));
    assert_eq!((anomaly.api_service.as_deref(), anomaly.severity), (Some("google_places"), Severity::Critical));

    let lead = said("cost_per_lead", "0.1");
    let data = &lead.payload["alert_data"];
    assert_eq!((&data["recent_cost_per_lead"], &data["leads"]), (&json!(0.1667), &json!(3)));
    assert_eq!((&data["recent_cost_per_campaign"], &data["campaigns"]), (&json!(28.25), &json!(2)));

    let rate = said("rate_limit", "80");
    let data = &rate.payload["alert_data"];
    assert_eq!((&data["calls_last_hour"], &data["calls_per_hour"]), (&json!(1), &json!(1)));
    assert_eq!((rate.api_service.as_deref(), rate.severity), (Some("google_places"), Severity::Warning));
}

#[test]
fn an_amount_is_exact_survives_its_text_and_has_its_bounds() {
    for (text, parts) in [("0.1", 1000), ("-0.00005", -1), ("55.0000", 550_000), ("99999999.9999", 999_999_999_999)] {
        assert_eq!(text.parse(), Ok(Amount(parts)), "{text}");
        assert_eq!(Amount(parts).to_string().parse(), Ok(Amount(parts)), "{text}");
        assert_eq!(Amount::from_f64(Amount(parts).to_f64()), Amount(parts));
    }
    for text in ["100000000", "-100000000", "NaN", "inf", "", "1,5"] {
        assert_eq!(text.parse::<Amount>(), Err(ParseAmountError), "{text}");
    }
    let tenths: Amount = std::iter::repeat_n(amount("0.1"), 1_000_000).sum();
    assert_eq!(serde_json::to_string(&tenths).unwrap(), "100000.0");
    for (number, by, wanted) in
        [(1, 3, Some(3333)), (2, 3, Some(6667)), (-1, 3, Some(-3333)), (1, 0, None), (1, -1, None)]
    {
        assert_eq!(Amount::ratio(number, by), wanted.map(Amount), "{number} / {by}");
    }
    assert_eq!(Amount::ratio(i64::MAX, 1), Some(Amount(100_000_000_000_000_000)));
}

#[test]
fn words_survive_their_text() {
    assert!(ThresholdKind::ALL.iter().all(|word| word.as_str().parse() == Ok(*word)));
    assert!(Comparison::ALL.iter().all(|word| word.as_str().parse() == Ok(*word)));
    let error = "!=".parse::<Comparison>().unwrap_err().to_string();
    assert_eq!(error, "`!=` is none of >, >=, <, <=, =");
}
