//! Tests of `tee`.

use super::*;
use proptest::prelude::*;

/// Reads a token as libavutil's `av_get_token` does; gives the token and what follows it.
fn read<'a>(text: &'a str, ends: &str) -> (String, &'a str) {
    let blank = |c: char| matches!(c, ' ' | '\n' | '\t' | '\r');
    let mut out = String::new();
    let mut fixed = 0;
    let mut letters = text.trim_start_matches(blank).char_indices().peekable();
    let base = text.len() - text.trim_start_matches(blank).len();
    let mut rest = text.len();
    while let Some((at, letter)) = letters.next() {
        match letter {
            c if ends.contains(c) => {
                rest = base + at;
                break;
            }
            '\\' if letters.peek().is_some() => {
                out.push(letters.next().unwrap().1);
                fixed = out.len();
            }
            '\'' => {
                for (_, quoted) in letters.by_ref() {
                    if quoted == '\'' {
                        break;
                    }
                    out.push(quoted);
                }
                fixed = out.len();
            }
            c => out.push(c),
        }
    }
    while out.len() > fixed && out.ends_with(blank) {
        out.pop();
    }
    (out, &text[rest..])
}

type Options = Vec<(String, String)>;

/// Reads what `tee` reads.
fn parse(argument: &str) -> Vec<(Options, String)> {
    let mut slaves = Vec::new();
    let mut rest = argument;
    while !rest.is_empty() {
        let (slave, after) = read(rest, "|");
        rest = after.strip_prefix('|').unwrap_or(after);
        let mut options = Vec::new();
        let mut inner = slave.strip_prefix('[').expect("a slave begins with its options");
        loop {
            let (key, value) = inner.split_once('=').unwrap();
            let (value, after) = read(value, ":]");
            options.push((key.to_string(), value));
            inner = &after[1..];
            if after.starts_with(']') {
                break;
            }
        }
        slaves.push((options, inner.to_string()));
    }
    slaves
}

fn parse_options(text: &str) -> Options {
    let mut pairs = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=').unwrap();
        let (value, after) = read(value, ":");
        pairs.push((key.to_string(), value));
        rest = after.strip_prefix(':').unwrap_or(after);
    }
    pairs
}

proptest! {
    #[test]
    fn tee_reads_back_what_was_meant(
        urls in proptest::collection::vec("rtmp://[ -~\t]{0,40}", 1..4),
        value in "[ -~\\PC]{0,30}",
        inner in "[ -~]{1,20}",
    ) {
        let fifo = options(&[("a", inner.clone()), ("b", "1".into())]);
        let slaves: Vec<Slave> = urls
            .iter()
            .map(|url| Slave {
                options: vec![("select", value.clone()), ("fifo_options", fifo.clone())],
                url: url.clone(),
            })
            .collect();
        let read = parse(&argument(&slaves));
        prop_assert_eq!(read.len(), slaves.len());
        for (slave, (options, url)) in slaves.iter().zip(read) {
            prop_assert_eq!(&url, &slave.url);
            prop_assert_eq!(&options[0].1, &value);
            let deepest = parse_options(&options[1].1);
            prop_assert_eq!(&deepest, &vec![("a".to_string(), inner.clone()), ("b".to_string(), "1".to_string())]);
        }
    }
}

#[test]
fn looks_as_written() {
    let slave = Slave {
        options: vec![
            ("select", "v:0,a:0".into()),
            ("fifo_options", options(&[("x", "1".into()), ("y", "2".into())])),
        ],
        url: "rtmp://h:1/live/k?a=b|c".into(),
    };
    assert_eq!(argument(&[slave]), r"[select=v\\:0,a\\:0:fifo_options=x=1\\:y=2]rtmp://h:1/live/k?a=b\|c");
}
