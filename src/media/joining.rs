//! Frames whose slices come one by one: publishers that set RTP's marker on every NAL unit, or send every NAL unit as
//! a message of its own. What a protocol delimits is a part; parts of one picture become one (H.264, 7.4.1.2.4).
//!
//! A picture that came whole is not held back for the next one to prove it, except one where there is doubt. Not
//! joined: fields of one frame in separate parts, which begin at the same place.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use bytes::{Bytes, BytesMut};

/// Longest picture that is put together, in bytes.
pub const LONGEST_PICTURE: usize = 8 << 20;
/// Most parts of one picture.
const MOST_PARTS: usize = 2048;

/// A picture or a part of one. `T` is what its protocol knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture<T> {
    /// Its time as the protocol writes it; parts of one picture have the same.
    pub timestamp: u32,
    /// Whether decoding can begin here.
    pub keyframe: bool,
    /// NAL units behind lengths of 4 bytes, with at least one slice.
    pub payload: Bytes,
    /// What belongs to the time of its first part.
    pub about: T,
}

/// Whether what a protocol delimits are frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parts {
    /// They are taken for whole.
    Believed,
    /// Something says that they are not: the next waits for the one after it.
    Doubtful,
    /// They were in doubt and are whole.
    Whole,
    /// They have come in parts before: each waits for the next to begin.
    Split,
}

#[derive(Debug)]
struct Open<T> {
    picture: Picture<T>,
    /// Parts behind the first.
    more: BytesMut,
    parts: usize,
}

/// Joins the parts of one track's frames.
#[derive(Debug)]
pub struct Joining<T> {
    parts: Parts,
    open: Option<Open<T>>,
    /// The time of the last picture handed over.
    last: Option<u32>,
    /// The time of a picture of which a part is missing: its other parts are left out.
    torn: Option<u32>,
}

impl<T> Default for Joining<T> {
    fn default() -> Joining<T> {
        Joining { parts: Parts::Believed, open: None, last: None, torn: None }
    }
}

impl<T> Joining<T> {
    /// The protocol has delimited what is no picture: the next one waits for the one after it (or for
    /// [`Joining::close`]), to see whether its slices come one by one as well. Once is enough.
    pub fn doubt(&mut self) {
        if self.parts == Parts::Believed {
            self.parts = Parts::Doubtful;
        }
    }

    /// The picture that waits for the next one to begin.
    pub fn waiting(&self) -> Option<&Picture<T>> {
        self.open.as_ref().map(|open| &open.picture)
    }

    /// Something was lost here; it may be a part of the picture that waits.
    pub fn lose(&mut self, out: &mut Vec<Picture<T>>) {
        self.torn = match self.open.take() {
            Some(open) if self.parts == Parts::Doubtful => {
                self.hand_over(open, out);
                None
            }
            open => open.map(|open| open.picture.timestamp),
        };
    }

    /// Takes the next part. `begins`: whether its first slice is the first of a picture, if it says so. `after_loss`:
    /// something was lost right before it, which [`Joining::lose`] has been told. Gives out what is whole now.
    pub fn take(
        &mut self,
        part: Picture<T>,
        begins: Option<bool>,
        after_loss: bool,
        out: &mut Vec<Picture<T>>,
    ) {
        let goes_on = begins == Some(false);
        if goes_on && after_loss {
            self.torn = Some(part.timestamp);
        }
        if goes_on && self.torn == Some(part.timestamp) {
            return;
        }
        self.torn = None;
        let same = |time: Option<u32>| goes_on && time == Some(part.timestamp);
        if same(self.open.as_ref().map(|open| open.picture.timestamp)) {
            self.parts = Parts::Split;
            return self.append(&part.payload);
        }
        self.close(out);
        if same(self.last) {
            // The picture before was taken for whole: this is the rest of it, and the last time that happens.
            self.parts = Parts::Split;
        }
        let open = Open { picture: part, more: BytesMut::new(), parts: 1 };
        match self.parts {
            Parts::Believed | Parts::Whole => self.hand_over(open, out),
            Parts::Doubtful | Parts::Split => self.open = Some(open),
        }
    }

    /// The picture that waits is whole: something else has come, nothing more will, or it has waited long enough.
    pub fn close(&mut self, out: &mut Vec<Picture<T>>) {
        if let Some(open) = self.open.take() {
            if self.parts == Parts::Doubtful {
                self.parts = Parts::Whole;
            }
            self.hand_over(open, out);
        }
    }

    fn append(&mut self, payload: &[u8]) {
        let Some(open) = &mut self.open else { return };
        let length = open.picture.payload.len().saturating_add(open.more.len()).saturating_add(payload.len());
        open.parts = open.parts.saturating_add(1);
        if length > LONGEST_PICTURE || open.parts > MOST_PARTS {
            self.torn = self.open.take().map(|open| open.picture.timestamp);
            return;
        }
        open.more.extend_from_slice(payload);
    }

    fn hand_over(&mut self, open: Open<T>, out: &mut Vec<Picture<T>>) {
        let Open { mut picture, more, .. } = open;
        if !more.is_empty() {
            let mut whole = BytesMut::with_capacity(picture.payload.len().saturating_add(more.len()));
            whole.extend_from_slice(&picture.payload);
            whole.extend_from_slice(&more);
            picture.payload = whole.freeze();
        }
        self.last = Some(picture.timestamp);
        out.push(picture);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part: its time, whether it begins a picture, whether it comes after a loss.
    type Part = (u32, Option<bool>, bool);

    const FIRST: Option<bool> = Some(true);
    const MORE: Option<bool> = Some(false);

    fn in_doubt<T>(doubtful: bool) -> Joining<T> {
        let mut joining = Joining::default();
        if doubtful {
            joining.doubt();
        }
        joining
    }

    /// What comes out: time and payload; parts are numbered.
    fn joined(doubtful: bool, parts: &[Part]) -> Vec<(u32, Vec<u8>)> {
        let (mut joining, mut out) = (in_doubt(doubtful), Vec::new());
        for (number, (timestamp, begins, after_loss)) in parts.iter().enumerate() {
            let payload = Bytes::from(vec![number as u8]);
            let part = Picture { timestamp: *timestamp, keyframe: false, payload, about: () };
            if *after_loss {
                joining.lose(&mut out);
            }
            joining.take(part, *begins, *after_loss, &mut out);
        }
        joining.close(&mut out);
        out.into_iter().map(|picture| (picture.timestamp, picture.payload.to_vec())).collect()
    }

    #[test]
    fn whole_frames_wait_for_nothing() {
        let (mut joining, mut out) = (in_doubt(false), Vec::new());
        for timestamp in [1, 2, 2, 3] {
            let payload = Bytes::from_static(&[1]);
            joining.take(Picture { timestamp, keyframe: false, payload, about: () }, FIRST, false, &mut out);
            assert_eq!((out.len(), joining.waiting()), (1, None));
            out.clear();
        }
    }

    #[test]
    fn one_waits_where_there_is_doubt() {
        let (mut joining, mut out) = (in_doubt(false), Vec::new());
        for (timestamp, doubt, at_once) in [(1, false, 1), (2, true, 0), (3, true, 2), (4, true, 1)] {
            if doubt {
                joining.doubt();
            }
            let payload = Bytes::from_static(&[1]);
            joining.take(Picture { timestamp, keyframe: false, payload, about: () }, FIRST, false, &mut out);
            assert_eq!(out.len(), at_once, "{timestamp}");
            out.clear();
        }
    }

    #[test]
    fn slices_of_one_picture_become_one() {
        let parts =
            [(1, FIRST, false), (1, MORE, false), (1, MORE, false), (2, FIRST, false), (2, MORE, false)];
        assert_eq!(joined(true, &parts), [(1, vec![0, 1, 2]), (2, vec![3, 4])]);
        // Without doubt the first was handed over before its second slice came.
        assert_eq!(joined(false, &parts), [(1, vec![0]), (1, vec![1, 2]), (2, vec![3, 4])]);
        // Two frames with the same time are two.
        assert_eq!(joined(true, &[(1, FIRST, false), (1, FIRST, false)]), [(1, vec![0]), (1, vec![1])]);
        // What does not say where it begins is a picture, as is what goes on from another time.
        let odd = [(1, None, false), (2, None, false), (3, MORE, false), (4, MORE, false)];
        assert_eq!(joined(false, &odd).len(), 4);
        assert_eq!(joined(true, &odd).len(), 4);
    }

    #[test]
    fn a_picture_with_a_hole_is_left_out() {
        let slices = |time| [(time, FIRST, false), (time, MORE, false), (time, MORE, false)];
        let mut parts = [slices(1), slices(2), slices(3), slices(4)].concat();
        // The second slice of the second picture is lost; the first of the third.
        parts.remove(4);
        parts[4].2 = true;
        parts.remove(5);
        parts[5].2 = true;
        let times: Vec<u32> = joined(true, &parts).iter().map(|(time, _)| *time).collect();
        assert_eq!(times, [1, 4]);
    }

    #[test]
    fn frames_without_end_are_bounded() {
        let (mut joining, mut out) = (in_doubt(true), Vec::new());
        let payload = Bytes::from(vec![0; 1 << 20]);
        for number in 0..20 {
            let part = Picture { timestamp: 1, keyframe: false, payload: payload.clone(), about: () };
            joining.take(part, Some(number == 0), false, &mut out);
        }
        joining.close(&mut out);
        assert!(out.is_empty());
        let part = Picture { timestamp: 2, keyframe: false, payload, about: () };
        joining.take(part, FIRST, false, &mut out);
        joining.close(&mut out);
        assert_eq!(out.len(), 1);
    }
}
