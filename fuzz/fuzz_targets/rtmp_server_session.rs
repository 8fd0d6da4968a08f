//! A client that sends anything, in pieces, with pauses: the server's session answers or closes, keeps no more than it
//! may, and what it gives to the hub's side is in order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::auth::{Access, Action, Credentials, Demand, Denied, Grant};
use msconv::protocol::rtmp::ingest::{Ingest, IngestStep};
use msconv::protocol::rtmp::session::client::{Aim, ClientSession, Target};
use msconv::protocol::rtmp::session::server::{Demands, Event, Peer, Rules, ServerSession};
use msconv::protocol::rtmp::session::{SessionError, name};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Takes a session as far as the bits of `how` say: nowhere, past the handshake, past `connect`, into a stream.
fn prepared(how: u8, access: &Access) -> ServerSession {
    let read = if access.read.is_some() { Demand::Login } else { Demand::Nothing };
    let rules = Rules { demands: Demands { publish: Demand::Nothing, read }, ..Rules::default() };
    let peer = Peer {
        address: "192.0.2.1".parse().expect("an address"),
        shut_out: false,
        ask: how & 0x40 != 0,
        seed: [1; 32],
        since_start: Duration::from_secs(9),
    };
    let mut server = ServerSession::new(Arc::new(rules), peer);
    let aim = if how & 1 == 0 { Aim::Publish } else { Aim::Play };
    let target = Target {
        url: "rtmp://h/live".into(),
        application: "live".into(),
        name: "film?user=eve&pass=pw".into(),
        credentials: None,
        arguments: String::new(),
        scheme: None,
    };
    let mut client = ClientSession::new(target, aim, [2; 32]);
    for _ in 0..(how >> 1) & 7 {
        let _ = server.receive(&client.output(), Duration::ZERO);
        let _ = grant(&mut server, access, &mut Ingest::default(), &mut HashMap::new(), Duration::ZERO);
        let _ = client.receive(&server.output());
    }
    server
}

fn grant(
    server: &mut ServerSession,
    access: &Access,
    ingest: &mut Ingest,
    last: &mut HashMap<msconv::media::TrackId, i64>,
    now: Duration,
) -> Result<(), SessionError> {
    let mut steps = Vec::new();
    while let Some(event) = server.event() {
        match event {
            Event::Authorize(request) => {
                assert!(server.event().is_none(), "nothing goes on before the answer");
                let name = request.name.reveal();
                let answer = match (request.action, name.len() % 7) {
                    // A key that stands for another name, a name that breaks the rule, and nobody who answers.
                    (_, 4) => Ok(Grant { name: "public".into(), user: "somebody".into(), ..Grant::default() }),
                    (Action::Publish, 5) => Ok(Grant { name: "..".into(), ..Grant::default() }),
                    (_, 6) => Err(Denied::Late),
                    _ => access.check(&request),
                };
                server.authorized(answer, now)?;
            }
            Event::Publish(wanted) => {
                assert!(name::check(&wanted.name).is_ok());
                if wanted.name.len() % 7 == 3 {
                    server.refuse_publish(&wanted, "no")
                } else {
                    server.published(&wanted, now)
                }
            }
            Event::Play(wanted) => {
                assert!(name::check(&wanted.name).is_ok());
                if wanted.name.len() % 7 == 3 {
                    server.not_found(&wanted, "no", now)
                } else {
                    server.playing(&wanted)
                }
            }
            Event::Media(message) => {
                if let Err(error) = ingest.take(message, now, &mut steps) {
                    server.reject_stream(&error.to_string());
                }
            }
            Event::Unpublish => {
                ingest.finish(&mut steps);
                assert!(ingest.due().is_none());
                // The next stream's times begin anew.
                steps.clear();
                *ingest = Ingest::default();
                last.clear();
            }
            _ => {}
        }
        for step in steps.drain(..) {
            if let IngestStep::Frame(frame) = step {
                // Nanoseconds that a publisher adds below a millisecond do not order frames.
                let millis = frame.dts.millis();
                let before = last.insert(frame.track, millis);
                assert!(before.is_none_or(|before| before <= millis), "time goes back");
                assert!(!frame.payload.is_empty());
            }
        }
    }
    Ok(())
}

fuzz_target!(|input: (u8, Vec<(u8, Vec<u8>)>)| {
    let (how, parts) = input;
    let read = Some(Credentials::new("eve", "pw"));
    let access = if how & 0x80 == 0 { Access::default() } else { Access { read, ..Access::default() } };
    let mut server = prepared(how, &access);
    let mut ingest = Ingest::default();
    let mut last = HashMap::new();
    let mut now = Duration::ZERO;
    for (pause, bytes) in parts {
        now += Duration::from_millis(u64::from(pause) * 10);
        let outcome = server.tick(now).and_then(|()| server.receive(&bytes, now));
        let outcome = outcome.and(grant(&mut server, &access, &mut ingest, &mut last, now));
        if outcome.is_err() {
            return;
        }
        // Each wanted is answered with little more than what the session itself may hold.
        assert!(server.output().len() <= 256 << 10);
    }
});
