//! Codec names as in RFC 6381: `avc1.64001f`, `mp4a.40.2`. Playlists (RFC 8216, 4.3.4.2) and Media Source Extensions
//! take them.

use crate::media::codec::aac;
use crate::media::track::{AudioCodec, AudioTrack, VideoCodec, VideoTrack};

/// The name of a video track. A configuration that is too short to tell gives the codec's bare name.
pub fn video_codec_name(track: &VideoTrack) -> String {
    let config = track.config.as_ref();
    match track.codec {
        VideoCodec::H264 => h264(config).unwrap_or_else(|| "avc1".into()),
        VideoCodec::H265 => h265(config).unwrap_or_else(|| "hvc1".into()),
        VideoCodec::Av1 => av1(config).unwrap_or_else(|| "av01".into()),
        VideoCodec::Vp9 => vp9(config).unwrap_or_else(|| "vp09".into()),
    }
}

/// The name of an audio track.
pub fn audio_codec_name(track: &AudioTrack) -> String {
    match track.codec {
        AudioCodec::Aac => format!("mp4a.40.{}", aac::object_type(&track.config).unwrap_or(2)),
        AudioCodec::Opus => "opus".into(),
        // MPEG-4 audio object type 34 (layer III), as Apple's players and hls.js know it.
        AudioCodec::Mp3 => "mp4a.40.34".into(),
        AudioCodec::G711A => "alaw".into(),
        AudioCodec::G711U => "ulaw".into(),
    }
}

/// Profile, constraints and level of an avcC (RFC 6381, 3.3).
fn h264(config: &[u8]) -> Option<String> {
    let [_, profile, constraints, level, ..] = *config else { return None };
    Some(format!("avc1.{profile:02x}{constraints:02x}{level:02x}"))
}

/// Profile, compatibility, tier, level and constraints of an hvcC (ISO 14496-15, E.3).
fn h265(config: &[u8]) -> Option<String> {
    let head = config.get(1..13)?;
    let [profile, compatibility @ .., level] = head else { return None };
    let (flags, constraints) = compatibility.split_first_chunk::<4>()?;
    let space = match profile >> 6 {
        0 => "",
        1 => "A",
        2 => "B",
        _ => "C",
    };
    let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
    let flags = u32::from_be_bytes(*flags).reverse_bits();
    let mut name = format!("hvc1.{space}{}.{flags:X}.{tier}{level}", profile & 0x1f);
    let used = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for byte in constraints.iter().take(used) {
        name.push_str(&format!(".{byte:X}"));
    }
    Some(name)
}

/// Profile, level, tier and depth of an av1C (AV1 in ISOBMFF, 5).
fn av1(config: &[u8]) -> Option<String> {
    let [_, profile_and_level, flags, ..] = *config else { return None };
    let tier = if flags & 0x80 == 0 { 'M' } else { 'H' };
    let depth = match (flags & 0x40 != 0, flags & 0x20 != 0) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    };
    Some(format!("av01.{}.{:02}{tier}.{depth:02}", profile_and_level >> 5, profile_and_level & 0x1f))
}

/// Profile, level and depth of a vpcC: with the version and flags of its box in front (VP9 in ISOBMFF), as in FLV.
fn vp9(config: &[u8]) -> Option<String> {
    let [1, 0, 0, 0, profile, level, depth, ..] = *config else { return None };
    Some(format!("vp09.{profile:02}.{level:02}.{:02}", depth >> 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_players() {
        assert_eq!(h264(&[1, 0x64, 0, 0x1f, 0xff]).as_deref(), Some("avc1.64001f"));
        assert_eq!(h264(&[1, 0x42]), None);
        // Main profile, level 3.1, as ffmpeg names it.
        let hvcc = [1, 0x01, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 0x5d, 0xf0];
        assert_eq!(h265(&hvcc).as_deref(), Some("hvc1.1.6.L93.90"));
        assert_eq!(h265(&hvcc[..12]), None);
        assert_eq!(av1(&[0x81, 0x04, 0x0c, 0]).as_deref(), Some("av01.0.04M.08"));
        assert_eq!(av1(&[0x81, 0x0d, 0x4c, 0]).as_deref(), Some("av01.0.13M.10"));
        assert_eq!(vp9(&[1, 0, 0, 0, 0, 31, 0x82, 1, 1, 1, 0, 0]).as_deref(), Some("vp09.00.31.08"));
        assert_eq!(vp9(&[]), None);
    }
}
