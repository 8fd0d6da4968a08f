//! Who may do what is decided by somebody who knows the protocols as little as they know him, and who may take his time.

use crate::serving_rtmp::house as by_rtmp;
use crate::serving_rtsp::house::{Came, Canary, House, Peer, Plan, SOON, both, frames, number};
use crate::stage::{stream, wait_for};
use msconv::auth::{Action, Answer, Authorizer, Credentials, Demand, Denied, Grant, Limits, Request};
use msconv::base::clock::Now;
use msconv::hub::Role;
use msconv::protocol::rtmp::session::client::{Aim, Event, Target};
use msconv::protocol::rtmp::session::server::Rules;
use msconv::protocol::rtmp::wire::message::Message;
use msconv::protocol::rtsp::server::Limits as RtspLimits;
use msconv::protocol::rtsp::session::client::{Event as RtspEvent, Intent};
use msconv::protocol::rtsp::wire::Status;
use msconv::protocol::{RTMP, RTSP_CONNECTION, RTSP_SESSION};
use msconv::server::endpoint::{self, answer::Request as EndpointRequest};
use msconv::server::sampler::Sampler;
use msconv::server::view::About;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Keys and what they open, each for one action.
#[derive(Debug)]
struct Keys(&'static [(Action, &'static str, &'static str, &'static str)]);

const KEYS: Keys = Keys(&[
    (Action::Publish, "sk-one", "film", "ann"),
    (Action::Publish, "sk-two", "cam", "ben"),
    (Action::Read, "rk-one", "film", "cid"),
    (Action::Read, "rk-two", "cam", "dan"),
]);

impl Authorizer for Keys {
    fn authorize(&self, request: Request) -> Answer {
        let found = self.0.iter().find(|(action, key, ..)| {
            *action == request.action && *key == request.name.reveal() && request.application == "live"
        });
        let answer = found.map(|(_, _, name, user)| Grant {
            name: (*name).into(),
            user: (*user).into(),
            ..Grant::default()
        });
        Box::pin(async move {
            // As if it had been looked up somewhere.
            tokio::task::yield_now().await;
            answer.ok_or(Denied::WrongKey)
        })
    }

    fn demand(&self, _: Action) -> Demand {
        Demand::Key
    }
}

/// Users, each with a password and a corner of names of their own.
#[derive(Debug)]
struct Users(&'static [(&'static str, &'static str)]);

impl Authorizer for Users {
    fn authorize(&self, request: Request) -> Answer {
        let user = request.shown.user().to_string();
        let known = self.0.iter().find(|(name, _)| *name == user);
        let right = known.is_some_and(|(name, pw)| request.shown.fits(&Credentials::new(*name, *pw)));
        Box::pin(std::future::ready(match request.shown.is_some() {
            false => Err(Denied::NeedsCredentials(request.action)),
            true if right => {
                Ok(Grant { name: format!("{user}.{}", request.name.reveal()), user, ..Grant::default() })
            }
            true => Err(Denied::Wrong),
        }))
    }

    fn demand(&self, _: Action) -> Demand {
        Demand::Login
    }
}

/// Answers at once, when the test opens the gate (`slow`), or never (`hang`).
#[derive(Debug)]
struct Slow {
    gate: Arc<Semaphore>,
    asked: Arc<AtomicUsize>,
}

impl Slow {
    fn new() -> Slow {
        Slow { gate: Arc::new(Semaphore::new(0)), asked: Arc::default() }
    }
}

impl Authorizer for Slow {
    fn authorize(&self, request: Request) -> Answer {
        let (gate, name) = (self.gate.clone(), request.name.reveal().to_string());
        self.asked.fetch_add(usize::from(name != "canary"), Ordering::Relaxed);
        Box::pin(async move {
            match name.as_str() {
                "hang" => std::future::pending().await,
                "slow" => gate.acquire().await.unwrap().forget(),
                _ => {}
            }
            Ok(Grant { name, ..Grant::default() })
        })
    }

    fn demand(&self, _: Action) -> Demand {
        Demand::Nothing
    }
}

/// `/stat`, `/metrics` and the lists of `/v3`.
fn status_pages(house: &House) -> String {
    let about = About {
        pid: 1,
        started_ms: 0,
        built: String::new(),
        applications: vec!["live".into()],
        ports: Default::default(),
        web_tls: false,
    };
    let now = Now::read();
    let sampler = Sampler::new(house.hub.clone(), about, now);
    let view = sampler.whole_view(now);
    let mut pages = endpoint::stat::page(&view);
    pages += &endpoint::metrics::answer(&view, &EndpointRequest::new("GET", "/metrics")).body;
    for list in ["paths", "rtmpconns", "rtspconns", "rtspsessions"] {
        let question = EndpointRequest::new("GET", &format!("/v3/{list}/list"));
        let answer = endpoint::api::answer(&view, &question, &mut |_, _| false);
        assert_eq!(answer.status, 200, "{list}");
        pages += &answer.body;
    }
    pages
}

#[test]
fn a_secret_name_opens_a_stream_with_a_public_one() {
    let house = House::with(Plan { authorizer: Arc::new(KEYS), ..Plan::default() });
    // One stream comes by RTMP, one by RTSP.
    let mut film = by_rtmp::Peer::at(house.rtmp, Aim::Publish, "sk-one?x=1");
    film.headers(0);
    film.picture(0, 7, true, 100);
    let mut cam = Peer::publisher(&house, "sk-two", &both(), false);
    cam.picture(0, 9, true, 100).unwrap();
    wait_for("both streams", SOON, || ["film", "cam"].iter().all(|n| house.hub.is_published(&stream(n))));
    // Each is read by both.
    let mut film_rtmp = by_rtmp::Peer::at(house.rtmp, Aim::Play, "rk-one");
    assert_eq!(film_rtmp.number().0, 7);
    let mut film_rtsp = Peer::reader(&house, "rk-one", false);
    assert_eq!(number(&film_rtsp.unit().unwrap()), 7);
    let mut cam_rtmp = by_rtmp::Peer::at(house.rtmp, Aim::Play, "rk-two");
    let ninth = |m: &Message| m.payload.windows(5).any(|w| w == [0x65, 0, 0, 0, 9]);
    while !ninth(&cam_rtmp.media()) {}
    let mut cam_udp = Peer::reader(&house, "rk-two", true);
    assert_eq!(number(&cam_udp.unit_by_datagram()), 9);

    let mut known: Vec<_> = [RTMP, RTSP_SESSION]
        .into_iter()
        .flat_map(|kind| house.hub.registry().list(kind))
        .map(|client| client.details())
        .map(|d| (d.role == Role::Publish, d.application, d.name, d.user))
        .collect();
    known.sort();
    let is = |publishes, name: &str, user: &str| (publishes, "live".into(), name.into(), user.into());
    let reads = [("cam", "dan"), ("cam", "dan"), ("film", "cid"), ("film", "cid")];
    let mut wanted: Vec<_> = reads.iter().map(|(name, user)| is(false, name, user)).collect();
    wanted.extend([is(true, "cam", "ben"), is(true, "film", "ann")]);
    assert_eq!(known, wanted);

    let pages = status_pages(&house);
    assert!(pages.contains("film") && pages.contains("cam"), "{pages}");
    for secret in ["sk-", "rk-"] {
        assert!(!pages.contains(secret), "a secret is on a status page: {pages}");
    }

    // A name that is taken, by whatever key; a key for something else; the public name, which is none.
    let publish = || Intent::Publish(Box::new(frames()));
    let (status, why) = Peer::new(&house, "sk-one", None, publish(), false).refusal();
    assert_eq!(status, Status::FORBIDDEN, "{why}");
    let mut second = by_rtmp::Peer::knocking(house.rtmp, Aim::Publish, "sk-two");
    assert_eq!(second.refusal().0, "NetStream.Publish.BadName");
    let refused = Denied::WrongKey.to_string();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (status, why) = Peer::new(&house, "rk-one", None, publish(), false).refusal();
            assert_eq!((status, why.trim()), (Status::FORBIDDEN, refused.as_str()));
        });
        scope.spawn(|| {
            let (status, why) = Peer::new(&house, "sk-guess", None, Intent::Read, false).refusal();
            assert_eq!((status, why.trim()), (Status::FORBIDDEN, refused.as_str()));
        });
        for name in ["film", "sk-guess"] {
            let refused = &refused;
            let house = &house;
            scope.spawn(move || {
                let mut wrong = by_rtmp::Peer::knocking(house.rtmp, Aim::Play, name);
                assert_eq!(&wrong.refusal().1, refused);
            });
        }
    });
    assert_eq!((house.broken("auth_failures"), house.broken("rtsp_authentication")), (2, 2));
    wait_for("the refusals in the log", SOON, || {
        !house.said(&["was refused ANNOUNCE film", "403"]).is_empty()
            && !house.said(&["was refused ANNOUNCE ***", "403"]).is_empty()
            && !house.said(&["rtmp:", "publishes film"]).is_empty()
            && !house.said(&["rtsp:", "reads film over TCP"]).is_empty()
    });
    for secret in ["sk-", "rk-"] {
        assert_eq!(house.said(&[secret]), [""; 0], "a secret is in the log");
    }
}

/// Grants for a moment.
#[derive(Debug)]
struct Passing;

impl Authorizer for Passing {
    fn authorize(&self, request: Request) -> Answer {
        let name = request.name.reveal().to_string();
        let time = (name == "brief").then_some(Duration::from_secs(1));
        Box::pin(std::future::ready(Ok(Grant { name, limits: Limits { time }, ..Grant::default() })))
    }

    fn demand(&self, _: Action) -> Demand {
        Demand::Nothing
    }
}

#[test]
fn what_was_granted_for_a_time_ends_with_it() {
    let house = House::with(Plan { authorizer: Arc::new(Passing), ..Plan::default() });
    let canary = Canary::new(&house);
    let over = || house.said(&["the time that it was allowed is over"]).len();
    // A publisher by each protocol, and a reader by each of a stream that goes on.
    let _by_rtmp = by_rtmp::Peer::at(house.rtmp, Aim::Publish, "brief");
    wait_for("the end of the publisher by RTMP", SOON, || {
        over() == 1 && !house.hub.is_published(&stream("brief"))
    });
    let _by_rtsp = Peer::publisher(&house, "brief", &both(), false);
    wait_for("the end of the publisher by RTSP", SOON, || {
        over() == 2 && !house.hub.is_published(&stream("brief"))
    });
    canary.sings();
}

#[test]
fn keys_cannot_be_guessed_for_ever() {
    let house = House::with(Plan { authorizer: Arc::new(KEYS), ..Plan::default() });
    std::thread::scope(|scope| {
        for n in 0..10 {
            let house = &house;
            scope.spawn(move || {
                let name = format!("sk-{n}");
                by_rtmp::Peer::knocking(house.rtmp, Aim::Publish, &name).refusal();
            });
        }
    });
    let shut_out = Denied::ShutOut.to_string();
    let mut right = by_rtmp::Peer::knocking(house.rtmp, Aim::Publish, "sk-one");
    assert_eq!(right.refusal().1, shut_out);
    let (status, why) = Peer::new(&house, "rk-one", None, Intent::Read, false).refusal();
    assert_eq!((status, why.trim()), (Status::FORBIDDEN, shut_out.as_str()));
}

#[test]
fn challenges_are_compared_with_the_password_of_whoever_it_is() {
    const USERS: Users = Users(&[("ann", "first"), ("ben", "second")]);
    // Digest.
    let house = House::with(Plan { authorizer: Arc::new(USERS), ..Plan::default() });
    let publish = || Intent::Publish(Box::new(frames()));
    for (user, password) in USERS.0 {
        Peer::new(&house, "x", Some((*user, *password)), publish(), false).until_granted();
    }
    let (status, _) = Peer::new(&house, "x", Some(("ann", "second")), publish(), false).refusal();
    assert_eq!(status, Status::UNAUTHORIZED);
    // Adobe's.
    let rules = Rules { adobe_at_connect: true, ..Rules::default() };
    let house = by_rtmp::House::guarded(rules, Arc::new(USERS));
    let connected = |user: &str, password: &str| {
        let mut arguments = String::new();
        loop {
            let target = Target {
                url: format!("rtmp://{}/live", house.address),
                application: "live".into(),
                name: "x".into(),
                credentials: Some(Credentials::new(user, password)),
                arguments: arguments.clone(),
                scheme: None,
            };
            let mut peer = by_rtmp::Peer::to(&house, Aim::Publish, target);
            match peer.event() {
                Some(Event::Again(next)) => arguments = next,
                Some(Event::Ready) => return Ok(peer),
                other => return Err(format!("{other:?}")),
            }
        }
    };
    let _ann = connected("ann", "first").unwrap();
    let _ben = connected("ben", "second").unwrap();
    assert!(house.hub.is_published(&stream("ann.x")) && house.hub.is_published(&stream("ben.x")));
    let users = house.hub.registry().list(RTMP).iter().map(|c| c.details().user).collect::<Vec<_>>();
    assert!(users.contains(&"ann".to_string()) && users.contains(&"ben".to_string()), "{users:?}");
    assert!(connected("ann", "second").is_err_and(|e| e.contains("authfailed")));
}

#[test]
fn whoever_never_answers_costs_only_those_who_wait_for_it() {
    let patience = Duration::from_secs(1);
    let house = House::with(Plan {
        authorizer: Arc::new(Slow::new()),
        limits: RtspLimits { authorization: patience, ..RtspLimits::default() },
        rules: Rules { authorization: patience, ..Rules::default() },
        ..Plan::default()
    });
    let canary = Canary::new(&house);
    let late = Denied::Late.to_string();
    std::thread::scope(|scope| {
        for aim in [Aim::Publish, Aim::Play] {
            let (house, late) = (&house, &late);
            scope.spawn(move || {
                assert_eq!(&by_rtmp::Peer::knocking(house.rtmp, aim, "hang").refusal().1, late);
            });
        }
        for wanted in [Intent::Publish(Box::new(frames())), Intent::Read] {
            let (house, late) = (&house, &late);
            scope.spawn(move || {
                let (status, why) = Peer::new(house, "hang", None, wanted, false).refusal();
                assert_eq!((status, why.trim()), (Status::UNAVAILABLE, late.as_str()));
            });
        }
    });
    assert_eq!((house.broken("auth_time"), house.broken("rtsp_authentication_time")), (2, 2));
    canary.sings();
}

#[test]
fn while_one_waits_for_an_answer_others_come_and_go_and_it_can_be_kicked() {
    let slow = Slow::new();
    let (gate, asked) = (slow.gate.clone(), slow.asked.clone());
    let hour = Duration::from_secs(3600);
    let house = House::with(Plan {
        authorizer: Arc::new(slow),
        limits: RtspLimits { authorization: hour, ..RtspLimits::default() },
        rules: Rules { authorization: hour, ..Rules::default() },
        ..Plan::default()
    });
    let canary = Canary::new(&house);
    let waits = |times: usize| {
        wait_for("the question", SOON, || asked.load(Ordering::Relaxed) >= times);
    };
    let (address, rtsp) = (house.rtmp, &house);
    std::thread::scope(|scope| {
        let by_rtmp = scope.spawn(move || by_rtmp::Peer::at(address, Aim::Publish, "slow"));
        waits(1);
        // Somebody else is served meanwhile.
        drop(by_rtmp::Peer::at(address, Aim::Publish, "other"));
        assert!(!house.hub.is_published(&stream("slow")));
        gate.add_permits(1);
        let mut publisher = by_rtmp.join().unwrap();
        publisher.headers(0);
        publisher.picture(0, 5, true, 10);
        let by_rtsp = scope.spawn(move || Peer::reader(rtsp, "slow", false));
        waits(3);
        assert!(!by_rtsp.is_finished());
        gate.add_permits(1);
        let mut reader = by_rtsp.join().unwrap();
        assert_eq!(number(&reader.unit().unwrap()), 5);
    });
    // Those who wait are not deaf.
    let kicked = |kind, address| house.client(kind, |c| c.remote == address).kick();
    let mut peer = by_rtmp::Peer::knocking(house.rtmp, Aim::Publish, "hang");
    let address = peer.socket.local_addr().unwrap();
    std::thread::scope(|scope| {
        let ended = scope.spawn(move || peer.event());
        waits(4);
        kicked(RTMP, address);
        assert!(!matches!(ended.join().unwrap(), Some(Event::Ready)));
    });
    let mut peer = Peer::new(&house, "hang", None, Intent::Read, false);
    let address = peer.socket.local_addr().unwrap();
    std::thread::scope(|scope| {
        let ended = scope.spawn(move || peer.next());
        waits(5);
        kicked(RTSP_CONNECTION, address);
        assert!(!matches!(ended.join().unwrap(), Came::Event(RtspEvent::Granted(_))));
    });
    canary.sings();
}
