//! Real servers ask one and the same back end as we do in their form, about the same publishers and readers: what is sent is the same
//! byte for byte, but for numbers that each server makes up.

use super::back_end::{Asked, BackEnd, says};
use super::{SOON, asking, paths, publisher};
use crate::stage::{
    Mediamtx, Nginx, NginxOptions, Running, Serve, Stage, mediamtx, missing, needs, wait_for,
};
use std::path::Path;

const NAME: &str = "key-1?token=a%20b&x=1;2";

/// Replaces what stands between `before` and the next of `ends`.
fn masked(text: &str, before: &str, ends: &[char]) -> String {
    let Some((head, tail)) = text.split_once(before) else { return text.into() };
    let end = tail.find(ends).unwrap_or(tail.len());
    format!("{head}{before}*{}", &tail[end..])
}

/// ffmpeg taking a stream in for a moment.
fn reader(stage: &Stage, url: &str) {
    let args = ["-nostdin", "-loglevel", "error", "-rw_timeout", "20000000", "-i", url];
    let run = stage.spawn("ffmpeg", &[&args[..], &["-t", "0.5", "-c", "copy", "-f", "null", "-"]].concat());
    run.wait(SOON).expect(0);
}

fn ended(mut running: Running) {
    running.signal(nix::sys::signal::Signal::SIGINT);
    wait_for("the publisher's end", SOON, || !running.running());
}

/// Waits for a request with this word, beginning with `from`; gives it.
fn awaited(back_end: &BackEnd, from: usize, word: &str) -> Asked {
    wait_for(word, SOON, || {
        let asked = back_end.asked();
        asked[from..].iter().find(|asked| asked.body.contains(word)).cloned().ok_or(format!("{asked:#?}"))
    })
}

#[test]
fn nginx_rtmp_asks_the_same() {
    if !needs("ffmpeg") || !needs("nginx-rtmp") {
        return;
    }
    const CALLS: [&str; 4] = ["call=publish&", "call=play&", "call=play_done&", "call=publish_done&"];
    let stage = Stage::new("admission-nginx");
    let back_end = BackEnd::start(|_| says(200, ""));
    let hooks = ["publish", "play", "play_done", "publish_done"];
    let hooks = hooks.map(|hook| format!("on_{hook} {};\n", back_end.url("/hook"))).concat();
    let _nginx = Nginx::with(&stage, NginxOptions { in_application: hooks, ..NginxOptions::default() });
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], stage.rtmp.number()));
    let round = |address: std::net::SocketAddr| {
        let from = back_end.asked().len();
        let live = publisher(&stage, address, NAME);
        awaited(&back_end, from, CALLS[0]);
        wait_for("something to read", SOON, || {
            let args = ["-loglevel", "error", "-rw_timeout", "20000000"];
            let url = format!("rtmp://{address}/live/key-1?t=2");
            stage.spawn("ffprobe", &[&args[..], &[url.as_str()]].concat()).wait(SOON).code == 0
        });
        reader(&stage, &format!("rtmp://{address}/live/key-1?t=2"));
        awaited(&back_end, from, CALLS[2]);
        ended(live);
        CALLS.map(|call| {
            let asked = awaited(&back_end, from, call);
            let body = asked.body.replace(&address.to_string(), "HOST");
            (
                asked.line,
                asked.fields.into_iter().find(|(f, _)| f == "content-type"),
                masked(&body, "clientid=", &['&']),
            )
        })
    };
    let theirs = round(address);
    let serve = asking(&stage, &back_end, "nginx-rtmp", &[]);
    let ours = round(serve.address("rtmp"));
    assert_eq!(ours, theirs);
    assert!(ours[0].2.ends_with("&call=publish&name=key-1&type=live&token=a%20b&x=1;2"), "{}", ours[0].2);
}

#[test]
fn mediamtx_asks_the_same() {
    let Some(program) = mediamtx() else { return };
    if !needs("ffmpeg") || !needs("ffprobe") {
        return;
    }
    let stage = Stage::new("admission-mediamtx");
    let back_end =
        BackEnd::start(|asked| match asked.body.contains(r#""user":"ann""#) || asked.body.contains("rtmp") {
            true => says(200, ""),
            false => says(401, ""),
        });
    let auth =
        format!("authMethod: http\nauthHTTPAddress: {}\npaths:\n  all_others:\n", back_end.url("/hook"));
    let auth = format!("authHTTPExclude:\n  - action: api\n  - action: metrics\n{auth}");
    let theirs = Mediamtx::start(&stage, &program, &auth);
    let round = |rtmp: std::net::SocketAddr, rtsp: std::net::SocketAddr| {
        let from = back_end.asked().len();
        let live = publisher(&stage, rtmp, "cam?user=bob&pass=p%26w&x=<1>");
        awaited(&back_end, from, r#""action":"publish""#);
        let url = format!("rtsp://ann:pw@{rtsp}/live/cam?t=2");
        let args =
            ["-loglevel", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", &url];
        wait_for("something to read", SOON, || stage.spawn("ffprobe", &args).wait(SOON).code == 0);
        // One without credentials, answered by asking for them; one with.
        let asks = ["\"user\":\"\",\"password\":\"\",\"token\":\"\",\"action\":\"read\"", "\"user\":\"ann\""];
        let asks = asks.map(|word| awaited(&back_end, from, word));
        let publishes = awaited(&back_end, from, r#""action":"publish""#);
        ended(live);
        [publishes]
            .into_iter()
            .chain(asks)
            .map(|asked| {
                let body = masked(&asked.body, r#""id":""#, &['"']);
                (
                    asked.line.clone(),
                    asked.field("content-type").to_string(),
                    masked(&body, r#""userAgent":""#, &['"']),
                )
            })
            .collect::<Vec<_>>()
    };
    let theirs = round(theirs.address("rtmp"), theirs.address("rtsp"));
    let serve = asking(&stage, &back_end, "mediamtx", &[]);
    let ours = round(serve.address("rtmp"), serve.address("rtsp"));
    assert_eq!(ours, theirs);
}

/// node-media-server with a configuration of the test's own; prints the ports that it has.
const NMS: &str = "
const Server = require(process.argv[1]);
const [rtmp, http, url] = process.argv.slice(2);
const at = port => ({ port: Number(port) });
new Server({ bind: '127.0.0.1', rtmp: at(rtmp), http: at(http), notify: { url }, auth: {}, record: { auto: false }, store: { path: process.cwd() + '/nms' } }).run();
";

fn node_media_server() -> Option<std::path::PathBuf> {
    if !needs("node") {
        return None;
    }
    let named = std::env::var_os("MSCONV_TEST_NMS").map(std::path::PathBuf::from);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let folders = named.into_iter().chain([target.join("nms/node_modules/node-media-server")]);
    let found = folders.into_iter().find(|folder| folder.join("package.json").is_file());
    if found.is_none() {
        missing("node-media-server");
    }
    found
}

#[test]
fn node_media_server_asks_the_same() {
    let Some(folder) = node_media_server() else { return };
    if !needs("ffmpeg") {
        return;
    }
    const ACTIONS: [&str; 3] = ["\"prePublish\"", "\"postPublish\"", "\"donePublish\""];
    let stage = Stage::new("admission-nms");
    let back_end = BackEnd::start(|_| says(200, ""));
    let round = |address: std::net::SocketAddr| {
        let from = back_end.asked().len();
        let live = publisher(&stage, address, "cam?b=a%20b&a=1");
        awaited(&back_end, from, ACTIONS[1]);
        ended(live);
        ACTIONS.map(|action| {
            let asked = awaited(&back_end, from, action);
            let mut body = asked.body.clone();
            for (before, ends) in [("\"id\":\"", ['"']), ("\"ip\":\"127.0.0.1:", ['"'])] {
                body = masked(&body, before, &ends);
            }
            for before in ["\"createtime\":", "\"endtime\":", "\"inbytes\":", "\"outbytes\":"] {
                body = masked(&body, before, &[',']);
            }
            (asked.line.clone(), asked.field("content-type").to_string(), body)
        })
    };
    let http = crate::stage::Port::free();
    let args = [
        "-e".to_string(),
        NMS.to_string(),
        folder.display().to_string(),
        stage.rtmp.to_string(),
        http.to_string(),
        back_end.url("/hook"),
    ];
    let server = stage.spawn("node", &args);
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], stage.rtmp.number()));
    wait_for("node-media-server to listen", SOON, || {
        std::net::TcpStream::connect(address)
            .map_err(|e| format!("{e}: {} {}", server.stdout(), server.stderr()))
    });
    let theirs = round(address);
    drop(server);
    let serve = asking(&stage, &back_end, "nms", &[]);
    let ours = round(serve.address("rtmp"));
    assert_eq!(ours, theirs);
    still(&serve);
}

/// Nothing is published any more.
fn still(serve: &Serve) {
    wait_for("no stream", SOON, || paths(serve).is_empty());
}
