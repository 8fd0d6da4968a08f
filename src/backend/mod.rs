//! Floor 5: the media servers that `up` starts.

pub mod native;
