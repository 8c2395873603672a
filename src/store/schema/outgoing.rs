//! Endpoints, the outbox, and what became of deliveries.

diesel::table! {
    use diesel::sql_types::{Binary, Bool, Nullable, Text};
    use crate::store::types::{Document, Moment};

    endpoints (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Nullable<Text>,
        url -> Text,
        description -> Text,
        types -> Document,
        ordered -> Bool,
        enabled -> Bool,
        disabled_reason -> Nullable<Text>,
        token -> Nullable<Binary>,
        secret -> Binary,
        previous_secret -> Nullable<Binary>,
        previous_until -> Nullable<Moment>,
        created_at -> Moment,
        updated_at -> Moment,
        source_id -> Nullable<Text>,
        created_by -> Nullable<Text>,
        changed_by -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use crate::store::types::Moment;

    endpoint_accounts (endpoint_id, account_id) {
        endpoint_id -> Text,
        account_id -> Text,
        agency_id -> Text,
        responsible -> Nullable<Text>,
        left_at -> Nullable<Moment>,
        stopped_at -> Nullable<Moment>,
        stopped_by -> Nullable<Text>,
    }
}

diesel::table! {
    subscriptions (endpoint_id, kind, account_id) {
        endpoint_id -> Text,
        #[sql_name = "type"]
        kind -> Text,
        agency_id -> Text,
        account_id -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use crate::store::types::Moment;

    outbox (id) {
        id -> BigInt,
        event_id -> Text,
        agency_id -> Text,
        account_id -> Nullable<Text>,
        #[sql_name = "type"]
        kind -> Text,
        subject -> Text,
        record_id -> Text,
        payload -> Text,
        created_at -> Moment,
        routed_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Text};
    use crate::store::types::Moment;

    replays (id) {
        id -> Text,
        endpoint_id -> Text,
        total -> BigInt,
        cancelled -> Bool,
        created_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Integer, Nullable, Text};
    use crate::store::types::Moment;

    deliveries (endpoint_id, outbox_id) {
        endpoint_id -> Text,
        outbox_id -> BigInt,
        agency_id -> Text,
        account_id -> Nullable<Text>,
        subject -> Text,
        state -> Text,
        reason -> Nullable<Text>,
        attempts -> Integer,
        failures -> Integer,
        since -> Moment,
        next_try -> Moment,
        claimed_until -> Nullable<Moment>,
        finished_at -> Nullable<Moment>,
        replay_id -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Integer, Nullable, Text};
    use crate::store::types::Moment;

    delivery_attempts (endpoint_id, outbox_id, attempt) {
        endpoint_id -> Text,
        outbox_id -> BigInt,
        attempt -> Integer,
        url -> Text,
        started_at -> Moment,
        duration_ms -> Integer,
        status -> Nullable<Integer>,
        answer -> Nullable<Text>,
        error -> Nullable<Text>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    endpoints,
    endpoint_accounts,
    subscriptions,
    outbox,
    deliveries,
    delivery_attempts,
    replays
);
