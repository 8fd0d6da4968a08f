//! A ladder as WebRTC carries it: its renditions packed once for all viewers, and one line of audio for all renditions.
//! What viewers do with it is theirs.

use super::choosing::Choice;
use super::foreign_audio::{Conversion, Feed, conversion};
use super::packing::{self, Packer, Unit};
use super::recent::Recent;
use crate::hub::tap::Item;
use crate::hub::{Headers, OnAir};
use crate::media::transcoding::{Refused, ToOpus, to_opus};
use crate::media::{AudioCodec, AudioTrack, Frame, MediaTime, TrackKind, VideoCodec, VideoTrack};
use crate::model::StreamName;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

/// What a rendition is taken to need, bits a second, before that is measured and where nothing was planned.
const GUESSED_BPS: u64 = 2_500_000;

/// Why a rendition cannot be shown over WebRTC, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// B-frames.
    #[error("its frames are reordered (B-frames), which WebRTC does not know")]
    Reordered,
    /// No video.
    #[error("it has no video, and the offer takes nothing else")]
    Missing,
    /// The browser takes another.
    #[error("its video is {0}, and the offer takes {1}")]
    NotOffered(&'static str, String),
}

/// A rendition.
#[derive(Debug)]
pub struct Rendition {
    /// Its name.
    pub name: StreamName,
    /// Its video, once that is known.
    pub video: Option<VideoTrack>,
    /// Its audio.
    pub audio: Option<AudioTrack>,
    /// Its last frames.
    pub recent: Recent,
    /// Whether its tracks are known and it has a publisher.
    pub live: bool,
    /// Whether the others are another encoder's, and so not in step with it.
    pub stranger: bool,
    planned_bps: Option<u64>,
    packer: Option<Packer>,
}

/// What became of an item of a rendition.
#[derive(Debug)]
pub enum Made {
    /// A frame of video to be sent.
    Video(Unit),
    /// Packets of audio to be sent.
    Audio(Vec<Unit>),
    /// Frames are missing from here on: the next one that can be shown is a keyframe.
    Broken,
    /// It is no longer what sessions agreed upon.
    Changed,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ladder {
    renditions: BTreeMap<String, Rendition>,
    /// The renditions whose tracks are awaited.
    awaited: BTreeSet<String>,
    /// Whose audio is the ladder's, and what makes Opus of it.
    audio: Option<(String, Audio)>,
    /// What a program shall make of its audio, to be taken by whoever runs one.
    pub begun: Option<Conversion>,
    /// Why no program makes anything of it.
    without_audio: Option<String>,
    anchor: Option<(MediaTime, Instant)>,
    /// Its viewers' sessions.
    pub viewers: BTreeSet<u64>,
    /// Those of them who get audio.
    listeners: BTreeSet<u64>,
    /// Since when it has no viewer.
    pub idle: Option<Instant>,
}

impl Ladder {
    /// One without viewers yet.
    pub fn unwatched(now: Instant) -> Ladder {
        Ladder { idle: Some(now), ..Ladder::default() }
    }

    /// A rendition that is on the air; its tracks come.
    pub fn expect(&mut self, on_air: &OnAir) {
        self.awaited.insert(on_air.label.clone());
        let planned = on_air.planned.as_ref().map(|planned| planned.bitrate_bps);
        let rendition = self.renditions.entry(on_air.label.clone()).or_insert_with(|| Rendition {
            name: on_air.name.clone(),
            video: None,
            audio: None,
            recent: Recent::default(),
            live: false,
            stranger: false,
            planned_bps: planned.filter(|bps| *bps > 0),
            packer: None,
        });
        rendition.stranger = on_air.stranger;
    }

    /// A rendition is, or is not, in step with the others.
    pub fn keep_apart(&mut self, label: &str, stranger: bool) {
        if let Some(rendition) = self.renditions.get_mut(label) {
            rendition.stranger = stranger;
        }
    }

    /// A rendition has no publisher any more. It stays known: it may come back.
    pub fn leave(&mut self, label: &str) {
        self.awaited.remove(label);
        if let Some(rendition) = self.renditions.get_mut(label) {
            rendition.live = false;
            rendition.recent.forget();
        }
        if self.audio.as_ref().is_some_and(|(of, _)| of == label) {
            self.audio = None;
        }
    }

    /// Whether everything that is on the air is known, and something is.
    pub fn is_ready(&self) -> bool {
        self.awaited.is_empty() && self.renditions.values().any(|rendition| rendition.live)
    }

    /// A rendition by its label.
    pub fn rendition(&self, label: &str) -> Option<&Rendition> {
        self.renditions.get(label)
    }

    /// Those that are on the air.
    pub fn live(&self) -> impl Iterator<Item = (&str, &Rendition)> {
        self.renditions
            .iter()
            .filter(|(_, rendition)| rendition.live)
            .map(|(label, one)| (label.as_str(), one))
    }

    /// Those that can be shown in this codec, to choose among; only the one with the label that is `pinned`. A stranger is
    /// among several only while there is nothing else: it is not in step with the others, whose audio is the ladder's.
    pub fn choices(&self, codec: VideoCodec, pinned: Option<&str>) -> Vec<Choice> {
        let fits = |rendition: &Rendition| rendition.fit().is_ok_and(|track| track.codec == codec);
        let others = self.live().any(|(_, rendition)| fits(rendition) && !rendition.stranger);
        let meant = |label: &str, rendition: &Rendition| match pinned {
            Some(pinned) => label == pinned,
            None => !(others && rendition.stranger),
        };
        self.live()
            .filter(|(label, rendition)| fits(rendition) && meant(label, rendition))
            .map(|(label, rendition)| Choice { label: label.to_string(), bps: rendition.bps() })
            .collect()
    }

    /// The audio of the ladder, if it has any, or why it cannot be sent.
    pub fn audio(&self) -> Option<Result<(), String>> {
        let refused = self.refused()?;
        Some(match (refused, &self.without_audio) {
            (Some(refused), Some(why)) => Err(format!("{refused}, and {why}")),
            _ => Ok(()),
        })
    }

    /// Whether a program is needed for its audio, which may be there.
    pub fn needs_program(&self) -> bool {
        self.without_audio.is_none() && self.refused().flatten().is_some()
    }

    /// Why its audio cannot be decoded here, if it has any.
    fn refused(&self) -> Option<Option<Refused>> {
        let track = self.live().find_map(|(_, rendition)| rendition.audio.as_ref())?;
        Some(Audio::of(track).err())
    }

    /// There is no program for its audio, for this reason.
    pub fn give_up_audio(&mut self, why: &str) {
        if let Some((_, Audio::Foreign(_))) = self.audio {
            self.audio = None;
        }
        self.without_audio = Some(why.to_string());
    }

    /// Somebody watches it, and may get audio.
    pub fn come(&mut self, viewer: u64, hears: bool) {
        self.viewers.insert(viewer);
        if hears {
            self.listeners.insert(viewer);
        }
        self.idle = None;
    }

    /// Somebody does not watch it any more.
    pub fn go(&mut self, viewer: u64, now: Instant) {
        self.viewers.remove(&viewer);
        self.listeners.remove(&viewer);
        if self.listeners.is_empty() {
            // Nobody hears it, and encoding costs. Whoever comes next may find the program that was missing.
            (self.audio, self.begun, self.without_audio) = (None, None, None);
        }
        if self.viewers.is_empty() {
            self.idle = Some(now);
        }
    }

    /// The moment that belongs to a time of the ladder's line: one anchor for video and audio, so that reports of senders
    /// keep them in step.
    pub fn moment(&self, pts: MediaTime) -> Instant {
        let Some((at_pts, at)) = self.anchor else { return Instant::now() };
        let moment =
            if pts >= at_pts { at.checked_add(pts.since(at_pts)) } else { at.checked_sub(at_pts.since(pts)) };
        moment.unwrap_or(at)
    }

    /// Takes an item of a rendition.
    pub fn take(&mut self, label: &str, item: Item) -> Option<Made> {
        match item {
            Item::Tracks(headers) => {
                self.awaited.remove(label);
                self.without_audio = None;
                // Another configuration may be another decoder.
                if self.audio.as_ref().is_some_and(|(of, _)| of == label) {
                    self.audio = None;
                }
                let rendition = self.renditions.get_mut(label)?;
                rendition.set(&headers).then_some(Made::Changed)
            }
            Item::Gap(_) => {
                self.renditions.get_mut(label)?.recent.forget();
                Some(Made::Broken)
            }
            Item::Interrupted => {
                self.anchor = None;
                let rendition = self.renditions.get_mut(label)?;
                rendition.recent.forget();
                Some(Made::Broken)
            }
            Item::Frame(frame, stamp) => self.frame(label, &frame, stamp.at),
        }
    }

    fn frame(&mut self, label: &str, frame: &Frame, at: Instant) -> Option<Made> {
        if self.anchor.is_none() {
            self.anchor = Some((frame.pts, at));
        }
        // The audio is that of the renditions that are in step, once there are such.
        let foreign =
            self.audio.as_ref().and_then(|(of, _)| self.renditions.get(of)).is_some_and(|of| of.stranger);
        let rendition = self.renditions.get_mut(label)?;
        match frame.track.kind() {
            TrackKind::Video if frame.track.index() == 0 => {
                let unit = rendition.packer.as_mut()?.pack(frame, at);
                let before = rendition.recent.reorders(false);
                rendition.recent.push(&unit);
                // Frames that are reordered from here on are no longer for those who watch.
                let begins = !before && rendition.recent.reorders(false);
                Some(if begins { Made::Changed } else { Made::Video(unit) })
            }
            TrackKind::Audio if frame.track.index() == 0 => {
                let track = rendition.audio.as_ref()?;
                if self.listeners.is_empty() {
                    return None;
                }
                if foreign && !rendition.stranger {
                    self.audio = None;
                }
                if self.audio.is_none() {
                    let audio = match Audio::of(track) {
                        Ok(audio) => audio,
                        Err(_) if self.without_audio.is_some() => return None,
                        Err(_) => {
                            let (feed, begun) = conversion(label, track);
                            self.begun = Some(begun);
                            Audio::Foreign(feed)
                        }
                    };
                    self.audio = Some((label.to_string(), audio));
                }
                let (of, audio) = self.audio.as_mut()?;
                (of == label).then(|| Made::Audio(audio.units(frame, at)))
            }
            _ => None,
        }
    }
}

/// Audio on its way to viewers, who take Opus alone.
enum Audio {
    /// It is Opus.
    Opus,
    /// It is made so.
    Made(Box<dyn ToOpus>),
    /// A program makes it so, and what it makes comes by another way.
    Foreign(Feed),
}

impl Audio {
    fn of(track: &AudioTrack) -> Result<Audio, Refused> {
        if track.codec == AudioCodec::Opus { Ok(Audio::Opus) } else { to_opus(track, None).map(Audio::Made) }
    }

    fn units(&mut self, frame: &Frame, at: Instant) -> Vec<Unit> {
        match self {
            Audio::Opus => vec![packing::whole(frame, at)],
            Audio::Made(to_opus) => {
                let mut packets = Vec::new();
                to_opus.push(frame, &mut packets);
                packets.iter().map(|packet| packing::whole(packet, at)).collect()
            }
            Audio::Foreign(feed) => {
                feed.push(frame);
                Vec::new()
            }
        }
    }
}

impl fmt::Debug for Audio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Audio::Opus => "Opus",
            Audio::Made(_) => "made",
            Audio::Foreign(_) => "made elsewhere",
        })
    }
}

impl Rendition {
    /// Whether its tracks are others than before in what a session agreed upon.
    fn set(&mut self, headers: &Headers) -> bool {
        let (video, audio) = (headers.tracks.video().cloned(), headers.tracks.audio().cloned());
        let codec = |track: &Option<VideoTrack>| track.as_ref().map(|track| track.codec);
        let changed = self.video.is_some() && codec(&self.video) != codec(&video)
            || (self.audio.is_some() != audio.is_some() && self.live);
        // Another publisher may have B-frames, or none any more.
        self.recent = Recent::default();
        self.packer = video.as_ref().map(Packer::of);
        (self.video, self.audio, self.live) = (video, audio, true);
        changed
    }

    /// Whether a viewer who agreed to this codec can go on with it.
    pub fn still_is(&self, codec: Option<VideoCodec>) -> bool {
        self.video.as_ref().map(|track| track.codec) == codec && !self.recent.reorders(false)
    }

    /// Its video, if it can be shown.
    ///
    /// # Errors
    /// Why not.
    pub fn fit(&self) -> Result<&VideoTrack, Unfit> {
        let track = self.video.as_ref().ok_or(Unfit::Missing)?;
        if self.recent.reorders(track.reorder > 0) { Err(Unfit::Reordered) } else { Ok(track) }
    }

    /// Bits a second of its video, as measured, else as planned.
    pub fn bps(&self) -> u64 {
        self.recent.rate_bps().or(self.planned_bps).unwrap_or(GUESSED_BPS)
    }
}

/// How long a ladder that nobody watches is read on: who reloads a page finds it warm.
pub const WARM: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Stamp;
    use crate::media::{TrackId, Tracks};

    fn tracks(channels: u8) -> Item {
        let codec = AudioCodec::Mp3;
        let audio =
            AudioTrack { codec, config: [].as_slice().into(), sample_rate: 48_000, channels, profile: "" };
        Item::Tracks(Box::new(Headers { tracks: Tracks::of(None, Some(audio)), metadata: None }))
    }

    fn begins(ladder: &mut Ladder) -> Option<Conversion> {
        let (track, time, at) = (TrackId::AUDIO, MediaTime::ZERO, Instant::now());
        let frame = Frame { track, dts: time, pts: time, keyframe: true, payload: [1, 2].as_slice().into() };
        ladder.take("hi", Item::Frame(frame, Stamp { at, wall_ms: 0, run: 1 }));
        ladder.begun.take()
    }

    #[test]
    fn a_program_is_wanted_while_somebody_hears_audio_that_is_not_decoded_here() {
        let mut ladder = Ladder::default();
        let name = StreamName::new("live", "cam_hi");
        ladder.expect(&OnAir { name, label: "hi".into(), planned: None, stranger: false });
        ladder.take("hi", tracks(2));
        assert!(ladder.needs_program() && ladder.audio() == Some(Ok(())));
        ladder.come(1, false);
        assert!(begins(&mut ladder).is_none(), "its only viewer takes no audio");
        ladder.come(2, true);
        let begun = begins(&mut ladder).unwrap();
        assert!(begins(&mut ladder).is_none() && begun.is_wanted(), "one for a ladder");
        ladder.take("hi", tracks(1));
        assert!(!begun.is_wanted(), "its track is another one");
        let next = begins(&mut ladder).unwrap();
        ladder.go(2, Instant::now());
        assert!(!next.is_wanted() && begins(&mut ladder).is_none(), "nobody hears it");

        ladder.come(3, true);
        let last = begins(&mut ladder).unwrap();
        ladder.give_up_audio("no ffmpeg is installed");
        assert!(!last.is_wanted() && begins(&mut ladder).is_none() && !ladder.needs_program());
        let why = ladder.audio().unwrap().unwrap_err();
        assert!(why.contains("MP3") && why.ends_with(", and no ffmpeg is installed"), "{why}");
        ladder.go(3, Instant::now());
        assert_eq!(ladder.audio(), Some(Ok(())), "the next one tries again");
    }
}
