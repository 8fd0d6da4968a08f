//! The task of a room that somebody is in: what was written since it last looked is kept at once and then shown, and what
//! changes by itself is told now and then. It ends when nobody is there any more, or the stream was removed.

use super::open_room::{OpenRoom, Out, Pending};
use super::open_rooms::OpenRooms;
use super::outside::{Rooms, Standing, Told as AreTold};
use crate::base::clock::{Now, rfc3339};
use crate::platform::chat::{ChatLog, Entry, PersonId, ServerFrame, Settings, Unavailable, What};
use crate::server::endpoint::http::asked_to_end;
use crate::telemetry::Log;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Frames of a large room go out together within this time.
const GATHERED: Duration = Duration::from_millis(50);
/// Between two looks at what changes by itself, and two frames about how many are here.
const LOOK: Duration = Duration::from_secs(5);
/// How long the log may take: longer than it waits for its store.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a room stays after the last has left.
const EMPTY: Duration = Duration::from_secs(60);
/// The most frames of an array.
const TOGETHER: usize = 64;
/// In a small room fewer go out one by one.
const ALONE: usize = 8;

/// What committers need of the chat.
pub struct Keeper {
    /// Where rooms are kept.
    pub log: Arc<dyn ChatLog>,
    /// Which there are.
    pub rooms: Arc<dyn Rooms>,
    /// Who is told.
    pub told: Option<Arc<dyn AreTold>>,
    /// What moderators do stands there.
    pub server_log: Log,
    /// When the server ends.
    pub shutdown: watch::Receiver<bool>,
    /// The rooms that somebody is in.
    pub open: OpenRooms,
}

impl Keeper {
    /// Tells whoever has to know, and writes down what moderators do.
    pub fn happened(&self, room: &str, entry: &Entry) {
        let log = &self.server_log;
        match &entry.what {
            What::Message(_) | What::Named { .. } => {}
            What::Deleted { seqs, by } => log.info(format_args!("chat: {room}: {by} deletes {seqs:?}")),
            What::Cleared { by } => log.info(format_args!("chat: {room}: {by} deletes everything")),
            What::Banned { ban, by } => {
                let until = ban.until.map_or_else(|| "for good".into(), rfc3339);
                log.info(format_args!("chat: {room}: {by} bans {} ({}) until {until}", ban.author, ban.name));
            }
            What::Lifted { author, by } => {
                log.info(format_args!("chat: {room}: {by} lifts the ban of {author}"))
            }
            What::Changed { settings, by } => log.info(format_args!(
                "chat: {room}: {by} sets open {}, slow {} s, newcomers {} s, {} characters",
                settings.open, settings.slow_s, settings.newcomers_wait_s, settings.max_chars
            )),
        }
        if let Some(told) = &self.told {
            told.told(room, entry);
        }
    }

    /// The log did not take what was written.
    pub fn unavailable(&self, room: &str) {
        self.server_log.warn(format_args!("chat: {room}: messages cannot be stored at the moment"));
    }
}

/// What viewers were told last.
struct Told {
    settings: Settings,
    live: bool,
    viewers: usize,
    counted: Instant,
    sent: Instant,
}

/// Runs until the room is empty or the server ends.
pub async fn run(keeper: Arc<Keeper>, room: Arc<OpenRoom>) {
    let mut shutdown = keeper.shutdown.clone();
    let begun = Instant::now();
    let mut told = Told {
        settings: room.settings(Now::read()),
        live: keeper.rooms.is_live(&room.name),
        viewers: 0,
        counted: begun,
        sent: begun,
    };
    let mut used = begun;
    let standing = keeper.rooms.standing(&room.name);
    loop {
        let ends = tokio::select! {
            () = room.wake.notified() => false,
            () = sleep(LOOK) => false,
            () = asked_to_end(&mut shutdown) => true,
        };
        if room.is_large() && !ends {
            sleep_until(told.sent + GATHERED).await;
        }
        if keep(&keeper, &room).await {
            told.sent = Instant::now();
        }
        news(&keeper, &room, &mut told);
        if ends || is_over(&keeper, &room, standing).await {
            keeper.open.remove(&room);
            room.end();
            return;
        }
        if !keeper.open.is_unused(&room) {
            used = Instant::now();
        } else if used.elapsed() >= EMPTY && keeper.open.forget(&room) {
            return;
        }
    }
}

/// Whether the room is no more, or has to begin anew.
async fn is_over(keeper: &Keeper, room: &OpenRoom, before: Standing) -> bool {
    let now = keeper.rooms.standing(&room.name);
    if before == Standing::Registered && now == Standing::Unregistered {
        keeper.log.forget(&room.name).await;
    }
    now != before || timeout(PATIENCE, keeper.log.begins_anew(&room.name)).await == Ok(true)
}

/// Lets the log keep what waits, and shows it; whether there was something.
async fn keep(keeper: &Keeper, room: &OpenRoom) -> bool {
    let pending: Vec<Pending> = std::mem::take(&mut room.state().pending);
    if pending.is_empty() {
        return false;
    }
    let batch: Arc<[Entry]> = pending.iter().map(|pending| pending.entry.clone()).collect();
    let kept =
        timeout(PATIENCE, keeper.log.append(&room.name, batch.clone())).await.unwrap_or(Err(Unavailable));
    match kept {
        Ok(()) => show(keeper, room, &batch),
        Err(Unavailable) => keeper.unavailable(&room.name),
    }
    pending.into_iter().for_each(|pending| {
        // Whoever has left does not wait.
        let _ = pending.done.send(kept);
    });
    true
}

fn show(keeper: &Keeper, room: &OpenRoom, batch: &[Entry]) {
    let frames: Vec<(u64, String)> =
        batch.iter().filter_map(|e| ServerFrame::of(e).map(|frame| (e.seq, frame.text()))).collect();
    let together = if room.is_large() || frames.len() > ALONE { TOGETHER } else { 1 };
    {
        // Whoever comes meanwhile has these in his history or among his frames, and not both.
        let mut state = room.state();
        batch.iter().for_each(|entry| state.room.show(entry));
        for some in frames.chunks(together) {
            let (Some((first, text)), Some((last, _))) = (some.first(), some.last()) else { continue };
            let text = match some {
                [_] => text.clone(),
                _ => {
                    format!("[{}]", some.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(","))
                }
            };
            // Nobody listening is no fault, here and below.
            let _ = room.frames.send(Out::All { first: *first, last: *last, text: text.into() });
        }
    }
    for entry in batch {
        keeper.happened(&room.name, entry);
        if let Some((person, frame)) = personal(room, entry) {
            let _ = room.frames.send(Out::One { person, text: frame.text().into() });
        }
    }
}

/// What one person alone is told of an entry.
fn personal(room: &OpenRoom, entry: &Entry) -> Option<(PersonId, ServerFrame)> {
    match &entry.what {
        What::Banned { ban, .. } => Some((ban.author, ServerFrame::banned(ban.until))),
        What::Lifted { author, .. } => Some((*author, ServerFrame::banned(Some(entry.at)))),
        What::Named { person, role, .. } => Some((*person, room.you(*person, *role))),
        _ => None,
    }
}

/// Tells what is not of one entry: settings, which also change as time passes, how many are here, and the stream.
fn news(keeper: &Keeper, room: &OpenRoom, told: &mut Told) {
    let settings = room.settings(Now::read());
    if settings != told.settings {
        all(room, &ServerFrame::Room(settings.clone()));
        told.settings = settings;
    }
    let live = keeper.rooms.is_live(&room.name);
    if live != told.live {
        told.live = live;
        all(room, &ServerFrame::stream(live));
    }
    let viewers = room.viewers();
    if viewers != told.viewers && told.counted.elapsed() >= LOOK {
        (told.viewers, told.counted) = (viewers, Instant::now());
        all(room, &ServerFrame::Viewers { count: viewers });
    }
}

fn all(room: &OpenRoom, frame: &ServerFrame) {
    let state = room.state();
    let last = state.room.shown_seq();
    let _ = room.frames.send(Out::All { first: last.saturating_add(1), last, text: frame.text().into() });
}
