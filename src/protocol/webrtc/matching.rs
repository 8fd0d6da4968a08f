//! What of a ladder a viewer's offer can take. Pure.

use super::ladder::{Ladder, Unfit};
use super::offer::{Codec, Offer};
use crate::media::VideoCodec;

/// What a viewer is sent.
pub struct Chosen {
    /// The codec of video, and what the offer calls it.
    pub video: Option<(VideoCodec, Codec)>,
    /// That of audio.
    pub audio: Option<Codec>,
    /// Why there is no audio, where the stream has some.
    pub silent: Option<String>,
    /// Renditions that it can be sent.
    pub renditions: usize,
}

/// What of a ladder an offer can take; of one rendition if it is `pinned`.
///
/// # Errors
/// Why it can take nothing.
pub fn choose(ladder: &Ladder, offer: &Offer, pinned: Option<&str>) -> Result<Chosen, Unfit> {
    let line = offer.video.as_ref().filter(|line| line.receives);
    let mut found: Vec<(u64, VideoCodec, Codec)> = Vec::new();
    let mut why = None;
    let mut without = true;
    for (label, rendition) in ladder.live() {
        without &= rendition.video.is_none();
        let (Some(line), true) = (line, pinned.is_none_or(|pinned| pinned == label)) else { continue };
        match rendition.fit() {
            Ok(track) => match line.fits(track) {
                Some(codec) => found.push((rendition.bps(), track.codec, codec.clone())),
                None => why = Some(Unfit::NotOffered(track.codec.name(), line.names())),
            },
            Err(unfit) => why = Some(unfit),
        }
    }
    let renditions = found.len();
    let video = found.into_iter().max_by_key(|(bps, ..)| *bps).map(|(_, kind, codec)| (kind, codec));
    if video.is_none() && !without && line.is_some() {
        return Err(why.unwrap_or(Unfit::Missing));
    }
    let line = offer.audio.as_ref().filter(|line| line.receives);
    let (audio, silent) = match (ladder.audio(), line.map(|line| (line.opus(), line.names()))) {
        (None, _) | (_, None) => (None, None),
        (Some(Err(why)), _) => (None, Some(why)),
        (Some(Ok(())), Some((Some(opus), _))) => (Some(opus.clone()), None),
        (Some(Ok(())), Some((None, names))) => {
            (None, Some(format!("audio is sent as Opus, and the offer takes {names}")))
        }
    };
    if video.is_none() && audio.is_none() {
        return Err(why.unwrap_or(Unfit::Missing));
    }
    Ok(Chosen { video, audio, silent, renditions })
}
