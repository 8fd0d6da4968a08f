//! Audio that is not decoded in this process (HE-AAC, more than two channels, MP3) becomes Opus in an ffmpeg beside it: one for
//! a ladder, while somebody hears it. Frames go there as NUT and come back as NUT, with their times.

use super::converter::Converter;
use super::packing::{self, Unit};
use crate::base::{failure::io_words, printable::bounded};
use crate::ffmpeg::to_opus;
use crate::media::nut::{self, Reader, TimeBase, Writer};
use crate::media::{AudioCodec, AudioTrack, Frame, MediaTime, TrackId};
use crate::model::{LadderName, Order};
use crate::process::child_log::Lines;
use crate::process::restart::{Decision, FIRST_PAUSE, Policy, Verdict, When};
use crate::process::spawn::Supervised;
use crate::telemetry::Log;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Frames that wait for the program; while it is full, further ones are dropped. Two seconds of most codecs.
const WAITING: usize = 100;
/// Where the program's times begin: its encoder begins a little before the first sample, and NUT knows nothing below zero.
const BEGIN: MediaTime = MediaTime::from_millis(10_000);
/// The clock of what the program gets.
const CLOCK: TimeBase = TimeBase { num: 1, den: 1_000_000 };
/// A step of times that is larger is no gap but another line of time, on which the program begins anew.
const LEAP: Duration = Duration::from_secs(1);
/// A program that takes nothing for so long is stuck.
const STUCK: Duration = Duration::from_secs(10);
/// How long its end is waited for when its output is over.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Lines of it that are written down, of one run.
const MOST_LINES: usize = 20;
/// Longest reason that is passed on, in characters.
const LONGEST: usize = 200;

/// Where a ladder's frames go; when it is dropped, the program ends.
pub struct Feed {
    frames: Sender<Frame>,
    _wanted: Arc<()>,
}

impl Feed {
    /// A frame on its way, unless too many wait already.
    pub fn push(&self, frame: &Frame) {
        let _ = self.frames.try_send(frame.clone());
    }
}

/// What is to be converted, and whether it still is.
#[derive(Debug)]
pub struct Conversion {
    label: String,
    track: AudioTrack,
    frames: Receiver<Frame>,
    wanted: Weak<()>,
}

/// The two ends of the audio of the rendition with this label.
pub fn conversion(label: &str, track: &AudioTrack) -> (Feed, Conversion) {
    let (sender, frames) = mpsc::channel(WAITING);
    let kept = Arc::new(());
    let wanted = Arc::downgrade(&kept);
    let order = Conversion { label: label.to_string(), track: track.clone(), frames, wanted };
    (Feed { frames: sender, _wanted: kept }, order)
}

impl Conversion {
    /// Whether its ladder still takes what comes of it.
    pub fn is_wanted(&self) -> bool {
        self.wanted.strong_count() > 0
    }
}

/// Whom what is made is for.
pub trait Listens: Send + Sync + 'static {
    /// Where the program is.
    fn converter(&self) -> &Converter;
    /// What happens is written there.
    fn log(&self) -> &Log;
    /// Audio of a ladder was made.
    fn hear(&self, ladder: &LadderName, units: &[Unit]);
    /// A conversion came to nothing, for this reason.
    fn without_audio(&self, ladder: &LadderName, conversion: &Conversion, why: &str);
}

/// How a run of the program ended.
enum End {
    /// Nobody wants it any more.
    Unwanted,
    /// The times leapt; this frame is the first of the next line.
    Leapt(Frame),
    /// It ended by itself, and why.
    Failed(String),
}

/// Converts until nobody wants it any more, or it failed too often.
pub async fn convert(engine: Arc<impl Listens>, ladder: LadderName, mut conversion: Conversion) {
    let name = format!("{}/{}", ladder.application, ladder.key);
    let label = conversion.label.clone();
    let log = engine.log().clone();
    match run_again_and_again(&*engine, &ladder, &mut conversion).await {
        Ok(()) => log.info(format_args!("webrtc: {name}: nobody hears the audio of '{label}' any more")),
        Err(why) => {
            log.warn(format_args!("webrtc: {name}: without audio from here on: {why}"));
            engine.without_audio(&ladder, &conversion, &why);
        }
    }
}

async fn run_again_and_again(
    engine: &impl Listens,
    ladder: &LadderName,
    conversion: &mut Conversion,
) -> Result<(), String> {
    let ffmpeg = engine.converter().found().await?;
    let room = engine.converter().room();
    let _room = room.ok_or("as many ffmpegs as may are at work for other streams")?;
    let log = engine.log().clone();
    let (begun, mut policy) = (Instant::now(), Policy::new(When::OnFailure));
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(frame) => frame,
            None => match conversion.frames.recv().await {
                Some(frame) => frame,
                None => return Ok(()),
            },
        };
        log.info(format_args!(
            "webrtc: {}/{}: ffmpeg makes Opus of the audio ({}, {} channels)",
            ladder.application,
            ladder.key,
            conversion.track.codec.name(),
            conversion.track.channels
        ));
        let began = Instant::now();
        let end = Run { engine, ladder, origin: first.pts }.run(&ffmpeg, conversion, first).await;
        let pause = match end {
            End::Unwanted => return Ok(()),
            End::Leapt(frame) => {
                next = Some(frame);
                // Whose times leap all the time does not start programs all the time.
                FIRST_PAUSE.saturating_sub(began.elapsed())
            }
            End::Failed(why) => {
                log.warn(format_args!("webrtc: {}/{}: {why}", ladder.application, ladder.key));
                let verdict = Verdict::Transient(why.clone());
                match policy.decide(Order::Run, verdict, begun.elapsed(), began.elapsed(), 0.5) {
                    Decision::Again(pause) if !policy.newly_failing() => pause,
                    _ => return Err(why),
                }
            }
        };
        if !pause.is_zero() {
            next = None;
            let rest = async { while conversion.frames.recv().await.is_some() {} };
            if tokio::time::timeout(pause, rest).await.is_ok() {
                return Ok(());
            }
        }
    }
}

/// One run of the program.
struct Run<'a, L> {
    engine: &'a L,
    ladder: &'a LadderName,
    /// The time of its first frame.
    origin: MediaTime,
}

impl<L: Listens> Run<'_, L> {
    async fn run(&self, ffmpeg: &Path, conversion: &mut Conversion, first: Frame) -> End {
        let (mut child, pipes, input) = match Supervised::start_fed(&to_opus::command_line(ffmpeg)) {
            Ok(started) => started,
            Err(e) => return End::Failed(format!("ffmpeg cannot be started: {}", io_words(&e))),
        };
        let Conversion { track, frames, wanted, .. } = conversion;
        let (id, out, err) = (first.track, pipes.out, pipes.err);
        let over = async { tokio::try_join!(self.pass_on(out, id, wanted), self.hear(err)) };
        tokio::select! {
            end = self.feed(input, track, frames, first) => end,
            over = over => match over {
                Ok((_, Some(line))) => End::Failed(format!("ffmpeg says: {}", bounded(&line, LONGEST))),
                Ok((_, None)) => {
                    let exit = tokio::time::timeout(LAST_WORDS, child.ended()).await;
                    let how = exit.ok().and_then(Result::ok).map_or("ended".into(), |exit| exit.to_string());
                    End::Failed(format!("ffmpeg {how}"))
                }
                Err(why) => End::Failed(why),
            },
        }
    }

    /// Gives the program what comes.
    async fn feed(
        &self,
        mut input: pipe::Sender,
        track: &AudioTrack,
        frames: &mut Receiver<Frame>,
        first: Frame,
    ) -> End {
        let mut bytes = Writer::head(&[nut_track(track)]);
        let (mut last, mut frame) = (first.pts, first);
        loop {
            let time = frame.pts - self.origin + BEGIN;
            let packet = nut::Frame {
                pts: CLOCK.ticks(time.nanos()),
                key: true,
                extradata: None,
                data: frame.payload.to_vec(),
            };
            Writer::frame(&mut bytes, 0, &packet);
            match tokio::time::timeout(STUCK, input.write_all(&bytes)).await {
                Ok(Ok(())) => {}
                // It ended, and says why elsewhere.
                Ok(Err(_)) => return std::future::pending().await,
                Err(_) => return End::Failed("ffmpeg takes nothing any more".into()),
            }
            bytes.clear();
            let Some(next) = frames.recv().await else { return End::Unwanted };
            if next.pts.distance(last) > LEAP {
                return End::Leapt(next);
            }
            (last, frame) = (next.pts, next);
        }
    }

    /// Gives the ladder's viewers what the program makes.
    async fn pass_on(
        &self,
        mut out: pipe::Receiver,
        track: TrackId,
        wanted: &Weak<()>,
    ) -> Result<(), String> {
        let (mut reader, mut clock) = (Reader::default(), CLOCK);
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let length = match out.read(&mut buffer).await {
                Ok(0) | Err(_) => return Ok(()),
                Ok(length) => length,
            };
            reader.push(buffer.get(..length).unwrap_or_default());
            let mut units: Vec<Unit> = Vec::new();
            let unreadable = |e: nut::Error| format!("what ffmpeg writes cannot be read: {e}");
            while let Some(item) = reader.next_item().map_err(unreadable)? {
                match item {
                    nut::Item::Track(track) => clock = track.time_base,
                    nut::Item::Frame(packet) => {
                        let made = MediaTime::from_nanos(clock.nanoseconds(packet.pts));
                        let pts = made - BEGIN + self.origin;
                        let payload = packet.data.into();
                        let frame = Frame { track, dts: pts, pts, keyframe: true, payload };
                        units.push(packing::whole(&frame, Instant::now()));
                    }
                }
            }
            if wanted.strong_count() > 0 {
                self.engine.hear(self.ladder, &units);
            }
        }
    }

    /// Reads the program's log to its end; the last line of it.
    async fn hear(&self, err: pipe::Receiver) -> Result<Option<String>, String> {
        let (mut lines, mut count, mut last) = (Lines::new(err), 0_usize, None);
        while let Some(line) = lines.next().await {
            count = count.saturating_add(1);
            if count <= MOST_LINES {
                let LadderName { application, key } = self.ladder;
                self.engine.log().warn(format_args!("webrtc: {application}/{key}: ffmpeg: {line}"));
            }
            last = Some(line).filter(|line| !line.trim().is_empty()).or(last);
        }
        Ok(last)
    }
}

/// The track as NUT names it: by the numbers of WAVE, as ffmpeg does.
fn nut_track(track: &AudioTrack) -> nut::Track {
    let number = match track.codec {
        AudioCodec::Aac => *b"\xff\0\0\0",
        AudioCodec::Mp3 => *b"\x55\0\0\0",
        AudioCodec::G711A => *b"\x06\0\0\0",
        AudioCodec::G711U => *b"\x07\0\0\0",
        AudioCodec::Opus => *b"Opus",
    };
    nut::Track {
        class: 1,
        fourcc: number.to_vec(),
        time_base: CLOCK,
        decode_delay: 0,
        extradata: track.config.to_vec(),
        shape: vec![u64::from(track.sample_rate), 1, u64::from(track.channels)],
    }
}
