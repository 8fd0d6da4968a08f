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
    /// Whether the client wants to send (`mode=record`).
    pub record: bool,
    /// The server's ports, in an answer.
    pub server: Option<(u16, u16)>,
    /// The source that the sender will have.
    pub ssrc: Option<u32>,
}

/// The ways of a header that can be used, in the client's order. Multicast, SRTP and what cannot be read are left out.
pub fn offers(header: &str) -> Vec<Offer> {
    split_outside_quotes(header, ',').take(MOST_WAYS).filter_map(offer).collect()
}

fn offer(text: &str) -> Option<Offer> {
    let mut parameters = split_outside_quotes(text, ';').take(MOST_PARAMETERS).map(str::trim);
    let profile = parameters.next()?;
    let tcp = match profile.to_ascii_uppercase().as_str() {
        "RTP/AVP/TCP" => true,
        "RTP/AVP" | "RTP/AVP/UDP" => false,
        _ => return None,
    };
    let (mut channels, mut client, mut server, mut record, mut ssrc) = (None, None, None, false, None);
    for parameter in parameters {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "multicast" => return None,
            "interleaved" => channels = Some(pair::<u8>(value)?),
            "client_port" => client = Some(pair::<u16>(value)?),
            "server_port" => server = Some(pair::<u16>(value)?),
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
    let transport = if tcp {
        Transport::Interleaved(channels)
    } else {
        let (rtp, rtcp) = client.filter(|(rtp, rtcp)| *rtp > 0 && *rtcp > 0 && rtp != rtcp)?;
        Transport::Datagrams { rtp, rtcp }
    };
    Some(Offer { transport, record, server, ssrc })
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

/// The answer to a SETUP.
pub fn answer(transport: Transport, server: Option<(u16, u16)>, record: bool) -> String {
    let mode = if record { "record" } else { "play" };
    match transport {
        Transport::Interleaved(channels) => {
            let (rtp, rtcp) = channels.unwrap_or((0, 1));
            format!("RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp};mode={mode}")
        }
        Transport::Datagrams { rtp, rtcp } => {
            let own = server.map(|(a, b)| format!(";server_port={a}-{b}")).unwrap_or_default();
            format!("RTP/AVP/UDP;unicast;client_port={rtp}-{rtcp}{own};mode={mode}")
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
            "RTP/AVP/TCP;interleaved=255",
            "RTP/AVP/TCP;interleaved=256-257",
            "RTP/AVP/TCP;interleaved=",
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
            for record in [false, true] {
                assert_eq!(ways(&answer(transport, Some((8, 9)), record)), [transport]);
                assert_eq!(offers(&request(transport, record))[0].record, record);
            }
        }
    }
}
