//! Viewers over WebRTC hear AAC as Opus: real AAC by ffmpeg goes in, and what comes out is judged by ffmpeg's Opus decoder.

use crate::stage::{PATIENCE, Stage, needs};
use msconv::media::codec::aac;
use msconv::media::nut::{self, TimeBase, Track, Writer};
use msconv::media::transcoding::{Refused, to_opus};
use msconv::media::{AudioTrack, Frame, MediaTime, TrackId};
use std::f64::consts::TAU;

/// Runs the real ffmpeg over `input` and reads what it wrote to a file of this name.
fn ffmpeg(stage: &Stage, input: &[&str], output: &[&str], name: &str) -> Vec<u8> {
    let path = stage.root().join(name);
    let mut args = vec!["-nostdin", "-v", "error", "-y"];
    args.extend_from_slice(input);
    args.extend_from_slice(output);
    args.push(path.to_str().unwrap());
    stage.spawn("ffmpeg", &args).wait(PATIENCE).expect(0);
    std::fs::read(&path).unwrap()
}

/// AAC of a source of ffmpeg's, as a publisher sends it: what the encoder puts before the first sample has times below
/// zero, and times are whole milliseconds.
fn coded(stage: &Stage, source: &str, rate: u32, channels: u8) -> (AudioTrack, Vec<Frame>) {
    let (rate_text, channels_text) = (rate.to_string(), channels.to_string());
    let output = ["-ar", &rate_text, "-ac", &channels_text, "-c:a", "aac", "-b:a", "128k", "-f", "adts"];
    let adts =
        aac::adts(&ffmpeg(stage, &["-f", "lavfi", "-i", source], &output, "coded.aac").into()).unwrap();
    let track = AudioTrack::aac(adts.config).unwrap();
    let frames = adts.packets.into_iter().enumerate().map(|(index, payload)| {
        let exact = MediaTime::from_clock((index as i64 - 1) * 1024, rate);
        let pts = MediaTime::from_millis(exact.millis());
        Frame { track: TrackId::AUDIO, dts: pts, pts, keyframe: true, payload }
    });
    (track, frames.collect())
}

/// What ffmpeg hears in the Opus that is made of these frames, each channel for itself, and the time of its first sample.
fn heard(stage: &Stage, track: &AudioTrack, frames: &[Frame]) -> (MediaTime, Vec<Vec<f64>>) {
    let mut to_opus = to_opus(track, None).unwrap();
    let mut made = Vec::new();
    frames.iter().for_each(|frame| to_opus.push(frame, &mut made));
    let channels = usize::from(to_opus.track().channels);
    let of = Track {
        class: 1,
        fourcc: b"Opus".to_vec(),
        time_base: TimeBase { num: 1, den: 48_000 },
        decode_delay: 0,
        extradata: to_opus.track().config.to_vec(),
        shape: vec![48_000, 1, channels as u64],
    };
    let mut file = Writer::head(&[of]);
    for (index, frame) in made.iter().enumerate() {
        let pts = (frame.pts - made[0].pts).in_clock(48_000);
        assert_eq!(pts, index as i64 * 960, "steps of 20 ms");
        Writer::frame(
            &mut file,
            0,
            &nut::Frame { pts, key: true, extradata: None, data: frame.payload.to_vec() },
        );
    }
    let path = stage.root().join("opus.nut");
    std::fs::write(&path, file).unwrap();
    let output = ["-ac", &channels.to_string(), "-c:a", "pcm_s16le", "-f", "s16le"];
    let samples = ffmpeg(stage, &["-i", path.to_str().unwrap()], &output, "heard.pcm");
    assert_eq!(samples.len(), made.len() * 960 * 2 * channels, "ffmpeg decodes every packet");
    let sample = |bytes: &[u8]| f64::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0;
    let plane = |channel: usize| {
        samples.chunks_exact(2 * channels).map(|turn| sample(&turn[2 * channel..])).collect()
    };
    (made[0].pts, (0..channels).map(plane).collect())
}

/// The amplitude of a tone.
fn level(samples: &[f64], hertz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (i, sample) in samples.iter().enumerate() {
        let angle = TAU * hertz * i as f64 / 48_000.0;
        (re, im) = (re + sample * angle.cos(), im + sample * angle.sin());
    }
    2.0 * re.hypot(im) / samples.len() as f64
}

fn decibels(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

#[test]
fn tones_keep_their_level_and_their_side() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("audio-to-opus-tones");
    // Among noise that is far weaker: ffmpeg's encoder distorts a tone alone.
    let noise = "0.01*(random(0)-0.5)";
    for (rate, other) in
        [(48_000, 3000.0), (44_100, 3000.0), (32_000, 3000.0), (22_050, 3000.0), (16_000, 3000.0)]
    {
        let source =
            format!("aevalsrc=0.4*sin(2*PI*1000*t)+{noise}|0.4*sin(2*PI*{other}*t)+{noise}:s={rate}:d=2");
        let (track, frames) = coded(&stage, &source, rate, 2);
        let (_, planes) = heard(&stage, &track, &frames);
        let [left, right] = [&planes[0][24_000..72_000], &planes[1][24_000..72_000]];
        for (own, hertz, opposite) in [(left, 1000.0, right), (right, other, left)] {
            let (own, over) = (decibels(level(own, hertz) / 0.4), decibels(level(opposite, hertz) / 0.4));
            assert!(own.abs() < 1.0, "{rate} Hz, a tone of {hertz} Hz: {own} dB");
            assert!(over < -40.0, "{rate} Hz, a tone of {hertz} Hz on the other side: {over} dB");
        }
    }
}

#[test]
fn a_click_is_heard_at_its_time() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("audio-to-opus-click");
    for (rate, channels) in [(48_000, 2), (44_100, 1), (44_100, 2), (24_000, 1), (11_025, 1), (8_000, 1)] {
        // Two milliseconds from 1.5 s on.
        let source = format!("aevalsrc=0.9*between(t\\,1.5\\,1.502)*sin(2*PI*1000*(t-1.5)):s={rate}:d=2");
        let (track, frames) = coded(&stage, &source, rate, channels);
        let (begin, planes) = heard(&stage, &track, &frames);
        for plane in planes {
            let energy: f64 = plane.iter().map(|s| s * s).sum();
            let middle = plane.iter().enumerate().map(|(i, s)| i as f64 * s * s).sum::<f64>() / energy;
            let at = begin + MediaTime::from_nanos((middle / 48_000.0 * 1e9) as i64);
            let off = (at - MediaTime::from_nanos(1_501_000_000)).nanos() as f64 / 1e6;
            println!("{rate} Hz, {channels} channels: {off:.2} ms");
            assert!(off.abs() < 2.0, "{rate} Hz, {channels} channels: {off} ms off");
        }
    }
}

#[test]
fn what_ffmpeg_codes_for_more_than_two_is_refused() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("audio-to-opus-surround");
    let (track, _) = coded(&stage, "anullsrc=cl=5.1:d=0.2", 48_000, 6);
    assert_eq!(to_opus(&track, None).err(), Some(Refused::Channels(6)));
}
