//! Units of systemd: the server, the exporter, or one stream, hardened, with every text of the user's as data. Pure.
//!
//! Nothing secret stands in a unit, which everybody may read: passwords come from files that the unit names
//! (`EnvironmentFile=`, `LoadCredential=`) and that systemd reads as root.

use super::unit_text::{argument, assignment, plain, program};
use crate::base::next::Advice;
use crate::base::secret::redact_urls;
use crate::base::{Failure, Outcome};
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What a unit runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// `msconv serve`.
    Serve,
    /// `msconv exporter`.
    Exporter,
    /// `msconv publish --foreground`.
    Publish(Box<Stream>),
}

/// A stream that a unit publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its key, or the name of the unit where the key is in a file.
    pub name: String,
    /// The file that holds its key, if it is not to be seen.
    pub key_file: Option<PathBuf>,
    /// The source.
    pub source: Source,
    /// The other arguments of `publish`, as they were typed.
    pub more: Vec<OsString>,
    /// Whether it needs the graphics card.
    pub hardware: bool,
}

/// Where a stream comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, absolute.
    File(PathBuf),
    /// A capture device, and one for the audio.
    Device(String, Option<String>),
    /// The address of a live stream.
    Url(String),
    /// The file that holds that address.
    UrlFile(PathBuf),
    /// The test picture.
    Test,
}

/// A unit to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it runs.
    pub what: What,
    /// Our own program, absolute.
    pub program: PathBuf,
    /// The user it runs as; without one systemd makes up a user `msconv` for as long as it runs.
    pub user: Option<String>,
    /// The folder that holds `pids/` and `logs/`, absolute; without one systemd makes `/var/lib/msconv`.
    pub home: Option<PathBuf>,
    /// Settings that were typed as global flags: names of variables, and values.
    pub settings: Vec<(String, String)>,
}

/// A unit, and what is to be done beside putting it into its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its file name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Files to be written by hand first, each as a sentence.
    pub steps: Vec<String>,
}

/// Where secrets of units stand.
const FOLDER: &str = "/etc/msconv";

/// Writes a unit.
///
/// # Errors
/// Usage, for a secret in an argument that cannot be moved out of the unit, or a user's name that is none.
pub fn unit(request: &Request) -> Outcome<Unit> {
    if let Some(user) = &request.user
        && !user_name(user)
    {
        return Err(Failure::usage(format!("'{user}' is no user's name")).hint(Advice::set("user", "msconv")));
    }
    if request.home.is_some() && request.user.is_none() {
        return Err(Failure::usage("a home of your own needs a user of your own")
            .why("a user that systemd makes up owns nothing outside /var/lib/msconv")
            .hint(Advice::change("user", "NAME, or no --home")));
    }
    let name = match &request.what {
        What::Serve => "msconv-serve".to_string(),
        What::Exporter => "msconv-exporter".to_string(),
        What::Publish(stream) => format!("msconv-{}", stream.name),
    };
    let mut steps = Vec::new();
    let command = command(request, &name, &mut steps)?;
    let mut text = String::new();
    let _ = write!(
        text,
        "# {name}.service, made by msconv export systemd. Put it into /etc/systemd/system, then:\n\
         #   systemctl daemon-reload && systemctl enable --now {name}.service\n\
         # What it does: systemctl status {name}; its log: journalctl -u {name}\n\n"
    );
    section_unit(&mut text, &request.what);
    section_service(&mut text, request, &name, &command, &mut steps);
    text.push_str("\n[Install]\nWantedBy=multi-user.target\n");
    Ok(Unit { name: format!("{name}.service"), text, steps })
}

/// A user's name as useradd takes it (systemd.exec(5), `User=`).
fn user_name(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
    first
        && text.len() <= 31
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

/// What `ExecStart=` runs, and the credentials that it reads.
struct Command {
    line: String,
    credentials: Vec<(&'static str, PathBuf)>,
}

fn command(request: &Request, name: &str, steps: &mut Vec<String>) -> Outcome<Command> {
    let mut line = program(request.program.as_os_str());
    let mut credentials = Vec::new();
    let mut add = |word: &str| {
        line.push(' ');
        line.push_str(word);
    };
    match &request.what {
        What::Serve => add("serve"),
        What::Exporter => add("exporter"),
        What::Publish(stream) => {
            add("publish --foreground");
            match &stream.key_file {
                // `%d` is where systemd puts credentials.
                Some(file) => {
                    add("--stream-key-file %d/key");
                    credentials.push(("key", file.clone()));
                }
                None => add(&format!("-s {}", argument(stream.name.as_ref()))),
            }
            match &stream.source {
                Source::File(path) if path.starts_with("/tmp") || path.starts_with("/var/tmp") => {
                    return Err(Failure::usage(format!("{} would not be there", path.display()))
                        .why("a unit has a /tmp of its own, and /tmp is emptied")
                        .hint("put the file elsewhere"));
                }
                Source::File(path) => add(&format!("-f {}", argument(path.as_os_str()))),
                Source::Device(video, audio) => {
                    add(&format!("-d {}", argument(video.as_ref())));
                    if let Some(audio) = audio {
                        add(&format!("--audio-device {}", argument(audio.as_ref())));
                    }
                }
                Source::Url(url) if redact_urls(url) == *url => {
                    add(&format!("-r {}", argument(url.as_ref())))
                }
                Source::Url(_) => {
                    let file = Path::new(FOLDER).join(format!("{name}.source"));
                    steps.push(format!(
                        "the source's address may hold a password, so it is not in the unit: write it into {} \
                         (owner root, mode 600)",
                        file.display()
                    ));
                    add("--input-rtmp-file %d/source");
                    credentials.push(("source", file));
                }
                Source::UrlFile(file) => {
                    add("--input-rtmp-file %d/source");
                    credentials.push(("source", file.clone()));
                }
                Source::Test => add("--test"),
            }
            for word in &stream.more {
                let shown = word.to_string_lossy();
                if redact_urls(&shown) != shown {
                    return Err(Failure::usage("an argument holds an address with a password or a query")
                        .why("everybody may read a unit, and the arguments of a running program")
                        .hint("put such arguments into a configuration file"));
                }
                add(&argument(word));
            }
        }
    }
    Ok(Command { line, credentials })
}

fn section_unit(text: &mut String, what: &What) {
    let (description, after) = match what {
        What::Serve => ("msconv: RTMP and RTSP server".to_string(), ""),
        What::Exporter => ("msconv: metrics for Prometheus".to_string(), ""),
        What::Publish(stream) => {
            (format!("msconv: publishes {}", plain(&stream.name)), " msconv-serve.service")
        }
    };
    let _ = write!(
        text,
        "[Unit]\nDescription={description}\nWants=network-online.target\nAfter=network-online.target{after}\n\
         # It is tried again for as long as it takes.\nStartLimitIntervalSec=0\n"
    );
}

fn section_service(
    text: &mut String,
    request: &Request,
    name: &str,
    command: &Command,
    steps: &mut Vec<String>,
) {
    let _ = write!(
        text,
        "\n[Service]\n# It says itself when it is ready, and gives signs of life.\nType=notify\nNotifyAccess=main\n\
         WatchdogSec=60\nExecStart={}\n",
        command.line
    );
    for (id, file) in &command.credentials {
        let _ = writeln!(text, "LoadCredential={id}:{}", plain(&file.to_string_lossy()));
    }
    home(text, request.home.as_deref());
    let mut hidden = Vec::new();
    for (variable, value) in &request.settings {
        if redact_urls(value) == *value {
            let _ = writeln!(text, "Environment={}", assignment(variable, value));
        } else {
            hidden.push(variable.as_str());
        }
    }
    let _ = write!(
        text,
        "# Settings beside /etc/msconv/config.toml, as MSCONV_...=...; secrets too (owner root, mode 600).\n\
         EnvironmentFile=-{FOLDER}/msconv.env\n"
    );
    if !hidden.is_empty() {
        let file = format!("{FOLDER}/{name}.env");
        let _ = writeln!(text, "EnvironmentFile={file}");
        for variable in hidden {
            steps.push(format!(
                "the value of {variable} holds a password, so it is not in the unit: write {variable}=... into {file} \
                 (owner root, mode 600)"
            ));
        }
    }
    // The end and the next beginning.
    text.push_str(
        "# The supervisor ends ffmpeg itself; what it leaves is killed.\nKillMode=mixed\nTimeoutStartSec=120\n\
         TimeoutStopSec=20\nRestart=on-failure\nRestartSec=5\n\
         # A wrong setting, a missing program, a name that is taken: trying again mends none of them.\n\
         RestartPreventExitStatus=2 5 8\n",
    );
    user(text, request.user.as_deref());
    hardened(text, &request.what);
}

/// Home, cache and working folder.
fn home(text: &mut String, home: Option<&Path>) {
    text.push_str("CacheDirectory=msconv\nEnvironment=XDG_CACHE_HOME=%C\n");
    match home {
        Some(home) => {
            let shown = home.to_string_lossy();
            let _ = write!(
                text,
                "WorkingDirectory={}\nReadWritePaths={}\nEnvironment={}\n",
                plain(&shown),
                program(home.as_os_str()),
                assignment("MSCONV_HOME", &shown)
            );
        }
        None => text.push_str(
            "# pids/ and logs/ stand in /var/lib/msconv: msconv --home /var/lib/msconv status\n\
             StateDirectory=msconv\nStateDirectoryMode=0750\nWorkingDirectory=%S/msconv\n\
             Environment=MSCONV_HOME=%S/msconv\n",
        ),
    }
}

fn user(text: &mut String, user: Option<&str>) {
    text.push('\n');
    match user {
        Some(user) => {
            let _ = writeln!(text, "User={user}");
        }
        // The units of one name share the user, and so the records.
        None => text.push_str("User=msconv\nDynamicUser=yes\n"),
    }
    text.push_str("UMask=0077\n");
}

fn hardened(text: &mut String, what: &What) {
    text.push_str(
        "NoNewPrivileges=yes\nCapabilityBoundingSet=\nAmbientCapabilities=\nProtectSystem=strict\nPrivateTmp=yes\n\
         ProtectKernelTunables=yes\nProtectKernelModules=yes\nProtectKernelLogs=yes\nProtectControlGroups=yes\n\
         ProtectClock=yes\nProtectHostname=yes\nProtectProc=invisible\nRestrictNamespaces=yes\nRestrictRealtime=yes\n\
         RestrictSUIDSGID=yes\nLockPersonality=yes\nRemoveIPC=yes\n\
         RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK\nSystemCallArchitectures=native\n\
         SystemCallFilter=@system-service\nSystemCallErrorNumber=EPERM\n",
    );
    match what {
        // Empty homes, not closed ones: settings of the user's own that cannot be read would be an error.
        What::Serve | What::Exporter => {
            text.push_str(
                "ProtectHome=tmpfs\nPrivateDevices=yes\nMemoryDenyWriteExecute=yes\nLimitNOFILE=65536\n",
            );
        }
        What::Publish(stream) => {
            // A film may stand in somebody's home.
            text.push_str("ProtectHome=read-only\n");
            devices(text, stream);
        }
    }
}

/// Capture devices and graphics cards, where the stream needs them.
fn devices(text: &mut String, stream: &Stream) {
    match (&stream.source, stream.hardware) {
        (Source::Device(video, audio), hardware) => {
            text.push_str("DevicePolicy=closed\n");
            if video.starts_with("/dev/") && !video.contains(char::is_whitespace) {
                let _ = writeln!(text, "DeviceAllow={} rw", plain(video));
            }
            text.push_str("DeviceAllow=char-video4linux rw\n");
            if audio.is_some() {
                text.push_str("DeviceAllow=char-alsa rw\n");
            }
            text.push_str("SupplementaryGroups=video audio\n");
            if hardware {
                text.push_str(
                    "DeviceAllow=char-drm rw\nDeviceAllow=char-nvidia* rw\nSupplementaryGroups=render\n",
                );
            }
        }
        (_, true) => text.push_str(
            "DevicePolicy=closed\nDeviceAllow=char-drm rw\nDeviceAllow=char-nvidia* rw\n\
             SupplementaryGroups=video render\n",
        ),
        (_, false) => text.push_str("PrivateDevices=yes\n"),
    }
}
