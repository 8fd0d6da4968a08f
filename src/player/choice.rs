//! Which player takes which protocol: the best pair that works here, and why better ones were passed over.

use super::kind::{Kind, Protocol};
use std::path::PathBuf;

/// A player that is on this machine, with what a look at it showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub program: PathBuf,
    /// Whether it refuses to run for who we are (VLC as root).
    pub refuses_root: bool,
    /// Whether it reads RTSP (VLC of Debian and Ubuntu does not).
    pub rtsp: bool,
    /// Whether it can open a control window of its own.
    pub interface: bool,
}

impl Candidate {
    /// Why this player cannot take this protocol here; `None` if it can.
    pub fn objection(&self, protocol: Protocol) -> Option<String> {
        if self.refuses_root {
            return Some(format!("{} refuses to run as root", self.kind.shown()));
        }
        match protocol {
            Protocol::Rtsp if !self.rtsp => {
                Some(format!("this {} has no RTSP module (live555)", self.kind.shown()))
            }
            Protocol::WebRtc => Some("WebRTC is played by browsers".into()),
            _ => None,
        }
    }
}

/// The pair to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The player.
    pub candidate: &'a Candidate,
    /// How it reads.
    pub protocol: Protocol,
    /// Why pairs that stand before this one were not taken, each reason once.
    pub passed_over: Vec<String>,
}

/// The first pair that works: every candidate over the first protocol, then every candidate over the next.
///
/// # Errors
/// Why none does, each reason once; empty if there are no candidates.
pub fn choose<'a>(candidates: &'a [Candidate], protocols: &[Protocol]) -> Result<Choice<'a>, Vec<String>> {
    let mut reasons: Vec<String> = Vec::new();
    for &protocol in protocols {
        for candidate in candidates {
            match candidate.objection(protocol) {
                None => return Ok(Choice { candidate, protocol, passed_over: reasons }),
                Some(reason) if !reasons.contains(&reason) => reasons.push(reason),
                Some(_) => {}
            }
        }
    }
    Err(reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(kind: Kind, rtsp: bool, refuses_root: bool) -> Candidate {
        Candidate { kind, program: kind.program().into(), refuses_root, rtsp, interface: true }
    }

    const BOTH: [Protocol; 2] = [Protocol::Rtsp, Protocol::Rtmp];

    #[test]
    fn vlc_with_rtsp_is_the_first_choice() {
        let all = [candidate(Kind::Vlc, true, false), candidate(Kind::Mpv, true, false)];
        let choice = choose(&all, &BOTH).unwrap();
        assert_eq!((choice.candidate.kind, choice.protocol), (Kind::Vlc, Protocol::Rtsp));
        assert!(choice.passed_over.is_empty());
    }

    #[test]
    fn rtsp_with_the_next_player_comes_before_rtmp_with_the_best() {
        let all = [candidate(Kind::Vlc, false, false), candidate(Kind::Mpv, true, false)];
        let choice = choose(&all, &BOTH).unwrap();
        assert_eq!((choice.candidate.kind, choice.protocol), (Kind::Mpv, Protocol::Rtsp));
        assert_eq!(choice.passed_over, ["this VLC has no RTSP module (live555)"]);
        let only_vlc = [candidate(Kind::Vlc, false, false)];
        let choice = choose(&only_vlc, &BOTH).unwrap();
        assert_eq!((choice.candidate.kind, choice.protocol), (Kind::Vlc, Protocol::Rtmp));
    }

    #[test]
    fn root_gets_another_player_or_a_reason() {
        let all = [candidate(Kind::Vlc, true, true), candidate(Kind::Ffplay, true, false)];
        assert_eq!(choose(&all, &BOTH).unwrap().candidate.kind, Kind::Ffplay);
        let only_vlc = [candidate(Kind::Vlc, true, true)];
        assert_eq!(choose(&only_vlc, &BOTH), Err(vec!["VLC refuses to run as root".to_string()]));
        assert_eq!(choose(&[], &BOTH), Err(vec![]));
    }
}
