//! The layers made into one value with types. A wrong value is refused with the layer it stands in.

use super::environment::Environment;
use super::keys::KEYS;
use super::layers::{Layer, Origin, variable};
use super::paths::Paths;
use super::serve::{Credentials, Login, Reached, Serve};
use crate::base::next::Advice;
use crate::base::{Failure, Outcome, clock, failure::io_words, secret::redact_urls};
pub use crate::model::Restart;
use crate::model::{
    AudioBitrate, BFrames, EncoderName, FrameRate, HttpUrl, KeyframeInterval, Ladder, LeaveOut, Passthrough,
    Quality, RtmpUrl, RtspUrl, SourceUrl, StreamKey, stream_key,
};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Whether to print colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// On a terminal that wants them.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How much is said about what goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Someone must act.
    Error,
    /// We recovered.
    Warn,
    /// Life cycle.
    Info,
    /// Decisions.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Every level with its word.
    const ALL: [(&'static str, LogLevel); 5] = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];

    /// Its word in settings.
    pub fn word(self) -> &'static str {
        LogLevel::ALL.iter().find(|(_, level)| *level == self).map_or("info", |(word, _)| word)
    }
}

/// How a player shall read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RTSP.
    Rtsp,
    /// RTMP.
    Rtmp,
    /// HLS.
    Hls,
}

/// Which servers `up` starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `msconv serve`.
    Embedded,
    /// nginx with the rtmp module (and MediaMTX) of the host.
    Native,
    /// nginx-rtmp and MediaMTX in containers.
    Docker,
}

impl Backend {
    /// Every backend with its word.
    const ALL: [(&'static str, Backend); 3] =
        [("embedded", Backend::Embedded), ("native", Backend::Native), ("docker", Backend::Docker)];

    /// Its word in settings.
    pub fn word(self) -> &'static str {
        Backend::ALL.iter().find(|(_, backend)| *backend == self).map_or("embedded", |(word, _)| word)
    }
}

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
    shown: Vec<Shown>,
    read: Vec<PathBuf>,
}

/// One line of `config show`.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The key.
    pub name: &'static str,
    /// Its value, secrets masked.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
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

pub(super) struct Resolver {
    layers: Vec<Layer>,
    pub(super) shown: Vec<Shown>,
}

impl Resolver {
    /// The strongest value of a key and where it stands; the default last.
    pub(super) fn raw(&self, name: &'static str) -> (String, Origin) {
        for layer in &self.layers {
            if let Some((value, origin)) = layer.get(name) {
                return (value.to_string(), origin.clone());
            }
        }
        let default = KEYS.iter().find(|k| k.name == name).map_or("", |k| k.default);
        (default.to_string(), Origin::Default)
    }

    /// The value of a key that somebody has set.
    pub(super) fn set(&self, name: &'static str) -> Option<String> {
        let (value, origin) = self.raw(name);
        (origin != Origin::Default).then_some(value)
    }

    /// Resolves one key with `parse`; a default of "" means absent.
    pub(super) fn take<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Outcome<Option<T>> {
        let (value, origin) = self.raw(name);
        self.shown.push(Shown { name, value: redact_urls(&value), origin: origin.clone() });
        if value.is_empty() && origin == Origin::Default {
            return Ok(None);
        }
        parse(&value).map(Some).map_err(|why| blame(name, &origin, &why))
    }

    pub(super) fn need<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Outcome<T> {
        self.take(name, parse)?.ok_or_else(|| Failure::usage(format!("{name} is empty")))
    }

    /// A URL that follows the host of the publish endpoint where it is not set itself.
    fn follow<T: std::str::FromStr + std::fmt::Display>(
        &mut self,
        name: &'static str,
        derived: T,
    ) -> Outcome<T>
    where
        T::Err: std::fmt::Display,
    {
        let taken = self.take(name, |t| t.parse::<T>().map_err(|e| format!("'{}': {e}", redact_urls(t))))?;
        Ok(match taken {
            Some(url) => url,
            None => {
                if let Some(shown) = self.shown.last_mut() {
                    shown.value = derived.to_string();
                    shown.origin = Origin::Follows("nginx_rtmp_url");
                }
                derived
            }
        })
    }

    fn settings(&mut self, environment: &Environment) -> Outcome<Settings> {
        let home = self.home(environment)?;
        let _ = self.take("config", |t| Ok(t.to_string()))?;
        let url = |t: &str| t.parse::<RtmpUrl>().map_err(|e| format!("'{}': {e}", redact_urls(t)));
        let nginx_rtmp_url = match (self.set("nginx_rtmp_url"), self.own_rtmp_url()) {
            (None, Some((value, origin))) => {
                self.shown.push(Shown { name: "nginx_rtmp_url", value: value.clone(), origin });
                url(&value).map_err(|why| blame("nginx_rtmp_url", &Origin::Default, &why))?
            }
            _ => self.need("nginx_rtmp_url", url)?,
        };
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
            color: self.need(
                "color",
                one_of(&[("auto", Color::Auto), ("always", Color::Always), ("never", Color::Never)]),
            )?,
            log_level: self.need("log_level", one_of(&LogLevel::ALL))?,
            stream_key: self.stream_key()?,
            variants: self.variants()?,
            quality: self.need(
                "quality",
                one_of(&[
                    ("auto", Quality::Auto),
                    ("fastest", Quality::Fastest),
                    ("fast", Quality::Fast),
                    ("balanced", Quality::Balanced),
                    ("best", Quality::Best),
                ]),
            )?,
            leave_out: self.need(
                "leave_out",
                one_of(&[("top", LeaveOut::Top), ("bottom", LeaveOut::Bottom), ("none", LeaveOut::None)]),
            )?,
            encoder: self.need("encoder", parsed)?,
            fps: self.take("fps", parsed)?,
            keyframe_interval: self.need("keyframe_interval", parsed)?,
            audio_bitrate: self.need("audio_bitrate", parsed)?,
            passthrough: self.need(
                "passthrough",
                one_of(&[
                    ("auto", Passthrough::Auto),
                    ("always", Passthrough::Always),
                    ("never", Passthrough::Never),
                ]),
            )?,
            b_frames: self.need("b_frames", b_frames)?,
            wait: self.need("wait", clock::parse_duration)?,
            restart: self.need(
                "restart",
                one_of(&[
                    ("on-failure", Restart::OnFailure),
                    ("always", Restart::Always),
                    ("no", Restart::No),
                ]),
            )?,
            stop_timeout: self.need("stop_timeout", clock::parse_duration)?,
            player: self.take("player", |t| Ok(t.to_string()))?,
            protocol: self.take(
                "protocol",
                one_of(&[("rtsp", Protocol::Rtsp), ("rtmp", Protocol::Rtmp), ("hls", Protocol::Hls)]),
            )?,
            ffmpeg: self.take("ffmpeg", path)?,
            ffprobe: self.take("ffprobe", path)?,
            nginx: self.take("nginx", path)?,
            mediamtx: self.take("mediamtx", path)?,
            shown: Vec::new(),
            read: Vec::new(),
        })
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

/// A stream key, or the usage failure that says which characters are allowed, why, and what would do.
///
/// # Errors
/// Usage.
pub fn parse_key(text: &str) -> Outcome<StreamKey> {
    text.parse::<StreamKey>().map_err(|e| {
        let failure = Failure::usage(format!("'{text}' is no stream key: {e}"))
            .why("the key is a file name, an RTMP name and part of a URL at once; servers cut or blank other characters");
        match stream_key::suggestion(text) {
            Some(near) => failure.hint(near.to_string()),
            None => failure.hint("stream1"),
        }
    })
}

pub(super) fn blame(name: &'static str, origin: &Origin, why: &str) -> Failure {
    let flag = format!("--{}", name.replace('_', "-"));
    let place = match origin {
        Origin::Flag => flag,
        Origin::Environment => variable(name),
        Origin::File(path, line) => format!("{}:{line}: {name}", path.display()),
        Origin::Follows(_) | Origin::Default => name.to_string(),
    };
    let failure = Failure::usage(format!("{place}: {why}"));
    let example = match name {
        "nginx_rtmp_url" => "rtmp://localhost:1935/live",
        "nginx_stat_url" => "http://localhost:8080/stat",
        "mediamtx_url" => "http://localhost:9997",
        "rtsp_url" => "rtsp://localhost:8554",
        _ => return failure,
    };
    failure.hint(Advice::set(name, example))
}

fn absolute(path: &Path, base: &Path) -> PathBuf {
    let joined = base.join(path);
    let mut clean = PathBuf::new();
    for part in joined.components() {
        match part {
            std::path::Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

fn truth(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(format!("'{text}' is neither true nor false")),
    }
}

fn b_frames(text: &str) -> Result<BFrames, String> {
    match (text.to_ascii_lowercase().as_str(), truth(text)) {
        ("auto", _) => Ok(BFrames::Auto),
        (_, Ok(true)) => Ok(BFrames::Allowed),
        (_, Ok(false)) => Ok(BFrames::Never),
        _ => Err(format!("'{text}' is not one of true, false, auto")),
    }
}

fn one_of<T: Copy>(choices: &[(&'static str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            format!("'{text}' is not one of {}", words.join(", "))
        })
    }
}

fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("'{text}' is no address with a port, as 127.0.0.1:9781 or [::1]:9781"))
}

/// A text that is parsed as its type says.
fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| e.to_string())
}

/// The stream key held by a file (`-` is standard input): its first line, without blanks at the ends.
///
/// # Errors
/// Usage if the file cannot be read or holds no key.
pub fn key_from_file(path: &Path, stdin: &mut dyn std::io::Read) -> Outcome<StreamKey> {
    let line = first_line(path, stdin, "the stream key")?;
    // The text of a key from a file is a secret; it is not quoted back.
    line.parse::<StreamKey>().map_err(|e| {
        Failure::usage(format!("the stream key in {} cannot be used", path.display())).why(match e {
            stream_key::Error::Empty => "it is empty".to_string(),
            _ => "a key is A-Z a-z 0-9 _ -, begins with a letter or digit and has at most 64 characters"
                .to_string(),
        })
    })
}

/// The address of a source held by a file (`-` is standard input): its first line, without blanks at the ends.
///
/// # Errors
/// Usage if the file cannot be read or holds no such address.
pub fn source_from_file(path: &Path, stdin: &mut dyn std::io::Read) -> Outcome<SourceUrl> {
    let line = first_line(path, stdin, "the source's address")?;
    // It may hold a password; it is not quoted back.
    line.parse().map_err(|_| {
        Failure::usage(format!("the address in {} cannot be used", path.display()))
            .hint("rtmp://host/live/name in its first line, or rtmps://, rtsp://, rtsps://, srt://")
    })
}

fn first_line(path: &Path, stdin: &mut dyn std::io::Read, what: &str) -> Outcome<String> {
    use std::io::Read;
    let mut text = String::new();
    let outcome = if path == Path::new("-") {
        stdin.take(4096).read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::File::open(path).and_then(|f| f.take(4096).read_to_string(&mut text)).map(|_| ())
    };
    outcome.map_err(|e| {
        Failure::usage(format!("cannot read {what} from {}", path.display())).why(io_words(&e))
    })?;
    Ok(text.lines().next().unwrap_or_default().trim().to_string())
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
    fn control_faces_follow_the_publish_host() {
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

    #[test]
    fn the_key_of_a_file_is_not_quoted_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "not a key\n").unwrap();
        let failure = key_from_file(&path, &mut std::io::empty()).unwrap_err();
        assert!(!failure.to_string().contains("not a key"), "{failure}");
        assert_eq!(key_from_file(Path::new("-"), &mut "abc\n".as_bytes()).unwrap().as_str(), "abc");
    }
}
