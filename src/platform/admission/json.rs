//! JSON as the servers write it, whose back ends may compare texts: fields in their order, without blanks. And a lenient look into
//! what back ends answer.

use crate::base::clock::parse_stamp;
use serde::Serialize;
use serde_json::Value;

/// An object that is written field by field.
#[derive(Debug)]
pub struct Object(String);

impl Object {
    /// One without fields.
    pub fn new() -> Object {
        Object("{".into())
    }

    /// With one more field.
    pub fn with<T: Serialize + ?Sized>(self, key: &str, value: &T) -> Object {
        let value = serde_json::to_string(value).unwrap_or_else(|_| "null".into());
        self.raw(key, &value)
    }

    /// With one more field, whose value is JSON already.
    pub fn raw(mut self, key: &str, value: &str) -> Object {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&serde_json::to_string(key).unwrap_or_default());
        self.0.push(':');
        self.0.push_str(value);
        self
    }

    /// With one more field if there is something in it.
    pub fn with_some(self, key: &str, value: &str) -> Object {
        if value.is_empty() { self } else { self.with(key, value) }
    }

    /// The text.
    pub fn text(self) -> String {
        self.0 + "}"
    }
}

/// The object in a body, if it is one. Back ends that wrap it in `data` or `stream` mean what is inside.
pub fn object(body: &[u8]) -> Option<serde_json::Map<String, Value>> {
    let Ok(Value::Object(mut outside)) = serde_json::from_slice(body) else { return None };
    for key in ["data", "stream"] {
        if let Some(Value::Object(inside)) = outside.get_mut(key) {
            let inside = std::mem::take(inside);
            outside.extend(inside);
        }
    }
    Some(outside)
}

/// The text of the first of these fields that has one.
pub fn text_of<'a>(object: &'a serde_json::Map<String, Value>, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| object.get(*key)?.as_str()).filter(|text| !text.is_empty())
}

/// The time in the first of these fields that has one, in milliseconds since 1970: as text (RFC 3339) or as a number of seconds or
/// milliseconds.
pub fn time_of(object: &serde_json::Map<String, Value>, keys: &[&str]) -> Option<i64> {
    /// Seconds from here on would be in the year 5138, so these are milliseconds.
    const MILLISECONDS: f64 = 1e11;
    keys.iter().find_map(|key| match object.get(*key)? {
        Value::String(text) => parse_stamp(text.trim()),
        Value::Number(number) => {
            let number = number.as_f64()?;
            let ms = if number.abs() < MILLISECONDS { number * 1000.0 } else { number };
            // A float that does not fit becomes the nearest end, which is far enough.
            Some(ms as i64)
        }
        _ => None,
    })
}
