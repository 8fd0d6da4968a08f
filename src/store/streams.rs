//! Registered streams. Each change takes the next number of one row of counters, so two writers come one after the other, and
//! whoever wants to know what changed asks for higher numbers.

use super::pool::within;
use super::{Fault, Store};
use sqlx::{AnyConnection, FromRow};

/// One registered stream. Secrets are there as hashes alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct StreamRow {
    /// What others know it by for ever.
    pub public_id: String,
    /// SHA-256 of its owner's secret.
    pub private_hash: String,
    /// SHA-256 of what it is published with.
    pub key_hash: String,
    /// The name in addresses.
    pub slug: String,
    /// The title for people.
    pub name: String,
    /// A few words about it.
    pub description: String,
    /// Whether it is in the list of what is live: 0 or 1.
    pub listed: i64,
    /// What ladder it is given.
    pub ladder: String,
    /// What of it is recorded.
    pub record: String,
    /// Rules of its chat.
    pub chat: String,
    /// Who may watch.
    pub read_policy: String,
    /// Where it comes from, if msconv publishes it.
    pub source: String,
    /// When it was registered, milliseconds since 1970, as all times here.
    pub created_ms: i64,
    /// When it was changed.
    pub updated_ms: i64,
    /// When it went live last.
    pub live_ms: Option<i64>,
    /// When it ended last.
    pub ended_ms: Option<i64>,
    /// When its key stops opening it.
    pub expires_ms: Option<i64>,
    /// When it was removed.
    pub deleted_ms: Option<i64>,
    /// The number of its last change.
    pub version: i64,
}

/// How a change that names the version that it was made of ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is done, with this version.
    Done(i64),
    /// There is no such stream.
    Missing,
    /// Somebody else changed it meanwhile.
    Outdated,
}

/// A statement about all columns.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT public_id, private_hash, key_hash, slug, name, description, listed, ladder, record, chat, \
             read_policy, source, created_ms, updated_ms, live_ms, ended_ms, expires_ms, deleted_ms, version \
             FROM streams ",
            $rest
        )
    };
}

impl Store {
    /// Adds a stream and gives it the next version.
    ///
    /// # Errors
    /// [`Fault::Taken`] if its slug is another's.
    pub async fn add_stream(&self, row: &StreamRow) -> Result<i64, Fault> {
        within(async {
            let mut work = self.pool().begin().await?;
            let version = next(&mut work).await?;
            let added = sqlx::query(
                "INSERT INTO streams (public_id, private_hash, key_hash, slug, name, description, listed, ladder, record, \
                 chat, read_policy, source, created_ms, updated_ms, expires_ms, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
            );
            added
                .bind(&row.public_id)
                .bind(&row.private_hash)
                .bind(&row.key_hash)
                .bind(&row.slug)
                .bind(&row.name)
                .bind(&row.description)
                .bind(row.listed)
                .bind(&row.ladder)
                .bind(&row.record)
                .bind(&row.chat)
                .bind(&row.read_policy)
                .bind(&row.source)
                .bind(row.created_ms)
                .bind(row.updated_ms)
                .bind(row.expires_ms)
                .bind(version)
                .execute(&mut *work)
                .await?;
            work.commit().await?;
            Ok(version)
        })
        .await
    }

    /// Writes all that may change of a stream: what `row` says, if its version is still `row.version`.
    ///
    /// # Errors
    /// [`Fault::Taken`] if its slug is another's.
    pub async fn change_stream(&self, row: &StreamRow) -> Result<Changed, Fault> {
        within(async {
            let mut work = self.pool().begin().await?;
            let version = next(&mut work).await?;
            let changed = sqlx::query(
                "UPDATE streams SET key_hash = $1, slug = $2, name = $3, description = $4, listed = $5, ladder = $6, \
                 record = $7, chat = $8, read_policy = $9, source = $10, updated_ms = $11, expires_ms = $12, \
                 deleted_ms = $13, version = $14 WHERE public_id = $15 AND version = $16 AND deleted_ms IS NULL",
            );
            let changed = changed
                .bind(&row.key_hash)
                .bind(&row.slug)
                .bind(&row.name)
                .bind(&row.description)
                .bind(row.listed)
                .bind(&row.ladder)
                .bind(&row.record)
                .bind(&row.chat)
                .bind(&row.read_policy)
                .bind(&row.source)
                .bind(row.updated_ms)
                .bind(row.expires_ms)
                .bind(row.deleted_ms)
                .bind(version)
                .bind(&row.public_id)
                .bind(row.version)
                .execute(&mut *work)
                .await?;
            if changed.rows_affected() == 1 {
                work.commit().await?;
                return Ok(Changed::Done(version));
            }
            let there = sqlx::query_scalar::<_, i64>(
                "SELECT COUNT(*) FROM streams WHERE public_id = $1 AND deleted_ms IS NULL",
            );
            let there = there.bind(&row.public_id).fetch_one(&mut *work).await?;
            work.rollback().await?;
            Ok(if there == 0 { Changed::Missing } else { Changed::Outdated })
        })
        .await
    }

    /// What changed after `version`, in the order of the changes, removed ones as well; at most `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn streams_after(&self, version: i64, limit: i64) -> Result<Vec<StreamRow>, Fault> {
        let asked = sqlx::query_as(select!("WHERE version > $1 ORDER BY version LIMIT $2"));
        within(asked.bind(version).bind(limit).fetch_all(self.pool())).await
    }

    /// The number of the last change.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn streams_version(&self) -> Result<i64, Fault> {
        within(sqlx::query_scalar("SELECT value FROM counters WHERE name = 'streams'").fetch_one(self.pool()))
            .await
    }

    /// Writes down when a stream went live, or ended. That is no change of what is wanted, and no new version.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn note_air(&self, public_id: &str, live: bool, at_ms: i64) -> Result<(), Fault> {
        let noted = if live {
            sqlx::query("UPDATE streams SET live_ms = $1, ended_ms = NULL WHERE public_id = $2")
        } else {
            sqlx::query("UPDATE streams SET ended_ms = $1 WHERE public_id = $2")
        };
        within(noted.bind(at_ms).bind(public_id).execute(self.pool())).await.map(drop)
    }

    /// Forgets streams that were removed before `before_ms`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn forget_streams(&self, before_ms: i64) -> Result<u64, Fault> {
        let forgotten = sqlx::query("DELETE FROM streams WHERE deleted_ms < $1").bind(before_ms);
        Ok(within(forgotten.execute(self.pool())).await?.rows_affected())
    }
}

/// Takes the next number. First in its transaction: SQLite would refuse a writer that has read before another wrote.
async fn next(work: &mut AnyConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("UPDATE counters SET value = value + 1 WHERE name = 'streams' RETURNING value")
        .fetch_one(work)
        .await
}
