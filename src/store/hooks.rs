//! Webhooks: where events are sent, how far each has come, and what was tried. The queue of a hook is the events behind the
//! number up to which it has come, so nothing has to be written for it when an event happens.

use super::pool::within;
use super::{Fault, Store};
use sqlx::FromRow;
use std::fmt;

/// One webhook.
#[derive(Clone, Default, PartialEq, Eq, FromRow)]
pub struct HookRow {
    /// Its name.
    pub hook_id: String,
    /// Where events are sent.
    pub url: String,
    /// Which, separated by commas; all where empty.
    pub types: String,
    /// What they are signed with. It has to be known to sign, so it is stored as it is.
    pub secret: String,
    /// Whether anything is sent: 0 or 1.
    pub enabled: i64,
    /// Why it was switched off; empty if nobody did, or the operator.
    pub why: String,
    /// The number of the last event that it is done with.
    pub after_seq: i64,
    /// Since when nothing has been taken, milliseconds since 1970, as all times here.
    pub failing_since_ms: Option<i64>,
    /// When it was made.
    pub created_ms: i64,
}

impl fmt::Debug for HookRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the secret nor the address, which may hold one.
        write!(f, "HookRow({} {:?} {} {})", self.hook_id, self.types, self.enabled, self.after_seq)
    }
}

/// What became of one event at one hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct DeliveryRow {
    /// The hook.
    pub hook_id: String,
    /// The event.
    pub seq: i64,
    /// How often it was sent.
    pub tries: i64,
    /// When it is sent again; 0 once it is done.
    pub next_ms: i64,
    /// When it was taken.
    pub done_ms: Option<i64>,
    /// The last answer.
    pub status: Option<i64>,
    /// Why it was not taken.
    pub why: String,
}

/// A statement about all columns of hooks.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT hook_id, url, types, secret, enabled, why, after_seq, failing_since_ms, created_ms FROM hooks ",
            $rest
        )
    };
}

impl Store {
    /// Adds a hook; it begins behind the last event.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn add_hook(&self, row: &HookRow) -> Result<(), Fault> {
        let added = sqlx::query(
            "INSERT INTO hooks (hook_id, url, types, secret, enabled, why, created_ms, holder, lease_ms, after_seq) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, '', 0, (SELECT value FROM counters WHERE name = 'events'))",
        );
        let added = added.bind(&row.hook_id).bind(&row.url).bind(&row.types).bind(&row.secret);
        let added = added.bind(row.enabled).bind(&row.why).bind(row.created_ms);
        within(added.execute(self.pool())).await.map(drop)
    }

    /// The hooks behind `after`, by name; at most `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn hooks(&self, after: &str, limit: i64) -> Result<Vec<HookRow>, Fault> {
        let asked = sqlx::query_as(select!("WHERE hook_id > $1 ORDER BY hook_id LIMIT $2"));
        within(asked.bind(after).bind(limit).fetch_all(self.pool())).await
    }

    /// One hook.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn hook(&self, hook_id: &str) -> Result<Option<HookRow>, Fault> {
        let asked = sqlx::query_as(select!("WHERE hook_id = $1"));
        within(asked.bind(hook_id).fetch_optional(self.pool())).await
    }

    /// Writes what the operator may change of a hook, and how it fails; whether there is such a hook.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn change_hook(&self, row: &HookRow) -> Result<bool, Fault> {
        let changed = sqlx::query(
            "UPDATE hooks SET url = $1, types = $2, secret = $3, enabled = $4, why = $5, failing_since_ms = $6 \
             WHERE hook_id = $7",
        );
        let changed = changed.bind(&row.url).bind(&row.types).bind(&row.secret).bind(row.enabled);
        let changed = changed.bind(&row.why).bind(row.failing_since_ms).bind(&row.hook_id);
        Ok(within(changed.execute(self.pool())).await?.rows_affected() > 0)
    }

    /// What waits for a hook is sent at once; its tries begin anew.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn hasten_hook(&self, hook_id: &str) -> Result<(), Fault> {
        let again = sqlx::query(
            "UPDATE deliveries SET next_ms = 0, tries = 0 WHERE hook_id = $1 AND done_ms IS NULL",
        );
        within(again.bind(hook_id).execute(self.pool())).await.map(drop)
    }

    /// Removes a hook with all that was tried for it; whether there was one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn remove_hook(&self, hook_id: &str) -> Result<bool, Fault> {
        within(async {
            let mut work = self.pool().begin().await?;
            let removed = sqlx::query("DELETE FROM hooks WHERE hook_id = $1").bind(hook_id);
            let removed = removed.execute(&mut *work).await?.rows_affected();
            let tried = sqlx::query("DELETE FROM deliveries WHERE hook_id = $1").bind(hook_id);
            tried.execute(&mut *work).await?;
            work.commit().await?;
            Ok(removed > 0)
        })
        .await
    }

    /// Makes `holder` the only one who sends to a hook until `until_ms`, unless another is until after `now_ms`; whether it is.
    /// Until 0 gives it back.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn hold_hook(
        &self,
        hook_id: &str,
        holder: &str,
        until_ms: i64,
        now_ms: i64,
    ) -> Result<bool, Fault> {
        let held = sqlx::query(
            "UPDATE hooks SET holder = $1, lease_ms = $2 WHERE hook_id = $3 AND (holder = $1 OR lease_ms < $4)",
        );
        let held = held.bind(holder).bind(until_ms).bind(hook_id).bind(now_ms);
        Ok(within(held.execute(self.pool())).await?.rows_affected() > 0)
    }

    /// What was tried of one event.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn delivery(&self, hook_id: &str, seq: i64) -> Result<Option<DeliveryRow>, Fault> {
        let asked = sqlx::query_as(
            "SELECT hook_id, seq, tries, next_ms, done_ms, status, why FROM deliveries WHERE hook_id = $1 AND seq = $2",
        );
        within(asked.bind(hook_id).bind(seq).fetch_optional(self.pool())).await
    }

    /// What was tried, the newest first, before the number `before`; at most `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn deliveries(
        &self,
        hook_id: &str,
        before: i64,
        limit: i64,
    ) -> Result<Vec<DeliveryRow>, Fault> {
        let asked = sqlx::query_as(
            "SELECT hook_id, seq, tries, next_ms, done_ms, status, why FROM deliveries \
             WHERE hook_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3",
        );
        within(asked.bind(hook_id).bind(before).bind(limit).fetch_all(self.pool())).await
    }

    /// Writes what came of one try, and how far the hook has come by it: past the event if it was taken.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn note_delivery(&self, row: &DeliveryRow, failing_since_ms: Option<i64>) -> Result<(), Fault> {
        within(async {
            let mut work = self.pool().begin().await?;
            let hook = match row.done_ms {
                Some(_) => sqlx::query(
                    "UPDATE hooks SET failing_since_ms = $1, after_seq = $2 WHERE hook_id = $3 AND after_seq < $2",
                ),
                None => sqlx::query("UPDATE hooks SET failing_since_ms = $1 WHERE hook_id = $3 AND after_seq < $2"),
            };
            let hook = hook.bind(failing_since_ms).bind(row.seq).bind(&row.hook_id);
            // A hook that was removed meanwhile leaves nothing.
            if hook.execute(&mut *work).await?.rows_affected() > 0 {
                let noted = sqlx::query(
                    "INSERT INTO deliveries (hook_id, seq, tries, next_ms, done_ms, status, why) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7) \
                     ON CONFLICT (hook_id, seq) DO UPDATE SET tries = excluded.tries, next_ms = excluded.next_ms, \
                     done_ms = excluded.done_ms, status = excluded.status, why = excluded.why",
                );
                let noted = noted.bind(&row.hook_id).bind(row.seq).bind(row.tries).bind(row.next_ms);
                noted.bind(row.done_ms).bind(row.status).bind(&row.why).execute(&mut *work).await?;
            }
            work.commit().await?;
            Ok(())
        })
        .await
    }

    /// The hook is done with everything up to `seq`, of which nothing was for it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn pass_hook(&self, hook_id: &str, seq: i64) -> Result<(), Fault> {
        let passed = sqlx::query("UPDATE hooks SET after_seq = $1 WHERE hook_id = $2 AND after_seq < $1");
        within(passed.bind(seq).bind(hook_id).execute(self.pool())).await.map(drop)
    }
}
