//! The authorizer against a back end that does as it is told.

use super::*;
use crate::auth::{Access, Caller, Credentials, Shown};
use crate::config::admission::Form;
use crate::hub::Registry;
use crate::platform::admission::target::tests::answer;
use std::sync::atomic::AtomicUsize;
use tokio::sync::Semaphore;

/// Answers as it is told, each time that the gate opens.
#[derive(Debug)]
struct BackEnd {
    says: Mutex<Result<HttpAnswer, Silence>>,
    gate: Option<Semaphore>,
    asked: AtomicUsize,
    urls: Mutex<Vec<String>>,
}

/// Shared, since a post goes on without whoever made it.
#[derive(Clone, Debug)]
struct Shared(Arc<BackEnd>);

impl Post for Shared {
    fn post(&self, request: HttpRequest) -> Posted {
        let back_end = self.0.clone();
        back_end.asked.fetch_add(1, Ordering::Relaxed);
        back_end.urls.lock().unwrap().push(request.url + " " + &request.body);
        Box::pin(async move {
            if let Some(gate) = &back_end.gate {
                gate.acquire().await.unwrap().forget();
            }
            back_end.says.lock().unwrap().clone()
        })
    }
}

impl BackEnd {
    fn new(status: u16, body: &str, gated: bool) -> Arc<BackEnd> {
        Arc::new(BackEnd {
            says: Mutex::new(Ok(answer(status, body))),
            gate: gated.then(|| Semaphore::new(0)),
            asked: AtomicUsize::new(0),
            urls: Mutex::default(),
        })
    }

    fn say(&self, said: Result<HttpAnswer, Silence>) {
        *self.says.lock().unwrap() = said;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn rules() -> Rules {
    let (timeout, cache) = (Duration::from_secs(3), Duration::from_secs(10));
    Rules { publish: true, read: true, timeout, cache, allow_known: false }
}

fn admission(back_end: &Arc<BackEnd>, form: Form, rules: Rules, access: Access) -> Admission {
    let target = Target { form, url: "http://127.0.0.1:1/hook".parse().unwrap(), secret: None };
    let hub = Hub::new(Registry::default(), crate::hub::Limits::default());
    let runs = (Handle::current(), Log::silent());
    Admission::new(target, rules, Arc::new(access), Arc::new(Shared(back_end.clone())), hub, runs)
}

fn request(action: Action, name: &str) -> Request {
    Request {
        action,
        protocol: Protocol::Rtsp,
        application: "live".into(),
        name: Secret::new(name),
        query: Secret::new(""),
        shown: Shown::Nothing,
        address: "192.0.2.1".parse().unwrap(),
        caller: Caller::default(),
    }
}

fn password(user: &str, password: &str) -> Shown {
    Shown::Password { user: user.into(), password: Secret::new(password) }
}

#[tokio::test(start_paused = true)]
async fn equal_questions_are_asked_once() {
    let back_end = BackEnd::new(200, r#"{"allow":true,"name":"film"}"#, true);
    let admission = admission(&back_end, Form::Msconv, rules(), Access::default());
    let ask = |name: &str| tokio::spawn(admission.authorize(request(Action::Publish, name)));
    let mut waiting: Vec<_> = (0..20).map(|_| ask("key")).collect();
    tokio::task::yield_now().await;
    // The first one gives up, which is no matter to the others.
    waiting.remove(0).abort();
    while back_end.asked() == 0 {
        tokio::task::yield_now().await;
    }
    back_end.gate.as_ref().unwrap().add_permits(1);
    for answer in waiting {
        assert_eq!(answer.await.unwrap().unwrap().name, "film");
    }
    assert_eq!(back_end.asked(), 1);
    assert_eq!(ask("key").await.unwrap().unwrap().name, "film", "a moment later, too");
    assert_eq!(back_end.asked(), 1);
    back_end.gate.as_ref().unwrap().add_permits(1);
    ask("other").await.unwrap().unwrap();
    assert_eq!(back_end.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn at_most_64_questions_are_open() {
    let back_end = BackEnd::new(200, r#"{"allow":true}"#, true);
    let admission = admission(&back_end, Form::Msconv, rules(), Access::default());
    let waiting: Vec<_> = (0..MOST_OPEN)
        .map(|n| tokio::spawn(admission.authorize(request(Action::Publish, &format!("k{n}")))))
        .collect();
    while back_end.asked() < MOST_OPEN {
        tokio::task::yield_now().await;
    }
    let more = admission.authorize(request(Action::Publish, "one-more")).await;
    assert_eq!(more, Err(Denied::Late));
    assert_eq!(back_end.asked(), MOST_OPEN);
    // None is answered: all end after the time limit, and then there is room again.
    for answer in waiting {
        assert_eq!(answer.await.unwrap(), Err(Denied::Late));
    }
    back_end.gate.as_ref().unwrap().add_permits(1);
    admission.authorize(request(Action::Publish, "one-more")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_silent_back_end_lets_in_whom_it_has_known() {
    let silences =
        [Err(Silence("it closed".into())), Ok(answer(503, "")), Ok(answer(500, r#"{"allow":true}"#))];
    for allow_known in [false, true] {
        let back_end = BackEnd::new(200, r#"{"allow":true,"name":"film"}"#, false);
        let rules = Rules { allow_known, cache: Duration::ZERO, ..rules() };
        let admission = admission(&back_end, Form::Msconv, rules, Access::default());
        let publish = |name| admission.authorize(request(Action::Publish, name));
        assert_eq!(publish("key").await.unwrap().name, "film");
        for silence in &silences {
            back_end.say(silence.clone());
            let known = publish("key").await.map(|grant| grant.name);
            assert_eq!(known, if allow_known { Ok("film".to_string()) } else { Err(Denied::Late) });
            assert_eq!(publish("stranger").await, Err(Denied::Late));
        }
        // What it refuses it has not known.
        back_end.say(Ok(answer(403, "")));
        assert_eq!(publish("key").await, Err(Denied::WrongKey));
        back_end.say(silences[0].clone());
        assert_eq!(publish("key").await, Err(Denied::Late));
    }
}

#[tokio::test(start_paused = true)]
async fn the_servers_own_password_opens_without_a_question() {
    let back_end = BackEnd::new(403, "not you", false);
    let access = Access {
        publish: Some(Credentials::new("bob", "pw")),
        outside_needs_password: true,
        ..Access::default()
    };
    let admission = admission(&back_end, Form::NginxRtmp, rules(), access);
    let publish = |shown| admission.authorize(Request { shown, ..request(Action::Publish, "key") });
    assert_eq!(publish(password("bob", "pw")).await.unwrap().user, "bob");
    assert_eq!(back_end.asked(), 0);
    assert_eq!(publish(password("bob", "px")).await, Err(Denied::Wrong));
    assert_eq!(back_end.asked(), 1);
    // A program that shows nothing is asked, where that can be done without a word to the person.
    assert_eq!(publish(Shown::Nothing).await, Err(Denied::NeedsCredentials(Action::Publish)));
    let by_rtmp = Request { protocol: Protocol::Rtmp, ..request(Action::Publish, "key") };
    assert_eq!(admission.authorize(by_rtmp).await, Err(Denied::WrongKey));
    back_end.say(Ok(answer(200, "")));
    assert_eq!(publish(password("carl", "x")).await.unwrap().user, "carl");
    // The control endpoints are none of its business.
    let asked = back_end.asked();
    let control = Request { shown: password("bob", "pw"), ..request(Action::Control, "") };
    assert!(admission.authorize(control).await.is_ok());
    assert_eq!((back_end.asked(), admission.demand(Action::Control)), (asked, Demand::Login));
    assert_eq!(admission.demand(Action::Publish), Demand::Key);
}

#[tokio::test(start_paused = true)]
async fn what_it_does_not_decide_is_decided_as_without_it() {
    let back_end = BackEnd::new(200, "", false);
    let access = Access { outside_needs_password: true, ..Access::default() };
    let reads_alone = Rules { publish: false, ..rules() };
    let admission = admission(&back_end, Form::Streamly, reads_alone, access);
    let publish = admission.authorize(request(Action::Publish, "x")).await;
    assert_eq!(publish, Err(Denied::Outside));
    assert!(admission.authorize(request(Action::Read, "x")).await.is_ok());
    assert_eq!((back_end.asked(), admission.demand(Action::Read)), (0, Demand::Nothing));
}

#[tokio::test(start_paused = true)]
async fn refusals_are_what_they_say() {
    let refusal = |form, status, body: &'static str, request: Request| async move {
        let back_end = BackEnd::new(status, body, false);
        admission(&back_end, form, rules(), Access::default()).authorize(request).await.unwrap_err()
    };
    let (publish, read) = (request(Action::Publish, "x"), request(Action::Read, "x"));
    let why = r#"{"allow":false,"reason":"pay first"}"#;
    let told = refusal(Form::Msconv, 403, why, publish.clone()).await;
    assert_eq!((told.to_string().as_str(), told.is_guess()), ("pay first", true));
    let told = refusal(Form::Msconv, 403, why, read.clone()).await;
    assert_eq!((told.to_string().as_str(), told.is_guess()), ("pay first", false));
    assert_eq!(refusal(Form::Nms, 404, "", publish.clone()).await, Denied::WrongKey);
    assert!(!refusal(Form::Nms, 404, "", read.clone()).await.is_guess());
    let told = refusal(Form::Mediamtx, 401, "", read.clone()).await;
    assert_eq!(told, Denied::NeedsCredentials(Action::Read));
    let shown = Request { shown: password("a", "b"), ..read };
    assert_eq!(refusal(Form::Mediamtx, 401, "", shown).await, Denied::Wrong);
}

#[tokio::test(start_paused = true)]
async fn a_rendition_is_read_by_whoever_may_read_its_ladder() {
    let back_end = BackEnd::new(302, "", false);
    let admission = admission(&back_end, Form::NginxRtmp, rules(), Access::default());
    let hub = admission.0.hub.clone();
    let client =
        hub.registry().enter(crate::protocol::RTMP, "127.0.0.1:1".parse().unwrap(), Now::read().mono, 0);
    let _live = hub.publish(&StreamName::new("live", "film_720p"), &client, Now::read()).unwrap();
    back_end.say(Ok(HttpAnswer { location: Some("show".into()), ..answer(302, "") }));
    let name = |name: &'static str| {
        let asked = admission.authorize(request(Action::Read, name));
        async move { asked.await.unwrap().name }
    };
    assert_eq!(name("film_720p").await, "show_720p");
    assert_eq!(name("film").await, "show");
    assert_eq!(name("none_720p").await, "show", "there is no such ladder");
    let urls = back_end.urls.lock().unwrap().join("\n");
    assert_eq!(
        (urls.matches("name=film&").count(), urls.matches("name=none_720p&").count()),
        (1, 1),
        "{urls}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_can_be_shown_beside_the_name() {
    for (form, name) in [(Form::Streamly, "sk-1"), (Form::Mediamtx, "path")] {
        let back_end = BackEnd::new(200, "", false);
        let admission = admission(&back_end, form, rules(), Access::default());
        for (protocol, shown) in [
            (Protocol::WebRtc, Shown::Token(Secret::new("sk-1"))),
            (Protocol::Rtsp, password("publish", "sk-1")),
        ] {
            let request = Request { protocol, shown, ..request(Action::Publish, "path") };
            assert_eq!(admission.authorize(request).await.unwrap().name, name, "{form:?}");
        }
    }
    // A name that no protocol would have let through.
    let back_end = BackEnd::new(200, "", false);
    let admission = admission(&back_end, Form::Nms, rules(), Access::default());
    let strange = Request {
        protocol: Protocol::WebRtc,
        shown: Shown::Token(Secret::new("../a b")),
        ..request(Action::Publish, "path")
    };
    assert!(admission.authorize(strange).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn reasons_do_not_tell_keys() {
    let back_end = BackEnd::new(403, "the key sk-1 has expired", false);
    let admission = admission(&back_end, Form::Msconv, rules(), Access::default());
    let denied = admission.authorize(request(Action::Publish, "sk-1")).await.unwrap_err();
    assert_eq!(denied.to_string(), "the key *** has expired");
}

#[tokio::test(start_paused = true)]
async fn a_permission_can_end() {
    let back_end = BackEnd::new(200, r#"{"allowed":true,"lifetime":60000}"#, false);
    let admission = admission(&back_end, Form::Ome, rules(), Access::default());
    let grant = admission.authorize(request(Action::Publish, "x")).await.unwrap();
    let left = grant.limits.time.unwrap();
    assert!(left <= Duration::from_secs(60) && left > Duration::from_secs(50), "{left:?}");
    assert!(!format!("{admission:?}").contains("secret"));
}
