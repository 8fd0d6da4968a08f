//! What is live, wherever it comes from: the servers' answers joined with our run records, and the state of our streams.

pub mod list;
pub mod listed_urls;
pub mod merge;
pub mod status;
pub mod stream_facts;
pub mod view;
