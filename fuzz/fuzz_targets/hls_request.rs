//! Requests for HLS: whatever path and query a stranger sends, what is read out of it is within bounds and has exactly
//! one name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::model::stream_name::is_name;
use msconv::protocol::hls::server::route::{Directives, Item, Media, Route};

fuzz_target!(|input: (&str, &str, u64)| {
    let (path, query, parts_of_three_seconds) = input;
    let applications = ["live".to_string(), "tv/one".to_string()];
    let mut last = None;
    if let Some(Route { stream, item }) = Route::of(path, &applications) {
        assert!(is_name(&stream.name) && applications.contains(&stream.application.to_string()));
        match item {
            Item::Multivariant => assert!(path.ends_with("/index.m3u8")),
            Item::Playlist(label) => assert!(is_name(&label) && path.ends_with("/i.m3u8")),
            Item::File(label, file) => {
                // One name for each file, or caches would hold it twice.
                assert!(is_name(&label) && path.ends_with(&format!("/{label}/{}", file.name())));
                if let Media::Part(at) = file.media {
                    last = Some(at);
                }
            }
        }
    }
    if let Ok(directives) = Directives::of(query) {
        let within = directives.within_reach(last, parts_of_three_seconds).is_ok();
        if let (true, Some((msn, _))) = (within, directives.wait_for) {
            assert!(msn <= last.map_or(0, |last| last.msn) + 2, "nobody waits for what is far ahead");
        }
    }
});
