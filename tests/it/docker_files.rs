//! The files of the docker stack, without an engine: what compose makes of them, what Debian's nginx makes of nginx.conf,
//! whether MediaMTX's configuration has keys that its version knows, and that the log files stay small.

use crate::stage::{Stage, http_get, needs, wait_for};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// docker-compose with these variables and nothing of ours: exit code, stdout, stderr.
fn compose(variables: &[(&str, &str)], args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new("docker-compose");
    command.args(args).current_dir(root()).env_clear().envs(variables.iter().copied());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LANG", "C.UTF-8");
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// The lines of one service in what `config` prints.
fn service(config: &str, name: &str) -> String {
    let (_, rest) =
        config.split_once(&format!("\n  {name}:\n")).unwrap_or_else(|| panic!("no {name} in {config}"));
    rest.lines()
        .take_while(|line| line.starts_with("    "))
        .map(|line| format!("{}\n", line.trim()))
        .collect()
}

#[test]
fn compose_understands_the_stack() {
    if !needs("docker-compose") {
        return;
    }
    let (code, config, stderr) = compose(&[], &["config"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "a stack without a word of complaint");
    for name in
        ["nginx-rtmp", "mediamtx", "exporter", "prometheus", "node-exporter", "grafana", "log-folders"]
    {
        let service = service(&config, name);
        for line in [
            "read_only: true",
            "- no-new-privileges:true",
            "- ALL",
            "stack: 134217728",
            "nofile: 65536",
            "max-size: 10m",
            "max-file: '3'",
        ] {
            assert!(service.lines().any(|l| l == line), "{name} lacks {line}:\n{service}");
        }
        let restart = if name == "log-folders" { "\"no\"" } else { "unless-stopped" };
        assert!(service.contains(&format!("restart: {restart}")), "{name}: {service}");
        assert!(!service.contains("privileged") && !service.contains("docker.sock"), "{name}: {service}");
        let image = service.lines().find_map(|l| l.strip_prefix("image: "));
        assert!(
            image.is_none_or(|i| i.contains(':') && !i.ends_with(":latest")),
            "{name} is not pinned: {image:?}"
        );
        if name != "log-folders" {
            assert!(service.contains("healthcheck:"), "{name} has no health check");
            assert!(!service.contains("cap_add:"), "{name} has a capability");
        }
    }
    let ports: Vec<&str> = config.lines().map(str::trim).filter(|l| l.ends_with("/tcp")).collect();
    assert_eq!(ports.len(), 13, "{ports:?}");
    assert!(ports.iter().all(|p| p.starts_with("- 127.0.0.1:")), "{ports:?}");
}

#[test]
fn addresses_follow_their_variables_and_wrong_ones_are_refused() {
    if !needs("docker-compose") {
        return;
    }
    let (code, config, _) =
        compose(&[("MSCONV_LISTEN", "0.0.0.0"), ("MSCONV_RTMP_PORT", "1936")], &["config"]);
    assert_eq!(code, 0);
    let ports: Vec<&str> = config.lines().map(str::trim).filter(|l| l.ends_with("/tcp")).collect();
    for port in ["- 0.0.0.0:1936:1935/tcp", "- 0.0.0.0:8554:8554/tcp"] {
        assert!(ports.contains(&port), "{ports:?}");
    }
    // What could change the servers, or shows who watches, stays on this machine; so does all monitoring.
    assert_eq!(ports.iter().filter(|p| p.starts_with("- 127.0.0.1:")).count(), 6, "{ports:?}");
    let (_, config, _) = compose(&[("MSCONV_LISTEN", "")], &["config"]);
    assert!(config.contains("127.0.0.1:1935:1935/tcp"), "an empty value is none");
    for (variable, value) in
        [("MSCONV_LISTEN", "everywhere"), ("MSCONV_RTMP_PORT", "many"), ("MSCONV_OPEN_FILES", "all")]
    {
        let (code, _, stderr) = compose(&[(variable, value)], &["config"]);
        assert_eq!(code, 1, "{variable}={value}: {stderr}");
    }
}

/// The compose plugin with these variables and nothing of ours, if there is one: `MSCONV_TEST_COMPOSE`, or the system's.
fn plugin(variables: &[(&str, &str)], args: &[&str]) -> Option<(i32, String, String)> {
    let run = |program: &str, before: &[&str], args: &[&str]| {
        let mut command = Command::new(program);
        command.args(before).args(args).current_dir(root()).env_clear().envs(variables.iter().copied());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LANG", "C.UTF-8");
        command.output().ok()
    };
    let output = match std::env::var("MSCONV_TEST_COMPOSE") {
        Ok(program) if !program.is_empty() => run(&program, &[], args).expect("MSCONV_TEST_COMPOSE starts"),
        _ if run("docker", &["compose"], &["version"]).is_some_and(|o| o.status.success()) => {
            run("docker", &["compose"], args)?
        }
        _ => {
            eprintln!("skipped: MSCONV_TEST_COMPOSE names no compose plugin, and the system has none");
            return None;
        }
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr)))
}

#[test]
fn the_plugin_understands_the_stack_as_docker_compose_does() {
    let args = ["--profile", "monitoring", "config", "--format", "json"];
    let Some((code, config, stderr)) = plugin(&[], &args) else { return };
    assert_eq!((code, stderr.as_str()), (0, ""), "a stack without a word of complaint");
    let config: Value = serde_json::from_str(&config).unwrap();
    let services = config["services"].as_object().unwrap();
    assert_eq!(services.len(), 7, "{services:?}");
    for (name, service) in services {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], serde_json::json!(["no-new-privileges:true"]), "{name}");
        assert_eq!(service["ulimits"]["nofile"], 65536, "{name}");
        assert_eq!(service["ulimits"]["stack"], 134_217_728, "{name}");
        assert_eq!(service["logging"]["options"]["max-size"], "10m", "{name}");
        assert_eq!(service["healthcheck"].is_null(), name == "log-folders", "{name}");
        for port in service["ports"].as_array().into_iter().flatten() {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name}: {port}");
        }
    }
    let before = &config["services"]["nginx-rtmp"]["depends_on"]["log-folders"];
    assert_eq!(before["condition"], "service_completed_successfully");
    // Without the profile, what `up` takes apart to know which images to fetch.
    let (_, plain, _) = plugin(&[], &["config"]).unwrap();
    let images: Vec<&str> = plain.lines().filter_map(|l| l.strip_prefix("    image: ")).collect();
    assert!(matches!(images[..], [one] if one.starts_with("bluenviron/mediamtx:")), "{images:?}");

    let wrong = [("MSCONV_RTMP_PORT", "many"), ("MSCONV_OPEN_FILES", "all")];
    for (variable, value) in wrong {
        let (code, _, stderr) = plugin(&[(variable, value)], &["config"]).unwrap();
        assert!(code != 0 && stderr.contains(value), "{variable}={value}: {code} {stderr}");
    }
}

#[test]
fn the_stack_fits_the_specification_of_compose() {
    if !needs("check-jsonschema") {
        return;
    }
    let output = Command::new("check-jsonschema")
        .args(["--builtin-schema", "vendor.compose-spec", "docker-compose.yml"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn dockerfiles_are_clean() {
    if !needs("hadolint") {
        return;
    }
    let engine =
        ["asking", "ffmpeg", "grafana", "mediamtx", "mediamtx-built", "node-exporter", "prometheus", "rust"];
    let output = Command::new("hadolint")
        .args(["docker/nginx-rtmp/Dockerfile", "docker/msconv/Dockerfile"])
        .args(engine.iter().map(|name| format!("tests/docker/{name}/Dockerfile")))
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_image_of_msconv_is_built_from_what_the_build_needs() {
    let ignored = read(".dockerignore");
    let wanted: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for folder in
        ["src", "benches", "web", "build.rs", "Cargo.toml", "Cargo.lock", "docker", "docker-compose.yml"]
    {
        assert!(wanted.contains(&folder), "{folder} is not sent to the build");
    }
    let rust = read("Cargo.toml")
        .lines()
        .find_map(|l| l.strip_prefix("rust-version = ").map(str::to_string))
        .unwrap();
    let image = format!("FROM rust:{}-slim-bookworm", rust.trim_matches('"'));
    assert!(
        read("docker/msconv/Dockerfile").contains(&image),
        "the image builds with the Rust that is promised"
    );
    // The pages are built in the image, from what npm gives there.
    assert!(read("docker/msconv/Dockerfile").contains("COPY --from=pages /web/dist web/dist"));
    assert!(ignored.lines().any(|line| line == "web/dist"), "what was built elsewhere is not sent");
}

/// Every key that stands in a MediaMTX configuration, as `paths.source` for what is below another; the names of paths
/// and places in lists are left out.
fn keys(yaml: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut above: Vec<(usize, String)> = Vec::new();
    for line in yaml.lines() {
        let text = line.trim_start_matches(' ').trim_start_matches("- ");
        if text.starts_with('#') || text.starts_with('"') {
            continue;
        }
        let Some((key, _)) = text.split_once(':') else { continue };
        let depth = line.len() - line.trim_start_matches(' ').trim_start_matches("- ").len();
        above.retain(|(other, _)| *other < depth);
        let path: Vec<&str> = above.iter().map(|(_, k)| k.as_str()).chain([key]).collect();
        found.insert(path.join("."));
        above.push((depth, key.to_string()));
    }
    found
}

#[test]
fn mediamtx_knows_every_key() {
    let ours = keys(&read("docker/mediamtx.yml"));
    assert!(
        ours.contains("authInternalUsers.permissions.action") && ours.contains("paths.sourceOnDemand"),
        "{ours:?}"
    );
    // What 1.20.1 was seen to start with, and what it says itself of each path.
    let mut known = keys(&read("tests/data/mediamtx/mediamtx-1.20.1-pull-on-demand.yml"));
    let recorded: Value = serde_json::from_str(&read("tests/data/mediamtx/config-paths-list.json")).unwrap();
    for key in recorded["items"][0].as_object().unwrap().keys() {
        known.insert(format!("paths.{key}"));
        known.insert(format!("pathDefaults.{key}"));
    }
    // From the file that comes with 1.20.1, which was not run with them.
    known.extend(read("tests/data/mediamtx/1.20.1-other-keys.txt").lines().map(str::to_string));
    let unknown: Vec<_> = ours.iter().filter(|key| !known.contains(*key)).collect();
    assert!(unknown.is_empty(), "MediaMTX refuses to start over {unknown:?}");
    // The variable by which compose lets the stack's network ask the API means the entry that has the API.
    let yaml = read("docker/mediamtx.yml");
    let entries: Vec<&str> = yaml.split("  - user:").skip(1).collect();
    assert_eq!(entries.len(), 2);
    assert!(!entries[0].contains("action: api") && entries[1].contains("action: api"));
    assert!(read("docker-compose.yml").contains("MTX_AUTHINTERNALUSERS_1_IPS:"));
    assert!(!yaml.contains("action: publish"), "nobody publishes to MediaMTX");
}

/// nginx.conf as the container has it, moved to free ports and a folder of the test.
fn adapted(stage: &Stage, folder: &Path) -> PathBuf {
    let module = crate::stage::module().unwrap();
    let text = read("docker/nginx-rtmp/nginx.conf")
        // First, since the test's own folder may be below it.
        .replace("/tmp/", &format!("{}/", folder.join("tmp").display()))
        .replace("/usr/lib/nginx/modules/ngx_rtmp_module.so", module.to_str().unwrap())
        .replace("listen 1935;", &format!("listen 127.0.0.1:{};", stage.rtmp.number()))
        .replace("listen 8080;", &format!("listen 127.0.0.1:{};", stage.stat.number()))
        // So that another address of loopback can play the stranger.
        .replace("allow 127.0.0.0/8;", "allow 127.0.0.1;")
        .replace("/logs/nginx", folder.join("logs").to_str().unwrap());
    let path = folder.join("nginx.conf");
    std::fs::write(&path, text).unwrap();
    path
}

/// The status of /stat for a client with this address.
fn status_for(from: &str, port: u16) -> u16 {
    use std::io::{Read, Write};
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::new(from.parse().unwrap(), 0).into()).unwrap();
    socket.connect(&std::net::SocketAddr::from(([127, 0, 0, 1], port)).into()).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let mut stream = std::net::TcpStream::from(socket);
    stream.write_all(b"GET /stat HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn debians_nginx_serves_what_the_configuration_says() {
    if !needs("nginx-rtmp") || !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("docker-nginx");
    let folder = stage.root().join("container");
    for part in ["logs", "tmp"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
    }
    // Root would make workers of another user, which has no place in a folder of root's.
    let own = format!("user {};", nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name);
    let conf = adapted(&stage, &folder);
    let log = folder.join("logs/error.log");
    let nginx = msconv::process::locate::locate(None, "nginx").unwrap();
    let mut args = vec!["-e".into(), log.display().to_string(), "-c".into(), conf.display().to_string()];
    if nix::unistd::geteuid().is_root() {
        args.extend(["-g".to_string(), own]);
    }
    std::fs::write(folder.join("tmp/allow.conf"), "allow 127.0.0.3;\n").unwrap();
    let server = stage.spawn(&nginx, &args);
    wait_for("nginx", SOON, || http_get(stage.stat.number(), "/stat").is_ok_and(|(code, _)| code == 200));
    assert_eq!(http_get(stage.stat.number(), "/").unwrap().0, 404);
    assert_eq!(http_get(stage.stat.number(), "/control/drop/publisher").unwrap().0, 404);

    let url = format!("rtmp://127.0.0.1:{}/live/film", stage.rtmp.number());
    let args =
        ["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25", "-t", "20"];
    let to = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-f", "flv", &url];
    let publisher = stage.spawn("ffmpeg", &[&args[..], &to[..]].concat());
    wait_for("the stream in /stat", SOON, || {
        http_get(stage.stat.number(), "/stat").is_ok_and(|(_, page)| page.contains("<name>film</name>"))
    });
    for (from, code) in [("127.0.0.1", 200), ("127.0.0.3", 200), ("127.0.0.2", 403)] {
        assert_eq!(status_for(from, stage.stat.number()), code, "{from}");
    }
    let notes = std::fs::read_to_string(&log).unwrap();
    for grave in ["[emerg]", "[alert]", "[crit]"] {
        assert!(!notes.contains(grave), "{notes}");
    }
    wait_for("the access log", SOON, || {
        std::fs::read_to_string(folder.join("logs/http.log"))
            .is_ok_and(|text| text.contains("/control/drop/publisher 404"))
    });
    for program in [publisher, server] {
        program.signal(nix::sys::signal::Signal::SIGTERM);
        program.wait(SOON);
    }
}

#[test]
fn log_files_stay_small() {
    let stage = Stage::new("docker-logs");
    let folder = stage.root().join("logs");
    std::fs::create_dir_all(&folder).unwrap();
    let elsewhere = stage.root().join("elsewhere.log");
    std::fs::write(&elsewhere, "x".repeat(5000)).unwrap();
    std::os::unix::fs::symlink(&elsewhere, folder.join("link.log")).unwrap();
    stage.set("LOG_MOST", "1000");
    stage.set("LOG_LOOK", "0.1");
    let script = root().join("docker/nginx-rtmp/keep-small");
    let mut keeper = stage.spawn(&script, &[folder.to_str().unwrap()]);
    let log = folder.join("error.log");
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
    for round in 1..=4 {
        use std::io::Write;
        for _ in 0..30 {
            writeln!(file, "{round} {}", "x".repeat(60)).unwrap();
        }
        // The writer keeps its descriptor, as nginx and MediaMTX do.
        wait_for("the log to be emptied", SOON, || size(&log) == 0);
        assert!(size(&folder.join("error.log.1")) <= 1000);
    }
    wait_for("two older files", SOON, || size(&folder.join("error.log.2")) > 0);
    let kept = std::fs::read_to_string(folder.join("error.log.1")).unwrap();
    assert!(kept.ends_with(&format!("4 {}\n", "x".repeat(60))), "the newest words are kept: {kept}");
    assert!(std::fs::read_to_string(folder.join("error.log.2")).unwrap().contains("\n3 "));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 4, "three files and the link");
    assert_eq!(size(&elsewhere), 5000, "a link is not followed");
    assert!(keeper.running());
}

#[test]
fn the_scripts_refuse_nonsense() {
    let stage = Stage::new("docker-scripts");
    for (script, variable, value, words) in [
        ("start", "MSCONV_TRUSTED", "10.0.0.0/8;deny all", "is no network"),
        ("own-folders", "MSCONV_SERVER_UID", "0; rm -rf /", "must be numbers"),
        ("own-folders", "MSCONV_SERVER_UID", "", "must be numbers"),
        // Docker 20.10 would take these for every address there is.
        ("own-folders", "MSCONV_LISTEN", "999.1.1.1", "MSCONV_LISTEN must be an IP address"),
        ("own-folders", "MSCONV_LISTEN", "1:2", "MSCONV_LISTEN must be an IP address"),
        (
            "own-folders",
            "MSCONV_CONTROL_LISTEN",
            "127.0.0.1.2",
            "MSCONV_CONTROL_LISTEN must be an IP address",
        ),
    ] {
        stage.set(variable, value);
        let run = stage.spawn(root().join("docker/nginx-rtmp").join(script), &["/nowhere"]).wait(SOON);
        run.expect(2).says(words);
        stage.unset(variable);
    }
}

#[test]
fn the_ports_are_free_to_choose() {
    // Whoever changes a port by its setting changes that of the stack: the names are one.
    let compose = read("docker-compose.yml");
    for key in [
        "listen",
        "control_listen",
        "trusted",
        "rtmp_port",
        "stat_port",
        "rtsp_port",
        "web_port",
        "api_port",
        "metrics_port",
    ] {
        let variable = msconv::config::layers::variable(key);
        assert!(
            msconv::config::keys::find(key).is_some() && compose.contains(&format!("${{{variable}:-")),
            "{key}"
        );
    }
    let example = read(".env.example");
    let mut rest = compose.as_str();
    while let Some((_, after)) = rest.split_once("${") {
        let name = after.split(':').next().unwrap();
        assert!(example.contains(&format!("#{name}=")), ".env.example lacks {name}");
        rest = after;
    }
}
