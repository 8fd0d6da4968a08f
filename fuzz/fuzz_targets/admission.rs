//! Admission: whatever a back end answers and whatever a publisher shows, every form has a verdict, names that it gives fit, and
//! nothing breaks out of the form's text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::auth::{Action, Caller, Protocol, Request, Shown};
use msconv::base::secret::Secret;
use msconv::config::admission::Form;
use msconv::model::stream_name::is_name;
use msconv::platform::admission::{Ask, Happened, HttpAnswer, Target, Verdict};

fuzz_target!(|input: (u16, Option<String>, &[u8], [&str; 5], bool, u8)| {
    let (status, location, body, [name, query, agent, url, token], publishes, protocol) = input;
    let request = Request {
        action: if publishes { Action::Publish } else { Action::Read },
        protocol: [Protocol::Rtmp, Protocol::Rtsp, Protocol::Hls, Protocol::WebRtc][usize::from(protocol % 4)],
        application: "live".into(),
        name: Secret::new(name),
        query: Secret::new(query),
        shown: if token.is_empty() { Shown::Nothing } else { Shown::Token(Secret::new(token)) },
        address: "192.0.2.1".parse().expect("an address"),
        caller: Caller { agent: agent.into(), url: Secret::new(url), ..Caller::default() },
    };
    let ask = Ask::of(&request, 1, 1_700_000_000_000);
    let answer = HttpAnswer { status, location, body: body.to_vec() };
    for (_, form) in Form::ALL {
        let url = "http://127.0.0.1:1/hook".parse().expect("a URL");
        let target = Target { form, url, secret: Some(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")) };
        if let Verdict::Allowed(allowed) = target.verdict(&answer, !token.is_empty(), 1_700_000_000_000) {
            assert!(status < 400, "{form:?} allows with {status}");
            assert!(allowed.name.is_none_or(|name| is_name(&name)));
        }
        let over = Happened::Ended { at_ms: 1_700_000_001_000, bytes_in: 1, bytes_out: 2 };
        let told = [target.question(&ask), target.notice(&ask, Happened::Began), target.notice(&ask, over)];
        for request in told.into_iter().flatten() {
            let fits = |c: char| !c.is_whitespace() && !c.is_control();
            assert!(request.url.chars().all(fits), "{}", request.url);
            match form {
                Form::Streamly => assert!(request.url.starts_with("http://127.0.0.1:1/hook/api/streams/")),
                Form::NginxRtmp => assert!(request.body.starts_with("app=live&flashver=")),
                _ => assert!(serde_json::from_str::<serde_json::Value>(&request.body).is_ok(), "{}", request.body),
            }
        }
    }
});
