//! What a stream consists of: some tracks of video and some of audio, and the name that each frame calls its own by.

use super::track::{AudioTrack, Coding, VideoTrack};
use std::collections::BTreeMap;
use std::fmt;

/// The most tracks of one kind that a stream may have.
pub const MOST_OF_A_KIND: usize = 8;
/// The most tracks of a stream, which is one more than the largest [`TrackId::place`] of them.
pub const MOST_TRACKS: usize = 2 * MOST_OF_A_KIND;

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrackKind {
    /// Video.
    Video,
    /// Audio.
    Audio,
    /// Messages beside them (RTMP's script data).
    Data,
}

impl fmt::Display for TrackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrackKind::Video => "video",
            TrackKind::Audio => "audio",
            TrackKind::Data => "data",
        })
    }
}

/// Which track of a stream something belongs to: its kind, and the how many-th of that kind its publisher sends. It stays
/// the same while the publisher stays, also while other tracks are not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId {
    kind: TrackKind,
    /// Below [`MOST_OF_A_KIND`].
    index: u8,
}

impl TrackId {
    /// The first video.
    pub const VIDEO: TrackId = TrackId::first(TrackKind::Video);
    /// The first audio.
    pub const AUDIO: TrackId = TrackId::first(TrackKind::Audio);
    /// Messages beside the tracks, of which a stream has one sequence.
    pub const DATA: TrackId = TrackId::first(TrackKind::Data);

    /// The first track of this kind.
    pub const fn first(kind: TrackKind) -> TrackId {
        TrackId { kind, index: 0 }
    }

    /// The track of this kind with this number, from 0. `None` from [`MOST_OF_A_KIND`] on.
    pub fn new(kind: TrackKind, index: usize) -> Option<TrackId> {
        let index = u8::try_from(index).ok().filter(|index| usize::from(*index) < MOST_OF_A_KIND)?;
        Some(TrackId { kind, index })
    }

    /// Its kind.
    pub const fn kind(self) -> TrackKind {
        self.kind
    }

    /// Its number among those of its kind, from 0.
    pub fn index(self) -> usize {
        self.index.into()
    }

    /// Its place among all tracks that there may be, below [`MOST_TRACKS`]: 0 and 1 are the first video and the first
    /// audio, 2 and 3 the second ones. `None` for data.
    pub fn place(self) -> Option<usize> {
        let twice = self.index().saturating_mul(2);
        match self.kind {
            TrackKind::Video => Some(twice),
            TrackKind::Audio => Some(twice.saturating_add(1)),
            TrackKind::Data => None,
        }
    }

    /// The track with this [`TrackId::place`]; `None` from [`MOST_TRACKS`] on.
    pub fn at(place: usize) -> Option<TrackId> {
        let kind = if place.is_multiple_of(2) { TrackKind::Video } else { TrackKind::Audio };
        TrackId::new(kind, place / 2)
    }
}

/// `video`, `audio`; from the second one on with its number: `audio 2`.
impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            0 => write!(f, "{}", self.kind),
            index => write!(f, "{} {}", self.kind, index.saturating_add(1)),
        }
    }
}

/// The tracks of a stream, at most [`MOST_OF_A_KIND`] of each kind, in order. The first video and the first audio are
/// what readers get that can take only one of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tracks {
    /// By their index, which is below [`MOST_OF_A_KIND`].
    videos: BTreeMap<u8, VideoTrack>,
    audios: BTreeMap<u8, AudioTrack>,
}

impl Tracks {
    /// One of each, or less.
    pub fn of(video: impl Into<Option<VideoTrack>>, audio: impl Into<Option<AudioTrack>>) -> Tracks {
        let mut tracks = Tracks::default();
        if let Some(video) = video.into() {
            tracks.videos.insert(0, video);
        }
        if let Some(audio) = audio.into() {
            tracks.audios.insert(0, audio);
        }
        tracks
    }

    /// The first video.
    pub fn video(&self) -> Option<&VideoTrack> {
        self.videos.values().next()
    }

    /// The first video, to fill in what its configuration does not tell.
    pub fn video_mut(&mut self) -> Option<&mut VideoTrack> {
        self.videos.values_mut().next()
    }

    /// The first audio.
    pub fn audio(&self) -> Option<&AudioTrack> {
        self.audios.values().next()
    }

    /// Which the first video is.
    pub fn first_video(&self) -> Option<TrackId> {
        self.videos().next().map(|(id, _)| id)
    }

    /// Which the first audio is.
    pub fn first_audio(&self) -> Option<TrackId> {
        self.audios().next().map(|(id, _)| id)
    }

    /// All video.
    pub fn videos(&self) -> impl Iterator<Item = (TrackId, &VideoTrack)> {
        self.videos.iter().map(|(index, track)| (TrackId { kind: TrackKind::Video, index: *index }, track))
    }

    /// All audio.
    pub fn audios(&self) -> impl Iterator<Item = (TrackId, &AudioTrack)> {
        self.audios.iter().map(|(index, track)| (TrackId { kind: TrackKind::Audio, index: *index }, track))
    }

    /// All tracks, video first.
    pub fn ids(&self) -> impl Iterator<Item = TrackId> {
        self.videos().map(|(id, _)| id).chain(self.audios().map(|(id, _)| id))
    }

    /// How each track is coded.
    pub fn codings(&self) -> impl Iterator<Item = (TrackId, Coding)> {
        let video = self.videos().map(|(id, track)| (id, track.coding()));
        video.chain(self.audios().map(|(id, track)| (id, track.coding())))
    }

    /// The video with this id.
    pub fn video_of(&self, id: TrackId) -> Option<&VideoTrack> {
        self.videos.get(&id.index).filter(|_| id.kind == TrackKind::Video)
    }

    /// The audio with this id.
    pub fn audio_of(&self, id: TrackId) -> Option<&AudioTrack> {
        self.audios.get(&id.index).filter(|_| id.kind == TrackKind::Audio)
    }

    /// Whether there is a track with this id.
    pub fn has(&self, id: TrackId) -> bool {
        self.video_of(id).is_some() || self.audio_of(id).is_some()
    }

    /// The video with this id is this one from now on. An id of another kind changes nothing.
    pub fn set_video(&mut self, id: TrackId, track: VideoTrack) {
        if id.kind == TrackKind::Video {
            self.videos.insert(id.index, track);
        }
    }

    /// The audio with this id is this one from now on. An id of another kind changes nothing.
    pub fn set_audio(&mut self, id: TrackId, track: AudioTrack) {
        if id.kind == TrackKind::Audio {
            self.audios.insert(id.index, track);
        }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.videos.is_empty() && self.audios.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::AudioCodec;
    use proptest::prelude::*;

    #[test]
    fn places_and_ids_are_the_same() {
        for place in 0..MOST_TRACKS {
            assert_eq!(TrackId::at(place).and_then(TrackId::place), Some(place));
        }
        assert_eq!(TrackId::at(MOST_TRACKS), None);
        assert_eq!(TrackId::new(TrackKind::Audio, MOST_OF_A_KIND), None);
        assert_eq!([TrackId::at(0), TrackId::at(1)], [Some(TrackId::VIDEO), Some(TrackId::AUDIO)]);
        assert_eq!(TrackId::DATA.place(), None);
        let words: Vec<String> = (0..4).filter_map(TrackId::at).map(|id| id.to_string()).collect();
        assert_eq!(words, ["video", "audio", "video 2", "audio 2"]);
    }

    proptest! {
        #[test]
        fn each_track_is_there_once_and_in_order(set in proptest::collection::vec((0..MOST_TRACKS, 1_u32..9), 0..40)) {
            let mut tracks = Tracks::default();
            let mut last = BTreeMap::new();
            for (place, rate) in set {
                let id = TrackId::at(place).unwrap();
                let track = AudioTrack::plain(AudioCodec::G711A, rate, 1);
                tracks.set_audio(id, track.clone());
                if id.kind() == TrackKind::Audio {
                    last.insert(id, track);
                }
            }
            prop_assert_eq!(tracks.audios().collect::<Vec<_>>(), last.iter().map(|(id, t)| (*id, t)).collect::<Vec<_>>());
            prop_assert_eq!(tracks.ids().collect::<Vec<_>>(), last.keys().copied().collect::<Vec<_>>());
            prop_assert_eq!(tracks.first_audio(), last.keys().next().copied());
            prop_assert_eq!(tracks.audio(), last.values().next());
            prop_assert_eq!(tracks.video(), None);
            for (id, track) in &last {
                prop_assert!(tracks.has(*id));
                prop_assert_eq!((tracks.audio_of(*id), tracks.video_of(*id)), (Some(track), None));
            }
        }
    }
}
