//! RTP of LATM into AAC frames (RFC 6416, 6): a packet holds an AudioMuxElement, or a part of one up to the marker. How
//! its frames are laid out stands in the description (`cpresent=0`) or in the elements themselves (`cpresent=1`).

use super::{Unit, Unreadable};
use crate::media::codec::bits::Bits;
use crate::media::codec::latm::{LatmError, StreamMux};
use crate::media::rtp::header::Header;
use crate::media::track::AudioTrack;
use bytes::{Bytes, BytesMut};

/// Longest element that is put together, in bytes.
const LONGEST: usize = 1 << 16;
/// Most frames of one packet, in however many elements.
const MOST_FRAMES: usize = 128;

/// What a description says of a LATM track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// How elements are laid out; none if only they say it.
    pub mux: Option<StreamMux>,
    /// Whether elements begin with it, or with a bit that says that it is as before.
    pub in_band: bool,
}

impl Described {
    /// The track, if the description tells.
    pub fn track(&self) -> Option<AudioTrack> {
        AudioTrack::aac(self.mux.as_ref()?.config.clone()).ok()
    }
}

/// Puts the frames of one track together.
#[derive(Debug)]
pub struct Latm {
    mux: Option<StreamMux>,
    in_band: bool,
    /// Samples of a frame.
    samples: u32,
    /// The begin of an element: its RTP time and what has come.
    open: Option<(u32, BytesMut)>,
    /// Something is missing since the last element that was whole: what comes may be the middle of one.
    torn: bool,
    /// The track, when an element has said that it is another.
    fresh: Option<AudioTrack>,
}

impl Latm {
    /// For a track that was described so.
    pub fn new(described: &Described) -> Latm {
        let track = described.track();
        Latm {
            mux: described.mux.clone().filter(|_| track.is_some()),
            in_band: described.in_band,
            samples: samples(track.as_ref()),
            open: None,
            torn: false,
            fresh: None,
        }
    }

    /// The track, if elements have said since the last time that it is another.
    pub fn fresh(&mut self) -> Option<AudioTrack> {
        self.fresh.take()
    }

    /// Takes the next packet.
    ///
    /// # Errors
    /// A payload that breaks the format.
    pub fn push(
        &mut self,
        header: &Header,
        payload: &Bytes,
        missing: bool,
        out: &mut Vec<Unit>,
    ) -> Result<(), Unreadable> {
        if missing {
            self.open = None;
            self.torn = true;
        }
        // Without a marker the next time ends an element as well.
        if let Some((timestamp, whole)) = self.open.take_if(|(timestamp, _)| *timestamp != header.timestamp) {
            let _ = self.element(timestamp, &whole, out);
        }
        match (&mut self.open, header.marker) {
            (None, true) => self.element(header.timestamp, payload, out),
            (open, marker) => {
                let (timestamp, all) = open.get_or_insert_with(|| (header.timestamp, BytesMut::new()));
                if all.len().saturating_add(payload.len()) > LONGEST {
                    self.open = None;
                    self.torn = true;
                    return Err(Unreadable);
                }
                all.extend_from_slice(payload);
                if !marker {
                    return Ok(());
                }
                let (timestamp, whole) = (*timestamp, all.split());
                self.open = None;
                self.element(timestamp, &whole, out)
            }
        }
    }

    /// One element, or several in a row.
    fn element(&mut self, timestamp: u32, bytes: &[u8], out: &mut Vec<Unit>) -> Result<(), Unreadable> {
        let mut frames: Vec<Vec<u8>> = Vec::new();
        let mut bits = Bits::new(bytes);
        let mut read = Ok(());
        while read.is_ok() && bits.left() >= 8 && frames.len() < MOST_FRAMES {
            read = self.frames(&mut bits, &mut frames);
        }
        // After a loss only what fits to the last byte is surely an element and not the rest of one.
        if std::mem::take(&mut self.torn) && (read.is_err() || bits.left() > 0) {
            return Err(Unreadable);
        }
        let mut before = 0_u32;
        for payload in frames {
            if !payload.is_empty() {
                let payload = payload.into();
                out.push(Unit::audio(timestamp, before, payload));
            }
            before = before.saturating_add(self.samples);
        }
        read
    }

    /// The frames of one AudioMuxElement (ISO 14496-3, 1.7.3.1). Frames before one that does not fit count.
    fn frames(&mut self, bits: &mut Bits<'_>, out: &mut Vec<Vec<u8>>) -> Result<(), Unreadable> {
        if self.in_band && !bits.bit().ok_or(Unreadable)? {
            let mux = StreamMux::read(bits).map_err(|_: LatmError| Unreadable)?;
            self.set(mux)?;
        }
        let Some(mux) = &self.mux else {
            // It began before we came and has not said yet what it is.
            return bits.skip(bits.left()).ok_or(Unreadable);
        };
        for _ in 0..mux.frames {
            let length = match mux.fixed {
                Some(length) => length,
                None => length(bits).ok_or(Unreadable)?,
            };
            out.push(bits.bytes(length).ok_or(Unreadable)?);
        }
        bits.skip(mux.other_bits).ok_or(Unreadable)?;
        let over = bits.position() % 8;
        bits.skip(if over == 0 { 0 } else { 8_usize.saturating_sub(over) }).ok_or(Unreadable)
    }

    fn set(&mut self, mux: StreamMux) -> Result<(), Unreadable> {
        if self.mux.as_ref() != Some(&mux) {
            let track = AudioTrack::aac(mux.config.clone()).map_err(|_| Unreadable)?;
            self.samples = samples(Some(&track));
            self.fresh = Some(track);
            self.mux = Some(mux);
        }
        Ok(())
    }
}

fn samples(track: Option<&AudioTrack>) -> u32 {
    track.and_then(AudioTrack::samples_per_packet).unwrap_or(1024)
}

/// PayloadLengthInfo: bytes that are added up until one is not 255.
fn length(bits: &mut Bits<'_>) -> Option<usize> {
    let mut length = 0_usize;
    loop {
        let byte = bits.bits(8)?;
        length = length.checked_add(usize::try_from(byte).ok()?)?;
        if byte != 255 {
            return Some(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(timestamp: u32, marker: bool) -> Header {
        Header { marker, payload_type: 96, sequence: 0, timestamp, ssrc: 0 }
    }

    fn mux(frames: usize, other_bits: usize) -> StreamMux {
        StreamMux { config: Bytes::from_static(&[0x11, 0x90]), frames, fixed: None, other_bits }
    }

    fn said(frames: usize) -> Described {
        Described { mux: Some(mux(frames, 0)), in_band: false }
    }

    /// An element of these frames, behind `begin` bits if they come in band.
    fn element(begin: &[bool], frames: &[Vec<u8>], other_bits: usize) -> Vec<u8> {
        let mut bits: Vec<bool> = begin.to_vec();
        let byte = |bits: &mut Vec<bool>, byte: u8| bits.extend((0..8).map(|at| byte & (0x80 >> at) != 0));
        for frame in frames {
            (0..frame.len() / 255).for_each(|_| byte(&mut bits, 255));
            byte(&mut bits, (frame.len() % 255) as u8);
            frame.iter().for_each(|b| byte(&mut bits, *b));
        }
        bits.resize((bits.len() + other_bits).div_ceil(8) * 8, false);
        bits.chunks(8).map(|c| c.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
    }

    fn taken(latm: &mut Latm, packets: &[(u32, bool, bool, &[u8])]) -> Vec<(u32, u32, Vec<u8>)> {
        let mut out = Vec::new();
        for (timestamp, marker, missing, payload) in packets {
            let _ =
                latm.push(&head(*timestamp, *marker), &Bytes::copy_from_slice(payload), *missing, &mut out);
        }
        out.into_iter().map(|u| (u.timestamp, u.samples_before, u.payload.to_vec())).collect()
    }

    #[test]
    fn lengths_of_several_bytes_and_parts_up_to_the_marker() {
        let long = vec![7; 600];
        let whole = element(&[], std::slice::from_ref(&long), 0);
        assert_eq!(whole[..4], [255, 255, 90, 7]);
        assert_eq!(taken(&mut Latm::new(&said(1)), &[(5, true, false, &whole)]), [(5, 0, long.clone())]);
        let parts = [
            (5, false, false, &whole[..100]),
            (5, false, false, &whole[100..101]),
            (5, true, false, &whole[101..]),
        ];
        assert_eq!(taken(&mut Latm::new(&said(1)), &parts), [(5, 0, long.clone())]);
        // A length that ends with 0, and one that is nothing but 0.
        let even = vec![9; 255];
        assert_eq!(element(&[], std::slice::from_ref(&even), 0)[..2], [255, 0]);
        assert_eq!(
            taken(
                &mut Latm::new(&said(1)),
                &[(5, true, false, &element(&[], std::slice::from_ref(&even), 0))]
            ),
            [(5, 0, even)]
        );
        assert_eq!(taken(&mut Latm::new(&said(1)), &[(5, true, false, &[0])]), []);
        // Without markers the next time ends it.
        let parts =
            [(5, false, false, &whole[..]), (6, false, false, &whole[..]), (7, false, false, &whole[..])];
        assert_eq!(taken(&mut Latm::new(&said(1)), &parts), [(5, 0, long.clone()), (6, 0, long)]);
    }

    #[test]
    fn several_frames_in_an_element_and_several_elements_in_a_packet() {
        let frames = [vec![1; 3], vec![2; 300], vec![3]];
        let three = element(&[], &frames, 0);
        let wanted: Vec<_> =
            frames.iter().enumerate().map(|(n, f)| (9, n as u32 * 1024, f.clone())).collect();
        assert_eq!(taken(&mut Latm::new(&said(3)), &[(9, true, false, &three)]), wanted);
        assert_eq!(
            taken(&mut Latm::new(&said(1)), &[(9, true, false, &three)]),
            wanted,
            "or as elements in a row"
        );
        let other = Described { mux: Some(mux(3, 13)), in_band: false };
        assert_eq!(taken(&mut Latm::new(&other), &[(9, true, false, &element(&[], &frames, 13))]), wanted);
        let fixed = Described { mux: Some(StreamMux { fixed: Some(20), ..mux(2, 0) }), in_band: false };
        assert_eq!(
            taken(&mut Latm::new(&fixed), &[(9, true, false, &[4; 40])]),
            [(9, 0, vec![4; 20]), (9, 1024, vec![4; 20])]
        );
    }

    /// useSameStreamMux, and if it is not the same the configuration of one AAC LC stream.
    fn in_band(config: Option<u16>) -> Vec<bool> {
        let Some(config) = config else { return vec![true] };
        let bits = |value: u32, count: u32| (0..count).rev().map(move |at| (value >> at) & 1 == 1);
        let begin =
            std::iter::once(false).chain(bits(0b010_0000_0000_0000, 15)).chain(bits(config.into(), 16));
        begin.chain(bits(0xff << 2, 13)).collect()
    }

    #[test]
    fn a_configuration_among_the_frames() {
        let mut latm = Latm::new(&Described { mux: None, in_band: true });
        let frame = vec![0x5a; 270];
        let (same, first) = (
            element(&in_band(None), std::slice::from_ref(&frame), 0),
            element(&in_band(Some(0x1190)), std::slice::from_ref(&frame), 0),
        );
        assert_eq!(taken(&mut latm, &[(1, true, false, &same)]), [], "nobody knows yet what this is");
        assert_eq!(latm.fresh(), None);
        assert_eq!(taken(&mut latm, &[(2, true, false, &first)]), [(2, 0, frame.clone())]);
        let track = latm.fresh().expect("a track");
        assert_eq!((track.sample_rate, track.channels, &track.config[..]), (48_000, 2, &[0x11, 0x90][..]));
        assert_eq!(taken(&mut latm, &[(3, true, false, &same), (4, true, false, &first)]).len(), 2);
        assert_eq!(latm.fresh(), None, "the same again is no change");
        taken(&mut latm, &[(5, true, false, &element(&in_band(Some(0x1208)), &[frame], 0))]);
        assert_eq!(latm.fresh().map(|t| (t.sample_rate, t.channels)), Some((44_100, 1)));
    }

    #[test]
    fn after_a_loss_only_whole_elements_count() {
        let whole = element(&[], &[vec![7; 600]], 0);
        let mut latm = Latm::new(&said(1));
        // The first part is lost; the rest would give frames of seven bytes.
        assert_eq!(
            taken(&mut latm, &[(5, true, true, &whole[101..]), (6, true, false, &whole)]),
            [(6, 0, vec![7; 600])]
        );
        // A loss between two elements costs nothing.
        assert_eq!(taken(&mut latm, &[(7, true, true, &whole)]), [(7, 0, vec![7; 600])]);
        // The end is lost.
        let parts = [(8, false, false, &whole[..100]), (9, true, true, &whole[..])];
        assert_eq!(taken(&mut latm, &parts), [(9, 0, vec![7; 600])]);
    }

    #[test]
    fn lies_are_refused_and_bounded() {
        let mut latm = Latm::new(&said(1));
        for lie in [&[5, 1, 2][..], &[255], &[255, 255, 255, 0, 1]] {
            let mut out = Vec::new();
            assert_eq!(
                latm.push(&head(1, true), &Bytes::copy_from_slice(lie), false, &mut out),
                Err(Unreadable)
            );
            assert_eq!(out, []);
        }
        let (body, mut out) = (Bytes::from(vec![255; 40_000]), Vec::new());
        assert_eq!(latm.push(&head(2, false), &body, false, &mut out), Ok(()));
        assert_eq!(latm.push(&head(2, false), &body, false, &mut out), Err(Unreadable));
        assert!(taken(&mut latm, &[(3, true, false, &[1; 4000])]).len() <= MOST_FRAMES);
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out(
            lengths in proptest::collection::vec(1usize..1200, 1..5), part in 1usize..1400, in_band_too in any::<bool>(),
        ) {
            let frames: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(n, l)| vec![n as u8 + 1; *l]).collect();
            let described = match in_band_too {
                true => Described { mux: None, in_band: true },
                false => said(frames.len()),
            };
            let begin = if in_band_too { in_band(Some(0x1190)) } else { Vec::new() };
            let mut latm = Latm::new(&described);
            // In band each frame is an element of its own: the configuration above says so.
            let elements: Vec<Vec<u8>> = match in_band_too {
                true => frames.iter().map(|f| element(&begin, std::slice::from_ref(f), 0)).collect(),
                false => vec![element(&[], &frames, 0)],
            };
            let mut out = Vec::new();
            for (n, element) in elements.iter().enumerate() {
                let mut parts = element.chunks(part).peekable();
                while let Some(piece) = parts.next() {
                    let head = head(n as u32, parts.peek().is_none());
                    latm.push(&head, &Bytes::copy_from_slice(piece), false, &mut out).unwrap();
                }
            }
            let got: Vec<Vec<u8>> = out.iter().map(|u| u.payload.to_vec()).collect();
            prop_assert_eq!(got, frames);
        }

        #[test]
        fn any_payload_is_borne(
            config in proptest::collection::vec(any::<u8>(), 0..12), in_band in any::<bool>(),
            packets in proptest::collection::vec((0u32..4, any::<bool>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..30),
        ) {
            let mux = StreamMux::read(&mut Bits::new(&config)).ok();
            let mut latm = Latm::new(&Described { mux, in_band });
            for (timestamp, marker, missing, payload) in packets {
                let mut out = Vec::new();
                let _ = latm.push(&head(timestamp, marker), &payload.into(), missing, &mut out);
                prop_assert!(out.len() <= MOST_FRAMES + 64 && out.iter().all(|u| !u.payload.is_empty()));
            }
        }
    }
}
