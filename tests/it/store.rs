//! Every statement on SQLite, and on PostgreSQL where one is installed.

use crate::stage::{Postgres, missing};
use msconv::store::chat::{BanRow, EntryRow, Kept, NameRow, Written};
use msconv::store::events::EventRow;
use msconv::store::hooks::{DeliveryRow, HookRow};
use msconv::store::streams::{Changed, StreamRow};
use msconv::store::tokens::TokenRow;
use msconv::store::{Fault, Place, Store};
use sqlx::Connection;

fn stream(id: &str) -> StreamRow {
    StreamRow {
        public_id: id.into(),
        private_hash: format!("p{id}"),
        key_hash: format!("k{id}"),
        slug: format!("slug-{id}"),
        name: "Фильм 🎬 'quoted' \"; DROP TABLE streams; --".into(),
        listed: 1,
        created_ms: 1,
        updated_ms: 1,
        ..StreamRow::default()
    }
}

/// What holds on both databases.
pub async fn keeps_streams(store: &Store) {
    let begun = store.streams_version().await.unwrap();
    let (a, b) = (stream("a"), stream("b"));
    let first = store.add_stream(&a).await.unwrap();
    let second = store.add_stream(&b).await.unwrap();
    assert!(begun < first && first < second);
    let rows = store.streams_after(begun, 10).await.unwrap();
    assert_eq!(rows, [StreamRow { version: first, ..a.clone() }, StreamRow { version: second, ..b.clone() }]);

    let taken = StreamRow { slug: b.slug.clone(), ..rows[0].clone() };
    assert!(matches!(store.change_stream(&taken).await, Err(Fault::Taken(why)) if why.contains("slug")));
    let renamed = StreamRow { name: "other".into(), expires_ms: Some(i64::MAX), ..rows[0].clone() };
    let Changed::Done(third) = store.change_stream(&renamed).await.unwrap() else { panic!("it changed") };
    assert_eq!(store.change_stream(&renamed).await.unwrap(), Changed::Outdated);
    assert_eq!(store.streams_version().await.unwrap(), third);
    assert_eq!(
        store.streams_after(second, 10).await.unwrap(),
        [StreamRow { version: third, ..renamed.clone() }]
    );

    store.note_air("a", true, 5).await.unwrap();
    store.note_air("a", false, 9).await.unwrap();
    let seen = &store.streams_after(second, 10).await.unwrap()[0];
    assert_eq!((seen.live_ms, seen.ended_ms, seen.version), (Some(5), Some(9), third));

    let gone = StreamRow { deleted_ms: Some(10), slug: "gone-a".into(), version: third, ..renamed };
    assert!(matches!(store.change_stream(&gone).await.unwrap(), Changed::Done(_)));
    assert_eq!(store.change_stream(&gone).await.unwrap(), Changed::Missing);
    assert_eq!(store.forget_streams(10).await.unwrap(), 0);
    assert_eq!(store.forget_streams(11).await.unwrap(), 1);
}

/// What holds on both databases.
pub async fn keeps_tokens(store: &Store) {
    let token = |id: &str, kind: &str, expires_ms| TokenRow {
        token_id: id.into(),
        hash: format!("hash-{id}"),
        kind: kind.into(),
        scopes: "streams events".into(),
        label: "backend".into(),
        created_ms: 1,
        expires_ms,
        ..TokenRow::default()
    };
    let (a, b, c) = (token("a", "api", None), token("b", "api", Some(5)), token("c", "session", Some(7)));
    for row in [&a, &b, &c] {
        store.add_token(row).await.unwrap();
    }
    assert!(matches!(store.add_token(&a).await, Err(Fault::Taken(_))));
    assert_eq!(store.token("hash-a").await.unwrap(), Some(a.clone()));
    assert_eq!(store.token("hash-x").await.unwrap(), None);
    assert_eq!(store.tokens("api", "", 10).await.unwrap(), [a.clone(), b.clone()]);
    assert_eq!(store.tokens("api", "a", 10).await.unwrap(), std::slice::from_ref(&b));
    store.used_token("hash-a", 60).await.unwrap();
    assert_eq!(store.token("hash-a").await.unwrap().unwrap().used_ms, Some(60));
    assert_eq!(store.remove_tokens("api", Some(6)).await.unwrap(), 1);
    assert!(store.remove_token("a").await.unwrap() && !store.remove_token("a").await.unwrap());
    assert_eq!(store.remove_tokens("session", None).await.unwrap(), 1);
    assert_eq!(store.password("operator").await.unwrap(), None);
    for password in ["one", "two"] {
        store.set_password("operator", password, 1).await.unwrap();
        assert_eq!(store.password("operator").await.unwrap().as_deref(), Some(password));
    }
}

/// What holds on both databases.
pub async fn keeps_events(store: &Store) {
    let event = |n: i64, kind: &str, at_ms: i64| EventRow {
        event_id: format!("evt_{n}_{at_ms}"),
        kind: kind.into(),
        public_id: (n % 2 == 0).then(|| "a".to_string()),
        at_ms,
        data: format!("{{\"n\":{n},\"words\":\"'quoted' 🎬\"}}"),
        ..EventRow::default()
    };
    let begun = store.last_event().await.unwrap();
    let rows = [event(0, "stream.live", 5), event(1, "stats", 6), event(2, "stream.ended", 7)];
    let first = store.add_events(&rows).await.unwrap();
    assert_eq!(first, begun + 1);
    let numbered: Vec<EventRow> =
        (first..).zip(&rows).map(|(seq, row)| EventRow { seq, ..row.clone() }).collect();
    assert_eq!(store.events_after(begun, &[], 10).await.unwrap(), numbered);
    assert_eq!(store.events_after(first, &[], 1).await.unwrap(), numbered[1..2]);
    let some = store.events_after(begun, &["stream.live", "stream.ended", "stream"], 10).await.unwrap();
    assert_eq!(some, [numbered[0].clone(), numbered[2].clone()]);
    assert!(store.events_after(begun, &["s"], 10).await.unwrap().is_empty());
    assert_eq!(store.last_event().await.unwrap(), first + 2);
    // All or none.
    let twice = [event(3, "stats", 8), rows[0].clone()];
    assert!(matches!(store.add_events(&twice).await, Err(Fault::Taken(_))));
    assert_eq!(store.last_event().await.unwrap(), first + 2);
    assert_eq!(store.forget_events(6, 100).await.unwrap(), 1);
    assert_eq!(store.forget_events(0, 1).await.unwrap(), 1);
    assert_eq!(store.events_after(begun, &[], 10).await.unwrap(), numbered[2..]);
}

/// What holds on both databases.
pub async fn keeps_hooks(store: &Store) {
    let last = store.last_event().await.unwrap();
    let hook = |id: &str| HookRow {
        hook_id: id.into(),
        url: "http://localhost/".into(),
        types: "stream.live".into(),
        secret: "whsec_x".into(),
        enabled: 1,
        created_ms: 1,
        after_seq: last,
        ..HookRow::default()
    };
    let (a, b) = (hook("a"), hook("b"));
    for row in [&a, &b] {
        store.add_hook(row).await.unwrap();
    }
    assert_eq!(store.hooks("", 10).await.unwrap(), [a.clone(), b.clone()]);
    assert_eq!(store.hooks("a", 10).await.unwrap(), std::slice::from_ref(&b));
    let off = HookRow { enabled: 0, why: "it is gone".into(), failing_since_ms: Some(4), ..a.clone() };
    assert!(store.change_hook(&off).await.unwrap());
    assert_eq!(store.hook("a").await.unwrap(), Some(off));
    assert!(!store.change_hook(&hook("x")).await.unwrap() && store.hook("x").await.unwrap().is_none());
    // One sends, until its time is over or it says so.
    assert!(store.hold_hook("a", "one", 50, 10).await.unwrap());
    assert!(!store.hold_hook("a", "two", 60, 20).await.unwrap());
    assert!(store.hold_hook("a", "one", 70, 20).await.unwrap());
    assert!(store.hold_hook("a", "two", 90, 71).await.unwrap());
    assert!(
        store.hold_hook("a", "two", 0, 71).await.unwrap() && store.hold_hook("a", "one", 1, 1).await.unwrap()
    );

    let tried = DeliveryRow {
        hook_id: "b".into(),
        seq: last + 1,
        tries: 1,
        next_ms: 99,
        status: Some(500),
        why: "no".into(),
        ..DeliveryRow::default()
    };
    store.note_delivery(&tried, Some(7)).await.unwrap();
    assert_eq!(store.delivery("b", last + 1).await.unwrap(), Some(tried.clone()));
    let failing = store.hook("b").await.unwrap().unwrap();
    assert_eq!((failing.failing_since_ms, failing.after_seq), (Some(7), last));
    store.hasten_hook("b").await.unwrap();
    assert_eq!(store.delivery("b", last + 1).await.unwrap().unwrap().next_ms, 0);
    let done = DeliveryRow { tries: 2, next_ms: 0, done_ms: Some(9), status: Some(200), ..tried };
    store.note_delivery(&done, None).await.unwrap();
    let well = store.hook("b").await.unwrap().unwrap();
    assert_eq!((well.failing_since_ms, well.after_seq), (None, last + 1));
    store.pass_hook("b", last + 5).await.unwrap();
    store.pass_hook("b", last + 2).await.unwrap();
    assert_eq!(store.hook("b").await.unwrap().unwrap().after_seq, last + 5);
    let later = DeliveryRow { seq: last + 6, ..done.clone() };
    store.note_delivery(&later, None).await.unwrap();
    assert_eq!(store.deliveries("b", i64::MAX, 10).await.unwrap(), [later.clone(), done.clone()]);
    assert_eq!(store.deliveries("b", last + 6, 10).await.unwrap(), [done]);
    assert!(store.remove_hook("b").await.unwrap() && !store.remove_hook("b").await.unwrap());
    store.note_delivery(&later, None).await.unwrap();
    assert!(store.deliveries("b", i64::MAX, 10).await.unwrap().is_empty());
}

/// What holds on both databases.
pub async fn keeps_chat(store: &Store) {
    let entry = |seq: i64, kind: &str| EntryRow {
        seq,
        kind: kind.into(),
        data: format!("{{\"n\":{seq},\"text\":\"Привет 🎬 'x'\"}}"),
        at_ms: seq * 10,
    };
    let said = |seq| Written::Entry(entry(seq, "message"));
    assert_eq!(store.chat_salt("one").await.unwrap(), "one");
    assert_eq!(store.chat_salt("two").await.unwrap(), "one");
    assert_eq!(store.chat_room("r").await.unwrap(), None);
    let numbers = |rows: Vec<EntryRow>| rows.into_iter().map(|row| row.seq).collect::<Vec<_>>();

    store.add_chat("r", (3, 30), &[said(1), said(2), said(3)], false).await.unwrap();
    store.add_chat("other", (1, 10), &[said(1)], false).await.unwrap();
    // All or nothing: who is too late with a number has written none of it, unless he may have done so himself.
    let late = store.add_chat("r", (4, 40), &[said(4), said(3)], false).await;
    assert!(matches!(late, Err(Fault::Taken(_))), "{late:?}");
    assert_eq!(numbers(store.chat_after("r", 0, 10).await.unwrap()), [1, 2, 3]);
    store.add_chat("r", (4, 40), &[said(3), said(4)], true).await.unwrap();
    assert_eq!(store.chat_messages("r", 4, 2).await.unwrap(), [entry(3, "message"), entry(2, "message")]);
    assert_eq!(store.chat_after("r", 3, 10).await.unwrap(), [entry(4, "message")]);

    let settings = Written::Settings { settings: r#"{"slow_s":3}"#.into(), pinned: Some((2, "two".into())) };
    let ban = |author: &str, seq, until_ms| BanRow {
        author: author.into(),
        seq,
        name: "Troll".into(),
        place: Some("77".into()),
        until_ms,
    };
    let name = |seq, name: &str| NameRow { author: "a".into(), seq, name: name.into() };
    let decided = [
        settings,
        Written::Ban(ban("a", 6, Some(50))),
        Written::Ban(ban("b", 7, None)),
        Written::Ban(ban("a", 8, Some(99))),
        Written::Ban(ban("c", 9, None)),
        Written::Lifted("c".into()),
        Written::Name(name(5, "Ann")),
        Written::Name(name(9, "Bo")),
    ];
    store.add_chat("r", (9, 90), &decided, false).await.unwrap();
    let room = store.chat_room("r").await.unwrap().unwrap();
    assert_eq!(
        (room.seq, room.settings.as_str(), room.pinned.as_deref()),
        (9, r#"{"slow_s":3}"#, Some("two"))
    );
    assert_eq!(store.chat_bans("r", 10).await.unwrap(), [ban("b", 7, None), ban("a", 8, Some(99))]);
    assert_eq!(store.chat_bans("r", 1).await.unwrap(), [ban("a", 8, Some(99))]);
    assert_eq!(store.chat_names("r", 10).await.unwrap(), [name(9, "Bo")]);

    let deleted = [Written::Gone(2), Written::Entry(entry(10, "deleted"))];
    store.add_chat("r", (10, 100), &deleted, false).await.unwrap();
    assert_eq!(store.chat_room("r").await.unwrap().unwrap().pinned, None);
    assert_eq!(numbers(store.chat_after("r", 0, 10).await.unwrap()), [1, 3, 4, 10]);
    assert_eq!(numbers(store.chat_messages("r", i64::MAX, 10).await.unwrap()), [4, 3, 1]);
    let cleared = [Written::Cleared(11), Written::Entry(entry(11, "cleared")), said(12), said(13)];
    store.add_chat("r", (13, 130), &cleared, false).await.unwrap();
    assert_eq!(numbers(store.chat_after("r", 0, 10).await.unwrap()), [11, 12, 13]);

    // What is too old, too much, ended or nobody's goes.
    let gone = StreamRow { public_id: "gone".into(), deleted_ms: None, ..stream("chat-gone") };
    let version = store.add_stream(&gone).await.unwrap();
    let gone = StreamRow { deleted_ms: Some(1), slug: "gone-chat".into(), version, ..gone };
    assert!(matches!(store.change_stream(&gone).await.unwrap(), Changed::Done(_)));
    store.add_stream(&StreamRow { public_id: "kept".into(), ..stream("chat-kept") }).await.unwrap();
    for room in ["gone", "kept", "old"] {
        let written = [said(1), Written::Ban(ban("a", 2, None)), Written::Name(name(3, "Ann"))];
        store.add_chat(room, (3, 30), &written, false).await.unwrap();
    }
    let kept = Kept { since_ms: 90, now_ms: 100, entries: 2, names: 10, bans: 10 };
    store.trim_chats(kept).await.unwrap();
    assert_eq!(numbers(store.chat_after("r", 0, 10).await.unwrap()), [12, 13]);
    assert_eq!(store.chat_bans("r", 10).await.unwrap(), [ban("b", 7, None)]);
    for (room, seq, names) in [("gone", None, 0), ("old", None, 0), ("other", None, 0), ("kept", Some(3), 1)]
    {
        assert_eq!(store.chat_room(room).await.unwrap().map(|room| room.seq), seq, "{room}");
        assert_eq!(store.chat_names(room, 10).await.unwrap().len(), names, "{room}");
        assert_eq!(store.chat_bans(room, 10).await.unwrap().len(), names, "{room}");
        assert!(store.chat_after(room, 0, 10).await.unwrap().is_empty(), "{room}");
    }
    store.trim_chats(Kept { bans: 0, names: 0, ..kept }).await.unwrap();
    assert!(
        store.chat_bans("r", 10).await.unwrap().is_empty()
            && store.chat_names("r", 10).await.unwrap().is_empty()
    );
    store.forget_chat("r").await.unwrap();
    assert!(
        store.chat_room("r").await.unwrap().is_none()
            && store.chat_after("r", 0, 10).await.unwrap().is_empty()
    );
}

#[tokio::test]
async fn sqlite_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    // Whatever a folder may be called.
    let place = Place::Folder(folder.path().join("a b%20?#é"));
    let (store, other) = tokio::join!(Store::open(&place), Store::open(&place));
    let store = store.unwrap();
    keeps_streams(&store).await;
    keeps_tokens(&store).await;
    keeps_events(&store).await;
    keeps_hooks(&store).await;
    keeps_chat(&store).await;
    let seen = other.unwrap().streams_version().await.unwrap();
    assert_eq!(seen, store.streams_version().await.unwrap());
    use std::os::unix::fs::PermissionsExt;
    for entry in std::fs::read_dir(folder.path().join("a b%20?#é")).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    store.close().await;
}

#[tokio::test]
async fn postgresql_keeps_it() {
    let Some(postgres) = Postgres::start() else { return missing("PostgreSQL") };
    let place = Place::of(&postgres.url(), std::path::Path::new("/")).unwrap();
    // Ten nodes may start at once.
    let opened = (0..10).map(|_| {
        let place = place.clone();
        tokio::spawn(async move { Store::open(&place).await.map(drop) })
    });
    for opened in opened.collect::<Vec<_>>() {
        opened.await.unwrap().unwrap();
    }
    let store = Store::open(&place).await.unwrap();
    keeps_streams(&store).await;
    keeps_tokens(&store).await;
    keeps_events(&store).await;
    keeps_hooks(&store).await;
    keeps_chat(&store).await;
}

#[tokio::test]
async fn many_writers_come_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Place::Folder(folder.path().into())).await.unwrap();
    let writers = (0..8).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..25 {
                store.add_stream(&stream(&format!("{writer}-{n}"))).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let rows = store.streams_after(after, 30).await.unwrap();
        let Some(last) = rows.last() else { break };
        after = last.version;
        seen.extend(rows.iter().map(|row| row.version));
    }
    assert_eq!(seen, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().into());
    let store = Store::open(&place).await.unwrap();
    let added = sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', 1, x'00', 1)",
    );
    store.close().await;
    let file = folder.path().join("msconv.db");
    let mut connection =
        sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    added.execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let refused = Store::open(&place).await.unwrap_err();
    assert_eq!(refused, Fault::Newer(9999));
    assert!(!refused.passes());
}

#[tokio::test]
async fn a_database_that_is_not_there_is_away() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    let refused = Store::open(&Place::Folder(folder.path().join("file/data"))).await.unwrap_err();
    assert!(matches!(&refused, Fault::Away(why) if why.contains("data")), "{refused}");
    std::fs::write(folder.path().join("msconv.db"), "this is no database, and longer than its head").unwrap();
    let refused = Store::open(&Place::Folder(folder.path().into())).await.unwrap_err();
    assert!(matches!(&refused, Fault::Away(why) if why.contains("not a database")), "{refused}");
    let secret = "postgres://ann:hunter2@127.0.0.1:1/streams";
    let refused = Store::open(&Place::of(secret, folder.path()).unwrap()).await.unwrap_err();
    assert!(matches!(refused, Fault::Away(_)) && !refused.to_string().contains("hunter2"), "{refused}");
    assert!(matches!(Place::of("mysql://x", folder.path()), Err(Fault::Address(_))));
}
