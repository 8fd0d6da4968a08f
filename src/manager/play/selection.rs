//! Which stream and which rendition is meant, found in a listing. Pure: a listing goes in, a target comes out.

use crate::base::next::Advice;
use crate::base::secret::MASK;
use crate::base::{Failure, Kind, Outcome};
use crate::config::keys::nearest_of;
use crate::model::listing::{Listing, RenditionInfo, Stream};
use crate::model::{Rendition, RtmpUrl, RtspUrl};
use std::cmp::Reverse;

/// Which rendition is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The largest picture there is.
    Best,
    /// The first of these labels that is live; `best` may stand among them.
    Preference(Vec<String>),
}

impl Selection {
    /// Reads `-v` and `-o`. `None` if neither was given.
    ///
    /// # Errors
    /// Usage, if a label cannot be one.
    pub fn parse(variant: Option<&str>, original: bool) -> Outcome<Option<Selection>> {
        if original {
            return Ok(Some(Selection::Preference(vec!["original".into()])));
        }
        let Some(list) = variant else { return Ok(None) };
        let mut labels = Vec::new();
        for item in list.split(',').map(str::trim) {
            let known = item.eq_ignore_ascii_case("best");
            if !known {
                item.parse::<Rendition>().map_err(|e| {
                    Failure::usage(format!("'{item}' in --variant {list} is no variant: {e}"))
                        .hint(Advice::set("variant", "720p,480p,best"))
                })?;
            }
            labels.push(if known { "best".into() } else { item.to_string() });
        }
        Ok(Some(Selection::Preference(labels)))
    }
}

/// What is to be watched: one rendition of one stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The stream.
    pub key: String,
    /// The rendition.
    pub label: String,
    /// Its path on the RTSP server.
    pub path: String,
    /// Where it is read over RTMP; `None` for a stream that only MediaMTX has.
    pub rtmp: Option<Address>,
    /// Where it is read over RTSP; `None` for a stream of another application, which no RTSP path leads to.
    pub rtsp: Option<Address>,
    /// Where it is read over HLS; `None` where no server serves that.
    pub hls: Option<Address>,
    /// Where it is read over WebRTC; `None` where no server serves that.
    pub whep: Option<Address>,
    /// The page that shows it in a browser; `None` where its server has none.
    pub page: Option<Address>,
}

impl Target {
    /// The same with all renditions of `stream` where a protocol has them in one address.
    pub fn of_whole_ladder(self, stream: &Stream, servers: Servers<'_>) -> Target {
        let over = |url: &Option<String>, own| Address::over_http(url.as_ref(), servers).or(own);
        Target {
            hls: over(&stream.hls_url, self.hls),
            whep: over(&stream.whep_url, self.whep),
            page: over(&stream.page_url, self.page),
            ..self
        }
    }
}

/// A URL with what people may see of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The URL, secrets included.
    pub url: String,
    /// With secrets masked.
    pub shown: String,
}

impl Address {
    /// One at a web port, with what our own server wants to be shown.
    fn over_http(url: Option<&String>, servers: Servers<'_>) -> Option<Address> {
        let url = url?.clone();
        Some(match servers.rtmp.login() {
            Some(login) => {
                Address { shown: format!("{url}?{MASK}"), url: format!("{url}?{}", login.reveal()) }
            }
            None => Address { shown: url.clone(), url },
        })
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The servers a target's addresses are made of.
#[derive(Clone, Copy, Debug)]
pub struct Servers<'a> {
    /// Where streams are published.
    pub rtmp: &'a RtmpUrl,
    /// Where streams are read over RTSP.
    pub rtsp: &'a RtspUrl,
}

/// The streams that can be watched now.
pub fn live(listing: &Listing) -> impl Iterator<Item = &Stream> {
    listing.streams.iter().filter(|s| s.renditions.iter().any(|r| r.state.on_air()))
}

/// The live stream `key`, the one of `application` where several have that name.
///
/// # Errors
/// NotFound, with the live keys and the one that was perhaps meant.
pub fn stream<'a>(listing: &'a Listing, key: &str, application: &str) -> Outcome<&'a Stream> {
    let named = |s: &&Stream| s.key == key;
    if let Some(found) = live(listing).filter(named).min_by_key(|s| s.application != application) {
        return Ok(found);
    }
    let mut failure = match listing.streams.iter().find(named) {
        Some(stream) => {
            let failure = Failure::new(Kind::NotFound, format!("{key} is not live: it is {}", stream.state));
            match stream.local.as_ref().and_then(|l| l.reason.as_deref()) {
                Some(reason) => failure.why(reason),
                None => failure,
            }
        }
        None => Failure::new(Kind::NotFound, format!("no stream {key} is live")),
    };
    let mut keys: Vec<&str> = live(listing).map(|s| s.key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    failure = failure.why(match keys.as_slice() {
        [] => "nothing is live".to_string(),
        keys => format!("live now: {}", some(keys)),
    });
    // MediaMTX knows only what is being read; not seeing it hides nothing that nginx-rtmp has.
    for server in listing.servers.iter().filter(|s| !s.ok && s.name == "nginx-rtmp") {
        let why = server.error.as_deref().unwrap_or("no answer");
        failure = failure.why(format!("{} at {} was not seen: {why}", server.name, server.url));
    }
    if let Some(near) = nearest_of(key, keys.iter().copied()) {
        failure = failure.hint(Advice::play(near).behind("did you mean that?"));
    }
    Err(failure.hint(
        Advice::Play { key: key.to_string(), label: None, wait: Some("60s".into()) }
            .behind("waits until it is live"),
    ))
}

/// At most 20 names on one line.
fn some(names: &[&str]) -> String {
    let shown = names.iter().take(20).copied().collect::<Vec<_>>().join(" ");
    match names.len().checked_sub(20) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

/// The rendition of `stream` that is wished for.
///
/// # Errors
/// NotFound, with the labels that exist.
pub fn rendition<'a>(stream: &'a Stream, selection: &Selection) -> Outcome<&'a RenditionInfo> {
    let on_air = || stream.renditions.iter().filter(|r| r.state.on_air());
    let best = || on_air().max_by_key(|r| rank(r));
    let labels: &[String] = match selection {
        Selection::Best => &["best".to_string()],
        Selection::Preference(labels) => labels,
    };
    let found = labels.iter().find_map(|label| match label.as_str() {
        "best" => best(),
        label => on_air().find(|r| r.label == label),
    });
    if let Some(found) = found {
        return Ok(found);
    }
    let asked = labels.join(", ");
    let waiting = stream.renditions.iter().find(|r| labels.contains(&r.label));
    let failure = match waiting {
        Some(rendition) => Failure::new(
            Kind::NotFound,
            format!("{} of {} is not live: it is {}", rendition.label, stream.key, rendition.state),
        ),
        None => Failure::new(Kind::NotFound, format!("{} has no variant {asked}", stream.key)),
    };
    let mut there: Vec<&RenditionInfo> = on_air().collect();
    there.sort_by_key(|r| Reverse(rank(r)));
    let there: Vec<&str> = there.iter().map(|r| r.label.as_str()).collect();
    let failure = failure.why(format!("it has: {}", some(&there)));
    let near = labels.iter().find_map(|label| nearest_of(label, there.iter().copied()));
    let failure = match near.or(there.first().copied()) {
        Some(label) => {
            failure.hint(Advice::Play { key: stream.key.clone(), label: Some(label.to_string()), wait: None })
        }
        None => failure,
    };
    Err(failure.hint(Advice::set("wait", "60s").behind(format!("waits for {asked} to be live"))))
}

/// How good a rendition looks: pixels, then bits, then what its label promises. Of a picture that the server does not
/// know the label's promise has to do.
fn rank(rendition: &RenditionInfo) -> (u64, u64, u64) {
    let height = rendition.label.strip_suffix('p').and_then(|h| h.parse::<u32>().ok()).map_or(0, u64::from);
    let promised = height.saturating_mul(height).saturating_mul(16) / 9;
    let seen = rendition.video.as_ref().map_or(0, |v| u64::from(v.width).saturating_mul(u64::from(v.height)));
    (if seen > 0 { seen } else { promised }, rendition.bitrate_bps.unwrap_or(0), promised)
}

/// The target that a stream and a rendition make.
///
/// # Errors
/// NotFound for a name that no URL can carry, or one in another application of a server with credentials.
pub fn target(stream: &Stream, rendition: &RenditionInfo, servers: Servers<'_>) -> Outcome<Target> {
    let name = &rendition.name;
    let application = stream.application.trim_matches('/');
    let here = application == servers.rtmp.application();
    // What is published straight to MediaMTX is listed without an RTMP address.
    let direct = rendition.rtmp_url.is_empty();
    // What ours publish to a MediaMTX over RTMP has a path with the application in front, and an RTMP address without.
    let bare = name
        .strip_prefix(&format!("{application}/"))
        .filter(|bare| rendition.rtmp_url.ends_with(&format!("/{application}/{bare}")))
        .filter(|_| !rendition.rtmp_url.ends_with(&format!("/{application}/{name}")));
    let path = if direct && !application.is_empty() && !name.starts_with(&format!("{application}/")) {
        format!("{application}/{name}")
    } else {
        name.clone()
    };
    // Our own names are plain; those of other publishers are whatever the server reports.
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '+' | '=' | ',' | '@');
    let folder = !direct && bare.is_none() && path.contains('/');
    if folder || path.split('/').any(|part| part.is_empty() || part == ".." || !part.chars().all(plain)) {
        return Err(Failure::new(Kind::NotFound, format!("'{name}' cannot be played by its name"))
            .why("it holds characters that no URL carries, or that the server does not show")
            .hint("publish it under a name of A-Z a-z 0-9 _ and -"));
    }
    let over_rtsp =
        || Address { url: servers.rtsp.name_url(&path), shown: servers.rtsp.shown_name_url(&path) };
    let (rtmp, rtsp) = if direct {
        (None, Some(over_rtsp()))
    } else if here {
        let name = bare.unwrap_or(name);
        let rtmp = Address { url: servers.rtmp.name_url(name), shown: servers.rtmp.shown_name_url(name) };
        (Some(rtmp), Some(over_rtsp()))
    } else {
        let fits = rendition.rtmp_url.parse::<RtmpUrl>().is_ok_and(|url| !url.has_secrets());
        if !fits || servers.rtmp.has_secrets() {
            let server = format!("rtmp://{}:{}/{application}", servers.rtmp.host(), servers.rtmp.port());
            return Err(Failure::new(
                Kind::NotFound,
                format!("{} is in the application {application} of the server", stream.key),
            )
            .hint(Advice::set("nginx_rtmp_url", server.to_string())));
        }
        (Some(Address { url: rendition.rtmp_url.clone(), shown: rendition.rtmp_url.clone() }), None)
    };
    let over = |url: &Option<String>| Address::over_http(url.as_ref(), servers);
    let (hls, whep, page) = (over(&rendition.hls_url), over(&rendition.whep_url), over(&rendition.page_url));
    Ok(Target { key: stream.key.clone(), label: rendition.label.clone(), path, rtmp, rtsp, hls, whep, page })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::State;
    use crate::model::listing::{Local, Server, Video};

    pub(crate) fn info(key: &str, label: &str, size: (u32, u32), state: State) -> RenditionInfo {
        let name = if label == "original" { key.to_string() } else { format!("{key}_{label}") };
        RenditionInfo {
            label: label.into(),
            state,
            video: (size.0 > 0).then(|| Video {
                codec: "h264".into(),
                width: size.0,
                height: size.1,
                fps: None,
            }),
            audio: None,
            bitrate_bps: Some(1),
            viewers: 0,
            rtmp_url: format!("rtmp://localhost:1935/live/{name}"),
            rtsp_url: format!("rtsp://localhost:8554/{name}"),
            page_url: None,
            hls_url: None,
            whep_url: None,
            name,
        }
    }

    pub(crate) fn made(key: &str, renditions: Vec<RenditionInfo>) -> Stream {
        Stream {
            key: key.into(),
            application: "live".into(),
            state: State::Live,
            uptime_s: None,
            viewers: 0,
            bitrate_bps: None,
            from: None,
            local: None,
            page_url: None,
            hls_url: None,
            whep_url: None,
            renditions,
        }
    }

    fn server(ok: bool) -> Server {
        let error = (!ok).then(|| "connection refused".to_string());
        Server { name: "nginx-rtmp".into(), url: "http://localhost:8080/stat".into(), ok, error }
    }

    fn listing() -> Listing {
        let ladder = vec![
            info("stream1", "1080p", (1920, 1080), State::Starting),
            info("stream1", "720p", (1280, 720), State::Live),
            info("stream1", "original", (1920, 800), State::Live),
            info("stream1", "360p", (640, 360), State::Weak),
        ];
        let mut dead = made("dead", vec![info("dead", "720p", (1280, 720), State::Stalled)]);
        dead.state = State::Stalled;
        dead.local = Some(Local {
            pid: None,
            supervisor_pid: None,
            home: "/h".into(),
            restarts: 0,
            log: "/h/l".into(),
            reason: Some("no bytes for 20 s".into()),
        });
        Listing { streams: vec![made("stream1", ladder), dead], servers: vec![server(true)], notes: vec![] }
    }

    fn selection(text: &str) -> Selection {
        Selection::parse(Some(text), false).unwrap().unwrap()
    }

    fn pick(text: &str) -> Outcome<String> {
        let listing = listing();
        let stream = stream(&listing, "stream1", "live")?;
        rendition(stream, &selection(text)).map(|r| r.label.clone())
    }

    #[test]
    fn best_is_the_largest_picture_on_the_air() {
        assert_eq!(pick("best").unwrap(), "original", "1080p is not live, the original is larger than 720p");
        let listing = listing();
        let found = rendition(stream(&listing, "stream1", "live").unwrap(), &Selection::Best).unwrap();
        assert_eq!(found.label, "original");
        let unseen =
            made("x", vec![info("x", "240p", (0, 0), State::Live), info("x", "480p", (0, 0), State::Live)]);
        let alike = made(
            "x",
            vec![info("x", "720p", (640, 360), State::Live), info("x", "360p", (640, 360), State::Live)],
        );
        assert_eq!(rendition(&alike, &Selection::Best).unwrap().label, "720p");
        assert_eq!(
            rendition(&unseen, &Selection::Best).unwrap().label,
            "480p",
            "the label tells where the server does not"
        );
    }

    #[test]
    fn the_first_preference_that_is_live_wins() {
        assert_eq!(pick("1080p,720p,best").unwrap(), "720p");
        assert_eq!(pick("999p,BEST").unwrap(), "original");
        assert_eq!(pick("360p").unwrap(), "360p", "weak is on the air");
        let original = Selection::parse(None, true).unwrap().unwrap();
        let listing = listing();
        assert_eq!(
            rendition(stream(&listing, "stream1", "live").unwrap(), &original).unwrap().label,
            "original"
        );
    }

    #[test]
    fn an_absent_label_names_those_that_exist() {
        let failure = pick("700p").unwrap_err();
        assert_eq!(
            crate::ui::failure_text::text(&failure),
            "stream1 has no variant 700p\n  why: it has: original 720p 360p\n  \
             try: msconv play -s stream1 -v 720p\n  try: --wait 60s    (waits for 700p to be live)"
        );
        let failure = pick("1080p").unwrap_err();
        assert_eq!(failure.what(), "1080p of stream1 is not live: it is starting");
        assert_eq!(failure.kind(), Kind::NotFound);
    }

    #[test]
    fn a_key_that_is_not_live_names_those_that_are() {
        let listing = listing();
        let failure = stream(&listing, "steam1", "live").unwrap_err();
        assert_eq!(
            crate::ui::failure_text::text(&failure),
            "no stream steam1 is live\n  why: live now: stream1\n  \
             try: msconv play -s stream1    (did you mean that?)\n  \
             try: msconv play -s steam1 --wait 60s    (waits until it is live)"
        );
        let failure = stream(&listing, "dead", "live").unwrap_err();
        assert!(
            crate::ui::failure_text::text(&failure)
                .starts_with("dead is not live: it is stalled\n  why: no bytes for 20 s")
        );
        let nothing = Listing::default();
        assert!(stream(&nothing, "x", "live").unwrap_err().to_string().contains("nothing is live"));
    }

    #[test]
    fn a_server_that_was_not_seen_is_mentioned() {
        let mut listing = listing();
        listing.servers.push(server(false));
        let failure = stream(&listing, "other", "live").unwrap_err().to_string();
        assert!(
            failure.contains("nginx-rtmp at http://localhost:8080/stat was not seen: connection refused")
        );
    }

    #[test]
    fn labels_are_checked_before_anything_is_asked() {
        for bad in ["", "720p,", "a b", "720p;ls", "-v"] {
            let parsed = Selection::parse(Some(bad), false);
            assert!(bad == "-v" || parsed.is_err_and(|f| f.kind() == Kind::Usage), "{bad}");
        }
        assert_eq!(Selection::parse(None, false).unwrap(), None);
    }

    fn servers() -> (RtmpUrl, RtspUrl) {
        ("rtmp://localhost:1935/live".parse().unwrap(), "rtsp://bob:pw@localhost:8554".parse().unwrap())
    }

    #[test]
    fn addresses_come_from_the_settings_and_hide_secrets() {
        let (rtmp, rtsp) = servers();
        let listing = listing();
        let stream = stream(&listing, "stream1", "live").unwrap();
        let target = target(stream, &stream.renditions[1], Servers { rtmp: &rtmp, rtsp: &rtsp }).unwrap();
        assert_eq!(target.rtmp.unwrap().url, "rtmp://localhost:1935/live/stream1_720p");
        let seen = target.rtsp.unwrap();
        assert_eq!(seen.url, "rtsp://bob:pw@localhost:8554/stream1_720p");
        assert_eq!(format!("{seen:?}"), "rtsp://***@localhost:8554/stream1_720p");
    }

    #[test]
    fn what_ours_publish_to_a_mediamtx_has_the_application_in_its_path() {
        let (rtmp, rtsp) = servers();
        let mut info = info("x", "720p", (0, 0), State::Live);
        info.name = "live/x_720p".into();
        let servers = Servers { rtmp: &rtmp, rtsp: &rtsp };
        let found = target(&made("x", vec![info.clone()]), &info, servers).unwrap();
        assert_eq!(found.rtmp.unwrap().url, "rtmp://localhost:1935/live/x_720p");
        assert_eq!(found.rtsp.unwrap().shown, "rtsp://***@localhost:8554/live/x_720p");
        // A name that merely looks like it.
        info.rtmp_url = "rtmp://localhost:1935/live/live/x_720p".into();
        assert!(target(&made("x", vec![info.clone()]), &info, servers).is_err());
    }

    #[test]
    fn foreign_names_and_applications() {
        let (rtmp, rtsp) = servers();
        let servers = Servers { rtmp: &rtmp, rtsp: &rtsp };
        let odd = |name: &str| {
            let mut info = info("x", "original", (0, 0), State::Live);
            info.name = name.into();
            target(&made("x", vec![info.clone()]), &info, servers).is_ok()
        };
        assert!(odd("my.stream"));
        for name in ["a b", "", "a/b", "a?b", "a#b", "%41", "é", "a\u{1b}[m", ":sout"] {
            assert!(!odd(name), "{name:?}");
        }
        let mut other = made("cam", vec![info("cam", "original", (0, 0), State::Live)]);
        other.application = "studio".into();
        other.renditions[0].rtmp_url = "rtmp://localhost:1935/studio/cam".into();
        let found = target(&other, &other.renditions[0], servers).unwrap();
        assert_eq!(
            (found.rtmp.unwrap().url.as_str(), found.rtsp),
            ("rtmp://localhost:1935/studio/cam", None)
        );
        other.renditions[0].rtmp_url = String::new();
        let direct = target(&other, &other.renditions[0], servers).unwrap();
        assert_eq!((direct.path.as_str(), direct.rtmp), ("studio/cam", None));
        assert_eq!(direct.rtsp.unwrap().shown, "rtsp://***@localhost:8554/studio/cam");
    }
}
