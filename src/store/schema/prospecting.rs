//! The tables of prospecting. Money is `NUMERIC` on PostgreSQL: written as a float, and cast where it is read.

diesel::table! {
    use diesel::sql_types::{BigInt, Double, Nullable, Text};

    campaigns (id) {
        id -> Text,
        agency_id -> Text,
        account_id -> Text,
        target_count -> Nullable<BigInt>,
        status -> Text,
        leads_found -> BigInt,
        total_cost -> Double,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Double, Nullable, Text};
    use crate::store::types::Moment;

    campaign_processing_status (campaign_id) {
        campaign_id -> Text,
        agency_id -> Text,
        account_id -> Text,
        status -> Text,
        total_leads -> BigInt,
        processed_leads -> BigInt,
        qualified_leads -> BigInt,
        error_leads -> BigInt,
        processing_cost -> Double,
        started_at -> Nullable<Moment>,
        completed_at -> Nullable<Moment>,
        estimated_completion -> Nullable<Moment>,
        current_stage -> Nullable<Text>,
        stage_progress -> Double,
        updated_at -> Moment,
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
    }
}

diesel::table! {
    use diesel::sql_types::{Bool, Double, Nullable, Text};
    use crate::store::types::{Document, Moment};

    /// The same rows: what an enrichment leaves there when it ends. A table has 32 columns at most here.
    #[sql_name = "enhanced_leads"]
    enriched_leads (id) {
        id -> Text,
        website_validated -> Nullable<Bool>,
        email_validated -> Nullable<Bool>,
        processing_cost -> Nullable<Double>,
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
