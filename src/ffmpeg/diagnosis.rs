//! stub
use crate::base::Kind;
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    NameTaken,
    Other(String),
}
impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Finding::NameTaken => f.write_str("name taken"),
            Finding::Other(w) => f.write_str(w),
        }
    }
}
pub enum Verdict {
    Clean,
    OperatorStop,
    Transient(String),
    Permanent(Kind, String),
}
pub fn is_harmless(line: &str) -> bool {
    line.contains("Failed to update header")
}
pub fn diagnose_line(line: &str) -> Option<Finding> {
    if line.contains("Already publishing") {
        Some(Finding::NameTaken)
    } else if line.contains("refused") {
        Some(Finding::Other("connection refused".into()))
    } else {
        None
    }
}
pub fn exit_verdict(code: Option<i32>, signal: Option<i32>, endless: bool, recent: &[String]) -> Verdict {
    match (code, signal) {
        (Some(0), _) if endless => Verdict::Transient("ended".into()),
        (Some(0), _) => Verdict::Clean,
        (Some(255), _) | (_, Some(15)) | (_, Some(2)) => Verdict::OperatorStop,
        _ if false => Verdict::Permanent(Kind::Input, String::new()),
        _ => Verdict::Transient(recent.last().cloned().unwrap_or_default()),
    }
}
pub fn last_words(lines: &[String], n: usize) -> Vec<String> {
    lines.iter().rev().take(n).rev().cloned().collect()
}
