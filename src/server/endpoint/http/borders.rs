//! Where heads and bodies of requests end in the bytes of a connection, and how large a body in chunks says that it
//! becomes (RFC 9112, 7.1). The HTTP library tells neither: it would wait for the bytes of a chunk that is larger than
//! may be, before anybody could say so. It is the library that judges requests; what makes no sense here is left to it.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

/// Bytes of chunk extensions, trailers and leading zeros that a body may have.
const MOST_AROUND: u64 = 4096;

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// The next head.
    Nothing,
    /// A body of so many bytes.
    Bytes(u64),
    /// A body in chunks.
    Chunks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a head: whether anything of it has come, and whether the present line is empty.
    Head { begun: bool, empty: bool },
    /// Behind a head: what follows has to be told.
    BehindHead,
    /// In a body of known length, of which so much is missing.
    Body(u64),
    /// In a chunk's size.
    Size(Option<u64>),
    /// Behind a chunk's size, up to the end of the line.
    Extension(u64),
    /// In a chunk, of which so much is missing, its end of line included.
    Chunk(u64),
    /// Behind the last chunk: whether the present line is empty.
    Trailer { empty: bool },
    /// Nothing is looked at any more.
    Lost,
}

/// Follows one connection's bytes.
#[derive(Clone, Debug)]
pub struct Borders {
    state: State,
    most: u64,
    /// What the present body may still say that it brings, and may still have around it.
    left: u64,
    around: u64,
    over: bool,
}

impl Borders {
    /// A connection whose bodies may have `most` bytes each.
    pub fn new(most: u64) -> Borders {
        let state = State::Head { begun: false, empty: true };
        Borders { state, most, left: 0, around: 0, over: false }
    }

    /// Whether a body has said that it becomes too large.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Whether a head has just ended: then what follows has to be said.
    pub fn is_behind_head(&self) -> bool {
        self.state == State::BehindHead
    }

    /// Says what follows the head that has just ended.
    pub fn follows(&mut self, what: Follows) {
        (self.left, self.around) = (self.most, MOST_AROUND);
        self.state = match what {
            Follows::Nothing | Follows::Bytes(0) => State::Head { begun: false, empty: true },
            Follows::Bytes(length) => State::Body(length),
            Follows::Chunks => State::Size(None),
        };
    }

    /// Takes bytes in their order, up to the end of a head: how many. [`Borders::follows`] comes before the next.
    pub fn take(&mut self, bytes: &[u8]) -> usize {
        if self.state == State::BehindHead {
            // Nobody said what follows: whoever reads does not care for bodies.
            self.state = State::Lost;
        }
        let mut at = 0_usize;
        while let Some(byte) = bytes.get(at) {
            let rest = u64::try_from(bytes.len().saturating_sub(at)).unwrap_or(u64::MAX);
            let (state, taken) = match self.state {
                State::Lost => return bytes.len(),
                State::Body(missing) => {
                    let taken = missing.min(rest);
                    let missing = missing.saturating_sub(taken);
                    let next = State::Head { begun: false, empty: true };
                    (if missing == 0 { next } else { State::Body(missing) }, taken)
                }
                State::Chunk(missing) => {
                    let taken = missing.min(rest);
                    let missing = missing.saturating_sub(taken);
                    (if missing == 0 { State::Size(None) } else { State::Chunk(missing) }, taken)
                }
                state => (self.step(state, *byte), 1),
            };
            self.state = state;
            at = at.saturating_add(usize::try_from(taken).unwrap_or(usize::MAX));
            if state == State::BehindHead {
                break;
            }
        }
        at.min(bytes.len())
    }

    fn step(&mut self, state: State, byte: u8) -> State {
        match (state, byte) {
            (State::Head { begun: true, empty: true }, b'\n') => State::BehindHead,
            (State::Head { begun, .. }, b'\n') => State::Head { begun, empty: true },
            (State::Head { .. }, b'\r') => state,
            (State::Head { .. }, _) => State::Head { begun: true, empty: false },
            (State::Size(size), _) => self.size(size, byte),
            (State::Extension(size), b'\n') => self.chunk(size),
            (State::Extension(_), b'\r') => state,
            (State::Trailer { empty: true }, b'\n') => State::Head { begun: false, empty: true },
            (State::Trailer { .. }, b'\n') => self.around(State::Trailer { empty: true }),
            (State::Trailer { .. }, b'\r') => state,
            (State::Trailer { .. }, _) => self.around(State::Trailer { empty: false }),
            (State::Extension(_), _) => self.around(state),
            (State::BehindHead | State::Body(_) | State::Chunk(_) | State::Lost, _) => State::Lost,
        }
    }

    fn size(&mut self, size: Option<u64>, byte: u8) -> State {
        match (char::from(byte).to_digit(16), size) {
            // Zeros in front do not make a size, and could go on without end.
            (Some(0), Some(0)) => self.around(State::Size(Some(0))),
            (Some(digit), _) => {
                let size =
                    size.unwrap_or(0).checked_mul(16).and_then(|size| size.checked_add(u64::from(digit)));
                match size.filter(|size| *size <= self.left) {
                    Some(size) => State::Size(Some(size)),
                    None => self.too_much(),
                }
            }
            (None, Some(size)) if matches!(byte, b'\r' | b';' | b' ' | b'\t') => State::Extension(size),
            _ => State::Lost,
        }
    }

    /// At the end of the line with a chunk's size.
    fn chunk(&mut self, size: u64) -> State {
        self.left = self.left.saturating_sub(size);
        match size {
            0 => State::Trailer { empty: true },
            size => State::Chunk(size.saturating_add(2)),
        }
    }

    /// One more byte that is none of the body's.
    fn around(&mut self, state: State) -> State {
        match self.around.checked_sub(1) {
            Some(around) => {
                self.around = around;
                state
            }
            None => self.too_much(),
        }
    }

    fn too_much(&mut self) -> State {
        self.over = true;
        State::Lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\n\r\n";

    /// What is taken at once, and whether it became too much.
    fn after_head(most: u64, body: &[u8]) -> (usize, bool) {
        let mut borders = Borders::new(most);
        assert_eq!(borders.take(HEAD), HEAD.len());
        borders.follows(Follows::Chunks);
        (borders.take(body), borders.is_over())
    }

    #[test]
    fn a_chunk_that_says_too_much_is_known_by_its_size() {
        for (body, over) in [
            (&b"5\r\nabcde\r\n0\r\n\r\n"[..], false),
            (b"a\r\n", false),
            (b"b", true),
            (b"ffffffffffffffffffff", true),
            (b"FFFFFFFF\r\n", true),
            (b"00000000000000a\r\n", false),
            (b"5\r\nabcde\r\n5\r\nabcde\r\n0\r\n\r\n", false),
            (b"5\r\nabcde\r\n6", true),
            (b"5;a=b;c=\"d\"\r\nabcde\r\n6", true),
            (b"5 \t;x\r\nabcde\r\n0\r\nTrailer: y\r\n\r\nGET", false),
            // The library refuses these.
            (b"-1\r\n", false),
            (b"zz\r\nffff", false),
            (b"\r\nffff", false),
        ] {
            assert_eq!(after_head(10, body), (body.len(), over), "{:?}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn what_stands_around_a_body_is_bounded() {
        let long = vec![b'x'; 5000];
        for body in [
            [b"1;", &long[..]].concat(),
            [b"0\r\nA: ", &long[..]].concat(),
            vec![b'0'; 5000],
            b"0\r\n".iter().copied().chain(b"A: b\r\n".repeat(1000)).collect(),
            b"1;abcde\r\nx\r\n".repeat(1000),
        ] {
            assert!(after_head(1 << 20, &body).1, "{:?}", &body[..5]);
        }
        assert!(!after_head(1 << 20, &[b"1;", &long[..4000]].concat()).1);
    }

    #[test]
    fn requests_behind_each_other_are_told_apart() {
        let mut borders = Borders::new(10);
        let all = [b"\r\n", HEAD, b"abcPUT /\n\n", HEAD, b"5\r\nabcde\r\n0\r\nX: y\r\n\r\n", HEAD, b"b\r\n"]
            .concat();
        let mut heads = Vec::new();
        let mut rest = &all[..];
        for what in [Follows::Bytes(3), Follows::Nothing, Follows::Chunks, Follows::Chunks] {
            let taken = borders.take(rest);
            let (head, behind) = rest.split_at(taken);
            heads.push(head.len());
            rest = behind;
            borders.follows(what);
        }
        assert_eq!(heads, [2 + HEAD.len(), 3 + 7, HEAD.len(), 21 + HEAD.len()]);
        assert!(!borders.is_over());
        assert_eq!((borders.take(rest), borders.is_over()), (3, true));
    }

    /// A body of these chunks, with an extension on each and a trailer.
    fn chunked(chunks: &[Vec<u8>]) -> Vec<u8> {
        let one = |chunk: &Vec<u8>| [format!("{:X};e\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
        chunks.iter().flat_map(one).chain(*b"0\r\nT: x\r\n\r\n").collect()
    }

    proptest! {
        #[test]
        fn the_limit_is_met_exactly_however_the_bytes_come(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..10),
            cuts in prop::collection::vec(1..20_usize, 1..10),
        ) {
            let length: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
            for most in [length, length.saturating_sub(1)] {
                let mut borders = Borders::new(most);
                prop_assert_eq!(borders.take(HEAD), HEAD.len());
                borders.follows(Follows::Chunks);
                let body = [&chunked(&chunks)[..], HEAD].concat();
                let (mut at, mut cut, mut taken) = (0, 0, 0);
                while at < body.len() && !borders.is_over() {
                    let end = body.len().min(at + cuts[cut % cuts.len()]);
                    taken += borders.take(&body[at..end]);
                    (at, cut) = (end, cut + 1);
                }
                prop_assert_eq!(borders.is_over(), most < length);
                if !borders.is_over() {
                    prop_assert_eq!(taken, body.len(), "the next head ends where it ends");
                    prop_assert_eq!(borders.state, State::BehindHead);
                }
            }
        }

        #[test]
        fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..200), chunks: bool) {
            let mut borders = Borders::new(10);
            let mut rest = &bytes[..];
            for _ in 0..300 {
                let taken = borders.take(rest);
                prop_assert!(taken <= rest.len() && (taken > 0 || rest.is_empty()));
                rest = &rest[taken..];
                borders.follows(if chunks { Follows::Chunks } else { Follows::Nothing });
            }
        }
    }
}
