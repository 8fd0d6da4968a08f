//! Registered streams: a key for the publisher, a name for everybody else, and an API over both.

mod database;
mod described;
mod house;
mod keys;
mod paths;
mod rest;
mod signing_in;
mod sources;
