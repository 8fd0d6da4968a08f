//! Which session a STUN message is meant for (RFC 8489, RFC 8445 7.3): the name that we gave, out of its USERNAME. Read
//! before anything else is, so that a stranger's message costs next to nothing. Pure.

/// The fixed value in each message (RFC 8489, 5).
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Bytes of its header.
const HEADER: usize = 20;
/// The attribute USERNAME (RFC 8489, 14.3).
const USERNAME: u16 = 6;
/// A request to check a connection (RFC 8489, 18.1: Binding).
const BINDING_REQUEST: u16 = 1;

/// Our name in the USERNAME (`ours:theirs`) of a check; none if it is no whole STUN request with one.
pub fn ours(message: &[u8]) -> Option<&str> {
    let (header, mut rest) = message.split_at_checked(HEADER)?;
    let [kind_high, kind_low, length_high, length_low, cookie @ ..] = header.first_chunk::<8>()?;
    let kind = u16::from_be_bytes([*kind_high, *kind_low]);
    let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
    if kind != BINDING_REQUEST || *cookie != COOKIE || length != rest.len() || !length.is_multiple_of(4) {
        return None;
    }
    while let Some(([a, b, c, d], value)) = rest.split_first_chunk::<4>() {
        let (kind, length) = (u16::from_be_bytes([*a, *b]), usize::from(u16::from_be_bytes([*c, *d])));
        if kind == USERNAME {
            let name = std::str::from_utf8(value.get(..length)?).ok()?;
            return name.split_once(':').map(|(ours, _)| ours);
        }
        rest = value.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend(kind.to_be_bytes());
            body.extend((value.len() as u16).to_be_bytes());
            body.extend_from_slice(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let head = [&kind.to_be_bytes()[..], &(body.len() as u16).to_be_bytes(), &COOKIE, &[7; 12]].concat();
        [head, body].concat()
    }

    #[test]
    fn the_first_half_of_the_username_is_ours() {
        let whole = message(1, &[(0x8022, b"agent"), (6, b"ours:theirs"), (8, &[0; 20])]);
        assert_eq!(ours(&whole), Some("ours"));
        for wrong in [
            message(0x101, &[(6, b"ours:theirs")]),
            message(1, &[(6, b"ours")]),
            message(1, &[(6, &[0xff, b':'])]),
            message(1, &[]),
            whole[..whole.len() - 4].to_vec(),
            whole[..19].to_vec(),
        ] {
            assert_eq!(ours(&wrong), None);
        }
        let mut lies = message(1, &[(6, b"ours:theirs")]);
        lies[23] = 200;
        assert_eq!(ours(&lies), None);
    }

    proptest! {
        #[test]
        fn any_datagram_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = ours(&bytes);
            let _ = ours(&message(1, &[(6, &bytes)]));
        }
    }
}
