//! A server that sends anything: our client's session answers, ends or fails.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::auth::Credentials;
use msconv::protocol::rtmp::session::client::{Aim, ClientSession, Target};
use msconv::protocol::rtmp::session::server::{Event, Peer, Rules, ServerSession};
use msconv::protocol::rtmp::wire::handshake::SCHEMES;
use std::sync::Arc;
use std::time::Duration;

fuzz_target!(|input: (u8, Vec<Vec<u8>>)| {
    let (how, parts) = input;
    let target = Target {
        url: "rtmp://h/live".into(),
        application: "live".into(),
        name: "film".into(),
        credentials: (how & 0x80 != 0).then(|| Credentials::new("bob", "pw")),
        arguments: String::new(),
        scheme: (how & 0x40 != 0).then_some(SCHEMES[usize::from(how >> 5 & 1)]),
    };
    let mut client = ClientSession::new(target, if how & 1 == 0 { Aim::Publish } else { Aim::Play }, [2; 32]);
    let peer = Peer {
        address: "192.0.2.1".parse().expect("an address"),
        shut_out: false,
        ask: false,
        seed: [1; 32],
        since_start: Duration::ZERO,
    };
    let mut server = ServerSession::new(Arc::new(Rules::default()), peer);
    for _ in 0..(how >> 1) & 7 {
        let _ = server.receive(&client.output(), Duration::ZERO);
        while let Some(event) = server.event() {
            match event {
                Event::Publish(wanted) => server.published(&wanted, Duration::ZERO),
                Event::Play(wanted) => server.playing(&wanted),
                _ => {}
            }
        }
        let _ = client.receive(&server.output());
    }
    for bytes in parts {
        if client.receive(&bytes).is_err() {
            return;
        }
        while client.event().is_some() {}
        client.output();
    }
    client.finish();
});
