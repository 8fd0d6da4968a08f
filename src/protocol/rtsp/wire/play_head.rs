//! Headers around PLAY: `RTP-Info` (RFC 2326, 12.33) and `Session` (12.37).

/// Where a track's packets begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The track's URL.
    pub url: String,
    /// Sequence number of its first packet.
    pub sequence: u16,
    /// RTP time of its first packet.
    pub timestamp: u32,
}

/// The `RTP-Info` header.
pub fn rtp_info(starts: &[Start]) -> String {
    let one = |s: &Start| format!("url={};seq={};rtptime={}", s.url, s.sequence, s.timestamp);
    starts.iter().map(one).collect::<Vec<_>>().join(",")
}

/// The starts of an `RTP-Info` header; entries without both numbers are left out.
pub fn read_rtp_info(header: &str) -> Vec<Start> {
    let one = |entry: &str| {
        let (mut url, mut sequence, mut timestamp) = (None, None, None);
        for parameter in entry.split(';') {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            match name.trim().to_ascii_lowercase().as_str() {
                "url" => url = Some(value.trim().to_string()),
                "seq" => sequence = value.trim().parse().ok(),
                "rtptime" => timestamp = value.trim().parse().ok(),
                _ => {}
            }
        }
        Some(Start { url: url?, sequence: sequence?, timestamp: timestamp? })
    };
    header.split(',').take(16).filter_map(one).collect()
}

/// The identifier of a `Session` header.
pub fn session_id(header: &str) -> &str {
    header.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_there_and_back() {
        let start = |url: &str| Start { url: url.into(), sequence: 65_535, timestamp: u32::MAX };
        let both = [start("rtsp://h/x/trackID=0"), start("rtsp://h/x/trackID=1")];
        assert_eq!(read_rtp_info(&rtp_info(&both)), both);
        assert_eq!(read_rtp_info("url=a;seq=70000;rtptime=1,x,url=b"), []);
        assert_eq!(session_id(" abc ;timeout=60"), "abc");
    }
}
