//! `up --backend docker` and `down` with a Docker that behaves as Docker does on other people's machines: absent, half
//! there, shut, slow, wrong. A real engine is tried by `scripts/test.sh --docker`.

use crate::stage::{Stage, wait_for};
use nix::sys::signal::Signal;
use std::net::TcpListener;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(40);

/// What a good Docker answers. The servers behind it are msconv's own, so that what `up` asks is answered for real.
const GOOD: &str = r#"
  "compose version --short") echo 2.29.1 ;;
  "version --format {{.Server.Version}}") echo 20.10.24 ;;
  *" config") printf 'services:\n  mediamtx:\n    image: some/image:1\n  grafana:\n    image: other/image:2\n' ;;
  "image inspect "*) exit 1 ;;
  "pull "*) echo "Pulling $2" ;;
  *" build"|*" build --force-rm") echo "Step 1/8 : FROM debian" ;;
  *" up --detach --no-build")
    : >"$FAKE/up"
    if ! [ -e "$FAKE/serve.pid" ]; then
      /usr/bin/setsid "$SERVER" serve --home "$FAKE" --listen 127.0.0.1 >"$FAKE/serve.out" 2>&1 3>&- &
      echo $! >"$FAKE/serve.pid"
      # Until it has left this group, it ends with it.
      while ! [ -s "$FAKE/serve.out" ]; do /bin/sleep 0.05; done
    fi ;;
  *" ps --all --quiet"*) if [ -e "$FAKE/up" ]; then echo 0123456789ab; echo 1123456789ab; echo 2123456789ab; fi ;;
  "ps --all --quiet"*) if [ -e "$FAKE/up" ]; then echo 0123456789ab; echo 1123456789ab; echo 2123456789ab; fi ;;
  "inspect "*)
    one() { printf '{"Id":"%s","State":{"Status":"%s","Running":%s,"Pid":%s,"StartedAt":"2026-11-21T12:00:00.123456789Z"%s},"Config":{"Labels":{"com.docker.compose.project":"p","com.docker.compose.service":"%s"}}}' "$@"; }
    printf '['; one 0123456789ab exited false 0 "" log-folders
    printf ','; one 1123456789ab running true 77 ',"Health":{"Status":"healthy"}' nginx-rtmp
    printf ','; one 2123456789ab running true 78 ',"Health":{"Status":"healthy"}' mediamtx
    printf ']' ;;
  "logs "*) echo "last words" ;;
  *" down"*)
    if [ -e "$FAKE/serve.pid" ]; then read -r pid <"$FAKE/serve.pid"; kill "$pid"; while kill -0 "$pid" 2>/dev/null; do /bin/sleep 0.05; done; fi
    /bin/rm -f "$FAKE/up" "$FAKE/serve.pid" ;;
"#;

/// A stage on whose PATH nothing but the given programs is.
fn stage(name: &str, programs: &[(&str, &str)]) -> Stage {
    let stage = Stage::new(name);
    let state = stage.file("fake");
    std::fs::create_dir_all(&state).unwrap();
    for (program, answers) in programs {
        stage.fake(
            program,
            &format!(
                "echo \"$*\" >>\"$FAKE/calls\"\ncase \"$*\" in\n{answers}\n{GOOD}\n  *) echo \"unknown: $*\" >&2; exit 1 ;;\nesac"
            ),
        );
    }
    std::fs::create_dir_all(stage.root().join("bin")).unwrap();
    stage.set("PATH", stage.root().join("bin").to_str().unwrap());
    stage.set("FAKE", state.to_str().unwrap());
    stage.set("SERVER", Stage::binary());
    stage.set("MSCONV_BACKEND", "docker");
    stage
}

fn calls(stage: &Stage) -> String {
    stage.read("fake/calls")
}

/// After a failed `up`: nothing of it runs, nothing of it stands there.
fn nothing_is_left(stage: &Stage) {
    assert!(!stage.file("pids/.docker").exists(), "the stack's folder is left");
    assert!(!stage.file("fake/up").exists(), "the containers are left");
    let left = stage.still_running();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_is_missing_is_named_with_the_way_to_get_it() {
    let none = stage("docker-none", &[]);
    none.msconv(&["up"])
        .expect(5)
        .says("docker is not installed")
        .says("  try: ")
        .says("msconv up --backend embedded");
    nothing_is_left(&none);

    let lone = ("docker", r#"compose*) echo "docker: 'compose' is not a docker command." >&2; exit 1 ;;"#);
    let half = stage("docker-no-compose", &[lone]);
    half.msconv(&["up"]).expect(5).says("docker is here, but compose is not").says("embedded");
    nothing_is_left(&half);

    let old = stage("docker-old-compose", &[lone, ("docker-compose", "version*) echo 1.25.0 ;;")]);
    old.msconv(&["up"]).expect(5).says("docker-compose is too old").says("1.25.0");
    nothing_is_left(&old);

    let json = none.msconv(&["up", "--json"]).expect(5);
    assert_eq!(json.json()["error"]["kind"], "missing", "{json}");
}

#[test]
fn an_engine_that_does_not_let_us_in_is_told_from_one_that_does_not_run() {
    for (name, words, sentence, step) in [
        (
            "docker-down",
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "the Docker engine does not run",
            "systemctl start docker",
        ),
        (
            "docker-rights",
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "this user may not speak to the Docker engine",
            "usermod -aG docker",
        ),
        (
            "docker-strange",
            "some \x1b[2Jnew kind of trouble",
            "the Docker engine does not answer",
            "embedded",
        ),
    ] {
        let answer = format!("\"version --format\"*) printf '%s\\n' '{words}' >&2; exit 1 ;;");
        let stage = stage(name, &[("docker", &answer)]);
        let run =
            stage.msconv(&["up"]).expect(6).says(sentence).says(step).says("msconv up --backend embedded");
        assert!(!run.stderr.contains('\x1b'), "{run}");
        nothing_is_left(&stage);
    }
}

#[test]
fn an_engine_that_hangs_is_given_up() {
    let stage = stage("docker-hang", &[("docker", "\"version --format\"*) exec /bin/sleep 600 ;;")]);
    stage.msconv(&["up"]).expect(6).says("had no answer within 10 s");
    nothing_is_left(&stage);
}

#[test]
fn a_busy_port_is_named_with_its_owner() {
    let stage = stage("docker-port", &[("docker", "")]);
    let _taken = TcpListener::bind(("127.0.0.1", stage.rtsp.number())).unwrap();
    let owner = format!("port {} is taken by it-", stage.rtsp.number());
    stage
        .msconv(&["up"])
        .expect(6)
        .says(&owner)
        .says(&format!("(pid {})", std::process::id()))
        .says("--rtsp-url");
    assert!(!calls(&stage).contains("build"), "nothing was built for a stack that cannot start");
    nothing_is_left(&stage);
}

#[test]
fn a_port_that_is_lost_in_a_race_is_named_as_well() {
    let words =
        "*\" up --detach\"*) echo 'Bind for 127.0.0.1:1 failed: port is already allocated' >&2; exit 1 ;;";
    let stage = stage("docker-race", &[("docker", words)]);
    stage.msconv(&["up"]).expect(6).says("port 1 is taken by");
    assert!(calls(&stage).contains(" down"), "{}", calls(&stage));
    nothing_is_left(&stage);
}

#[test]
fn a_failed_build_is_quoted_and_cleared_up() {
    let words = r#"*" build") /usr/bin/printf 'Step 2/8 : RUN \033[31mapt-get\033[0m\n'; echo "E: Unable to locate package nginx" >&2; exit 1 ;;"#;
    let stage = stage("docker-build", &[("docker", words)]);
    let run = stage
        .msconv(&["up"])
        .expect(6)
        .says("the images cannot be built")
        .says("why: E: Unable to locate package nginx")
        .says("    Step 2/8 : RUN");
    assert!(!run.stderr.contains('\x1b'), "{run}");
    nothing_is_left(&stage);
    // Quiet means quiet, but for the failure.
    let quiet = stage.msconv(&["up", "-q"]).expect(6);
    assert!(!quiet.stderr.contains("    Step"), "{quiet}");
}

/// Compose reads its files whatever it is asked, so the first question fails; what it is about is the files.
#[test]
fn a_stack_that_compose_does_not_understand_is_told_as_that() {
    let words = "validating docker-compose.yml: (root) Additional property servces is not allowed";
    let answer = format!("*\" ps --all --quiet\"*|*\" config\") echo '{words}' >&2; exit 15 ;;");
    let stage = stage("docker-broken", &[("docker", &answer)]);
    stage
        .msconv(&["up"])
        .expect(6)
        .says("compose does not understand the stack")
        .says(&format!("why: {words}"))
        .says("compose --ansi never")
        .says(" config    (in ");
    assert!(!calls(&stage).contains(" build"), "{}", calls(&stage));
    // Only the containers cannot be seen: then that is said.
    let answer = r#"*" ps --all --quiet"*) echo 'a new kind of trouble' >&2; exit 1 ;;"#;
    let unseen = self::stage("docker-unseen", &[("docker", answer)]);
    unseen
        .msconv(&["up"])
        .expect(6)
        .says("the containers of the stack cannot be seen")
        .says("why: a new kind of");
}

#[test]
fn a_build_that_floods_or_falls_silent_is_bounded() {
    let flood = "*\" build\") i=0; while [ $i -lt 20000 ]; do echo \"line $i\"; i=$((i+1)); done; exit 1 ;;";
    let loud = stage("docker-flood", &[("docker", flood)]);
    let run = loud.msconv(&["up"]).expect(6).says("line 19999");
    let shown = run.stderr.lines().filter(|line| line.starts_with("    line ")).count();
    assert!((100..5000).contains(&shown), "{shown} lines of 20000");

    let silent = stage("docker-silent", &[("docker", "*\" build\") echo begun; exec /bin/sleep 600 ;;")]);
    silent.msconv(&["up", "--timeout", "300ms"]).expect(6).says("said nothing for 10 s").says("begun");
    nothing_is_left(&silent);
}

#[test]
fn a_sick_container_is_quoted_and_taken_away() {
    let words = r#"
  "inspect "*)
    printf '[{"Id":"1123456789ab","State":{"Status":"running","Running":true,"Pid":77,"Health":{"Status":"unhealthy","Log":[{"Output":"/stat shows nothing\\n"}]}},"Config":{"Labels":{"com.docker.compose.project":"p","com.docker.compose.service":"nginx-rtmp"}}}]' ;;
  "logs "*) echo "nginx: [emerg] no such module" >&2 ;;
  *" up --detach"*) : >"$FAKE/up"; echo "dependency failed to start: container p-nginx-rtmp-1 is unhealthy" >&2; exit 1 ;;"#;
    let stage = stage("docker-sick", &[("docker", words)]);
    stage
        .msconv(&["up"])
        .expect(6)
        .says("nginx-rtmp is not healthy")
        .says("it said: nginx: [emerg] no such module")
        .says("its health check said: /stat shows nothing");
    nothing_is_left(&stage);
}

#[test]
fn a_container_between_two_attempts_is_quoted_too() {
    let words = r#"
  "inspect "*)
    printf '[{"Id":"1123456789ab","RestartCount":1,"State":{"Status":"restarting","Running":true,"Restarting":true,"Health":{"Status":"unhealthy"}},"Config":{"Labels":{"com.docker.compose.project":"p","com.docker.compose.service":"nginx-rtmp"}}}]' ;;
  "logs "*) echo "nginx: [emerg] unknown directive" >&2 ;;
  *" up --detach"*) : >"$FAKE/up"; echo 'ERROR: for mediamtx  Container "42a625a6923b" is unhealthy.' >&2; exit 1 ;;"#;
    let stage = stage("docker-restless", &[("docker", words)]);
    stage
        .msconv(&["up"])
        .expect(6)
        .says("nginx-rtmp does not become healthy")
        .says("it said: nginx: [emerg] unknown directive");
    nothing_is_left(&stage);
}

#[test]
fn a_stack_that_never_gets_well_is_given_up_in_time() {
    let words = r#"
  "inspect "*)
    printf '[{"Id":"1123456789ab","State":{"Status":"running","Running":true,"Pid":77,"Health":{"Status":"starting"}},"Config":{"Labels":{"com.docker.compose.project":"p","com.docker.compose.service":"nginx-rtmp"}}}]' ;;
  *" up --detach"*) : >"$FAKE/up" ;;"#;
    let stage = stage("docker-never", &[("docker", words)]);
    stage
        .msconv(&["up", "--timeout", "2s"])
        .expect(6)
        .says("did not become healthy within 2.0 s")
        .says("nginx-rtmp is still starting")
        .says("it said: last words");
    nothing_is_left(&stage);
}

#[test]
fn garbage_is_no_list_of_containers() {
    let words = "*\" up --detach\"*) : >\"$FAKE/up\" ;;\n\"inspect \"*) echo 'ou7o1 \u{202e}{{{[[' ;;";
    let stage = stage("docker-garbage", &[("docker", words)]);
    let run = stage.msconv(&["up"]).expect(6).says("no list of containers");
    assert!(!run.stderr.contains('\u{202e}'), "{run}");
    nothing_is_left(&stage);
}

#[test]
fn an_image_that_cannot_be_fetched_is_named() {
    let words = "\"pull \"*) echo 'Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host' >&2; exit 1 ;;";
    let stage = stage("docker-pull", &[("docker", words)]);
    stage.msconv(&["up"]).expect(6).says("the registry does not answer").says("no such host");
    let calls = calls(&stage);
    assert!(calls.contains("pull some/image:1"), "{calls}");
    assert!(!calls.contains("other/image"), "an image of a profile that nobody asked for: {calls}");
    nothing_is_left(&stage);
}

#[test]
fn ctrl_c_ends_what_was_begun() {
    let stage = stage("docker-interrupt", &[("docker", "*\" build\") echo begun; exec /bin/sleep 600 ;;")]);
    let up = stage.spawn_msconv(&["up"]);
    wait_for("the build", SOON, || calls(&stage).contains("build"));
    up.signal(Signal::SIGINT);
    up.wait(SOON).expect(130);
    assert!(calls(&stage).contains(" down"), "{}", calls(&stage));
    nothing_is_left(&stage);
}

#[test]
fn what_the_stack_cannot_follow_is_a_usage_error_before_anything_is_asked() {
    let stage = stage("docker-usage", &[("docker", "")]);
    for (flags, words) in [
        (&["--listen", "everywhere"][..], "'everywhere'"),
        (&["--nginx-rtmp-url", "rtmp://localhost:1935/show"][..], "the application live"),
        (&["--nginx-rtmp-url", "rtmp://media.example/live"][..], "names another one"),
        (&["--monitoring"][..], "built from msconv's own project"),
        (&["--backend", "embedded", "--monitoring"][..], "part of the docker backend"),
        (&["--backend", "podman"][..], "embedded, native, docker"),
    ] {
        stage.msconv(&[&["up"], flags].concat()).expect(2).says(words);
    }
    stage.set("MSCONV_LISTEN", "999.1.1.1");
    stage.msconv(&["up"]).expect(2).says("999.1.1.1");
    assert!(!stage.file("fake/calls").exists());
}

#[test]
fn up_status_and_down() {
    let stage = stage("docker-good", &[("docker", "")]);
    let up = stage.msconv(&["up", "--json"]).expect(0);
    let servers = &up.json()["servers"];
    assert_eq!(up.json()["backend"], "docker", "{up}");
    assert_eq!((&servers[0]["name"], &servers[1]["name"]), (&"nginx".into(), &"mediamtx".into()), "{up}");
    assert_eq!((&servers[0]["pid"], &servers[0]["started"]), (&77.into(), &true.into()), "{up}");
    stage.msconv(&["up"]).expect(0).prints("nginx was up already");

    let status = stage.msconv(&["status", "--json"]).expect(0);
    assert_eq!(status.json()["servers"][1]["running"], true, "{status}");
    // One backend serves a home at a time.
    stage.msconv(&["up", "--backend", "embedded"]).expect(8).says("of another backend");

    // Whatever the settings say now.
    stage.set("MSCONV_BACKEND", "embedded");
    stage
        .msconv(&["down", "--volumes"])
        .expect(0)
        .prints("nginx (pid 77): stopped")
        .prints("MediaMTX (pid 78)");
    assert!(calls(&stage).lines().any(|line| line.ends_with(" down --volumes")), "{}", calls(&stage));
    assert_eq!(stage.msconv(&["status", "--json"]).expect(0).json()["servers"], serde_json::json!([]));
    stage.msconv(&["down"]).expect(0).prints("no servers of this home were running");
    nothing_is_left(&stage);
}

#[test]
fn a_stack_that_cannot_be_ended_is_not_called_ended() {
    let stage = stage("docker-gone", &[("docker", "")]);
    stage.msconv(&["up"]).expect(0);
    let binary = stage.root().join("bin/docker");
    let aside = stage.root().join("docker.aside");
    std::fs::rename(&binary, &aside).unwrap();
    stage.msconv(&["down"]).expect(5).says("the stack cannot be ended: docker is not installed");
    assert!(stage.file("pids/.docker/stack.json").exists());
    std::fs::rename(&aside, &binary).unwrap();
    stage.msconv(&["down"]).expect(0);
    nothing_is_left(&stage);
}

#[test]
fn doctor_looks_at_docker() {
    let good = stage("docker-doctor", &[("docker", "")]);
    let run = good.msconv(&["doctor", "--json"]);
    let checks = run.json();
    let of = |name: &str| {
        let found = checks["checks"].as_array().unwrap().iter().find(|c| c["name"] == name).cloned();
        found.unwrap_or_else(|| panic!("no {name}: {run}"))
    };
    assert_eq!(of("docker")["status"], "ok");
    assert!(of("docker")["detail"].as_str().unwrap().contains("engine 20.10.24"), "{run}");
    let none = stage("docker-doctor-none", &[]);
    let run = none.msconv(&["doctor"]).expect(5);
    assert!(run.stdout.contains("docker is not installed"), "{run}");
}
