//! AMF0 (Adobe's "Action Message Format -- AMF 0" of 2007): values read and written. Reading is bounded in depth, in
//! elements and in the length of strings, and allocates for what has come, never for what is announced.

use std::fmt;

/// Objects and arrays inside each other.
pub const MOST_DEPTH: usize = 16;
/// Values and properties in one message, together.
pub const MOST_ELEMENTS: usize = 1024;
/// Bytes in one string.
pub const LONGEST_STRING: usize = 8192;

/// A property of an object.
pub type Property = (String, Value);

/// A value. Text that is not UTF-8 is read with replacement characters.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A double.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A string, short or long, or an XML document.
    String(String),
    /// An anonymous object.
    Object(Vec<Property>),
    /// null.
    Null,
    /// undefined; also stands for a reference and for "unsupported".
    Undefined,
    /// An associative array.
    EcmaArray(Vec<Property>),
    /// A plain array.
    Array(Vec<Value>),
    /// Milliseconds since 1970.
    Date(f64),
    /// An object of a named class.
    Typed(String, Vec<Property>),
}

/// Why bytes are not AMF0, or not such as we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmfError {
    /// They end inside a value.
    #[error("an AMF value is cut short")]
    Short,
    /// More than [`MOST_DEPTH`].
    #[error("AMF values are nested too deeply")]
    Depth,
    /// More than [`MOST_ELEMENTS`].
    #[error("an AMF message has too many values")]
    Elements,
    /// Longer than [`LONGEST_STRING`].
    #[error("an AMF string is too long")]
    String,
    /// A type that does not exist, or is reserved.
    #[error("there is no AMF type {0:#04x}")]
    Marker(u8),
}

impl AmfError {
    /// The limit's name in the metrics, if one was broken.
    pub const fn limit(self) -> Option<&'static str> {
        match self {
            AmfError::Depth => Some("rtmp_amf_depth"),
            AmfError::Elements => Some("rtmp_amf_elements"),
            AmfError::String => Some("rtmp_amf_string"),
            AmfError::Short | AmfError::Marker(_) => None,
        }
    }
}

impl Value {
    /// A string.
    pub fn text(text: impl Into<String>) -> Value {
        Value::String(text.into())
    }

    /// An object of these properties.
    pub fn object<const N: usize>(properties: [(&str, Value); N]) -> Value {
        Value::Object(properties.map(|(name, value)| (name.to_string(), value)).into())
    }

    /// A property of an object or associative array.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(properties) | Value::EcmaArray(properties) | Value::Typed(_, properties) => {
                properties.iter().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number of a number.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Boolean(truth) => Some(*truth),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number}"),
            Value::String(text) => f.write_str(text),
            other => write!(f, "{other:?}"),
        }
    }
}

/// Type markers (section 2.1).
mod marker {
    pub const NUMBER: u8 = 0;
    pub const BOOLEAN: u8 = 1;
    pub const STRING: u8 = 2;
    pub const OBJECT: u8 = 3;
    pub const NULL: u8 = 5;
    pub const UNDEFINED: u8 = 6;
    pub const REFERENCE: u8 = 7;
    pub const ECMA_ARRAY: u8 = 8;
    pub const OBJECT_END: u8 = 9;
    pub const STRICT_ARRAY: u8 = 10;
    pub const DATE: u8 = 11;
    pub const LONG_STRING: u8 = 12;
    pub const UNSUPPORTED: u8 = 13;
    pub const XML: u8 = 15;
    pub const TYPED: u8 = 16;
    pub const AMF3: u8 = 17;
}

/// Reads values one after another.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    elements: usize,
}

impl<'a> Reader<'a> {
    /// Begins at the first byte.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, elements: MOST_ELEMENTS }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next value; `None` at the end.
    ///
    /// # Errors
    /// [`AmfError`]; nothing can be read after it.
    pub fn read(&mut self) -> Result<Option<Value>, AmfError> {
        if self.rest.is_empty() { Ok(None) } else { self.value(0).map(Some) }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], AmfError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(AmfError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn word<const N: usize>(&mut self) -> Result<[u8; N], AmfError> {
        let (word, rest) = self.rest.split_first_chunk::<N>().ok_or(AmfError::Short)?;
        self.rest = rest;
        Ok(*word)
    }

    fn byte(&mut self) -> Result<u8, AmfError> {
        self.word::<1>().map(|[byte]| byte)
    }

    fn count_one(&mut self) -> Result<(), AmfError> {
        self.elements = self.elements.checked_sub(1).ok_or(AmfError::Elements)?;
        Ok(())
    }

    fn string(&mut self, length: usize) -> Result<String, AmfError> {
        if length > LONGEST_STRING {
            return Err(AmfError::String);
        }
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn short_string(&mut self) -> Result<String, AmfError> {
        let length = u16::from_be_bytes(self.word()?);
        self.string(length.into())
    }

    fn long_string(&mut self) -> Result<String, AmfError> {
        let length = u32::from_be_bytes(self.word()?);
        self.string(usize::try_from(length).map_err(|_| AmfError::String)?)
    }

    fn number(&mut self) -> Result<f64, AmfError> {
        Ok(f64::from_be_bytes(self.word()?))
    }

    fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
        self.count_one()?;
        if depth > MOST_DEPTH {
            return Err(AmfError::Depth);
        }
        let inner = depth.saturating_add(1);
        Ok(match self.byte()? {
            marker::NUMBER => Value::Number(self.number()?),
            marker::BOOLEAN => Value::Boolean(self.byte()? != 0),
            marker::STRING => Value::String(self.short_string()?),
            marker::LONG_STRING | marker::XML => Value::String(self.long_string()?),
            marker::OBJECT => Value::Object(self.properties(inner, false)?),
            marker::ECMA_ARRAY => {
                // The count is a hint that publishers get wrong; the end marker counts.
                let _count: [u8; 4] = self.word()?;
                Value::EcmaArray(self.properties(inner, true)?)
            }
            marker::STRICT_ARRAY => {
                let count = u32::from_be_bytes(self.word()?);
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(inner)?);
                }
                Value::Array(values)
            }
            marker::DATE => {
                let date = self.number()?;
                let _zone: [u8; 2] = self.word()?;
                Value::Date(date)
            }
            marker::TYPED => {
                let class = self.short_string()?;
                Value::Typed(class, self.properties(inner, false)?)
            }
            marker::REFERENCE => {
                let _index: [u8; 2] = self.word()?;
                Value::Undefined
            }
            marker::NULL => Value::Null,
            marker::UNDEFINED | marker::UNSUPPORTED => Value::Undefined,
            marker::AMF3 => self.amf3()?,
            other => return Err(AmfError::Marker(other)),
        })
    }

    /// Properties up to the end marker. An associative array may also end with the bytes: old writers forget its end.
    fn properties(&mut self, depth: usize, may_end: bool) -> Result<Vec<Property>, AmfError> {
        let mut properties = Vec::new();
        loop {
            if may_end && self.rest.is_empty() {
                return Ok(properties);
            }
            let name = self.short_string()?;
            if name.is_empty() && self.rest.first() == Some(&marker::OBJECT_END) {
                self.byte()?;
                return Ok(properties);
            }
            self.count_one()?;
            let value = self.value(depth)?;
            properties.push((name, value));
        }
    }

    /// A value in AMF3 inside AMF0: what Flash players with object encoding 3 put there is a plain one. Objects are not
    /// read.
    fn amf3(&mut self) -> Result<Value, AmfError> {
        Ok(match self.byte()? {
            0 => Value::Undefined,
            1 => Value::Null,
            2 => Value::Boolean(false),
            3 => Value::Boolean(true),
            4 => {
                let raw = self.amf3_integer()?;
                // 29 bits, the highest of them the sign.
                let signed = if raw >= 1 << 28 { i64::from(raw).wrapping_sub(1 << 29) } else { raw.into() };
                Value::Number(f64::from(i32::try_from(signed).unwrap_or_default()))
            }
            5 => Value::Number(self.number()?),
            6 => {
                let head = self.amf3_integer()?;
                // The lowest bit is 0 for a reference to an earlier string.
                if head & 1 == 0 {
                    return Ok(Value::Undefined);
                }
                Value::String(self.string(usize::try_from(head >> 1).map_err(|_| AmfError::String)?)?)
            }
            other => return Err(AmfError::Marker(other)),
        })
    }

    /// An integer of up to 29 bits in one to four bytes (AMF3, 1.3.1).
    fn amf3_integer(&mut self) -> Result<u32, AmfError> {
        let mut value = 0_u32;
        for _ in 0..3 {
            let byte = self.byte()?;
            value = (value << 7) | u32::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Ok((value << 8) | u32::from(self.byte()?))
    }
}

/// All values of a message.
///
/// # Errors
/// As [`Reader::read`].
pub fn decode(bytes: &[u8]) -> Result<Vec<Value>, AmfError> {
    let mut reader = Reader::new(bytes);
    let mut values = Vec::new();
    while let Some(value) = reader.read()? {
        values.push(value);
    }
    Ok(values)
}

/// Writes values one after another.
pub fn encode(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    values.iter().for_each(|value| write(&mut out, value));
    out
}

/// Writes one value at the end of `out`. Strings of 64 KB and more become long strings; property names are cut there.
pub fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => {
            out.push(marker::NUMBER);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Boolean(truth) => out.extend_from_slice(&[marker::BOOLEAN, u8::from(*truth)]),
        Value::String(text) => match u16::try_from(text.len()) {
            Ok(_) => {
                out.push(marker::STRING);
                write_short(out, text);
            }
            Err(_) => {
                out.push(marker::LONG_STRING);
                let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        },
        Value::Object(properties) => {
            out.push(marker::OBJECT);
            write_properties(out, properties);
        }
        Value::Null => out.push(marker::NULL),
        Value::Undefined => out.push(marker::UNDEFINED),
        Value::EcmaArray(properties) => {
            out.push(marker::ECMA_ARRAY);
            out.extend_from_slice(&u32::try_from(properties.len()).unwrap_or(u32::MAX).to_be_bytes());
            write_properties(out, properties);
        }
        Value::Array(values) => {
            out.push(marker::STRICT_ARRAY);
            out.extend_from_slice(&u32::try_from(values.len()).unwrap_or(u32::MAX).to_be_bytes());
            values.iter().for_each(|value| write(out, value));
        }
        Value::Date(date) => {
            out.push(marker::DATE);
            out.extend_from_slice(&date.to_be_bytes());
            out.extend_from_slice(&[0, 0]);
        }
        Value::Typed(class, properties) => {
            out.push(marker::TYPED);
            write_short(out, class);
            write_properties(out, properties);
        }
    }
}

fn write_properties(out: &mut Vec<u8>, properties: &[Property]) {
    for (name, value) in properties {
        write_short(out, name);
        write(out, value);
    }
    out.extend_from_slice(&[0, 0, marker::OBJECT_END]);
}

fn write_short(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let bytes = bytes.get(..usize::from(u16::MAX)).unwrap_or(bytes);
    out.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "the test's own bytes")]
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            (-1e9..1e9).prop_map(Value::Number),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,20}".prop_map(Value::String),
            Just(Value::Null),
            Just(Value::Undefined),
            (0.0..1e12).prop_map(Value::Date),
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            // An empty name is legal, except that it may not stand before what reads as the end marker; no value does.
            let properties = prop::collection::vec(("[a-z]{0,5}", inner.clone()), 0..6);
            prop_oneof![
                properties.clone().prop_map(Value::Object),
                properties.clone().prop_map(Value::EcmaArray),
                ("[A-Z]{1,5}", properties).prop_map(|(class, p)| Value::Typed(class, p)),
                prop::collection::vec(inner, 0..6).prop_map(Value::Array),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec(any_value(), 0..4)) {
            prop_assert_eq!(decode(&encode(&values)), Ok(values));
        }

        #[test]
        fn a_cut_never_reads_as_more(values in prop::collection::vec(any_value(), 1..4), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&values);
            let cut = cut.index(bytes.len());
            if let Ok(read) = decode(&bytes[..cut]) {
                prop_assert!(read.len() <= values.len());
            }
        }

        #[test]
        fn any_bytes_are_values_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn a_connect_as_ffmpeg_sends_it() {
        let bytes = b"\x02\x00\x07connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00\x03\x00\x03app\x02\x00\x04live\x00\x04fpad\x01\x00\x00\x00\x09";
        let values = decode(bytes).unwrap();
        assert_eq!(values[0].as_str(), Some("connect"));
        assert_eq!(values[1].as_number(), Some(1.0));
        assert_eq!(values[2].get("app").and_then(Value::as_str), Some("live"));
        assert_eq!(values[2].get("fpad").and_then(Value::as_bool), Some(false));
        assert_eq!(values[2].get("none"), None);
    }

    #[test]
    fn nesting_bombs_are_refused() {
        // Objects in objects, as they kill nginx-rtmp's worker.
        let mut bomb = Vec::new();
        for _ in 0..100_000 {
            bomb.extend_from_slice(&[3, 0, 1, b'a']);
        }
        assert_eq!(decode(&bomb), Err(AmfError::Depth));
        let bomb: Vec<u8> = [10, 0, 0, 0, 1].repeat(50_000);
        assert_eq!(decode(&bomb), Err(AmfError::Depth));
        let bomb: Vec<u8> = [8, 255, 255, 255, 255, 0, 1, b'a'].repeat(50_000);
        assert_eq!(decode(&bomb), Err(AmfError::Depth));
        // Sixteen levels are fine.
        let mut deep = Value::Null;
        for _ in 0..MOST_DEPTH {
            deep = Value::Array(vec![deep]);
        }
        assert!(decode(&encode(std::slice::from_ref(&deep))).is_ok());
        assert_eq!(decode(&encode(&[Value::Array(vec![deep])])), Err(AmfError::Depth));
    }

    #[test]
    fn announced_lengths_cost_nothing() {
        assert_eq!(decode(&[0x0a, 0xff, 0xff, 0xff, 0xff]), Err(AmfError::Short));
        assert_eq!(decode(&[0x0c, 0xff, 0xff, 0xff, 0xff]), Err(AmfError::String));
        assert_eq!(decode(&[0x02, 0x20, 0x00]), Err(AmfError::Short));
        assert_eq!(decode(&[0x02, 0x20, 0x01]), Err(AmfError::String));
        assert_eq!(decode(&[0x03, 0xff, 0xff]), Err(AmfError::String));
        assert_eq!(decode(&[0x0e]), Err(AmfError::Marker(0x0e)));
    }

    #[test]
    fn elements_are_counted_in_all() {
        assert!(decode(&[5; MOST_ELEMENTS]).is_ok());
        assert_eq!(decode(&[5; MOST_ELEMENTS + 1]), Err(AmfError::Elements));
        let wide: Vec<Value> = (0..600).map(|_| Value::Object(vec![("a".into(), Value::Null)])).collect();
        assert_eq!(decode(&encode(&wide)), Err(AmfError::Elements));
    }

    #[test]
    fn old_and_odd_writers_are_understood() {
        // An associative array whose end is missing.
        let bytes = b"\x08\x00\x00\x00\x01\x00\x05width\x00\x40\x84\x00\x00\x00\x00\x00\x00";
        assert_eq!(decode(bytes).unwrap()[0].get("width").and_then(Value::as_number), Some(640.0));
        // AMF3 inside: -1, 300, "ab", true.
        let bytes = [0x11, 4, 0xff, 0xff, 0xff, 0xff, 0x11, 4, 0x82, 0x2c, 0x11, 6, 5, b'a', b'b', 0x11, 3];
        let read = decode(&bytes).unwrap();
        let wanted = [Value::Number(-1.0), Value::Number(300.0), Value::text("ab"), Value::Boolean(true)];
        assert_eq!(read, wanted);
        assert_eq!(decode(&[0x11, 0x0a]), Err(AmfError::Marker(0x0a)));
    }
}
