//! What docker/prometheus and docker/grafana hold, taken apart as far as the tests need it.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// A file of the repository.
pub fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Its text.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(place(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// One alert of rules.yml.
pub struct Alert {
    pub name: String,
    pub expression: String,
    /// Everything beneath its name.
    pub text: String,
}

/// The alerts of rules.yml. Prometheus reads it as YAML in the tests; here its lines are enough.
pub fn alerts() -> Vec<Alert> {
    let text = read("docker/prometheus/rules.yml");
    text.split("- alert: ")
        .skip(1)
        .map(|piece| {
            let (name, text) = piece.split_once('\n').unwrap();
            let (_, after) = text.split_once("expr:").unwrap_or_else(|| panic!("{name} has an expression"));
            let (first, rest) = after.split_once('\n').unwrap();
            let expression = match first.trim() {
                ">-" => {
                    rest.lines().take_while(|l| l.starts_with("          ")).collect::<Vec<_>>().join(" ")
                }
                line => line.to_string(),
            };
            Alert { name: name.trim().to_string(), expression, text: text.to_string() }
        })
        .collect()
}

/// The dashboards, by file name.
pub fn dashboards() -> Vec<(String, Value)> {
    let mut found: Vec<(String, Value)> = std::fs::read_dir(place("docker/grafana/dashboards"))
        .unwrap()
        .flatten()
        .filter(|f| f.path().extension().is_some_and(|e| e == "json"))
        .map(|f| {
            let text = std::fs::read_to_string(f.path()).unwrap();
            (f.file_name().to_string_lossy().into_owned(), serde_json::from_str(&text).unwrap())
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Every query of a dashboard, with the title of its panel.
pub fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap().to_string();
        for target in panel["targets"].as_array().into_iter().flatten() {
            found.push((title.clone(), target["expr"].as_str().unwrap().to_string()));
        }
    }
    for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
        if let Some(expression) = annotation["expr"].as_str() {
            found.push(("an annotation".to_string(), expression.to_string()));
        }
    }
    found
}
