//! `publish --once` of a picture showed it for ever. It is shown for ten seconds, and ends as a film does.

use crate::live::SOON;
use crate::stage::{Serve, Stage, made, needs};

#[test]
fn a_picture_that_is_published_once_ends() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("once-picture");
    let _server = Serve::start_at_stage(&stage);
    let source = ["-f", "lavfi", "-i", "testsrc=size=320x180:rate=1", "-frames:v", "1"];
    let runs = ["slide.jpg", "slide.png", "slide.bmp", "slide.gif"].map(|name| {
        let path = made(name, &source);
        let key = name.replace('.', "-");
        let args = ["publish", "-s", &key, "-f", path.to_str().unwrap(), "--once", "--foreground"];
        stage.spawn_msconv(&[&args[..], &["--quality", "fastest"]].concat())
    });
    for run in runs {
        let run = run.wait(SOON).expect(0);
        assert!(run.stdout.contains("state=finished") || run.stderr.contains("state=finished"), "{run}");
    }
    // In the background it is live first, and gone a while later.
    let path = made("slide.jpg", &source);
    stage.msconv(&["publish", "-s", "a", "-f", path.to_str().unwrap(), "--once", "--wait", "50s"]).expect(0);
    crate::stage::wait_for("the stream to end by itself", SOON, || {
        let run = stage.msconv(&["status", "a", "--json"]);
        if run.code == 3 || run.stdout.contains("\"finished\"") { Ok(()) } else { Err(run.to_string()) }
    });
}
