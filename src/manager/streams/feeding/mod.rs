//! The feeder of a stream: an ffmpeg that reads the source, a feed that mends it (`media::feed`), and the pipe to the
//! ffmpeg that encodes. One thread for each of the two tracks, and this one, which lets everything out in its time.

mod rounds;

use crate::base::{CommandLine, Failure, Kind as FailureKind, Outcome};
use crate::ffmpeg::feeder::AUDIO_PIPE;
use crate::media::MediaTime;
use crate::media::feed::{Audio, Due, Feed, Kind, Wanted};
use crate::media::nut::{Item, Reader};
use crate::process::reading::{self, Reading};
use rounds::Rounds;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So much of a file goes out at once in the beginning: encoders look ahead, and viewers wait for nothing.
const HEAD_START: MediaTime = MediaTime::from_millis(1_000);
/// What is later than this is not caught up: viewers' buffers would overflow.
const LATEST: Duration = Duration::from_secs(2);
/// What may still be put before a packet is waited for so long beyond its time.
const GRACE: Duration = Duration::from_millis(300);
/// Most bytes that are let out with one write.
const ONE_WRITE: usize = 256 * 1024;
/// Longest time without a look around.
const LOOK: Duration = Duration::from_millis(500);
/// Longest line of the reading program that is passed on, in bytes.
const LONGEST_LINE: u64 = 4 * 1024;

/// What a feeder shall do.
#[derive(Clone, Debug)]
pub struct Order {
    /// With video.
    pub video: bool,
    /// With audio, and how.
    pub audio: Audio,
    /// What the program adds to all times.
    pub offset: MediaTime,
    /// At the speed of time; otherwise as it comes.
    pub paced: bool,
    /// Begin anew at the end, without end.
    pub repeat: bool,
    /// The program that reads.
    pub command: CommandLine,
}

/// What the threads share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    feed: Feed,
    /// Tracks that are still being read in this round.
    open: usize,
    /// Packets that came in this round.
    packets: u64,
    rounds: Rounds,
    /// Nobody reads what goes out any more.
    stopped: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Feeds until the source ends or nobody reads any more; the exit code. `say` writes one whole line of the log.
///
/// # Errors
/// Missing if the program cannot be started.
pub fn run(order: &Order, mut out: impl Write, say: impl Fn(&str) + Sync) -> Outcome<u8> {
    let wanted =
        Wanted { video: order.video, audio: order.audio.clone(), ahead: order.paced, offset: order.offset };
    let rounds = Rounds::new(order.repeat);
    let state = State { feed: Feed::new(wanted), open: 0, packets: 0, rounds, stopped: false };
    let shared = Shared { state: Mutex::new(state), changed: Condvar::new() };
    std::thread::scope(|scope| {
        let mut begin = || -> Outcome<Reading> {
            let mut reading = reading::start(&order.command, AUDIO_PIPE).map_err(|e| {
                let program = order.command.program.display();
                Failure::new(FailureKind::Missing, format!("cannot start {program}")).why(e.to_string())
            })?;
            let (video, audio) = (reading.out.take(), reading.second.take());
            let audio = audio.filter(|_| order.audio != Audio::None);
            let video = video.filter(|_| order.video);
            shared.lock().open = usize::from(video.is_some()) + usize::from(audio.is_some());
            let (shared, say) = (&shared, &say);
            if let Some(pipe) = video {
                scope.spawn(move || read_track(shared, Kind::Video, pipe, say));
            }
            if let Some(pipe) = audio {
                scope.spawn(move || read_track(shared, Kind::Audio, pipe, say));
            }
            if let Some(err) = reading.err.take() {
                scope.spawn(move || pass_lines(err, say));
            }
            Ok(reading)
        };
        let outcome = begin().and_then(|reading| pump(order, &shared, reading, &mut begin, &mut out, &say));
        // Whoever still waits for room is told that there will be none.
        shared.lock().stopped = true;
        shared.changed.notify_all();
        outcome
    })
}

/// Lets packets out as they are due, and begins each next round.
fn pump(
    order: &Order,
    shared: &Shared,
    mut reading: Reading,
    begin: &mut impl FnMut() -> Outcome<Reading>,
    out: &mut impl Write,
    say: &impl Fn(&str),
) -> Outcome<u8> {
    let mut pace = Pace { paced: order.paced, begun: None, unsure: None };
    let mut last: Option<u8> = None;
    loop {
        if last.is_none() && shared.lock().is_read() {
            let exit = reading.ended().ok().and_then(|exit| exit.code);
            match shared.lock().next_round(order.repeat) {
                Next::Read => reading = begin()?,
                Next::Kept => {}
                Next::None => last = Some(exit.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
            }
        }
        let mut state = shared.lock();
        let (bytes, wait) = state.due(&mut pace);
        let notes = state.feed.notes();
        if bytes.is_empty() && notes.is_empty() {
            if let Some(code) = last.filter(|_| state.feed.is_over()) {
                return Ok(code);
            }
            drop(shared.wait(state, wait));
            continue;
        }
        drop(state);
        shared.changed.notify_all();
        for note in notes {
            say(&format!("[feeder] [warning] {note}"));
        }
        if out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
            return Ok(0);
        }
    }
}

/// Where the next round comes from.
enum Next {
    /// The program reads it.
    Read,
    /// It is in memory.
    Kept,
    /// There is none.
    None,
}

impl State {
    /// Whether the program has given all it has, and nothing is in memory.
    fn is_read(&self) -> bool {
        self.open == 0 && !self.rounds.are_kept()
    }

    fn next_round(&mut self, repeat: bool) -> Next {
        // A source that gave nothing gives nothing the next time.
        if !repeat || std::mem::take(&mut self.packets) == 0 {
            return Next::None;
        }
        self.feed.begin_round();
        self.rounds.keep();
        if self.rounds.are_kept() { Next::Kept } else { Next::Read }
    }

    /// What is due now, and how long it is until something else is.
    fn due(&mut self, pace: &mut Pace) -> (Vec<u8>, Duration) {
        self.rounds.fill(&mut self.feed);
        let (mut bytes, now) = (Vec::new(), Instant::now());
        loop {
            let Some(due) = self.feed.due() else { return (bytes, LOOK) };
            let early = pace.early(due, now);
            if !early.is_zero() || bytes.len() >= ONE_WRITE {
                return (bytes, early.min(LOOK));
            }
            let packets = self.feed.take();
            self.feed.write(packets, &mut bytes);
        }
    }
}

/// Writes a file over and over, until nobody reads any more.
///
/// # Errors
/// Input if it cannot be read, or there is nothing in it.
pub fn repeat(file: &Path, mut out: impl Write) -> Outcome<()> {
    let unreadable = |e: &io::Error| Failure::io("read", file, e);
    let mut opened = File::open(file).map_err(|e| unreadable(&e))?;
    let mut buffer = vec![0; 64 * 1024];
    let mut round = 0u64;
    loop {
        let length = match opened.read(&mut buffer) {
            Ok(length) => length,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(unreadable(&e)),
        };
        if length == 0 {
            if std::mem::take(&mut round) == 0 {
                return Err(Failure::new(FailureKind::Input, format!("{} is empty", file.display())));
            }
            opened.rewind().map_err(|e| unreadable(&e))?;
        }
        round += length as u64;
        if out.write_all(buffer.get(..length).unwrap_or_default()).is_err() {
            return Ok(());
        }
    }
}

/// When what is due goes out.
struct Pace {
    paced: bool,
    begun: Option<(Instant, MediaTime)>,
    /// Since when the next packet waits for the other track.
    unsure: Option<Instant>,
}

impl Pace {
    /// How much too early it is for what is due then.
    fn early(&mut self, due: Due, now: Instant) -> Duration {
        if !self.paced {
            let since = if due.sure { None } else { Some(self.unsure.unwrap_or(now)) };
            self.unsure = since;
            return since.map_or(Duration::ZERO, |since| (since + GRACE).saturating_duration_since(now));
        }
        let grace = if due.sure { Duration::ZERO } else { GRACE };
        let (began, first) = *self.begun.get_or_insert((now, due.at + HEAD_START));
        let at = began + due.at.since(first) + grace;
        let late = now.saturating_duration_since(at);
        if late > LATEST && due.at > first {
            self.begun = Some((began + (late - LATEST), first));
        }
        at.saturating_duration_since(now)
    }
}

/// Reads one track to its end.
fn read_track(shared: &Shared, kind: Kind, mut pipe: impl Read, say: &impl Fn(&str)) {
    let mut reader = Reader::default();
    let mut buffer = vec![0; 64 * 1024];
    let fault = 'read: loop {
        match pipe.read(&mut buffer) {
            Ok(0) => break None,
            Ok(length) => reader.push(buffer.get(..length).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => break Some(e.to_string()),
        }
        loop {
            let item = match reader.next_item() {
                Ok(Some(item)) => item,
                Ok(None) => break,
                Err(e) => break 'read Some(e.to_string()),
            };
            let mut state = shared.lock();
            while !state.feed.has_room() && !state.stopped {
                state = shared.wait(state, LOOK);
            }
            if state.stopped {
                break 'read None;
            }
            match item {
                Item::Track(track) => state.feed.track(kind, track),
                Item::Frame(frame) => {
                    state.packets += 1;
                    state.rounds.remember(kind, &frame);
                    state.feed.frame(kind, frame);
                }
            }
            drop(state);
            shared.changed.notify_all();
        }
    };
    if let Some(fault) = fault {
        say(&format!("[feeder] [error] cannot read what the source's ffmpeg writes: {fault}"));
    }
    let mut state = shared.lock();
    state.feed.ended(kind);
    state.open = state.open.saturating_sub(1);
    drop(state);
    shared.changed.notify_all();
}

/// Passes the reading program's log on, a line at a time.
fn pass_lines(err: impl Read, say: &impl Fn(&str)) {
    let mut lines = BufReader::new(err);
    loop {
        let mut line = Vec::new();
        match lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => say(String::from_utf8_lossy(&line).trim_end()),
        }
    }
}
