//! Packings of many readers: packets, reports, beginnings, and tracks that change.

use super::*;
use crate::hub::PacketSpan;
use crate::media::codec::{aac, h264, opus};
use crate::media::rtp::Header;
use crate::media::rtp::rtcp::Packet;
use crate::media::{AudioCodec, AudioTrack};
use bytes::Bytes;

fn both() -> Channels {
    Channels::by_place(&[(0, (0, 1)), (1, (6, 9))])
}

/// Video alone, or audio alone.
fn one(place: usize) -> Channels {
    Channels::by_place(&[(place, (0, 1))])
}

fn numbers() -> Numbers {
    std::array::from_fn(|place| Begin {
        ssrc: 11 * (place as u32 + 1),
        sequence: u16::MAX,
        timestamp: u32::MAX,
    })
}

fn tracks() -> Tracks {
    let sps = [
        0x67, 0x64, 0, 0x1f, 0xac, 0xd9, 0x40, 0x50, 5, 0xbb, 1, 0x10, 0, 0, 3, 0, 0x10, 0, 0, 3, 3, 0xc0,
        0xf1, 0x83, 0x19, 0x60,
    ];
    let pps = [0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
    let audio = AudioTrack::aac(aac::lc(48_000, 2).unwrap()).unwrap();
    Tracks::of(h264::track_of_sets(&sps, &pps).unwrap(), audio)
}

/// For readers of both tracks.
fn format() -> RtpFormat {
    RtpFormat::new(both(), Codings::of(&tracks(), &both()), &tracks(), numbers())
}

fn frame(track: TrackId, ms: i64, keyframe: bool, size: usize) -> Frame {
    let time = MediaTime::from_millis(ms);
    let mut payload = (size as u32).to_be_bytes().to_vec();
    payload.resize(size + 4, 0x65);
    Frame { track, dts: time, pts: time, keyframe, payload: payload.into() }
}

/// What a reader between messages sees: channel and packet.
fn interleaved(mut bytes: &[u8]) -> Vec<(u8, Bytes)> {
    let mut out = Vec::new();
    while let [b'$', channel, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        out.push((*channel, Bytes::copy_from_slice(&rest[..length])));
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty());
    out
}

fn reports(packed: &Packed) -> Vec<(u8, SenderReport)> {
    let read = |(channel, packet): (u8, Bytes)| match rtcp::read(&packet)?.first()? {
        Packet::Sender(report) => Some((channel, *report)),
        _ => None,
    };
    interleaved(&packed.bytes).into_iter().filter(|(c, _)| [1, 9].contains(c)).filter_map(read).collect()
}

#[test]
fn both_ways_see_the_same_packets() {
    let mut format = format();
    let packed = format.pack(&frame(TrackId::VIDEO, 0, true, 5000), 0);
    let stream = interleaved(&packed.bytes);
    assert!(stream.iter().all(|(channel, _)| *channel == 0));
    let cut = |c: &PacketSpan| packed.bytes.slice(c.start as usize..(c.start + c.len) as usize);
    let datagrams: Vec<_> = packed.cuts.iter().map(|c| (c.channel, cut(c))).collect();
    assert_eq!(stream, datagrams);
    assert_eq!(first_packet(std::slice::from_ref(&packed), 0), Some((u16::MAX, u32::MAX)));
    assert_eq!(first_packet(&[packed], 2), None);
    let audio = format.pack(&frame(TrackId::AUDIO, 0, true, 100), 0);
    assert_eq!(interleaved(&audio.bytes)[0].0, 6);
    assert_eq!(format.pack(&frame(TrackId::DATA, 0, true, 100), 0).bytes.len(), 0);
}

#[test]
fn reports_agree_about_the_moment() {
    let mut format = format();
    for ms in (10_000..12_000).step_by(40) {
        format.pack(&frame(TrackId::VIDEO, ms, ms == 10_000, 100), 1_700_000_000_000);
    }
    let preamble = format.preamble(&Headers::default(), MediaTime::from_millis(10_000), 1_700_000_000_001);
    let [(1, video), (9, audio)] = reports(&preamble)[..] else { panic!("{preamble:?}") };
    // The last frame of the burst, 1.96 s after the first, is the one that belongs to the moment.
    assert_eq!(video.ntp, ntp_of(1_700_000_000_000 - 1960, 0));
    assert_eq!((video.ntp, video.ssrc, audio.ssrc), (audio.ntp, 11, 22));
    assert_eq!(video.timestamp, u32::MAX.wrapping_add(900_000));
    assert_eq!(audio.timestamp, u32::MAX.wrapping_add(480_000));
    assert_eq!((video.packets, audio.packets), (50, 0));
    let mut seen = 0;
    for ms in (12_000..32_000).step_by(40) {
        let packed = format.pack(&frame(TrackId::VIDEO, ms, false, 100), 1_700_000_000_000 + ms - 12_000);
        for (_, report) in reports(&packed) {
            seen += 1;
            let rate = if report.ssrc == 11 { 90_000 } else { 48_000 };
            let passed = MediaTime::from_millis(ms - 10_000).in_clock(rate);
            let base = if report.ssrc == 11 { video.timestamp } else { audio.timestamp };
            assert_eq!(report.timestamp, base.wrapping_add(passed as u32));
            let wanted = ntp_of(1_700_000_000_000 - 1960 + ms - 10_000, 0);
            assert!(report.ntp.abs_diff(wanted) < 5000, "but for rounding");
        }
    }
    assert_eq!(seen, 8, "both tracks every five seconds");
}

#[test]
fn a_track_that_has_not_begun_begins_with_the_other() {
    let mut format = format();
    let progress = format.progress();
    assert_eq!(progress.starts(&[]), []);
    let audio = format.pack(&frame(TrackId::AUDIO, 9_979, true, 100), 0);
    let frames: Vec<_> =
        (0..5).map(|n| format.pack(&frame(TrackId::VIDEO, 10_000 + n * 40, n == 0, 100), 0)).collect();
    let picture = (TrackId::VIDEO, u16::MAX, u32::MAX.wrapping_add(900_000));
    // One audio packet has been sent already, before the keyframe.
    assert_eq!(progress.starts(&frames), [picture, (TrackId::AUDIO, 0, u32::MAX.wrapping_add(480_000))]);
    let of_audio = |frames: &[Packed]| {
        let start = progress.starts(frames).into_iter().find(|(id, ..)| *id == TrackId::AUDIO);
        start.map(|(_, sequence, timestamp)| (sequence, timestamp))
    };
    let alone = std::slice::from_ref(&audio);
    assert_eq!(of_audio(alone), first_packet(alone, 2));
    let all = [frames, vec![format.pack(&frame(TrackId::AUDIO, 10_170, true, 100), 0)]].concat();
    assert_eq!(of_audio(&all), first_packet(&all, 2));
}

#[test]
fn only_what_was_set_up_is_sent() {
    let channels = one(1);
    let mut format = RtpFormat::new(channels, Codings::of(&tracks(), &channels), &tracks(), numbers());
    assert_eq!(format.pack(&frame(TrackId::VIDEO, 0, true, 100), 0).cuts, []);
    assert_eq!(format.pack(&frame(TrackId::AUDIO, 0, true, 100), 0).cuts.len(), 1);
    let key = |channels: Channels| channels.key(&Codings::of(&tracks(), &channels));
    assert_ne!(key(channels), key(both()));
    let bye = goodbye(channels, &numbers());
    assert_eq!(rtcp::read(&interleaved(&bye.bytes)[0].1), Some(vec![Packet::Goodbye(vec![22])]));
}

/// The tracks of [`tracks`], and a second audio of G.711.
fn two_languages() -> Tracks {
    let mut tracks = tracks();
    tracks.set_audio(TrackId::at(3).unwrap(), AudioTrack::plain(AudioCodec::G711A, 8_000, 1));
    tracks
}

#[test]
fn a_reader_gets_those_tracks_that_it_set_up() {
    let second = TrackId::at(3).unwrap();
    let all = two_languages();
    for (channels, channel) in [
        (Channels::by_place(&[(0, (0, 1)), (1, (2, 3)), (3, (10, 11))]), 10),
        (Channels::by_place(&[(3, (0, 1))]), 0),
    ] {
        let codings = Codings::of(&all, &channels);
        let mut format = RtpFormat::new(channels, codings, &all, numbers());
        let packed = format.pack(&frame(second, 0, true, 100), 0);
        let [(on, packet)] = &interleaved(&packed.bytes)[..] else { panic!("{packed:?}") };
        let (header, _) = Header::read(packet).unwrap();
        assert_eq!((*on, header.ssrc, header.payload_type), (channel, 44, 8));
        assert_eq!((packed.cuts[0].channel, packed.cuts[0].control), (6, false));
        let first = format.pack(&frame(TrackId::AUDIO, 0, true, 100), 0);
        assert_eq!(first.bytes.is_empty(), channel == 0, "the first audio only for who set it up");
        // A report and a beginning for each.
        let starts = format.progress().starts(&[packed]);
        assert_eq!(starts.len(), if channel == 0 { 1 } else { 3 });
        assert!(starts.contains(&(second, u16::MAX, u32::MAX)));
        let preamble = format.preamble(&Headers::default(), MediaTime::ZERO, 0);
        assert_eq!(interleaved(&preamble.bytes).len(), starts.len());
        // Another coding of the first audio ends only those who read it.
        let mut other = two_languages();
        other.set_audio(TrackId::AUDIO, AudioTrack::opus(opus::head(2)).unwrap());
        assert_eq!(format.fits(&other).is_ok(), channel == 0);
        other.set_audio(second, AudioTrack::opus(opus::head(2)).unwrap());
        other.set_audio(TrackId::AUDIO, tracks().audio().cloned().unwrap());
        let misfit = format.fits(&other).unwrap_err().to_string();
        assert_eq!(misfit, "audio 2 is Opus now and was described as G711A of 8000 Hz, mono");
    }
}

#[test]
fn dynamic_payload_types_are_different_for_each_track() {
    let mut all = Tracks::default();
    let mut channels = Vec::new();
    for place in 0..MOST_TRACKS {
        let id = TrackId::at(place).unwrap();
        tracks().video().into_iter().for_each(|video| all.set_video(id, video.clone()));
        tracks().audio().into_iter().for_each(|audio| all.set_audio(id, audio.clone()));
        channels.push((place, (2 * place as u8, 2 * place as u8 + 1)));
    }
    let channels = Channels::by_place(&channels);
    let mut format = RtpFormat::new(channels, Codings::of(&all, &channels), &all, numbers());
    let mut seen = std::collections::BTreeSet::new();
    for id in all.ids() {
        let packed = format.pack(&frame(id, 0, true, 100), 0);
        let (channel, packet) = interleaved(&packed.bytes).remove(0);
        let (header, _) = Header::read(&packet).unwrap();
        assert_eq!(Some(usize::from(channel)), id.place().map(|place| place * 2));
        assert!(header.payload_type >= 96 && seen.insert(header.payload_type));
    }
    assert_eq!(seen.len(), MOST_TRACKS);
}

/// Each packet's channel, number, and the types of its NAL units if it is a picture.
fn units(packed: &Packed) -> Vec<(u8, u16, Vec<u8>)> {
    let unit = |(channel, packet): (u8, Bytes)| {
        let (header, payload) = Header::read(&packet)?;
        let payload = packet.slice(payload);
        let mut kinds = Vec::new();
        match h264::nal::kind(&payload) {
            24 => {
                let mut rest = &payload[1..];
                while let [high, low, tail @ ..] = rest {
                    kinds.push(h264::nal::kind(tail));
                    rest = &tail[usize::from(u16::from_be_bytes([*high, *low]))..];
                }
            }
            28 => kinds.push(payload[1] & 0x1f),
            kind => kinds.push(kind),
        }
        (channel != 1 && channel != 9).then_some((channel, header.sequence, kinds))
    };
    interleaved(&packed.bytes).into_iter().filter_map(unit).collect()
}

#[test]
fn other_sets_go_in_band_and_numbers_go_on() {
    let mut format = format();
    format.pack(&frame(TrackId::VIDEO, 0, true, 100), 0);
    let (small, other_pps) = (tracks().video().unwrap().parameter_sets(), [0x68, 0xce, 0x0f, 0xc8]);
    let video = h264::track_of_sets(&small[0], &other_pps).unwrap();
    let after = Tracks::of(video.clone(), tracks().audio().cloned());
    assert_eq!(format.fits(&after), Ok(()));
    let change = format.changed(&Headers { tracks: after, metadata: None }, MediaTime::from_millis(40), 40);
    assert!(change.bytes.is_empty());
    assert_eq!(units(&format.pack(&frame(TrackId::VIDEO, 40, false, 100), 40)), [(0, 0, vec![5])]);
    let packed = format.pack(&frame(TrackId::VIDEO, 80, true, 100), 80);
    assert_eq!(units(&packed), [(0, 1, vec![7, 8, 5])]);
    let whole = packed.bytes.windows(other_pps.len()).any(|w| w == other_pps);
    assert!(whole, "the sets of now, not those of the description");
}

#[test]
fn a_track_that_goes_and_comes_goes_on_where_it_was() {
    let mut format = format();
    let audio = |format: &mut RtpFormat, ms, wall| {
        let packed = format.pack(&frame(TrackId::AUDIO, ms, true, 100), wall);
        first_packet(&[packed], 2).expect("a packet")
    };
    assert_eq!(audio(&mut format, 0, 0).0, u16::MAX);
    for tracks in [Tracks::of(tracks().video().cloned(), None), tracks()] {
        assert_eq!(format.fits(&tracks), Ok(()));
        format.changed(&Headers { tracks, metadata: None }, MediaTime::from_millis(40), 9_000);
    }
    assert_eq!(audio(&mut format, 40, 9_000), (0, u32::MAX.wrapping_add(1920)));
    let headers = Headers::default();
    let reports = reports(&format.preamble(&headers, MediaTime::from_millis(40), 9_000));
    assert_eq!(reports.iter().map(|(channel, _)| *channel).collect::<Vec<_>>(), [1, 9]);
    assert_eq!(reports[1].1.ntp, ntp_of(9_000, 0), "a publisher that was away longer than its times say");
}

#[test]
fn only_another_coding_ends_readers_and_only_of_what_they_read() {
    let plain = |codec, rate, channels| Some(AudioTrack::plain(codec, rate, channels));
    let aac = |rate, channels| AudioTrack::aac(aac::lc(rate, channels).unwrap()).ok();
    let opus = |channels| AudioTrack::opus(opus::head(channels)).ok();
    let with = |audio: Option<AudioTrack>| Tracks::of(tracks().video().cloned(), audio);
    // The same in other bytes: ffmpeg writes that there is no SBR.
    let longer = AudioTrack::aac(Bytes::from_static(&[0x11, 0x90, 0x56, 0xe5, 0])).ok();
    use AudioCodec::{G711A, G711U, Mp3};
    for (was, now, fits) in [
        (aac(48_000, 2), longer, true),
        (aac(48_000, 2), aac(44_100, 2), false),
        (aac(48_000, 2), aac(48_000, 1), true),
        (aac(48_000, 1), aac(48_000, 2), true),
        (aac(48_000, 2), aac(48_000, 6), false),
        (aac(48_000, 2), opus(2), false),
        (opus(2), opus(1), true),
        (plain(Mp3, 44_100, 2), plain(Mp3, 48_000, 1), true),
        (plain(G711A, 8_000, 1), plain(G711A, 8_000, 1), true),
        (plain(G711A, 8_000, 1), plain(G711A, 16_000, 1), false),
        (plain(G711A, 8_000, 1), plain(G711U, 8_000, 1), false),
        (aac(48_000, 2), None, true),
        (None, aac(48_000, 2), true),
    ] {
        let (was, now) = (with(was), with(now));
        let all = Codings::of(&was, &both());
        assert_eq!(all.fits(&now).is_ok(), fits, "{:?} {:?}", was.audio(), now.audio());
        let video_alone = Codings::of(&was, &one(0));
        assert_eq!(video_alone.fits(&now), Ok(()));
    }
    let misfit = Codings::of(&with(aac(48_000, 2)), &both()).fits(&with(aac(44_100, 1))).unwrap_err();
    assert_eq!(
        misfit.to_string(),
        "the audio is AAC LC of 44100 Hz, mono now and was described as AAC LC of 48000 Hz, stereo"
    );
}

#[test]
fn every_packet_reads_back() {
    let mut format = format();
    let mut before = None;
    for n in 0..300 {
        let packed = format.pack(&frame(TrackId::VIDEO, n * 40, n % 50 == 0, 40_000), n * 40);
        for (channel, packet) in interleaved(&packed.bytes) {
            if channel == 0 {
                let (header, _) = Header::read(&packet).unwrap();
                assert!(before.is_none_or(|b: u16| b.wrapping_add(1) == header.sequence));
                before = Some(header.sequence);
            }
        }
    }
}
