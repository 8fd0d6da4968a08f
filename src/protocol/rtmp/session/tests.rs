//! Our client and our server talk to each other in memory, with the bytes split everywhere.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "the test's own bytes"
)]

use super::client::{self, Aim, ClientSession, Target};
use super::server::{self, Peer, Rules, ServerSession};
use super::{Late, SessionError, name};
use crate::auth::{Access, Action, Authorizer, Credentials, Demand, Denied, Grant};
use crate::protocol::rtmp::wire::amf0::{Value, encode};
use crate::protocol::rtmp::wire::chunk_writer;
use crate::protocol::rtmp::wire::handshake::{SCHEMES, Scheme};
use crate::protocol::rtmp::wire::message::{UserControl, kind};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

const T: Duration = Duration::from_millis(100);

fn peer() -> Peer {
    Peer {
        address: "192.0.2.1".parse().unwrap(),
        shut_out: false,
        ask: false,
        seed: [5; 32],
        since_start: Duration::from_secs(1000),
    }
}

fn target(application: &str, name: &str) -> Target {
    Target {
        url: format!("rtmp://host/{application}"),
        application: application.into(),
        name: name.into(),
        credentials: None,
        arguments: String::new(),
        scheme: None,
    }
}

/// Both ends, and what each has said.
struct Talk {
    client: ClientSession,
    server: ServerSession,
    access: Access,
    split: usize,
    client_says: Vec<client::Event>,
    server_says: Vec<server::Event>,
}

impl Talk {
    fn new(target: Target, aim: Aim, rules: Rules, peer: Peer, split: usize) -> Talk {
        Talk {
            client: ClientSession::new(target, aim, [9; 32]),
            server: ServerSession::new(Arc::new(rules), peer),
            access: Access::default(),
            split,
            client_says: Vec::new(),
            server_says: Vec::new(),
        }
    }

    /// At a server with passwords.
    fn with(target: Target, aim: Aim, access: &Access, peer: Peer, split: usize) -> Talk {
        let access = access.clone();
        Talk { access: access.clone(), ..Talk::new(target, aim, guarded(&access), peer, split) }
    }

    /// Carries bytes to and fro until both are silent. Wishes are granted.
    fn run(&mut self) -> &mut Self {
        loop {
            let (to_server, to_client) = (self.client.output(), self.server.output());
            if to_server.is_empty() && to_client.is_empty() {
                return self;
            }
            for part in to_server.chunks(self.split) {
                self.server.receive(part, T).unwrap();
            }
            while let Some(event) = self.server.event() {
                if granted(&mut self.server, &self.access, &event) {
                    self.server_says.push(event);
                }
            }
            for part in to_client.chunks(self.split) {
                self.client.receive(part).unwrap();
            }
            while let Some(event) = self.client.event() {
                self.client_says.push(event);
            }
        }
    }

    fn refusal(&self) -> (String, String) {
        match self.client_says.last() {
            Some(client::Event::Refused(code, text)) => (code.clone(), text.clone()),
            other => panic!("not refused: {other:?}"),
        }
    }
}

/// Rules of a server with passwords.
fn guarded(access: &Access) -> Rules {
    let demands =
        server::Demands { publish: access.demand(Action::Publish), read: access.demand(Action::Read) };
    Rules { demands, secret: [3; 32], ..Rules::default() }
}

/// Answers what the session wants to know; false if that was only whether something is allowed.
fn granted(session: &mut ServerSession, access: &Access, event: &server::Event) -> bool {
    match event {
        server::Event::Authorize(request) => {
            session.authorized(access.check(request), T).unwrap();
            return false;
        }
        server::Event::Publish(wanted) => session.published(wanted, T),
        server::Event::Play(wanted) => session.playing(wanted),
        _ => {}
    }
    true
}

/// All that a session says at an open server.
fn all_events(session: &mut ServerSession) -> Vec<server::Event> {
    let mut all = Vec::new();
    while let Some(event) = session.event() {
        if granted(session, &Access::default(), &event) {
            all.push(event);
        }
    }
    all
}

fn schemes() -> [Option<Scheme>; 3] {
    [None, Some(SCHEMES[0]), Some(SCHEMES[1])]
}

#[test]
fn publishing_whatever_way_the_bytes_are_split() {
    for scheme in schemes() {
        for split in (1..40).chain([127, 128, 1535, 1536, 1537, 3072, 3073, 100_000]) {
            let target = Target { scheme, ..target("live", "film?token=1") };
            let mut talk = Talk::new(target, Aim::Publish, Rules::default(), peer(), split);
            talk.run();
            assert_eq!(talk.client_says, [client::Event::Ready], "split {split}");
            talk.client.send(kind::VIDEO, 40, &[0x17, 1], &[7; 300]);
            talk.client.send(kind::AUDIO, 0x0100_0000, &[0xaf, 1], &[8; 70_000]);
            talk.client.finish();
            talk.run();
            let mut said = talk.server_says.into_iter();
            let connected = server::Event::Connected {
                application: "live".into(),
                agent: "FMLE/3.0 (compatible; msconv)".into(),
            };
            assert_eq!(said.next(), Some(connected));
            let Some(server::Event::Publish(wanted)) = said.next() else { panic!("no wanted") };
            assert_eq!((wanted.name.as_str(), wanted.query.as_str(), wanted.stream), ("film", "token=1", 1));
            for (kind, timestamp, length) in [(kind::VIDEO, 40, 302), (kind::AUDIO, 0x0100_0000, 70_002)] {
                let Some(server::Event::Media(message)) = said.next() else { panic!("no media") };
                assert_eq!(
                    (message.kind, message.timestamp, message.payload.len()),
                    (kind, timestamp, length)
                );
            }
            assert_eq!(said.next(), Some(server::Event::Unpublish));
            assert_eq!(said.next(), None);
        }
    }
}

#[test]
fn playing_whatever_way_the_bytes_are_split() {
    for scheme in schemes() {
        for split in (1..40).chain([127, 128, 1535, 1536, 1537, 3072, 3073, 100_000]) {
            let target = Target { scheme, ..target("live", "film") };
            let mut talk = Talk::new(target, Aim::Play, Rules::default(), peer(), split);
            talk.run();
            let Some(server::Event::Play(wanted)) = talk.server_says.last().cloned() else {
                panic!("no wanted")
            };
            // Ready, then the sample access that Flash wants to see.
            assert_eq!(talk.client_says[0], client::Event::Ready, "split {split}");
            let mut frames = Vec::new();
            chunk_writer::write(&mut frames, 65_536, kind::VIDEO, wanted.stream, 5, &[0x17], &[1; 100_000]);
            for part in frames.chunks(split) {
                talk.client.receive(part).unwrap();
            }
            talk.server.unpublished(&wanted);
            talk.run();
            let last = &talk.client_says[2..];
            assert!(
                matches!(&last[0], client::Event::Media(m) if m.payload.len() == 100_001),
                "split {split}"
            );
            assert_eq!(last[1], client::Event::Ended("NetStream.Play.UnpublishNotify".into()));
            assert_eq!(talk.server_says.last(), Some(&server::Event::Close));
        }
    }
}

/// What a server makes of bytes that come in these parts.
fn heard(parts: [&[u8]; 2]) -> Vec<server::Event> {
    let mut session = ServerSession::new(Arc::new(Rules::default()), peer());
    let mut events = Vec::new();
    for part in parts {
        session.receive(part, T).unwrap();
        while let Some(event) = session.event() {
            if granted(&mut session, &Access::default(), &event) {
                events.push(event);
            }
        }
    }
    events
}

#[test]
fn a_split_anywhere_changes_nothing() {
    for (aim, scheme) in [(Aim::Publish, Some(Scheme::Near)), (Aim::Play, None)] {
        let mut talk =
            Talk::new(Target { scheme, ..target("live", "film") }, aim, Rules::default(), peer(), 9999);
        let mut bytes = Vec::new();
        loop {
            let to_server = talk.client.output();
            talk.server.receive(&to_server, T).unwrap();
            while let Some(event) = talk.server.event() {
                granted(&mut talk.server, &talk.access, &event);
            }
            bytes.extend(to_server);
            let to_client = talk.server.output();
            if to_client.is_empty() {
                break;
            }
            talk.client.receive(&to_client).unwrap();
            if talk.client.event() == Some(client::Event::Ready) && aim == Aim::Publish {
                talk.client.send(kind::VIDEO, 40, &[0x17, 1], &[7; 30]);
                talk.client.send(kind::AUDIO, 0x0100_0000, &[0xaf, 1], &[8; 300]);
                talk.client.finish();
            }
        }
        // All at once: from a client that waits for no answer.
        let whole = heard([&bytes, &[]]);
        assert_eq!(whole.len(), if aim == Aim::Publish { 5 } else { 2 }, "{whole:?}");
        for at in 0..bytes.len() {
            assert_eq!(heard([&bytes[..at], &bytes[at..]]), whole, "split at {at}");
        }
    }
}

#[test]
fn other_applications_are_rejected() {
    for application in ["", "other", "live/film", "LIVE", "live2"] {
        let mut talk = Talk::new(target(application, "film"), Aim::Publish, Rules::default(), peer(), 1000);
        talk.run();
        let (code, text) = talk.refusal();
        assert_eq!(code, "NetConnection.Connect.Rejected");
        assert!(text.contains("rtmp://host/live/name"), "{text}");
        assert_eq!(talk.server_says, [server::Event::Close]);
    }
    // Slashes around it are what people and programs write.
    let mut talk = Talk::new(target("/live/", "film"), Aim::Publish, Rules::default(), peer(), 1000);
    assert_eq!(talk.run().client_says, [client::Event::Ready]);
}

#[test]
fn bad_names_are_refused_with_the_reason() {
    for name in ["", "../../x", "a/b", "a b", "-x", ".x", "поток", "a\u{1b}[31m"] {
        let mut talk = Talk::new(target("live", name), Aim::Publish, Rules::default(), peer(), 1000);
        talk.run();
        let (code, text) = talk.refusal();
        assert_eq!((code.as_str(), text), ("NetStream.Publish.BadName", name::BadName.to_string()), "{name}");
        let mut talk = Talk::new(target("live", name), Aim::Play, Rules::default(), peer(), 1000);
        assert_eq!(talk.run().refusal().0, "NetStream.Play.StreamNotFound");
    }
}

#[test]
fn credentials_may_stand_in_the_name_or_the_application() {
    let access = Access { publish: Some(Credentials::new("bob", "p&w")), ..Access::default() };
    let publish = |application: &str, name: &str| {
        let mut talk = Talk::with(target(application, name), Aim::Publish, &access, peer(), 1000);
        talk.run();
        (talk.client_says.clone(), talk.server_says)
    };
    for (application, name) in [
        ("live", "film?user=bob&pass=p%26w"),
        ("live?user=bob&pass=p%26w", "film"),
        ("live?x=1&pass=p%26w&user=bob", "film?y"),
    ] {
        assert_eq!(publish(application, name).0, [client::Event::Ready], "{application} {name}");
    }
    for (application, name, why) in [
        ("live", "film", Denied::NeedsCredentials(Action::Publish)),
        ("live", "film?user=bob", Denied::NeedsCredentials(Action::Publish)),
        ("live", "film?user=bob&pass=pw", Denied::Wrong),
        // What stands in the name goes before what stands in the application.
        ("live?user=bob&pass=p%26w", "film?user=bob&pass=x", Denied::Wrong),
    ] {
        let (client, server) = publish(application, name);
        let [client::Event::Refused(code, text)] = &client[..] else { panic!("not refused: {client:?}") };
        assert_eq!(code, "NetStream.Publish.BadName");
        assert!(text.starts_with(&why.to_string()), "{application} {name}: {text}");
        assert_eq!(server.last(), Some(&server::Event::Refused(why)));
    }
    // Reading is free here; whoever is shut out may still read.
    let mut talk = Talk::with(
        target("live", "film?user=x&pass=y"),
        Aim::Play,
        &access,
        Peer { shut_out: true, ..peer() },
        9,
    );
    assert_eq!(talk.run().client_says[0], client::Event::Ready);
    let mut talk = Talk::with(
        target("live", "film?user=bob&pass=p%26w"),
        Aim::Publish,
        &access,
        Peer { shut_out: true, ..peer() },
        1000,
    );
    assert_eq!(talk.run().refusal().1, Denied::ShutOut.to_string());
}

/// As a shell does it: connects again as often as it is told to.
fn with_adobe(
    access: &Access,
    rules: &Rules,
    aim: Aim,
    credentials: Option<Credentials>,
    mut from: Peer,
) -> Vec<Talk> {
    let mut talks: Vec<Talk> = Vec::new();
    let mut arguments = String::new();
    for _ in 0..5 {
        let target = Target { credentials: credentials.clone(), arguments, ..target("live", "film") };
        let mut talk = Talk::new(target, aim, rules.clone(), from, 500);
        talk.access = access.clone();
        talk.run();
        let again = talk.client_says.last().cloned();
        talks.push(talk);
        match again {
            Some(client::Event::Again(next)) => arguments = next,
            _ => return talks,
        }
        from.since_start += Duration::from_secs(1);
    }
    talks
}

#[test]
fn adobe_authentication_takes_three_connections() {
    let publish = Some(Credentials::new("bob", "secret"));
    let access = Access { publish, ..Access::default() };
    let rules = guarded(&access);
    let with = |password: &str| Some(Credentials::new("bob", password));
    let asked = Peer { ask: true, ..peer() };
    let talks = with_adobe(&access, &rules, Aim::Publish, with("secret"), asked);
    assert_eq!(talks.len(), 3);
    assert_eq!(talks[2].client_says, [client::Event::Ready]);
    let Some(server::Event::Publish(wanted)) = talks[2].server_says.last() else { panic!("no wanted") };
    assert_eq!(wanted.user, "bob");
    let talks = with_adobe(&access, &rules, Aim::Publish, with("wrong"), asked);
    assert_eq!(talks.len(), 3);
    assert_eq!(talks[2].server_says, [server::Event::Refused(Denied::Wrong)]);
    // Not asked before: it is told at the end, and asked the next time.
    let talks = with_adobe(&access, &rules, Aim::Publish, with("secret"), peer());
    assert_eq!(talks.len(), 1);
    assert!(matches!(talks[0].server_says.last(), Some(server::Event::Refused(Denied::NeedsCredentials(_)))));
    let always = Rules { adobe_at_connect: true, ..rules.clone() };
    assert_eq!(with_adobe(&access, &always, Aim::Publish, with("secret"), peer()).len(), 3);
    // A reader is not asked where reading is free.
    assert_eq!(
        with_adobe(&access, &always, Aim::Play, with("secret"), asked)[0].client_says[0],
        client::Event::Ready
    );
    // Without a password to give, the refusal is the end.
    assert_eq!(
        with_adobe(&access, &rules, Aim::Publish, None, asked)[0].refusal().0,
        "NetConnection.Connect.Rejected"
    );
}

#[test]
fn publishers_from_outside_need_a_password() {
    let access = Access { outside_needs_password: true, ..Access::default() };
    let mut talk = Talk::with(target("live", "film"), Aim::Publish, &access, peer(), 1000);
    assert_eq!(talk.run().refusal().1, Denied::Outside.to_string());
    let here = Peer { address: "127.0.0.1".parse().unwrap(), ..peer() };
    let mut talk = Talk::with(target("live", "film"), Aim::Publish, &access, here, 1000);
    assert_eq!(talk.run().client_says, [client::Event::Ready]);
}

fn seconds(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

#[test]
fn nothing_may_take_for_ever() {
    let late = |session: &mut ServerSession, at: f64| match session.tick(seconds(at)) {
        Err(SessionError::Late(late)) => Some(late),
        Ok(()) => None,
        Err(other) => panic!("{other}"),
    };
    let mut session = ServerSession::new(Arc::new(Rules::default()), peer());
    session.receive(&[3], seconds(4.0)).unwrap();
    assert_eq!(late(&mut session, 4.9), None);
    assert_eq!(late(&mut session, 5.0), Some(Late::Handshake));
    // Handshake done, nothing said.
    let mut session = ServerSession::new(Arc::new(Rules::default()), peer());
    session.receive(&[&[3][..], &[0; 3072]].concat(), seconds(1.0)).unwrap();
    assert_eq!(late(&mut session, 9.9), None);
    assert_eq!(late(&mut session, 10.0), Some(Late::Purpose));
    // A publisher that sends commands, but no frames.
    let mut talk = Talk::new(target("live", "film"), Aim::Publish, Rules::default(), peer(), 1000);
    talk.run();
    assert_eq!(late(&mut talk.server, 10.0), None);
    let mut empty = Vec::new();
    chunk_writer::write(&mut empty, 65_536, kind::VIDEO, 1, 0, &[], &[]);
    talk.server.receive(&empty, seconds(9.0)).unwrap();
    assert_eq!(late(&mut talk.server, 10.1), Some(Late::Frame), "an empty message is no frame");
    let mut frame = Vec::new();
    chunk_writer::write(&mut frame, 65_536, kind::VIDEO, 1, 0, &[], &[1]);
    talk.server.receive(&frame, seconds(10.05)).unwrap();
    assert_eq!(late(&mut talk.server, 20.0), None);
    assert_eq!(late(&mut talk.server, 20.1), Some(Late::Frame));
    // Who plays may be silent.
    let mut talk = Talk::new(target("live", "film"), Aim::Play, Rules::default(), peer(), 1000);
    talk.run();
    assert_eq!(late(&mut talk.server, 1e6), None);
}

/// A server session that is past `connect`, with its output emptied.
fn connected() -> ServerSession {
    let mut talk = Talk::new(target("live", "film"), Aim::Play, Rules::default(), peer(), 1000);
    while talk.server.event().is_none() {
        let (to_server, to_client) = (talk.client.output(), talk.server.output());
        talk.server.receive(&to_server, T).unwrap();
        talk.client.receive(&to_client).unwrap();
    }
    talk.server.output();
    talk.server
}

fn command(name: &str, transaction: f64, arguments: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    super::command::write(&mut out, 1, name, transaction, arguments);
    out
}

#[test]
fn what_comes_right_behind_publish_is_not_lost() {
    let mut server = connected();
    let mut bytes = command("createStream", 2.0, &[Value::Null]);
    bytes.extend(command("publish", 3.0, &[Value::Null, Value::text("film"), Value::text("live")]));
    chunk_writer::write(&mut bytes, 128, kind::VIDEO, 1, 0, &[], &[0x17, 0, 0, 0, 0]);
    server.receive(&bytes, T).unwrap();
    assert!(matches!(server.event(), Some(server::Event::Authorize(_))));
    assert_eq!(server.event(), None, "what follows waits for the answer");
    server.authorized(Ok(Grant { name: "film".into(), ..Grant::default() }), T).unwrap();
    assert!(matches!(server.event(), Some(server::Event::Publish(wanted)) if wanted.name == "film"));
    assert!(matches!(server.event(), Some(server::Event::Media(m)) if m.kind == kind::VIDEO));
}

/// A session that has asked whether it may do what `name` says, and what it asked.
fn asking(what: &str, demands: server::Demands, from: Peer) -> (ServerSession, Option<server::Event>) {
    let rules = Rules { demands, ..Rules::default() };
    let aim = if what == "publish" { Aim::Publish } else { Aim::Play };
    let mut talk = Talk::new(target("live", "s3cret?t=1"), aim, rules, from, 1000);
    loop {
        let (to_server, to_client) = (talk.client.output(), talk.server.output());
        talk.server.receive(&to_server, T).unwrap();
        talk.client.receive(&to_client).unwrap();
        match talk.server.event() {
            None | Some(server::Event::Connected { .. }) => {}
            event => return (talk.server, event),
        }
    }
}

#[test]
fn the_public_name_takes_the_place_of_the_one_that_was_shown() {
    let keys = server::Demands { publish: Demand::Key, read: Demand::Key };
    for what in ["publish", "play"] {
        let (mut session, asked) = asking(what, keys, peer());
        let Some(server::Event::Authorize(request)) = asked else { panic!("{asked:?}") };
        assert_eq!((request.name.reveal(), request.query.reveal()), ("s3cret", "t=1"));
        assert_eq!(session.deadline(), None, "the shell keeps the time");
        session
            .authorized(Ok(Grant { name: "film".into(), user: "ann".into(), ..Grant::default() }), T)
            .unwrap();
        let wanted = match session.event() {
            Some(server::Event::Publish(wanted)) if what == "publish" => wanted,
            Some(server::Event::Play(wanted)) if what == "play" => wanted,
            other => panic!("{other:?}"),
        };
        assert_eq!((wanted.name.as_str(), wanted.user.as_str()), ("film", "ann"));
        // What is granted follows the rule as well.
        let (mut session, _) = asking(what, keys, peer());
        session.authorized(Ok(Grant { name: "../film".into(), ..Grant::default() }), T).unwrap();
        assert!(!matches!(session.event(), Some(server::Event::Publish(_) | server::Event::Play(_))));
        assert!(session.output().windows(13).any(|w| w == b"a stream name"));
        // Each key is a guess, also without a user and a password.
        let (_, refused) = asking(what, keys, Peer { shut_out: true, ..peer() });
        assert_eq!(refused, Some(server::Event::Refused(Denied::ShutOut)));
        // Whoever is refused hears why.
        let (mut session, _) = asking(what, keys, peer());
        session.authorized(Err(Denied::because("the show is over")), T).unwrap();
        assert_eq!(session.event(), Some(server::Event::Refused(Denied::Because("the show is over".into()))));
        assert!(session.output().windows(16).any(|w| w == b"the show is over"));
    }
}

#[test]
fn what_comes_while_an_answer_is_waited_for_is_bounded() {
    let (mut session, _) = asking("publish", server::Demands::default(), peer());
    let mut frame = Vec::new();
    chunk_writer::write(&mut frame, 65_536, kind::VIDEO, 1, 0, &[], &[7; 60_000]);
    let held = (0..10).take_while(|_| session.receive(&frame, T).is_ok()).count();
    assert_eq!(held, 4);
    assert_eq!(session.event(), None, "nothing is looked at before the answer");
}

#[test]
fn pings_and_questions_are_answered() {
    let mut session = connected();
    let mut ping = Vec::new();
    super::command::control(&mut ping, UserControl::PingRequest(77));
    session.receive(&ping, T).unwrap();
    let out = session.output();
    assert!(out.ends_with(&UserControl::PingResponse(77).body()), "{out:?}");
    for (name, answer) in [
        ("createStream", "_result"),
        ("getStreamLength", "_result"),
        ("releaseStream", "_result"),
        ("_checkbw", "_result"),
        ("FCSubscribe", "onFCSubscribe"),
        ("FCPublish", "onFCPublish"),
        ("conjure", "_error"),
    ] {
        session.receive(&command(name, 9.0, &[Value::Null, Value::text("film")]), T).unwrap();
        let out = session.output();
        assert!(out.windows(answer.len()).any(|w| w == answer.as_bytes()), "{name}");
    }
    for silent in ["seek", "receiveAudio", "receiveVideo", "pause", "conjure"] {
        session.receive(&command(silent, 0.0, &[Value::Null, Value::Boolean(true)]), T).unwrap();
        assert_eq!(session.output(), [0_u8; 0], "{silent}");
    }
}

#[test]
fn a_player_may_pause_stop_and_play_again() {
    let mut talk = Talk::new(target("live", "film"), Aim::Play, Rules::default(), peer(), 1000);
    talk.run();
    talk.server.receive(&command("pause", 0.0, &[Value::Null, Value::Boolean(true)]), T).unwrap();
    talk.server.receive(&command("pause", 0.0, &[Value::Null, Value::Boolean(false)]), T).unwrap();
    talk.server.receive(&command("closeStream", 0.0, &[Value::Null]), T).unwrap();
    talk.server.receive(&command("play", 0.0, &[Value::Null, Value::text("other")]), T).unwrap();
    let said = all_events(&mut talk.server);
    assert_eq!(said[..3], [server::Event::Pause(true), server::Event::Pause(false), server::Event::Stop]);
    assert!(matches!(&said[3], server::Event::Play(wanted) if wanted.name == "other"));
}

#[test]
fn commands_wrapped_for_amf3_are_understood() {
    let mut session = connected();
    let mut body = vec![0];
    body.extend(encode(&[Value::text("play"), Value::Number(0.0), Value::Null, Value::text("film")]));
    let mut out = Vec::new();
    chunk_writer::write(&mut out, 65_536, kind::COMMAND_AMF3, 1, 0, &[], &body);
    // The client's own `play` waits in the session as well; what counts is the first.
    session.receive(&out, T).unwrap();
    assert!(all_events(&mut session).iter().any(|e| matches!(e, server::Event::Play(_))));
}

#[test]
fn who_breaks_the_rules_is_closed() {
    let error = |bytes: &[u8]| connected().receive(bytes, T).unwrap_err();
    let hello =
        |bytes: &[u8]| ServerSession::new(Arc::new(Rules::default()), peer()).receive(bytes, T).unwrap_err();
    assert_eq!(hello(b"GET / HTTP/1.1\r\n").to_string(), "the first byte is 0x47, not that of RTMP");
    assert_eq!(hello(&[6]).limit(), None);
    assert_eq!(
        error(&command("createStream", 1.0, &[Value::Null]).repeat(9)),
        SessionError::Order("too many message streams")
    );
    let mut deep = vec![Value::Null];
    for _ in 0..20 {
        deep = vec![Value::Array(deep)];
    }
    assert_eq!(error(&command("x", 1.0, &deep)).limit(), Some("rtmp_amf_depth"));
    let mut flood = Vec::new();
    super::command::control(&mut flood, UserControl::PingRequest(1));
    assert_eq!(error(&flood.repeat(5000)), SessionError::Unread);
    // Whoever has come so far is told why.
    let mut session = connected();
    let broken = session.receive(&[0xc7], T).unwrap_err();
    session.close_because(&broken);
    let words = session.output();
    assert!(words.windows(28).any(|w| w == b"NetConnection.Connect.Closed"));
    assert!(words.windows(32).any(|w| w == b"a chunk came before its header\x00\x00"));
    let mut session = ServerSession::new(Arc::new(Rules::default()), peer());
    let broken = session.receive(b"G", T).unwrap_err();
    session.close_because(&broken);
    assert_eq!(session.output(), [0_u8; 0]);
    // Before connect there is nothing to ask.
    let mut session = ServerSession::new(Arc::new(Rules::default()), peer());
    session.receive(&[&[3][..], &[0; 3072]].concat(), T).unwrap();
    let early = session.receive(&command("publish", 1.0, &[Value::Null, Value::text("film")]), T);
    assert_eq!(early, Err(SessionError::Order("a command came before connect")));
}

#[test]
fn received_bytes_are_acknowledged() {
    let mut talk = Talk::new(target("live", "film"), Aim::Publish, Rules::default(), peer(), 1 << 20);
    talk.run();
    let mut acknowledged = 0;
    for _ in 0..100 {
        talk.client.send(kind::VIDEO, 0, &[], &[0; 100_000]);
        let frame = talk.client.output();
        talk.server.receive(&frame, T).unwrap();
        acknowledged += usize::from(!talk.server.output().is_empty());
    }
    // 10 MB, one for each half of the window of 5 MB.
    assert!((3..=4).contains(&acknowledged), "{acknowledged}");
}

#[test]
fn commands_that_nobody_needs_may_be_unreadable() {
    let sent = |name: &str, kind: u8| {
        let mut body = encode(&[Value::text(name), Value::Number(5.0)]);
        body.extend_from_slice(&[3, 0, 1, b'a', 0xee]);
        let mut out = Vec::new();
        chunk_writer::write(&mut out, 65_536, kind, 0, 0, &[], &body);
        out
    };
    let mut session = connected();
    for name in ["_checkbw", "onFCPublish", "FCPublish", "releaseStream", "nobody knows it"] {
        assert_eq!(session.receive(&sent(name, kind::COMMAND), T), Ok(()), "{name}");
        assert_eq!(session.receive(&sent(name, kind::COMMAND_AMF3), T), Ok(()), "{name}");
    }
    for name in ["createStream", "publish", "play", "deleteStream"] {
        let error = connected().receive(&sent(name, kind::COMMAND), T).unwrap_err();
        assert_eq!(error.to_string(), "there is no AMF type 0xee", "{name}");
    }
}

proptest! {
    #[test]
    fn any_answer_at_any_time_keeps_the_order(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6),
        late in 0_usize..6,
        name in "[a-z./]{0,4}",
        granted in any::<bool>(),
    ) {
        let (mut session, _) = asking("publish", server::Demands::default(), peer());
        for (at, part) in parts.iter().enumerate() {
            if at == late {
                let answer = if granted {
                    Ok(Grant { name: name.clone(), ..Grant::default() })
                } else {
                    Err(Denied::Late)
                };
                let outcome = session.authorized(answer, T);
                let good = granted && name::check(&name).is_ok();
                let first = session.event();
                prop_assert_eq!(matches!(first, Some(server::Event::Publish(_))), good, "{:?}", first);
                if outcome.is_err() {
                    return Ok(());
                }
            }
            if session.receive(part, T).is_err() {
                return Ok(());
            }
            if at < late {
                prop_assert_eq!(session.event(), None);
            }
        }
    }

    #[test]
    fn any_bytes_are_answered_or_closed(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..10)) {
        let mut session = connected();
        for part in parts {
            if session.receive(&part, T).is_err() {
                break;
            }
            session.output();
        }
    }
}
