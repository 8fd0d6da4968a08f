//! What the commands of a client do: connect, publish, play, and what stands around them.

use super::authorization::{Adobe, short};
use super::{Event, MOST_STREAMS, Phase, Purpose, ServerSession, WINDOW};
use crate::auth::{Action, Caller};
use crate::base::secret::Secret;
use crate::media::flv::four_cc;
use crate::protocol::rtmp::session::command::{self, Command, Level, information, status};
use crate::protocol::rtmp::session::{SessionError, name};
use crate::protocol::rtmp::wire::amf0::Value;
use crate::protocol::rtmp::wire::chunk_writer::{self, CHUNK_SIZE};
use crate::protocol::rtmp::wire::message::{Message, kind};
use std::time::Duration;

/// Enhanced RTMP's `capsEx`: several tracks (2), ModEx (4) and nanoseconds in it (8) are understood.
const CAPABILITIES: f64 = 14.0;

impl ServerSession {
    pub(super) fn command(&mut self, command: Command, now: Duration) -> Result<(), SessionError> {
        if !self.connected && command.name != "connect" {
            return Err(SessionError::Order("a command came before connect"));
        }
        let transaction = command.transaction;
        let answer = |out: &mut Vec<u8>, values: &[Value]| {
            if transaction != 0.0 {
                command::write(out, 0, "_result", transaction, values);
            }
        };
        match command.name.as_str() {
            "connect" => self.connect(command),
            "createStream" => {
                if self.streams >= MOST_STREAMS {
                    return Err(SessionError::Order("too many message streams"));
                }
                self.streams = self.streams.saturating_add(1);
                answer(&mut self.out, &[Value::Null, Value::Number(self.streams.into())]);
            }
            "publish" => self.publish(&command),
            "play" | "play2" => self.play(&command),
            "deleteStream" => {
                let which = command.argument(0).and_then(Value::as_number);
                if which.is_none_or(|which| which == f64::from(self.active)) {
                    self.stop(now);
                }
            }
            "closeStream" | "FCUnpublish" => {
                self.stop(now);
                if command.name == "FCUnpublish" {
                    let stopped = information(Level::Status, "NetStream.Unpublish.Success", "");
                    command::write(&mut self.out, 0, "onFCUnpublish", 0.0, &[Value::Null, stopped]);
                }
            }
            "FCPublish" => {
                answer(&mut self.out, &[Value::Null, Value::Undefined]);
                let name = name::cut(command.text(0).unwrap_or_default()).0;
                let started = information(Level::Status, "NetStream.Publish.Start", &short(name));
                command::write(&mut self.out, 0, "onFCPublish", 0.0, &[Value::Null, started]);
            }
            "FCSubscribe" => {
                answer(&mut self.out, &[Value::Null, Value::Undefined]);
                let started = information(Level::Status, "NetStream.Play.Start", "");
                command::write(&mut self.out, 0, "onFCSubscribe", 0.0, &[Value::Null, started]);
            }
            "releaseStream" | "_checkbw" | "checkBandwidth" => {
                answer(&mut self.out, &[Value::Null, Value::Undefined]);
            }
            // Live streams have no length.
            "getStreamLength" | "getMovLen" => answer(&mut self.out, &[Value::Null, Value::Number(0.0)]),
            "pause" | "pauseRaw" => self.pause(&command),
            // Audio or video alone, and another position, are not to be had from a live stream here.
            "receiveAudio" | "receiveVideo" | "seek" | "_result" | "_error" | "onStatus" => {}
            _ => {
                if command.transaction != 0.0 {
                    let text = format!("there is no method '{}'", short(&command.name));
                    let failed = information(Level::Error, "NetConnection.Call.Failed", &text);
                    let values = [Value::Null, failed];
                    command::write(&mut self.out, 0, "_error", command.transaction, &values);
                }
            }
        }
        Ok(())
    }

    fn connect(&mut self, command: Command) {
        if self.connected {
            return self.reject(&command, "this connection is connected already");
        }
        // Whatever is answered may be longer than a chunk of the first size.
        chunk_writer::set_chunk_size(&mut self.out);
        let text = |key: &str| command.object().get(key).and_then(Value::as_str).unwrap_or_default();
        let (application, mut arguments) = name::cut(text("app"));
        let application = application.trim_matches('/');
        if arguments.is_empty() {
            arguments = name::cut(text("tcUrl")).1;
        }
        if !self.rules.applications.iter().any(|known| known == application) {
            let text = format!(
                "there is no application '{}'; stream URLs are rtmp://host/{}/name",
                short(application),
                self.rules.applications.first().map_or("", String::as_str)
            );
            return self.reject(&command, &text);
        }
        self.caller = Caller {
            agent: short(text("flashVer")),
            url: Secret::new(short(text("tcUrl"))),
            page: short(text("pageUrl")),
            player: short(text("swfUrl")),
            port: 0,
        };
        let publishes = text("type") == "nonprivate" || text("flashVer").starts_with("FMLE/");
        let (application, arguments) = (application.to_string(), arguments.to_string());
        match self.adobe(&arguments, publishes) {
            Adobe::None => self.welcome(&command, application, arguments),
            Adobe::Rejected(event, description) => self.turn_away(command.transaction, event, &description),
            Adobe::Proof(proof) => self.ask_whether_proved(command, application, arguments, proof),
        }
    }

    /// Rejects `connect` because of who it is.
    pub(super) fn turn_away(&mut self, transaction: f64, event: Event, description: &str) {
        let info = information(Level::Error, "NetConnection.Connect.Rejected", description);
        command::write(&mut self.out, 0, "_error", transaction, &[Value::Null, info]);
        self.phase = Phase::Closing;
        self.events.push_back(event);
    }

    /// Lets somebody in.
    pub(super) fn welcome(&mut self, command: &Command, application: String, arguments: String) {
        self.connected = true;
        self.application.clone_from(&application);
        self.arguments = arguments;
        let agent = short(command.object().get("flashVer").and_then(Value::as_str).unwrap_or_default());
        self.events.push_back(Event::Connected { application, agent });
        let out = &mut self.out;
        chunk_writer::write_number(out, kind::WINDOW_SIZE, WINDOW);
        let mut bandwidth = WINDOW.to_be_bytes().to_vec();
        // "Dynamic": as the last one, or not at all.
        bandwidth.push(2);
        chunk_writer::write(out, CHUNK_SIZE, kind::PEER_BANDWIDTH, 0, 0, &[], &bandwidth);
        let mut server = vec![
            ("fmsVer".to_string(), Value::text("FMS/3,0,1,123")),
            ("capabilities".to_string(), Value::Number(31.0)),
        ];
        let mut info = vec![
            ("level".to_string(), Value::text("status")),
            ("code".to_string(), Value::text("NetConnection.Connect.Success")),
            ("description".to_string(), Value::text("Connection succeeded.")),
        ];
        if let Some(encoding) = command.object().get("objectEncoding").and_then(Value::as_number) {
            info.push(("objectEncoding".to_string(), Value::Number(encoding)));
        }
        // Enhanced RTMP: who asks which codecs by FourCC we carry is told.
        let asks = |key| command.object().get(key).is_some();
        if asks("fourCcList") || asks("videoFourCcInfoMap") || asks("audioFourCcInfoMap") {
            let codecs = four_cc::ALL.map(|code| Value::text(String::from_utf8_lossy(&code)));
            server.push(("fourCcList".to_string(), Value::Array(codecs.to_vec())));
        }
        if asks("capsEx") {
            server.push(("capsEx".to_string(), Value::Number(CAPABILITIES)));
        }
        let values = [Value::Object(server), Value::Object(info)];
        command::write(out, 0, "_result", command.transaction, &values);
    }

    fn reject(&mut self, command: &Command, description: &str) {
        let info = information(Level::Error, "NetConnection.Connect.Rejected", description);
        command::write(&mut self.out, 0, "_error", command.transaction, &[Value::Null, info]);
        self.close();
    }

    pub(super) fn bad_name(&mut self, stream: u32, reason: &str) {
        status(&mut self.out, stream, Level::Error, "NetStream.Publish.BadName", reason);
        self.close();
    }

    fn publish(&mut self, command: &Command) {
        if !matches!(self.purpose, Purpose::None(_)) {
            return self.bad_name(command.stream, "this connection publishes or plays already");
        }
        self.ask_for_stream(command, Action::Publish);
    }

    fn play(&mut self, command: &Command) {
        if !matches!(self.purpose, Purpose::None(_)) {
            let text = "this connection publishes or plays already";
            status(&mut self.out, command.stream, Level::Error, "NetStream.Play.Failed", text);
            return self.close();
        }
        self.ask_for_stream(command, Action::Read);
    }

    /// Ends what it does.
    fn stop(&mut self, now: Duration) {
        match self.purpose {
            Purpose::None(_) => return,
            Purpose::Publishes(_) | Purpose::AskedToPublish => {
                let code = "NetStream.Unpublish.Success";
                status(&mut self.out, self.active, Level::Status, code, "no longer published");
                self.events.push_back(Event::Unpublish);
            }
            Purpose::Plays | Purpose::AskedToPlay => self.events.push_back(Event::Stop),
        }
        self.purpose = Purpose::None(now);
    }

    fn pause(&mut self, command: &Command) {
        if self.purpose != Purpose::Plays {
            return;
        }
        let pauses = command.argument(0).and_then(Value::as_bool).unwrap_or(true);
        let code = if pauses { "NetStream.Pause.Notify" } else { "NetStream.Unpause.Notify" };
        status(&mut self.out, command.stream, Level::Status, code, "");
        self.events.push_back(Event::Pause(pauses));
    }
}

/// Whether a command that cannot be read whole would have had an effect. One without a readable name would not.
pub(super) fn is_needed(message: &Message) -> bool {
    matches!(
        command::name(message).as_deref(),
        Some(
            "connect"
                | "createStream"
                | "publish"
                | "play"
                | "play2"
                | "deleteStream"
                | "closeStream"
                | "FCUnpublish"
                | "pause"
                | "pauseRaw"
        )
    )
}
