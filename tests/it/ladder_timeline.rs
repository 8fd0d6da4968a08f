//! The renditions of a ladder stand on one line of time: after every return of their publisher their keyframes agree.

use crate::live::SOON;
use crate::stage::{PATIENCE, Running, Serve, Stage, needs, wait_for};
use msconv::process::run_record::RunRecord;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;

const LABELS: [&str; 3] = ["360p", "240p", "144p"];

struct House {
    /// Declared before the stage so that it is dropped first.
    serve: Serve,
    stage: Stage,
}

impl House {
    fn new(name: &str) -> Option<House> {
        if !needs("ffmpeg") || !needs("ffprobe") {
            return None;
        }
        let stage = Stage::new(name);
        Some(House { serve: Serve::start_at_stage(&stage), stage })
    }

    fn publish(&self) {
        let variants = "360p:500k:640:360,240p:250k:426:240,144p:120k:256:144";
        let args = ["publish", "-s", "cam", "--test", "--quality", "fastest", "--variants", variants];
        self.stage.msconv(&args).expect(0);
    }

    fn child(&self) -> Option<i32> {
        let record = RunRecord::read(&self.stage.file("pids/.state/cam.json"))?;
        record.child.map(|child| child.pid)
    }

    /// What the server says of the renditions, in the order of the labels.
    fn streams(&self) -> Vec<serde_json::Value> {
        let names: Vec<String> = LABELS.iter().map(|label| format!("name=live/cam_{label}")).collect();
        let answer = self.serve.get("api", &format!("/msconv/v1/streams?{}", names.join("&")));
        let list: serde_json::Value = serde_json::from_str(&answer.body).expect(&answer.body);
        list["streams"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until all renditions are in `run`.
    fn wait_for_run(&self, run: u64) {
        wait_for(&format!("run {run} on all renditions"), PATIENCE, || {
            let streams = self.streams();
            let there = streams.len() == LABELS.len()
                && streams.iter().all(|s| s["run"] == run && s["ready"] == true && s["ladder"] == "cam");
            if there { Ok(()) } else { Err(format!("{streams:?}")) }
        });
    }

    /// Reads the keyframes of all renditions for a while, all at once; their times in milliseconds.
    fn keyframes(&self) -> Vec<BTreeSet<i64>> {
        let readers: Vec<Running> = LABELS.iter().map(|label| self.reader(label)).collect();
        let parsed = |text: String| -> BTreeSet<i64> {
            let keyframes = text.lines().filter(|line| line.contains(",K"));
            keyframes
                .map(|line| (line.split(',').next().unwrap().parse::<f64>().unwrap() * 1000.0).round() as i64)
                .collect()
        };
        readers.into_iter().map(|reader| parsed(reader.wait(PATIENCE).expect(0).stdout.clone())).collect()
    }

    fn reader(&self, label: &str) -> Running {
        let url = format!("{}/cam_{label}", self.stage.rtmp_url());
        let show = ["-show_entries", "packet=pts_time,flags", "-of", "csv=p=0"];
        let args =
            [&["-v", "error", "-select_streams", "v"][..], &["-read_intervals", "%+6"], &show, &[&url]];
        self.stage.spawn("ffprobe", &args.concat())
    }

    /// All renditions have keyframes at the same times.
    #[track_caller]
    fn agree(&self, when: &str) -> i64 {
        let keyframes = self.keyframes();
        let common = keyframes.iter().skip(1).fold(keyframes[0].clone(), |all, one| &all & one);
        // They did not begin at the same moment: only where all of them were reading must they agree.
        let (first, last) = (common.first().copied(), common.last().copied());
        let (Some(first), Some(last)) = (first, last) else { panic!("{when}: {keyframes:?}") };
        for one in &keyframes {
            let within: BTreeSet<i64> = one.range(first..=last).copied().collect();
            assert_eq!(within, common, "{when}: {keyframes:?}");
        }
        assert!(common.len() >= 2, "{when}: {keyframes:?}");
        last
    }
}

#[test]
fn renditions_agree_after_every_return_of_their_publisher() {
    let Some(house) = House::new("ladder-timeline") else { return };
    house.publish();
    house.wait_for_run(1);
    let before = house.agree("at first");
    // With somebody who reads one of them and nobody who reads the others.
    let watching = house.reader("360p");
    wait_for("the reader", SOON, || house.streams().first().is_some_and(|s| s["readers"] == 1));
    let killed = house.child().expect("ffmpeg");
    kill(Pid::from_raw(killed), Signal::SIGKILL).unwrap();
    house.wait_for_run(2);
    let after = house.agree("after ffmpeg was killed");
    assert!(after > before, "time goes on: {before} {after}");
    drop(watching);
    // One rendition alone loses its connection: it comes back on the line of the others.
    let list = house.serve.get("api", "/v3/rtmpconns/list").body;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let items = list["items"].as_array().unwrap();
    let one = items.iter().find(|c| c["path"] == "cam_240p" && c["state"] == "publish").expect("a publisher");
    let kicked =
        house.serve.ask("api", "POST", &format!("/v3/rtmpconns/kick/{}", one["id"].as_str().unwrap()), "");
    assert_eq!(kicked.status, 200, "{}", kicked.body);
    house.wait_for_run(house.streams()[0]["run"].as_u64().unwrap());
    house.agree("after one connection was cut");
    house.stage.msconv(&["stop", "-s", "cam"]).expect(0);
}

#[test]
fn renditions_agree_though_the_first_run_ended_at_once() {
    let Some(house) = House::new("ladder-timeline-at-once") else { return };
    house.publish();
    let killed = house.child().expect("ffmpeg");
    kill(Pid::from_raw(killed), Signal::SIGKILL).unwrap();
    house.wait_for_run(2);
    house.agree("after ffmpeg was killed at once");
    house.stage.msconv(&["stop", "-s", "cam"]).expect(0);
}
