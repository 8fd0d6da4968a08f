//! The whole way, judged by an Opus decoder.

use super::*;
use crate::media::codec::{aac, opus};
use crate::media::{AudioCodec, MediaTime, TrackId};
use bytes::Bytes;
use proptest::prelude::*;
use std::f64::consts::TAU;

/// 0.35 s of 48 kHz stereo by ffmpeg's encoder: 1000 Hz on the left, 440 Hz on the right, both with an amplitude of 0.5.
const TWO_TONES: &[u8] = include_bytes!("../../../tests/data/aac/two-tones.aac");

fn frame(pts: MediaTime, payload: impl Into<Bytes>) -> Frame {
    Frame { track: TrackId::AUDIO, dts: pts, pts, keyframe: true, payload: payload.into() }
}

fn units() -> (AudioTrack, Vec<Bytes>) {
    let adts = aac::adts(&Bytes::from_static(TWO_TONES)).unwrap();
    (AudioTrack::aac(adts.config).unwrap(), adts.packets)
}

fn unit_time(index: usize) -> MediaTime {
    MediaTime::from_clock(index as i64 * 1024, 48_000)
}

/// What a viewer hears, each channel for itself.
fn heard(frames: &[Frame], channels: usize) -> Vec<Vec<f32>> {
    let layout = if channels == 1 { ropus::Channels::Mono } else { ropus::Channels::Stereo };
    let mut decoder = ropus::Decoder::new(48_000, layout).unwrap();
    let mut planes = vec![Vec::new(); channels];
    for frame in frames {
        assert_eq!(opus::samples(&frame.payload), Some(960));
        let mut samples = vec![0_i16; 960 * channels];
        assert_eq!(decoder.decode(&frame.payload, &mut samples, ropus::DecodeMode::Normal), Ok(960));
        for turn in samples.chunks_exact(channels) {
            for (plane, sample) in planes.iter_mut().zip(turn) {
                plane.push(f32::from(*sample) / 32_768.0);
            }
        }
    }
    planes
}

/// The amplitude of a tone.
fn level(samples: &[f32], hertz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (i, sample) in samples.iter().enumerate() {
        let angle = TAU * hertz * i as f64 / 48_000.0;
        re += f64::from(*sample) * angle.cos();
        im += f64::from(*sample) * angle.sin();
    }
    2.0 * (re * re + im * im).sqrt() / samples.len() as f64
}

fn decibels(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

/// All times follow in steps of 20 ms.
fn assert_steady(frames: &[Frame]) {
    for (index, frame) in frames.iter().enumerate() {
        let should = MediaTime::from_clock(index as i64 * 960 - 120, 48_000) + frames[0].pts
            - MediaTime::from_clock(-120, 48_000);
        assert!(frame.pts.distance(should).as_nanos() < 2, "{index}");
        assert_eq!((frame.dts, frame.track, frame.keyframe), (frame.pts, TrackId::AUDIO, true));
    }
}

fn all(track: &AudioTrack, frames: impl IntoIterator<Item = Frame>) -> Vec<Frame> {
    let mut made = Vec::new();
    let mut to_opus = to_opus(track, None).unwrap();
    frames.into_iter().for_each(|frame| to_opus.push(&frame, &mut made));
    made
}

#[test]
fn two_tones_stay_two_tones() {
    let (track, units) = units();
    let begin = MediaTime::from_millis(-77);
    let made =
        all(&track, units.iter().enumerate().map(|(i, unit)| frame(begin + unit_time(i), unit.clone())));
    assert_eq!(made.len(), units.len() * 1024 / 960);
    assert_eq!(made[0].pts, begin + MediaTime::from_clock(-120, 48_000));
    assert_steady(&made);
    let planes = heard(&made, 2);
    let [left, right] = [&planes[0][4800..14_400], &planes[1][4800..14_400]];
    for (own, hertz, other, name) in [(left, 1000.0, right, "left"), (right, 440.0, left, "right")] {
        let (own, over) = (decibels(level(own, hertz) / 0.5), decibels(level(other, hertz)));
        assert!(own.abs() < 1.0, "{name}: {own} dB");
        assert!(over < -40.0, "{name} on the other side: {over} dB");
    }
}

#[test]
fn a_click_stays_where_it_is() {
    // At 100 ms, in A-law of 8 kHz: everything but the AAC decoder is passed.
    for codec in [AudioCodec::G711A, AudioCodec::G711U] {
        let quiet = if codec == AudioCodec::G711A { 0xd5 } else { 0xff };
        let mut bytes = vec![quiet; 2400];
        bytes[800..808].copy_from_slice(&[0x2a & if quiet == 0xff { 0 } else { 0xff }; 8]);
        let track = AudioTrack::plain(codec, 8000, 1);
        let frames = bytes.chunks(160).enumerate();
        let made = all(
            &track,
            frames.map(|(i, piece)| frame(MediaTime::from_millis(i as i64 * 20), piece.to_vec())),
        );
        assert_steady(&made);
        let plane = &heard(&made, 1)[0];
        let loudest = plane.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).unwrap();
        let at = made[0].pts + MediaTime::from_clock(loudest.0 as i64, 48_000);
        // The middle of the click: 100.5 ms.
        assert!(at.distance(MediaTime::from_nanos(100_500_000)).as_micros() < 700, "{at:?}");
        assert!(loudest.1.abs() > 0.5, "{loudest:?}");
    }
}

#[test]
fn a_broken_unit_costs_itself() {
    let (track, mut units) = units();
    units[8] = Bytes::from_static(&[0x21, 0xff, 0xff]);
    units[12] = Bytes::new();
    units[13] = Bytes::from(vec![0x21; 10_000]);
    let made = all(&track, units.iter().enumerate().map(|(i, unit)| frame(unit_time(i), unit.clone())));
    assert_eq!(made.len(), units.len() * 1024 / 960);
    assert_steady(&made);
    let left = &heard(&made, 2)[0];
    let of = |unit: usize| level(&left[unit * 1024 + 400..(unit + 1) * 1024], 1000.0);
    for (unit, there) in [(6, true), (8, false), (10, true), (12, false), (13, false), (15, true)] {
        assert_eq!(of(unit) > 0.3, there, "{unit}: {}", of(unit));
    }
}

#[test]
fn a_gap_is_silence_and_a_leap_is_a_leap() {
    let (track, units) = units();
    let (mut made, mut to_opus) = (Vec::new(), to_opus(&track, None).unwrap());
    let mut push =
        |time: MediaTime, made: &mut Vec<Frame>| to_opus.push(&frame(time, units[9].clone()), made);
    (0..100).for_each(|i| push(unit_time(i), &mut made));
    // Three units are lost.
    (103..200).for_each(|i| push(unit_time(i), &mut made));
    assert_eq!(made.len(), 200 * 1024 / 960);
    assert_steady(&made);
    // An hour later; what had begun is brought to an end, and nothing stands twice.
    let hour = MediaTime::from_millis(3_600_000);
    let before = made.len();
    (0..10).for_each(|i| push(hour + unit_time(i), &mut made));
    let leap = made.iter().position(|frame| frame.pts > hour - MediaTime::from_millis(100)).unwrap();
    assert_eq!(leap, before + 1);
    assert_steady(&made[..leap]);
    assert_steady(&made[leap..]);
    assert_eq!(made[leap].pts, hour + MediaTime::from_clock(-120, 48_000));
}

#[test]
fn mono_among_stereo_is_heard_on_both_sides() {
    let (track, units) = units();
    // A pair as mono's configuration calls it, and the other way round: what comes is what counts.
    let mono = AudioTrack::aac(aac::lc(48_000, 1).unwrap()).unwrap();
    let made = all(&mono, units.iter().enumerate().map(|(i, unit)| frame(unit_time(i), unit.clone())));
    let plane = &heard(&made, 1)[0][4800..14_400];
    for hertz in [1000.0, 440.0] {
        let half = decibels(level(plane, hertz) / 0.25);
        assert!(half.abs() < 1.0, "{hertz}: {half} dB");
    }
    let silence = Bytes::from_static(&[0x00, 0x00, 0x00, 0x07]);
    let made = all(
        &track,
        (0..20).map(|i| frame(unit_time(i), if i < 10 { units[i].clone() } else { silence.clone() })),
    );
    assert_steady(&made);
    for plane in heard(&made, 2) {
        assert!(level(&plane[13_000..], 1000.0).max(level(&plane[13_000..], 440.0)) < 0.01);
    }
}

#[test]
fn the_bitrate_is_what_was_asked_for() {
    let (track, units) = units();
    for (asked, least, most) in
        [(None, 60, 120), (Some(256_000), 150, 300), (Some(1), 10, 24), (Some(u32::MAX), 150, 300)]
    {
        let (mut made, mut to_opus) = (Vec::new(), to_opus(&track, asked).unwrap());
        (0..200).for_each(|i| to_opus.push(&frame(unit_time(i), units[3 + i % 12].clone()), &mut made));
        let bytes: usize = made.iter().map(|frame| frame.payload.len()).sum();
        let rate = bytes * 8 * 50 / made.len() / 1000;
        assert!((least..most).contains(&rate), "{asked:?}: {rate} kb/s");
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let refused = |track: &AudioTrack| to_opus(track, None).err();
    assert_eq!(
        refused(&AudioTrack::plain(AudioCodec::Mp3, 44_100, 2)),
        Some(Refused::Codec(AudioCodec::Mp3))
    );
    assert_eq!(refused(&AudioTrack::opus(opus::head(2)).unwrap()), Some(Refused::Codec(AudioCodec::Opus)));
    assert_eq!(refused(&AudioTrack::plain(AudioCodec::G711A, 8000, 3)), Some(Refused::Channels(3)));
    assert_eq!(refused(&AudioTrack::plain(AudioCodec::G711A, 8000, 0)), Some(Refused::Channels(0)));
    assert_eq!(refused(&AudioTrack::plain(AudioCodec::G711U, 8001, 1)), Some(Refused::Rate(8001)));
    let explicit = AudioTrack::aac(Bytes::from_static(&[0x17, 0x80, 0x18, 0x1c, 0x90])).unwrap();
    assert_eq!(refused(&explicit), Some(Refused::Rate(12_345)));
    assert_eq!(Refused::Codec(AudioCodec::Mp3).to_string(), "audio of the codec MP3 is not decoded here");
    let made = to_opus(&units().0, None).unwrap();
    assert_eq!((made.track().codec, made.track().channels), (AudioCodec::Opus, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_at_any_times_give_whole_packets(
        config in proptest::collection::vec(any::<u8>(), 0..6),
        which in 0..40_usize,
        frames in proptest::collection::vec((any::<i64>(), 0..3_u8, proptest::collection::vec(any::<u8>(), 0..60)), 0..24),
    ) {
        let track = match which {
            0 => AudioTrack::aac(config.into()).ok(),
            1 => Some(AudioTrack::plain(AudioCodec::G711U, 16_000, 2)),
            _ => AudioTrack::aac(aac::lc([48_000, 44_100, 96_000, 8_000][which % 4], which as u8 % 2 + 1).unwrap()).ok(),
        };
        let Some(mut to_opus) = track.and_then(|track| to_opus(&track, None).ok()) else { return Ok(()) };
        let mut time = MediaTime::ZERO;
        for (number, kind, bytes) in frames {
            time = match kind {
                0 => MediaTime::from_nanos(number),
                1 => time + MediaTime::from_nanos(number % 300_000_000),
                _ => time + MediaTime::from_millis(21),
            };
            // Half of them begin as a pair of channels does.
            let payload = if number % 2 == 0 { [&[0x21][..], &bytes].concat() } else { bytes };
            let mut out = Vec::new();
            to_opus.push(&frame(time, payload), &mut out);
            // The unit and the longest gap, and the end of what was there before.
            prop_assert!(out.len() <= 20, "{}", out.len());
            for frame in out {
                prop_assert_eq!(opus::samples(&frame.payload), Some(960));
                prop_assert!(frame.payload.len() <= 1150);
            }
        }
    }
}
