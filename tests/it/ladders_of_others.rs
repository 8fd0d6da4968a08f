//! `serve --ladder`: what others publish gets a ladder, as long as it is there.

use crate::live::{SOON, ended};
use crate::stage::{Running, Serve, Stage, enhanced, needs, wait_for};
use msconv::model::State;
use msconv::process::run_record::RunRecord;
use nix::sys::signal::Signal;

const LADDER: &str = "180p:200k:320:180,90p:100k:160:90";

/// The server and whom it serves.
struct House {
    serve: Serve,
    stage: Stage,
}

impl House {
    fn new(name: &str, flags: &[&str]) -> Option<House> {
        if !needs("ffmpeg") || !needs("ffprobe") {
            return None;
        }
        let stage = Stage::new(name);
        stage.set("MSCONV_QUALITY", "fastest");
        Some(House { serve: Serve::start_at_stage_with(&stage, flags), stage })
    }

    /// An encoder that knows nothing of msconv publishes.
    fn publish(&self, name: &str, query: &str) -> Running {
        let target = format!("rtmp://{}/live/{name}{query}", self.serve.address("rtmp"));
        let source =
            "-nostdin -v error -re -f lavfi -i testsrc2=s=640x360:r=25 -f lavfi -i sine=frequency=440";
        let coded = "-c:v libx264 -preset ultrafast -bf 0 -g 50 -pix_fmt yuv420p -c:a aac -f flv";
        let args: Vec<&str> = source.split(' ').chain(coded.split(' ')).chain([target.as_str()]).collect();
        self.stage.spawn("ffmpeg", &args)
    }

    fn labels(&self, name: &str, query: &str) -> Vec<String> {
        let list = self.serve.get("web", &format!("/live/{name}/index.m3u8{query}"));
        let label = |line: &str| Some(line.split_once("/i.m3u8")?.0.to_string());
        list.body.lines().filter_map(label).collect()
    }

    /// Waits until the list of renditions has all, and something is to be had of each.
    fn has_ladder(&self, name: &str, query: &str) {
        wait_for("the ladder", SOON, || {
            let labels = self.labels(name, query);
            if labels == ["180p", "90p", "original"] {
                Ok(())
            } else {
                Err(format!("{labels:?}\n{}", self.serve.running().stderr()))
            }
        });
    }

    /// The record of a ladder that is live.
    fn record(&self, key: &str, wanted: impl Fn(&RunRecord) -> bool) -> RunRecord {
        wait_for("its record", SOON, || {
            let record = RunRecord::read(&self.stage.file(&format!("pids/.state/{key}.json")));
            let there = record.filter(|record| record.state == State::Live && wanted(record));
            there.ok_or_else(|| self.log())
        })
    }

    fn received(&self, name: &str) -> u64 {
        let answer = self.serve.get("api", &format!("/v3/paths/get/live/{name}"));
        if answer.status == 200 { answer.json()["bytesReceived"].as_u64().unwrap_or(0) } else { 0 }
    }

    /// Waits until a second or two of it have come.
    fn flows(&self, name: &str) {
        let before = self.received(name);
        wait_for(&format!("more of {name}"), SOON, || {
            let now = self.received(name);
            if now > before + 60_000 {
                Ok(())
            } else {
                Err(format!("{now}\n{}", self.serve.running().stderr()))
            }
        });
    }

    fn log(&self) -> String {
        self.serve.running().stderr()
    }
}

#[test]
fn it_comes_with_its_publisher_survives_a_short_absence_and_goes() {
    let Some(house) = House::new("ladder-of-others", &["--ladder", LADDER]) else { return };
    let publisher = house.publish("cam", "");
    house.has_ladder("cam", "");
    let supervisor = house.record("cam", |_| true).supervisor;
    // Nobody watches: the ladder's own reader is no viewer, and what it shows stands nowhere.
    let listed = house.serve.get("web", "/streams").json();
    assert_eq!(listed[0]["viewers"], 0, "{listed}");
    let list = house.stage.msconv(&["list", "--json"]).expect(0).json();
    let viewers = list["streams"].as_array().unwrap().iter().find(|one| one["key"] == "cam").unwrap();
    assert_eq!(viewers["viewers"], 0, "{list}");
    for (endpoint, path) in [("api", "/v3/rtspsessions/list"), ("stat", "/stat"), ("metrics", "/metrics")] {
        let told = house.serve.get(endpoint, path).body;
        assert!(!told.contains("pub_"), "{told}");
    }
    assert!(!house.log().contains("pub_"), "{}", house.log());
    let status = house.stage.msconv(&["status", "cam"]).expect(0).stdout;
    assert!(status.contains("180p") && status.contains("90p") && status.contains("live/cam"), "{status}");
    assert!(!house.stage.msconv(&["logs", "cam"]).expect(0).stdout.is_empty());
    let listed = house.stage.msconv(&["list", "--json"]).expect(0).json();
    let names: Vec<&str> =
        listed["streams"].as_array().unwrap().iter().filter_map(|one| one["key"].as_str()).collect();
    assert!(names.contains(&"cam"), "{listed}");
    // Its connection breaks, and it returns.
    publisher.signal(Signal::SIGKILL);
    house.serve.running().wait_for_words("live/cam has lost its publisher", SOON);
    let publisher = house.publish("cam", "");
    house.serve.running().wait_for_words("live/cam is back", SOON);
    house.flows("cam_90p");
    house.has_ladder("cam", "");
    let record = house.record("cam", |_| true);
    assert_eq!((record.supervisor, record.restarts), (supervisor, 0), "it is the same ladder");
    // It ends.
    publisher.signal(Signal::SIGINT);
    house.serve.running().wait_for_words("ladder: that of live/cam ends with it", SOON);
    ended(supervisor);
    wait_for("its renditions to be gone", SOON, || house.received("cam_90p") == 0);
    house.stage.msconv(&["status", "cam"]).expect(3);
    // And comes again.
    let _publisher = house.publish("cam", "");
    house.record("cam", |record| record.supervisor != supervisor);
    house.flows("cam_90p");
    house.has_ladder("cam", "");
    assert!(!house.log().contains("over before its stream"), "{}", house.log());
}

#[test]
fn a_publisher_by_whip_gets_one_with_aac() {
    let Some(newer) = enhanced() else { return };
    let Some(house) = House::new("ladder-of-whip", &["--ladder", LADDER]) else { return };
    let target = format!("http://{}/live/cam/whip", house.serve.address("web"));
    let source =
        "-nostdin -v error -re -f lavfi -i testsrc2=s=640x360:r=25 -f lavfi -i sine=sample_rate=48000 -ac 2";
    let coded = "-c:v libx264 -preset ultrafast -profile:v baseline -bf 0 -g 25 -pix_fmt yuv420p -c:a libopus -f whip";
    let args: Vec<&str> = source.split(' ').chain(coded.split(' ')).chain([target.as_str()]).collect();
    let _publisher = house.stage.spawn(&newer, &args);
    house.has_ladder("cam", "");
    let list = house.serve.get("web", "/live/cam/index.m3u8").body;
    assert_eq!((list.matches("mp4a.40.2").count(), list.matches("opus").count()), (2, 1), "{list}");
}

#[test]
fn there_is_none_of_a_ladder_and_none_unless_it_is_wanted() {
    let Some(house) = House::new("ladder-of-ladders", &["--ladder", "auto"]) else { return };
    let _rendition = house.publish("cam_480p", "");
    house.serve.running().wait_for_words("publishes cam_480p", SOON);
    let variants = ["--variants", "90p:100k:160:90", "--quality", "fastest"];
    house.stage.msconv(&[&["publish", "-s", "own", "--test"][..], &variants].concat()).expect(0);
    house.flows("own_90p");
    // What a rendition is of comes last: there are some of it already.
    let _original = house.publish("cam", "");
    house.serve.running().wait_for_words("publishes cam\n", SOON);
    house.flows("cam");
    assert!(!house.log().contains("ladder: "), "{}", house.log());
    house.stage.msconv(&["stop", "-s", "own"]).expect(0);
    let Some(without) = House::new("ladder-off", &[]) else { return };
    let _publisher = without.publish("cam", "");
    without.flows("cam");
    assert!(!without.log().contains("ladder: "), "{}", without.log());
}

#[test]
fn passwords_are_in_nobodys_arguments_and_the_servers_end_is_the_ladders() {
    let Some(stage) = needs("ffmpeg").then(|| Stage::new("ladder-passwords")) else { return };
    for (name, password) in [("publish", "in-secret@1"), ("read", "out-secret")] {
        std::fs::write(stage.file(name), format!("{password}\n")).unwrap();
    }
    let (into, out) = (stage.file("publish").display().to_string(), stage.file("read").display().to_string());
    stage.set("MSCONV_QUALITY", "fastest");
    let flags = ["--ladder", LADDER, "--publish-password-file", &into, "--read-password-file", &out];
    let house = House { serve: Serve::start_at_stage_with(&stage, &flags), stage };
    let _publisher = house.publish("cam", "?user=publish&pass=in-secret%401");
    house.has_ladder("cam", "?token=out-secret");
    let supervisor = house.record("cam", |_| true).supervisor;
    let pid = supervisor.expect("a supervisor").pid;
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
    assert!(arguments.contains("publish --foreground"), "{arguments}");
    assert!(!arguments.contains("secret"), "{arguments}");
    let House { serve, stage } = house;
    let running = serve.into_running();
    running.signal(Signal::SIGTERM);
    running.wait(SOON).expect(0);
    ended(supervisor);
    let log = stage.read("logs/ffmpeg/cam.log");
    assert!(!log.contains("secret"), "{log}");
}
