//! How far a source was read at its platform: what happened until then is in the inbox.

use diesel::{OptionalExtension, QueryDsl, RunQueryDsl, SqliteConnection};

use super::{Inbox, InboxError, schema::synced};
use crate::domain::{SourceId, Timestamp, clock};

impl Inbox {
    /// Until when; `None` if it never was.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn synced(&self, source: SourceId) -> Result<Option<Timestamp>, InboxError> {
        let up_to = self.read(move |c| {
            synced::table.find(source.to_bytes().to_vec()).select(synced::up_to).first::<i64>(c).optional()
        });
        Ok(up_to.await?.map(clock::from_micros))
    }

    /// It was read until then, or further already.
    ///
    /// # Errors
    /// If it could not be written.
    pub async fn set_synced(&self, source: SourceId, up_to: Timestamp) -> Result<(), InboxError> {
        let (source, up_to) = (source.to_bytes(), up_to.timestamp_micros());
        let change = move |c: &mut SqliteConnection| {
            diesel::sql_query(
                "INSERT INTO synced VALUES (?, ?) \
                 ON CONFLICT (source) DO UPDATE SET up_to = max(up_to, excluded.up_to)",
            )
            .bind::<diesel::sql_types::Binary, _>(&source[..])
            .bind::<diesel::sql_types::BigInt, _>(up_to)
            .execute(c)?;
            Ok(())
        };
        self.writer.write(1, change).await
    }
}
