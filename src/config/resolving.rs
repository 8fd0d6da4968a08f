//! Every setting in its turn.

use super::choices::{Backend, LogLevel};
use super::environment::Environment;
use super::from_file::parse_key;
use super::layers::Origin;
use super::paths::Paths;
use super::resolved::Settings;
use super::resolver::{Resolver, Shown, blame};
use super::serve::Reached;
use super::values::{
    COLORS, LEAVE_OUT, PASSTHROUGHS, PROTOCOLS, QUALITIES, RESTARTS, absolute, b_frames, one_of, parsed,
    socket_address, truth,
};
use crate::base::next::Advice;
use crate::base::{Outcome, clock, secret::redact_urls};
use crate::model::{Ladder, RtmpUrl, StreamKey};
use std::path::{Path, PathBuf};

impl Resolver {
    /// All of them.
    ///
    /// # Errors
    /// Usage, naming the layer.
    pub(super) fn settings(&mut self, environment: &Environment) -> Outcome<Settings> {
        let home = self.home(environment)?;
        let _ = self.take("config", |t| Ok(t.to_string()))?;
        let nginx_rtmp_url = self.publish_url()?;
        let stat_beside = nginx_rtmp_url.beside(self.own_port("stat_port", 8080), &self.own_stat_path());
        let nginx_stat_url = self.follow("nginx_stat_url", stat_beside)?;
        let api_beside = nginx_rtmp_url.beside(self.own_port("api_port", 9997), "");
        let mediamtx_url = self.follow("mediamtx_url", api_beside)?;
        let rtsp_beside = nginx_rtmp_url.rtsp_beside(self.own_port("rtsp_port", 8554));
        let rtsp_url = self.follow("rtsp_url", rtsp_beside)?;
        let reached =
            Reached { rtmp: &nginx_rtmp_url, stat: &nginx_stat_url, api: &mediamtx_url, rtsp: &rtsp_url };
        let serve = self.serve(&reached, &environment.cwd)?;
        let path = |t: &str| Ok(absolute(Path::new(t), &environment.cwd));
        Ok(Settings {
            paths: Paths::new(home),
            nginx_stat_url,
            mediamtx_url,
            rtsp_url,
            nginx_rtmp_url,
            serve,
            exporter_listen: self.need("exporter_listen", socket_address)?,
            backend: self.need("backend", one_of(&Backend::ALL))?,
            json: self.need("json", truth)?,
            quiet: self.need("quiet", truth)?,
            no_input: self.need("no_input", truth)?,
            color: self.need("color", one_of(&COLORS))?,
            log_level: self.need("log_level", one_of(&LogLevel::ALL))?,
            stream_key: self.stream_key()?,
            variants: self.variants()?,
            quality: self.need("quality", one_of(&QUALITIES))?,
            leave_out: self.need("leave_out", one_of(&LEAVE_OUT))?,
            encoder: self.need("encoder", parsed)?,
            fps: self.take("fps", parsed)?,
            keyframe_interval: self.need("keyframe_interval", parsed)?,
            audio_bitrate: self.need("audio_bitrate", parsed)?,
            passthrough: self.need("passthrough", one_of(&PASSTHROUGHS))?,
            b_frames: self.need("b_frames", b_frames)?,
            wait: self.need("wait", clock::parse_duration)?,
            restart: self.need("restart", one_of(&RESTARTS))?,
            stop_timeout: self.need("stop_timeout", clock::parse_duration)?,
            player: self.take("player", |t| Ok(t.to_string()))?,
            protocol: self.take("protocol", one_of(&PROTOCOLS))?,
            ffmpeg: self.take("ffmpeg", path)?,
            ffprobe: self.take("ffprobe", path)?,
            nginx: self.take("nginx", path)?,
            mediamtx: self.take("mediamtx", path)?,
            shown: Vec::new(),
            read: Vec::new(),
        })
    }

    /// Where renditions are published: as it was set, or where the port and the applications of our own server say.
    fn publish_url(&mut self) -> Outcome<RtmpUrl> {
        let url = |t: &str| t.parse::<RtmpUrl>().map_err(|e| format!("'{}': {e}", redact_urls(t)));
        match (self.set("nginx_rtmp_url"), self.own_rtmp_url()) {
            (None, Some((value, origin))) => {
                self.shown.push(Shown { name: "nginx_rtmp_url", value: value.clone(), origin });
                url(&value).map_err(|why| blame("nginx_rtmp_url", &Origin::Default, &why))
            }
            _ => self.need("nginx_rtmp_url", url),
        }
    }

    fn home(&mut self, environment: &Environment) -> Outcome<PathBuf> {
        let (value, origin) = self.raw("home");
        let base = match &origin {
            Origin::File(file, _) => file.parent().unwrap_or(&environment.cwd).to_path_buf(),
            _ => environment.cwd.clone(),
        };
        if value.contains('\0') {
            return Err(blame("home", &origin, "it holds a zero byte"));
        }
        let home = absolute(Path::new(&value), &base);
        if home.exists() && !home.is_dir() {
            let why = format!("{} is not a folder", home.display());
            return Err(blame("home", &origin, &why));
        }
        self.shown.push(Shown { name: "home", value: home.display().to_string(), origin });
        Ok(home)
    }

    fn stream_key(&mut self) -> Outcome<Option<StreamKey>> {
        let (value, origin) = self.raw("stream_key");
        let shown = if value.is_empty() { String::new() } else { crate::base::secret::MASK.to_string() };
        self.shown.push(Shown { name: "stream_key", value: shown, origin });
        if value.is_empty() { Ok(None) } else { parse_key(&value).map(Some) }
    }

    fn variants(&mut self) -> Outcome<Option<Ladder>> {
        let (value, origin) = self.raw("variants");
        self.shown.push(Shown { name: "variants", value: value.clone(), origin: origin.clone() });
        if value.is_empty() && origin == Origin::Default {
            return Ok(None);
        }
        value.parse::<Ladder>().map(Some).map_err(|e| {
            let failure = blame("variants", &origin, &e.what).figure(e.caret());
            match &e.suggestion {
                Some(near) => failure.hint(near.clone()),
                None => failure.hint(Advice::set("variants", "720p:2500k:1280:720,360p:600k:640:360")),
            }
        })
    }
}
