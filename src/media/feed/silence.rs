//! Packets of silence in the codec of a track, for holes in audio that is not decoded here.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::media::MediaTime;
use crate::media::codec::aac;
use crate::media::nut::Track;
use bytes::Bytes;

/// AAC without a single coefficient (ISO 14496-3, 4.4.2): one channel, and two that share their window.
const AAC_MONO: [u8; 4] = [0x00, 0x00, 0x00, 0x07];
const AAC_STEREO: [u8; 6] = [0x21, 0x00, 0x00, 0x00, 0x00, 0x1c];
/// What NUT calls the codecs: by WAVE's numbers, or as MP4 does.
const AAC: [&[u8]; 2] = [b"\xff\0\0\0", b"mp4a"];
const MP3: [&[u8]; 2] = [b"U\0\0\0", b"mp3 "];

/// How long a packet of this track is; `None` for codecs that do not say.
pub fn packet_length(track: &Track) -> Option<MediaTime> {
    let rate = track.shape.first().and_then(|rate| u32::try_from(*rate).ok()).filter(|rate| *rate > 0)?;
    let samples = match codec(track)? {
        Codec::Aac if track.extradata.is_empty() => 1024,
        Codec::Aac => {
            // With spectral band replication the rate that is told is twice that of the coded samples.
            let own = aac::track(Bytes::copy_from_slice(&track.extradata)).ok()?.sample_rate;
            let samples = aac::samples_per_packet(&track.extradata);
            return Some(MediaTime::from_clock(i64::from(samples), own));
        }
        Codec::Mp3 if rate < 32_000 => 576,
        Codec::Mp3 => 1152,
    };
    Some(MediaTime::from_clock(samples, rate))
}

/// A silent packet that a decoder takes between two of this track; `last` is the packet before it.
pub fn packet(track: &Track, last: &[u8]) -> Option<Vec<u8>> {
    match codec(track)? {
        Codec::Aac if is_adts(last) => adts(last),
        Codec::Aac => {
            let config = aac::track(Bytes::copy_from_slice(&track.extradata)).ok()?;
            aac_frame(u64::from(config.channels)).map(<[u8]>::to_vec)
        }
        Codec::Mp3 => mp3(last),
    }
}

enum Codec {
    Aac,
    Mp3,
}

fn codec(track: &Track) -> Option<Codec> {
    let is = |names: [&[u8]; 2]| names.contains(&track.fourcc.as_slice());
    if is(AAC) { Some(Codec::Aac) } else { is(MP3).then_some(Codec::Mp3) }
}

fn aac_frame(channels: u64) -> Option<&'static [u8]> {
    match channels {
        1 => Some(&AAC_MONO),
        2 => Some(&AAC_STEREO),
        _ => None,
    }
}

fn is_adts(packet: &[u8]) -> bool {
    matches!(packet, [0xff, second, ..] if second & 0xf6 == 0xf0) && packet.len() > 7
}

/// The header of another packet (ISO 13818-7, 6.2) before a silent frame, without its checksum.
fn adts(last: &[u8]) -> Option<Vec<u8>> {
    let mut packet = last.get(..7)?.to_vec();
    let [_, second, third, fourth, fifth, sixth, _] = packet.as_mut_slice() else { return None };
    let channels = ((*third & 0x01) << 2) | (*fourth >> 6);
    let frame = aac_frame(u64::from(channels))?;
    let length = 7u16.saturating_add(u16::try_from(frame.len()).ok()?);
    *second |= 0x01;
    *fourth = (*fourth & 0xfc) | (length >> 11) as u8;
    *fifth = (length >> 3) as u8;
    *sixth = ((length & 0x07) << 5) as u8 | (*sixth & 0x1f);
    packet.extend_from_slice(frame);
    Some(packet)
}

/// The header of another packet (ISO 11172-3, 2.4.1.3), no checksum, and nothing coded.
fn mp3(last: &[u8]) -> Option<Vec<u8>> {
    let [0xff, second, ..] = last else { return None };
    if second & 0xe0 != 0xe0 || last.len() < 40 {
        return None;
    }
    let mut packet = vec![0; last.len()];
    let head = last.get(..4)?;
    packet.get_mut(..4)?.copy_from_slice(head);
    *packet.get_mut(1)? |= 0x01;
    Some(packet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::nut::TimeBase;
    use proptest::prelude::*;

    fn track(fourcc: &[u8], extradata: &[u8], rate: u64, channels: u64) -> Track {
        Track {
            class: 1,
            fourcc: fourcc.to_vec(),
            time_base: TimeBase { num: 1, den: 48_000 },
            decode_delay: 0,
            extradata: extradata.to_vec(),
            shape: vec![rate, 1, channels],
        }
    }

    #[test]
    fn lengths_are_those_of_the_codec() {
        let ms = |track: &Track| packet_length(track).map(|t| t.nanos() / 1000);
        assert_eq!(ms(&track(AAC[0], &[0x11, 0x90], 48_000, 2)), Some(21_333));
        assert_eq!(ms(&track(AAC[0], &[], 48_000, 2)), Some(21_333));
        assert_eq!(ms(&track(MP3[1], &[], 44_100, 2)), Some(26_122));
        // HE-AAC: 24 kHz with its upper half replicated.
        assert_eq!(ms(&track(AAC[0], &[0x2b, 0x11, 0x88, 0x00], 48_000, 2)), Some(42_666));
        assert_eq!(ms(&track(b"ulaw", &[], 8_000, 1)), None);
    }

    #[test]
    fn headers_are_those_of_the_packet_before() {
        // ADTS, LC, 48 kHz, stereo, 100 bytes.
        let last = [&[0xff, 0xf1, 0x4c, 0x80, 0x0c, 0x9f, 0xfc][..], &[7; 93]].concat();
        let silent = packet(&track(AAC[0], &[], 48_000, 2), &last).unwrap();
        assert_eq!(silent.len(), 13);
        let length =
            (usize::from(silent[3] & 3) << 11) | (usize::from(silent[4]) << 3) | usize::from(silent[5] >> 5);
        assert_eq!((length, &silent[7..]), (13, &AAC_STEREO[..]));
        let last = [&[0xff, 0xfb, 0x90, 0x64][..], &[9; 413]].concat();
        let silent = packet(&track(MP3[1], &[], 44_100, 2), &last).unwrap();
        assert_eq!((silent.len(), &silent[..4], silent[4..].iter().max()), (417, &last[..4], Some(&0)));
    }

    proptest! {
        #[test]
        fn any_packet_is_taken(last in proptest::collection::vec(any::<u8>(), 0..60), config in proptest::collection::vec(any::<u8>(), 0..6), mp3: bool) {
            let track = track(if mp3 { MP3[0] } else { AAC[1] }, &config, 48_000, 2);
            let _ = (packet(&track, &last), packet_length(&track));
        }
    }
}
