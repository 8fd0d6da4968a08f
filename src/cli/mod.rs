//! The command line as clap types, and nothing else: help, completions, the man page and parsing all come from here.
//! These types never travel below `command/`.

pub mod platform;
mod ports;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
pub use platform::TopArgs;
use std::ffi::OsString;
use std::path::PathBuf;

/// Everything that can be typed.
#[derive(Debug, Parser)]
#[command(
    name = "msconv",
    version,
    about = "Publish a file, a camera or a feed once; watch it live as RTSP in several qualities.",
    after_help = EXIT_CODES,
    after_long_help = EXIT_CODES,
    max_term_width = 100,
    arg_required_else_help = true,
    infer_subcommands = false
)]
pub struct Cli {
    /// Flags that stand after any subcommand.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    internal error, a bug or a failing machine
  2    bad flag, key, ladder, URL or configuration
  3    not running
  4    no such stream or variant
  5    a program is missing or unfit
  6    a server does not answer, or refuses
  7    the input cannot be used
  8    already running, or the name is taken
  130  interrupted or cancelled

Examples:
  msconv up
  msconv publish -s stream1 -f video.mp4
  msconv list -l
  msconv play -s stream1 -v 720p
  msconv stop -s stream1";

/// Flags of every command.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Print JSON with a versioned schema
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but errors (and keys, for list)
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Never ask anything
    #[arg(long, global = true)]
    pub no_input: bool,
    /// auto, always or never
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<String>,
    /// error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Folder that holds pids/ and logs/ [default: the current one]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub home: Option<String>,
    /// Read this configuration file and no other
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<String>,
    /// Where to publish [default: rtmp://localhost:1935/live]
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub nginx_rtmp_url: Option<String>,
    /// Status page of the server, as nginx-rtmp has it [default: port 8080 of the publish host]
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub nginx_stat_url: Option<String>,
    /// API of the server, as MediaMTX has it [default: port 9997 of the publish host]
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub mediamtx_url: Option<String>,
    /// Where streams are read over RTSP [default: port 8554 of the publish host]
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub rtsp_url: Option<String>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Publish a source live, in several variants or as it is
    Publish(Box<PublishArgs>),
    /// Show what is live; with -l pick one with the arrow keys
    #[command(alias = "ls")]
    List(ListArgs),
    /// Watch a stream in VLC, mpv or ffplay
    Play(PlayArgs),
    /// Stop streams
    Stop(StopArgs),
    /// Show how our own streams and servers are doing
    Status(StatusArgs),
    /// Show the log of a stream or a server
    Logs(LogsArgs),
    /// Start the built-in server (or nginx and MediaMTX) and wait until it answers
    Up(UpArgs),
    /// Stop what `up` started
    Down(DownArgs),
    /// Run the built-in server in the foreground (`up` starts it in the background)
    Serve(Box<ServeArgs>),
    /// Register streams, with keys that publish them
    Stream(platform::StreamArgs),
    /// Tokens that programs show to the API
    Token(platform::TokenArgs),
    /// Show what happened, and what happens
    Events(platform::EventsArgs),
    /// Show what the machine and each stream take, as it goes on
    Top(platform::TopArgs),
    /// Webhooks: addresses that events are sent to
    Hooks(platform::HooksArgs),
    /// Serve metrics of servers and streams for Prometheus
    Exporter(ExporterArgs),
    /// Print what makes a service manager run msconv
    Export(ExportArgs),
    /// Check that everything msconv needs is there and fit
    Doctor(DoctorArgs),
    /// List capture devices
    Devices,
    /// Show or write the configuration
    Config(ConfigArgs),
    /// Print shell completions
    Completions(CompletionsArgs),
    /// Print the manual page
    #[command(hide = true)]
    Man,
    /// The supervisor of one stream (started by publish, never by hand)
    #[command(name = "__supervise", hide = true)]
    Supervise,
    /// Stands between a source and the ffmpeg that encodes it (see `publish --dry-run`)
    #[command(name = "__feed", hide = true)]
    Feed(FeedArgs),
    /// Writes a file to stdout, over and over (see `publish --dry-run`)
    #[command(name = "__repeat", hide = true)]
    Repeat {
        /// The file
        file: PathBuf,
    },
}

/// `__feed`: the program behind `--` reads the source and writes NUT, video to its stdout.
#[derive(Args, Debug)]
pub struct FeedArgs {
    /// There is video
    #[arg(long)]
    pub video: bool,
    /// There is audio, and how it comes
    #[arg(long, value_enum)]
    pub audio: Option<FedAudio>,
    /// What the program adds to all times, in seconds
    #[arg(long, default_value_t = 0)]
    pub offset: u32,
    /// Give on at the speed of time
    #[arg(long)]
    pub paced: bool,
    /// Begin anew at the end
    #[arg(long)]
    pub repeat: bool,
    /// The program that reads, with its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub program: Vec<OsString>,
}

/// How audio comes to the feeder.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FedAudio {
    /// 16 bit samples at 48 kHz, one channel
    Mono,
    /// 16 bit samples at 48 kHz, two channels
    Stereo,
    /// In the source's own codec
    Copied,
}

/// `publish`.
#[derive(Args, Debug, Default)]
#[command(after_help = "\
Examples:
  msconv publish -s stream1 -f video.mp4
  msconv publish -s cam -d /dev/video0 --audio-device hw:1
  msconv publish -s relay -r rtmp://camera.local/live/front -o
  msconv publish -s stream1 -f video.mp4 --variants 720p:2500k:1280:720,360p:600k:640:360
  msconv publish -s stream1 -f video.mp4 --dry-run")]
pub struct PublishArgs {
    /// Name of the stream (A-Z a-z 0-9 _ -, at most 64)
    #[arg(short = 's', long, value_name = "KEY")]
    pub stream_key: Option<String>,
    /// Read the stream key from a file, - for standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "stream_key")]
    pub stream_key_file: Option<PathBuf>,
    /// A file, repeated without end
    #[arg(short = 'f', long, value_name = "PATH", allow_hyphen_values = true, value_hint = ValueHint::FilePath, group = "source")]
    pub input_file: Option<PathBuf>,
    /// A capture device: /dev/video0, or screen
    #[arg(short = 'd', long, value_name = "DEV", group = "source")]
    pub device: Option<String>,
    /// A live RTMP (or RTSP, SRT) stream to publish again
    #[arg(short = 'r', long, value_name = "URL", value_hint = ValueHint::Url, group = "source")]
    pub input_rtmp: Option<String>,
    /// Let -r take http(s) URLs and HLS playlists, which may lead to any other host
    #[arg(long)]
    pub allow_http: bool,
    /// Read the address for -r from a file, - for standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "source")]
    pub input_rtmp_file: Option<PathBuf>,
    /// A test picture with clock, name and tone
    #[arg(long, group = "source")]
    pub test: bool,
    /// Audio device that goes with -d: hw:1, default, pulse
    #[arg(long, value_name = "DEV", requires = "device")]
    pub audio_device: Option<String>,
    /// Publish the source as it is, without encoding
    #[arg(short = 'o', long, conflicts_with_all = ["variants", "quality", "fps", "encoder", "keyframe_interval", "passthrough", "no_passthrough", "b_frames", "no_b_frames", "leave_out"])]
    pub original: bool,
    /// The ladder, label:bitrate:width:height,... [default: 1080p 720p 480p 360p]
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub variants: Option<String>,
    /// Play a file once instead of repeating it
    #[arg(long)]
    pub once: bool,
    /// auto (the best that this machine carries), fastest, fast, balanced or best
    #[arg(long, value_name = "EFFORT")]
    pub quality: Option<String>,
    /// Which variants go where the machine cannot carry all: top, bottom or none [default: top]
    #[arg(long, value_name = "WHICH")]
    pub leave_out: Option<String>,
    /// Frame rate of the variants [default: the source's, at most 30]
    #[arg(long, value_name = "N")]
    pub fps: Option<String>,
    /// auto, x264, or an encoder of ffmpeg by name
    #[arg(long, value_name = "NAME")]
    pub encoder: Option<String>,
    /// Time between keyframes [default: 2s]
    #[arg(long, value_name = "TIME")]
    pub keyframe_interval: Option<String>,
    /// Bitrate of the audio [default: 128k]
    #[arg(long, value_name = "RATE")]
    pub audio_bitrate: Option<String>,
    /// Copy a rung that the source fits: auto (files), always (live sources too) or never
    #[arg(long, value_name = "WHEN")]
    pub passthrough: Option<String>,
    /// Encode every rung, also one that the source fits; the same as --passthrough never
    #[arg(long, conflicts_with = "passthrough")]
    pub no_passthrough: bool,
    /// Let x264 make B-frames: fewer bits, but no copying over RTSP with ffmpeg, and no WebRTC
    #[arg(long)]
    pub b_frames: bool,
    /// No B-frames in copied variants either: a source that has them is encoded
    #[arg(long, conflicts_with = "b_frames")]
    pub no_b_frames: bool,
    /// Stay, with a live display, until the stream ends
    #[arg(long)]
    pub foreground: bool,
    /// How long to wait for a source to come, and then for the first bytes; 0 returns at once [default: 15s]
    #[arg(long, value_name = "TIME")]
    pub wait: Option<String>,
    /// on-failure, always or no [default: on-failure]
    #[arg(long, value_name = "WHEN")]
    pub restart: Option<String>,
    /// Stop what runs under this key first
    #[arg(long)]
    pub replace: bool,
    /// Print the ffmpeg command and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Arguments for ffmpeg's output
    #[arg(last = true, value_name = "FFMPEG_OUTPUT_ARGS")]
    pub output_args: Vec<OsString>,
}

/// `list`.
#[derive(Args, Debug, Default)]
#[command(after_help = "\
Examples:
  msconv list
  msconv list -l
  msconv play -s \"$(msconv list -l)\"
  msconv list --json")]
pub struct ListArgs {
    /// Pick a stream with the arrow keys and print its key
    #[arg(short = 'l', long)]
    pub list: bool,
    /// What the picker prints
    #[arg(long, value_name = "WHAT", value_enum, requires = "list", default_value = "key")]
    pub print: Printed,
    /// One row for each variant
    #[arg(long)]
    pub variants: bool,
    /// Also our streams that are not on the air, and names that only wait for readers
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Repeat every two seconds until Ctrl-C
    #[arg(long, conflicts_with = "list")]
    pub watch: bool,
}

/// What the picker prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Printed {
    /// The stream key
    #[default]
    Key,
    /// The RTSP URL of its best variant
    Url,
    /// The stream as JSON
    Json,
}

/// `play`.
#[derive(Args, Debug, Default)]
#[command(after_help = "\
Examples:
  msconv play -s stream1
  msconv play -s stream1 -v 720p
  msconv play -l
  msconv play -s stream1 --browser
  msconv play -s stream1 -v 480p --print-url")]
pub struct PlayArgs {
    /// The stream to watch
    #[arg(short = 's', long, value_name = "KEY", conflicts_with = "list")]
    pub stream_key: Option<String>,
    /// Pick the stream with the arrow keys
    #[arg(short = 'l', long)]
    pub list: bool,
    /// Which variant; several in order of preference, `best` among them
    #[arg(short = 'v', long, value_name = "LABEL", conflicts_with = "original")]
    pub variant: Option<String>,
    /// The untouched original
    #[arg(short = 'o', long, short_alias = '0')]
    pub original: bool,
    /// vlc, mpv, ffplay or a path
    #[arg(long, value_name = "PLAYER")]
    pub player: Option<String>,
    /// rtsp, rtmp, hls or webrtc; webrtc opens a browser
    #[arg(long, value_name = "PROTOCOL")]
    pub protocol: Option<String>,
    /// Open the stream's page in a browser
    #[arg(long, conflicts_with_all = ["player", "protocol", "player_args"])]
    pub browser: bool,
    /// Print the URL instead of starting a player
    #[arg(long)]
    pub print_url: bool,
    /// How long to wait for the stream to be live [default: not at all]
    #[arg(long, value_name = "TIME")]
    pub wait: Option<String>,
    /// Arguments for the player
    #[arg(last = true, value_name = "PLAYER_ARGS")]
    pub player_args: Vec<OsString>,
}

/// `stop`.
#[derive(Args, Debug, Default)]
#[command(after_help = "\
The supervisor is asked first. It sends ffmpeg SIGTERM, after 3 s another (an ffmpeg that is blocked
needs two), after 2 s more SIGKILL. What still holds the stream's lock after --timeout is killed.

Examples:
  msconv stop -s stream1
  msconv stop -s stream1 stream2
  msconv stop --all")]
pub struct StopArgs {
    /// The streams to stop
    #[arg(short = 's', long, value_name = "KEY", num_args = 1.., conflicts_with_all = ["list", "all"])]
    pub stream_key: Vec<String>,
    /// Pick the stream with the arrow keys
    #[arg(short = 'l', long, conflicts_with = "all")]
    pub list: bool,
    /// Stop all our streams
    #[arg(long)]
    pub all: bool,
    /// How long it may take before everything left is killed [default: 10s]
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
}

/// `status`.
#[derive(Args, Debug, Default)]
#[command(after_help = "Examples:\n  msconv status\n  msconv status stream1 --watch")]
pub struct StatusArgs {
    /// One stream only
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// Repeat every two seconds until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// `logs`.
#[derive(Args, Debug, Default)]
#[command(
    after_help = "Examples:\n  msconv logs stream1 -f\n  msconv logs --service nginx -n 20\n  msconv logs stream1 --since 10m"
)]
pub struct LogsArgs {
    /// The stream; without it the newest log
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// Go on printing what is added, until Ctrl-C
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// How many lines from the end [default: 100; with --since all]
    #[arg(short = 'n', long, value_name = "N")]
    pub lines: Option<usize>,
    /// Only lines of this time back (10m) or since a time (2026-11-21T12:00:00Z)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Whose log: ffmpeg, nginx, mediamtx or serve
    #[arg(long, value_name = "SERVICE", value_enum)]
    pub service: Option<Service>,
}

/// Whose log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Service {
    /// ffmpeg of a stream
    Ffmpeg,
    /// nginx
    Nginx,
    /// MediaMTX
    Mediamtx,
    /// The embedded server
    Serve,
}

/// `up`.
#[derive(Args, Debug, Default)]
#[command(
    after_help = "Examples:\n  msconv up\n  msconv up --listen 0.0.0.0\n  msconv up --backend native --timeout 30s\n  msconv up --backend docker"
)]
pub struct UpArgs {
    /// embedded (the built-in server), native (nginx and MediaMTX) or docker (both in containers) [default: embedded]
    #[arg(long, value_name = "BACKEND")]
    pub backend: Option<String>,
    /// Where the built-in server or the containers listen [default: 127.0.0.1, this machine alone]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Without the web port: no pages, no HLS, no WebRTC
    #[arg(long)]
    pub no_web: bool,
    /// The ladder of what others publish, with the built-in server: off, auto, or rungs as in --variants [default: off]
    #[arg(long, value_name = "LADDER")]
    pub ladder: Option<String>,
    /// How long to wait until they answer; building and fetching images comes on top
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub timeout: String,
    /// With Prometheus, Grafana and what they ask (docker)
    #[arg(long)]
    pub monitoring: bool,
}

/// `down`.
#[derive(Args, Debug, Default)]
#[command(after_help = "Examples:\n  msconv down")]
pub struct DownArgs {
    /// Also remove what the servers stored
    #[arg(long)]
    pub volumes: bool,
}

/// `serve`.
#[derive(Args, Debug, Default)]
#[command(after_help = "\
Ports and applications follow the server addresses (--nginx-rtmp-url, --rtsp-url, ...) where they are
not given, and the other way round. Passwords are read from MSCONV_PUBLISH_PASSWORD, a configuration
file or the first line of a file. When everything listens, one line with all addresses is printed:
ready rtmp=127.0.0.1:1935 rtsp=... rtp=... stat=... api=... metrics=... web=...

Examples:
  msconv serve
  msconv serve --rtmp-port 0 --rtsp-port 0 --stat-port 0 --api-port 0 --json
  msconv serve --listen 0.0.0.0 --publish-password-file /run/secrets/publish")]
pub struct ServeArgs {
    /// Where to listen: an IP address [default: 127.0.0.1, this machine alone]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Where the control endpoints listen [default: as --listen]
    #[arg(long, value_name = "ADDRESS")]
    pub control_listen: Option<String>,
    /// Its ports.
    #[command(flatten)]
    pub ports: ports::PortArgs,
    /// Without the web port: no pages, no HLS, no WebRTC
    #[arg(long)]
    pub no_web: bool,
    /// The ladder of what others publish: off, auto, or rungs as in publish --variants [default: off]
    #[arg(long, value_name = "LADDER")]
    pub ladder: Option<String>,
    /// RTMP applications [default: live]
    #[arg(long, value_name = "NAME,...")]
    pub applications: Option<String>,
    /// Path of the status page [default: /stat]
    #[arg(long, value_name = "PATH")]
    pub stat_path: Option<String>,
    /// Address or name under which this machine is reached from outside, for WebRTC; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub public_address: Vec<String>,
    /// STUN or TURN server that pages are told, as turn:host:3478; may be repeated
    #[arg(long, value_name = "URI")]
    pub ice_server: Vec<String>,
    /// Networks that may do what this machine may
    #[arg(long, value_name = "NETWORK,...")]
    pub trusted: Option<String>,
    /// Readers from one address, as an office is one [default: 500]
    #[arg(long, value_name = "NUMBER")]
    pub readers_per_address: Option<String>,
    /// Publishers from one address [default: 32]
    #[arg(long, value_name = "NUMBER")]
    pub publishers_per_address: Option<String>,
    /// Threads that carry media [default: as many as processors]
    #[arg(long, value_name = "NUMBER")]
    pub media_workers: Option<String>,
    /// Keep streams, keys and events in this PostgreSQL, postgres://user@host/name; a password is better given as
    /// MSCONV_DATABASE [default: a file in the data folder]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Program, without arguments, that is run for each event, which it finds in MSCONV_EVENT and beside it
    #[arg(long, value_name = "PROGRAM", value_hint = ValueHint::ExecutablePath)]
    pub hooks_command: Option<String>,
    /// Let anybody register a stream and get a key for it
    #[arg(long)]
    pub open_registration: bool,
    /// Folder of what the server keeps, such as a long HLS window [default: data in the home]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data: Option<String>,
    /// Length of HLS segments; a keyframe is waited for [default: 2s]
    #[arg(long, value_name = "DURATION")]
    pub hls_segment: Option<String>,
    /// Length of the parts that low-latency HLS is made of [default: 100ms]
    #[arg(long, value_name = "DURATION")]
    pub hls_part: Option<String>,
    /// How far back viewers over HLS can go; over 60s it is stored on disk [default: 12s]
    #[arg(long, value_name = "DURATION")]
    pub hls_window: Option<String>,
    /// Certificate of the web port, in PEM; it then speaks https. Read again on SIGHUP
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub tls_cert: Option<String>,
    /// Private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub tls_key: Option<String>,
    /// Back end that is asked who may publish and read
    #[arg(long, value_name = "URL")]
    pub admission_url: Option<String>,
    /// How it is asked: streamly, nginx-rtmp, srs, mediamtx, ome, nms or msconv [default: msconv]
    #[arg(long, value_name = "FORM")]
    pub admission_form: Option<String>,
    /// File with the secret that signs what is asked
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub admission_secret_file: Option<String>,
    /// What the back end decides: publish, read or both [default: publish,read]
    #[arg(long, value_name = "WHAT,...")]
    pub admission_on: Option<String>,
    /// User who may publish [default: publish]
    #[arg(long, value_name = "NAME")]
    pub publish_user: Option<String>,
    /// File with the password of publishers, - for standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub publish_password_file: Option<String>,
    /// User who may read [default: read]
    #[arg(long, value_name = "NAME")]
    pub read_user: Option<String>,
    /// File with the password of readers
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub read_password_file: Option<String>,
    /// Write the log to this file, at most three of 10 MB, instead of stderr
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub log_file: Option<PathBuf>,
}

/// `exporter`.
#[derive(Args, Debug, Default)]
#[command(after_help = "\
At each scrape it asks the status page (--nginx-stat-url) and the API (--mediamtx-url), and reads
what the supervisors of the streams wrote down (--home). It changes nothing and needs to write
nowhere.

Examples:
  msconv exporter
  msconv exporter --listen 0.0.0.0:9781 --nginx-stat-url http://nginx-rtmp:8080/stat")]
pub struct ExporterArgs {
    /// Where to listen, address and port; port 0 takes a free one [default: 127.0.0.1:9781]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
}

/// `export`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  msconv export systemd --serve\n  msconv export systemd -s stream1 -f /srv/video.mp4"
)]
pub struct ExportArgs {
    /// In which form.
    #[command(subcommand)]
    pub form: ExportForm,
}

/// The forms of `export`.
#[derive(Debug, Subcommand)]
pub enum ExportForm {
    /// A unit of systemd for the server, the exporter or one stream
    Systemd(Box<SystemdArgs>),
}

/// `export systemd`.
#[derive(Args, Debug, Default)]
#[command(after_help = "\
A stream takes the flags of publish. The unit is printed; what has to be done beside it (a file for
a password) is said on stderr. No secret stands in a unit.

Examples:
  msconv export systemd --serve > /etc/systemd/system/msconv-serve.service
  msconv export systemd -s stream1 -f /srv/video.mp4
  msconv export systemd -s cam -d /dev/video0 --audio-device hw:1 --user media
  msconv export systemd --exporter")]
pub struct SystemdArgs {
    /// The built-in server
    #[arg(long, conflicts_with_all = ["exporter", "source", "stream_key", "stream_key_file"])]
    pub serve: bool,
    /// The exporter of metrics
    #[arg(long, conflicts_with_all = ["source", "stream_key", "stream_key_file"])]
    pub exporter: bool,
    /// The user it runs as [default: one that systemd makes up]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The stream.
    #[command(flatten)]
    pub publish: PublishArgs,
}

/// `doctor`.
#[derive(Args, Debug, Default)]
#[command(after_help = "Examples:\n  msconv doctor\n  msconv doctor --fix")]
pub struct DoctorArgs {
    /// Mend what can be mended safely (stale PID files, missing folders)
    #[arg(long)]
    pub fix: bool,
}

/// `config`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  msconv config show\n  msconv config init")]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: ConfigAction,
}

/// The subcommands of `config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum ConfigAction {
    /// Print each setting, its value and where it came from
    Show,
    /// Write ./msconv.toml with every setting as a comment
    Init,
    /// Print which files are read
    Path,
}

/// `completions`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  msconv completions bash > /etc/bash_completion.d/msconv")]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_tree_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn historic_spellings_parse() {
        for line in [
            "msconv play -l -0",
            "msconv play -s a -0",
            "msconv play -s a --variant=720p",
            "msconv list -l",
            "msconv list --list",
            "msconv ls",
            "msconv stop -s a -s b",
            "msconv stop -s a b",
            "msconv publish --stream-key a --input-file -x.mp4",
            "msconv publish -s a -r rtmp://h/live/x -o --nginx-rtmp-url rtmp://h/live",
            "msconv --json list",
            "msconv list --json",
        ] {
            Cli::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{line}: {e}"));
        }
    }
}
