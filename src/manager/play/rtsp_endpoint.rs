//! What to say when the RTSP server will not play a path: "not configured", "not allowed" and "silent" are told apart
//! before a window opens.

use super::Target;
use crate::base::next::Advice;
use crate::base::{Failure, Kind};
use crate::config::{Environment, Settings};
use crate::manager::servers::mediamtx_advice::{Setting, advice};
use crate::status::rtsp_describe::{PATIENCE, Verdict};

/// The failure of a verdict that is not [`Verdict::Plays`]; kind Server.
pub fn failure(
    verdict: &Verdict,
    target: &Target,
    settings: &Settings,
    environment: &Environment,
) -> Failure {
    let server = settings.rtsp_url.to_string();
    let name = &target.path;
    let fail = |what: String| Failure::new(Kind::Server, what);
    let pulled = format!(
        "it is live on the RTMP server: MediaMTX has no path that pulls it from {}",
        settings.nginx_rtmp_url
    );
    let change = |setting| advice(setting, settings, environment);
    match verdict {
        Verdict::NoPath(404) => fail(format!("the RTSP server at {server} has no path {name}"))
            .why("it answers 404 Not Found")
            .why(pulled)
            .hint(change(Setting::Paths)),
        Verdict::NoPath(status) => fail(format!("the RTSP server at {server} does not get {name}"))
            .why(format!("it answers {status}: the path is not configured, or its source cannot be reached"))
            .why("MediaMTX 1.20 and later want the stream's name behind '#' in an RTMP source; with '/' it waits 10 s and gives up")
            .hint(change(Setting::Paths)),
        Verdict::Unauthorized if settings.rtsp_url.has_secrets() => {
            fail(format!("the RTSP server at {server} does not let this user read {name}"))
                .why("it answers 401 Unauthorized to the password in the address")
                .hint(change(Setting::Reading))
        }
        Verdict::Unauthorized => fail(format!("the RTSP server at {server} lets nobody read {name} without a password"))
            .why("it answers 401 Unauthorized")
            .hint(Advice::set("rtsp_url", format!("rtsp://USER:PASSWORD@{}:{}", settings.rtsp_url.host(), settings.rtsp_url.port())))
            .hint(change(Setting::Reading)),
        Verdict::Silent => fail(format!("the RTSP server at {server} says nothing"))
            .why("it takes the connection and does not answer within 3 s")
            .hint(Advice::Examine { fix: false }),
        Verdict::Held => fail(format!("the RTSP server at {server} does not get {name}"))
            .why(format!("it took the question and did not answer within {} s", PATIENCE.as_secs()))
            .hint(change(Setting::Paths)),
        Verdict::Foreign(words) => fail(format!("what listens at {server} does not speak RTSP"))
            .why(format!("it answers with {words}"))
            .hint(Advice::set("rtsp_url", "rtsp://HOST:8554")),
        Verdict::Unreachable(why) => fail(format!("no RTSP server answers at {server}"))
            .why(why.clone())
            .hint(Advice::StartServers),
        Verdict::Refused(0, why) => fail(format!("the RTSP server at {server} broke off about {name}")).why(why.clone()),
        Verdict::Refused(status, reason) => {
            fail(format!("the RTSP server at {server} refuses {name}")).why(format!("it answers {status} {reason}"))
        }
        Verdict::Plays => fail(format!("the RTSP server at {server} would play {name}")),
    }
    .hint(Advice::set("protocol", "rtmp"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;
    use crate::manager::play::Address;

    #[test]
    fn each_verdict_has_its_words() {
        let environment = Environment::made(&[], std::path::Path::new("/nowhere"));
        let settings = Settings::load(Layer::flags([]), &environment).unwrap();
        let address = Address { url: "rtmp://h/live/a".into(), shown: "rtmp://h/live/a".into() };
        let target = Target {
            key: "a".into(),
            label: "original".into(),
            path: "a".into(),
            rtmp: Some(address),
            rtsp: None,
            hls: None,
            whep: None,
            page: None,
        };
        let say = |verdict| {
            let failure = failure(&verdict, &target, &settings, &environment);
            assert_eq!(failure.kind(), Kind::Server);
            assert_eq!(failure.hints().last(), Some(&Advice::set("protocol", "rtmp").into()));
            crate::ui::failure_text::text(&failure)
        };
        assert!(
            say(Verdict::NoPath(404)).starts_with("the RTSP server at rtsp://localhost:8554 has no path a\n")
        );
        assert!(say(Verdict::NoPath(400)).contains("behind '#'"));
        assert!(say(Verdict::Unauthorized).contains("try: --rtsp-url rtsp://USER:PASSWORD@localhost:8554"));
        assert!(say(Verdict::Silent).contains("says nothing"));
        assert!(say(Verdict::Held).contains("within 13 s"));
        assert!(say(Verdict::Foreign("HTTP".into())).contains("does not speak RTSP"));
        assert!(say(Verdict::Unreachable("connection refused".into())).contains("try: msconv up"));
    }
}
