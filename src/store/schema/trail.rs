//! Who did what.

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use crate::store::types::{Document, Moment};

    audit (id) {
        id -> Text,
        at -> Moment,
        agency_id -> Nullable<Text>,
        account_id -> Nullable<Text>,
        actor -> Text,
        action -> Text,
        target -> Nullable<Text>,
        address -> Nullable<Text>,
        details -> Document,
        kept_until -> Moment,
    }
}
