//! Which paths of the web port name streams: `/APPLICATION/NAME/…`, and without the application those of the first one.
//! Pure.

use crate::model::StreamName;

/// The first words of pages and of the API: with them an address without an application names no stream.
pub const RESERVED: &[&str] = &[
    "watch",
    "studio",
    "console",
    "embed",
    "assets",
    "api",
    "streams",
    "start_stream",
    "stream",
    "stop_stream",
    "start_wrtc_stream",
    "health",
    "ready",
    "live",
    "recordings",
];

/// What `path` names: what `read` makes of an application and of what stands behind it, with one of `applications`, or, if
/// the name is no word of a page, with the first of them.
pub fn stream_of<T>(
    path: &str,
    applications: &[String],
    read: impl Fn(&str, &str) -> Option<T>,
    stream: impl Fn(&T) -> &StreamName,
) -> Option<T> {
    let rest = path.strip_prefix('/')?;
    let within = applications.iter().find_map(|application| {
        let rest = rest.strip_prefix(application.as_str())?.strip_prefix('/')?;
        read(application, rest)
    });
    within.or_else(|| {
        let short = read(applications.first()?, rest)?;
        (!RESERVED.contains(&stream(&short).name.as_str())).then_some(short)
    })
}

/// Whether a path begins as that of a page does: an application may be called so too.
pub fn begins_as_a_page(path: &str) -> bool {
    path.split('/').nth(1).is_some_and(|first| RESERVED.contains(&first))
}
