//! Prometheus' own checker of metrics.

use super::Stage;
use std::io::Write;
use std::process::Stdio;

/// What `promtool check metrics` says of a page: exit code and words. Ask `needs("promtool")` first.
pub fn checked_metrics(stage: &Stage, page: &str) -> (Option<i32>, String) {
    let mut command = stage.command("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}
