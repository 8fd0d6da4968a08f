//! Floor 2, pure: what to ask of ffmpeg and how to read its answers. Never starts it.
//!
//! In reading order: what a source is (`probe`, `report`, `decodable`, `frame_rate`, `packets`, `packet_times`), what is made of
//! it (`ladder_plan`, `passthrough`, `filter_graph`, `encoder`, `cost`, `effort`), how it is opened and sent (`input`,
//! `loop_input`, `feeder`,
//! `device`, `test_source`, `reading`, `output`, `delivery`, `tee`), the whole (`plan`, `publish`, `original`,
//! `source_notes`, `invocation`), and what comes back (`progress`, `log_line`,
//! `diagnosis`).

pub mod capability;
pub mod cost;
pub mod decodable;
pub mod delivery;
pub mod device;
pub mod diagnosis;
pub mod effort;
pub mod encoder;
pub mod feeder;
pub mod filter_graph;
pub mod frame_rate;
pub mod head_start;
pub mod input;
pub mod invocation;
mod ladder_command;
pub mod ladder_plan;
pub mod log_line;
pub mod loop_input;
pub mod made_by;
pub mod original;
pub mod output;
pub mod packet_times;
pub mod packets;
pub mod passthrough;
pub mod plan;
pub mod plan_ladder;
pub mod probe;
pub mod progress;
pub mod reading;
pub mod report;
pub mod source_notes;
pub mod taking_over;
pub mod tee;
pub mod test_source;
pub mod thumbnail;
pub mod to_opus;
pub mod wanted;
