//! Monitoring as an operator meets it: what Prometheus reads, which alerts fire, what the dashboards ask for, and a real
//! exporter over real, dead and lying servers.

mod exporting;
mod files;
mod promql;
mod scraped;

use crate::stage::{Run, Stage, needs};
use files::{alerts, dashboards, place, queries, read};
use msconv::manager::exporter::names;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn promtool(stage: &Stage, args: &[&str]) -> Run {
    stage.spawn("promtool", args).wait(Duration::from_secs(60))
}

#[test]
fn prometheus_accepts_our_files() {
    if !needs("promtool") {
        return;
    }
    let stage = Stage::new("monitoring-files");
    for (args, file) in [
        (["check", "config"], "prometheus.yml"),
        (["check", "rules"], "rules.yml"),
        (["test", "rules"], "rules_test.yml"),
    ] {
        let file = place("docker/prometheus").join(file);
        let run = promtool(&stage, &[args[0], args[1], file.to_str().unwrap()]).expect(0);
        assert!(run.stdout.contains("SUCCESS"), "{run}");
    }
    // The tests of rules bite: without the rules nothing fires.
    let folder = stage.file("rules");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("rules.yml"), read("docker/prometheus/rules.yml").replace("> 30", "> 3000"))
        .unwrap();
    std::fs::write(folder.join("rules_test.yml"), read("docker/prometheus/rules_test.yml")).unwrap();
    let run = promtool(&stage, &["test", "rules", folder.join("rules_test.yml").to_str().unwrap()]);
    assert!(run.code != 0 && (run.stdout.clone() + &run.stderr).contains("StreamNoBytes"), "{run}");
}

#[test]
fn every_alert_is_tried_both_ways_and_explained() {
    let alerts = alerts();
    let tests = read("docker/prometheus/rules_test.yml");
    let manual = read("docs/operations.md");
    assert!(alerts.len() > 10);
    for alert in &alerts {
        let name = &alert.name;
        let cases: Vec<&str> = tests
            .split("      - alertname: ")
            .skip(1)
            .filter(|case| case.lines().next() == Some(name))
            .collect();
        let silent = |case: &&&str| case.lines().any(|l| l.trim() == "exp_alerts: []");
        assert!(cases.iter().any(|case| silent(&case)), "{name} has no case in which it stays silent");
        assert!(cases.iter().any(|case| !silent(&case)), "{name} has no case in which it fires");
        assert!(manual.contains(&format!("### {name}\n")), "docs/operations.md does not explain {name}");
        for part in ["severity: ", "summary: ", "description: ", "do: "] {
            assert!(alert.text.contains(part), "{name} has no {part}");
        }
    }
    for heading in manual.lines().filter_map(|l| l.strip_prefix("### ")) {
        let looks_like_one = heading.chars().all(|c| c.is_ascii_alphabetic())
            && heading.chars().filter(char::is_ascii_uppercase).count() > 1;
        assert!(!looks_like_one || alerts.iter().any(|a| a.name == heading), "there is no alert {heading}");
    }
}

/// Every metric that may be asked for, with its labels.
fn known() -> BTreeMap<String, BTreeSet<String>> {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for metric in names::ALL {
        known.insert(metric.name.into(), metric.labels.iter().map(|l| l.to_string()).collect());
    }
    for sample in ["metrics-four-renditions.txt", "metrics-direct-publishers.txt", "metrics-idle.txt"] {
        for line in read(&format!("tests/data/mediamtx/{sample}")).lines() {
            if let Some((name, labels)) = series(line) {
                known.entry(name).or_default().extend(labels);
            }
        }
    }
    for line in read("tests/data/node_exporter/1.5.0-names.txt").lines() {
        let (name, labels) = line.split_once(' ').unwrap_or((line, ""));
        let labels = labels.split(',').filter(|l| !l.is_empty()).map(str::to_string).collect();
        known.insert(name.to_string(), labels);
    }
    // Prometheus makes these itself.
    known.insert("up".into(), BTreeSet::new());
    known.insert("scrape_duration_seconds".into(), BTreeSet::new());
    known.insert("ALERTS".into(), ["alertname", "alertstate", "severity"].map(str::to_string).into());
    for labels in known.values_mut() {
        labels.extend(["job", "instance"].map(str::to_string));
    }
    known
}

/// Name and labels of a line of Prometheus' text form.
pub fn series(line: &str) -> Option<(String, Vec<String>)> {
    if line.starts_with('#') || line.trim().is_empty() {
        return None;
    }
    let name: String = line.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let mut labels = Vec::new();
    let inside = line.split_once('{').filter(|(before, _)| *before == name).map_or("", |(_, rest)| rest);
    let mut letters = inside.chars();
    let mut word = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => loop {
                match letters.next() {
                    Some('\\') => drop(letters.next()),
                    None | Some('"') => break,
                    Some(_) => {}
                }
            },
            '=' => labels.push(std::mem::take(&mut word)),
            '}' => break,
            c if c.is_ascii_alphanumeric() || c == '_' => word.push(c),
            _ => word.clear(),
        }
    }
    Some((name, labels))
}

#[test]
fn rules_and_dashboards_ask_for_what_there_is() {
    let known = known();
    let mut asked: Vec<(String, String)> =
        alerts().into_iter().map(|a| (format!("alert {}", a.name), a.expression)).collect();
    for (file, dashboard) in dashboards() {
        asked.extend(queries(&dashboard).into_iter().map(|(title, q)| (format!("{file}: {title}"), q)));
    }
    assert!(asked.len() > 60, "{}", asked.len());
    let mut wrong = Vec::new();
    for (place, expression) in asked {
        let found = promql::asked(&expression);
        if found.metrics.is_empty() {
            wrong.push(format!("{place}: names no metric"));
        }
        for (metric, labels) in &found.metrics {
            match known.get(metric) {
                None => wrong.push(format!("{place}: nothing exports {metric}")),
                Some(there) => {
                    for label in labels.difference(there) {
                        wrong.push(format!("{place}: {metric} has no label {label}"));
                    }
                }
            }
        }
        for label in &found.grouped {
            if !found.metrics.keys().any(|m| known.get(m).is_some_and(|there| there.contains(label))) {
                wrong.push(format!("{place}: no metric of it has the label {label}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn dashboards_are_whole() {
    let source = read("docker/grafana/provisioning/datasources/prometheus.yml");
    let mut uids = BTreeSet::new();
    let all = dashboards();
    assert_eq!(
        all.iter().map(|(file, _)| file.as_str()).collect::<Vec<_>>(),
        ["overview.json", "stream.json"]
    );
    for (file, dashboard) in &all {
        assert!(uids.insert(dashboard["uid"].as_str().unwrap().to_string()), "{file}: uid");
        assert_eq!(dashboard["id"], serde_json::Value::Null, "{file}: an id is given by Grafana");
        let mut ids = BTreeSet::new();
        let mut cells = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap();
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{file}: {title}: id");
            let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            assert!(at("w") > 0 && at("h") > 0 && at("x") + at("w") <= 24, "{file}: {title}: place");
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(cells.insert((x, y)), "{file}: {title} lies over another panel");
                }
            }
            if panel["type"] == "row" {
                continue;
            }
            assert!(!panel["description"].as_str().unwrap_or("").is_empty(), "{file}: {title} says nothing");
            let mut references = BTreeSet::new();
            for target in panel["targets"].as_array().unwrap() {
                assert!(references.insert(target["refId"].as_str().unwrap()), "{file}: {title}: refId");
                let uid = target["datasource"]["uid"].as_str().unwrap();
                assert!(source.contains(&format!("uid: {uid}\n")), "{file}: {title}: source {uid}");
            }
            // Columns that are renamed or ordered exist.
            let letters: BTreeSet<String> = references.iter().map(|r| format!("Value #{r}")).collect();
            for change in panel["transformations"].as_array().into_iter().flatten() {
                for name in change["options"]["renameByName"].as_object().into_iter().flat_map(|o| o.keys()) {
                    assert!(
                        !name.starts_with("Value #") || letters.contains(name),
                        "{file}: {title}: {name}"
                    );
                }
            }
        }
    }
    // Links between them lead somewhere.
    for (file, dashboard) in &all {
        for piece in dashboard.to_string().split("\"/d/").skip(1) {
            let uid = piece.split('/').next().unwrap();
            assert!(uids.contains(uid), "{file}: /d/{uid}");
        }
    }
}

#[test]
fn every_exported_metric_is_explained() {
    let reference = read("docs/reference/metrics.md");
    for metric in names::ALL {
        assert!(reference.contains(&format!("| `{}` |", metric.name)), "{}", metric.name);
    }
}
