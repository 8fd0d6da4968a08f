//! What happens reaches other programs: webhooks, signed and in order whatever the receiver does, a stream of events that
//! resumes, a command, and the command line.

mod receiver;

use crate::stage::{PATIENCE, Run, Serve, Stage, missing, needs, post, raw, wait_for};
use nix::sys::signal::Signal;
use receiver::{Receiver, status, with};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An answer that has to be waited for: 15 seconds, and the start of a server.
const LONG: Duration = Duration::from_secs(60);

/// A python that has standardwebhooks.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("MSCONV_TEST_AIORTC").filter(|n| !n.is_empty()).map(PathBuf::from);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let has = |python: &PathBuf| {
        let tried = std::process::Command::new(python).args(["-c", "import standardwebhooks"]).output();
        tried.is_ok_and(|run| run.status.success())
    };
    let found = named.into_iter().chain([target.join("peers/bin/python")]).find(has);
    if found.is_none() {
        missing("standardwebhooks");
    }
    found
}

fn add(serve: &Serve, body: &Value) -> Value {
    let made = post(serve.address("web"), "/api/v1/hooks", &body.to_string());
    assert_eq!(made.status, 201, "{made:?}");
    made.json()
}

fn get(serve: &Serve, path: &str) -> Value {
    let answer = serve.get("web", path);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Registers a stream, which is an event.
fn register(serve: &Serve, name: &str) {
    let made = post(serve.address("web"), "/api/v1/streams", &json!({ "name": name }).to_string());
    assert_eq!(made.status, 201, "{made:?}");
}

fn delivery(serve: &Serve, hook: &Value) -> Option<Value> {
    let path = format!("/api/v1/hooks/{}/deliveries", hook["hook_id"].as_str().unwrap());
    get(serve, &path)["items"].as_array().unwrap().first().cloned()
}

#[test]
fn a_stream_that_goes_live_and_ends_reaches_a_receiver_that_verifies_it() {
    if !needs("ffmpeg") {
        return;
    }
    let Some(python) = python() else { return };
    let stage = Stage::new("webhooks-live");
    let serve = Serve::start(&stage, &[]);
    let receiver = Receiver::willing();
    let hook = add(&serve, &json!({ "url": receiver.url(), "types": ["stream.*", "rendition.*"] }));
    let secret = hook["secret"].as_str().unwrap();
    let registered = post(serve.address("web"), "/api/v1/streams", r#"{"name":"Film","slug":"film"}"#).json();
    let key = registered["stream_key"].as_str().unwrap();
    let target = format!("rtmp://{}/live/{key}", serve.address("rtmp"));
    let source =
        ["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=25", "-t", "2"];
    let coded = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-f", "flv"];
    stage.spawn("ffmpeg", &[&source[..], &coded, &[&target]].concat()).wait(PATIENCE).expect(0);
    let kinds = ["stream.created", "stream.live", "rendition.up", "rendition.down", "stream.ended"];
    wait_for("all events", PATIENCE, || {
        if receiver.kinds() == kinds { Ok(()) } else { Err(receiver.kinds().join(" ")) }
    });
    let came = receiver.came();
    for event in &came {
        let data = &event.json()["data"];
        assert_eq!(
            (&data["public_id"], &data["name"]),
            (&registered["public_id"], &json!("film")),
            "{event:?}"
        );
        assert!(!event.body.contains(key) && !event.body.contains("prv_"), "{event:?}");
        assert_eq!(event.fields["ce-type"], event.kind());
        let checks = "import json, sys\nfrom standardwebhooks import Webhook\n\
             Webhook(sys.argv[1]).verify(sys.argv[3], json.loads(sys.argv[2]))\n";
        let fields = json!(event.fields).to_string();
        let verify = |body: &str| -> Run {
            stage.spawn(&python, &["-c", checks, secret, &fields, body]).wait(PATIENCE)
        };
        verify(&event.body).expect(0);
        assert_ne!(verify(&format!("{} ", event.body)).code, 0);
    }
    let ended = &came[4].json()["data"];
    assert_eq!(ended["reason"], "unpublished");
    assert!(
        ended["duration_ms"].as_u64().unwrap() > 1000 && ended["bytes"].as_u64().unwrap() > 1000,
        "{ended}"
    );
    // The same in the list, on the command line, and beside the stream.
    let list = get(&serve, "/api/v1/events?types=stream.live,stream.ended&limit=1");
    assert_eq!(
        (&list["items"][0]["type"], &list["items"][0]["public_id"]),
        (&json!("stream.live"), &registered["public_id"])
    );
    assert!(list["next"].is_string(), "{list}");
    let path = format!("/api/v1/streams/{}", registered["public_id"].as_str().unwrap());
    wait_for("the time of its end", PATIENCE, || get(&serve, &path)["ended_at"].is_string());
    assert_eq!(serve.get("web", "/api/v1/events?types=stream").status, 422);
    assert!(!get(&serve, "/api/v1/hooks").to_string().contains("whsec_"));
    print_delays(&serve, &hook);
    let said = serve.running().stderr();
    assert!(!said.contains("whsec_") && !said.contains(key), "{said}");
}

/// From an event to the thanks of the receiver, as a figure for whoever reads along.
fn print_delays(serve: &Serve, hook: &Value) {
    let path = format!("/api/v1/hooks/{}/deliveries", hook["hook_id"].as_str().unwrap());
    let (deliveries, events) = (get(serve, &path), get(serve, "/api/v1/events"));
    let ms = |text: &Value| msconv::base::clock::parse_stamp(text.as_str().unwrap()).unwrap();
    for done in deliveries["items"].as_array().unwrap().iter().filter(|done| done["done_at"].is_string()) {
        let event =
            events["items"].as_array().unwrap().iter().find(|event| event["seq"] == done["seq"]).unwrap();
        eprintln!("{}: taken after {} ms", event["type"], ms(&done["done_at"]) - ms(&event["at"]));
    }
}

#[test]
fn receivers_that_misbehave_are_tried_again_or_switched_off() {
    let stage = Stage::new("webhooks-bad");
    let serve = Serve::start(&stage, &[]);
    let good = Receiver::willing();
    let elsewhere = good.url();
    let hanging = Receiver::new(|_, _| None);
    let redirecting = Receiver::new(move |_, _| with(302, &format!("Location: {elsewhere}\r\n"), b""));
    let recovering = Receiver::new(|number, _| status(if number == 0 { 500 } else { 200 }));
    let talking = Receiver::new(|_, _| with(200, "", &vec![b'x'; 1 << 20]));
    let gone = Receiver::new(|_, _| status(410));
    let busy = Receiver::new(|_, _| with(503, "Retry-After: 3600\r\n", b""));
    let hook =
        |receiver: &Receiver| add(&serve, &json!({ "url": receiver.url(), "types": ["stream.created"] }));
    let hooks = [&hanging, &redirecting, &recovering, &talking, &gone, &busy].map(hook);
    for url in ["http://169.254.169.254/x", "http://[fe80::1]/", "ftp://a/", "http://u:p@localhost/"] {
        let refused = post(serve.address("web"), "/api/v1/hooks", &json!({ "url": url }).to_string());
        assert_eq!((refused.status, &refused.json()["errors"][0]["field"]), (422, &json!("url")), "{url}");
    }
    register(&serve, "one");
    let [h_hanging, h_redirecting, h_recovering, h_talking, h_gone, h_busy] = &hooks;
    let is = |what: &str, hook: &Value, right: &dyn Fn(&Value) -> bool| {
        wait_for(what, LONG, || match delivery(&serve, hook) {
            Some(found) if right(&found) => Ok(found),
            other => Err(format!("{other:?}")),
        })
    };
    is("an answer of 1 MB", h_talking, &|found| found["done"] == true && found["tries"] == 1);
    let why = is("a redirect", h_redirecting, &|found| found["status"] == 302);
    assert_eq!(
        (&why["done"], &why["why"]),
        (&json!(false), &json!("it answers 302, and redirects are not followed"))
    );
    assert!(good.came().is_empty());
    let asked = is("a long wait", h_busy, &|found| found["status"] == 503);
    assert!(asked["next_at"].is_string(), "{asked}");
    is("one that is gone", h_gone, &|found| found["status"] == 410);
    let off = wait_for("it to be off", PATIENCE, || {
        let shown = get(&serve, &format!("/api/v1/hooks/{}", h_gone["hook_id"].as_str().unwrap()));
        if shown["enabled"] == false { Ok(shown) } else { Err(shown.to_string()) }
    });
    assert_eq!(off["why"], "it answers 410: it is gone for good");
    wait_for("the operator to be told", PATIENCE, || {
        get(&serve, "/api/v1/events?types=hook.disabled")["items"][0]["data"]["hook_id"] == h_gone["hook_id"]
    });
    is("one that comes back", h_recovering, &|found| found["done"] == true && found["tries"] == 2);
    let late = is("one that hangs", h_hanging, &|found| found["tries"] == 1);
    assert_eq!(late["why"], "there was no answer within 15 s");
    // Only what failed is failing, and others were not held up by it.
    let listed = stage_list(&serve);
    let failing = |hook: &Value| listed.iter().any(|(id, since)| *id == hook["hook_id"] && since.is_string());
    assert!(
        failing(h_hanging) && failing(h_busy) && !failing(h_recovering) && !failing(h_talking),
        "{listed:?}"
    );
    // What has waited is sent at once if the operator says so.
    let before = busy.came().len();
    let path = format!("/api/v1/hooks/{}", h_busy["hook_id"].as_str().unwrap());
    let body = r#"{"enabled":true}"#;
    let fields = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let request = format!("PATCH {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}");
    raw(serve.address("web"), request.as_bytes());
    wait_for("another try", PATIENCE, || busy.came().len() > before);
}

fn stage_list(serve: &Serve) -> Vec<(Value, Value)> {
    let listed = get(serve, "/api/v1/hooks");
    let items = listed["items"].as_array().unwrap().iter();
    items.map(|hook| (hook["hook_id"].clone(), hook["failing_since"].clone())).collect()
}

#[test]
fn a_server_that_is_killed_goes_on_in_order_and_loses_nothing() {
    let stage = Stage::new("webhooks-killed");
    let serve = Serve::start(&stage, &[]);
    // A receiver that gives way after some, so that the server dies with one on the way.
    let receiver = Receiver::new(|number, _| if number == 7 { None } else { status(200) });
    let hook = add(&serve, &json!({ "url": receiver.url(), "types": ["stream.created"] }));
    for n in 0..20 {
        register(&serve, &format!("stream {n}"));
    }
    wait_for("the eighth to be on its way", PATIENCE, || receiver.came().len() >= 8);
    let killed = serve.into_running();
    killed.signal(Signal::SIGKILL);
    killed.wait(PATIENCE);
    let serve = Serve::start(&stage, &[]);
    let came = wait_for("all of them", LONG, || {
        let came = receiver.came();
        if came.len() >= 21 { Ok(came) } else { Err(format!("{} came", came.len())) }
    });
    let mut seqs: Vec<i64> = came.iter().map(receiver::Came::seq).collect();
    let titles = |n: usize| came[n].json()["data"]["title"].clone();
    assert_eq!((seqs[7], titles(7)), (seqs[8], titles(8)), "what was on its way is sent again");
    seqs.dedup();
    let stored = get(&serve, "/api/v1/events?types=stream.created");
    let stored: Vec<i64> =
        stored["items"].as_array().unwrap().iter().filter_map(|e| e["seq"].as_i64()).collect();
    assert_eq!((seqs.len(), &seqs), (20, &stored));
    wait_for("the last to be noted", PATIENCE, || {
        delivery(&serve, &hook).is_some_and(|last| last["done"] == true && last["seq"] == stored[19])
    });
}

/// As many as are kept. It is a figure, and takes some seconds: `cargo nextest run --run-ignored only NAME`.
#[tokio::test]
#[ignore = "a figure, for whoever asks"]
async fn a_hundred_thousand_events_are_kept_and_read_in_order() {
    use msconv::platform::events::{Event, Type};
    use msconv::store::{Place, Store};
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Place::Folder(folder.path().into())).await.unwrap();
    let begun = std::time::Instant::now();
    for batch in 0..391 {
        let row =
            |n| Event::new(Type::ChatMessage, Some("film".into()), json!({ "n": batch * 256 + n })).row();
        store.add_events(&(0..256).map(row).collect::<Vec<_>>()).await.unwrap();
    }
    let written = begun.elapsed();
    assert_eq!(store.forget_events(0, 100_000).await.unwrap(), 96);
    let begun = std::time::Instant::now();
    let mut after = 0;
    let mut count = 0;
    loop {
        let rows = store.events_after(after, &[], 500).await.unwrap();
        let Some(last) = rows.last() else { break };
        for row in &rows {
            count += 1;
            assert_eq!((row.seq, row.data.clone()), (96 + count, json!({ "n": 95 + count }).to_string()));
        }
        after = last.seq;
    }
    assert_eq!(count, 100_000);
    eprintln!("written in {written:?}, read in {:?}", begun.elapsed());
}

/// A stream of events that is open.
struct Listening(BufReader<TcpStream>);

impl Listening {
    fn open(serve: &Serve, query: &str, fields: &str) -> Listening {
        let mut peer = TcpStream::connect(serve.address("web")).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "GET /api/v1/events{query} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{fields}\r\n"
        );
        peer.write_all(head.as_bytes()).unwrap();
        let mut listening = Listening(BufReader::new(peer));
        let head = listening.until(|line| line.starts_with("retry:"));
        assert!(head.contains("200 OK") && head.contains("content-type: text/event-stream"), "{head}");
        listening
    }

    /// What comes up to a line like this.
    fn until(&mut self, last: impl Fn(&str) -> bool) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).expect("it goes on in time");
            assert!(read > 0, "it ended: {all}");
            all.push_str(&line);
            if last(&line) {
                return all;
            }
        }
    }

    /// The next event: its id and what it says.
    fn next(&mut self) -> (String, Value) {
        let text = self.until(|line| line.starts_with("data:"));
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_else(|| panic!("{text}"))
                .to_string()
        };
        (field("id: "), serde_json::from_str(&field("data: ")).unwrap())
    }
}

#[test]
fn a_stream_of_events_resumes_where_it_was_and_ends_with_the_server() {
    let stage = Stage::new("events-sse");
    let serve = Serve::start(&stage, &[]);
    register(&serve, "before");
    let mut first = Listening::open(&serve, "?types=stream.created", "");
    register(&serve, "one");
    let (id, event) = first.next();
    assert_eq!((&event["data"]["title"], &event["seq"].to_string()), (&json!("one"), &id));
    drop(first);
    register(&serve, "two");
    register(&serve, "three");
    let mut again = Listening::open(&serve, "", &format!("Last-Event-ID: {id}\r\n"));
    register(&serve, "four");
    let titles: Vec<Value> = (0..3).map(|_| again.next().1["data"]["title"].clone()).collect();
    assert_eq!(titles, ["two", "three", "four"]);
    let mut last = Listening::open(&serve, "?after=-2", "");
    assert_eq!(last.next().1["data"]["title"], "three");
    // So many and no more; a place is free again when one is gone.
    let others: Vec<Listening> = (0..62).map(|_| Listening::open(&serve, "", "")).collect();
    let full = serve.ask("web", "GET", "/api/v1/events", "Accept: text/event-stream\r\n");
    assert_eq!((full.status, full.json()["code"].as_str()), (503, Some("too_many")));
    drop(others);
    wait_for("a free place", PATIENCE, || {
        let mut peer = TcpStream::connect(serve.address("web")).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
        peer.write_all(head.as_bytes()).unwrap();
        let mut begin = [0; 12];
        peer.read_exact(&mut begin).unwrap();
        &begin == b"HTTP/1.1 200"
    });
    let running = serve.into_running();
    running.signal(Signal::SIGTERM);
    running.wait(PATIENCE).expect(0);
    let mut rest = String::new();
    last.0.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("four"), "{rest}");
}

#[test]
fn refusals_figures_and_a_removal_are_told() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("events-refused");
    let serve = Serve::start(&stage, &[]);
    let made = post(serve.address("web"), "/api/v1/streams", r#"{"name":"Film","slug":"film"}"#).json();
    let key = made["stream_key"].as_str().unwrap();
    let publish = |name: &str| {
        let target = format!("rtmp://{}/live/{name}", serve.address("rtmp"));
        let source =
            ["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=25", "-t", "120"];
        let coded =
            ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-f", "flv"];
        stage.spawn("ffmpeg", &[&source[..], &coded, &[&target]].concat())
    };
    let mut listening =
        Listening::open(&serve, "?types=stats,publish.refused,stream.ended,stream.interrupted", "");
    let publisher = publish(key);
    let (_, stats) = listening.next();
    assert_eq!((&stats["type"], &stats["public_id"]), (&json!("stats"), &made["public_id"]));
    let rate = |field: &str| stats["data"][field].as_f64().unwrap();
    assert!(rate("bitrate") > 1000.0 && rate("fps") > 1.0 && rate("dropped") == 0.0, "{stats}");
    let path = format!("/api/v1/streams/{}", made["public_id"].as_str().unwrap());
    assert_eq!(serve.ask("web", "DELETE", &path, "").status, 204);
    let mut next = || {
        let (_, event) = listening.next();
        (event["type"] != "stats").then_some(event)
    };
    let ended = wait_for("its end", PATIENCE, &mut next);
    assert_eq!(
        (&ended["type"], &ended["data"]["reason"]),
        (&json!("stream.ended"), &json!("removed")),
        "{ended}"
    );
    publisher.wait(PATIENCE);
    publish(key).wait(PATIENCE);
    let refused = wait_for("the refusal", PATIENCE, &mut next);
    assert_eq!(
        (&refused["type"], &refused["data"]["name"]),
        (&json!("publish.refused"), &Value::Null),
        "{refused}"
    );
    assert_eq!(refused["data"]["reason"], "this key opens no stream");
    assert!(!refused.to_string().contains(key), "{refused}");
}

#[test]
fn a_command_is_told_by_variables() {
    let stage = Stage::new("events-command");
    let out = stage.file("out");
    let script = format!(
        "printf '%s|%s|%s\\n' \"$MSCONV_EVENT_TYPE\" \"$MSCONV_STREAM\" \"$MSCONV_EVENT\" >> '{}'",
        out.display()
    );
    let program = stage.fake("on event", &script);
    let serve = Serve::start(&stage, &["--hooks-command", program.to_str().unwrap()]);
    let body = json!({ "name": "$(touch x); 'a' \"b\"", "slug": "film" }).to_string();
    assert_eq!(post(serve.address("web"), "/api/v1/streams", &body).status, 201);
    let line = wait_for("the command", PATIENCE, || {
        let text = stage.read("out");
        if text.ends_with('\n') { Ok(text) } else { Err(text) }
    });
    let mut fields = line.trim_end().splitn(3, '|');
    assert_eq!((fields.next(), fields.next()), (Some("stream.created"), Some("film")));
    let event: Value = serde_json::from_str(fields.next().unwrap()).unwrap();
    assert_eq!(event["data"]["title"], "$(touch x); 'a' \"b\"");
    // One that is not there is said, and harms nothing.
    let other = Stage::new("events-no-command");
    let serve = Serve::start(&other, &["--hooks-command", "/no/such/program"]);
    register(&serve, "one");
    serve.running().wait_for_words("hooks_command: /no/such/program for stream.created", PATIENCE);
}

#[test]
fn the_command_line_shows_events_and_keeps_hooks_with_and_without_a_server() {
    let stage = Stage::new("events-cli");
    let json = |args: &[&str]| stage.msconv(&[args, &["--json"]].concat()).expect(0).json();
    let receiver = Receiver::willing();
    // Without a server: over the database.
    let made = json(&["hooks", "add", &receiver.url(), "--types", "stream.created,stats"]);
    assert!(
        made["secret"].as_str().unwrap().starts_with("whsec_") && made["schema"] == "msconv.hook/1",
        "{made}"
    );
    let id = made["hook_id"].as_str().unwrap().to_string();
    stage.msconv(&["stream", "add", "Evening show", "--slug", "show"]).expect(0);
    stage.msconv(&["events"]).expect(0).prints("stream.created     show  title=Evening show");
    assert_eq!(json(&["hooks", "list"])["hooks"][0]["types"], json!(["stream.created", "stats"]));
    stage.msconv(&["hooks", "test", &id]).expect(0).prints("taken (204)");
    assert_eq!(receiver.kinds(), ["hook.test"]);
    stage.msconv(&["hooks", "add", "http://169.254.1.1/"]).expect(2).says("link-local");
    stage.msconv(&["events", "--types", "nothing"]).expect(2).says("there is no type 'nothing'");
    // What happened meanwhile is sent by the server that comes.
    let serve = Serve::start_at_stage(&stage);
    wait_for("what had waited", PATIENCE, || receiver.kinds() == ["hook.test", "stream.created"]);
    let following = stage.spawn_msconv(&["events", "--json", "--follow", "--after", "-0"]);
    register(&serve, "later");
    let line = wait_for("a line", PATIENCE, || {
        following.stdout().lines().find(|line| line.contains("later")).map(str::to_string)
    });
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["type"], "stream.created");
    following.signal(Signal::SIGINT);
    following.wait(PATIENCE).expect(0);
    stage.msconv(&["hooks", "list"]).expect(0).prints("stream.created,stats");
    stage.msconv(&["hooks", "retry", &id]).expect(0).prints("is on");
    stage.msconv(&["hooks", "remove", &id]).expect(0).prints("removed");
    stage.msconv(&["hooks", "remove", &id]).expect(4);
}
