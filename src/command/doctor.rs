//! `msconv doctor`.

use super::Context;
use crate::base::printable::printable;
use crate::base::{Failure, Outcome};
use crate::cli::DoctorArgs;
use crate::manager::doctor::{self, Check, Status};
use crate::ui::failure_text;
use serde::Serialize;
use serde_json::json;

/// Runs it; the exit code: 0 if a publish would work.
///
/// # Errors
/// Internal, if stdout cannot take the report; what is wrong is in it.
pub fn run(context: &Context, args: &DoctorArgs) -> Outcome<u8> {
    let checks = context.block_on(doctor::examine(&context.settings, &context.environment, args.fix))?;
    let code = doctor::exit_code(&checks);
    let console = &context.console;
    if console.json {
        let shown: Vec<Shown<'_>> = checks.iter().map(Shown::of).collect();
        console.object(&json!({ "schema": "msconv.doctor/1", "ok": code == 0, "checks": shown }))?;
        return Ok(code);
    }
    if console.quiet {
        for check in checks.iter().filter(|c| c.status == Status::Fail) {
            let _ = console.failure(&failure(check));
        }
        return Ok(code);
    }
    let widest = checks.iter().map(|c| c.name.chars().count()).max().unwrap_or(0);
    for check in &checks {
        for line in lines(check, widest, |style, text| console.paint_out(style, text)) {
            console.say(&line)?;
        }
    }
    console.say(&verdict(&checks))?;
    Ok(code)
}

/// A check as JSON has it.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    status: Status,
    detail: &'a str,
    #[serde(rename = "try")]
    next: Vec<String>,
}

impl Shown<'_> {
    fn of(check: &Check) -> Shown<'_> {
        let Check { name, status, detail, next, .. } = check;
        Shown { name, status: *status, detail, next: failure_text::steps(next) }
    }
}

fn failure(check: &Check) -> Failure {
    let failure = Failure::new(check.kind, format!("{}: {}", check.name, check.detail));
    check.next.iter().fold(failure, |failure, step| failure.hint(step.clone()))
}

fn lines(check: &Check, widest: usize, paint: impl Fn(&str, &str) -> String) -> Vec<String> {
    let style = match check.status {
        Status::Ok => "32",
        Status::Warn => "33",
        Status::Fail => "1;31",
    };
    let word = paint(style, &format!("{:<4}", check.status.word()));
    let mut lines = vec![format!("{word}  {:<widest$}  {}", check.name, printable(&check.detail))];
    lines.extend(
        check.next.iter().map(|step| format!("      {:<widest$}  try: {}", "", failure_text::step(step))),
    );
    lines
}

fn verdict(checks: &[Check]) -> String {
    let count = |status| checks.iter().filter(|c| c.status == status).count();
    match (count(Status::Fail), count(Status::Warn)) {
        (0, 0) => "everything is right".into(),
        (0, _) => "a publish would work".into(),
        (1, _) => "a publish would not work: 1 thing must be mended first".into(),
        (n, _) => format!("a publish would not work: {n} things must be mended first"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Kind;

    #[test]
    fn one_line_each_with_the_next_step_below() {
        let check = Check::fail("nginx", Kind::Missing, "not \u{1b}[31minstalled").next("apt install nginx");
        assert_eq!(
            lines(&check, 8, |_, text| text.to_string()),
            ["fail  nginx     not \u{fffd}[31minstalled", "                try: apt install nginx"]
        );
        assert_eq!(
            verdict(std::slice::from_ref(&check)),
            "a publish would not work: 1 thing must be mended first"
        );
        assert_eq!(
            failure_text::text(&failure(&check)),
            "nginx: not \u{fffd}[31minstalled\n  try: apt install nginx"
        );
        assert_eq!(verdict(&[Check::warn("a", "")]), "a publish would work");
    }
}
