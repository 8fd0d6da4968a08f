//! The house rules of `docs/architecture.md`, held against every file of `src/`.

mod circles;
mod paths;
mod rules;
mod rust_text;

use rules::{FLOORS, Offence, SourceFile, WINGS, floor, offences};
use std::path::{Path, PathBuf};

/// Where a rule may be broken, and why. An exception that nothing needs any more fails the test as well.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (WRITES, "src/process/child_log.rs", "a log grows line by line and is rotated by name"),
    (WRITES, "src/process/stream_lock.rs", "a lock file holds nothing"),
];
const WRITES: &str = "only base/atomic_file writes state files";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("src/ is readable").map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<SourceFile> {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    assert!(files.len() > 30, "src/ has been found");
    files
        .iter()
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            SourceFile::new(&name, &std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn every_file_keeps_the_rules() {
    let mut used = vec![false; EXCEPTIONS.len()];
    let mut broken: Vec<Offence> = Vec::new();
    for file in sources() {
        for offence in offences(&file) {
            match EXCEPTIONS.iter().position(|(rule, name, _)| *rule == offence.rule && *name == file.name) {
                Some(at) => used[at] = true,
                None => broken.push(offence),
            }
        }
    }
    let list: Vec<String> = broken.iter().map(|o| format!("{}\n    {}", o.rule, o.text)).collect();
    assert!(list.is_empty(), "{} offences against the house rules:\n{}", list.len(), list.join("\n"));
    for ((rule, name, _), used) in EXCEPTIONS.iter().zip(used) {
        assert!(used, "the exception from '{rule}' for {name} is no longer needed");
    }
}

#[test]
fn no_modules_go_in_circles() {
    let circles = circles::circles(&sources());
    assert!(circles.is_empty(), "{} circles:\n{}", circles.len(), circles.join("\n"));
}

#[test]
fn files_and_functions_stay_small() {
    let found = rules::measures(&sources());
    assert!(found.is_empty(), "{}", found.join("\n"));
    let long = format!("fn long() {{\n{}}}\n", "    x();\n".repeat(80));
    let file = SourceFile::new("src/base/a.rs", &long.repeat(6));
    let found = rules::measures(&[file]);
    assert!(found.len() == 3 && found[2].contains("6 functions"), "{found:?}");
}

#[test]
fn every_floor_has_its_modules() {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for (_, modules) in FLOORS {
        for module in *modules {
            assert!(lib.contains(&format!("pub mod {module};")), "{module} is on the plan but not in lib.rs");
        }
    }
    for line in lib.lines() {
        if let Some(module) = line.strip_prefix("pub mod ").and_then(|l| l.strip_suffix(';')) {
            assert!(floor(module).is_some(), "{module} is in lib.rs but on no floor");
        }
    }
}

#[test]
fn every_wing_of_manager_is_on_the_plan() {
    let manager = std::fs::read_to_string(root().join("src/manager/mod.rs")).unwrap();
    for module in WINGS.iter().copied().flatten() {
        assert!(
            manager.contains(&format!("pub mod {module};")),
            "{module} is on the plan but not in manager"
        );
    }
    assert_eq!(manager.matches("mod ").count(), WINGS.iter().copied().flatten().count());
}

#[test]
fn main_only_parses_runs_and_exits() {
    let text = std::fs::read_to_string(root().join("src/main.rs")).unwrap();
    assert!(text.lines().count() <= 30, "main.rs has grown");
    let tokens = rust_text::tokens(&text);
    for named in paths::paths(&[], &tokens) {
        if named.under("msconv") {
            assert!(
                named.under("msconv::cli") || named.under("msconv::command"),
                "main.rs names more than `cli` and `command`: {}",
                named.text()
            );
        }
    }
}

/// The rules that `text` breaks when it stands in `name`.
fn broken(name: &str, text: &str) -> Vec<&'static str> {
    let text = format!("//! A file.\n{text}");
    offences(&SourceFile::new(name, &text)).into_iter().map(|o| o.rule).collect()
}

#[test]
fn the_rules_bite() {
    let imports = "imports go down";
    let pure = "pure modules do no I/O";
    let print = "only ui and command print";
    let spawn = "only process starts programs";
    let environment = "only config reads the environment";
    let wings = "wings of manager keep their order";
    for (name, text, rule) in [
        ("src/model/a.rs", "use crate::config::Settings;", imports),
        ("src/config/a.rs", "use crate::process::identity;", imports),
        ("src/auth/a.rs", "use crate::config::Settings;", imports),
        ("src/auth/a.rs", "use crate::protocol::rtmp;", imports),
        ("src/cli/mod.rs", "use crate::ui::Console;", imports),
        ("src/base/a.rs", "use crate::{model::{Ladder, Rung}, base::Failure};", imports),
        ("src/base/a.rs", "use super::super::model::Ladder;", imports),
        ("src/base/mod.rs", "use super::model::Ladder;", imports),
        ("src/base/a.rs", "fn f() { let x = crate::model::ladder::DEFAULT; }", imports),
        ("src/base/a.rs", "fn f() -> Vec<crate::model::Ladder> { vec![] }", imports),
        ("src/base/a.rs", "mod inner { use super::super::super::model::Ladder; }", imports),
        ("src/base/a.rs", "use crate as house;", imports),
        ("src/base/a.rs", "use crate::*;", imports),
        ("src/base/a.rs", "use msconv::model::Ladder;", imports),
        ("src/base/a.rs", "use crate::nowhere::Thing;", imports),
        ("src/attic/a.rs", "use crate::base::Failure;", imports),
        ("src/base/a.rs", "fn f() { assert!(crate::model::x(), \"\") }", imports),
        ("src/manager/records/a.rs", "use crate::manager::machine::power;", wings),
        ("src/manager/devices/mod.rs", "use super::streams::stop;", wings),
        ("src/manager/devices/a.rs", "fn f() { super::super::streams::stop::stop() }", wings),
        ("src/manager/doctor/a.rs", "use crate::manager::{records::ours, logs};", wings),
        ("src/manager/play/a.rs", "use crate::manager::*;", wings),
        ("src/manager/a.rs", "", wings),
        ("src/protocol/x/wire/a.rs", "use tokio::net::TcpStream;", pure),
        ("src/protocol/x/session/a.rs", "fn f() { std::time::Instant::now(); }", pure),
        ("src/hub/a.rs", "enum Kind { Rtmp }", "the hub names no protocol"),
        ("src/model/a.rs", "use std::fs;", pure),
        ("src/model/a.rs", "use std::{fmt, fs::File};", pure),
        ("src/ffmpeg/a.rs", "fn f() { std::time::Instant::now(); }", pure),
        ("src/ffmpeg/a.rs", "use std::time::{Duration, SystemTime};", pure),
        ("src/player/a.rs", "pub async fn f() {}", pure),
        ("src/player/a.rs", "fn f(p: &std::path::Path) -> bool { p.exists() }", pure),
        ("src/ffmpeg/a.rs", "use crate::base::clock; fn f() -> i64 { clock::now_ms() }", pure),
        ("src/ffmpeg/a.rs", "use tokio::io::AsyncRead;", pure),
        ("src/manager/records/a.rs", "fn f() { println!(\"x\"); }", print),
        ("src/process/a.rs", "use std::io; fn f() { io::stderr(); }", print),
        ("src/process/a.rs", "use std::io::{self, Write}; fn f() { let _ = io::stdout(); }", print),
        ("src/manager/records/a.rs", "fn f() { dbg!(1); }", print),
        ("src/manager/records/a.rs", "fn f() { indicatif::ProgressBar::new(1); }", print),
        ("src/manager/records/a.rs", "use std::process::Command;", spawn),
        ("src/backend/a.rs", "use tokio::process; fn f() { process::Command::new(\"x\"); }", spawn),
        ("src/ui/a.rs", "use std::process::{self as p}; fn f() { p::Command::new(\"x\"); }", spawn),
        ("src/process/a.rs", "fn f() { std::env::var(\"X\"); }", environment),
        ("src/config/keys.rs", "use std::env; fn f() { env::current_dir(); }", environment),
        ("src/backend/a.rs", "fn f(x: X) { x.hint(\"msconv up\") }", "next steps are values"),
        (
            "src/manager/records/a.rs",
            "fn f(x: X) { x.hint(\n format!(\"--wait {}\", 1)) }",
            "next steps are values",
        ),
        ("src/process/a.rs", "use tokio::signal::unix::signal;", "only command listens for signals"),
        (
            "src/manager/records/a.rs",
            "async fn f() { tokio::signal::ctrl_c().await; }",
            "only command listens for signals",
        ),
        ("src/config/a.rs", "use std::fs; fn f() { fs::write(\"a\", \"b\"); }", WRITES),
        ("src/manager/records/a.rs", "use std::fs::File; fn f() { File::create(\"a\"); }", WRITES),
        ("src/manager/records/a.rs", "fn f() { std::fs::OpenOptions::new().append(true); }", WRITES),
        ("src/process/a.rs", "fn f() { unsafe { g() } }", "unsafe only in process/sys"),
        ("src/process/utils.rs", "", "names say something"),
        ("src/process/common/a.rs", "", "names say something"),
        ("src/process/a.rs", "fn f() { todo!() }", "nothing unfinished"),
        ("src/process/a.rs", "#[allow(dead_code)] fn f() {}", "exceptions give a reason"),
        ("src/process/a.rs", "#[path = \"b.rs\"] mod c;", "modules stand where they are named"),
    ] {
        assert!(broken(name, text).contains(&rule), "'{rule}' does not see {name}: {text}");
    }
    let long = "//\n".repeat(rules::LONGEST);
    assert_eq!(broken("src/process/a.rs", &long), ["large files say why"]);
    assert_eq!(broken("src/process/a.rs", &format!("//! Large because: a table.\n{long}")), [""; 0]);
    assert_eq!(
        offences(&SourceFile::new("src/base/a.rs", "use std::fmt;\n"))[0].rule,
        "files say what they are for"
    );
}

#[test]
fn the_rules_leave_honest_code_alone() {
    for (name, text) in [
        (
            "src/manager/records/a.rs",
            "use crate::{base::{Failure, Outcome}, config::Settings, process::identity};",
        ),
        (
            "src/command/a.rs",
            "use super::Context; use crate::ui::{Console, console}; fn f() { console::report(); }",
        ),
        ("src/manager/streams/stop.rs", "use super::source; use crate::manager::{devices, records::ours};"),
        ("src/config/a.rs", "use super::keys; use super::super::base::Failure; pub(crate) fn f() {}"),
        ("src/config/a.rs", "pub(in crate::config) fn f() {}"),
        ("src/model/a.rs", "use std::net::Ipv6Addr; use std::time::Duration;"),
        ("src/protocol/x/server.rs", "use tokio::net::TcpStream; async fn f() {}"),
        ("src/model/a.rs", "// std::fs::write in a comment\n/* use tokio; /* nested */ println!() */"),
        (
            "src/model/a.rs",
            "const A: &str = \"std::fs::read(unsafe println!)\"; const B: &str = r#\"use \"tokio\"\"#;",
        ),
        (
            "src/model/a.rs",
            "const C: char = '\"'; const D: char = '\\''; fn f<'a>(x: &'a str) -> &'a str { x }",
        ),
        (
            "src/model/a.rs",
            "#[cfg(test)]\nmod tests { use super::*; fn f() { std::fs::write(\"a\", \"b\"); } }",
        ),
        ("src/model/a.rs", "#[cfg(test)]\nuse std::fs;\nfn g() {}"),
        (
            "src/manager/records/a.rs",
            "fn f(c: &mut X) { c.stdout(1).stderr(2); env!(\"CARGO_PKG_VERSION\"); }",
        ),
        ("src/ui/a.rs", "use std::io; fn f() { println!(\"x\"); io::stdout(); }"),
        ("src/process/spawn.rs", "use tokio::process::Command; fn f() { Command::new(\"x\"); }"),
        ("src/process/sys.rs", "fn f() { unsafe { g() } }"),
        ("src/config/environment.rs", "fn f() { std::env::vars_os(); }"),
        ("src/base/atomic_file.rs", "fn f() { std::fs::rename(\"a\", \"b\"); x.create_new(true); }"),
        ("src/cli/mod.rs", "pub enum Command { A } fn f() { Command::A; }"),
        ("src/manager/records/a.rs", "fn f() { std::fs::OpenOptions::new().read(true); }"),
    ] {
        assert_eq!(broken(name, text), [""; 0], "{name}: {text}");
    }
    // What follows a skipped test module is seen again.
    let text = "#[cfg(test)]\nmod tests { fn f() { let x = [1]; } }\nfn g() { println!(); }";
    assert_eq!(broken("src/model/a.rs", text), ["only ui and command print"]);
}
