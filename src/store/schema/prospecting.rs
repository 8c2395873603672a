//! The tables of prospecting.

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use crate::store::types::{Document, Exact, Moment};

    campaigns (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Text,
        name -> Text,
        user_id -> Nullable<Text>,
        search_query -> Nullable<Text>,
        location -> Nullable<Text>,
        business_type -> Nullable<Text>,
        target_count -> Nullable<BigInt>,
        budget_limit -> Nullable<Exact>,
        status -> Text,
        status_reason -> Nullable<Text>,
        leads_found -> BigInt,
        total_cost -> Exact,
        created_at -> Moment,
        external_id -> Nullable<Text>,
        exported_at -> Nullable<Moment>,
        export_metadata -> Nullable<Document>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use crate::store::types::{Exact, Moment};

    campaign_processing_status (campaign_id) {
        campaign_id -> Text,
        agency_id -> Text,
        account_id -> Text,
        status -> Text,
        total_leads -> BigInt,
        processed_leads -> BigInt,
        qualified_leads -> BigInt,
        error_leads -> BigInt,
        processing_cost -> Exact,
        started_at -> Nullable<Moment>,
        completed_at -> Nullable<Moment>,
        estimated_completion -> Nullable<Moment>,
        current_stage -> Nullable<Text>,
        stage_progress -> Exact,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use crate::store::types::{Document, Moment};

    campaign_lifecycle_log (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Text,
        campaign_id -> Text,
        lifecycle_event -> Text,
        previous_state -> Nullable<Text>,
        new_state -> Text,
        event_data -> Document,
        triggered_by -> Text,
        created_at -> Moment,
        processed_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Text};
    use crate::store::types::Moment;

    campaign_exports (campaign_id, name) {
        campaign_id -> Text,
        agency_id -> Text,
        account_id -> Text,
        name -> Text,
        content -> Binary,
        size -> BigInt,
        made_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Double, Integer, Nullable, Text};
    use crate::store::types::Moment;

    enhanced_leads (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Text,
        campaign_id -> Nullable<Text>,
        lead_id -> Nullable<Text>,
        name -> Text,
        address -> Nullable<Text>,
        city -> Nullable<Text>,
        state -> Nullable<Text>,
        postal_code -> Nullable<Text>,
        country -> Nullable<Text>,
        source -> Nullable<Text>,
        phone -> Nullable<Text>,
        website -> Nullable<Text>,
        category -> Nullable<Text>,
        email -> Nullable<Text>,
        owner_name -> Nullable<Text>,
        owner_title -> Nullable<Text>,
        owner_email -> Nullable<Text>,
        google_place_id -> Nullable<Text>,
        rating -> Nullable<Double>,
        review_count -> Nullable<BigInt>,
        registry_validated -> Nullable<Bool>,
        is_nonprofit -> Nullable<Bool>,
        status -> Text,
        processing_stage -> Nullable<Text>,
        confidence_score -> Nullable<Integer>,
        pre_validation_score -> Nullable<Integer>,
        is_qualified -> Nullable<Bool>,
        created_at -> Moment,
        updated_at -> Moment,
        external_id -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{Bool, Nullable, Text};
    use crate::store::types::{Document, Exact, Moment};

    /// The same rows: what an enrichment leaves there when it ends. A table has 32 columns at most here.
    #[sql_name = "enhanced_leads"]
    enriched_leads (id) {
        id -> Text,
        website_validated -> Nullable<Bool>,
        email_validated -> Nullable<Bool>,
        processing_cost -> Nullable<Exact>,
        enrichment_completed_at -> Nullable<Moment>,
        enrichment_data -> Nullable<Document>,
        error_message -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{Double, Integer, Nullable, Text};
    use crate::store::types::{Document, Moment};

    enrichments (lead_id) {
        lead_id -> Text,
        agency_id -> Text,
        account_id -> Text,
        run -> Integer,
        stage -> Integer,
        results -> Document,
        cost -> Double,
        attempts -> Integer,
        next_try -> Moment,
        claimed_until -> Nullable<Moment>,
        finished_at -> Nullable<Moment>,
        reason -> Nullable<Text>,
        counted_as -> Nullable<Text>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(enhanced_leads, enrichments);
diesel::allow_tables_to_appear_in_same_query!(campaigns, campaign_processing_status);
