//! Offers as Chromium makes them, and what is none.

use super::*;
use proptest::prelude::*;

const CHROMIUM: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 107 108 109 114 115\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n\
    a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=fingerprint:sha-256 00\r\na=setup:actpass\r\na=mid:0\r\na=recvonly\r\n\
    a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
    a=rtpmap:103 H264/90000\r\na=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n\
    a=rtpmap:104 rtx/90000\r\na=fmtp:104 apt=103\r\n\
    a=rtpmap:107 H264/90000\r\na=fmtp:107 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=64001f\r\n\
    a=rtpmap:108 rtx/90000\r\na=fmtp:108 apt=107\r\n\
    a=rtpmap:109 H264/90000\r\na=fmtp:109 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f\r\n\
    a=rtpmap:114 H264/90000\r\na=fmtp:114 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f\r\n\
    a=rtpmap:115 rtx/90000\r\na=fmtp:115 apt=114\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=mid:1\r\na=recvonly\r\na=rtpmap:111 opus/48000/2\r\n\
    a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n";

fn h264(profile: u8) -> VideoTrack {
    VideoTrack {
        codec: VideoCodec::H264,
        config: vec![1, profile, 0, 31].into(),
        width: 0,
        height: 0,
        profile: "",
        level: String::new(),
        frame_rate: None,
        reorder: 0,
    }
}

#[test]
fn the_profile_of_the_track_is_taken_or_one_below() {
    let offer = Offer::read(CHROMIUM).unwrap();
    let video = offer.video.unwrap();
    let fit = |profile| video.fits(&h264(profile)).map(|codec| (codec.payload_type, codec.repair));
    assert_eq!(fit(100), Some((114, Some(115))));
    assert_eq!(fit(77), Some((109, None)));
    assert_eq!(fit(66), Some((103, Some(104))));
    assert_eq!(fit(88), Some((109, None)), "Extended is near Main");
    assert_eq!(video.fits(&VideoTrack { codec: VideoCodec::Av1, ..h264(0) }), None);
    assert_eq!(video.names(), "VP8, RTX, H264");
    assert!(video.receives && !video.sends);
    let opus = offer.audio.unwrap().opus().cloned().unwrap();
    assert_eq!((opus.payload_type, opus.parameter("useinbandfec")), (111, Some("1")));
    assert_eq!(offer.ufrag, "abcd");
}

#[test]
fn what_cannot_be_answered_says_why() {
    let read = |text: &str| Offer::read(text).unwrap_err();
    assert_eq!(read(""), BadOffer::NoSdp);
    assert_eq!(read("hello"), BadOffer::NoSdp);
    assert_eq!(read("v=0\r\n"), BadOffer::NoMedia);
    assert_eq!(read(&CHROMIUM.replace("m=video", "m=text").replace("m=audio", "m=text")), BadOffer::NoMedia);
    assert_eq!(read(&CHROMIUM.replace("m=audio", "m=video")), BadOffer::Twice("video"));
    assert_eq!(read(&CHROMIUM.replace("fingerprint", "x")), BadOffer::Lacks("fingerprint"));
    assert_eq!(read(&CHROMIUM.replace("ice-ufrag", "x")), BadOffer::Lacks("ice-ufrag"));
    assert_eq!(read(&format!("{CHROMIUM}{}", "m=text 9 x\r\n".repeat(9))), BadOffer::Twice("media"));
    assert_eq!(read(&"v=0\n".repeat(20_000)), BadOffer::Long);
}

#[test]
fn layers_of_a_publisher_are_named() {
    let text = CHROMIUM.replace("a=recvonly", "a=sendonly\r\na=rid:h send\r\na=simulcast:send h;~m,x;l");
    let video = Offer::read(&text).unwrap().video.unwrap();
    assert_eq!(video.layers, ["h", "m", "l"]);
    assert!(video.sends && !video.receives);
}

proptest! {
    #[test]
    fn any_text_is_read(text in any::<String>(), cut in 0..3000_usize, junk in "[a-z0-9=:;/ \r\n]{0,80}") {
        let _ = Offer::read(&text);
        let _ = Offer::read(&format!("v=0\r\n{text}"));
        let cut = cut.min(CHROMIUM.len());
        if let Ok(offer) = Offer::read(&format!("{}{junk}{}", &CHROMIUM[..cut], &CHROMIUM[cut..])) {
            for line in [offer.video, offer.audio].into_iter().flatten() {
                let _ = (line.fits(&h264(100)).cloned(), line.opus().cloned(), line.names());
            }
        }
    }
}

#[test]
fn a_line_without_a_port_is_refused_unless_it_shares_one() {
    let without = CHROMIUM.replace("m=audio 9", "m=audio 0");
    assert_eq!(Offer::read(&without).unwrap().audio, None);
    let shares = without.replace("a=mid:1", "a=mid:1\r\na=bundle-only");
    assert_eq!(Offer::read(&shares).unwrap(), Offer::read(CHROMIUM).unwrap());
    // One that was refused may stand before the one that is meant.
    let twice = CHROMIUM.replace("m=video 9", "m=video 0 x 96\r\na=mid:old\r\nm=video 9");
    assert_eq!(Offer::read(&twice).unwrap(), Offer::read(CHROMIUM).unwrap());
}
