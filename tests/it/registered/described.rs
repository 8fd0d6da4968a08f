//! The description of the API against the API: made-up requests by its letter are answered, and as it says.

use super::house::House;
use crate::stage::{missing, needs};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// It makes a thousand requests.
const PATIENCE: Duration = Duration::from_secs(240);

/// Schemathesis, beside the python that has the other peers.
fn schemathesis() -> Option<PathBuf> {
    let python = std::env::var_os("MSCONV_TEST_AIORTC")?;
    Some(Path::new(&python).with_file_name("schemathesis")).filter(|path| path.exists())
}

#[test]
fn the_api_is_as_its_description_says() {
    if !needs("python3") {
        return;
    }
    let Some(program) = schemathesis() else { return missing("schemathesis") };
    let house = House::new("described", &[]);
    house.registered(json!({ "name": "one", "slug": "one" }));
    let url = format!("http://{}", house.serve.address("web"));
    let description = format!("{url}/api/openapi.json");
    let run = house.stage.spawn(
        program,
        &[
            "run",
            &description,
            "--url",
            &url,
            // What goes on for ever is no request.
            "--exclude-path-regex",
            "/events|chat/ws|load/live",
            "--max-examples",
            "8",
            "--seed",
            "20261130",
            "--checks",
            "not_a_server_error,content_type_conformance,response_schema_conformance,status_code_conformance",
        ],
    );
    let run = run.wait(PATIENCE);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    house.get("/api/v1/streams").expect(200);
}
