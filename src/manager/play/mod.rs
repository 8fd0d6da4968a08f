//! `play`: from a live rendition to the command that shows it. The order of checks is a promise: servers, key and
//! label, player, then the RTSP server, then the player is started.

pub mod browser;
pub mod outcome;
pub mod players;
pub mod rtsp_endpoint;
pub mod selection;

use crate::base::next::Advice;
use crate::base::{CommandLine, Failure, Kind, Outcome};
use crate::config::choices;
use crate::config::{Environment, Settings};
use crate::player::{self, Candidate, Choice, Protocol, Watch};
use crate::process::blocking::blocking;
use crate::status::rtsp_describe::{self, Verdict};
pub use selection::{Address, Selection, Servers, Target};
use std::ffi::OsString;
use std::path::Path;

/// What is to be started, and what to say before.
#[derive(Clone, Debug)]
pub struct PlayPlan {
    /// What is watched.
    pub target: Target,
    /// How.
    pub protocol: Protocol,
    /// By which player.
    pub kind: player::Kind,
    /// The URL it gets, as people may see it.
    pub shown_url: String,
    /// The URL it gets.
    pub url: String,
    /// The whole command.
    pub command: CommandLine,
    /// Why it is not the best player over RTSP, if it is not: one line.
    pub note: Option<String>,
}

/// The servers of the settings.
pub fn servers(settings: &Settings) -> Servers<'_> {
    Servers { rtmp: &settings.nginx_rtmp_url, rtsp: &settings.rtsp_url }
}

/// The address to print: RTSP unless another protocol is set.
///
/// # Errors
/// Server, if the wanted protocol is not to be had.
pub fn address(target: &Target, settings: &Settings) -> Outcome<(Protocol, Address)> {
    let first = protocols(target, settings.protocol)?.into_iter().next();
    let protocol = first.unwrap_or(Protocol::Rtsp);
    Ok((protocol, target.address(protocol)?))
}

impl Target {
    /// Where it is read over `protocol`.
    fn address(&self, protocol: Protocol) -> Outcome<Address> {
        match protocol {
            Protocol::Rtsp => self.rtsp.clone().ok_or_else(|| no_rtsp_path(self)),
            Protocol::Rtmp => self.rtmp.clone().ok_or_else(|| no_rtmp(self)),
            Protocol::Hls => self.hls.clone().ok_or_else(no_hls),
            Protocol::WebRtc => self.whep.clone().ok_or_else(no_page),
        }
    }

    /// The page that shows it in a browser.
    ///
    /// # Errors
    /// Server, if its server has no pages.
    pub fn in_browser(&self) -> Outcome<Address> {
        self.page.clone().ok_or_else(no_page)
    }
}

fn no_page() -> Failure {
    Failure::new(Kind::Server, "no server here has a page that plays it")
        .why("only the built-in server has pages, unless it was started without its web port")
        .hint(Advice::set("protocol", "rtsp"))
        .hint(Advice::set("protocol", "rtmp"))
}

fn no_hls() -> Failure {
    Failure::new(Kind::Server, "no server here speaks HLS")
        .why("the built-in server was started without its web port, or MediaMTX without HLS")
        .hint(Advice::set("protocol", "rtsp"))
        .hint(Advice::set("protocol", "rtmp"))
}

fn no_rtsp_path(target: &Target) -> Failure {
    Failure::new(Kind::Server, format!("{} cannot be read over RTSP", target.key))
        .why("it is published in another application than the one MediaMTX pulls from")
        .hint(Advice::set("protocol", "rtmp"))
}

fn no_rtmp(target: &Target) -> Failure {
    Failure::new(Kind::Server, format!("{} cannot be read over RTMP", target.key))
        .why("it is published to MediaMTX alone")
        .hint(Advice::set("protocol", "rtsp"))
}

/// The protocols that may be used, best first.
///
/// # Errors
/// Server, if the wanted one is not to be had.
pub fn protocols(target: &Target, wanted: Option<choices::Protocol>) -> Outcome<Vec<Protocol>> {
    let wanted = match wanted {
        Some(choices::Protocol::Hls) => vec![Protocol::Hls],
        Some(choices::Protocol::WebRtc) => vec![Protocol::WebRtc],
        Some(choices::Protocol::Rtsp) => vec![Protocol::Rtsp],
        Some(choices::Protocol::Rtmp) => vec![Protocol::Rtmp],
        None => vec![Protocol::Rtsp, Protocol::Rtmp],
    };
    let there: Vec<Protocol> = wanted.iter().copied().filter(|p| target.address(*p).is_ok()).collect();
    match (there.is_empty(), wanted.first()) {
        (true, Some(first)) => target.address(*first).map(|_| there),
        _ => Ok(there),
    }
}

/// Takes the player and the protocol, asks the RTSP server, and makes the command. `waiting` is called once if that
/// takes long.
///
/// # Errors
/// Missing (5) for the player, Server (6) for the RTSP server.
pub async fn plan(
    target: Target,
    settings: &Settings,
    environment: &Environment,
    extra: &[OsString],
    waiting: &dyn Fn(&str),
) -> Outcome<PlayPlan> {
    let protocols = protocols(&target, settings.protocol)?;
    let candidates = {
        let (settings, environment) = (settings.clone(), environment.clone());
        blocking("look for players", move || players::candidates(&settings, &environment)).await??
    };
    let choice = choose(&candidates, &protocols, settings)?;
    if choice.protocol != Protocol::Rtsp {
        return made(target, &choice, extra, None);
    }
    let asked = rtsp_describe::describe(&settings.rtsp_url, &target.path);
    let words = format!("waiting for {} to open {}", settings.rtsp_url, target.path);
    let verdict = told_if_slow(asked, || waiting(&words)).await;
    match verdict {
        Verdict::Plays => made(target, &choice, extra, None),
        Verdict::Unreachable(why) if protocols.contains(&Protocol::Rtmp) => {
            let lost = format!("no RTSP server answers at {} ({why})", settings.rtsp_url);
            let choice = choose(&candidates, &[Protocol::Rtmp], settings)?;
            made(target, &choice, extra, Some(lost))
        }
        other => Err(rtsp_endpoint::failure(&other, &target, settings, environment)),
    }
}

async fn told_if_slow<T>(future: impl Future<Output = T>, tell: impl Fn()) -> T {
    let mut future = std::pin::pin!(future);
    match tokio::time::timeout(std::time::Duration::from_secs(1), &mut future).await {
        Ok(done) => done,
        Err(_) => {
            tell();
            future.await
        }
    }
}

/// The best pair, or why there is none and what would help.
fn choose<'a>(
    candidates: &'a [Candidate],
    protocols: &[Protocol],
    settings: &Settings,
) -> Outcome<Choice<'a>> {
    player::choose(candidates, protocols).map_err(|reasons| {
        let who = settings.player.as_deref().unwrap_or("no player");
        let what = match (protocols, settings.player.is_some()) {
            ([Protocol::Rtsp], true) => format!("{who} cannot play over RTSP"),
            ([Protocol::Rtsp], false) => "no player here can play over RTSP".to_string(),
            (_, true) => format!("{who} cannot play here"),
            (_, false) => "no player can play here".to_string(),
        };
        let root = candidates.iter().all(|c| c.refuses_root);
        let mut failure = Failure::new(Kind::Missing, what);
        for reason in reasons {
            failure = failure.why(reason);
        }
        if root {
            failure = failure.hint("run msconv play as an ordinary user");
        }
        if settings.player.is_some() {
            failure = failure.hint(Advice::set("player", "mpv"));
        } else {
            failure = failure
                .hint(Advice::set("player", "NAME").behind("mpv and ffplay run as root and read RTSP"));
        }
        if protocols == [Protocol::Rtsp] && !root {
            failure = failure.hint(Advice::set("protocol", "rtmp"));
        }
        failure.hint(Advice::print_address())
    })
}

fn made(target: Target, choice: &Choice<'_>, extra: &[OsString], lost: Option<String>) -> Outcome<PlayPlan> {
    let candidate = choice.candidate;
    let address = target.address(choice.protocol)?;
    let watch = Watch {
        program: &candidate.program,
        kind: candidate.kind,
        protocol: choice.protocol,
        url: &address.url,
        shown_url: &address.shown,
        title: &format!("{} {}", target.key, target.label),
        interface: candidate.interface,
        extra,
    };
    let reasons: Vec<&str> =
        lost.iter().map(String::as_str).chain(choice.passed_over.iter().map(String::as_str)).collect();
    let note = (!reasons.is_empty()).then(|| {
        format!(
            "{}; playing with {} over {}",
            reasons.join("; "),
            shown_name(candidate.kind, &candidate.program),
            choice.protocol.shown()
        )
    });
    let command = player::command(&watch);
    Ok(PlayPlan {
        protocol: choice.protocol,
        kind: candidate.kind,
        shown_url: address.shown,
        url: address.url,
        command,
        note,
        target,
    })
}

/// What a player is called: its own name, or the file name of a program that is not known.
fn shown_name(kind: player::Kind, program: &Path) -> String {
    match kind {
        player::Kind::Other => program.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        known => known.shown().to_string(),
    }
}

impl PlayPlan {
    /// What the player is called.
    pub fn player(&self) -> String {
        shown_name(self.kind, &self.command.program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;

    fn target(rtsp: bool) -> Target {
        let address = |url: &str| Address { url: url.into(), shown: url.into() };
        Target {
            key: "a".into(),
            label: "720p".into(),
            path: "a_720p".into(),
            rtmp: Some(address("rtmp://localhost:1935/live/a_720p")),
            rtsp: rtsp.then(|| address("rtsp://localhost:8554/a_720p")),
            hls: None,
            whep: None,
            page: None,
        }
    }

    fn candidate(kind: player::Kind, rtsp: bool, refuses_root: bool) -> Candidate {
        Candidate { kind, program: kind.program().into(), refuses_root, rtsp, interface: true }
    }

    fn settings(player: Option<&str>) -> Settings {
        let environment = Environment::made(&[], std::path::Path::new("/"));
        Settings::load(Layer::flags([("player", player.map(str::to_string))]), &environment).unwrap()
    }

    #[test]
    fn protocols_in_order_or_a_reason() {
        use choices::Protocol as Wanted;
        assert_eq!(protocols(&target(true), None).unwrap(), [Protocol::Rtsp, Protocol::Rtmp]);
        assert_eq!(protocols(&target(false), None).unwrap(), [Protocol::Rtmp]);
        assert_eq!(protocols(&target(true), Some(Wanted::Rtsp)).unwrap(), [Protocol::Rtsp]);
        let direct = Target { rtmp: None, ..target(true) };
        assert_eq!(protocols(&direct, None).unwrap(), [Protocol::Rtsp]);
        assert_eq!(
            protocols(&direct, Some(Wanted::Rtmp)).unwrap_err().hints(),
            [Advice::set("protocol", "rtsp").into()]
        );
        for (rtsp, wanted) in [(false, Wanted::Rtsp), (true, Wanted::Hls), (true, Wanted::WebRtc)] {
            let failure = protocols(&target(rtsp), Some(wanted)).unwrap_err();
            assert_eq!(failure.kind(), Kind::Server);
            assert!(failure.hints().iter().any(|h| h.step == Advice::set("protocol", "rtmp")));
        }
    }

    #[test]
    fn the_note_says_in_one_line_what_was_passed_over() {
        let all = [candidate(player::Kind::Vlc, false, false), candidate(player::Kind::Mpv, true, false)];
        let choice = choose(&all, &[Protocol::Rtsp, Protocol::Rtmp], &settings(None)).unwrap();
        let plan = made(target(true), &choice, &[], None).unwrap();
        assert_eq!(
            plan.note.as_deref(),
            Some("this VLC has no RTSP module (live555); playing with mpv over RTSP")
        );
        assert_eq!(plan.url, "rtsp://localhost:8554/a_720p");
        let choice = choose(&all, &[Protocol::Rtmp], &settings(None)).unwrap();
        let plan =
            made(target(true), &choice, &[], Some("no RTSP server answers at rtsp://localhost:8554".into()))
                .unwrap();
        assert_eq!(
            plan.note.as_deref(),
            Some("no RTSP server answers at rtsp://localhost:8554; playing with VLC over RTMP")
        );
        assert_eq!(plan.url, "rtmp://localhost:1935/live/a_720p");
        let good = [candidate(player::Kind::Vlc, true, false)];
        let choice = choose(&good, &[Protocol::Rtsp], &settings(None)).unwrap();
        assert_eq!(made(target(true), &choice, &[], None).unwrap().note, None);
    }

    #[test]
    fn a_named_player_that_cannot_is_refused_with_the_way_out() {
        let vlc = [candidate(player::Kind::Vlc, false, false)];
        let failure = choose(&vlc, &[Protocol::Rtsp], &settings(Some("vlc"))).unwrap_err();
        assert_eq!(
            crate::ui::failure_text::text(&failure),
            "vlc cannot play over RTSP\n  why: this VLC has no RTSP module (live555)\n  try: --player mpv\n  \
             try: --protocol rtmp\n  try: --print-url"
        );
        let root = [candidate(player::Kind::Vlc, true, true)];
        let failure = choose(&root, &[Protocol::Rtsp, Protocol::Rtmp], &settings(Some("vlc"))).unwrap_err();
        assert_eq!(
            crate::ui::failure_text::text(&failure),
            "vlc cannot play here\n  why: VLC refuses to run as root\n  try: run msconv play as an ordinary user\n  \
             try: --player mpv\n  try: --print-url"
        );
        assert_eq!(failure.kind(), Kind::Missing);
    }
}
