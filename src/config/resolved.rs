//! The layers made into one value with types.

use super::choices::{Backend, Color, LogLevel, Protocol};
use super::environment::Environment;
use super::keys::KEYS;
use super::layers::{Layer, Origin};
use super::paths::Paths;
use super::resolver::{Resolver, Shown};
use super::serve::{Credentials, Login, Serve};
use crate::base::next::Advice;
use crate::base::{Failure, Outcome};
pub use crate::model::Restart;
use crate::model::{
    AudioBitrate, BFrames, EncoderName, FrameRate, HttpUrl, KeyframeInterval, Ladder, LeaveOut, Passthrough,
    Quality, RtmpUrl, RtspUrl, StreamKey,
};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Every setting, resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Paths under the home folder.
    pub paths: Paths,
    /// Where renditions are published.
    pub nginx_rtmp_url: RtmpUrl,
    /// nginx-rtmp's `/stat`.
    pub nginx_stat_url: HttpUrl,
    /// MediaMTX's API.
    pub mediamtx_url: HttpUrl,
    /// Where streams are read over RTSP.
    pub rtsp_url: RtspUrl,
    /// Which servers `up` starts.
    pub backend: Backend,
    /// What the embedded server is told.
    pub serve: Serve,
    /// Where the exporter listens.
    pub exporter_listen: SocketAddr,
    /// Print JSON.
    pub json: bool,
    /// Print nothing but errors.
    pub quiet: bool,
    /// Never ask.
    pub no_input: bool,
    /// Colours.
    pub color: Color,
    /// Talkativeness.
    pub log_level: LogLevel,
    /// The stream key of the environment or a file.
    pub stream_key: Option<StreamKey>,
    /// The ladder, if one was asked for.
    pub variants: Option<Ladder>,
    /// Effort.
    pub quality: Quality,
    /// Which rungs go where no quality keeps up.
    pub leave_out: LeaveOut,
    /// `auto`, `x264` or an encoder by name.
    pub encoder: EncoderName,
    /// Wanted frame rate, 1 to 240.
    pub fps: Option<FrameRate>,
    /// Time between keyframes, 0.2 s to 20 s.
    pub keyframe_interval: KeyframeInterval,
    /// Bitrate of the audio.
    pub audio_bitrate: AudioBitrate,
    /// Which sources may be copied into a rung that they fit.
    pub passthrough: Passthrough,
    /// What may have B-frames.
    pub b_frames: BFrames,
    /// How long publish waits.
    pub wait: Duration,
    /// Restart policy.
    pub restart: Restart,
    /// Patience of stop.
    pub stop_timeout: Duration,
    /// The wanted player.
    pub player: Option<String>,
    /// The wanted protocol.
    pub protocol: Option<Protocol>,
    /// Path of ffmpeg.
    pub ffmpeg: Option<PathBuf>,
    /// Path of ffprobe.
    pub ffprobe: Option<PathBuf>,
    /// Path of nginx.
    pub nginx: Option<PathBuf>,
    /// Path of mediamtx.
    pub mediamtx: Option<PathBuf>,
    pub(super) shown: Vec<Shown>,
    pub(super) read: Vec<PathBuf>,
}

impl Settings {
    /// Resolves all layers. `flags` are the ones typed.
    ///
    /// # Errors
    /// Usage, naming the layer, for every value that does not fit its setting.
    pub fn load(flags: Layer, environment: &Environment) -> Outcome<Settings> {
        let mut layers = vec![flags, Layer::environment(environment)];
        let named = layers.iter().find_map(|l| l.get("config")).map(|(path, _)| environment.cwd.join(path));
        let mut read = Vec::new();
        match named {
            Some(path) => match Layer::file(&path)? {
                Some(layer) => {
                    layers.push(layer);
                    read.push(path);
                }
                None => {
                    return Err(Failure::usage(format!("there is no configuration file {}", path.display()))
                        .hint(Advice::WriteConfiguration.behind("writes one to start from")));
                }
            },
            None => {
                for path in Settings::usual_files(environment) {
                    if let Some(layer) = Layer::file(&path)? {
                        layers.push(layer);
                        read.push(path);
                    }
                }
            }
        }
        let mut resolver = Resolver { layers, shown: Vec::new() };
        let settings = resolver.settings(environment)?;
        let place = |s: &Shown| KEYS.iter().position(|k| k.name == s.name);
        resolver.shown.sort_by_key(place);
        Ok(Settings { shown: resolver.shown, read, ..settings })
    }

    /// These settings for publishing: where our own server asks for a password, with it.
    ///
    /// # Errors
    /// Usage: a password that cannot be read.
    pub fn for_publishing(&self) -> Outcome<Settings> {
        let mut settings = self.clone();
        if let Some(login) = self.own_login(&self.serve.publish)? {
            settings.nginx_rtmp_url = self.nginx_rtmp_url.with_login(&login.user, login.password.reveal());
        }
        Ok(settings)
    }

    /// These settings for reading: where our own server asks for a password, with it.
    ///
    /// # Errors
    /// Usage: a password that cannot be read.
    pub fn for_reading(&self) -> Outcome<Settings> {
        let mut settings = self.clone();
        if let Some(login) = self.own_login(&self.serve.read)? {
            let (user, password) = (&login.user, login.password.reveal());
            settings.nginx_rtmp_url = self.nginx_rtmp_url.with_login(user, password);
            if !self.rtsp_url.has_secrets() {
                settings.rtsp_url = self.rtsp_url.with_login(user, password);
            }
        }
        Ok(settings)
    }

    /// What our own server asks for, unless the URL already shows something or names another machine.
    fn own_login(&self, login: &Login) -> Outcome<Option<Credentials>> {
        let url = &self.nginx_rtmp_url;
        let ours = url.is_local() || url.host().parse() == Ok(self.serve.listen);
        if !ours || url.has_secrets() || !login.is_set() || login.by_stdin() {
            return Ok(None);
        }
        login.credentials(&mut std::io::empty())
    }

    /// Each setting with its origin, in the order of the keys.
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// Whether somebody set this setting by a flag, a variable or a file.
    pub fn is_set(&self, name: &str) -> bool {
        let origin = self.shown.iter().find(|s| s.name == name).map(|s| &s.origin);
        matches!(origin, Some(Origin::Flag | Origin::Environment | Origin::File(..)))
    }

    /// The configuration files that are looked for where `config` names none, strongest first.
    pub fn usual_files(environment: &Environment) -> Vec<PathBuf> {
        let candidates = [
            Some(environment.cwd.join("msconv.toml")),
            environment.user_config(),
            Some("/etc/msconv/config.toml".into()),
        ];
        candidates.into_iter().flatten().collect()
    }

    /// The configuration file that was named, so that no other was read.
    pub fn named_file(&self) -> Option<&str> {
        self.shown.iter().find(|s| s.name == "config" && !s.value.is_empty()).map(|s| s.value.as_str())
    }

    /// The configuration files that were read, strongest first.
    pub fn files(&self) -> &[PathBuf] {
        &self.read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(
        flags: &[(&'static str, &str)],
        vars: &[(&str, &str)],
        file: Option<&str>,
    ) -> (Outcome<Settings>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            std::fs::write(dir.path().join("msconv.toml"), text).unwrap();
        }
        let environment = Environment::made(vars, dir.path());
        let flags = Layer::flags(flags.iter().map(|(n, v)| (*n, Some(v.to_string()))));
        (Settings::load(flags, &environment), dir)
    }

    #[test]
    fn stronger_layers_win() {
        let file = Some("wait = \"1s\"\nquality = \"best\"\nfps = 25");
        let (settings, _dir) =
            load(&[("wait", "3s")], &[("MSCONV_WAIT", "2s"), ("MSCONV_QUALITY", "fast")], file);
        let settings = settings.unwrap();
        assert_eq!(settings.wait, Duration::from_secs(3));
        assert_eq!(settings.quality, Quality::Fast);
        assert_eq!(settings.fps.map(FrameRate::per_second), Some(25.0));
        let origin = |name| settings.shown().iter().find(|s| s.name == name).unwrap().origin.clone();
        assert_eq!(origin("wait"), Origin::Flag);
        assert_eq!(origin("quality"), Origin::Environment);
        assert!(matches!(origin("fps"), Origin::File(_, 3)));
        assert_eq!(origin("restart"), Origin::Default);
    }

    #[test]
    fn control_endpoints_follow_the_publish_host() {
        let (settings, _dir) = load(&[("nginx_rtmp_url", "rtmp://media.example:1936/live")], &[], None);
        let settings = settings.unwrap();
        assert_eq!(settings.nginx_stat_url.to_string(), "http://media.example:8080/stat");
        assert_eq!(settings.mediamtx_url.to_string(), "http://media.example:9997");
        assert_eq!(settings.rtsp_url.to_string(), "rtsp://media.example:8554");
    }

    #[test]
    fn every_key_is_shown_once() {
        let (settings, _dir) = load(&[], &[], None);
        let settings = settings.unwrap();
        for key in KEYS {
            assert_eq!(settings.shown().iter().filter(|s| s.name == key.name).count(), 1, "{}", key.name);
        }
    }

    #[test]
    fn wrong_values_name_their_layer() {
        for (flags, vars, file, words) in [
            (&[("wait", "soon")][..], &[][..], None, "--wait: 'soon' is not a duration"),
            (&[][..], &[("MSCONV_FPS", "0")][..], None, "MSCONV_FPS: 0 frames a second is outside"),
            (
                &[][..],
                &[][..],
                Some("\nquality = \"superb\""),
                "msconv.toml:2: quality: 'superb' is not one of",
            ),
            (&[("variants", "a:1M:15:16")][..], &[][..], None, "--variants: item 1, width: 15 is outside"),
            (
                &[("nginx_rtmp_url", "http://x")][..],
                &[][..],
                None,
                "--nginx-rtmp-url: 'http://x': it must begin with",
            ),
        ] {
            let (outcome, _dir) = load(flags, vars, file);
            let failure = outcome.unwrap_err();
            assert!(failure.what().contains(words), "{failure}");
            assert_eq!(failure.kind().exit_code(), 2);
        }
    }
}
