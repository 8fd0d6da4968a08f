//! Secrets that are typed or held by a file: stream keys and addresses of sources.

use crate::base::{Failure, Outcome, failure::io_words};
use crate::model::{SourceUrl, StreamKey, stream_key};
use std::path::Path;

/// A stream key, or the usage failure that says which characters are allowed, why, and what would do.
///
/// # Errors
/// Usage.
pub fn parse_key(text: &str) -> Outcome<StreamKey> {
    text.parse::<StreamKey>().map_err(|e| {
        let failure = Failure::usage(format!("'{text}' is no stream key: {e}"))
            .why("the key is a file name, an RTMP name and part of a URL at once; servers cut or blank other characters");
        match stream_key::suggestion(text) {
            Some(near) => failure.hint(near.to_string()),
            None => failure.hint("stream1"),
        }
    })
}

/// The stream key held by a file (`-` is standard input): its first line, without blanks at the ends.
///
/// # Errors
/// Usage if the file cannot be read or holds no key.
pub fn key_from_file(path: &Path, stdin: &mut dyn std::io::Read) -> Outcome<StreamKey> {
    let line = first_line(path, stdin, "the stream key")?;
    // The text of a key from a file is a secret; it is not quoted back.
    line.parse::<StreamKey>().map_err(|e| {
        Failure::usage(format!("the stream key in {} cannot be used", path.display())).why(match e {
            stream_key::Error::Empty => "it is empty".to_string(),
            _ => "a key is A-Z a-z 0-9 _ -, begins with a letter or digit and has at most 64 characters"
                .to_string(),
        })
    })
}

/// The address of a source held by a file (`-` is standard input): its first line, without blanks at the ends.
///
/// # Errors
/// Usage if the file cannot be read or holds no such address.
pub fn source_from_file(path: &Path, stdin: &mut dyn std::io::Read) -> Outcome<SourceUrl> {
    let line = first_line(path, stdin, "the source's address")?;
    // It may hold a password; it is not quoted back.
    line.parse().map_err(|_| {
        Failure::usage(format!("the address in {} cannot be used", path.display()))
            .hint("rtmp://host/live/name in its first line, or rtmps://, rtsp://, rtsps://, srt://")
    })
}

fn first_line(path: &Path, stdin: &mut dyn std::io::Read, what: &str) -> Outcome<String> {
    use std::io::Read;
    let mut text = String::new();
    let outcome = if path == Path::new("-") {
        stdin.take(4096).read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::File::open(path).and_then(|f| f.take(4096).read_to_string(&mut text)).map(|_| ())
    };
    outcome.map_err(|e| {
        Failure::usage(format!("cannot read {what} from {}", path.display())).why(io_words(&e))
    })?;
    Ok(text.lines().next().unwrap_or_default().trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_file_is_not_quoted_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "not a key\n").unwrap();
        let failure = key_from_file(&path, &mut std::io::empty()).unwrap_err();
        assert!(!failure.to_string().contains("not a key"), "{failure}");
        assert_eq!(key_from_file(Path::new("-"), &mut "abc\n".as_bytes()).unwrap().as_str(), "abc");
    }
}
