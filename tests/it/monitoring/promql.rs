//! Which metrics and labels an expression of PromQL names. No parser: Prometheus itself says whether an expression is
//! well formed, this says only what it asks for.

use std::collections::{BTreeMap, BTreeSet};

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Metrics, each with the labels by which it is chosen.
    pub metrics: BTreeMap<String, BTreeSet<String>>,
    /// Labels by which is grouped or matched: `by`, `without`, `on`, `ignoring`, `group_left`, `group_right`.
    pub grouped: BTreeSet<String>,
}

const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const WORDS: [&str; 8] = ["and", "or", "unless", "bool", "offset", "inf", "nan", "atan2"];

/// What `expression` names.
pub fn asked(expression: &str) -> Asked {
    let tokens = tokens(expression);
    let mut found = Asked::default();
    let mut at = 0;
    let text = |at: usize| tokens.get(at).map_or("", String::as_str);
    while at < tokens.len() {
        let word = text(at);
        if GROUPING.contains(&word) {
            at += 1;
            if text(at) == "(" {
                while at < tokens.len() && text(at) != ")" {
                    if is_name(text(at)) {
                        found.grouped.insert(text(at).to_string());
                    }
                    at += 1;
                }
            }
        } else if text(at) == "[" {
            while at < tokens.len() && text(at) != "]" {
                at += 1;
            }
        } else if is_name(word)
            && !WORDS.contains(&word)
            && text(at + 1) != "("
            && !grouping_follows(&tokens, at)
        {
            let labels = found.metrics.entry(word.to_string()).or_default();
            if text(at + 1) == "{" {
                at += 2;
                while at < tokens.len() && text(at) != "}" {
                    if is_name(text(at)) {
                        labels.insert(text(at).to_string());
                    }
                    at += 1;
                }
            }
        }
        at += 1;
    }
    found
}

/// `sum by (...) (...)`: a function whose grouping stands before its parentheses.
fn grouping_follows(tokens: &[String], at: usize) -> bool {
    tokens.get(at + 1).is_some_and(|next| next == "by" || next == "without")
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':')
}

/// Names, and single characters; texts in quotes are gone, numbers with their units too.
fn tokens(expression: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut letters = expression.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' | '\'' => {
                while let Some(inside) = letters.next() {
                    match inside {
                        '\\' => drop(letters.next()),
                        end if end == letter => break,
                        _ => {}
                    }
                }
            }
            c if c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '$') => {
                let mut word = String::from(c);
                while let Some(next) =
                    letters.next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
                {
                    word.push(next);
                }
                tokens.push(word);
            }
            c if c.is_whitespace() => {}
            c => tokens.push(c.to_string()),
        }
    }
    tokens
}

#[test]
fn what_an_expression_asks_for_is_found() {
    let found = asked(
        r#"sum by (home, stream) (a_b{state=~"x|y\"{z}", other="d"}) / on (stream) group_left (home) rate(c_total[$__rate_interval])
           > 0 and time() - min without (q) (d) unless on (variant) e_f offset 5m or vector(1e3)"#,
    );
    let names = |list: &[&str]| list.iter().map(|s| s.to_string()).collect::<BTreeSet<_>>();
    assert_eq!(
        found.metrics.keys().cloned().collect::<BTreeSet<_>>(),
        names(&["a_b", "c_total", "d", "e_f"])
    );
    assert_eq!(found.metrics["a_b"], names(&["state", "other"]));
    assert_eq!(found.grouped, names(&["home", "stream", "q", "variant"]));
}
