//! Publishers of many kinds, packed by our own packers.

use super::*;
use crate::hub::client::get;
use crate::media::VideoTrack;
use crate::media::codec::{aac, h264};
use crate::media::rtp::line::ntp_of;
use crate::media::rtp::rtcp::SenderReport;
use crate::media::rtp::unpack::audio::AuHeaders;
use crate::media::rtp::{Packer, Packets};
use proptest::prelude::*;

const SPS: [u8; 26] = [
    0x67, 0x64, 0, 0x1f, 0xac, 0xd9, 0x40, 0x50, 5, 0xbb, 1, 0x10, 0, 0, 3, 0, 0x10, 0, 0, 3, 3, 0xc0, 0xf1,
    0x83, 0x19, 0x60,
];
const PPS: [u8; 6] = [0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

fn video() -> VideoTrack {
    h264::track_of_sets(&SPS, &PPS).unwrap()
}

fn audio() -> AudioTrack {
    AudioTrack::aac(aac::lc(48_000, 2).unwrap()).unwrap()
}

fn described(sets: bool) -> Vec<Described> {
    let video = Format::Video(VideoCodec::H264, sets.then(video));
    vec![
        Described { control: String::new(), payload_type: 96, clock: 90_000, format: video },
        Described {
            control: String::new(),
            payload_type: 97,
            clock: 48_000,
            format: Format::Aac(audio(), AuHeaders::HIGH_RATE),
        },
    ]
}

use crate::media::VideoCodec;

fn frame(id: TrackId, ms: i64, keyframe: bool) -> Frame {
    let time = MediaTime::from_millis(ms);
    let payload = match id.kind() {
        TrackKind::Video => {
            let unit = [if keyframe { 0x65 } else { 0x41 }, 1, 2, 3];
            [&4_u32.to_be_bytes()[..], &unit].concat()
        }
        _ => vec![7; 100],
    };
    Frame { track: id, dts: time, pts: time, keyframe, payload: payload.into() }
}

fn packets(packer: &mut Packer, frame: &Frame) -> Vec<Bytes> {
    let mut out = Packets::new(0, 0);
    packer.pack(frame, &mut out);
    out.each().collect()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn frames(steps: &[IngestStep]) -> Vec<&Frame> {
    let frame = |step: &'_ IngestStep| matches!(step, IngestStep::Frame(_));
    steps
        .iter()
        .filter(|s| frame(s))
        .map(|s| if let IngestStep::Frame(f) = s { f } else { unreachable!() })
        .collect()
}

#[test]
fn both_tracks_stand_on_one_line() {
    let counters = Counters::default();
    let (mut ingest, mut steps) = (Ingest::new(&described(true), |_| true, Way::Stream), Vec::new());
    ingest.begin(&mut steps);
    let tracks = Tracks::of(video(), audio());
    assert_eq!(steps, [IngestStep::Headers(tracks), IngestStep::Ready]);
    steps.clear();
    let mut video = Packer::video(&video(), 0, 5, 65_530, 1_000_000).unwrap();
    let mut audio = Packer::audio(&audio(), 0, 6, 9, 77);
    // Both reports name the same moment, 40 ms into the stream; the audio comes 300 ms late.
    for (place, ssrc, timestamp) in [(0, 5, 1_000_000 + 3600), (1, 6, 77 + 1920)] {
        let report = SenderReport { ssrc, ntp: ntp_of(9_000, 0), timestamp, packets: 0, octets: 0 };
        let mut out = BytesMut::new();
        rtcp::write_sender(&report, "x", &mut out);
        ingest.rtcp(place, &out, ms(0), &counters);
    }
    for n in 0..10_u64 {
        for packet in packets(&mut video, &frame(TrackId::VIDEO, n as i64 * 40, n == 0)) {
            ingest.rtp(0, &packet, ms(n * 40), &counters, &mut steps);
        }
    }
    for packet in packets(&mut audio, &frame(TrackId::AUDIO, 320, true)) {
        ingest.rtp(1, &packet, ms(620), &counters, &mut steps);
    }
    let all = frames(&steps);
    assert_eq!(all.len(), 11);
    let shown: Vec<_> = all.iter().map(|f| (f.pts.in_clock(1000), f.keyframe)).collect();
    assert_eq!((shown[0], shown[8], shown[10]), ((1000, true), (1320, false), (1320, true)));
    // The SPS allows two frames of reordering: decoding comes two frames before.
    assert_eq!(all[2].dts.in_clock(1000), 1000);
    assert!(all.windows(2).take(9).all(|w| w[0].dts <= w[1].dts));
    assert_eq!((get(&counters.packets_in), get(&counters.packets_lost), get(&counters.rtcp_in)), (11, 0, 2));
}

#[test]
fn cameras_show_their_sets_in_mid_stream() {
    let counters = Counters::default();
    let (mut ingest, mut steps) = (Ingest::new(&described(false)[..1], |_| true, Way::Datagrams), Vec::new());
    ingest.begin(&mut steps);
    assert_eq!(steps, []);
    let mut packer = Packer::video(&video(), 0, 5, 0, 0).unwrap();
    let mut n = 0;
    let mut send = |frame: &Frame, steps: &mut Vec<IngestStep>| {
        for packet in packets(&mut packer, frame) {
            n += 1;
            ingest.rtp(0, &packet, ms(n * 10), &counters, steps);
        }
    };
    send(&frame(TrackId::VIDEO, 0, false), &mut steps);
    assert_eq!(steps, [], "nobody could decode it");
    // Our packer puts the sets before a keyframe, as cameras do.
    send(&frame(TrackId::VIDEO, 40, true), &mut steps);
    assert!(
        matches!(&steps[..], [IngestStep::Headers(t), IngestStep::Ready, IngestStep::Frame(f)]
        if t.video() == Some(&video()) && f.keyframe),
        "{steps:?}"
    );
    steps.clear();
    send(&frame(TrackId::VIDEO, 80, true), &mut steps);
    assert!(matches!(&steps[..], [IngestStep::Frame(_)]), "the same sets again are no change");
}

#[test]
fn what_does_not_come_is_not_waited_for_long() {
    let counters = Counters::default();
    let (mut ingest, mut steps) = (Ingest::new(&described(false), |_| true, Way::Stream), Vec::new());
    let mut audio = Packer::audio(&audio(), 0, 6, 9, 77);
    for n in 0..300_u64 {
        let packet = &packets(&mut audio, &frame(TrackId::AUDIO, n as i64 * 21, true))[0];
        ingest.rtp(1, packet, ms(n * 21), &counters, &mut steps);
    }
    assert!(matches!(&steps[..2], [IngestStep::Headers(t), IngestStep::Ready] if t.video().is_none()));
    assert!(frames(&steps).len() > 50);
}

#[test]
fn losses_are_counted_and_strangers_too() {
    let counters = Counters::default();
    let (mut ingest, mut steps) = (Ingest::new(&described(true)[1..], |_| true, Way::Datagrams), Vec::new());
    ingest.begin(&mut steps);
    let mut audio = Packer::audio(&audio(), 0, 6, 65_500, 77);
    audio.rtp_stream.payload_type = 97;
    for n in 0..200_u64 {
        let packet = &packets(&mut audio, &frame(TrackId::AUDIO, n as i64 * 21, true))[0];
        if n % 20 != 7 {
            ingest.rtp(0, packet, ms(n * 21), &counters, &mut steps);
        }
    }
    assert_eq!(get(&counters.packets_lost), 10);
    let before = get(&counters.packets_in_error);
    for bad in [&[][..], &[0x80; 11], &[0x80, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 1]] {
        ingest.rtp(0, &Bytes::copy_from_slice(bad), ms(9000), &counters, &mut steps);
        ingest.rtcp(0, bad, ms(9000), &counters);
    }
    assert_eq!(get(&counters.packets_in_error) - before, 6);
    ingest.rtp(9, &Bytes::new(), ms(9000), &counters, &mut steps);
    let [(0, report)] = &ingest.reports(ms(9000))[..] else { panic!() };
    let Some(&[Packet::Received(block)]) = rtcp::read(report).as_deref() else { panic!() };
    assert_eq!((block.ssrc, block.summary.lost), (6, 10));
}

#[test]
fn packets_that_were_not_announced_are_told_once_and_are_no_loss() {
    let counters = Counters::default();
    let (mut ingest, mut steps) = (Ingest::new(&described(true)[1..], |_| true, Way::Datagrams), Vec::new());
    ingest.begin(&mut steps);
    steps.clear();
    let mut audio = Packer::audio(&audio(), 0, 6, 0, 77);
    for n in 0..60_u64 {
        // Telephone events among the audio; they count on in its numbers.
        audio.rtp_stream.payload_type = if n % 3 == 1 { 101 } else { 97 };
        let packet = &packets(&mut audio, &frame(TrackId::AUDIO, n as i64 * 21, true))[0];
        ingest.rtp(0, packet, ms(n), &counters, &mut steps);
    }
    let told = |step: &&IngestStep| !matches!(step, IngestStep::Frame(_));
    let unannounced = IngestStep::Unannounced { track: 0, payload_type: 101, announced: 97 };
    assert_eq!(steps.iter().filter(told).collect::<Vec<_>>(), [&unannounced]);
    assert_eq!(
        (frames(&steps).len(), get(&counters.packets_lost), get(&counters.packets_in_error)),
        (40, 0, 20)
    );
    // Reports between the packets of one channel are reports.
    let report = SenderReport { ssrc: 6, ntp: ntp_of(9_000, 0), timestamp: 77, packets: 0, octets: 0 };
    let mut out = BytesMut::new();
    rtcp::write_sender(&report, "x", &mut out);
    ingest.rtp(0, &out.freeze(), ms(90), &counters, &mut steps);
    assert_eq!(
        (get(&counters.rtcp_in), get(&counters.packets_in), get(&counters.packets_in_error)),
        (1, 60, 20)
    );
}

#[test]
fn a_source_that_changes_goes_on() {
    let counters = Counters::default();
    let (mut ingest, mut steps) = (Ingest::new(&described(true)[1..], |_| true, Way::Datagrams), Vec::new());
    ingest.begin(&mut steps);
    for (ssrc, sequence, from) in [(6, 30_000, 0), (7, 5, 100)] {
        let mut audio = Packer::audio(&audio(), 0, ssrc, sequence, ssrc * 100_000_000);
        for n in from..from + 100_u64 {
            let packet = &packets(&mut audio, &frame(TrackId::AUDIO, n as i64 * 21, true))[0];
            ingest.rtp(0, packet, ms(n * 21), &counters, &mut steps);
        }
    }
    let all = frames(&steps);
    assert_eq!(all.len(), 200);
    assert!(all.windows(2).all(|w| w[0].dts <= w[1].dts && w[1].dts.since(w[0].dts) < ms(50)));
}

proptest! {
    #[test]
    fn any_packets_are_borne(
        all in proptest::collection::vec((0usize..3, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..60),
    ) {
        let counters = Counters::default();
        for sets in [true, false] {
            let (mut ingest, mut steps) = (Ingest::new(&described(sets), |_| true, if sets { Way::Datagrams } else { Way::Stream }), Vec::new());
            ingest.begin(&mut steps);
            for (n, (place, rtcp, bytes)) in all.iter().enumerate() {
                let mut bytes = bytes.clone();
                if let [first, second, ..] = &mut bytes[..] {
                    *first = 0x80;
                    *second = if *rtcp { 200 } else { 96 + *place as u8 };
                }
                if *rtcp {
                    ingest.rtcp(*place, &bytes, ms(n as u64), &counters);
                } else {
                    ingest.rtp(*place, &bytes.into(), ms(n as u64), &counters, &mut steps);
                }
            }
            ingest.reports(ms(100));
        }
    }
}
