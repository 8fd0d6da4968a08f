//! Data messages: metadata, and what travels to players as it is. None of them is needed to carry a stream, so one that
//! cannot be read is left out and the stream goes on.

use crate::hub::Metadata;
use crate::protocol::rtmp::wire::amf0::{self, AmfError, Reader, Value};
use bytes::Bytes;

/// The longest message that players get, in bytes: what our own limits allow a peer to send elsewhere.
const LONGEST: usize = 64 << 10;

/// A data message.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `onMetaData` (its raw form begins with that string), and which tracks it announces.
    Metadata(Metadata, Announced),
    /// For players, as it is.
    Message(Bytes),
    /// An order to the server, or nothing.
    Nothing,
}

/// Which tracks metadata announce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// Video.
    pub video: bool,
    /// Audio.
    pub audio: bool,
}

/// Why a data message is left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is not AMF0, or not within the bounds.
    #[error("a data message cannot be read ({0})")]
    Amf(#[from] AmfError),
    /// It does not begin with a name, or metadata are no list of properties.
    #[error("a data message is none: {0}")]
    Shape(&'static str),
    /// Longer than [`LONGEST`].
    #[error("a data message is too long ({0} bytes)")]
    Long(usize),
}

/// Reads the body of a data message.
///
/// # Errors
/// It is of no use to anybody.
pub fn read(body: &Bytes) -> Result<Data, Unreadable> {
    if body.is_empty() {
        return Ok(Data::Nothing);
    }
    if body.len() > LONGEST {
        return Err(Unreadable::Long(body.len()));
    }
    let mut reader = Reader::new(body);
    let mut begin = 0;
    let mut name = name(&mut reader)?;
    // Tells the server to keep what follows; players get it without.
    if name == "@setDataFrame" {
        begin = at(&reader, body);
        name = self::name(&mut reader)?;
    }
    match name.as_str() {
        "@clearDataFrame" => Ok(Data::Nothing),
        "onMetaData" => {
            let properties = at(&reader, body);
            let about = reader.read()?.unwrap_or(Value::Null);
            if !matches!(about, Value::Object(_) | Value::EcmaArray(_) | Value::Typed(..)) {
                return Err(Unreadable::Shape("metadata without properties"));
            }
            let body = body.slice(..at(&reader, body));
            // The name may be written in another way than players know.
            let plain = amf0::encode(&[Value::text("onMetaData")]);
            let raw = match body.get(begin..properties) {
                Some(name) if name == plain => body.slice(begin..),
                _ => [&plain, body.get(properties..).unwrap_or_default()].concat().into(),
            };
            let (size, frame_rate) = (size(&about), frame_rate(&about));
            Ok(Data::Metadata(Metadata { size, frame_rate, raw }, announced(&about)))
        }
        _ => {
            while reader.read()?.is_some() {}
            Ok(Data::Message(body.slice(begin..)))
        }
    }
}

/// How far a reader has come.
fn at(reader: &Reader<'_>, body: &Bytes) -> usize {
    body.len().saturating_sub(reader.rest().len())
}

fn name(reader: &mut Reader<'_>) -> Result<String, Unreadable> {
    match reader.read()? {
        Some(Value::String(name)) => Ok(name),
        _ => Err(Unreadable::Shape("it does not begin with a name")),
    }
}

fn number(about: &Value, name: &str, most: f64) -> Option<f64> {
    about.get(name).and_then(Value::as_number).filter(|n| n.is_finite() && *n > 0.0 && *n <= most)
}

fn size(about: &Value) -> Option<(u32, u32)> {
    let pixels = |name: &str| number(about, name, 65_535.0).map(|n| n as u32).filter(|n| *n > 0);
    pixels("width").zip(pixels("height"))
}

fn frame_rate(about: &Value) -> Option<f64> {
    ["framerate", "videoframerate", "fps"].iter().find_map(|name| number(about, name, 1000.0))
}

fn announced(about: &Value) -> Announced {
    // A number, or a FourCC as text; 0 stands for none where an encoder always writes both.
    let has = |key: &str| match about.get(key) {
        Some(Value::Number(number)) => *number != 0.0,
        Some(Value::String(text)) => !text.is_empty(),
        _ => false,
    };
    Announced { video: has("videocodecid"), audio: has("audiocodecid") }
}

#[cfg(test)]
#[path = "data_tests.rs"]
mod tests;
