//! The tables, once for both engines. Kept by hand: no tool knows the types that stand for both.

mod costs;
mod outgoing;
mod prospecting;
mod trail;

pub use costs::*;
pub use outgoing::*;
pub use prospecting::*;
pub use trail::*;

diesel::table! {
    use diesel::sql_types::Text;
    use crate::store::types::Moment;

    agencies (id) {
        id -> Text,
        name -> Text,
        created_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::{Bool, Integer, Nullable, Text};
    use crate::store::types::Moment;

    accounts (id) {
        id -> Text,
        agency_id -> Text,
        name -> Text,
        created_at -> Moment,
        enrich_leads -> Bool,
        quality_threshold -> Nullable<Integer>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Text};
    use crate::store::types::Moment;

    users (id) {
        id -> Text,
        agency_id -> Text,
        email -> Text,
        name -> Text,
        password_hash -> Text,
        disabled -> Bool,
        token_epoch -> BigInt,
        created_at -> Moment,
    }
}

diesel::table! {
    memberships (user_id, account_id) {
        user_id -> Text,
        account_id -> Text,
        agency_id -> Text,
        role -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Bool, Nullable, Text};
    use crate::store::types::Moment;

    sources (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Text,
        kind -> Text,
        external_id -> Text,
        name -> Text,
        token -> Binary,
        app_secrets -> Binary,
        verify_token -> Nullable<Binary>,
        enabled -> Bool,
        created_at -> Moment,
        api_url -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable, Text};
    use crate::store::types::Moment;

    api_keys (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Nullable<Text>,
        role -> Text,
        name -> Text,
        key_hash -> Binary,
        created_at -> Moment,
        responsible -> Nullable<Text>,
        left_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Bool, Nullable, Text};
    use crate::store::types::Moment;

    issuers (id) {
        id -> Text,
        agency_id -> Text,
        iss -> Text,
        audience -> Nullable<Text>,
        trust_email -> Bool,
        secret -> Nullable<Binary>,
        jwks_url -> Nullable<Text>,
        created_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use crate::store::types::Moment;

    revoked_tokens (jti) {
        jti -> Text,
        expires_at -> Moment,
    }
}

diesel::table! {
    directory_version (id) {
        id -> Integer,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Date, Nullable, Text};
    use crate::store::types::{Document, Moment};

    leads (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Text,
        source_id -> Nullable<Text>,
        meta_lead_id -> Nullable<Text>,
        meta_user_id -> Nullable<Text>,
        name -> Text,
        phone -> Text,
        email -> Text,
        message -> Text,
        #[sql_name = "type"]
        kind -> Text,
        status -> Text,
        potential_status -> Text,
        notes -> Text,
        is_manual -> Bool,
        premium -> BigInt,
        renewal_date -> Nullable<Date>,
        insurance_type -> Nullable<Text>,
        policy_term -> Nullable<Text>,
        visa_type -> Nullable<Text>,
        coverage -> Nullable<BigInt>,
        trip_start -> Nullable<Date>,
        trip_end -> Nullable<Date>,
        last_sync -> Nullable<Moment>,
        sync_status -> Text,
        sync_signal -> Nullable<Text>,
        driver_license_received -> Text,
        created_at -> Moment,
        updated_at -> Moment,
        meta_data -> Nullable<Document>,
        first_seen_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};
    use crate::store::types::Moment;

    chats (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Text,
        source_id -> Text,
        account_type -> Text,
        platform_id -> Text,
        provider_id -> Text,
        name -> Nullable<Text>,
        named_at -> Nullable<Moment>,
        timestamp -> Moment,
        last_message -> Nullable<Text>,
        unread_count -> BigInt,
        read_up_to -> Nullable<Moment>,
        seen_up_to -> Nullable<Moment>,
        delivered_up_to -> Nullable<Moment>,
        is_ignored -> Bool,
        assist_mode -> Text,
        assignee -> Nullable<Text>,
        created_at -> Moment,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::{Bool, Nullable, Text};
    use crate::store::types::{Document, Moment};

    messages (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Text,
        chat_id -> Text,
        platform_id -> Text,
        provider_id -> Text,
        sender_id -> Nullable<Text>,
        sender_attendee_id -> Nullable<Text>,
        sender_name -> Nullable<Text>,
        text -> Nullable<Text>,
        original -> Nullable<Text>,
        attachments -> Document,
        timestamp -> Moment,
        is_sender -> Bool,
        reactions -> Document,
        seen -> Bool,
        delivered -> Bool,
        seen_by -> Nullable<Document>,
        hidden -> Bool,
        is_event -> Bool,
        sent_by_autopilot -> Bool,
        edited_at -> Nullable<Moment>,
        deleted_at -> Nullable<Moment>,
        details -> Document,
        created_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::{Integer, Nullable, Text};
    use crate::store::types::Moment;

    sends (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Text,
        chat_id -> Text,
        source_id -> Text,
        client_id -> Text,
        text -> Text,
        by_user -> Nullable<Text>,
        state -> Text,
        reason_code -> Nullable<Text>,
        reason -> Nullable<Text>,
        message_id -> Nullable<Text>,
        platform_id -> Nullable<Text>,
        attempts -> Integer,
        next_try -> Moment,
        tried_at -> Nullable<Moment>,
        created_at -> Moment,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use crate::store::types::{Document, Moment};

    message_changes (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Text,
        waits_for -> Text,
        change -> Document,
        received_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::{Bool, Nullable, Text};
    use crate::store::types::{Document, Moment};

    erasures (account_id, subject) {
        agency_id -> Text,
        account_id -> Text,
        thing -> Text,
        subject -> Text,
        until -> Nullable<Moment>,
        traces -> Document,
        told -> Bool,
        erased_at -> Moment,
        finished_at -> Nullable<Moment>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(messages, sends);
diesel::allow_tables_to_appear_in_same_query!(accounts, enrichments);
