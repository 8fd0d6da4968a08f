//! The rooms of chats: what was said, who may not write, who is called how. A room is written to by one process at a time, so
//! its numbers come from there.

use super::pool::within;
use super::{Fault, Store};
use sqlx::{AnyConnection, FromRow};

/// Rooms that are trimmed after one look.
const ROOMS: i64 = 200;

/// What a room is.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct RoomRow {
    /// The number of the last entry.
    pub seq: i64,
    /// What moderators decided, as JSON; empty before they did.
    pub settings: String,
    /// The pinned message, as JSON.
    pub pinned: Option<String>,
}

/// Something that all viewers are told by its number.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct EntryRow {
    /// Its number in the room.
    pub seq: i64,
    /// What it is; a message is `message`.
    pub kind: String,
    /// It, as JSON.
    pub data: String,
    /// When it was, milliseconds since 1970, as all times here.
    pub at_ms: i64,
}

/// Somebody who may not write.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct BanRow {
    /// Who.
    pub author: String,
    /// The number of the entry that says so.
    pub seq: i64,
    /// How he was called.
    pub name: String,
    /// A hash of where he wrote from.
    pub place: Option<String>,
    /// Until when; none is for good.
    pub until_ms: Option<i64>,
}

/// A name that somebody chose.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct NameRow {
    /// Who.
    pub author: String,
    /// The number of the entry that says so.
    pub seq: i64,
    /// Which.
    pub name: String,
}

/// What is written of one thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// An entry.
    Entry(EntryRow),
    /// The message with this number goes, and is not pinned any more.
    Gone(i64),
    /// Everything with a lower number goes, and nothing is pinned any more.
    Cleared(i64),
    /// A ban, in the place of an earlier one of the same author.
    Ban(BanRow),
    /// The ban of an author is lifted.
    Lifted(String),
    /// Other settings.
    Settings {
        /// As JSON, without the pinned message.
        settings: String,
        /// The pinned message: its number, and it as JSON.
        pinned: Option<(i64, String)>,
    },
    /// A name, in the place of an earlier one of the same author.
    Name(NameRow),
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// Entries from this time on, and rooms of unregistered streams that were written to since.
    pub since_ms: i64,
    /// The time now: bans that ended before go.
    pub now_ms: i64,
    /// Entries of a room.
    pub entries: i64,
    /// Names of a room.
    pub names: i64,
    /// Bans of a room.
    pub bans: i64,
}

/// Leaves the `$2` rows of the room `$1` that have the highest numbers.
macro_rules! trim {
    ($table:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE room = $1 AND seq <= (SELECT seq FROM ",
            $table,
            " WHERE room = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2)"
        )
    };
}

impl Store {
    /// Writes what happened in a room up to the number `seq`, all or nothing. With `again` entries that are there already are no
    /// fault: nobody knows whether they were written before.
    ///
    /// # Errors
    /// [`Fault::Taken`] if another process has written entries with these numbers.
    pub async fn add_chat(
        &self,
        room: &str,
        (seq, at_ms): (i64, i64),
        written: &[Written],
        again: bool,
    ) -> Result<(), Fault> {
        within(async {
            let mut work = self.pool().begin().await?;
            let noted = sqlx::query(
                "INSERT INTO chat_rooms (room, seq, settings, at_ms) VALUES ($1, $2, '', $3) \
                 ON CONFLICT (room) DO UPDATE SET at_ms = excluded.at_ms, \
                 seq = CASE WHEN excluded.seq > chat_rooms.seq THEN excluded.seq ELSE chat_rooms.seq END",
            );
            noted.bind(room).bind(seq).bind(at_ms).execute(&mut *work).await?;
            for one in written {
                write(&mut work, room, one, again).await?;
            }
            work.commit().await
        })
        .await
    }

    /// A room, if anything was ever written in it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn chat_room(&self, room: &str) -> Result<Option<RoomRow>, Fault> {
        let asked = sqlx::query_as("SELECT seq, settings, pinned FROM chat_rooms WHERE room = $1");
        within(asked.bind(room).fetch_optional(self.pool())).await
    }

    /// The last messages with a number below `before`, the newest first; at most `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn chat_messages(&self, room: &str, before: i64, limit: i64) -> Result<Vec<EntryRow>, Fault> {
        let asked = sqlx::query_as(
            "SELECT seq, kind, data, at_ms FROM chat_entries WHERE room = $1 AND seq < $2 AND kind = 'message' \
             ORDER BY seq DESC LIMIT $3",
        );
        within(asked.bind(room).bind(before).bind(limit).fetch_all(self.pool())).await
    }

    /// The first entries with a number above `after`, in their order; at most `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn chat_after(&self, room: &str, after: i64, limit: i64) -> Result<Vec<EntryRow>, Fault> {
        let asked = sqlx::query_as(
            "SELECT seq, kind, data, at_ms FROM chat_entries WHERE room = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        );
        within(asked.bind(room).bind(after).bind(limit).fetch_all(self.pool())).await
    }

    /// The bans of a room, the oldest first; the newest `limit` of them.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn chat_bans(&self, room: &str, limit: i64) -> Result<Vec<BanRow>, Fault> {
        let asked = sqlx::query_as(
            "SELECT author, seq, name, place, until_ms FROM chat_bans WHERE room = $1 ORDER BY seq DESC LIMIT $2",
        );
        let mut rows: Vec<BanRow> = within(asked.bind(room).bind(limit).fetch_all(self.pool())).await?;
        rows.reverse();
        Ok(rows)
    }

    /// The names of a room, the oldest first; the newest `limit` of them.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn chat_names(&self, room: &str, limit: i64) -> Result<Vec<NameRow>, Fault> {
        let asked = sqlx::query_as(
            "SELECT author, seq, name FROM chat_names WHERE room = $1 ORDER BY seq DESC LIMIT $2",
        );
        let mut rows: Vec<NameRow> = within(asked.bind(room).bind(limit).fetch_all(self.pool())).await?;
        rows.reverse();
        Ok(rows)
    }

    /// What the hashes of addresses are salted with: `new` if nothing was so far.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn chat_salt(&self, new: &str) -> Result<String, Fault> {
        let asked = sqlx::query_scalar(
            "INSERT INTO chat_salts (name, salt) VALUES ('addresses', $1) \
             ON CONFLICT (name) DO UPDATE SET salt = chat_salts.salt RETURNING salt",
        );
        within(asked.bind(new).fetch_one(self.pool())).await
    }

    /// Forgets all of a room.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn forget_chat(&self, room: &str) -> Result<(), Fault> {
        within(async {
            let mut work = self.pool().begin().await?;
            for forgotten in [
                "DELETE FROM chat_rooms WHERE room = $1",
                "DELETE FROM chat_entries WHERE room = $1",
                "DELETE FROM chat_bans WHERE room = $1",
                "DELETE FROM chat_names WHERE room = $1",
            ] {
                sqlx::query(forgotten).bind(room).execute(&mut *work).await?;
            }
            work.commit().await
        })
        .await
    }

    /// Forgets what is too old or too much, and rooms of streams that were removed.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn trim_chats(&self, kept: Kept) -> Result<(), Fault> {
        let Kept { since_ms, now_ms, entries, names, bans } = kept;
        let old = sqlx::query("DELETE FROM chat_entries WHERE at_ms < $1").bind(since_ms);
        within(old.execute(self.pool())).await?;
        let ended = sqlx::query("DELETE FROM chat_bans WHERE until_ms < $1").bind(now_ms);
        within(ended.execute(self.pool())).await?;
        let removed = sqlx::query(
            "DELETE FROM chat_rooms \
             WHERE room IN (SELECT public_id FROM streams WHERE deleted_ms IS NOT NULL) \
             OR (at_ms < $1 AND room NOT IN (SELECT public_id FROM streams WHERE deleted_ms IS NULL))",
        );
        within(removed.bind(since_ms).execute(self.pool())).await?;
        for left in [
            "DELETE FROM chat_entries WHERE room NOT IN (SELECT room FROM chat_rooms)",
            "DELETE FROM chat_bans WHERE room NOT IN (SELECT room FROM chat_rooms)",
            "DELETE FROM chat_names WHERE room NOT IN (SELECT room FROM chat_rooms)",
        ] {
            within(sqlx::query(left).execute(self.pool())).await?;
        }
        let mut after = String::new();
        loop {
            let asked =
                sqlx::query_scalar("SELECT room FROM chat_rooms WHERE room > $1 ORDER BY room LIMIT $2");
            let rooms: Vec<String> = within(asked.bind(&after).bind(ROOMS).fetch_all(self.pool())).await?;
            let Some(last) = rooms.last() else { return Ok(()) };
            after.clone_from(last);
            for room in &rooms {
                for (statement, most) in [
                    (trim!("chat_entries"), entries),
                    (trim!("chat_names"), names),
                    (trim!("chat_bans"), bans),
                ] {
                    let trimmed = sqlx::query(statement).bind(room).bind(most);
                    within(trimmed.execute(self.pool())).await?;
                }
            }
        }
    }
}

async fn write(
    work: &mut AnyConnection,
    room: &str,
    written: &Written,
    again: bool,
) -> Result<(), sqlx::Error> {
    let statement = match written {
        Written::Entry(_) if again => {
            "INSERT INTO chat_entries (room, seq, kind, data, at_ms) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (room, seq) DO NOTHING"
        }
        Written::Entry(_) => {
            "INSERT INTO chat_entries (room, seq, kind, data, at_ms) VALUES ($1, $2, $3, $4, $5)"
        }
        Written::Gone(_) => "DELETE FROM chat_entries WHERE room = $1 AND seq = $2 AND kind = 'message'",
        Written::Cleared(_) => "DELETE FROM chat_entries WHERE room = $1 AND seq < $2",
        Written::Ban(_) => {
            "INSERT INTO chat_bans (room, author, seq, name, place, until_ms) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (room, author) DO UPDATE SET seq = excluded.seq, name = excluded.name, \
             place = excluded.place, until_ms = excluded.until_ms"
        }
        Written::Lifted(_) => "DELETE FROM chat_bans WHERE room = $1 AND author = $2",
        Written::Settings { .. } => {
            "UPDATE chat_rooms SET settings = $2, pinned_seq = $3, pinned = $4 WHERE room = $1"
        }
        Written::Name(_) => {
            "INSERT INTO chat_names (room, author, seq, name) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (room, author) DO UPDATE SET seq = excluded.seq, name = excluded.name"
        }
    };
    let query = sqlx::query(statement).bind(room);
    let query = match written {
        Written::Entry(row) => query.bind(row.seq).bind(&row.kind).bind(&row.data).bind(row.at_ms),
        Written::Gone(seq) | Written::Cleared(seq) => query.bind(seq),
        Written::Ban(row) => {
            query.bind(&row.author).bind(row.seq).bind(&row.name).bind(&row.place).bind(row.until_ms)
        }
        Written::Lifted(author) => query.bind(author),
        Written::Settings { settings, pinned } => {
            let (seq, pinned) = pinned.as_ref().map(|(seq, pinned)| (*seq, pinned)).unzip();
            query.bind(settings).bind(seq).bind(pinned)
        }
        Written::Name(row) => query.bind(&row.author).bind(row.seq).bind(&row.name),
    };
    query.execute(&mut *work).await?;
    let unpinned = match written {
        Written::Gone(seq) => (
            seq,
            "UPDATE chat_rooms SET pinned_seq = NULL, pinned = NULL WHERE room = $1 AND pinned_seq = $2",
        ),
        Written::Cleared(seq) => (
            seq,
            "UPDATE chat_rooms SET pinned_seq = NULL, pinned = NULL WHERE room = $1 AND pinned_seq < $2",
        ),
        _ => return Ok(()),
    };
    let (seq, statement) = unpinned;
    sqlx::query(statement).bind(room).bind(seq).execute(work).await.map(drop)
}
