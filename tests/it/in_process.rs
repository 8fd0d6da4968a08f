//! The use cases called as a library, as a server of requests will: a stream is a value read from JSON, cancelled by a
//! token, and no command line and no signal is involved.

use crate::live::SMALL;
use crate::stage::{Serve, Stage, film, needs};
use msconv::base::{Kind, Outcome};
use msconv::config::{Environment, Layer, Settings};
use msconv::manager::streams::publish::{self, Patience, Published, Step};
use msconv::manager::streams::stop::{self, Stopped};
use msconv::model::{PublishSpec, State};
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const PATIENCE: Patience = Patience { wait: Duration::from_secs(50), foreground: false };

/// A stage with the built-in server, and what a process that uses the library has.
struct House {
    settings: Settings,
    environment: Environment,
    serve: Serve,
    /// Declared last, so that it is dropped last.
    stage: Stage,
}

impl House {
    fn new(name: &str) -> House {
        let stage = Stage::new(name);
        let serve = Serve::start_at_stage(&stage);
        let environment = stage.environment();
        let settings = Settings::load(Layer::flags([]), &environment).unwrap();
        House { settings, environment, serve, stage }
    }

    async fn publish(
        &self,
        spec: &PublishSpec,
        cancel: &CancellationToken,
        step: impl FnMut(Step<'_>),
    ) -> Outcome<Published> {
        let (settings, environment) = (&self.settings, &self.environment);
        let prepared =
            publish::prepare(settings, environment, spec, PATIENCE).await.map_err(|e| e.failure)?;
        publish::start(settings, environment, &prepared, cancel, step).await
    }

    async fn stop(&self, spec: &PublishSpec) -> Stopped {
        let limit = Duration::from_secs(20);
        stop::stop(&self.settings, &self.environment, &spec.key, limit).await.unwrap()
    }
}

/// As a request's body would say it.
fn spec() -> PublishSpec {
    let film = film(8, 426, 240);
    let body = json!({
        "key": "a",
        "source": { "file": film },
        "ladder": SMALL,
        "encoder": "x264",
        "quality": "fastest",
        "fps": 15,
        "keyframe_interval": "1s",
    });
    serde_json::from_str(&body.to_string()).unwrap()
}

#[tokio::test]
async fn a_stream_read_from_json_is_published_and_stopped() {
    if !needs("ffmpeg") {
        return;
    }
    let house = House::new("in_process");
    let spec = spec();
    let published = house.publish(&spec, &CancellationToken::new(), |_| ()).await.unwrap();
    assert_eq!(published.record.state, State::Live);
    let page = house.serve.get("stat", "/stat").body;
    for name in ["a_240p", "a_120p"] {
        assert!(page.contains(&format!("<name>{name}</name>")), "{page}");
    }
    let argv = published.record.argv.join(" ");
    for word in ["libx264", "fps=15", "aac"] {
        assert!(argv.contains(word), "{word}: {argv}");
    }
    assert_eq!(published.record.spec, spec.shown(), "the record says what was asked for");
    assert!(matches!(house.stop(&spec).await, Stopped::Ended(_)));
    assert!(matches!(house.stop(&spec).await, Stopped::NotRunning(_)));
}

#[tokio::test]
async fn a_publish_that_is_cancelled_leaves_nothing() {
    if !needs("ffmpeg") {
        return;
    }
    let house = House::new("cancelled");
    let spec = spec();
    for before in [true, false] {
        let cancel = CancellationToken::new();
        if before {
            cancel.cancel();
        }
        let mut updates = 0;
        let step = |step: Step<'_>| {
            if let Step::Update(_) = step {
                updates += 1;
                cancel.cancel();
            }
        };
        let failure = house.publish(&spec, &cancel, step).await.unwrap_err();
        assert_eq!(failure.kind(), Kind::Interrupted);
        assert_eq!(failure.what(), "interrupted before it was live; nothing is left running");
        assert_eq!(
            updates,
            usize::from(!before),
            "its supervisor was started only where it was not cancelled yet"
        );
        assert!(matches!(house.stop(&spec).await, Stopped::NotRunning(_)));
        assert!(!house.stage.file("pids/.state/a.json").exists());
    }
}
