//! Any LATM configuration and any packets: frames within bounds, whatever is lost between them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::media::AudioTrack;
use msconv::media::codec::bits::Bits;
use msconv::media::codec::latm::StreamMux;
use msconv::media::rtp::Header;
use msconv::media::rtp::unpack::latm::{Described, Latm};

fuzz_target!(|input: (bool, Vec<u8>, Vec<(u8, Vec<u8>)>)| {
    let (in_band, config, packets) = input;
    let mux = StreamMux::read(&mut Bits::new(&config)).ok();
    if let Some(mux) = &mux {
        assert!((1..=64).contains(&mux.frames) && mux.config.len() <= config.len());
    }
    let mut latm = Latm::new(&Described { mux, in_band });
    let mut whole = 0;
    for (head, payload) in packets {
        let timestamp = u32::from(head >> 4);
        let header = Header { marker: head & 1 == 1, payload_type: 96, sequence: 0, timestamp, ssrc: 0 };
        whole += payload.len();
        let mut out = Vec::new();
        let _ = latm.push(&header, &payload.into(), head & 2 == 2, &mut out);
        let bytes: usize = out.iter().map(|unit| unit.payload.len()).sum();
        assert!(bytes <= whole && out.iter().all(|unit| !unit.payload.is_empty()));
        if let Some(track) = latm.fresh() {
            assert_eq!(AudioTrack::aac(track.config.clone()), Ok(track));
        }
    }
});
