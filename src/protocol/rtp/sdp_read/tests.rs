//! Descriptions of real devices and of programs, and what becomes of them.

use super::*;
use crate::media::codec::opus;
use crate::media::{AudioCodec, Tracks};
use crate::protocol::rtsp::wire::sdp_write::describe;
use proptest::prelude::*;

const HEAD: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n";
/// As ffmpeg 5.1 announces H.264 with AAC.
const FFMPEG: &str = "a=tool:libavformat 59.27.100\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
    a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z2QAH6zZQFAFuwEQAAADABAAAAMDwPGDGWA=,aOvjyyLA; \
    profile-level-id=64001F\r\na=control:streamid=0\r\nm=audio 0 RTP/AVP 97\r\nb=AS:128\r\n\
    a=rtpmap:97 MPEG4-GENERIC/48000/2\r\na=fmtp:97 profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;\
    indexdeltalength=3; config=119056E500\r\na=control:streamid=1\r\n";

fn of(media: &str) -> Result<Vec<Described>, Refused> {
    read(format!("{HEAD}{media}").as_bytes())
}

fn tracks(all: &[Described]) -> Tracks {
    let mut tracks = Tracks::default();
    for (one, id) in all.iter().zip(ids(all)) {
        let audio = match &one.format {
            Format::Video(_, track) => {
                track.iter().for_each(|track| tracks.set_video(id.unwrap(), track.clone()));
                None
            }
            Format::Aac(track, _) | Format::Plain(track) => Some(track.clone()),
            Format::Mpeg => Some(AudioTrack::plain(AudioCodec::Mp3, 44_100, 2)),
            Format::Latm(latm) => latm.track(),
            Format::LeftOut(_) => None,
        };
        audio.into_iter().for_each(|audio| tracks.set_audio(id.unwrap(), audio));
    }
    tracks
}

#[test]
fn what_ffmpeg_announces() {
    let all = of(FFMPEG).unwrap();
    let [video, audio] = &all[..] else { panic!("{all:?}") };
    assert_eq!((video.control.as_str(), video.payload_type, video.clock), ("streamid=0", 96, 90_000));
    let Format::Video(VideoCodec::H264, Some(track)) = &video.format else { panic!("{video:?}") };
    assert_eq!((track.width, track.height), (1280, 720));
    let Format::Aac(track, headers) = &audio.format else { panic!("{audio:?}") };
    assert_eq!((track.sample_rate, track.channels, *headers), (48_000, 2, AuHeaders::HIGH_RATE));
}

#[test]
fn what_is_described_is_read() {
    let ffmpeg = tracks(&of(FFMPEG).unwrap());
    let audio = [
        ffmpeg.audio().cloned(),
        Some(AudioTrack::opus(opus::head(1)).unwrap()),
        Some(AudioTrack::opus(opus::head(2)).unwrap()),
        Some(AudioTrack::plain(AudioCodec::Mp3, 44_100, 2)),
        Some(AudioTrack::plain(AudioCodec::G711A, 8000, 1)),
        Some(AudioTrack::plain(AudioCodec::G711U, 16_000, 2)),
        None,
    ];
    for audio in audio {
        for video in [ffmpeg.video().cloned(), None] {
            let all = Tracks::of(video, audio.clone());
            if all.is_empty() {
                continue;
            }
            let sdp = describe("x", &all, "::1".parse().unwrap(), 1);
            let read = read(&sdp).unwrap_or_else(|e| panic!("{e}: {sdp:?}"));
            assert_eq!(tracks(&read), all, "{sdp:?}");
        }
    }
}

#[test]
fn cameras_without_parameter_sets() {
    for fmtp in ["", "a=fmtp:96 packetization-mode=1\r\n", "a=fmtp:96 sprop-parameter-sets=!!,,AAAA\r\n"] {
        let all = of(&format!("m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n{fmtp}")).unwrap();
        assert_eq!(all[0].format, Format::Video(VideoCodec::H264, None), "{fmtp}");
    }
    let all =
        of("m=video 0 RTP/AVP 98\r\na=rtpmap:98 H265/90000\r\nm=application 0 RTP/AVP 107\r\n").unwrap();
    assert_eq!(all[0].format, Format::Video(VideoCodec::H265, None));
    assert_eq!(
        left_out(&all)[0].to_string(),
        "track 2 (application): application is not carried, only video and audio"
    );
    let start_code = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 \
        sprop-parameter-sets=AAAAAWdkAB+s2UBQBbsBEAAAAwAQAAADA8Dxgxlg,AAAAAWjr48siwA\r\n";
    assert!(matches!(&of(start_code).unwrap()[0].format, Format::Video(_, Some(t)) if t.width == 1280));
    assert!(
        matches!(&of("m=audio 0 RTP/AVP 0\r\n").unwrap()[0].format, Format::Plain(t) if t.sample_rate == 8000)
    );
}

#[test]
fn refusals_name_what_is_refused() {
    let refused = |media: &str| of(media).unwrap_err().to_string();
    let l16 = refused("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 L16/48000/2\r\n");
    assert_eq!(l16, "L16 is not carried; publish H264 or H265 with AAC, Opus, MP3 or G.711");
    assert!(refused("m=video 0 RTP/AVP 26\r\n").starts_with("JPEG is not carried"));
    assert!(refused("m=video 0 RTP/AVP 96\r\n").starts_with("payload type 96 has no rtpmap"));
    assert!(refused("m=video 0 RTP/AVP\r\n").starts_with("it names no payload type"));
    assert!(refused("m=video 0 RTP/SAVP 96\r\na=rtpmap:96 H264/90000\r\n").starts_with("SRTP (RTP/SAVP)"));
    assert!(refused("m=video 0 RTP/AVP 96\r\na=rtpmap:96 AV1/90000\r\n").starts_with("AV1"));
    let aac = "m=audio 0 RTP/AVP 96\r\na=rtpmap:96 mpeg4-generic/48000/2\r\n";
    assert!(refused(aac).starts_with("the config of AAC is missing"));
    assert!(
        refused(&format!("{aac}a=fmtp:96 config=xyz\r\n")).starts_with("the config of AAC cannot be read")
    );
    let both = "m=audio 0 RTP/AVP 9\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\nm=application 0 RTP/AVP 107\r\n";
    assert!(
        refused(both).starts_with(
            "track 1 (audio): G722 is not carried; track 2 (video): VP8 is not carried; publish"
        )
    );
    assert_eq!(of("").unwrap_err(), Refused::Nothing);
    assert_eq!(of("m=application 0 RTP/AVP 107\r\n").unwrap_err(), Refused::Nothing);
    assert_eq!(of(&"m=audio 0 RTP/AVP 0\r\n".repeat(17)).unwrap_err(), Refused::TooMany);
    assert_eq!(read(b"").unwrap_err(), Refused::Unreadable);
    assert_eq!(read(b"\xff\xfe").unwrap_err(), Refused::Unreadable);
    for odd in ["96 H264/48000", "96 opus/48000/2", "96 /90000", "97 H264/90000", "x"] {
        assert!(of(&format!("m=video 0 RTP/AVP 96\r\na=rtpmap:{odd}\r\n")).is_err(), "{odd}");
    }
}

const H264: &str = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n";
const SETS: &str = "Z2QAH6zZQFAFuwEQAAADABAAAAMDwPGDGWA=,aOvjyyLA";

/// Lines that say nothing that is needed, each of which stands in the description of some device.
#[test]
fn what_is_not_needed_is_passed_over() {
    let needed =
        format!("{H264}a=fmtp:96 sprop-parameter-sets={SETS}\r\na=control:t1\r\nm=audio 0 RTP/AVP 8\r\n");
    let wanted = of(&needed).unwrap();
    assert!(matches!(&wanted[0].format, Format::Video(_, Some(track)) if track.width == 1280));
    for line in [
        "o=- 1001 1 IN",
        "o=- 7 7 IN IP4 ",
        "o=",
        "o=-0 0 IN IP4 h",
        "o=A B C 0 0 IN IP4 h",
        "o=- -19 -18 IN IPV4 x.y.z.w",
        "o=- 1.5 2 IP IP4 h:554",
        "o=x 0xAC4E 1 IN IP4 h",
        "c=IN",
        "c=",
        "c=IN ",
        "c=IN c=IN IP4 h",
        "c=IN 192.0.2.1",
        "c=SM SM x",
        "c=In IPV4 h",
        "b=AS:",
        "b=AS:-1",
        "b=AS:x",
        "b=",
        "b=TIAS:1000",
        "b=RR:0",
        "t=",
        "t=now-",
        "t=0",
        "t=-1 -1",
        "r=0 0",
        "z=",
        "k=",
        "s=",
        "i=N/A",
        "e=NONE",
        "u=x",
        "a=",
        "a=:",
        "a=framerate:0S",
        "a=control",
        "a=control:",
        "a=mimetype:string;\"",
        "thread=0 0",
        "x",
        "=",
        " ",
        "m",
        "a=rtpmap",
        "a=rtpmap:",
        "a=rtpmap:x y",
        "a=fmtp:",
        "a=fmtp:107 DecoderTag=h3c-v3 RTCP=0",
        "b AS:1",
        "\u{feff}",
    ] {
        let session = format!("v=0\r\n{line}\r\n{needed}");
        assert_eq!(read(session.as_bytes()).as_ref(), Ok(&wanted), "before the tracks: {line:?}");
        let below = needed.replace("m=audio", &format!("{line}\r\nm=audio"));
        assert_eq!(
            read(below.as_bytes()).as_ref(),
            Ok(&wanted),
            "below a track, without v=, o=, s= and t=: {line:?}"
        );
    }
    for end in ["\n", "\r", "\r\n\r\n", "\0"] {
        assert_eq!(of(&needed.replace("\r\n", end)).as_ref(), Ok(&wanted), "{end:?}");
    }
}

#[test]
fn what_is_needed_in_all_spellings() {
    let track = |text: &str| {
        let all = of(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        all.into_iter().next().unwrap()
    };
    let video = |text: &str| match track(text).format {
        Format::Video(codec, track) => (codec, track.map(|t| (t.width, t.parameter_sets()))),
        other => panic!("{text}: {other:?}"),
    };
    let wanted = video(&format!("{H264}a=fmtp:96 sprop-parameter-sets={SETS}\r\n"));
    assert_eq!(wanted.1.as_ref().unwrap().0, 1280);
    for map in
        ["H264/90000 ", "h264/90000", "H264/90000/1", "H264", "H264/", "H264/0", "H264/-1", "\tH264/90000"]
    {
        for fmtp in [
            format!("96 packetization-mode=1;sprop-parameter-sets={SETS};"),
            format!("96 SPROP-PARAMETER-SETS = {SETS},"),
            format!("96  profile-level-id=TeAo; sprop-parameter-sets=\"{}\"", SETS.replace(',', ", ")),
            format!(
                "96;sprop-parameter-sets=AAAAAW{},AAAAAWjr48siwAAAAAE=",
                &"dkAB+s2UBQBbsBEAAAAwAQAAADA8Dxgxlg"
            ),
        ] {
            let text = format!("M=Video 1/2 rtp/avpf 96\r\nA=RTPMAP:96 {map}\r\na=fmtp:{fmtp}\r\n");
            assert_eq!(video(&text), wanted, "{text}");
        }
    }
    // The parameters stand below another track, or name a wrong number.
    let astray = format!("{H264}m=audio 0 RTP/AVP 8\r\na=fmtp:96 sprop-parameter-sets={SETS}\r\n");
    assert_eq!(video(&astray), wanted);
    assert_eq!(video(&format!("{H264}a=fmtp:97 sprop-parameter-sets={SETS}\r\n")), wanted);
    // Sets that are none, or another codec's, come with the frames.
    for fmtp in
        ["sprop-parameter-sets=QAEMAQ==,QgEB", "sprop-parameter-sets=", "sprop-parameter-sets=,,", "0-15", ""]
    {
        assert_eq!(video(&format!("{H264}a=fmtp:96 {fmtp}\r\n")), (VideoCodec::H264, None), "{fmtp}");
    }
    // Both sets in one text, as a stream has them.
    let annexb = "AAAAAWdkAB+s2UBQBbsBEAAAAwAQAAADA8DxgxlgAAAAAWjr48siwA==";
    assert_eq!(video(&format!("{H264}a=fmtp:96 sprop-parameter-sets={annexb}\r\n")), wanted);
    // The first payload type that is carried counts.
    let many = "m=video 0 RTP/AVP 96 97 111\r\na=rtpmap:96 MP4V-ES/90000\r\na=rtpmap:111 H264/90000\r\na=rtpmap:97 JPEG/90000\r\n";
    assert_eq!(track(many).payload_type, 111);
    assert_eq!(track("m=audio 0 RTP/AVP\r\na=rtpmap:97 opus/48000/2\r\n").payload_type, 97);
    let line = |text: &str| track(&format!("m=audio 0 RTP/AVP {text}\r\n"));
    let opus = line("111\r\na=rtpmap:111 OPUS/16000");
    assert_eq!((opus.clock, matches!(opus.format, Format::Plain(t) if t.channels == 2)), (48_000, true));
    let pcmu = line("8\r\na=rtpmap:8 pcmu/8000/x");
    assert!(matches!(pcmu.format, Format::Plain(t) if t.codec == AudioCodec::G711U && t.channels == 1));
    assert_eq!(line("14").format, Format::Mpeg);
    // Said twice, and nonsense first.
    assert_eq!(
        line("97\r\na=rtpmap:97\r\na=rtpmap:97 x/90000\r\na=rtpmap:97 MPA/90000").format,
        Format::Mpeg
    );
    assert!(
        matches!(line("8\r\na=rtpmap:0 pcma/8000/1").format, Format::Plain(t) if t.codec == AudioCodec::G711A)
    );
}

#[test]
fn aac_in_all_spellings() {
    let of_fmtp = |rtpmap: &str, fmtp: &str| {
        let text = format!("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 {rtpmap}\r\na=fmtp:{fmtp}\r\n");
        let all = of(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        match &all[0].format {
            Format::Aac(track, headers) => (all[0].clock, track.sample_rate, track.channels, *headers),
            other => panic!("{text}: {other:?}"),
        }
    };
    let usual = (48_000, 48_000, 2, AuHeaders::HIGH_RATE);
    for (rtpmap, fmtp) in [
        (
            "MPEG4-GENERIC/48000/2",
            "97 streamtype=5; mode=AAC-hbr; config=1190; SizeLength=13; IndexLength=3; IndexDeltaLength=3; Profile=1;",
        ),
        ("mpeg4-generic/48000", "97 config=1190"),
        ("mpeg4-generic", "97 mode=AAC_hbr;config=\"119056E5\";sizelength=;indexlength=x"),
        ("Mpeg4-Generic/48000/2", "40 config=0x119;mode=AAC-hbr;CTSDeltaLength=0;DTSDeltaLength="),
    ] {
        assert_eq!(of_fmtp(rtpmap, fmtp), usual, "{fmtp}");
    }
    // An SBR clock beside the core's rate.
    assert_eq!(of_fmtp("mpeg4-generic/48000/2", "97 config=1310").1, 24_000);
    let low = AuHeaders { size: 6, index: 2, index_delta: 2 };
    assert_eq!(of_fmtp("mpeg4-generic/8000", "97 mode=AAC-lbr;config=1588").3, low);
    assert_eq!(
        of_fmtp("mpeg4-generic/48000", "97 config=1190; SizeLength=13").3,
        AuHeaders { size: 13, index: 0, index_delta: 0 }
    );
}

#[test]
fn latm_with_and_without_its_configuration() {
    let of_fmtp = |rtpmap: &str, fmtp: &str| {
        let all =
            of(&format!("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MP4A-LATM/{rtpmap}\r\na=fmtp:97 {fmtp}\r\n"))?;
        match &all[0].format {
            Format::Latm(latm) => Ok::<_, Refused>((
                all[0].clock,
                latm.in_band,
                latm.track().map(|t| (t.sample_rate, t.channels)),
            )),
            other => panic!("{fmtp}: {other:?}"),
        }
    };
    let described = Some((24_000, 2));
    for (rtpmap, fmtp, wanted) in [
        ("24000/2", "bitrate=64000; cpresent=0; object=2; config=400026203fc0", (24_000, false, described)),
        ("90000", "profile-level-id=15;object=2;cpresent=0;config=400026203FC0", (90_000, false, described)),
        ("24000", "config=400026203fc0", (24_000, false, described)),
        ("", "cpresent=0;config=4000262", (24_000, false, described)),
        ("90000", "cpresent=1", (90_000, true, None)),
        ("90000", "", (90_000, true, None)),
        ("24000", "cpresent=1;config=400026203fc0", (24_000, true, described)),
        ("24000", "cpresent=1;config=zz", (24_000, true, None)),
    ] {
        assert_eq!(of_fmtp(rtpmap, fmtp).unwrap(), wanted, "{fmtp}");
    }
    for (fmtp, why) in [
        ("profile-level-id=1709392648;cpresent=0;config=", "the config of MP4A-LATM is missing"),
        ("cpresent=0;config=40", "the LATM configuration is cut short"),
        ("cpresent=0;config=401026203fc0", "LATM of several programs"),
        ("cpresent=0;config=400086203fc0", "what this LATM carries is no AAC"),
    ] {
        let refused = of_fmtp("16000/1", fmtp).unwrap_err().to_string();
        assert!(refused.starts_with(why), "{refused}");
    }
}

#[test]
fn the_rest_is_published_and_what_is_left_out_is_named() {
    let reasons = |text: &str| {
        let all = of(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        left_out(&all).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let pcma = "m=audio 0 RTP/AVP 8\r\n";
    let opus = "m=audio 0 RTP/AVP 111\r\na=rtpmap:111 opus/48000/2\r\n";
    let l16 = "m=audio 0 RTP/AVP 11\r\na=rtpmap:11 PCM/48000\r\n";
    let onvif = "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n";
    assert_eq!(reasons(&format!("{H264}{l16}")), ["track 2 (audio): PCM is not carried"]);
    assert_eq!(reasons(&format!("{l16}{opus}{H264}")), ["track 1 (audio): PCM is not carried"]);
    assert!(reasons(&format!("{H264}{pcma}{opus}{H264}")).is_empty());
    let ninth = "track 10 (audio): a stream has at most 8 tracks of audio";
    assert_eq!(reasons(&format!("{H264}{}{opus}", pcma.repeat(8))), [ninth]);
    let data = "track 2 (application): vnd.onvif.metadata is not carried, only video and audio";
    assert_eq!(reasons(&format!("{H264}{onvif}")), [data]);
    assert_eq!(reasons(&format!("{opus}m=text 0 RTP/AVP 103\r\nm=video 0 RTP/AVP 26\r\n")).len(), 2);
    assert_eq!(
        reasons(&format!("{H264}m=audio 0 RTP/AVP 8\r\na=inactive\r\n")),
        ["track 2 (audio): it is inactive"]
    );
}

#[test]
fn ways_back_to_the_device_are_known() {
    let section = |media: &str, direction: &str| match direction {
        "" => media.to_string(),
        direction => format!("{media}a={direction}\r\n"),
    };
    let pcma = "m=audio 0 RTP/AVP 8\r\na=control:pcma\r\n";
    let pcmu = "m=audio 0 RTP/AVP 0\r\na=control:pcmu\r\n";
    // The direction of the session, of the video and of two tracks of audio; which audio is
    // carried.
    for (session, video, first, second, carried) in [
        ("", "recvonly", "recvonly", "sendonly", "pcma"),
        ("", "recvonly", "sendonly", "recvonly", "pcmu"),
        ("", "sendonly", "recvonly", "sendonly", "pcmu"),
        ("", "", "recvonly", "sendonly", "pcma"),
        ("", "", "sendonly", "recvonly", "pcmu"),
        // Nothing to compare with: what is called sendonly comes.
        ("", "sendonly", "sendonly", "sendonly", "pcma pcmu"),
        ("", "", "sendonly", "", "pcma pcmu"),
        ("", "", "", "sendonly", "pcma pcmu"),
        ("recvonly", "", "", "sendonly", "pcma"),
        ("recvonly", "", "sendonly", "", "pcmu"),
        ("", "sendrecv", "sendrecv", "sendonly", "pcma pcmu"),
    ] {
        let text =
            section("", session) + &section(H264, video) + &section(pcma, first) + &section(pcmu, second);
        let all = of(&text).unwrap();
        let audio: Vec<_> =
            all.iter().filter(|d| matches!(d.format, Format::Plain(_))).map(|d| d.control.as_str()).collect();
        assert_eq!(audio.join(" "), carried, "{session} {video} {first} {second}");
        assert!(matches!(all[0].format, Format::Video(..)));
    }
    let alone = of(&format!("{H264}a=recvonly\r\n{pcmu}a=sendonly\r\n")).unwrap();
    assert_eq!(left_out(&alone)[0].reason, Reason::WayBack, "a loudspeaker and no microphone");
}

proptest! {
    #[test]
    fn any_description_is_borne(text in "(m=(audio|video) 0 RTP/AVP (96|0|.)\r\n|a=(rtpmap|fmtp|control):96 (H264|MP4A-LATM|mpeg4-generic)?.{0,30}\r\n|a=(send|recv)only\r\n){0,8}") {
        let _ = of(&text);
        let _ = read(text.as_bytes());
    }
}
