//! What happened, in the order in which it was stored. The numbers come from one row of counters, which is locked until the
//! events that it counts are there: so whoever has read up to a number misses none below it.

use super::pool::within;
use super::{Fault, Store};
use sqlx::FromRow;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct EventRow {
    /// Its place among all.
    pub seq: i64,
    /// Its name.
    pub event_id: String,
    /// What it is.
    #[sqlx(rename = "type")]
    pub kind: String,
    /// Which stream it is about: the id of a registered one, of any other its name.
    pub public_id: Option<String>,
    /// When it was, milliseconds since 1970.
    pub at_ms: i64,
    /// More, as JSON.
    pub data: String,
}

impl Store {
    /// Adds events in their order, all or none of them, and gives them the next numbers; the number of the first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn add_events(&self, rows: &[EventRow]) -> Result<i64, Fault> {
        within(async {
            let mut work = self.pool().begin().await?;
            let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            // First in its transaction: SQLite would refuse a writer that has read before another wrote.
            let taken = sqlx::query_scalar::<_, i64>(
                "UPDATE counters SET value = value + $1 WHERE name = 'events' RETURNING value",
            );
            let last = taken.bind(count).fetch_one(&mut *work).await?;
            let first = last.saturating_sub(count).saturating_add(1);
            for (seq, row) in (first..).zip(rows) {
                let added = sqlx::query(
                    "INSERT INTO events (seq, event_id, type, public_id, at_ms, data) VALUES ($1, $2, $3, $4, $5, $6)",
                );
                let added = added.bind(seq).bind(&row.event_id).bind(&row.kind).bind(&row.public_id);
                added.bind(row.at_ms).bind(&row.data).execute(&mut *work).await?;
            }
            work.commit().await?;
            Ok(first)
        })
        .await
    }

    /// Events behind the number `after`, in their order; at most `limit`. Of all types where `types` is empty.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn events_after(&self, after: i64, types: &[&str], limit: i64) -> Result<Vec<EventRow>, Fault> {
        // One text for however many types: a type is in the list if the list is another without it.
        let list = if types.is_empty() { String::new() } else { format!(",{},", types.join(",,")) };
        let asked = sqlx::query_as(
            "SELECT seq, event_id, type, public_id, at_ms, data FROM events \
             WHERE seq > $1 AND ($2 = '' OR REPLACE($2, ',' || type || ',', '') <> $2) ORDER BY seq LIMIT $3",
        );
        within(asked.bind(after).bind(list).bind(limit).fetch_all(self.pool())).await
    }

    /// The number of the last event; 0 before the first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn last_event(&self) -> Result<i64, Fault> {
        within(sqlx::query_scalar("SELECT value FROM counters WHERE name = 'events'").fetch_one(self.pool()))
            .await
    }

    /// Forgets events of before `before_ms`, and all but the last `most`; how many.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn forget_events(&self, before_ms: i64, most: i64) -> Result<u64, Fault> {
        let forgotten = sqlx::query(
            "DELETE FROM events WHERE at_ms < $1 \
             OR seq <= (SELECT value FROM counters WHERE name = 'events') - $2",
        );
        let forgotten = within(forgotten.bind(before_ms).bind(most).execute(self.pool())).await?;
        // What was tried for events that are no more.
        let tried =
            sqlx::query("DELETE FROM deliveries WHERE seq < (SELECT COALESCE(MIN(seq), 0) FROM events)");
        within(tried.execute(self.pool())).await?;
        Ok(forgotten.rows_affected())
    }
}
