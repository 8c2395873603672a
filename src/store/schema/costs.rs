//! What is spent, and what it is held against.

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use crate::store::types::{Exact, Moment};

    api_costs (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Text,
        api_service -> Text,
        cost -> Exact,
        campaign_id -> Nullable<Text>,
        lead_id -> Nullable<Text>,
        created_at -> Moment,
        evaluated_at -> Nullable<Moment>,
        external_id -> Nullable<Text>,
    }
}

diesel::table! {
    cost_hours (account_id, agency_id, hour, api_service) {
        account_id -> Text,
        agency_id -> Text,
        hour -> BigInt,
        api_service -> Text,
        cost -> BigInt,
    }
}

diesel::table! {
    cost_hours_until (account_id, agency_id) {
        account_id -> Text,
        agency_id -> Text,
        hour -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{Bool, Integer, Nullable, Text};
    use crate::store::types::{Exact, Moment};

    cost_alert_thresholds (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Text,
        threshold_name -> Text,
        threshold_type -> Text,
        threshold_value -> Exact,
        comparison_operator -> Text,
        is_active -> Bool,
        alert_frequency_minutes -> Integer,
        look_again_at -> Nullable<Moment>,
        created_at -> Moment,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use crate::store::types::{Document, Exact, Moment};

    cost_alert_history (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Text,
        threshold_id -> Nullable<Text>,
        threshold_name -> Text,
        threshold_type -> Text,
        threshold_value -> Exact,
        alert_value -> Exact,
        severity -> Text,
        api_service -> Nullable<Text>,
        campaign_id -> Nullable<Text>,
        time_period -> Text,
        alert_data -> Document,
        window_number -> Nullable<BigInt>,
        created_at -> Moment,
        announced_at -> Nullable<Moment>,
        resolved_at -> Nullable<Moment>,
        resolution_note -> Nullable<Text>,
        resolved_by -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use crate::store::types::{Document, Exact};

    // A view.
    cost_monitoring_summary (account_id) {
        account_id -> Text,
        daily_spend -> Exact,
        hourly_spend -> Exact,
        lead_spend_24h -> Exact,
        leads_24h -> BigInt,
        campaign_spend_24h -> Exact,
        campaigns_24h -> BigInt,
        active_alerts_count -> BigInt,
        top_spending_services_today -> Document,
    }
}
