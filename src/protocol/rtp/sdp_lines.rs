//! A description (SDP, RFC 8866) taken apart, as cameras, recorders and encoders write it. Only what is needed is looked
//! at: media lines and attributes. Origin, name, connection, bandwidth and times may be missing, empty, double or nonsense;
//! lines may end in any way, stand in any order and hold bytes of any character set.

use std::borrow::Cow;

/// Most tracks that are looked at.
pub const MOST_MEDIA: usize = 16;
/// Most attributes kept of one section. Real descriptions have a dozen.
const MOST_ATTRIBUTES: usize = 256;
/// Longest name of a parameter, in bytes.
const LONGEST_NAME: usize = 48;
/// Most payload types of one track.
const MOST_FORMATS: usize = 32;

/// One `a=` line: its name in small letters, its value without blanks around it, empty if it has none.
type Attribute = (String, String);

/// A section's attributes, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(Vec<Attribute>);

/// One `m=` line and the attributes below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// `video`, `audio`, `application`, in small letters, without a subtype.
    pub kind: String,
    /// `RTP/AVP` in capitals; empty if there is none.
    pub protocol: String,
    /// Payload types, 0 to 127, in the order of the line; of the rtpmaps if the line names none.
    pub formats: Vec<u8>,
    /// Its attributes.
    pub attributes: Attributes,
}

/// A description's parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The attributes before the first track.
    pub attributes: Attributes,
    /// The tracks, at most [`MOST_MEDIA`].
    pub media: Vec<Media>,
    /// Whether there are more.
    pub more: bool,
}

impl Description {
    /// Takes a description apart. `None` if it is none: neither a version nor a track stands in it.
    pub fn read(body: &[u8]) -> Option<Description> {
        let text = String::from_utf8_lossy(body);
        let mut description = Description::default();
        let mut version = false;
        for (kind, value) in text.split(['\n', '\r', '\0']).filter_map(line) {
            match kind {
                'v' => version |= value.starts_with('0'),
                'm' if description.media.len() >= MOST_MEDIA => {
                    description.more = true;
                    break;
                }
                'm' => description.media.push(media(value)),
                'a' => match description.media.last_mut() {
                    Some(media) => media.attributes.push(value),
                    None => description.attributes.push(value),
                },
                _ => {}
            }
        }
        for media in description.media.iter_mut().filter(|m| m.formats.is_empty()) {
            media.formats = media.attributes.all("rtpmap").filter_map(|v| Some(numbered(v)?.0)).collect();
            media.formats.truncate(MOST_FORMATS);
        }
        (version || !description.media.is_empty()).then_some(description)
    }
}

/// A line's letter and value; nothing for what is no line.
fn line(text: &str) -> Option<(char, &str)> {
    let (kind, value) = text.trim_start_matches(['\u{feff}', ' ', '\t']).split_once('=')?;
    let mut letters = kind.trim_end().chars();
    let letter = letters.next().filter(char::is_ascii_alphabetic)?;
    letters.next().is_none().then(|| (letter.to_ascii_lowercase(), value.trim()))
}

/// `video 0 RTP/AVP 96 97`. The port says nothing: SETUP names the ports.
fn media(value: &str) -> Media {
    let words: Vec<&str> = value.split_whitespace().take(MOST_FORMATS.saturating_add(3)).collect();
    let kind = words.first().copied().unwrap_or_default();
    let kind = kind.split('/').next().unwrap_or_default().to_ascii_lowercase();
    // The protocol is the word with a slash; a port may have one too (`49170/2`), and may be missing.
    let slashed = |word: &&str| word.contains('/') && word.starts_with(|c: char| c.is_ascii_alphabetic());
    let at = words.iter().skip(1).position(slashed).map_or(2, |at| at.saturating_add(1));
    let protocol = words.get(at).copied().unwrap_or_default().to_ascii_uppercase();
    let formats = words.iter().skip(at.saturating_add(1)).filter_map(|word| Some(digits(word)?.0)).collect();
    Media { kind, protocol, formats, attributes: Attributes::default() }
}

/// A payload type and what follows it directly.
fn digits(text: &str) -> Option<(u8, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end)?;
    number.parse().ok().filter(|n| *n < 128).map(|number| (number, rest))
}

/// The payload type that an attribute (`rtpmap`, `fmtp`) is about, and what it says.
pub fn numbered(value: &str) -> Option<(u8, &str)> {
    let (number, rest) = digits(value)?;
    Some((number, rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ';' | ':' | ','))))
}

impl Attributes {
    fn push(&mut self, line: &str) {
        if self.0.len() < MOST_ATTRIBUTES {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            self.0.push((name.trim().to_ascii_lowercase(), value.trim().to_string()));
        }
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n == name)
    }

    /// The values of all of this name, in order.
    pub fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The first value of this name that is not empty.
    pub fn first(&self, name: &'static str) -> Option<&str> {
        self.all(name).find(|value| !value.is_empty())
    }

    /// What attributes of this name say about a payload type, empty ones left out.
    pub fn about(&self, name: &'static str, payload_type: u8) -> impl Iterator<Item = &str> {
        let of =
            move |value| numbered(value).filter(|(number, rest)| *number == payload_type && !rest.is_empty());
        self.all(name).filter_map(of).map(|(_, rest)| rest)
    }
}

/// `a=1; B=2` as names in small letters and values without quotes, at most 64. Some separate them by blanks alone.
pub fn parameters(text: &str) -> Vec<(String, Cow<'_, str>)> {
    let mut out: Vec<(String, Cow<'_, str>)> = Vec::new();
    for piece in text.split(';').flat_map(blank_separated).take(64) {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        let value = value.trim().trim_matches('"').trim();
        let value = match value.contains(char::is_whitespace) {
            true => Cow::Owned(value.split_whitespace().collect()),
            false => Cow::Borrowed(value),
        };
        out.push((name.trim().to_ascii_lowercase(), value));
    }
    out
}

/// `a=1 b=2` in its parts; a blank inside a value (`AAA, BBB`) parts nothing.
fn blank_separated(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while let Some((at, blank)) = rest
        .char_indices()
        .filter(|(_, c)| c.is_whitespace())
        .find(|(at, _)| rest.get(*at..).is_some_and(|tail| begins_parameter(tail.trim_start())))
    {
        let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        parts.push(head);
        rest = tail.get(blank.len_utf8()..).unwrap_or_default().trim_start();
    }
    parts.push(rest);
    parts
}

/// Whether `name=value` begins here, and not the padding of a base64 text.
fn begins_parameter(text: &str) -> bool {
    let name = text
        .bytes()
        .take(LONGEST_NAME)
        .take_while(|b| b.is_ascii_alphanumeric() || b"-_".contains(b))
        .count();
    let mut behind = text.bytes().skip(name);
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && behind.next() == Some(b'=')
        && !matches!(behind.next(), None | Some(b'=' | b','))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Description {
        Description::read(text.as_bytes()).unwrap_or_else(|| panic!("{text:?}"))
    }

    #[test]
    fn media_lines_in_all_spellings() {
        for (line, kind, protocol, formats) in [
            ("m=video 0 RTP/AVP 96", "video", "RTP/AVP", &[96][..]),
            (" M = Video 49170/2 rtp/avp 96 97 111", "video", "RTP/AVP", &[96, 97, 111]),
            ("m=video -1353744643 RTP/AVP 96", "video", "RTP/AVP", &[96]),
            ("m=video RTP/AVP 96", "video", "RTP/AVP", &[96]),
            ("m=audio 0 RTP/AVP/TCP 8\t ", "audio", "RTP/AVP/TCP", &[8]),
            ("m=application/TP-LINK 0 RTP/AVP smart/1/90000", "application", "RTP/AVP", &[]),
            ("m=audio 0 udp 14;", "audio", "UDP", &[14]),
            ("m=audio 0 RTP/AVP 0, 8, 300 -1", "audio", "RTP/AVP", &[0, 8]),
            ("m=video", "video", "", &[]),
            ("m=", "", "", &[]),
        ] {
            let media = &read(line).media[0];
            assert_eq!(
                (media.kind.as_str(), media.protocol.as_str(), &media.formats[..]),
                (kind, protocol, formats),
                "{line}"
            );
        }
        assert_eq!(read("m=video 0 RTP/AVP\na=rtpmap:105 H264/90000").media[0].formats, [105]);
    }

    #[test]
    fn lines_may_end_in_any_way_and_hold_anything() {
        let lines = [
            "v=0",
            "a=tool:x",
            "c=IN",
            "junk",
            "=",
            "x",
            "m=video 0 RTP/AVP 96",
            "b=AS:",
            "A = Control : track1 ",
        ];
        let wanted = read(&lines.join("\r\n"));
        assert_eq!(wanted.media[0].attributes.first("control"), Some("track1"));
        assert_eq!(wanted.attributes.first("tool"), Some("x"));
        for end in ["\n", "\r", "\n\r", "\0", "\r\n\r\n", "\r\n\0"] {
            assert_eq!(read(&(lines.join(end) + end)), wanted, "{end:?}");
        }
        let mut bytes =
            b"v=0\r\ns=\xff\xfe\r\nc=IN IP4 '&\x81\x92\r\nm=audio 0 RTP/AVP 0\r\na=x:\xc3\r\n".to_vec();
        bytes.extend([0; 7]);
        let read = Description::read(&bytes).unwrap();
        assert_eq!((read.media[0].formats[0], read.media[0].attributes.has("x")), (0, true));
        for none in [&b""[..], b"\0\0", b"\xff\xfe", b"v=1", b"hello", b"<html>"] {
            assert_eq!(Description::read(none), None, "{none:?}");
        }
    }

    #[test]
    fn there_are_bounds() {
        let many = read(&"m=audio 0 RTP/AVP 0\n".repeat(30));
        assert_eq!((many.media.len(), many.more), (MOST_MEDIA, true));
        let long = read(&format!("v=0\n{}", "a=x:y\n".repeat(9000)));
        assert_eq!(long.attributes.all("x").count(), MOST_ATTRIBUTES);
        assert_eq!(parameters(&"a=b;".repeat(900)).len(), 64);
    }

    #[test]
    fn parameters_in_all_spellings() {
        let all = |text| {
            parameters(text)
                .into_iter()
                .filter(|(n, _)| !n.is_empty())
                .map(|(n, v)| format!("{n}|{v}"))
                .collect::<Vec<_>>()
        };
        let wanted = ["packetization-mode|1", "sprop-parameter-sets|Z0IA==,aM4="];
        for text in [
            "packetization-mode=1;sprop-parameter-sets=Z0IA==,aM4=",
            " Packetization-Mode = 1 ;; SPROP-parameter-sets = \"Z0IA==,aM4=\" ;",
            "packetization-mode=1; sprop-parameter-sets=Z0IA==, aM4=",
            "packetization-mode=1 sprop-parameter-sets=Z0IA== ,aM4=",
        ] {
            assert_eq!(all(text), wanted, "{text}");
        }
        assert_eq!(all("DecoderTag=h3c-v3 RTCP=0"), ["decodertag|h3c-v3", "rtcp|0"]);
        assert_eq!(all("0-15"), ["0-15|"]);
        assert_eq!(numbered("96;a=b"), Some((96, "a=b")));
        assert_eq!(numbered(" 96 a"), None, "values are trimmed beforehand");
        assert_eq!(numbered("128 a"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(body in proptest::collection::vec(any::<u8>(), 0..300), text in ".{0,200}") {
            let _ = Description::read(&body);
            let _ = Description::read(text.as_bytes());
            let _ = parameters(&text);
        }
    }
}
