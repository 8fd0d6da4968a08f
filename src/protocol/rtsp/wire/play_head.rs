//! Headers around PLAY: `Range` (RFC 2326, 12.29), `RTP-Info` (12.33) and `Session` (12.37).

/// Whether a `Range` header can be read. All streams are live: whatever it asks for, reading begins now.
pub fn range_is_readable(header: &str) -> bool {
    let range = header.split(';').next().unwrap_or_default().trim();
    let Some((unit, span)) = range.split_once('=') else { return false };
    let known = ["npt", "clock", "smpte", "smpte-30-drop", "smpte-25"];
    let time =
        |text: &str| text.trim().bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':'));
    known.iter().any(|k| unit.trim().eq_ignore_ascii_case(k))
        && span.split_once('-').is_some_and(|(from, to)| time(from) && time(to))
}

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
            match parameter.trim().split_once('=') {
                Some(("url", value)) => url = Some(value.to_string()),
                Some(("seq", value)) => sequence = value.parse().ok(),
                Some(("rtptime", value)) => timestamp = value.parse().ok(),
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
    fn ranges() {
        for good in ["npt=0.000-", "npt=now-", "npt=1:02:03.5-10", "clock=19961108T142300Z-", "npt=0-;time=x"]
        {
            assert!(range_is_readable(good), "{good}");
        }
        for bad in ["", "npt", "npt=", "npt=5", "bytes=0-1", "npt=a b-", "npt=0-,1"] {
            assert!(!range_is_readable(bad), "{bad}");
        }
    }

    #[test]
    fn starts_there_and_back() {
        let start = |url: &str| Start { url: url.into(), sequence: 65_535, timestamp: u32::MAX };
        let both = [start("rtsp://h/x/trackID=0"), start("rtsp://h/x/trackID=1")];
        assert_eq!(read_rtp_info(&rtp_info(&both)), both);
        assert_eq!(read_rtp_info("url=a;seq=70000;rtptime=1,x,url=b"), []);
        assert_eq!(session_id(" abc ;timeout=60"), "abc");
    }
}
