//! What is said about a publisher's stream that goes on, though not all of it does. Each thing once.

use super::data::Unreadable;
use crate::media::codec::ConfigError;
use crate::media::flv::{Oddity, TagError};
use crate::media::{MOST_OF_A_KIND, TrackId, TrackKind};

/// Most different things that are said about one stream.
const MOST: usize = 16;

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// A data message that is left out.
    #[error("{0}: it is left out")]
    Data(Unreadable),
    /// A configuration that cannot be used.
    #[error("a configuration of its {0} cannot be used ({1})")]
    Configuration(TrackId, ConfigError),
    /// Its video is odd.
    #[error(transparent)]
    Video(#[from] Oddity),
    /// Its audio has headers that RTMP does not want.
    #[error("its AAC has ADTS headers: they are taken off")]
    Adts,
    /// The metadata announced a track of which nothing has come.
    #[error("its metadata announce {0} that does not come: it begins without")]
    Missing(TrackKind),
    /// A track comes and nobody can decode it.
    #[error("its {0} cannot be decoded: {1}; it begins without")]
    Undecodable(TrackId, &'static str),
    /// A track came when the stream had begun without it.
    #[error("its {0} comes late: the stream goes on with it")]
    Late(TrackId),
    /// A further track is not carried.
    #[error("its {0} is left out: {1}")]
    LeftOut(TrackId, TagError),
    /// It has more tracks than a stream may have.
    #[error("it has more tracks of {0} than {MOST_OF_A_KIND}: the others are left out")]
    TooMany(TrackKind),
}

impl Note {
    /// Whether something of the stream is missing.
    pub fn is_loss(&self) -> bool {
        match self {
            Note::Data(_)
            | Note::Configuration(..)
            | Note::Missing(_)
            | Note::Undecodable(..)
            | Note::LeftOut(..)
            | Note::TooMany(_) => true,
            Note::Video(oddity) => *oddity == Oddity::NoUnits,
            Note::Adts | Note::Late(_) => false,
        }
    }
}

/// What has been said.
#[derive(Debug, Default)]
pub struct Said(Vec<Note>);

impl Said {
    /// Whether this is still to be said; it is from now on.
    pub fn is_new(&mut self, note: &Note) -> bool {
        let new = self.0.len() < MOST && !self.0.contains(note);
        if new {
            self.0.push(note.clone());
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_said_once_and_few_in_all() {
        let mut said = Said::default();
        assert!(said.is_new(&Note::Adts) && !said.is_new(&Note::Adts));
        let broken = |n: usize| {
            let why = ConfigError::Unreadable("set", "H.264", n.to_string());
            Note::Configuration(TrackId::VIDEO, why)
        };
        assert_eq!((0..100).filter(|n| said.is_new(&broken(*n))).count(), MOST - 1);
        let text = Note::Undecodable(TrackId::VIDEO, "no sets came").to_string();
        assert_eq!(text, "its video cannot be decoded: no sets came; it begins without");
    }
}
