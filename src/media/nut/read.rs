//! Reads what ffmpeg's NUT muxer writes into a pipe: one track and its packets.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::wire::{Cursor, Read};
use super::{Error, Frame, ID, LARGEST, MAIN, STREAM, SYNCPOINT, TimeBase, Track, flag};

/// Largest header packet, in bytes; codec configurations are the longest part.
const LARGEST_HEADER: u64 = 16 * 1024 * 1024;
/// Most side data of a packet that are looked through.
const MOST_SIDE_DATA: u64 = 64;

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The track; comes once, first.
    Track(Track),
    /// A packet.
    Frame(Frame),
}

/// What a frame code stands for.
#[derive(Clone, Copy, Debug, Default)]
struct Code {
    flags: u64,
    pts_delta: i64,
    size_mul: u64,
    size_lsb: u64,
    reserved: u64,
    header: usize,
}

/// What the main header says.
#[derive(Clone, Debug, Default)]
struct Main {
    time_bases: Vec<TimeBase>,
    codes: Vec<Code>,
    /// Bytes that every packet of a code begins with and that are left out of it.
    headers: Vec<Vec<u8>>,
}

/// Takes bytes as they come and gives packets as they are whole.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    taken: usize,
    begun: bool,
    main: Option<Main>,
    /// Bits of a time that stand in every packet, once the track is known.
    shift: Option<u32>,
    last_pts: i64,
}

impl Reader {
    /// More bytes came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next item; `None` until more bytes came.
    ///
    /// # Errors
    /// If it is no NUT with one track; nothing more can be read then.
    pub fn next_item(&mut self) -> Read<Item> {
        loop {
            let bytes = std::mem::take(&mut self.bytes);
            let mut cursor = Cursor::new(bytes.get(self.taken..).unwrap_or_default());
            let before = cursor.left();
            let step = self.step(&mut cursor);
            let used = before.saturating_sub(cursor.left());
            self.bytes = bytes;
            match step? {
                None => return Ok(None),
                Some(found) => {
                    self.taken = self.taken.saturating_add(used);
                    if found.is_some() {
                        return Ok(found);
                    }
                }
            }
        }
    }

    /// Takes the next thing whole, or nothing of it.
    fn step(&mut self, cursor: &mut Cursor<'_>) -> Read<Option<Item>> {
        if !self.begun {
            let Some(id) = cursor.bytes(ID.len()) else { return Ok(None) };
            self.begun = id == ID;
            return if self.begun { Ok(Some(None)) } else { Err(Error::NotNut) };
        }
        let Some(code) = cursor.byte() else { return Ok(None) };
        if code == b'N' { self.packet(cursor) } else { self.frame(code, cursor) }
    }

    /// A header packet, of whose start code the first letter was read.
    fn packet(&mut self, cursor: &mut Cursor<'_>) -> Read<Option<Item>> {
        let Some(rest) = cursor.bytes(7) else { return Ok(None) };
        let code = rest.iter().fold(u64::from(b'N'), |code, byte| (code << 8) | u64::from(*byte));
        let Some(length) = cursor.number()? else { return Ok(None) };
        if length > LARGEST_HEADER {
            return Err(Error::TooLarge);
        }
        if length > 4096 && cursor.bytes(4).is_none() {
            return Ok(None);
        }
        let Some(content) = cursor.bytes(length as usize) else { return Ok(None) };
        let whole = |read: Option<()>| read.ok_or(Error::Invalid("header"));
        match code {
            MAIN if self.main.is_none() => {
                let mut main = Main::default();
                whole(main.read(&mut Cursor::new(content))?)?;
                self.main = Some(main);
            }
            STREAM if self.shift.is_none() => {
                let main = self.main.as_ref().ok_or(Error::Invalid("header"))?;
                let (track, shift) =
                    stream(&mut Cursor::new(content), main)?.ok_or(Error::Invalid("header"))?;
                self.shift = Some(shift);
                return Ok(Some(Some(Item::Track(track))));
            }
            // Others are told by the time of a syncpoint, in ticks of the only clock.
            SYNCPOINT => {
                let clocks = self.main.as_ref().map_or(1, |main| main.time_bases.len() as u64);
                let coded = Cursor::new(content).number()?.ok_or(Error::Invalid("header"))?;
                let ticks = coded.checked_div(clocks).ok_or(Error::Invalid("number of clocks"))?;
                self.last_pts = i64::try_from(ticks).unwrap_or(i64::MAX);
            }
            _ => {}
        }
        Ok(Some(None))
    }

    fn frame(&mut self, code: u8, cursor: &mut Cursor<'_>) -> Read<Option<Item>> {
        let (Some(main), Some(shift)) = (&self.main, self.shift) else { return Err(Error::Invalid("order")) };
        let code = main.codes.get(usize::from(code)).copied().unwrap_or_default();
        let mut flags = code.flags;
        let number = |cursor: &mut Cursor<'_>, is: bool, otherwise: u64| match is {
            true => cursor.number(),
            false => Ok(Some(otherwise)),
        };
        if flags & flag::INVALID != 0 {
            return Err(Error::Invalid("frame code"));
        }
        let Some(coded) = number(cursor, flags & flag::CODED != 0, 0)? else { return Ok(None) };
        flags ^= coded;
        let has = |flag: u64| flags & flag != 0;
        let Some(track) = number(cursor, has(flag::STREAM_ID), 0)? else { return Ok(None) };
        let Some(coded_pts) = number(cursor, has(flag::CODED_PTS), 0)? else { return Ok(None) };
        let Some(msb) = number(cursor, has(flag::SIZE_MSB), 0)? else { return Ok(None) };
        if has(flag::MATCH_TIME) && cursor.signed()?.is_none() {
            return Ok(None);
        }
        let Some(header) = number(cursor, has(flag::HEADER_IDX), code.header as u64)? else {
            return Ok(None);
        };
        let Some(reserved) = number(cursor, has(flag::RESERVED), code.reserved)? else { return Ok(None) };
        for _ in 0..reserved.min(256) {
            if cursor.number()?.is_none() {
                return Ok(None);
            }
        }
        if has(flag::CHECKSUM) && cursor.bytes(4).is_none() {
            return Ok(None);
        }
        if track != 0 {
            return Err(Error::Invalid("track number"));
        }
        let size = code.size_mul.checked_mul(msb).and_then(|size| size.checked_add(code.size_lsb));
        let size = size.filter(|size| *size <= LARGEST).ok_or(Error::TooLarge)?;
        // A large packet is never worth the bytes that are left out of it.
        let header = if size > 4096 { 0 } else { header as usize };
        let header = main.headers.get(header).ok_or(Error::Invalid("left-out header"))?;
        let written = (size as usize).checked_sub(header.len()).ok_or(Error::Invalid("size"))?;
        let Some(content) = cursor.bytes(written) else { return Ok(None) };
        let pts = if has(flag::CODED_PTS) {
            completed(coded_pts, shift, self.last_pts)
        } else {
            self.last_pts.saturating_add(code.pts_delta)
        };
        let mut content = Cursor::new(content);
        let extradata = if has(flag::SIDE_DATA) { side_data(&mut content)? } else { None };
        let mut data = header.clone();
        data.extend_from_slice(content.bytes(content.left()).unwrap_or_default());
        self.last_pts = pts;
        Ok(Some(Some(Item::Frame(Frame { pts, key: has(flag::KEY), extradata, data }))))
    }
}

/// A time of which `shift` low bits may stand for the whole: the nearest to the last one.
fn completed(coded: u64, shift: u32, last: i64) -> i64 {
    let mask = (1i64 << shift.min(62)).saturating_sub(1);
    if let Some(whole) = coded.checked_sub(mask.unsigned_abs().saturating_add(1)) {
        return i64::try_from(whole).unwrap_or(i64::MAX);
    }
    let delta = last.saturating_sub(mask / 2);
    ((coded as i64).wrapping_sub(delta) & mask).saturating_add(delta)
}

impl Main {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Read<()> {
        macro_rules! take {
            ($read:expr) => {
                match $read? {
                    Some(value) => value,
                    None => return Ok(None),
                }
            };
        }
        if take!(cursor.number()) > 3 {
            take!(cursor.number());
        }
        if take!(cursor.number()) != 1 {
            return Err(Error::Invalid("number of tracks"));
        }
        take!(cursor.number());
        let clocks = take!(cursor.number());
        if clocks == 0 || clocks > 16 {
            return Err(Error::Invalid("number of clocks"));
        }
        for _ in 0..clocks {
            let (num, den) = (take!(cursor.number()), take!(cursor.number()));
            let part = |value: u64| u32::try_from(value).ok().filter(|v| *v > 0);
            let (Some(num), Some(den)) = (part(num), part(den)) else { return Err(Error::Invalid("clock")) };
            self.time_bases.push(TimeBase { num, den });
        }
        let mut last = Code { size_mul: 1, ..Code::default() };
        while self.codes.len() < 256 {
            last.flags = take!(cursor.number());
            let fields = take!(cursor.number());
            if fields > 0 {
                last.pts_delta = take!(cursor.signed());
            }
            if fields > 1 {
                last.size_mul = take!(cursor.number());
            }
            if fields > 2 {
                take!(cursor.number());
            }
            last.size_lsb = if fields > 3 { take!(cursor.number()) } else { 0 };
            last.reserved = if fields > 4 { take!(cursor.number()) } else { 0 };
            let count = match fields {
                6.. => take!(cursor.number()),
                _ => last.size_mul.saturating_sub(last.size_lsb),
            };
            if fields > 6 {
                take!(cursor.signed());
            }
            if fields > 7 {
                last.header = take!(cursor.number()) as usize;
            }
            for _ in 8..fields.min(64) {
                take!(cursor.number());
            }
            if count == 0 || count > 256 {
                return Err(Error::Invalid("frame code"));
            }
            self.repeat(last, count);
        }
        let left_out = if cursor.left() > 4 { take!(cursor.number()) } else { 0 };
        self.headers.push(Vec::new());
        for _ in 0..left_out.min(128) {
            self.headers.push(take!(cursor.counted(255)).to_vec());
        }
        Ok(Some(()))
    }

    /// `code` for the next `count` codes, each a byte larger; the letter `N` is none.
    fn repeat(&mut self, code: Code, count: u64) {
        for more in 0..count {
            if self.codes.len() == usize::from(b'N') {
                self.codes.push(Code { flags: flag::INVALID, ..Code::default() });
            }
            self.codes.push(Code { size_lsb: code.size_lsb.saturating_add(more), ..code });
        }
    }
}

/// A track and the bits of its times that every packet has.
fn stream(cursor: &mut Cursor<'_>, main: &Main) -> Read<(Track, u32)> {
    macro_rules! take {
        ($read:expr) => {
            match $read? {
                Some(value) => value,
                None => return Ok(None),
            }
        };
    }
    take!(cursor.number());
    let class = take!(cursor.number());
    let fourcc = take!(cursor.counted(8)).to_vec();
    let clock = take!(cursor.number()) as usize;
    let time_base = *main.time_bases.get(clock).ok_or(Error::Invalid("clock"))?;
    let shift = take!(cursor.number());
    if shift >= 16 {
        return Err(Error::Invalid("clock"));
    }
    take!(cursor.number());
    let decode_delay = take!(cursor.number());
    take!(cursor.number());
    let extradata = take!(cursor.counted(LARGEST_HEADER)).to_vec();
    let mut shape = Vec::new();
    // What is left but the checksum: five numbers of video, three of audio.
    while cursor.left() > 4 && shape.len() < 8 {
        shape.push(take!(cursor.number()));
    }
    Ok(Some((Track { class, fourcc, time_base, decode_delay, extradata, shape }, shift as u32)))
}

/// Side data and metadata, which are passed over, but for a new configuration of the codec.
fn side_data(cursor: &mut Cursor<'_>) -> Result<Option<Vec<u8>>, Error> {
    let cut = Error::Invalid("side data");
    let mut extradata = None;
    for _ in 0..2 {
        let count = cursor.number()?.ok_or(cut)?;
        if count > MOST_SIDE_DATA {
            return Err(cut);
        }
        for _ in 0..count {
            let name = cursor.counted(1024)?.ok_or(cut)?;
            match cursor.signed()?.ok_or(cut)? {
                -1 => {
                    cursor.counted(LARGEST)?.ok_or(cut)?;
                }
                -2 => {
                    cursor.counted(1024)?.ok_or(cut)?;
                    let value = cursor.counted(LARGEST)?.ok_or(cut)?;
                    if name == b"Extradata" {
                        extradata = Some(value.to_vec());
                    }
                }
                -4 => {
                    cursor.number()?.ok_or(cut)?;
                }
                ..=-3 => {
                    cursor.signed()?.ok_or(cut)?;
                }
                _ => {}
            }
        }
    }
    Ok(extradata)
}
