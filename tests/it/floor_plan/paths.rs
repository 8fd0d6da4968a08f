//! Every path that a file names, with `crate`, `super`, `self`, groups and imported names written out.

use super::rust_text::Token;
use std::collections::BTreeMap;

/// A path such as `crate::model::StreamKey` or `std::fs::write`, and the line it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The segments; the first is `crate` for paths of this package.
    pub path: Vec<String>,
    /// Counted from 1.
    pub line: usize,
}

impl Named {
    /// `a::b::c`.
    pub fn text(&self) -> String {
        self.path.join("::")
    }

    /// Whether this is `prefix` or something below it.
    pub fn under(&self, prefix: &str) -> bool {
        let wanted: Vec<&str> = prefix.split("::").collect();
        self.path.len() >= wanted.len() && self.path.iter().zip(&wanted).all(|(a, b)| a == b)
    }
}

/// All paths of a file whose module is `module` (`["config", "layers"]`), imported names resolved.
pub fn paths(module: &[String], tokens: &[Token]) -> Vec<Named> {
    let mut walk = Walk { tokens, module: module.to_vec(), found: Vec::new(), imported: BTreeMap::new() };
    walk.run();
    let Walk { found, imported, .. } = walk;
    found.into_iter().map(|named| resolve(named, &imported)).collect()
}

fn resolve(named: Named, imported: &BTreeMap<String, Vec<String>>) -> Named {
    match named.path.first().and_then(|first| imported.get(first)) {
        Some(full) => {
            let path = full.iter().chain(named.path.iter().skip(1)).cloned().collect();
            Named { path, line: named.line }
        }
        None => named,
    }
}

struct Walk<'a> {
    tokens: &'a [Token],
    module: Vec<String>,
    found: Vec<Named>,
    imported: BTreeMap<String, Vec<String>>,
}

impl Walk<'_> {
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |t| t.text.as_str())
    }

    fn line(&self, at: usize) -> usize {
        self.tokens.get(at).map_or(0, |t| t.line)
    }

    fn run(&mut self) {
        let mut at = 0;
        let mut depth = 0usize;
        let mut inner: Vec<usize> = Vec::new();
        while at < self.tokens.len() {
            match self.text(at) {
                "{" => depth += 1,
                "}" => {
                    depth = depth.saturating_sub(1);
                    if inner.last() == Some(&depth) {
                        inner.pop();
                        self.module.pop();
                    }
                }
                "mod" if is_word(self.text(at + 1)) && self.text(at + 2) == "{" => {
                    self.module.push(self.text(at + 1).to_string());
                    inner.push(depth);
                }
                "use" if self.text(at + 1) != "<" => {
                    at = self.tree(at + 1, &[], true);
                    continue;
                }
                word if is_word(word) && self.text(at + 1) == "::" => {
                    at = self.tree(at, &[], false);
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Reads one path or one tree of a `use`; gives back where it ends.
    fn tree(&mut self, mut at: usize, prefix: &[String], import: bool) -> usize {
        let line = self.line(at);
        let mut path = prefix.to_vec();
        if self.text(at) == "::" {
            at += 1;
        }
        loop {
            let word = self.text(at).to_string();
            if word == "{" && import {
                return self.group(at + 1, &path);
            }
            if word == "*" && import {
                path.push(word);
                at += 1;
                break;
            }
            if !is_word(&word) {
                break;
            }
            self.step(&mut path, word);
            at += 1;
            if self.text(at) != "::" {
                break;
            }
            at += 1;
        }
        if import {
            let alias = if self.text(at) == "as" {
                at += 2;
                Some(self.text(at - 1).to_string())
            } else {
                path.last().cloned()
            };
            let target = match path.last().map(String::as_str) {
                Some("self") if path.len() > 1 => path.get(..path.len() - 1).unwrap_or_default().to_vec(),
                _ => path.clone(),
            };
            let alias = match alias.as_deref() {
                Some("self") => target.last().cloned(),
                other => other.map(str::to_string),
            };
            if let Some(alias) = alias.filter(|a| a != "_" && a != "*" && !target.is_empty()) {
                self.imported.insert(alias, target.clone());
            }
            path = target;
        }
        self.found.push(Named { path, line });
        at
    }

    fn group(&mut self, mut at: usize, prefix: &[String]) -> usize {
        while at < self.tokens.len() && self.text(at) != "}" {
            let before = at;
            at = self.tree(at, prefix, true);
            if self.text(at) == "," || at == before {
                at += 1;
            }
        }
        at + 1
    }

    /// Adds one segment; `super`, `self` and `crate` at the front become places in the package.
    fn step(&self, path: &mut Vec<String>, word: String) {
        match word.as_str() {
            "super" if path.is_empty() => {
                path.push("crate".into());
                path.extend(self.module.iter().take(self.module.len().saturating_sub(1)).cloned());
            }
            "super" => {
                if path.len() > 1 {
                    path.pop();
                }
            }
            "self" if path.is_empty() => {
                path.push("crate".into());
                path.extend(self.module.iter().cloned());
            }
            _ => path.push(word),
        }
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}
