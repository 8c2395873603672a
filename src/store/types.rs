//! Column types that mean the same on both engines: ids and words as text, moments, JSON, exact figures.
//!
//! Diesel's own time and JSON types exist for one engine only, or differ between them, and so can't share a schema.

use std::{fmt, io::Write, str::FromStr};

use chrono::{DateTime, Utc};
use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue, data_types::PgNumeric},
    query_builder::QueryId,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{BigInt, Double, Numeric, SqlType, Text, Timestamptz},
    sqlite::{Sqlite, SqliteValue},
};
use serde_json::Value;

use crate::domain::{Timestamp, cost::Amount};

/// SQL: `TIMESTAMPTZ`, or an integer of microseconds since 1970.
#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185))]
#[diesel(sqlite_type(name = "Long"))]
pub struct Moment;

/// SQL: `JSONB`, or JSON as text.
#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 3802, array_oid = 3807))]
#[diesel(sqlite_type(name = "Text"))]
pub struct Document;

/// A [`Timestamp`] in a [`Moment`] column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Moment)]
pub struct At(pub Timestamp);

impl ToSql<Moment, Pg> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <DateTime<Utc> as ToSql<Timestamptz, Pg>>::to_sql(&self.0, out)
    }
}

impl FromSql<Moment, Pg> for At {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        <DateTime<Utc> as FromSql<Timestamptz, Pg>>::from_sql(value).map(Self)
    }
}

impl ToSql<Moment, Sqlite> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.timestamp_micros());
        Ok(IsNull::No)
    }
}

impl FromSql<Moment, Sqlite> for At {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let micros = <i64 as FromSql<BigInt, Sqlite>>::from_sql(value)?;
        DateTime::from_timestamp_micros(micros).map(Self).ok_or_else(|| "a moment out of range".into())
    }
}

/// A [`Value`] in a [`Document`] column.
#[derive(Debug, Clone, PartialEq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Document)]
pub struct Json(pub Value);

impl ToSql<Document, Pg> for Json {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        // The version of the binary form, which is followed by the text.
        out.write_all(&[1])?;
        serde_json::to_writer(out, &self.0)?;
        Ok(IsNull::No)
    }
}

impl FromSql<Document, Pg> for Json {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        match value.as_bytes().split_first() {
            Some((1, text)) => Ok(Self(serde_json::from_slice(text)?)),
            _ => Err("an unknown version of jsonb".into()),
        }
    }
}

impl ToSql<Document, Sqlite> for Json {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(serde_json::to_string(&self.0)?);
        Ok(IsNull::No)
    }
}

impl FromSql<Document, Sqlite> for Json {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
        Ok(Self(serde_json::from_str(&text)?))
    }
}

/// SQL: `NUMERIC`, or `REAL`, which holds every amount to its last part; sums are made elsewhere.
#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[diesel(postgres_type(oid = 1700, array_oid = 1231))]
#[diesel(sqlite_type(name = "Double"))]
pub struct Exact;

/// An [`Amount`] in an [`Exact`] column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Exact)]
pub struct Figure(pub Amount);

impl ToSql<Exact, Pg> for Figure {
    /// Digits are to the base of 10,000: the last one is the parts.
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let mut rest = self.0.0.unsigned_abs();
        let mut digits = Vec::new();
        while rest > 0 {
            digits.insert(0, i16::try_from(rest % 10_000)?);
            rest /= 10_000;
        }
        let (weight, scale) = (i16::try_from(digits.len())? - 2, 4);
        let numeric = if self.0.0 < 0 {
            PgNumeric::Negative { weight, scale, digits }
        } else {
            PgNumeric::Positive { weight, scale, digits }
        };
        <PgNumeric as ToSql<Numeric, Pg>>::to_sql(&numeric, &mut out.reborrow())
    }
}

impl FromSql<Exact, Pg> for Figure {
    /// What is finer than a part is cut off.
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let (weight, digits, sign) = match <PgNumeric as FromSql<Numeric, Pg>>::from_sql(value)? {
            PgNumeric::Positive { weight, digits, .. } => (weight, digits, 1),
            PgNumeric::Negative { weight, digits, .. } => (weight, digits, -1),
            PgNumeric::NaN => (0, Vec::new(), 1),
        };
        let places = usize::try_from(i32::from(weight) + 2).unwrap_or(0);
        let mut digits = digits.into_iter().chain(std::iter::repeat(0)).take(places);
        let parts = digits.try_fold(0_i64, |parts, digit| parts.checked_mul(10_000)?.checked_add(digit.into()));
        Ok(Self(Amount(sign * parts.ok_or("an amount out of range")?)))
    }
}

impl ToSql<Exact, Sqlite> for Figure {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.to_f64());
        Ok(IsNull::No)
    }
}

impl FromSql<Exact, Sqlite> for Figure {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(Amount::from_f64(<f64 as FromSql<Double, Sqlite>>::from_sql(value)?)))
    }
}

/// What has a text form that it can be read back from, in a text column: an id, a role, a kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub struct Word<T: fmt::Debug>(pub T);

impl<T: fmt::Debug + fmt::Display> ToSql<Text, Pg> for Word<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        write!(out, "{}", self.0)?;
        Ok(IsNull::No)
    }
}

impl<T: fmt::Debug + fmt::Display> ToSql<Text, Sqlite> for Word<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.to_string());
        Ok(IsNull::No)
    }
}

impl<T> FromSql<Text, Pg> for Word<T>
where
    T: fmt::Debug + FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(std::str::from_utf8(value.as_bytes())?.parse()?))
    }
}

impl<T> FromSql<Text, Sqlite> for Word<T>
where
    T: fmt::Debug + FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(<String as FromSql<Text, Sqlite>>::from_sql(value)?.parse()?))
    }
}
