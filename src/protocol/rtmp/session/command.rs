//! Commands and answers: AMF0 bodies of command messages, and the two that are sent most.

use super::SessionError;
use crate::protocol::rtmp::wire::amf0::{self, Value};
use crate::protocol::rtmp::wire::chunk_writer::{self, CHUNK_SIZE};
use crate::protocol::rtmp::wire::message::{Message, UserControl, kind};

/// A command that came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Its name.
    pub name: String,
    /// What the answer refers to; 0 if none is wanted.
    pub transaction: f64,
    /// The message stream that it came on.
    pub stream: u32,
    /// The command object, then the arguments.
    pub arguments: Vec<Value>,
}

impl Command {
    /// Reads a command message, in AMF0 or wrapped for AMF3.
    ///
    /// # Errors
    /// The values cannot be read, or the first is no name.
    pub fn read(message: &Message) -> Result<Command, SessionError> {
        let mut values = amf0::decode(body(message))?.into_iter();
        let Some(Value::String(name)) = values.next() else {
            return Err(SessionError::Order("a command without a name"));
        };
        let transaction = values.next().as_ref().and_then(Value::as_number).unwrap_or(0.0);
        Ok(Command { name, transaction, stream: message.stream, arguments: values.collect() })
    }

    /// The command object.
    pub fn object(&self) -> &Value {
        self.arguments.first().unwrap_or(&Value::Null)
    }

    /// An argument behind the command object, counted from 0.
    pub fn argument(&self, index: usize) -> Option<&Value> {
        self.arguments.get(index.saturating_add(1))
    }

    /// A text argument behind the command object, counted from 0.
    pub fn text(&self, index: usize) -> Option<&str> {
        self.argument(index).and_then(Value::as_str)
    }
}

fn body(message: &Message) -> &[u8] {
    match message.kind {
        // A zero in front says that AMF0 follows; some leave it out.
        kind::COMMAND_AMF3 => message.payload.strip_prefix(&[0]).unwrap_or(&message.payload),
        _ => &message.payload,
    }
}

/// The name of a command, of which the rest may be unreadable.
pub fn name(message: &Message) -> Option<String> {
    match amf0::Reader::new(body(message)).read() {
        Ok(Some(Value::String(name))) => Some(name),
        _ => None,
    }
}

/// Writes a command or an answer.
pub fn write(out: &mut Vec<u8>, stream: u32, name: &str, transaction: f64, arguments: &[Value]) {
    let mut body = Vec::with_capacity(256);
    amf0::write(&mut body, &Value::text(name));
    amf0::write(&mut body, &Value::Number(transaction));
    arguments.iter().for_each(|value| amf0::write(&mut body, value));
    chunk_writer::write(out, CHUNK_SIZE, kind::COMMAND, stream, 0, &[], &body);
}

/// How a status is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// All is well.
    Status,
    /// Something does not work.
    Error,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Level::Status => "status",
            Level::Error => "error",
        }
    }
}

/// The information object of a status.
pub fn information(level: Level, code: &str, description: &str) -> Value {
    Value::object([
        ("level", Value::text(level.word())),
        ("code", Value::text(code)),
        ("description", Value::text(description)),
    ])
}

/// Writes `onStatus`.
pub fn status(out: &mut Vec<u8>, stream: u32, level: Level, code: &str, description: &str) {
    write(out, stream, "onStatus", 0.0, &[Value::Null, information(level, code, description)]);
}

/// Writes a user control event.
pub fn control(out: &mut Vec<u8>, event: UserControl) {
    chunk_writer::write(out, CHUNK_SIZE, kind::USER_CONTROL, 0, 0, &[], &event.body());
}
