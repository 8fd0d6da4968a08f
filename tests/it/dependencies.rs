//! What is built in may be given away, and nothing known to be dangerous is among it: `deny.toml`, read here so that
//! every run of the tests holds it, with or without `cargo deny`.

use serde_json::Value;
use std::process::Command;

/// The packages that a build for Linux takes in: name, version, licence. All come from one registry.
fn packages() -> Vec<(String, String, String)> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--locked", "--format-version", "1"]);
    command.args(["--filter-platform", &format!("{}-unknown-linux-gnu", std::env::consts::ARCH)]);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let used: Vec<&Value> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|n| &n["id"]).collect();
    let text = |package: &Value, field: &str| package[field].as_str().unwrap_or_default().to_string();
    let packages = metadata["packages"].as_array().unwrap().iter().filter(|p| used.contains(&&p["id"]));
    let packages: Vec<&Value> = packages.collect();
    let mut sources: Vec<&Value> = packages.iter().map(|p| &p["source"]).filter(|s| !s.is_null()).collect();
    sources.dedup();
    assert!(
        matches!(sources.as_slice(), [one] if one.as_str().unwrap().starts_with("registry+")),
        "{sources:?}"
    );
    packages.iter().map(|p| (text(p, "name"), text(p, "version"), text(p, "license"))).collect()
}

/// Whether a licence expression can be met with the allowed ones: `(MIT OR Apache-2.0) AND Unicode-3.0`.
fn met(expression: &str, allowed: &[String]) -> bool {
    let spaced =
        expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "_WITH_");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any(&mut rest, allowed) && rest.is_empty()
}

fn any(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut met = all(rest, allowed);
    while let Some((&"OR", tail)) = rest.split_first() {
        *rest = tail;
        met |= all(rest, allowed);
    }
    met
}

fn all(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut met = one(rest, allowed);
    while let Some((&"AND", tail)) = rest.split_first() {
        *rest = tail;
        met &= one(rest, allowed);
    }
    met
}

fn one(rest: &mut &[&str], allowed: &[String]) -> bool {
    let Some((word, tail)) = rest.split_first() else { return false };
    *rest = tail;
    if *word != "(" {
        return allowed.iter().any(|a| a.replace(" WITH ", "_WITH_") == *word);
    }
    let met = any(rest, allowed);
    let Some((&")", tail)) = rest.split_first() else { return false };
    *rest = tail;
    met
}

/// The parts of a version that are numbers.
fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

#[test]
fn licences_and_bans_of_deny_toml_are_kept() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml");
    let rules: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let list = |table: &str, field: &str| rules[table][field].as_array().unwrap().clone();
    let allowed: Vec<String> = list("licenses", "allow").iter().map(|l| l.as_str().unwrap().into()).collect();
    let banned: Vec<String> =
        list("bans", "deny").iter().map(|b| b["crate"].as_str().unwrap().to_string()).collect();
    assert!(allowed.len() > 3 && banned.len() > 5, "the lists are read");
    let mut exceptions: Vec<(String, Vec<String>)> = Vec::new();
    for exception in list("licenses", "exceptions") {
        let more = exception["allow"].as_array().unwrap().iter().map(|l| l.as_str().unwrap().into());
        exceptions.push((exception["crate"].as_str().unwrap().into(), more.collect()));
    }
    let packages = packages();
    assert!(packages.len() > 100, "{} packages", packages.len());
    let mut wrong = Vec::new();
    for (name, version, licence) in &packages {
        let excepted = exceptions.iter().find(|(of, _)| of == name);
        if !met(licence, &allowed) && !excepted.is_some_and(|(_, more)| met(licence, more)) {
            wrong.push(format!("{name} {version}: the licence '{licence}' is not allowed"));
        }
        for rule in &banned {
            let (of, below) = rule.split_once("@<").unwrap_or((rule, "99999"));
            if of == name && numbers(version) < numbers(below) {
                wrong.push(format!("{name} {version} is banned by {rule}"));
            }
        }
    }
    for (name, _) in &exceptions {
        if !packages.iter().any(|(of, ..)| of == name) {
            wrong.push(format!("{name} has an exception and is not built in"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn expressions_are_read_as_they_are_meant() {
    let allowed = ["MIT".to_string(), "Apache-2.0 WITH LLVM-exception".into(), "Unicode-3.0".into()];
    for good in [
        "MIT",
        "MIT OR GPL-3.0",
        "MIT/GPL-3.0",
        "(MIT OR GPL-3.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR X",
    ] {
        assert!(met(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "(MIT", "MIT MIT"] {
        assert!(!met(bad, &allowed), "{bad}");
    }
}
