//! Where a listed name can be read. Names of foreign publishers may hold anything, so they are escaped; the secrets of the
//! settings are masked.

use super::stream_facts::At;
use super::view::{View, WebPort};

impl At {
    /// The name on the server that has it; for MediaMTX alone that is the whole path.
    pub fn path(&self) -> String {
        if self.direct && !self.application.is_empty() {
            format!("{}/{}", self.application, self.name)
        } else {
            self.name.clone()
        }
    }
}

/// Over RTMP.
pub fn rtmp_url(view: &View<'_>, at: &At) -> String {
    if at.application == view.rtmp.application() {
        return view.rtmp.shown_name_url(&escaped(&at.name));
    }
    let host = view.rtmp.host();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_string() };
    let folder =
        if at.application.is_empty() { String::new() } else { format!("/{}", escaped(&at.application)) };
    format!("{}://{host}:{}{folder}/{}", view.rtmp.scheme(), view.rtmp.port(), escaped(&at.name))
}

/// Over RTSP.
pub fn rtsp_url(view: &View<'_>, at: &At) -> String {
    view.rtsp.shown_name_url(&escaped(&path(view, at)))
}

/// The path that MediaMTX, or our own server over RTSP, has for it.
fn path(view: &View<'_>, at: &At) -> String {
    let plain = at.application.is_empty() || (!at.direct && at.application == view.rtmp.application());
    if plain { at.name.clone() } else { format!("{}/{}", at.application, at.name) }
}

/// One rendition over HLS. MediaMTX serves each by itself.
pub fn rendition_hls_url(view: &View<'_>, at: &At) -> Option<String> {
    let own = hls_url(view, &at.application, &at.name);
    own.or_else(|| {
        Some(view.mediamtx_web.as_ref()?.join(&format!("/{}/index.m3u8", escaped(&path(view, at)))))
    })
}

/// Over HLS: a rendition by its name, or all of them by the stream's key.
pub fn hls_url(view: &View<'_>, application: &str, name: &str) -> Option<String> {
    Some(in_web(view.web.as_ref()?, application, name))
}

/// The playlist of a name at the port `web`.
pub fn in_web(web: &WebPort, application: &str, name: &str) -> String {
    web.url.join(&format!("/{}/{}/index.m3u8", escaped(application), escaped(name)))
}

/// Over WebRTC, where our own server serves it: beside its playlist.
pub fn whep_url(view: &View<'_>, application: &str, name: &str) -> Option<String> {
    let playlist = hls_url(view, application, name)?;
    Some(format!("{}whep", playlist.strip_suffix("index.m3u8")?))
}

/// The page of a rendition by its name, or of a whole stream by its key.
pub fn page_url(view: &View<'_>, application: &str, name: &str) -> Option<String> {
    Some(page_in_web(view.web.as_ref()?, application, name))
}

/// The page of a name at the port `web`.
pub fn page_in_web(web: &WebPort, application: &str, name: &str) -> String {
    let folder = if application == web.usual { String::new() } else { format!("{}/", escaped(application)) };
    web.url.join(&format!("/watch/{folder}{}", escaped(name)))
}

/// A name as part of a URL: foreign names may hold anything.
pub fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_name_every_application_but_the_first() {
        let web = WebPort { url: "http://localhost:8000".parse().unwrap(), usual: "live".into() };
        for (application, name, page) in [
            ("live", "cam", "/watch/cam"),
            ("live", "watch", "/watch/watch"),
            ("other", "cam", "/watch/other/cam"),
            ("tv/one", "cam", "/watch/tv/one/cam"),
            ("watch", "cam", "/watch/watch/cam"),
        ] {
            assert_eq!(page_in_web(&web, application, name), format!("http://localhost:8000{page}"));
        }
    }
}
