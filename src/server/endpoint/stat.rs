//! `/stat` in the form of nginx-rtmp: its elements in its order, with CRLF. Whoever reads that page reads this one.
//! (ngx_rtmp_stat_module.c and pages recorded from it; what they have in common is what is promised here.)

use super::kinds::row;
use crate::hub::Role;
use crate::media::track::{AudioCodec, VideoCodec};
use crate::server::view::{Client, Stream, Traffic, View};
use std::fmt::Write;

/// What the module calls itself since 1.1.4 and in every later version.
const MODULE_VERSION: &str = "1.1.4";
/// nginx-rtmp keeps 31 bytes of a player's name.
const LONGEST_AGENT: usize = 31;

/// The whole page.
pub fn page(view: &View) -> String {
    let mut page = Page::default();
    page.raw("<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<rtmp>\r\n");
    page.line("nginx_version", concat!("msconv-", env!("CARGO_PKG_VERSION")));
    page.line("nginx_rtmp_version", MODULE_VERSION);
    if !view.about.built.is_empty() {
        page.line("built", &view.about.built);
    }
    page.line("pid", view.about.pid);
    page.line("uptime", view.uptime.as_secs());
    page.line("naccepted", view.accepted);
    page.traffic(&view.traffic);
    page.raw("<server>\r\n");
    for application in &view.about.applications {
        page.raw("<application>\r\n");
        page.line("name", application);
        page.raw("<live>\r\n");
        let mut clients = 0usize;
        for stream in &view.streams {
            if stream.application == *application {
                clients = clients.saturating_add(page.stream(view, stream));
            }
        }
        page.line("nclients", clients);
        page.raw("</live>\r\n</application>\r\n");
    }
    page.raw("</server>\r\n</rtmp>\r\n");
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// An element on a line of its own.
    fn line(&mut self, name: &str, content: impl ToString) {
        self.element(name, content);
        self.raw("\r\n");
    }

    fn element(&mut self, name: &str, content: impl ToString) {
        let _ = write!(self.text, "<{name}>");
        escape(&content.to_string(), &mut self.text);
        let _ = write!(self.text, "</{name}>");
    }

    fn traffic(&mut self, traffic: &Traffic) {
        self.line("bw_in", traffic.bw_in);
        self.line("bytes_in", traffic.bytes_in);
        self.line("bw_out", traffic.bw_out);
        self.line("bytes_out", traffic.bytes_out);
    }

    /// One stream; how many clients it has.
    fn stream(&mut self, view: &View, stream: &Stream) -> usize {
        self.raw("<stream>\r\n");
        self.line("name", &stream.name);
        self.element("time", stream.age.as_millis());
        self.traffic(&stream.traffic);
        self.line("bw_audio", stream.bw_audio);
        self.line("bw_video", stream.bw_video);
        let members = view.members(stream);
        for client in &members {
            self.client(stream, client);
        }
        if stream.published() && !stream.tracks.is_empty() {
            self.meta(stream);
        }
        self.line("nclients", members.len());
        if stream.published() {
            self.raw("<publishing/>\r\n<active/>\r\n");
        }
        self.raw("</stream>\r\n");
        members.len()
    }

    fn client(&mut self, stream: &Stream, client: &Client) {
        self.raw("<client>");
        self.element("id", client.number);
        self.element("address", client.remote.ip().to_canonical());
        self.element("time", client.age.as_millis());
        let agent = agent(client);
        if !agent.is_empty() {
            self.element("flashver", agent);
        }
        self.element("dropped", client.counts.frames_dropped);
        self.element("avsync", stream.avsync_ms);
        self.element("timestamp", client.counts.timestamp_ms);
        if client.role == Role::Publish {
            self.raw("<publishing/>");
        }
        if stream.published() {
            self.raw("<active/>");
        }
        self.raw("</client>\r\n");
    }

    fn meta(&mut self, stream: &Stream) {
        self.raw("<meta><video>");
        let video = stream.tracks.video();
        self.element("width", video.map_or(0, |v| v.width));
        self.element("height", video.map_or(0, |v| v.height));
        // The page has always had whole numbers here.
        self.element("frame_rate", stream.frame_rate.filter(|_| video.is_some()).map_or(0, |fps| fps as u32));
        if let Some(video) = video {
            self.element("codec", video.codec.name());
            if matches!(video.codec, VideoCodec::H264 | VideoCodec::H265) {
                self.element("profile", profile(video.profile));
            }
            if video.codec == VideoCodec::H264 {
                self.element("compat", video.config.get(2).copied().unwrap_or(0));
            }
            if !video.level.is_empty() {
                self.element("level", if video.level == "1b" { "1.1" } else { &video.level });
            }
        }
        self.raw("</video><audio>");
        if let Some(audio) = stream.tracks.audio() {
            self.element("codec", audio.codec.name());
            if audio.codec == AudioCodec::Aac {
                self.element("profile", audio.profile);
            }
            self.element("channels", audio.channels);
            self.element("sample_rate", audio.sample_rate);
        }
        self.raw("</audio></meta>\r\n");
    }
}

/// The page knows no "Constrained": it shows that by `compat`.
fn profile(name: &str) -> &str {
    name.strip_prefix("Constrained ").unwrap_or(name)
}

/// A player's name; that of an RTSP client says so.
fn agent(client: &Client) -> String {
    let before = row(client.kind).map_or("", |row| row.agent);
    let agent = format!("{before}{}", client.agent);
    let mut end = agent.len().min(LONGEST_AGENT);
    while !agent.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    agent.get(..end).unwrap_or_default().to_string()
}

/// As nginx writes text: what is not printable ASCII is a blank, four characters are entities.
fn escape(text: &str, into: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            ' '..='~' => into.push(letter),
            other => (0..other.len_utf8()).for_each(|_| into.push(' ')),
        }
    }
}

#[cfg(test)]
#[path = "stat_tests.rs"]
mod tests;
