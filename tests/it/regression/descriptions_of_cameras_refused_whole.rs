//! Descriptions of cameras and recorders were refused whole for a line that is not needed, and for a track that cannot be
//! carried beside others that can.

use crate::serving_rtsp::house::{House, Peer, Raw, SOON, number};
use crate::stage::{Stage, needs, wait_for};
use msconv::media::rtp::{Packer, Packets};
use std::time::Duration;

/// Longer than any program here may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// H.264 Baseline, 320x240, as [`crate::serving_rtsp::house::video`] is.
const SETS: &str = "Z0LADdoFB+hAAAADAEAAAAyDxQqo,aM4PyA==";

/// Sends numbered frames over this channel, each with its parameter sets if it is a keyframe and they are wanted.
fn frames(raw: &mut Raw, channel: u8, payload_type: u8, sets: bool) {
    let video = crate::serving_rtsp::house::video();
    let mut packer = Packer::video(&video, 0, 5, 0, 0).unwrap();
    packer.rtp_stream.payload_type = payload_type;
    for n in 0..20_u32 {
        let mut frame = crate::serving_rtsp::house::picture(i64::from(n) * 40, n, n % 10 == 0, 200);
        if !sets {
            // As if the description alone had them.
            frame.keyframe = false;
        }
        let mut out = Packets::new(0, 0);
        packer.pack(&frame, &mut out);
        for packet in out.each() {
            let (header, payload) = msconv::media::rtp::Header::read(&packet).unwrap();
            raw.packet(
                channel,
                payload_type,
                header.sequence,
                header.timestamp,
                header.marker,
                &packet[payload],
            );
        }
    }
}

/// What a device says and sends.
struct Device {
    name: &'static str,
    sdp: String,
    /// The URLs that it sets up.
    controls: &'static [&'static str],
    /// The channel and the payload type of its video.
    video: (u8, u8),
    /// What is said of its other tracks.
    left_out: &'static [&'static str],
}

#[test]
fn they_publish_what_can_be_carried_and_the_rest_is_named() {
    let house = House::new();
    let device = |name, sdp, controls, video, left_out| Device { name, sdp, controls, video, left_out };
    let devices = [
        device(
            "no-addresses",
            format!("v=0\r\no=- 1001 1 IN\r\ns=VCP\r\nm=video 0 RTP/AVP 105\r\nc=IN\r\na=control:rtsp://10.0.0.9/media/video1/video\r\n\
                a=rtpmap:105 H264/90000\r\na=fmtp:105 profile-level-id=42c00d; packetization-mode=1; sprop-parameter-sets={SETS}\r\n\
                a=recvonly\r\nm=audio 0 RTP/AVP 0\r\nc=IN\r\na=fmtp:0 RTCP=0\r\na=control:rtsp://10.0.0.9/media/video1/audio1\r\na=recvonly\r\n\
                m=audio 0 RTP/AVP 0\r\na=control:rtsp://10.0.0.9/media/video1/backchannel\r\na=sendonly\r\n\
                m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:rtsp://10.0.0.9/media/video1/metadata\r\n"),
            &["rtsp://10.0.0.9/media/video1/video", "rtsp://10.0.0.9/media/video1/audio1"],
            (0, 105),
            &["track 3 (audio): it is a way back to the device", "track 4 (application): vnd.onvif.metadata is not carried"],
        ),
        device(
            "line-ends",
            format!("v=0\no=-0 0 IN IP4 x.y.z.w\ns=\nb=AS:\nt=now-\nm=video -1353744643 RTP/AVP 96 97\nc=IN IP4 '&\u{fffd}\n\
                a=rtpmap:96 MP4V-ES/90000\na=rtpmap:97 H264/90000 \na=framerate:0S\na=fmtp:97 sprop-parameter-sets={SETS},\n\
                a=control:track1\nm=audio 0 RTP/AVP 11\na=rtpmap:11 PCM/48000\na=control:track2\n\0\0\0"),
            &["rtsp://h/live/line-ends/track1/", "rtsp://h/live/line-ends/track2"],
            (0, 97),
            &["track 2 (audio): PCM is not carried"],
        ),
        device(
            "astray",
            format!("m=audio 0 RTP/AVP 8\r\na=rtpmap:0 pcma/8000/1\r\na=control:trackID=2?mode=unicast&profile=Profile_1\r\n\
                a=fmtp:96 packetization-mode=1;sprop-parameter-sets={SETS}\r\nm=video 0 RTP/AVP/TCP 96\r\na=rtpmap:96 h264\r\n\
                a=control:trackID=1?mode=unicast&profile=Profile_1\r\nm=audio 0 RTP/AVP 100\r\na=rtpmap:100 mpeg4-generic/16000\r\n\
                a=fmtp:97 config=1408\r\n"),
            &["rtsp://h/live/astray/trackID=2?mode=unicast&profile=Profile_1", "rtsp://h/live/astray/trackID=1?mode=unicast&profile=Profile_1"],
            (2, 96),
            &[],
        ),
        device(
            "carriage-returns",
            format!("v=0\ro=\rc=\rs=x\rm=video RTP/AVPF 96\ra=rtpmap:96 H264/-1\ra=fmtp:96;SPROP-Parameter-Sets=\"{SETS}\"\r"),
            &["rtsp://h/live/carriage-returns"],
            (0, 96),
            &[],
        ),
        device(
            "no-sets",
            "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 profile-level-id=;sprop-parameter-sets=\r\na=control:*\r\n".into(),
            &["rtsp://h/live/no-sets"],
            (0, 96),
            &[],
        ),
    ];
    for Device { name, sdp, controls, video: (channel, payload_type), left_out } in devices {
        let mut raw = Raw::new(&house);
        let announced = raw.publish(name, sdp.as_bytes(), controls);
        for why in left_out {
            assert!(announced.contains(why), "in the answer: {announced}");
            assert_eq!(
                house.said(&[&format!("publishes {name} without"), why]).len(),
                1,
                "in the log: {:?}",
                house.said(&[name])
            );
        }
        assert_eq!(announced.contains("Warning: 199 msconv"), !left_out.is_empty(), "{announced}");
        frames(&mut raw, channel, payload_type, !sdp.contains(SETS));
        wait_for("the frames", SOON, || {
            let view = house.hub.snapshot().into_iter().find(|v| v.name.name == name);
            let size =
                view.filter(|v| v.totals.video_frames == 20).and_then(|v| v.headers.tracks.video().cloned());
            size.map(|v| assert_eq!((v.width, v.height), (320, 240)))
                .ok_or_else(|| format!("{:?}", house.said(&[])))
        });
        let mut reader = Peer::reader(&house, name, false);
        assert_eq!(number(&reader.unit().expect("a picture")), 10, "{name}");
    }
}

#[test]
fn what_is_needed_and_cannot_be_read_is_named() {
    let house = House::new();
    let announce = |sdp: &str| {
        let mut raw = Raw::new(&house);
        raw.ask(format!(
            "ANNOUNCE rtsp://h/live/bad RTSP/1.0\r\nCSeq: 1\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        ))
    };
    for (sdp, status, why) in [
        ("v=0\r\nm=video 0 RTP/AVP 96\r\n", 415, "payload type 96 has no rtpmap"),
        (
            "v=0\r\nm=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/48000/2\r\na=fmtp:97 config=1x\r\n",
            415,
            "the config of AAC cannot be read",
        ),
        (
            "v=0\r\nm=audio 0 RTP/AVP 97\r\na=rtpmap:97 MP4A-LATM/16000/1\r\na=fmtp:40 cpresent=0;config=\r\n",
            415,
            "the config of MP4A-LATM is missing",
        ),
        (
            "v=0\r\nm=video 0 RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\n",
            415,
            "SRTP (RTP/SAVPF) is not carried",
        ),
        (
            "v=0\r\nm=video 0 RTP/AVP 26\r\nm=audio 0 RTP/AVP 9\r\n",
            415,
            "track 1 (video): JPEG is not carried; track 2 (audio): G722 is not carried",
        ),
        ("v=0\r\ns=nothing\r\n", 415, "neither video nor audio"),
        ("hello", 400, "there is no description"),
    ] {
        let answer = announce(sdp);
        assert!(
            answer.starts_with(&format!("RTSP/1.0 {status} ")) && answer.contains(why),
            "{sdp}: {answer}"
        );
        assert_eq!(
            house.said(&["was refused ANNOUNCE bad", why]).len(),
            1,
            "the log has it as well: {:?}",
            house.said(&["refused"])
        );
    }
}

#[test]
fn ffmpeg_publishes_two_languages_and_pcm() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("several-tracks");
    let house = House::new();
    let sources =
        ["testsrc2=size=320x240:rate=25", "sine=440:sample_rate=48000", "sine=880:sample_rate=48000"];
    let inputs: Vec<&str> = sources.iter().flat_map(|source| ["-re", "-f", "lavfi", "-i", source]).collect();
    let video = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p"];
    for (name, codecs, carried, left_out) in [
        ("languages", &["-c:a", "aac"][..], "h264,aac,aac", ""),
        (
            "pcm",
            &["-c:a:0", "pcm_s16be", "-c:a:1", "libopus"],
            "h264,opus",
            "track 2 (audio): L16 is not carried",
        ),
        (
            "vp8",
            &[
                "-c:v",
                "libvpx",
                "-deadline",
                "realtime",
                "-cpu-used",
                "8",
                "-c:a:0",
                "pcm_alaw",
                "-ar:a:0",
                "8000",
                "-ac:a:0",
                "1",
                "-c:a:1",
                "pcm_s16be",
            ],
            "pcm_alaw",
            "track 1 (video): VP8 is not carried",
        ),
    ] {
        let url = house.url(name);
        let video = if name == "vp8" { &[][..] } else { &video };
        let output = ["-strict", "-2", "-f", "rtsp", "-rtsp_transport", "tcp", &url];
        let all = [
            &["-nostdin", "-v", "error"][..],
            &inputs,
            &["-map", "0:v", "-map", "1:a", "-map", "2:a"],
            video,
            codecs,
            &output,
        ];
        let publisher = stage.spawn("ffmpeg", &all.concat());
        wait_for("the stream", PATIENCE, || {
            let view = house.hub.snapshot().into_iter().find(|v| v.name.name == name);
            view.filter(|v| v.last_frame.is_some())
                .ok_or_else(|| format!("{}\n{:?}", publisher.stderr(), house.said(&[])))
        });
        assert_eq!(
            house.said(&[&format!("publishes {name} without"), left_out]).len(),
            usize::from(!left_out.is_empty()),
            "{:?}",
            house.said(&["without"])
        );
        let probe = [
            "-v",
            "error",
            "-rtsp_transport",
            "tcp",
            "-show_entries",
            "stream=codec_name",
            "-of",
            "csv=p=0",
            &url,
        ];
        let run = stage.spawn("ffprobe", &probe).wait(PATIENCE).expect(0);
        assert_eq!(run.stdout.split_whitespace().collect::<Vec<_>>().join(","), carried, "{run}");
    }
}
