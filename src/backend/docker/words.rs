//! What Docker's and compose's own words mean. Pure but for one question: who has a port.

use crate::base::next::Advice;
use crate::base::printable::bounded;
use crate::base::{Failure, Kind};
use crate::process::listener::listener;

/// Lines of a failed step that are quoted.
const QUOTED: usize = 6;

/// The failure behind these words, if they are of a kind that has a better sentence and a next step of its own.
pub fn known(words: &str) -> Option<Failure> {
    let lower = words.to_lowercase();
    let has = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
    let server = |what: &str| Failure::new(Kind::Server, what);
    if has(&["permission denied"]) && has(&["docker.sock", "daemon socket", "docker daemon", "docker api"]) {
        return Some(
            server("this user may not speak to the Docker engine")
                .why(quoted(words, &["permission denied"]))
                .hint("sudo usermod -aG docker \"$USER\"    (then log in anew; that group may do anything on this machine)"),
        );
    }
    let down = [
        "cannot connect to the docker daemon",
        "couldn't connect to docker daemon",
        "is the docker daemon running",
        "failed to connect to the docker api",
        "error while fetching server api version",
        "error during connect",
    ];
    if has(&down) {
        return Some(
            server("the Docker engine does not run")
                .why(quoted(words, &down))
                .hint("sudo systemctl start docker    (or: sudo service docker start)"),
        );
    }
    let busy = ["port is already allocated", "address already in use", "ports are not available"];
    if has(&busy) {
        let line = quoted(words, &busy);
        return Some(match port(&line) {
            Some(port) => {
                let owner = listener(port).map_or("another program".to_string(), |who| who.to_string());
                server(&format!("the stack cannot start: port {port} is taken by {owner}"))
                    .why(line)
                    .hint("end that program")
                    .hint(format!("{} with another port", flag(port)))
            }
            None => {
                server("the stack cannot start: a port is taken").why(line).hint("docker ps    (who has it)")
            }
        });
    }
    if has(&["cannot assign requested address"]) {
        return Some(
            Failure::usage("the stack cannot listen there: it is no address of this machine")
                .why(quoted(words, &["cannot assign requested address"]))
                .hint(Advice::change(
                    "listen",
                    "127.0.0.1 (this machine alone), or 0.0.0.0 (all its networks)",
                )),
        );
    }
    // The engine's words, and those of docker-compose 1.29.
    let subnet = ["invalid subnet", "invalid cidr", "should use the cidr format"];
    if has(&subnet) {
        return Some(
            Failure::usage("MSCONV_SUBNET is no network")
                .why(quoted(words, &subnet))
                .hint("MSCONV_SUBNET=10.193.86.0/24, or leave it alone"),
        );
    }
    let overlap = ["pool overlaps", "invalid pool request", "networks have overlapping"];
    if has(&overlap) {
        return Some(
            server("the stack's network clashes with another one").why(quoted(words, &overlap)).hint(
                Advice::StartBackend {
                    backend: "docker".into(),
                    monitoring: false,
                    with: Some(("MSCONV_SUBNET".into(), "10.193.86.0/24".into())),
                }
                .behind("or any network that is free here"),
            ),
        );
    }
    if has(&["rlimit"]) && has(&["operation not permitted"]) {
        return Some(
            server("the Docker engine may not raise the limit of open files as far as the stack asks")
                .why(quoted(words, &["rlimit"]))
                .hint(
                    Advice::StartBackend {
                        backend: "docker".into(),
                        monitoring: false,
                        with: Some(("MSCONV_OPEN_FILES".into(), "4096".into())),
                    }
                    .behind("what `ulimit -Hn` says of the engine is the most"),
                ),
        );
    }
    if has(&["no space left on device"]) {
        return Some(
            server("the disk of the Docker engine is full")
                .why(quoted(words, &["no space left on device"]))
                .hint("docker system df    (what takes the room; docker system prune clears it)"),
        );
    }
    if has(&["toomanyrequests", "rate limit"]) {
        return Some(
            server("the registry gives out no more images for now")
                .why(quoted(words, &["toomanyrequests", "rate limit"]))
                .hint("docker login, or wait some hours"),
        );
    }
    let absent = ["manifest unknown", "pull access denied", "manifest for"];
    if has(&absent) {
        return Some(server("the registry does not have an image of the stack").why(quoted(words, &absent)));
    }
    let registry = [
        "registry-1.docker.io",
        "auth.docker.io",
        "failed to resolve source metadata",
        "error pulling image",
    ];
    if has(&registry) {
        return Some(
            server("the images cannot be fetched: the registry does not answer")
                .why(quoted(words, &registry))
                .hint("check the network, or the proxy of the Docker engine"),
        );
    }
    None
}

/// The failure of a step that ended badly: `what`, in better words where they are known, otherwise with its last lines.
pub fn failed(what: &str, lines: &[String]) -> Failure {
    if let Some(failure) = known(&lines.join("\n")) {
        return failure;
    }
    let telling: Vec<String> = lines.iter().filter(|line| !is_frame(line)).cloned().collect();
    last(if last(&telling, 1).is_empty() { lines } else { &telling }, QUOTED)
        .into_iter()
        .fold(Failure::new(Kind::Server, what), |failure, line| failure.why(bounded(&line, 300)))
}

/// Whether a line is only the frame around what went wrong. BuildKit shows the last words of a failed step once more, in a
/// frame of dashes, below its command and sometimes above the Dockerfile's lines; compose tells of each container.
fn is_frame(line: &str) -> bool {
    let line = line.trim();
    let numbered = |text: &str, mark: &str| {
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.len() < text.len() && rest.starts_with(mark)
    };
    let dashes = line.len() > 3 && line.bytes().all(|b| b == b'-');
    let step = line.strip_prefix('#').is_some_and(|rest| numbered(rest, " "));
    let listing =
        numbered(line, " |") || line.rsplit_once("Dockerfile:").is_some_and(|(_, n)| numbered(n, ""));
    let mut words = line.split_whitespace();
    let part =
        ["Container", "Network", "Volume", "Service", "Image"].contains(&words.next().unwrap_or_default());
    let told = part
        && words.nth(1).is_some_and(|word| word.ends_with("ing") || word.ends_with('d'))
        && words.next().is_none();
    dashes || step || listing || told || line.starts_with("> [")
}

/// The last lines that say something; what is said several times in a row counts once.
pub fn last(lines: &[String], most: usize) -> Vec<String> {
    let mut said: Vec<&str> = lines.iter().map(|l| l.trim()).filter(|l| !l.is_empty()).collect();
    said.dedup();
    said.iter().skip(said.len().saturating_sub(most)).map(ToString::to_string).collect()
}

/// The first line with one of the signs.
fn quoted(words: &str, signs: &[&str]) -> String {
    let line = words
        .lines()
        .find(|line| {
            let lower = line.to_lowercase();
            signs.iter().any(|sign| lower.contains(sign))
        })
        .unwrap_or_default();
    bounded(line.trim(), 400)
}

/// The port in `Bind for 127.0.0.1:1935 failed: port is already allocated` and its kin.
fn port(line: &str) -> Option<u16> {
    let digits = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text.get(..end)?.parse::<u16>().ok().filter(|port| *port != 0)
    };
    let signs = ["listen tcp4 ", "listen tcp6 ", "listen tcp ", "exposing port TCP ", "Bind for "];
    signs.iter().find_map(|sign| {
        let (_, rest) = line.split_once(sign)?;
        let word = rest.split_whitespace().next()?.trim_end_matches(':');
        // `0.0.0.0:1935`, `[::1]:1935`, also `127.0.0.1:1935->127.0.0.1:0`.
        let address = word.split("->").next()?;
        digits(address.rsplit_once(':')?.1)
    })
}

/// The flag that moves one of the usual ports.
fn flag(port: u16) -> &'static str {
    match port {
        8080 => "--nginx-stat-url http://localhost:PORT/stat",
        8554 => "--rtsp-url rtsp://localhost:PORT",
        9997 => "--mediamtx-url http://localhost:PORT",
        9998 => "MSCONV_METRICS_PORT",
        _ => "--nginx-rtmp-url rtmp://localhost:PORT/live",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Words of real clients and engines: 20.10, 24, 28; compose 1.29 and 2.
    #[test]
    fn knows_the_words_of_real_programs() {
        for (words, kind, sentence) in [
            (
                "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: \
                 Get \"http://%2Fvar%2Frun%2Fdocker.sock/v1.24/version\": dial unix /var/run/docker.sock: connect: permission denied",
                Kind::Server,
                "this user may not speak to the Docker engine",
            ),
            (
                "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
                Kind::Server,
                "this user may not speak to the Docker engine",
            ),
            (
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
                Kind::Server,
                "the Docker engine does not run",
            ),
            (
                "docker.errors.DockerException: Error while fetching server API version: ('Connection aborted.', FileNotFoundError(2))",
                Kind::Server,
                "the Docker engine does not run",
            ),
            (
                "ERROR: for nginx-rtmp  Cannot start service nginx-rtmp: driver failed programming external connectivity on \
                 endpoint x_nginx-rtmp_1 (0a): Bind for 127.0.0.1:1 failed: port is already allocated",
                Kind::Server,
                "port 1 is taken by",
            ),
            (
                "Error starting userland proxy: listen tcp4 127.0.0.1:1: bind: address already in use",
                Kind::Server,
                "port 1 is taken by",
            ),
            (
                "Error response from daemon: driver failed programming external connectivity on endpoint a: Error starting \
                 userland proxy: listen tcp4 10.9.9.9:1935: bind: cannot assign requested address",
                Kind::Usage,
                "it is no address of this machine",
            ),
            (
                "ERROR: Pool overlaps with other one on this address space",
                Kind::Server,
                "the stack's network clashes with another one",
            ),
            (
                "failed to create network p_default: Error response from daemon: Invalid subnet nonsense : invalid CIDR \
                 address: nonsense",
                Kind::Usage,
                "MSCONV_SUBNET is no network",
            ),
            (
                "The Compose file './docker-compose.yml' is invalid because:\n\
                 networks.default.ipam.config.subnet is invalid: should use the CIDR format",
                Kind::Usage,
                "MSCONV_SUBNET is no network",
            ),
            (
                "error during container init: error setting rlimits for ready process: error setting rlimit type 7: \
                 operation not permitted: unknown",
                Kind::Server,
                "may not raise the limit of open files",
            ),
            (
                "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host",
                Kind::Server,
                "the registry does not answer",
            ),
            (
                "manifest for bluenviron/mediamtx:0.0.0 not found: manifest unknown: manifest unknown",
                Kind::Server,
                "the registry does not have an image",
            ),
            ("write /var/lib/docker/tmp/x: no space left on device", Kind::Server, "is full"),
        ] {
            let failure = known(words).unwrap_or_else(|| panic!("unknown: {words}"));
            assert_eq!(failure.kind(), kind, "{failure}");
            assert!(failure.what().contains(sentence), "{failure}");
            assert!(failure.reasons().iter().all(|why| !why.is_empty()), "{failure}");
        }
        assert_eq!(known("The command '/bin/sh -c apt-get update' returned a non-zero code: 100"), None);
    }

    #[test]
    fn what_is_not_known_is_quoted_from_its_end() {
        let lines: Vec<String> = (1..20).map(|n| format!("line {n}")).chain([String::new()]).collect();
        let failure = failed("the images cannot be built", &lines);
        assert_eq!(failure.reasons().first().map(String::as_str), Some("line 14"));
        assert_eq!(failure.reasons().last().map(String::as_str), Some("line 19"));
    }

    /// The end of a failed build by compose 2.32 and BuildKit, and by the classic builder; and that of a failed start.
    #[test]
    fn the_frame_around_a_failure_is_left_out() {
        let quoted = |text: &str| {
            let lines: Vec<String> = text.lines().map(str::to_string).collect();
            failed("it failed", &lines).reasons().to_vec()
        };
        let build = "#6 [log-folders 2/5] RUN apt-get update     && apt-get install -y nosuchpackage\n\
                     #6 4.951 E: Unable to locate package nosuchpackage\n\
                     #6 ERROR: executor failed running [/bin/sh -c apt-get update]: exit code: 100\n\
                     ------\n > [log-folders 2/5] RUN apt-get update     && apt-get install -y nosuchpackage:\n\
                     4.951 E: Unable to locate package nosuchpackage\n------\n\
                     Dockerfile:6\n--------------------\n   5 |     # hadolint ignore=DL3008\n   6 | >>> RUN apt-get update \\\n\
                     --------------------\n\
                     failed to solve: executor failed running [/bin/sh -c apt-get update]: exit code: 100";
        assert_eq!(
            quoted(build),
            [
                "4.951 E: Unable to locate package nosuchpackage",
                "failed to solve: executor failed running [/bin/sh -c apt-get update]: exit code: 100"
            ]
        );
        let start = " Container p-nginx-rtmp-1  Starting\n Container p-nginx-rtmp-1  Started\n Network p_default  Error\nsome trouble";
        assert_eq!(quoted(start), ["Network p_default  Error", "some trouble"]);
        // Nothing but a frame is better than nothing.
        assert_eq!(quoted("#1 DONE 0.0s\n Container a  Started"), ["#1 DONE 0.0s", "Container a  Started"]);
        assert_eq!(quoted("ERR: unknown field\nERR: unknown field"), ["ERR: unknown field"]);
    }

    #[test]
    fn finds_the_port() {
        for (line, expected) in [
            ("Bind for 0.0.0.0:8554 failed: port is already allocated", Some(8554)),
            ("listen tcp6 [::1]:8080: bind: address already in use", Some(8080)),
            ("exposing port TCP 127.0.0.1:9997 -> 0.0.0.0:0: listen tcp 127.0.0.1:9997: bind:", Some(9997)),
            ("Bind for nothing", None),
            ("listen tcp4 1.2.3.4:99999: bind", None),
        ] {
            assert_eq!(port(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_words_are_known_or_not(words in "\\PC{0,200}", sign in 0usize..4) {
            let sign = ["Bind for ", "listen tcp4 :", "address already in use", "permission denied docker.sock"][sign];
            let _ = known(&format!("{words}{sign}{words}"));
            let _ = port(&format!("{sign}{words}"));
        }
    }
}
