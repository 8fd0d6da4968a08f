//! `source` of a stream: what the server itself publishes under its name.

use super::Api;
use crate::base::secret::Secret;
use crate::platform::sources::{Origin, State};
use crate::platform::{Refusal, Stream};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the server itself publishes under the stream's name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum SourceBody {
    /// A file of the server's machine, repeated without end
    File {
        /// Its absolute path
        path: String,
        /// Whether it is played once instead [default: false]
        #[serde(default)]
        once: bool,
    },
    /// A capture device of the server's machine
    Device {
        /// `/dev/video0`, `screen`
        device: String,
        /// `hw:1`, `default`, `pulse`
        #[serde(default)]
        audio_device: Option<String>,
    },
    /// A test picture with clock and tone
    Test {},
    /// A live stream that another machine serves
    Pull {
        /// `rtmp(s)://`, `rtsp(s)://` or `srt://`; a password in it is not shown again
        #[schema(value_type = String)]
        url: Secret,
    },
}

impl SourceBody {
    /// As the platform takes it.
    pub fn origin(self) -> Result<Origin, Refusal> {
        Ok(match self {
            SourceBody::File { path, once } => Origin::File { path: path.into(), once },
            SourceBody::Device { device, audio_device } => Origin::Device { device, audio_device },
            SourceBody::Test {} => Origin::Test,
            SourceBody::Pull { url } => Origin::Pull {
                url: url
                    .reveal()
                    .parse()
                    .map_err(|why| Refusal::wrong("source", format!("its address: {why}")))?,
            },
        })
    }
}

/// The source of a stream, for its owner and the operator.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShownSource {
    /// `file`, `device`, `test` or `pull`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The path, the device or the address, without its secrets.
    from: String,
    /// `off`, `starting`, `live`, `retrying` or `failed`.
    state: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl ShownSource {
    /// Of a stream that has one.
    pub fn of(api: &Api, stream: &Stream, live: bool) -> Option<ShownSource> {
        let source = stream.source.as_ref()?;
        let kind = match source.origin {
            Origin::File { .. } => "file",
            Origin::Device { .. } => "device",
            Origin::Test => "test",
            Origin::Pull { .. } => "pull",
        };
        let on_board = api.kept().board().state(&stream.public_id);
        // Its supervisor may wait for the source for as long as that is away.
        let waits = || api.0.load.last()?.streams.iter().find(|one| one.name == stream.slug)?.why.clone();
        let (state, why) = match (source.started_ms, on_board) {
            (_, Some(State::Failed(why))) => ("failed", Some(why)),
            (None, _) => ("off", None),
            (Some(_), _) if live => ("live", None),
            (Some(_), Some(State::Retries(why))) => ("retrying", Some(why)),
            (Some(_), _) => waits().map_or(("starting", None), |why| ("retrying", Some(why))),
        };
        Some(ShownSource { kind, from: source.origin.to_string(), state, why })
    }
}
