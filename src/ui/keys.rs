//! Bytes of a terminal as keys. Pure; split sequences wait for their rest, and unknown ones are swallowed whole.

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A letter.
    Char(char),
    /// Enter.
    Enter,
    /// Esc, alone.
    Esc,
    /// Ctrl-C or Ctrl-D.
    Cancel,
    /// Ctrl-Z.
    Suspend,
    /// Backspace.
    Backspace,
    /// Ctrl-U: forget what was typed.
    Clear,
    /// Arrow up, Ctrl-P, Shift-Tab.
    Up,
    /// Arrow down, Ctrl-N, Tab.
    Down,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
    /// Something that means nothing here.
    Unknown,
}

/// Longest escape sequence that is waited for, in bytes.
const LONGEST: usize = 32;

/// Collects bytes until they are keys.
#[derive(Debug, Default)]
pub struct Decoder {
    held: Vec<u8>,
}

impl Decoder {
    /// Takes bytes in; the keys that are whole by now.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.held.extend_from_slice(bytes);
        let mut keys = Vec::new();
        loop {
            match next(&self.held) {
                Next::Key(key, used) => {
                    self.held.drain(..used.min(self.held.len()));
                    keys.push(key);
                }
                Next::Wait => return keys,
            }
        }
    }

    /// Whether bytes wait for their rest.
    pub fn waiting(&self) -> bool {
        !self.held.is_empty()
    }

    /// Nothing more came: what was held is what it is, a lone Esc for instance.
    pub fn flush(&mut self) -> Option<Key> {
        let held = std::mem::take(&mut self.held);
        match held.as_slice() {
            [] => None,
            [0x1b] => Some(Key::Esc),
            _ => Some(Key::Unknown),
        }
    }
}

enum Next {
    Key(Key, usize),
    Wait,
}

fn next(bytes: &[u8]) -> Next {
    let Some(first) = bytes.first() else { return Next::Wait };
    let key = match first {
        0x1b => return escape(bytes),
        b'\r' | b'\n' => Key::Enter,
        0x03 | 0x04 => Key::Cancel,
        0x1a => Key::Suspend,
        0x08 | 0x7f => Key::Backspace,
        0x15 | 0x17 => Key::Clear,
        0x10 | 0x0b => Key::Up,
        0x0e | b'\t' => Key::Down,
        0x01 => Key::Home,
        0x05 => Key::End,
        0x00..=0x1f => Key::Unknown,
        _ => return letter(bytes),
    };
    Next::Key(key, 1)
}

fn letter(bytes: &[u8]) -> Next {
    let wanted = match bytes.first() {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => 1,
    };
    let Some(whole) = bytes.get(..wanted) else { return Next::Wait };
    match std::str::from_utf8(whole).ok().and_then(|t| t.chars().next()) {
        Some(letter) if !letter.is_control() => Next::Key(Key::Char(letter), wanted),
        _ => Next::Key(Key::Unknown, 1),
    }
}

fn escape(bytes: &[u8]) -> Next {
    match bytes.get(1) {
        None => Next::Wait,
        Some(b'[') => control_sequence(bytes),
        Some(b'O') => match bytes.get(2) {
            None => Next::Wait,
            Some(last) => Next::Key(named(*last, ""), 3),
        },
        // Alt with a key, or Esc pressed twice: nothing here is done by either, and the key must not be typed.
        Some(_) => Next::Key(Key::Unknown, 2),
    }
}

fn control_sequence(bytes: &[u8]) -> Next {
    let tail = bytes.get(2..).unwrap_or_default();
    match tail.iter().position(|b| (0x40..=0x7e).contains(b)) {
        Some(at) => {
            let parameters = String::from_utf8_lossy(tail.get(..at).unwrap_or_default()).into_owned();
            let last = tail.get(at).copied().unwrap_or_default();
            Next::Key(named(last, &parameters), at.saturating_add(3))
        }
        None if bytes.len() > LONGEST => Next::Key(Key::Unknown, bytes.len()),
        None => Next::Wait,
    }
}

fn named(last: u8, parameters: &str) -> Key {
    // `1;5A` is an arrow with Ctrl held: still an arrow.
    let number = parameters.split(';').next().unwrap_or_default();
    match (last, number) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'H', _) | (b'~', "1" | "7") => Key::Home,
        (b'F', _) | (b'~', "4" | "8") => Key::End,
        (b'~', "5") => Key::PageUp,
        (b'~', "6") => Key::PageDown,
        (b'Z', _) => Key::Up,
        (b'M', "") => Key::Enter,
        _ => Key::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::default();
        let mut keys = decoder.feed(bytes);
        keys.extend(decoder.flush());
        keys
    }

    #[test]
    fn reads_keys() {
        assert_eq!(keys(b"a\x1b[A\x1bOB\r"), [Key::Char('a'), Key::Up, Key::Down, Key::Enter]);
        assert_eq!(keys("щ€😀".as_bytes()), [Key::Char('щ'), Key::Char('€'), Key::Char('😀')]);
        assert_eq!(keys(b"\x1b[5~\x1b[6~\x1b[1~\x1b[F"), [Key::PageUp, Key::PageDown, Key::Home, Key::End]);
        assert_eq!(keys(b"\x1b[1;5A\x1b[200~"), [Key::Up, Key::Unknown]);
        assert_eq!(keys(b"\x1b"), [Key::Esc]);
        assert_eq!(keys(b"\x03\x7f\x15\x1a"), [Key::Cancel, Key::Backspace, Key::Clear, Key::Suspend]);
        assert_eq!(keys(b"\x1bx"), [Key::Unknown], "Alt-x types nothing");
        assert_eq!(keys(&[0xff, b'a']), [Key::Unknown, Key::Char('a')]);
    }

    #[test]
    fn split_sequences_wait_for_their_rest() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.feed(b"\x1b"), []);
        assert!(decoder.waiting());
        assert_eq!(decoder.feed(b"["), []);
        assert_eq!(decoder.feed(b"B"), [Key::Down]);
        assert!(!decoder.waiting());
        assert_eq!(decoder.feed("щ".as_bytes().get(..1).unwrap()), []);
        assert_eq!(decoder.feed("щ".as_bytes().get(1..).unwrap()), [Key::Char('щ')]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_keys_and_nothing_is_held_for_ever(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut decoder = Decoder::default();
            let mut at_once = decoder.feed(&bytes);
            at_once.extend(decoder.flush());
            let mut piecewise = Vec::new();
            for byte in &bytes {
                piecewise.extend(decoder.feed(&[*byte]));
                prop_assert!(decoder.held.len() <= LONGEST + 1);
            }
            piecewise.extend(decoder.flush());
            prop_assert_eq!(at_once.is_empty(), bytes.is_empty());
            prop_assert_eq!(piecewise.is_empty(), bytes.is_empty());
        }
    }
}
