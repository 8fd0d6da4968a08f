//! Tokens of programs and sessions of browsers, as hashes, and the operator's password.

use super::pool::within;
use super::{Fault, Store};
use sqlx::FromRow;

/// One token.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct TokenRow {
    /// Its name, which is no secret.
    pub token_id: String,
    /// SHA-256 of it.
    pub hash: String,
    /// `api`, `session`, `setup` or `publish`.
    pub kind: String,
    /// The stream that it is for, if it is for one.
    pub public_id: Option<String>,
    /// What it may do, words with blanks between.
    pub scopes: String,
    /// What people call it.
    pub label: String,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
    /// When it ends.
    pub expires_ms: Option<i64>,
    /// When it was used last, to the minute.
    pub used_ms: Option<i64>,
}

impl Store {
    /// Adds a token.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn add_token(&self, row: &TokenRow) -> Result<(), Fault> {
        let added = sqlx::query(
            "INSERT INTO tokens (token_id, hash, kind, public_id, scopes, label, created_ms, expires_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        );
        let added = added
            .bind(&row.token_id)
            .bind(&row.hash)
            .bind(&row.kind)
            .bind(&row.public_id)
            .bind(&row.scopes)
            .bind(&row.label)
            .bind(row.created_ms)
            .bind(row.expires_ms);
        within(added.execute(self.pool())).await.map(drop)
    }

    /// The token with this hash.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn token(&self, hash: &str) -> Result<Option<TokenRow>, Fault> {
        let asked = sqlx::query_as(
            "SELECT token_id, hash, kind, public_id, scopes, label, created_ms, expires_ms, used_ms FROM tokens \
             WHERE hash = $1",
        );
        within(asked.bind(hash).fetch_optional(self.pool())).await
    }

    /// The tokens of a kind, in the order of their names, behind `after`; at most `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn tokens(&self, kind: &str, after: &str, limit: i64) -> Result<Vec<TokenRow>, Fault> {
        let asked = sqlx::query_as(
            "SELECT token_id, hash, kind, public_id, scopes, label, created_ms, expires_ms, used_ms FROM tokens \
             WHERE kind = $1 AND token_id > $2 ORDER BY token_id LIMIT $3",
        );
        within(asked.bind(kind).bind(after).bind(limit).fetch_all(self.pool())).await
    }

    /// Writes down when a token was used.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn used_token(&self, hash: &str, at_ms: i64) -> Result<(), Fault> {
        let noted = sqlx::query("UPDATE tokens SET used_ms = $1 WHERE hash = $2").bind(at_ms).bind(hash);
        within(noted.execute(self.pool())).await.map(drop)
    }

    /// Ends a token by its name; whether there was one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn remove_token(&self, token_id: &str) -> Result<bool, Fault> {
        let removed = sqlx::query("DELETE FROM tokens WHERE token_id = $1").bind(token_id);
        Ok(within(removed.execute(self.pool())).await?.rows_affected() > 0)
    }

    /// Ends all tokens of a kind; those that have expired by `now_ms`, or every one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn remove_tokens(&self, kind: &str, expired_by: Option<i64>) -> Result<u64, Fault> {
        let removed = match expired_by {
            Some(now_ms) => {
                sqlx::query("DELETE FROM tokens WHERE kind = $1 AND expires_ms < $2").bind(kind).bind(now_ms)
            }
            None => sqlx::query("DELETE FROM tokens WHERE kind = $1").bind(kind),
        };
        Ok(within(removed.execute(self.pool())).await?.rows_affected())
    }

    /// The stored password of a user.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn password(&self, user: &str) -> Result<Option<String>, Fault> {
        let asked = sqlx::query_scalar("SELECT password FROM users WHERE name = $1").bind(user);
        within(asked.fetch_optional(self.pool())).await
    }

    /// Stores the password of a user.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn set_password(&self, user: &str, password: &str, now_ms: i64) -> Result<(), Fault> {
        let set = sqlx::query(
            "INSERT INTO users (name, password, created_ms) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE SET password = excluded.password",
        );
        within(set.bind(user).bind(password).bind(now_ms).execute(self.pool())).await.map(drop)
    }
}
