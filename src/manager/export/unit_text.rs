//! Texts from outside as they must stand in a unit file, so that systemd reads back exactly what they were. Pure.
//!
//! In every setting `%` begins a specifier (systemd.unit(5)). In `ExecStart=` words are parted at blanks, quotes and
//! backslashes mean something, `$` begins a variable and a lone `;` ends a command (systemd.service(5)).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The program of `ExecStart=`, an absolute path. Here `$` stands for itself.
pub fn program(path: &OsStr) -> String {
    quoted(path.as_bytes(), false)
}

/// One argument of `ExecStart=`.
pub fn argument(text: &OsStr) -> String {
    quoted(text.as_bytes(), true)
}

/// One assignment of `Environment=`.
pub fn assignment(name: &str, value: &str) -> String {
    quoted(format!("{name}={value}").as_bytes(), false)
}

/// The rest of a line that systemd takes as it is, but for specifiers.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect::<String>().replace('%', "%%")
}

fn quoted(bytes: &[u8], variables: bool) -> String {
    let harmless = |b: &u8| b.is_ascii_alphanumeric() || b"/.,:=@+_-%$".contains(b) || *b >= 0x80;
    let shown = std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(char::is_control));
    // A dollar or percent sign needs no quotes, only its double.
    let bare = !bytes.is_empty() && bytes.iter().all(harmless) && shown;
    let mut out = String::with_capacity(bytes.len().saturating_add(2));
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '%' => out.push_str("%%"),
                '$' if variables => out.push_str("$$"),
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
                // Other control characters would hide in the file; they stand as their bytes.
                c if c.is_control() => {
                    c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| out.push_str(&format!("\\x{b:02x}")));
                }
                c => out.push(c),
            }
        }
        chunk.invalid().iter().for_each(|b| out.push_str(&format!("\\x{b:02x}")));
    }
    if bare { out } else { format!("\"{out}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_systemd_would_read_otherwise_is_escaped() {
        for (text, written) in [
            ("/srv/a.mp4", "/srv/a.mp4"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("50%", "50%%"),
            ("$HOME", "$$HOME"),
            ("${HOME} %h", "\"$${HOME} %%h\""),
            ("it's", "\"it's\""),
            ("say \"hi\"", "\"say \\\"hi\\\"\""),
            ("back\\slash", "\"back\\\\slash\""),
            (";", "\";\""),
            ("a;b", "\"a;b\""),
            ("#x", "\"#x\""),
            ("new\nline\tand\u{1b}", "\"new\\nline\\tand\\x1b\""),
            ("поток", "поток"),
            ("\u{85}", "\"\\xc2\\x85\""),
        ] {
            assert_eq!(argument(OsStr::new(text)), written, "{text:?}");
        }
        assert_eq!(argument(OsStr::from_bytes(b"a\xff")), "\"a\\xff\"");
        assert_eq!(program(OsStr::new("/opt/$x %/msconv")), "\"/opt/$x %%/msconv\"");
        assert_eq!(assignment("A", "b c$d%e"), "\"A=b c$d%%e\"");
        assert_eq!(plain("50% of\nit"), "50%% ofit");
    }

    /// Reads one word as systemd.syntax(7) and systemd.service(5) say.
    fn read_back(written: &str) -> Vec<u8> {
        let inside = written.strip_prefix('"').and_then(|w| w.strip_suffix('"')).unwrap_or(written);
        let mut bytes = Vec::new();
        let mut letters = inside.chars();
        while let Some(letter) = letters.next() {
            let mut push = |c: char| bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
            match letter {
                '%' | '$' => assert_eq!(letters.next(), Some(letter)),
                '\\' => match letters.next().unwrap() {
                    'n' => push('\n'),
                    't' => push('\t'),
                    'x' => {
                        let code: String = letters.by_ref().take(2).collect();
                        bytes.push(u8::from_str_radix(&code, 16).unwrap());
                        continue;
                    }
                    other => {
                        assert!(matches!(other, '"' | '\\'));
                        push(other);
                        continue;
                    }
                },
                '"' => panic!("a quote within quotes: {written}"),
                _ => {}
            }
            if letter != '\\' {
                push(letter);
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn any_argument_is_read_back(bytes in proptest::collection::vec(1u8..=255, 0..40)) {
            let written = argument(OsStr::from_bytes(&bytes));
            prop_assert_eq!(read_back(&written), bytes);
            prop_assert!(!written.contains('\n'));
        }
    }
}
