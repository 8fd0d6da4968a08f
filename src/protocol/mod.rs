//! The protocols of the embedded server, each in `wire` (bytes and values), `session` (the dialog, without sockets and
//! clocks), `ingest` and `egress` (to and from the hub) and `server` (one task for each connection).
