//! The `Transport` header (RFC 2326, 12.39), both ways. A parser of our own: what a client offers is a list of ways of
//! which one that we have is picked.

/// Most ways read of one header, and most parameters of one way.
const MOST_WAYS: usize = 16;
const MOST_PARAMETERS: usize = 32;

/// One way for the packets of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Between the messages of the connection, on these channels for RTP and RTCP; none if the server is to choose.
    Interleaved(Option<(u8, u8)>),
    /// To (from) these ports of the client for RTP and RTCP.
    Datagrams {
        /// The client's port for RTP.
        rtp: u16,
        /// The client's port for RTCP.
        rtcp: u16,
    },
}

/// What else an offered way says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The way.
    pub transport: Transport,
    /// Whether it is offered with feedback (RTP/AVPF, RFC 4585). None is sent, which the profile allows.
    pub feedback: bool,
    /// Whether the client wants to send (`mode=record`).
    pub record: bool,
    /// The server's ports, in an answer.
    pub server: Option<(u16, u16)>,
    /// The source that the sender will have.
    pub ssrc: Option<u32>,
}

/// Why an offered way cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It would be encrypted.
    #[error("{0} is SRTP, which is not carried; use RTP/AVP")]
    Encrypted(String),
    /// It goes to many at once.
    #[error("multicast is not carried")]
    Multicast,
    /// It has no usable ports.
    #[error("{0} has neither interleaved channels nor readable client ports")]
    Ports(String),
    /// Whatever else.
    #[error("{0} is no transport that is carried")]
    Unknown(String),
}

/// The ways of a header that can be used, in the client's order.
pub fn offers(header: &str) -> Vec<Offer> {
    split_outside_quotes(header, ',').take(MOST_WAYS).filter_map(|text| offer(text).ok()).collect()
}

/// Why none of the ways of a header can be used, in one line; empty if one can.
pub fn why_none(header: &str) -> String {
    let ways = split_outside_quotes(header, ',').take(MOST_WAYS).map(offer);
    match ways.collect::<Vec<_>>() {
        all if all.iter().any(Result::is_ok) => String::new(),
        all => all.into_iter().filter_map(Result::err).map(|e| e.to_string()).collect::<Vec<_>>().join("; "),
    }
}

fn offer(text: &str) -> Result<Offer, Unusable> {
    let mut parameters = split_outside_quotes(text, ';').take(MOST_PARAMETERS).map(str::trim);
    let profile = parameters.next().unwrap_or_default().to_ascii_uppercase();
    let shown = || crate::base::printable::bounded(&profile, 40);
    let (feedback, lower) = match profile.as_str() {
        "RTP/AVP" => (false, None),
        "RTP/AVP/TCP" => (false, Some(true)),
        "RTP/AVP/UDP" => (false, Some(false)),
        "RTP/AVPF" => (true, None),
        "RTP/AVPF/TCP" => (true, Some(true)),
        "RTP/AVPF/UDP" => (true, Some(false)),
        other if other.starts_with("RTP/SAVP") => return Err(Unusable::Encrypted(shown())),
        _ => return Err(Unusable::Unknown(shown())),
    };
    let (mut channels, mut client, mut server, mut record, mut ssrc) = (None, None, None, false, None);
    for parameter in parameters {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "multicast" => return Err(Unusable::Multicast),
            // Channels that cannot be read are ours to choose; the answer says which.
            "interleaved" => channels = Some(pair::<u8>(value)),
            "client_port" => client = pair::<u16>(value),
            "server_port" => server = pair::<u16>(value),
            "mode" => {
                record = value.split(',').any(|m| {
                    let mode = m.trim().trim_matches('"');
                    mode.eq_ignore_ascii_case("record") || mode.eq_ignore_ascii_case("receive")
                });
            }
            "ssrc" => ssrc = u32::from_str_radix(value, 16).ok(),
            _ => {}
        }
    }
    // Who asks for channels means the connection, also where the profile does not say so.
    let transport = if lower.unwrap_or(channels.is_some()) {
        Transport::Interleaved(channels.flatten())
    } else {
        let usable = client.filter(|(rtp, rtcp)| *rtp > 0 && *rtcp > 0 && rtp != rtcp);
        let (rtp, rtcp) = usable.ok_or_else(|| Unusable::Ports(shown()))?;
        Transport::Datagrams { rtp, rtcp }
    };
    Ok(Offer { transport, feedback, record, server, ssrc })
}

/// `4-5`, or `4` for that and the next. Nothing if the second is missing and there is no next.
fn pair<T: Copy + TryFrom<u32> + PartialEq>(text: &str) -> Option<(T, T)> {
    let one = |text: &str| {
        let text = text.trim();
        let digits = !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u32>().ok())?
    };
    let (first, second) = match text.split_once('-') {
        Some((first, second)) => (one(first)?, one(second)?),
        None => (one(text)?, one(text)?.checked_add(1)?),
    };
    let (first, second) = (T::try_from(first).ok()?, T::try_from(second).ok()?);
    (first != second).then_some((first, second))
}

fn split_outside_quotes(text: &str, at: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        if c == '"' {
            quoted = !quoted;
        }
        c == at && !quoted
    })
}

/// The answer to a SETUP, in the profile that was offered.
pub fn answer(transport: Transport, server: Option<(u16, u16)>, record: bool, feedback: bool) -> String {
    let mode = if record { "record" } else { "play" };
    let profile = if feedback { "RTP/AVPF" } else { "RTP/AVP" };
    match transport {
        Transport::Interleaved(channels) => {
            let (rtp, rtcp) = channels.unwrap_or((0, 1));
            format!("{profile}/TCP;unicast;interleaved={rtp}-{rtcp};mode={mode}")
        }
        Transport::Datagrams { rtp, rtcp } => {
            let own = server.map(|(a, b)| format!(";server_port={a}-{b}")).unwrap_or_default();
            format!("{profile}/UDP;unicast;client_port={rtp}-{rtcp}{own};mode={mode}")
        }
    }
}

/// What a client asks for.
pub fn request(transport: Transport, record: bool) -> String {
    let mode = if record { ";mode=record" } else { "" };
    match transport {
        Transport::Interleaved(Some((rtp, rtcp))) => {
            format!("RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}{mode}")
        }
        Transport::Interleaved(None) => format!("RTP/AVP/TCP;unicast{mode}"),
        Transport::Datagrams { rtp, rtcp } => format!("RTP/AVP/UDP;unicast;client_port={rtp}-{rtcp}{mode}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(header: &str) -> Vec<Transport> {
        offers(header).into_iter().map(|o| o.transport).collect()
    }

    #[test]
    fn what_programs_send() {
        // ffmpeg, GStreamer, live555, ffmpeg as a publisher.
        assert_eq!(
            ways("RTP/AVP/UDP;unicast;client_port=16510-16511"),
            [Transport::Datagrams { rtp: 16510, rtcp: 16511 }]
        );
        assert_eq!(
            ways("RTP/AVP;multicast,RTP/AVP;unicast;client_port=4-5,RTP/AVP/TCP;unicast;interleaved=0-1"),
            [Transport::Datagrams { rtp: 4, rtcp: 5 }, Transport::Interleaved(Some((0, 1)))]
        );
        assert_eq!(ways("RTP/AVP/TCP;unicast;interleaved=2-3"), [Transport::Interleaved(Some((2, 3)))]);
        let publisher = offers("RTP/AVP/TCP;unicast;interleaved=0-1;mode=record");
        assert!(publisher[0].record);
        let odd = offers(
            "RTP/AVP;unicast;mode=\"PLAY,RECORD\";client_port=70;ssrc=0000BEEF;x;=;server_port=8000-8001",
        );
        assert_eq!(odd[0].transport, Transport::Datagrams { rtp: 70, rtcp: 71 });
        assert_eq!((odd[0].record, odd[0].ssrc, odd[0].server), (true, Some(0xbeef), Some((8000, 8001))));
        assert_eq!(ways("RTP/AVP/TCP"), [Transport::Interleaved(None)]);
    }

    #[test]
    fn what_devices_send() {
        let here = [Transport::Interleaved(Some((0, 1)))];
        for header in [
            "RTP/AVP;unicast;interleaved=0-1",
            "rtp/avp ; unicast ; interleaved = 0 - 1 ;",
            "RTP/AVP;interleaved=0-1;client_port=4-5",
            "RTP/AVP/TCP;interleaved=\"0-1\"",
            "RTP/AVPF/TCP;unicast;interleaved=0-1",
            "RTP/AVPF;unicast;interleaved=0",
            "RTP/SAVP;client_port=4-5,RTP/AVP;interleaved=0-1",
        ] {
            assert_eq!(ways(header), here, "{header}");
        }
        for header in [
            "RTP/AVP/TCP;unicast",
            "RTP/AVP/TCP;interleaved=",
            "RTP/AVP/TCP;interleaved=255",
            "RTP/AVP;interleaved=256-257",
        ] {
            assert_eq!(ways(header), [Transport::Interleaved(None)], "{header}");
        }
        let ports = [Transport::Datagrams { rtp: 4, rtcp: 5 }];
        for header in [
            "RTP/AVPF;unicast;client_port=4-5",
            "RTP/AVP/UDP;client_port=4;interleaved=0-1",
            " RTP/AVP;Client_Port= 4 - 5;ssrc= d6d6627;server_port=x",
        ] {
            assert_eq!(ways(header), ports, "{header}");
        }
        assert!(offers("RTP/AVPF;unicast;client_port=4-5")[0].feedback && !offers("RTP/AVP/TCP")[0].feedback);
    }

    #[test]
    fn what_is_refused_is_named() {
        for (header, why) in [
            ("RTP/SAVPF;client_port=4-5", "RTP/SAVPF is SRTP, which is not carried; use RTP/AVP"),
            ("RTP/AVP;multicast", "multicast is not carried"),
            (
                "RTP/AVP;unicast;client_port=x",
                "RTP/AVP has neither interleaved channels nor readable client ports",
            ),
            (
                "x-real-rdt/tcp,RTP/SAVP/TCP",
                "X-REAL-RDT/TCP is no transport that is carried; RTP/SAVP/TCP is SRTP, which is not carried; use RTP/AVP",
            ),
            ("RTP/SAVP,RTP/AVP/TCP", ""),
        ] {
            assert_eq!(why_none(header), why, "{header}");
        }
    }

    #[test]
    fn what_is_not_taken() {
        for bad in [
            "",
            ";",
            ",,,",
            "RTP/SAVP;client_port=4-5",
            "RTP/AVP",
            "RTP/AVP;client_port=0-1",
            "RTP/AVP;client_port=4-4",
            "RTP/AVP;client_port=65535",
            "RTP/AVP;client_port=70000-70001",
            "RTP/AVP;client_port=-1-2",
            "raw/raw",
            "RTP/AVP/TCP;multicast",
            "mode=\"",
            "RTP/AVP;client_port=\"4-5",
        ] {
            let got = ways(bad);
            assert!(got.is_empty() || bad.contains('"'), "{bad}: {got:?}");
        }
        assert_eq!(ways(&"RTP/AVP/TCP,".repeat(100)).len(), MOST_WAYS);
    }

    #[test]
    fn what_is_written_is_read() {
        for transport in [Transport::Interleaved(Some((6, 9))), Transport::Datagrams { rtp: 1, rtcp: 65_535 }]
        {
            for (record, feedback) in [(false, false), (true, false), (false, true)] {
                let answer = offers(&answer(transport, Some((8, 9)), record, feedback));
                assert_eq!((answer.len(), answer[0].transport, answer[0].feedback), (1, transport, feedback));
                assert_eq!(offers(&request(transport, record))[0].record, record);
            }
        }
    }
}
