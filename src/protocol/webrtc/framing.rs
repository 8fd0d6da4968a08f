//! Datagrams inside a TCP connection (RFC 4571): each behind its length in 16 bits. Pure.

use bytes::{Buf, Bytes, BytesMut};

/// The longest datagram that is taken, in bytes. What browsers send is shorter than a packet of the network.
pub const LONGEST: usize = 2048;

/// A datagram is longer than [`LONGEST`], or empty: what comes is something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a length of {0} bytes is none of a datagram")]
pub struct NoLength(pub usize);

/// Takes the next whole datagram out of what has come; none if more must come first.
///
/// # Errors
/// [`NoLength`]: the connection is of no use any more.
pub fn next(came: &mut BytesMut) -> Result<Option<Bytes>, NoLength> {
    let Some(length) = came.first_chunk::<2>().map(|length| usize::from(u16::from_be_bytes(*length))) else {
        return Ok(None);
    };
    if !(1..=LONGEST).contains(&length) {
        return Err(NoLength(length));
    }
    if came.len().saturating_sub(2) < length {
        return Ok(None);
    }
    came.advance(2);
    Ok(Some(came.split_to(length).freeze()))
}

/// The length that stands before a datagram; none for one that is too long to go.
pub fn length(datagram: &[u8]) -> Option<[u8; 2]> {
    u16::try_from(datagram.len()).ok().map(u16::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn datagrams_stand_behind_their_lengths() {
        let mut came = BytesMut::from(&[0, 2, 7, 8, 0, 1][..]);
        assert_eq!(next(&mut came), Ok(Some(Bytes::from_static(&[7, 8]))));
        assert_eq!(next(&mut came), Ok(None));
        came.extend_from_slice(&[9]);
        assert_eq!(next(&mut came), Ok(Some(Bytes::from_static(&[9]))));
        assert_eq!(
            (next(&mut came), next(&mut BytesMut::from(&[0, 0, 1][..]))),
            (Ok(None), Err(NoLength(0)))
        );
        assert_eq!(next(&mut BytesMut::from("GET / HTTP/1.1")), Err(NoLength(0x4745)));
        assert_eq!((length(&[0; 300]), length(&[0; 70_000])), (Some([1, 44]), None));
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_come_whole(all in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..9), size in 1..99_usize) {
            let mut stream = Vec::new();
            for one in &all {
                stream.extend(length(one).unwrap());
                stream.extend(one);
            }
            let (mut came, mut found) = (BytesMut::new(), Vec::new());
            for piece in stream.chunks(size) {
                came.extend_from_slice(piece);
                while let Some(one) = next(&mut came).unwrap() {
                    found.push(one.to_vec());
                }
            }
            prop_assert_eq!(found, all);
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut came = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = next(&mut came) {}
        }
    }
}
