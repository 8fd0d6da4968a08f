//! The integration tests: one binary, one module for each promise. What a process test needs stands in `stage`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod live;
mod stage;

mod audio_to_opus;
mod authorization;
mod changing_sources;
mod chaos;
mod control_endpoints;
mod dependencies;
mod docker_backend;
mod docker_files;
mod docs;
mod efforts;
mod embedded;
mod encoders;
mod examining;
mod faults;
mod film_contract;
mod floor_plan;
mod frozen_rendition;
mod golden;
mod help;
mod in_process;
mod ladder_timeline;
mod listing;
mod looking;
mod monitoring;
mod odd_sources;
mod pages;
mod passthrough;
mod playing;
mod publish_argv;
mod publishing;
mod real_mediamtx;
mod regression;
mod servers;
mod service_manager;
mod serving_hls;
mod serving_rtmp;
mod serving_rtsp;
mod serving_web;
mod stage_works;
mod test_groups;
mod vocabulary;
mod watching;
