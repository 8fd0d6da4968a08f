//! Circles between modules: two files that cannot be understood without each other are one thing in two files. A module
//! and its parts are one thing by right.

use super::rules::SourceFile;
use std::collections::{BTreeMap, BTreeSet};

type Arrows<'a> = BTreeMap<&'a [String], BTreeSet<&'a [String]>>;

/// Every circle, as the names of its modules.
pub fn circles(files: &[SourceFile]) -> Vec<String> {
    let arrows = arrows(files);
    let reach: Arrows<'_> = arrows.keys().map(|from| (*from, reached(&arrows, from))).collect();
    let mut found = BTreeSet::new();
    for (from, to) in &reach {
        let mut circle: BTreeSet<String> =
            to.iter().filter(|other| reach[*other].contains(from)).map(|other| other.join("::")).collect();
        circle.remove(&from.join("::"));
        if !circle.is_empty() {
            circle.insert(from.join("::"));
            found.insert(circle.into_iter().collect::<Vec<_>>().join(" <-> "));
        }
    }
    found.into_iter().collect()
}

fn arrows(files: &[SourceFile]) -> Arrows<'_> {
    let modules: BTreeSet<&[String]> = files.iter().map(|file| file.module.as_slice()).collect();
    let mut arrows: Arrows<'_> = modules.iter().map(|module| (*module, BTreeSet::new())).collect();
    for file in files {
        for named in file.paths.iter().filter(|named| named.under("crate")) {
            let path = named.path.get(1..).unwrap_or_default();
            let longest = (1..=path.len()).rev().find_map(|n| modules.get(path.get(..n)?).copied());
            if let Some(target) = longest.filter(|target| !one_thing(&file.module, target)) {
                arrows.entry(&file.module).or_default().insert(target);
            }
        }
    }
    arrows
}

/// Whether one of the two is a part of the other.
fn one_thing(a: &[String], b: &[String]) -> bool {
    a.iter().zip(b).all(|(a, b)| a == b)
}

fn reached<'a>(arrows: &Arrows<'a>, from: &'a [String]) -> BTreeSet<&'a [String]> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&[String]> = arrows.get(from).into_iter().flatten().copied().collect();
    while let Some(next) = open.pop() {
        if seen.insert(next) {
            open.extend(arrows.get(next).into_iter().flatten());
        }
    }
    seen
}

#[test]
fn circles_are_seen_and_parts_are_not() {
    let file = |name: &str, text: &str| SourceFile::new(name, text);
    let a = file("src/hub/a.rs", "use super::b::B;");
    let b = file("src/hub/b.rs", "use super::c;");
    let c = file("src/hub/c/mod.rs", "mod d; use d::D;");
    let d = file("src/hub/c/d.rs", "use super::super::a::A; use super::C;");
    assert_eq!(circles(&[a, b, c, d]), [""; 0], "d is a part of c");
    let a = file("src/hub/a.rs", "use super::b::B;");
    let b = file("src/hub/b.rs", "fn f(x: crate::hub::c::C) {}");
    let c = file("src/hub/c.rs", "use super::a::A;");
    assert_eq!(circles(&[a, b, c]), ["hub::a <-> hub::b <-> hub::c"]);
}
