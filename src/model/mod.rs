//! Floor 1: the nouns of live streaming as msconv uses them. No I/O, no clock, no environment.
//!
//! Each type can only exist right: its constructor is a parser with one error per way to be wrong.

pub mod b_frames;
pub mod encoding;
pub mod endpoint;
pub mod ladder;
pub mod ladder_fact;
pub mod ladder_policy;
pub mod listing;
pub mod network;
pub mod passthrough;
pub mod publish_spec;
pub mod quality;
pub mod rendition_name;
pub mod restart;
pub mod rung;
pub mod secret_word;
pub mod server_listing;
pub mod service;
pub mod source;
pub mod stream_counts;
pub mod stream_key;
pub mod stream_name;
pub mod stream_state;

pub use b_frames::BFrames;
pub use encoding::{AudioBitrate, EncoderName, FrameRate, KeyframeInterval};
pub use endpoint::{HttpUrl, RtmpUrl, RtspUrl, SourceUrl};
pub use ladder::Ladder;
pub use ladder_fact::{LadderFact, LadderName, RenditionFact};
pub use ladder_policy::LadderPolicy;
pub use network::Network;
pub use passthrough::Passthrough;
pub use publish_spec::PublishSpec;
pub use quality::{LeaveOut, Quality};
pub use rendition_name::{Rendition, RenditionName};
pub use restart::Restart;
pub use rung::{Label, Rung};
pub use source::Source;
pub use stream_key::StreamKey;
pub use stream_name::StreamName;
pub use stream_state::{Order, State};
