//! What can be asked for (RFC 2326, 10).

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// What can be asked; also a sign of life.
    Options,
    /// A description to read by.
    Describe,
    /// A description to publish by.
    Announce,
    /// A transport for one track.
    Setup,
    /// Begin to read.
    Play,
    /// Stop for a while.
    Pause,
    /// Begin to publish.
    Record,
    /// End.
    Teardown,
    /// A sign of life.
    GetParameter,
    /// Sets nothing here.
    SetParameter,
    /// Whatever else.
    Other(String),
}

impl Method {
    /// Those that msconv answers, as the `Public` header lists them.
    pub const PUBLIC: &'static str =
        "OPTIONS, DESCRIBE, ANNOUNCE, SETUP, PLAY, PAUSE, RECORD, TEARDOWN, GET_PARAMETER, SET_PARAMETER";

    pub(super) fn of(name: &str) -> Method {
        match name {
            "OPTIONS" => Method::Options,
            "DESCRIBE" => Method::Describe,
            "ANNOUNCE" => Method::Announce,
            "SETUP" => Method::Setup,
            "PLAY" => Method::Play,
            "PAUSE" => Method::Pause,
            "RECORD" => Method::Record,
            "TEARDOWN" => Method::Teardown,
            "GET_PARAMETER" => Method::GetParameter,
            "SET_PARAMETER" => Method::SetParameter,
            other => Method::Other(other.to_string()),
        }
    }

    /// As it stands on the wire.
    pub fn name(&self) -> &str {
        match self {
            Method::Options => "OPTIONS",
            Method::Describe => "DESCRIBE",
            Method::Announce => "ANNOUNCE",
            Method::Setup => "SETUP",
            Method::Play => "PLAY",
            Method::Pause => "PAUSE",
            Method::Record => "RECORD",
            Method::Teardown => "TEARDOWN",
            Method::GetParameter => "GET_PARAMETER",
            Method::SetParameter => "SET_PARAMETER",
            Method::Other(name) => name,
        }
    }
}
