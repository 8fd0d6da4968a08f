//! One end of a WebRTC session: str0m's state machine, fed with datagrams and time, and drained whole after each. Media is
//! lost where it is not (measured: frames that are written between an input and its outputs vanish without a word).

use super::offer::{BadOffer, Codec, Line, Offer};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::bwe::{Bitrate, BweKind};
use str0m::change::SdpOffer;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::format::{self, FormatParams};
use str0m::media::{Frequency, Mid, Pt, Rid, SenderFeedback};
use str0m::net::{DatagramSend, Protocol, Receive, TcpType};
use str0m::rtp::RtpPacket;
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};

/// How often what the other end reports is told.
const REPORTS: Duration = Duration::from_secs(1);
/// Packets that are kept for repairs, and for how long: a repair that comes later is of no use.
const KEPT: (usize, Duration) = (1024, Duration::from_secs(1));
/// Repairs beside media, at most this part of all.
const REPAIRS: f32 = 0.2;
/// Outputs of one drain. More is a loop in the state machine.
const MOST_OUTPUTS: usize = 20_000;

/// What all sessions of a server share.
#[derive(Clone)]
pub struct Identity {
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
}

impl Identity {
    /// A certificate that lives as long as the process: browsers check its fingerprint, which stands in the answer.
    pub fn new() -> Option<Identity> {
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = crypto.dtls_provider.generate_certificate()?;
        Some(Identity { crypto, certificate })
    }
}

/// What an answer promises of one kind of media.
#[derive(Clone, Debug)]
pub struct Agreed {
    /// Payload type of the media.
    pub payload_type: Pt,
    /// Its line.
    pub mid: Mid,
}

/// Something that happened.
#[derive(Debug)]
pub enum Happened {
    /// Media can go.
    Connected,
    /// It is over.
    Closed,
    /// The other end cannot go on without a keyframe.
    KeyframeWanted,
    /// Bits a second that the way there carries.
    Estimate(u64),
    /// What the other end has got of what was sent.
    Sent(Report),
    /// A packet of media, which line it belongs to, and which layer of that (RFC 8852).
    Packet(Option<(Mid, Option<Rid>)>, Box<RtpPacket>),
    /// What the other end says of the times of what it sends.
    Times(SenderFeedback),
}

/// What the other end says of one line of media since the session began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Whether it is video.
    pub video: bool,
    /// Packets lost, as the receiver says.
    pub lost: u64,
    /// Repairs asked for.
    pub nacks: u64,
    /// Keyframes asked for.
    pub plis: u64,
    /// To the other end and back.
    pub round_trip: Option<Duration>,
    /// The part of the packets that were lost since the last report, 0 to 1.
    pub loss: Option<f64>,
}

/// See the module.
pub struct Peer {
    rtc: Rtc,
    /// The addresses that it was offered, best first.
    pub offered: Vec<SocketAddr>,
    /// When it was made.
    pub created: Instant,
    /// Whether media can go.
    pub connected: bool,
    video: Option<Mid>,
}

/// An answer to an offer.
pub struct Answered {
    /// The session.
    pub peer: Peer,
    /// The answer.
    pub sdp: String,
    /// Our ICE name, by which its first datagram is known.
    pub ufrag: String,
    /// Its video.
    pub video: Option<Agreed>,
    /// Its audio.
    pub audio: Option<Agreed>,
}

/// How a session is to be.
pub struct Wanted<'a> {
    /// The codec of video, out of the offer.
    pub video: Option<&'a Codec>,
    /// That of audio.
    pub audio: Option<&'a Codec>,
    /// Our addresses, best first.
    pub offered: Vec<SocketAddr>,
    /// Whether it is found out how much the way there carries, beginning with a guess in bits a second.
    pub estimate: Option<u64>,
    /// Whether video is taken in all the layers that are offered.
    pub layers: bool,
}

/// Answers an offer: one codec for each kind of media, and nothing that was not wanted.
///
/// # Errors
/// [`BadOffer::Unreadable`].
pub fn answer(
    (text, offer): (&str, &Offer),
    wanted: Wanted<'_>,
    identity: &Identity,
    now: Instant,
) -> Result<Answered, BadOffer> {
    let unreadable = |error: String| BadOffer::Unreadable(error.chars().take(200).collect());
    let text = if wanted.layers { text.into() } else { Cow::Owned(one_layer(text)) };
    let sdp = SdpOffer::from_sdp_string(&text).map_err(|error| unreadable(error.to_string()))?;
    let mut config = RtcConfig::new()
        .set_crypto_provider(identity.crypto.clone())
        .set_dtls_cert(identity.certificate.clone())
        .set_ice_lite(true)
        .set_rtp_mode(true)
        .set_stats_interval(Some(REPORTS))
        .enable_bwe(wanted.estimate.map(Bitrate::bps))
        .clear_codecs();
    for codec in wanted.video.into_iter().chain(wanted.audio) {
        add(&mut config, codec);
    }
    let mut rtc = config.build(now);
    for address in &wanted.offered {
        if let Ok(candidate) = Candidate::host(*address, Protocol::Udp) {
            rtc.add_local_candidate(candidate);
        }
        let over_tcp = Candidate::builder().tcp().host(*address).tcptype(TcpType::Passive).build();
        if let Ok(candidate) = over_tcp {
            rtc.add_local_candidate(candidate);
        }
    }
    let answer = rtc.sdp_api().accept_offer(sdp).map_err(|error| unreadable(error.to_string()))?;
    let ufrag = rtc.direct_api().local_ice_credentials().ufrag;
    let mut peer = Peer { rtc, offered: wanted.offered, created: now, connected: false, video: None };
    let agreed = |line: &Option<Line>, codec: Option<&Codec>| {
        let mid = Mid::from(line.as_ref()?.mid.as_str());
        Some(Agreed { payload_type: Pt::new_with_value(codec?.payload_type), mid })
    };
    let (video, audio) = (agreed(&offer.video, wanted.video), agreed(&offer.audio, wanted.audio));
    peer.video = video.as_ref().map(|agreed| agreed.mid);
    for agreed in video.iter().chain(&audio) {
        peer.forget_repairs(agreed.mid);
        if let Some(stream) = peer.rtc.direct_api().stream_tx_by_mid(agreed.mid, None) {
            // Frames go as they come: a pacer would only add to their delay.
            stream.set_unpaced(true);
        }
    }
    Ok(Answered { peer, sdp: with_formats(&answer.to_sdp_string()), ufrag, video, audio })
}

/// An answer whose refused media name a format, as the grammar wants it (RFC 8866, 9): str0m leaves it out where a kind of media
/// has no codec, and browsers then refuse the whole answer.
fn with_formats(text: &str) -> String {
    let mut whole = String::with_capacity(text.len() + 2);
    for line in text.lines() {
        whole.push_str(line.trim_end());
        if line.starts_with("m=") && line.split_whitespace().count() == 3 {
            whole.push_str(" 0");
        }
        whole.push_str("\r\n");
    }
    whole
}

/// An offer without its layers (RFC 8853): whoever offers some and is answered without sends one alone.
fn one_layer(text: &str) -> String {
    let of_layers = |line: &&str| !line.starts_with("a=simulcast:") && !line.starts_with("a=rid:");
    let mut kept = String::with_capacity(text.len());
    for line in text.lines().filter(of_layers) {
        kept.push_str(line);
        kept.push_str("\r\n");
    }
    kept
}

fn add(config: &mut RtcConfig, codec: &Codec) {
    let payload_type = Pt::new_with_value(codec.payload_type);
    let repair = codec.repair.map(Pt::new_with_value);
    let video = Frequency::NINETY_KHZ;
    let number = |name: &str| codec.parameter(name).and_then(|value| value.parse().ok());
    let (kind, rate, channels, format) = match codec.name.as_str() {
        "H264" => {
            let format = FormatParams {
                level_asymmetry_allowed: Some(true),
                packetization_mode: Some(u8::from(codec.h264_fragments())),
                profile_level_id: Some(codec.h264_profile()),
                ..FormatParams::default()
            };
            (format::Codec::H264, video, None, format)
        }
        "H265" => {
            let (profile, tier) = (number("profile-id").unwrap_or(1), number("tier-flag").unwrap_or(0));
            let level = number("level-id").unwrap_or(93);
            return config.codec_config().add_h265(payload_type, repair, profile, tier, level);
        }
        "VP9" => {
            let profile = codec.parameter("profile-id").and_then(|value| value.parse().ok()).unwrap_or(0);
            (
                format::Codec::Vp9,
                video,
                None,
                FormatParams { profile_id: Some(profile), ..FormatParams::default() },
            )
        }
        "AV1" => (format::Codec::Av1, video, None, FormatParams::default()),
        _ => {
            let format = FormatParams {
                min_p_time: Some(10),
                use_inband_fec: Some(true),
                stereo: Some(true),
                sprop_stereo: Some(true),
                ..FormatParams::default()
            };
            (format::Codec::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2), format)
        }
    };
    config.codec_config().add_config(payload_type, repair, kind, rate, channels, format);
}

impl Peer {
    /// str0m's own, for what is written between two drains.
    pub fn rtc(&mut self) -> &mut Rtc {
        &mut self.rtc
    }

    /// Takes a datagram that came from `from`. What cannot be read is `false`.
    pub fn receive(
        &mut self,
        protocol: Protocol,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> bool {
        let Ok(receive) = Receive::new(protocol, from, to, datagram) else { return false };
        self.rtc.handle_input(Input::Receive(now, receive)).is_ok()
    }

    /// Nothing that was sent on this line is sent again: what follows needs none of it.
    pub fn forget_repairs(&mut self, mid: Mid) {
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            stream.set_rtx_cache(KEPT.0, KEPT.1, Some(REPAIRS));
        }
    }

    /// It is `now`. What was written before goes with it.
    pub fn pass(&mut self, now: Instant) {
        // A session that cannot go on says so in its outputs.
        let _ = self.rtc.handle_input(Input::Timeout(now));
    }

    /// Takes everything out: datagrams with our address and the other end's, and what happened. When to call [`Peer::pass`]
    /// next. A session that estimates its link wants to be called after each packet; that is done here.
    pub fn drain(
        &mut self,
        now: Instant,
        mut send: impl FnMut(Protocol, (SocketAddr, SocketAddr), DatagramSend),
        happened: &mut Vec<Happened>,
    ) -> Option<Instant> {
        for _ in 0..MOST_OUTPUTS {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => {
                    send(transmit.proto, (transmit.source, transmit.destination), transmit.contents)
                }
                Ok(Output::Event(event)) => self.event(event, happened),
                Ok(Output::Timeout(at)) if self.rtc.is_alive() && at > now => return Some(at),
                Ok(Output::Timeout(_)) if self.rtc.is_alive() => self.pass(now),
                Ok(Output::Timeout(_)) | Err(_) => break,
            }
        }
        happened.push(Happened::Closed);
        None
    }

    fn event(&mut self, event: Event, happened: &mut Vec<Happened>) {
        let video = self.video;
        happened.push(match event {
            Event::Connected => {
                self.connected = true;
                Happened::Connected
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => {
                Happened::Closed
            }
            Event::KeyframeRequest(_) => Happened::KeyframeWanted,
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. } | BweKind::Remb { estimate, .. }) => {
                Happened::Estimate(estimate.as_u64())
            }
            Event::MediaEgressStats(stats) => Happened::Sent(Report {
                video: Some(stats.mid) == video,
                lost: stats.remote.as_ref().map_or(0, |remote| remote.packets_lost),
                nacks: stats.nacks,
                plis: stats.plis,
                round_trip: stats.rtt,
                loss: stats.loss.map(f64::from),
            }),
            Event::RtpPacket(packet) => {
                let mut api = self.rtc.direct_api();
                let of = api.stream_rx(&packet.header.ssrc).map(|stream| (stream.mid(), stream.rid()));
                Happened::Packet(of, Box::new(packet))
            }
            Event::SenderFeedback(feedback) => Happened::Times(feedback),
            _ => return,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::with_formats;

    #[test]
    fn refused_media_name_a_format() {
        let of = |media: &str| with_formats(&format!("v=0\r\n{media}\r\na=mid:1\r\n"));
        let refused = "v=0\r\nm=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:1\r\n";
        assert_eq!(of("m=audio 0 UDP/TLS/RTP/SAVPF "), refused);
        assert_eq!(of("m=audio 0 UDP/TLS/RTP/SAVPF 0"), refused);
        let taken = "m=video 9 UDP/TLS/RTP/SAVPF 102 103";
        assert_eq!(of(taken), format!("v=0\r\n{taken}\r\na=mid:1\r\n"));
    }
}
