//! msconv under systemd: the units it prints, what systemd's own checker says of them, and what it tells the manager.

use crate::golden::same_as_file;
use crate::live::{SMALL, SOON};
use crate::stage::{Stage, needs, wait_for};
use msconv::manager::export::systemd::{Request, Source, Stream, What, unit};
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

fn stream(name: &str, source: Source, more: &[&str]) -> What {
    let more = more.iter().map(OsString::from).collect();
    What::Publish(Box::new(Stream { name: name.into(), key_file: None, source, more, hardware: false }))
}

/// Units by the name of their golden file.
fn units() -> Vec<(&'static str, Request)> {
    let of = |what| Request {
        what,
        program: "/usr/local/bin/msconv".into(),
        user: None,
        home: None,
        settings: vec![],
    };
    let odd = PathBuf::from(OsString::from_vec(b"/srv/my \"film\" 50% $HOME \\ \xff;.mp4".to_vec()));
    let mut hidden = of(stream("yard", Source::Url("rtsp://u:hunter22@cam/1".into()), &["--original"]));
    hidden.settings = vec![
        ("MSCONV_NGINX_RTMP_URL".into(), "rtmp://u:hunter22@media.example/live".into()),
        ("MSCONV_NGINX_STAT_URL".into(), "http://media.example:8080/stat".into()),
    ];
    let mut own = of(stream("film", Source::File("/srv/film.mp4".into()), &["--variants", SMALL]));
    own.user = Some("media".into());
    own.home = Some("/srv/tv 50%".into());
    let mut camera = of(stream("cam", Source::Device("/dev/video0".into(), Some("hw:1".into())), &[]));
    if let What::Publish(stream) = &mut camera.what {
        stream.hardware = true;
        stream.key_file = Some("/etc/msconv/cam.key".into());
    }
    vec![
        ("serve", of(What::Serve)),
        ("exporter", of(What::Exporter)),
        ("film", own),
        ("odd-names", of(stream("odd", Source::File(odd), &["--", "-metadata", "title=a $x; %n 'b'"]))),
        ("secrets", hidden),
        ("camera", camera),
        ("relay", of(stream("relay", Source::UrlFile("/etc/msconv/relay.url".into()), &[]))),
        ("test-picture", of(stream("test", Source::Test, &[]))),
    ]
}

#[test]
fn units_are_as_agreed_and_hold_no_secret() {
    let mut wrong = Vec::new();
    for (name, request) in units() {
        let unit = unit(&request).unwrap();
        assert!(!unit.text.contains("hunter22") && !unit.steps.concat().contains("hunter22"), "{name}");
        wrong.extend(same_as_file(&format!("tests/golden/units/{name}.service"), &unit.text).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_cannot_be_a_unit_is_refused() {
    let stage = Stage::new("units-refused");
    let refused = |args: &[&str], words: &str| {
        let args = [&["export", "systemd"], args].concat();
        stage.msconv(&args).expect(2).says(words);
    };
    refused(&[], "which unit");
    refused(&["-s", "a"], "nothing to publish");
    refused(&["-s", "a b", "-f", "/x"], "no stream key");
    refused(&["-s", "a", "-f", "/tmp/x.mp4"], "a /tmp of its own");
    refused(&["-s", "a", "-f", "/x", "--variants", "nonsense"], "--variants");
    refused(&["-s", "a", "-f", "/x", "--user", "root; rm"], "no user's name");
    refused(&["-s", "a", "-f", "/x", "--home", "."], "needs a user");
    refused(&["-s", "a", "-f", "/x", "--replace"], "no place in a unit");
    refused(&["-s", "a", "-f", "/x", "--", "-f", "flv", "rtmp://u:pw@h/x"], "with a password");
    refused(&["--serve", "-s", "a"], "cannot be used with");
    refused(&["--stream-key-file", "/etc/a b.key", "--test"], "part of a unit's name");
    let run = stage.msconv(&["export", "systemd", "-s", "a", "-f", "/srv/./x.mp4", "--json"]).expect(0);
    let unit = run.json();
    assert_eq!(unit["name"], "msconv-a.service");
    assert!(unit["text"].as_str().unwrap().contains("-s a -f /srv/x.mp4\n"), "{unit}");
    // A path is taken from where it was typed; here that is a folder that a unit does not see.
    refused(&["-s", "a", "-f", "x.mp4"], "home/x.mp4 would not be there");
}

#[test]
fn systemd_finds_no_fault_with_the_units() {
    if msconv::process::locate::locate(None::<&std::path::Path>, "systemd-analyze").is_none() {
        eprintln!("skipped: systemd-analyze not found");
        return;
    }
    let stage = Stage::new("units-verified");
    let folder = stage.file("units");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, mut request) in units() {
        // It looks whether the program is there.
        request.program = Stage::binary().into();
        let unit = unit(&request).unwrap();
        let file = folder.join(format!("msconv-golden-{name}.service"));
        std::fs::write(&file, &unit.text).unwrap();
        let file = file.to_str().unwrap();
        let run = stage.spawn("systemd-analyze", &["verify", "--man=no", file]).wait(SOON).expect(0);
        let complaints: Vec<&str> =
            run.stderr.lines().filter(|l| l.contains("msconv-golden") && !l.contains("User=")).collect();
        assert!(complaints.is_empty(), "{run}\n{}", unit.text);
        // 10 is a service without any protection; it prints its threshold times ten.
        let offline = ["security", "--offline=true", "--threshold=25", "--no-pager", file];
        let run = stage.spawn("systemd-analyze", &offline).wait(SOON);
        assert!(run.stderr.contains("unrecognized option") || run.code == 0, "{run}");
    }
    // The checker bites.
    let file = folder.join("msconv-golden-broken.service");
    std::fs::write(&file, "[Service]\nType=notify\nExecStart=relative\nNoSuchThing=yes\n").unwrap();
    let run = stage.spawn("systemd-analyze", &["verify", "--man=no", file.to_str().unwrap()]).wait(SOON);
    assert!(run.code != 0 || run.stderr.contains("msconv-golden-broken"), "{run}");
}

#[test]
fn a_sources_address_comes_from_a_file_and_is_not_quoted() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("units-source-file");
    let publish = |text: &str, code: i32| {
        std::fs::write(stage.file("source"), text).unwrap();
        let args = ["publish", "-s", "a", "--input-rtmp-file", "source", "--original", "--dry-run"];
        let run = stage.msconv(&args).expect(code);
        assert!(!(run.stdout.clone() + &run.stderr).contains("hunter22"), "{run}");
        run
    };
    publish("hunter22 is no address\n", 2).says("the address in source cannot be used");
    publish("\n", 2).says("cannot be used");
    let closed = crate::stage::Port::free();
    publish(&format!("  rtmp://u:hunter22@127.0.0.1:{closed}/live/x  \nmore\n"), 7).says("cannot publish a");
    let args = ["publish", "-s", "a", "--input-rtmp-file", "nowhere"];
    stage.msconv(&args).expect(2).says("cannot read the source's address");
    let args = ["publish", "-s", "a", "--input-rtmp-file", "source", "--test"];
    stage.msconv(&args).expect(2).says("cannot be used with");
}

/// What a manager hears, until `last` has been said.
fn heard(socket: &UnixDatagram, last: &str, so_far: &mut Vec<String>) {
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    wait_for(&format!("the manager to hear {last}"), SOON, || {
        let mut bytes = [0; 4096];
        if let Ok(count) = socket.recv(&mut bytes) {
            so_far.push(String::from_utf8_lossy(&bytes[..count]).into_owned());
        }
        if so_far.iter().any(|s| s.starts_with(last)) { Ok(()) } else { Err(format!("{so_far:?}")) }
    });
}

#[test]
fn the_manager_hears_of_a_stream_and_of_its_server() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("units-notify");
    let listen = |name: &str| {
        let path = stage.root().join(name);
        stage.set("NOTIFY_SOCKET", path.to_str().unwrap());
        UnixDatagram::bind(path).unwrap()
    };
    stage.set("WATCHDOG_USEC", "2000000");
    let stream = listen("stream.sock");
    // Before there is a server: the supervisor is ready all the same.
    let publish = stage.spawn_msconv(&["publish", "-s", "a", "--test", "--variants", SMALL, "--foreground"]);
    let mut said = Vec::new();
    heard(&stream, "READY=1", &mut said);
    heard(&stream, "WATCHDOG=1", &mut said);
    let server = listen("server.sock");
    let serve = crate::stage::Serve::start_at_stage(&stage);
    let mut of_server = Vec::new();
    heard(&server, "READY=1", &mut of_server);
    heard(&server, "STATUS=ready rtmp=", &mut of_server);
    heard(&server, "WATCHDOG=1", &mut of_server);
    heard(&stream, "STATUS=live", &mut said);
    publish.signal(Signal::SIGTERM);
    heard(&stream, "STOPPING=1", &mut said);
    publish.wait(SOON).expect(0);
    let serve = serve.into_running();
    serve.signal(Signal::SIGTERM);
    heard(&server, "STOPPING=1", &mut of_server);
    serve.wait(SOON).expect(0);
    let exporter = listen("exporter.sock");
    let running = stage.spawn_msconv(&["exporter", "--listen", "127.0.0.1:0"]);
    let mut of_exporter = Vec::new();
    heard(&exporter, "WATCHDOG=1", &mut of_exporter);
    assert_eq!(of_exporter.first().map(String::as_str), Some("READY=1"));
    running.signal(Signal::SIGTERM);
    heard(&exporter, "STOPPING=1", &mut of_exporter);
    running.wait(SOON).expect(0);
}
