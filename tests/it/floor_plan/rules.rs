//! The rules of the house as functions from one file to its offences. `docs/architecture.md` gives the reasons.

use super::paths::{Named, paths};
use super::rust_text::{Token, tokens, without_tests};

/// The floors, lowest first. Modules of one floor do not know each other.
pub const FLOORS: &[(u8, &[&str])] = &[
    (0, &["base"]),
    (1, &["model"]),
    (
        2,
        &[
            "auth",
            "config",
            "ffmpeg",
            "machine",
            "media",
            "player",
            "process",
            "status",
            "store",
            "telemetry",
        ],
    ),
    (3, &["hub"]),
    (4, &["protocol"]),
    (5, &["platform"]),
    (6, &["backend", "server"]),
    (7, &["manager"]),
    (8, &["cli", "ui"]),
    (9, &["command"]),
];

/// The wings of `manager`, lowest first. Wings of one row do not know each other.
pub const WINGS: &[&[&str]] = &[
    &["records"],
    &["machine"],
    &["servers"],
    &["play"],
    &["devices"],
    &["streams"],
    &["listing"],
    &["doctor", "logs"],
    &["exporter", "export"],
];

/// Modules without I/O, clock, environment and async.
pub const PURE: &[&str] = &["model", "ffmpeg", "media", "player"];

/// What a pure module must not name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::os::unix::net",
    "std::io::stdin",
    "tokio",
    "reqwest",
    "nix",
    "which",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "jiff::tz::TimeZone::system",
    "crate::base::atomic_file",
    "crate::base::clock::now_ms",
    "crate::base::clock::local_time",
];

/// Ways to the terminal.
const PRINTING: &[&str] = &[
    "std::io::stdout",
    "std::io::stderr",
    "tokio::io::stdout",
    "tokio::io::stderr",
    "console",
    "dialoguer",
    "indicatif",
];
const PRINTING_MACROS: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

/// Ways to start a program.
const SPAWNING: &[&str] = &[
    "std::process::Command",
    "tokio::process::Command",
    "nix::unistd::fork",
    "nix::unistd::execv",
    "nix::unistd::execve",
    "nix::unistd::execvp",
    "nix::spawn",
    "nix::libc::fork",
];

/// Ways to change a file's content or name.
const WRITING: &[&str] = &[
    "std::fs::write",
    "std::fs::rename",
    "std::fs::copy",
    "std::fs::File::create",
    "std::fs::File::create_new",
    "std::fs::File::options",
    "tokio::fs::write",
    "tokio::fs::rename",
    "tokio::fs::copy",
    "tokio::fs::File::create",
];
const WRITING_OPTIONS: &[&str] = &["write", "append", "create", "create_new", "truncate"];

/// Names that say nothing.
const NAMELESS: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc", "shared", "stuff"];

/// Longest file that needs no reason, in lines.
pub const LONGEST: usize = 800;

/// An offence: which rule, where, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offence {
    /// Short name of the rule, for the table of exceptions.
    pub rule: &'static str,
    /// `src/a/b.rs:12: ...`
    pub text: String,
}

/// A file of `src/`, read and taken apart.
pub struct SourceFile {
    /// `src/config/layers.rs`.
    pub name: String,
    /// `["config", "layers"]`; empty for `lib.rs` and `main.rs`.
    pub module: Vec<String>,
    text: String,
    code: Vec<Token>,
    /// What it names.
    pub paths: Vec<Named>,
}

impl SourceFile {
    /// Takes `text` apart; `name` is relative to the package, with `/`.
    pub fn new(name: &str, text: &str) -> SourceFile {
        let stem = name.trim_start_matches("src/").trim_end_matches(".rs");
        let mut module: Vec<String> = stem.split('/').map(str::to_string).collect();
        if module.last().is_some_and(|m| m == "mod" || (module.len() == 1 && (m == "lib" || m == "main"))) {
            module.pop();
        }
        let code = without_tests(&tokens(text));
        let paths = paths(&module, &code);
        SourceFile { name: name.to_string(), module, text: text.to_string(), code, paths }
    }

    fn top(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }

    fn offence(&self, rule: &'static str, line: usize, found: impl std::fmt::Display) -> Offence {
        Offence { rule, text: format!("{}:{line}: {found}", self.name) }
    }

    /// Paths that stand under one of `prefixes`.
    fn naming<'a>(&'a self, prefixes: &'a [&str]) -> impl Iterator<Item = &'a Named> {
        self.paths.iter().filter(move |named| prefixes.iter().any(|p| named.under(p)))
    }

    fn text_at(&self, at: usize) -> &str {
        self.code.get(at).map_or("", |t| t.text.as_str())
    }
}

/// The floor of a top-level module.
pub fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, modules)| modules.contains(&module)).map(|(floor, _)| *floor)
}

/// The row of a wing of `manager`.
pub fn wing(module: &str) -> Option<usize> {
    WINGS.iter().position(|row| row.contains(&module))
}

/// Every offence of one file.
pub fn offences(file: &SourceFile) -> Vec<Offence> {
    let mut found = Vec::new();
    // Tests in a file of their own may do what tests inside a file may.
    if file.name.ends_with("tests.rs") || file.name.contains("/tests/") {
        found.extend(unsafe_code(file));
        found.extend(shape(file));
        return found;
    }
    found.extend(imports_go_down(file));
    found.extend(wings_keep_their_order(file));
    found.extend(pure_is_pure(file));
    found.extend(the_hub_names_no_protocol(file));
    found.extend(printing(file));
    found.extend(spawning(file));
    found.extend(environment(file));
    found.extend(signals(file));
    found.extend(next_steps(file));
    found.extend(writing(file));
    found.extend(unsafe_code(file));
    found.extend(shape(file));
    found
}

fn imports_go_down(file: &SourceFile) -> Vec<Offence> {
    let mut found = Vec::new();
    let rule = "imports go down";
    for named in &file.paths {
        if named.under("msconv") && file.name != "src/main.rs" {
            found.push(file.offence(rule, named.line, "names the package from inside; write `crate::`"));
        }
        let target = match (named.path.first().map(String::as_str), named.path.get(1)) {
            (Some("crate"), Some(target)) => target.as_str(),
            (Some("crate"), None) => "*",
            _ => continue,
        };
        let Some(own) = file.top() else { continue };
        if target == own {
            continue;
        }
        if target == "*" {
            found.push(file.offence(rule, named.line, "imports the whole package, which hides the floor"));
            continue;
        }
        match (floor(own), floor(target)) {
            (Some(from), Some(to)) if to < from => {}
            (Some(from), Some(to)) => {
                let way = if to == from { "sideways" } else { "upward" };
                let what =
                    format!("{way} import `{}`: {own} is on floor {from}, {target} on {to}", named.text());
                found.push(file.offence(rule, named.line, what));
            }
            (None, _) => found.push(file.offence(rule, 1, format!("module {own} stands on no floor"))),
            // A single word may be a macro of this package; modules always are on the plan.
            (_, None) => {
                found.push(file.offence(rule, named.line, format!("`{}` stands on no floor", named.text())));
            }
        }
    }
    found
}

fn wings_keep_their_order(file: &SourceFile) -> Vec<Offence> {
    let rule = "wings of manager keep their order";
    let [top, own, ..] = file.module.as_slice() else { return Vec::new() };
    if top != "manager" {
        return Vec::new();
    }
    let Some(from) = wing(own) else {
        return vec![file.offence(rule, 1, format!("manager::{own} is no wing of the plan"))];
    };
    let mut found = Vec::new();
    for named in file.paths.iter().filter(|named| named.under("crate::manager")) {
        let Some(target) = named.path.get(2).filter(|target| *target != own) else { continue };
        if wing(target).is_none_or(|to| to >= from) {
            found.push(file.offence(rule, named.line, format!("{own} does not know `{}`", named.text())));
        }
    }
    found
}

/// Whether a file is a protocol's `wire` or `session`: bytes and events in, bytes and events out.
fn is_dialog(name: &str) -> bool {
    let mut parts = name.trim_end_matches(".rs").split('/').skip_while(|part| *part != "protocol");
    parts.next().is_some()
        && parts.next().is_some()
        && parts.next().is_some_and(|p| p == "wire" || p == "session")
}

/// Words that the hub does not know: it serves every protocol and names none.
const PROTOCOLS: [&str; 5] = ["rtmp", "rtsp", "hls", "webrtc", "srt"];

fn the_hub_names_no_protocol(file: &SourceFile) -> Vec<Offence> {
    if file.top() != Some("hub") {
        return Vec::new();
    }
    let named = |text: &str| PROTOCOLS.iter().any(|p| text.to_ascii_lowercase().contains(p));
    file.code
        .iter()
        .filter(|token| named(&token.text))
        .map(|token| file.offence("the hub names no protocol", token.line, format!("`{}`", token.text)))
        .collect()
}

fn pure_is_pure(file: &SourceFile) -> Vec<Offence> {
    if !file.top().is_some_and(|top| PURE.contains(&top)) && !is_dialog(&file.name) {
        return Vec::new();
    }
    let rule = "pure modules do no I/O";
    let mut found: Vec<Offence> =
        file.naming(IMPURE).map(|n| file.offence(rule, n.line, format!("`{}`", n.text()))).collect();
    for (at, token) in file.code.iter().enumerate() {
        let method = file.text_at(at.wrapping_sub(1)) == "." && file.text_at(at + 1) == "(";
        let looks = ["exists", "is_file", "is_dir", "metadata", "canonicalize", "read_dir", "read_link"];
        if token.text == "async" || (method && looks.contains(&token.text.as_str())) {
            found.push(file.offence(rule, token.line, format!("`{}`", token.text)));
        }
    }
    found
}

fn printing(file: &SourceFile) -> Vec<Offence> {
    if matches!(file.top(), Some("ui" | "command")) {
        return Vec::new();
    }
    let rule = "only ui and command print";
    let mut found: Vec<Offence> =
        file.naming(PRINTING).map(|n| file.offence(rule, n.line, format!("`{}`", n.text()))).collect();
    for (at, token) in file.code.iter().enumerate() {
        if PRINTING_MACROS.contains(&token.text.as_str()) && file.text_at(at + 1) == "!" {
            found.push(file.offence(rule, token.line, format!("`{}!`", token.text)));
        }
    }
    found
}

fn spawning(file: &SourceFile) -> Vec<Offence> {
    if file.top() == Some("process") {
        return Vec::new();
    }
    let rule = "only process starts programs";
    file.naming(SPAWNING).map(|n| file.offence(rule, n.line, format!("`{}`", n.text()))).collect()
}

fn environment(file: &SourceFile) -> Vec<Offence> {
    if file.name == "src/config/environment.rs" {
        return Vec::new();
    }
    let rule = "only config reads the environment";
    file.naming(&["std::env", "nix::unistd::getcwd"])
        .map(|n| file.offence(rule, n.line, format!("`{}`", n.text())))
        .collect()
}

fn signals(file: &SourceFile) -> Vec<Offence> {
    if file.top() == Some("command") {
        return Vec::new();
    }
    let rule = "only command listens for signals";
    file.naming(&["tokio::signal"]).map(|n| file.offence(rule, n.line, format!("`{}`", n.text()))).collect()
}

/// A next step that stands as a command line where a page or a request may be what asks.
fn next_steps(file: &SourceFile) -> Vec<Offence> {
    if matches!(file.top(), Some("ui" | "command" | "cli")) {
        return Vec::new();
    }
    let production = file.text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    for call in [".hint(", ".next("] {
        for (at, _) in production.match_indices(call) {
            let argument = production.get(at + call.len()..).unwrap_or_default().trim_start();
            let argument = argument.strip_prefix("format!(").unwrap_or(argument).trim_start();
            if ["\"msconv ", "\"sudo msconv ", "\"--"].iter().any(|typed| argument.starts_with(typed)) {
                let line = production.get(..at).unwrap_or_default().lines().count();
                let shown = argument.lines().next().unwrap_or_default();
                found.push(file.offence("next steps are values", line, shown));
            }
        }
    }
    found
}

fn writing(file: &SourceFile) -> Vec<Offence> {
    // Segments of a window are media, and of no use to anybody once their server is gone.
    if ["src/base/atomic_file.rs", "src/protocol/hls/server/disk.rs"].contains(&file.name.as_str()) {
        return Vec::new();
    }
    let rule = "only base/atomic_file writes state files";
    let mut found: Vec<Offence> =
        file.naming(WRITING).map(|n| file.offence(rule, n.line, format!("`{}`", n.text()))).collect();
    for (at, token) in file.code.iter().enumerate() {
        let option = file.text_at(at.wrapping_sub(1)) == "."
            && WRITING_OPTIONS.contains(&token.text.as_str())
            && file.text_at(at + 1) == "("
            && file.text_at(at + 2) == "true";
        if option {
            found.push(file.offence(rule, token.line, format!("`.{}(true)`", token.text)));
        }
    }
    found
}

fn unsafe_code(file: &SourceFile) -> Vec<Offence> {
    if file.name == "src/process/sys.rs" {
        return Vec::new();
    }
    let words = file.code.iter().filter(|t| t.text == "unsafe");
    words.map(|t| file.offence("unsafe only in process/sys", t.line, "`unsafe`")).collect()
}

fn shape(file: &SourceFile) -> Vec<Offence> {
    let mut found = Vec::new();
    if !file.text.starts_with("//! ") {
        found.push(file.offence("files say what they are for", 1, "no `//!` on the first line"));
    }
    let lines = file.text.lines().count();
    if lines > LONGEST && !file.text.contains("\n//! Large because:") {
        found.push(file.offence(
            "large files say why",
            1,
            format!("{lines} lines and no `//! Large because:`"),
        ));
    }
    for part in &file.module {
        if NAMELESS.contains(&part.as_str()) {
            found.push(file.offence("names say something", 1, format!("module `{part}`")));
        }
    }
    for (at, token) in file.code.iter().enumerate() {
        let next = file.text_at(at + 1);
        match token.text.as_str() {
            "todo" | "unimplemented" if next == "!" => {
                found.push(file.offence("nothing unfinished", token.line, format!("`{}!`", token.text)));
            }
            "allow" if next == "(" && file.text_at(at.wrapping_sub(1)) == "[" => {
                let what = "`#[allow]`; write `#[expect(..., reason = \"...\")]`";
                found.push(file.offence("exceptions give a reason", token.line, what));
            }
            "path" if next == "=" && file.text_at(at.wrapping_sub(1)) == "[" => {
                found.push(file.offence("modules stand where they are named", token.line, "`#[path]`"));
            }
            _ => {}
        }
    }
    found
}

/// The measures of `docs/architecture.md`: half of the files have at most 150 lines, nine of ten at most 450, and at most
/// five functions have more than 80. What is beyond them, in words.
pub fn measures(files: &[SourceFile]) -> Vec<String> {
    let mut lengths: Vec<usize> = files.iter().map(|file| file.text.lines().count()).collect();
    lengths.sort_unstable();
    let at = |share: usize| lengths.get(lengths.len() * share / 100).copied().unwrap_or(0);
    let mut found = Vec::new();
    for (share, most) in [(50, 150), (90, 450)] {
        if at(share) > most {
            found.push(format!("{share} % of the files have up to {} lines, not {most}", at(share)));
        }
    }
    let long: Vec<String> = files.iter().flat_map(long_functions).collect();
    if long.len() > 5 {
        found.push(format!("{} functions have more than 80 lines: {}", long.len(), long.join(", ")));
    }
    found
}

/// Functions of more than 80 lines. rustfmt puts the brace that ends one under the word that begins it.
fn long_functions(file: &SourceFile) -> Vec<String> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(name) = words.iter().position(|w| *w == "fn").and_then(|n| words.get(n + 1)) else {
            continue;
        };
        let end = format!("{}}}", " ".repeat(indent));
        let length =
            lines.iter().skip(at).position(|l| *l == end || (l.trim_end().ends_with(';') && *l == *line));
        if let Some(length) = length.filter(|length| length + 1 > 80) {
            found.push(format!("{}:{} {name} ({})", file.name, at + 1, length + 1));
        }
    }
    found
}
