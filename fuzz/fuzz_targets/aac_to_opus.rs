//! Any configuration, units and times of AAC or G.711: whole packets of Opus within bounds, or a refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::media::codec::{aac, opus};
use msconv::media::transcoding::to_opus;
use msconv::media::{AudioCodec, AudioTrack, Frame, MediaTime, TrackId};

/// A plain form, so that recorded units can be seeds: a byte for the track, a byte for the bitrate, then the frames,
/// each with a byte for the kind of its time, eight for the time where that is to be odd, and its length in two.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(u16::from_be_bytes(self.array()?)).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(bytes)
    }
}

fn track(kind: u8, rate: u32, input: &mut Input<'_>) -> Option<AudioTrack> {
    let channels = 1 + (kind >> 2) % 2;
    match kind % 4 {
        0 => AudioTrack::aac(input.bytes()?.to_vec().into()).ok(),
        1 => Some(AudioTrack::plain(AudioCodec::G711A, rate, channels)),
        // Mostly what is not refused.
        _ => AudioTrack::aac(aac::lc(rate, channels).ok()?).ok(),
    }
}

fn run(input: &mut Input<'_>) -> Option<()> {
    let [kind, bitrate] = input.array()?;
    let rate = [48_000, 96_000, 44_100, 32_000, 22_050, 16_000, 11_025, 7_350][usize::from(kind >> 3) % 8];
    let asked = (bitrate != 0).then_some(u32::from(bitrate) << 11);
    let mut to_opus = to_opus(&track(kind, rate, input)?, asked).ok()?;
    assert_eq!(to_opus.track().codec, AudioCodec::Opus);
    let (mut out, mut time) = (Vec::new(), MediaTime::ZERO);
    loop {
        let [step] = input.array()?;
        time = match step % 8 {
            1 => MediaTime::from_nanos(i64::from_be_bytes(input.array()?)),
            2 => time + MediaTime::from_nanos(i64::from_be_bytes(input.array()?) % 300_000_000),
            _ => time + MediaTime::from_clock(1024, rate),
        };
        let payload = input.bytes()?.to_vec().into();
        to_opus
            .push(&Frame { track: TrackId::AUDIO, dts: time, pts: time, keyframe: true, payload }, &mut out);
        // A second of G.711 at most, the longest gap before it, and the end of what was there before.
        assert!(out.len() <= 62);
        for packet in out.drain(..) {
            assert_eq!((opus::samples(&packet.payload), packet.pts), (Some(960), packet.dts));
            assert!(packet.payload.len() <= 1150);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let _ = run(&mut Input(bytes));
});
