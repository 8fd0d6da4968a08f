//! A real Prometheus with our configuration, rules and queries, over a real exporter, a real server and a real stream.

use super::exporting::Exporter;
use super::{alerts, dashboards, promql, queries, read};
use crate::live::{SMALL, SOON};
use crate::stage::{Port, Stage, http_get, needs, wait_for};
use serde_json::Value;

/// Asks Prometheus' API; the result of a query.
fn asked(port: u16, expression: &str) -> Result<Vec<Value>, String> {
    let mut coded = String::new();
    for byte in expression.bytes() {
        coded.push_str(&format!("%{byte:02X}"));
    }
    let (status, body) = http_get(port, &format!("/api/v1/query?query={coded}"))?;
    let answer: Value = serde_json::from_str(&body).map_err(|e| format!("{status} {e}: {body}"))?;
    match (answer["status"].as_str(), answer["data"]["result"].as_array()) {
        (Some("success"), Some(result)) => Ok(result.clone()),
        _ => Err(format!("{expression}: {body}")),
    }
}

#[test]
fn dashboards_and_rules_find_their_figures_in_a_real_prometheus() {
    if !needs("prometheus") || !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("monitoring-prometheus");
    let metrics = Port::free();
    stage.set("MSCONV_METRICS_PORT", &metrics.to_string());
    stage.msconv(&["up"]).expect(0);
    let exporter = Exporter::start(&stage, &[]);
    stage.msconv(&["publish", "-s", "a", "--test", "--variants", SMALL, "--wait", "50s"]).expect(0);
    let node_exporter =
        msconv::process::locate::locate(None::<&std::path::Path>, "prometheus-node-exporter").is_some();
    let node = node_exporter.then(|| {
        let port = Port::free();
        let listen = format!("--web.listen-address=127.0.0.1:{port}");
        (stage.spawn("prometheus-node-exporter", &[listen.as_str()]), port)
    });

    // Our files, with other targets and a faster clock.
    let own = Port::free();
    let folder = stage.file("prometheus");
    std::fs::create_dir_all(&folder).unwrap();
    let mut text = read("docker/prometheus/prometheus.yml");
    for (from, to) in [
        ("\"exporter:9781\"".to_string(), format!("\"{}\"", exporter.address)),
        ("\"mediamtx:9998\"".to_string(), format!("\"127.0.0.1:{metrics}\"")),
        (
            "\"node-exporter:9100\"".to_string(),
            node.as_ref().map_or(String::new(), |(_, port)| format!("\"127.0.0.1:{port}\"")),
        ),
        ("\"localhost:9090\"".to_string(), format!("\"127.0.0.1:{own}\"")),
        ("scrape_interval: 15s".into(), "scrape_interval: 2s".into()),
        ("scrape_timeout: 10s".into(), "scrape_timeout: 2s".into()),
        ("evaluation_interval: 15s".into(), "evaluation_interval: 1s".into()),
    ] {
        assert!(text.contains(&from), "prometheus.yml has no {from}");
        text = text.replace(&from, &to);
    }
    std::fs::write(folder.join("prometheus.yml"), text).unwrap();
    std::fs::write(folder.join("rules.yml"), read("docker/prometheus/rules.yml")).unwrap();
    let flags = [
        format!("--config.file={}", folder.join("prometheus.yml").display()),
        format!("--storage.tsdb.path={}", folder.join("data").display()),
        format!("--web.listen-address=127.0.0.1:{own}"),
    ];
    let prometheus = stage.spawn("prometheus", &flags);
    let port = own.to_string().parse::<u16>().unwrap();
    let jobs = if node.is_some() { 4 } else { 3 };
    wait_for("every target to be up", SOON, || {
        let up = asked(port, "up == 1").map_err(|e| format!("{e}\n{}", prometheus.stderr()))?;
        if up.len() == jobs { Ok(()) } else { Err(format!("{up:?}\n{}", prometheus.stderr())) }
    });
    wait_for("the state in Prometheus", SOON, || {
        asked(port, r#"msconv_publish_state{state="live"} == 1"#).is_ok_and(|found| !found.is_empty())
    });
    wait_for("the speed in Prometheus", SOON, || {
        asked(port, "msconv_publish_speed_ratio").is_ok_and(|found| !found.is_empty())
    });

    // Everything that the dashboards ask for is answered; what our own metrics tell must be there by now.
    let mut asked_for = 0;
    for (file, dashboard) in dashboards() {
        for (title, query) in queries(&dashboard) {
            let expression = query.replace("$__rate_interval", "1m").replace("$stream", "a");
            assert!(!expression.contains('$'), "{file}: {title}: {expression}");
            let ours = promql::asked(&query).metrics.keys().all(|m| m.starts_with("msconv_"));
            // Restarts are marked when there are any.
            let may_be_empty = !ours || expression.contains("> 0");
            wait_for(&format!("{file}: {title}"), SOON, || {
                let found = asked(port, &expression)?;
                if may_be_empty || !found.is_empty() { Ok(()) } else { Err(format!("nothing: {expression}")) }
            });
            asked_for += 1;
        }
        // A label that Grafana lets people choose from.
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            let definition = variable["definition"].as_str().unwrap();
            let inside = definition.strip_prefix("label_values(").and_then(|d| d.strip_suffix(')')).unwrap();
            let (selector, label) = inside.rsplit_once(',').unwrap();
            let found = asked(port, &format!("count by ({}) ({selector})", label.trim())).unwrap();
            let values: Vec<&str> =
                found.iter().filter_map(|one| one["metric"][label.trim()].as_str()).collect();
            assert_eq!(values, ["a"], "{definition}");
        }
    }
    assert!(asked_for > 40, "{asked_for}");

    // The rules are read, each can be evaluated, and a healthy stream sets none off.
    let (_, body) = http_get(port, "/api/v1/rules").unwrap();
    let rules: Value = serde_json::from_str(&body).unwrap();
    let rules: Vec<&Value> = rules["data"]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|g| g["rules"].as_array().unwrap())
        .collect();
    assert_eq!(rules.len(), alerts().len());
    wait_for("the rules to be evaluated", SOON, || {
        let (_, body) = http_get(port, "/api/v1/rules")?;
        if body.contains("\"health\":\"unknown\"") { Err(body) } else { Ok(()) }
    });
    let (_, body) = http_get(port, "/api/v1/rules").unwrap();
    assert!(!body.contains("\"health\":\"err\""), "{body}");
    for name in
        ["StreamDown", "StreamNoBytes", "PublisherSilent", "TargetDown", "ServerDown", "ExporterBlind"]
    {
        let alert = alerts().into_iter().find(|a| a.name == name).unwrap();
        // On a busy machine one scrape may be lost; the alert waits for more than one as well.
        wait_for(&format!("{name} to be silent"), SOON, || {
            let found = asked(port, &alert.expression)?;
            if found.is_empty() { Ok(()) } else { Err(format!("{found:?}")) }
        });
    }
    // Off the air without a stop: the alert's expression sees it.
    let record = msconv::process::run_record::RunRecord::read(&stage.file("pids/.state/a.json")).unwrap();
    let supervisor = nix::unistd::Pid::from_raw(record.supervisor.unwrap().pid);
    nix::sys::signal::kill(supervisor, nix::sys::signal::Signal::SIGKILL).unwrap();
    let down = alerts().into_iter().find(|a| a.name == "StreamDown").unwrap().expression;
    wait_for("the stream to be missed", SOON, || asked(port, &down).is_ok_and(|found| found.len() == 1));
    drop(prometheus);
    drop(node);
    exporter.end();
    stage.msconv(&["stop", "--all"]);
    stage.msconv(&["down"]).expect(0);
}
