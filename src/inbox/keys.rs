//! Keys: what stays of a finished event when its record is gone, so that a redelivery is known.

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection,
    dsl::{exists, select},
    sql_query,
    sql_types::{BigInt, Binary},
};

use super::{
    Inbox, InboxError,
    prune::{LOOKED_AT, ROUND},
    schema::keys,
};

#[derive(QueryableByName)]
struct Key {
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    hour: i64,
}

impl Inbox {
    /// Keys have no order of time; a round goes on where the last one ended.
    pub(super) async fn remove_keys(&self, before: i64, after: &mut Vec<u8>) -> Result<usize, InboxError> {
        let (mut removed, mut looked_at) = (0, 0);
        while looked_at < ROUND {
            let from = after.clone();
            let keys: Vec<Key> = self
                .survey
                .read(move |c| {
                    let keys = sql_query("SELECT id, hour FROM keys WHERE id > ? ORDER BY id LIMIT ?");
                    keys.bind::<Binary, _>(&from).bind::<BigInt, _>(LOOKED_AT).load(c)
                })
                .await?;
            let Some(last) = keys.last() else {
                after.clear();
                break;
            };
            (*after, looked_at) = (last.id.clone(), looked_at + LOOKED_AT);
            let old: Vec<Vec<u8>> = keys.into_iter().filter(|key| key.hour < before).map(|key| key.id).collect();
            for portion in old.chunks(500).map(<[_]>::to_vec) {
                let change = move |c: &mut SqliteConnection| {
                    let one =
                        |id: &Vec<u8>| sql_query("DELETE FROM keys WHERE id = ?").bind::<Binary, _>(id).execute(c);
                    portion.iter().map(one).sum::<QueryResult<usize>>()
                };
                removed += self.writer.write(500, change).await?;
            }
        }
        Ok(removed)
    }
}

/// Whether an event is finished and its record gone.
pub(super) fn has_key(c: &mut SqliteConnection, id: &[u8]) -> QueryResult<bool> {
    select(exists(keys::table.filter(keys::id.eq(id)))).get_result(c)
}
