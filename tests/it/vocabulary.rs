//! The field's words, everywhere: `docs/glossary.md` says which, and these are the ones that are not used.

use std::path::{Path, PathBuf};

/// A word that is not used, what stands for it, and where it may stand after all (a part of the line).
const FORBIDDEN: &[(&str, &str, &[&str])] = &[
    (
        "sound",
        "audio",
        &["sound server", "Sound Device", "is sound", "cannot sound at once", "sound-only.txt"],
    ),
    ("sounds", "audio", &["how long it sounds"]),
    (
        "pictures",
        "video, or frames",
        &[
            "group of pictures",
            "groups of pictures",
            "Group of pictures",
            "test pictures",
            "IRAP pictures",
            "pictures of a kind",
        ],
    ),
    ("face", "endpoint", &[]),
    ("faces", "endpoints", &[]),
    ("looker", "probe, sampler", &[]),
    ("guest", "connection", &["in a virtual machine"]),
    ("guests", "connections", &["in a virtual machine"]),
    ("door", "admission", &[]),
    ("Wish", "Request, Intent, Selection", &[]),
    ("wish", "request", &["wish for", "people wish"]),
    ("lane", "format group, RTP stream", &[]),
];

/// What is read: our own words. Recorded data and the Russian README are not.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !["data", "golden", "target", "corpus", "artifacts"].iter().any(|skip| path.ends_with(skip)) {
                files(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs" || e == "md") {
            found.push(path);
        }
    }
}

fn offences(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric()).collect();
        for (word, instead, allowed) in FORBIDDEN {
            if words.contains(word) && !allowed.iter().any(|part| line.contains(part)) {
                found.push(format!("{name}:{}: '{word}', say {instead}: {}", number + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn the_glossary_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = vec![root.join("README.md"), root.join("CONTRIBUTING.md"), root.join("SECURITY.md")];
    for folder in ["src", "tests", "docs", "benches", "fuzz/fuzz_targets"] {
        files(&root.join(folder), &mut all);
    }
    let mut found = Vec::new();
    for path in all.iter().filter(|path| !path.ends_with("tests/it/vocabulary.rs")) {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        found.extend(offences(&name, &std::fs::read_to_string(path).unwrap()));
    }
    assert!(found.is_empty(), "{} words against the glossary:\n{}", found.len(), found.join("\n"));
}

#[test]
fn words_are_found_whole_and_in_names() {
    assert_eq!(offences("a", "a picture and sound").len(), 1);
    assert_eq!(offences("a", "let sound_clock = 1;").len(), 1);
    assert_eq!(offences("a", "surface, interface, the sound server").len(), 0);
    assert_eq!(offences("a", "a group of pictures").len(), 0);
    assert_eq!(offences("a", "lost pictures").len(), 1);
}
