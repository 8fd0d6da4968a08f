//! A publisher that sends anything: frames whose times do not go back and whose units are whole, within bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::hub::Counters;
use msconv::media::codec::aac;
use msconv::media::codec::bits::Bits;
use msconv::media::codec::latm::StreamMux;
use msconv::media::frame::Nals;
use msconv::media::rtp::unpack::latm;
use msconv::media::rtp::unpack::audio::AuHeaders;
use msconv::media::{AudioCodec, AudioTrack, TrackKind, VideoCodec};
use msconv::protocol::rtp::ingest::{Ingest, IngestStep, Way};
use msconv::protocol::rtp::sdp_read::{Described, Format};
use std::time::Duration;

fn described(which: u8) -> Vec<Described> {
    let track =
        |payload_type, clock, format| Described { control: String::new(), payload_type, clock, format };
    let video = if which & 1 == 0 { VideoCodec::H264 } else { VideoCodec::H265 };
    let aac = AudioTrack::aac(aac::lc(48_000, 2).expect("AAC")).expect("AAC");
    let mux = || StreamMux::read(&mut Bits::new(&[0x40, 0, 0x26, 0x20, 0x3f, 0xc0])).ok();
    let audio = match which >> 1 & 7 {
        0 => track(97, 48_000, Format::Aac(aac, AuHeaders::HIGH_RATE)),
        1 => track(97, 90_000, Format::Mpeg),
        3 => track(97, 24_000, Format::Latm(latm::Described { mux: mux(), in_band: false })),
        4 => track(97, 90_000, Format::Latm(latm::Described { mux: None, in_band: true })),
        2 => track(97, 8_000, Format::Plain(AudioTrack::plain(AudioCodec::G711A, 8_000, 1))),
        _ => track(97, 48_000, Format::Aac(aac, AuHeaders { size: 6, index: 2, index_delta: 2 })),
    };
    vec![track(96, 90_000, Format::Video(video, None)), audio]
}

fuzz_target!(|input: (u8, bool, Vec<(u8, u16, u16, Vec<u8>)>)| {
    let (which, datagrams, packets) = input;
    let counters = Counters::default();
    let mut ingest = Ingest::new(&described(which), |_| true, if datagrams { Way::Datagrams } else { Way::Stream });
    let mut steps = Vec::new();
    ingest.begin(&mut steps);
    let (mut now, mut last) = (Duration::ZERO, [None, None]);
    for (head, sequence, time, body) in packets {
        now += Duration::from_millis(u64::from(head >> 3));
        let track = usize::from(head & 1);
        if head & 2 == 0 {
            let mut packet = vec![0x80, (96 + track as u8) | ((head & 4) << 5)];
            packet.extend(sequence.to_be_bytes());
            packet.extend((u32::from(time) << 8).to_be_bytes());
            packet.extend([0, 0, 0, 1 + (head >> 7)]);
            packet.extend(body);
            ingest.rtp(track, &packet.into(), now, &counters, &mut steps);
        } else {
            ingest.rtcp(track, &body, now, &counters);
        }
        for step in steps.drain(..) {
            let IngestStep::Frame(frame) = step else { continue };
            let of = usize::from(frame.track.kind() == TrackKind::Audio);
            assert!(last[of].is_none_or(|last| last <= frame.dts), "time goes back");
            assert!(frame.dts <= frame.pts);
            last[of] = Some(frame.dts);
            // Parameter sets that came alone stand in front of a keyframe.
            assert!(!frame.payload.is_empty() && frame.payload.len() <= (8 << 20) + (256 << 10));
            if frame.track.kind() == TrackKind::Video {
                let whole: usize = Nals::of(&frame.payload).map(|nal| nal.len() + 4).sum();
                assert_eq!(whole, frame.payload.len());
            }
        }
    }
    ingest.finish(&mut steps);
    assert!(ingest.due().is_none());
    ingest.reports(now);
});
