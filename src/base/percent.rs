//! Percent-encoding of URLs (RFC 3986, 2.1), and arguments of a query.

/// Text with its percent-encoding decoded; what is no encoding stays.
pub fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((first, rest)) = bytes.split_first() {
        let digits = rest.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = digits.and_then(|[high, low]| {
            let digit = |b: u8| char::from(b).to_digit(16);
            u8::try_from((digit(*high)? << 4) | digit(*low)?).ok()
        });
        match byte {
            Some(byte) => {
                out.push(byte);
                bytes = rest.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                bytes = rest;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Everything but letters, digits and `-._~` as percent codes.
pub fn coded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The value of `key` among `a=b&c=d` arguments, decoded; of the first if there are several.
pub fn argument(arguments: &str, key: &str) -> Option<String> {
    let pair = arguments.split('&').find_map(|pair| pair.split_once('=').filter(|(k, _)| *k == key));
    pair.map(|(_, value)| decoded(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn arguments_are_found_and_decoded() {
        assert_eq!(argument("a=1&b=%26x%2&b=2", "b").as_deref(), Some("&x%2"));
        assert_eq!((argument("ab=1&b", "b"), argument("", "")), (None, None));
    }

    proptest! {
        #[test]
        fn what_is_coded_is_plain_and_comes_back(text in any::<String>()) {
            let coded = coded(&text);
            prop_assert!(coded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)), "{coded}");
            prop_assert_eq!(decoded(&coded), text);
        }
    }
}
