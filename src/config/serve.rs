//! What the embedded server is told: where it listens, whom it trusts, which passwords it asks for.
//!
//! Its ports and the addresses by which clients reach it (`nginx_rtmp_url` and its kin) follow each other: whichever is
//! set decides, so that one setting moves the server and everybody who talks to it.

use super::admission::Admission;
use super::hls::Hls;
use super::layers::Origin;
use super::resolver::{Resolver, Shown, blame};
use super::secret_file::first_line;
use super::values::truth;
use crate::base::next::Advice;
use crate::base::secret::{MASK, Secret, redact_urls};
use crate::base::{Failure, Outcome};
use crate::model::network::is_loopback;
pub use crate::model::service::Ports;
use crate::model::service::{PerService, Service, Transport};
use crate::model::{HttpUrl, LadderPolicy, Network, RtmpUrl, RtspUrl};
use std::io::Read;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Most applications and trusted networks.
const MOST: usize = 64;
/// Most readers or publishers of one address: as many as the server has connections.
const MOST_PER_ADDRESS: usize = 4096;
/// The most threads that carry media.
const MOST_WORKERS: usize = 256;

/// Everything about the embedded server.
#[derive(Clone, Debug)]
pub struct Serve {
    /// Where RTMP, RTSP, RTP and the web port listen.
    pub listen: IpAddr,
    /// Where the control endpoints listen.
    pub control_listen: IpAddr,
    /// On which ports.
    pub ports: Ports,
    /// Whether there is a web port. Without one nothing is divided for HLS.
    pub web: bool,
    /// What ladder is made of what others publish.
    pub ladder: LadderPolicy,
    /// RTMP applications, one at least.
    pub applications: Vec<String>,
    /// Path of the status page.
    pub stat_path: String,
    /// Networks that may do what this machine may.
    pub trusted: Vec<Network>,
    /// Readers from one address, 1 at least.
    pub readers_per_address: usize,
    /// Publishers from one address, 1 at least.
    pub publishers_per_address: usize,
    /// Threads that carry media; as many as processors if none.
    pub media_workers: Option<NonZeroUsize>,
    /// The folder of what the server keeps, if not `data` in the home.
    pub data: Option<PathBuf>,
    /// The address of a PostgreSQL, if streams, keys and events are not kept in the data folder. It may hold a password.
    pub database: Option<Secret>,
    /// A program that is run for each event.
    pub hooks_command: Option<PathBuf>,
    /// Whether anybody may register a stream.
    pub open_registration: bool,
    /// Addresses or names under which this machine is reached from outside, for WebRTC.
    pub public_address: Vec<String>,
    /// Servers of STUN and TURN that pages are told.
    pub ice_server: Vec<String>,
    /// How HLS divides what it serves.
    pub hls: Hls,
    /// The file of the web port's certificate, if it speaks https.
    pub tls_cert: Option<PathBuf>,
    /// The file of its key.
    pub tls_key: Option<PathBuf>,
    /// Who is asked who may publish and read, if somebody is.
    pub admission: Option<Admission>,
    /// Who may publish, if not everybody who reaches it.
    pub publish: Login,
    /// Who may read, if not everybody who reaches it.
    pub read: Login,
}

/// A user and a password that may stand in a file.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub user: String,
    password: Option<Secret>,
    file: Option<PathBuf>,
    key: &'static str,
}

/// A user and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

impl Login {
    /// Whether a password is set, in itself or by a file.
    pub fn is_set(&self) -> bool {
        self.password.is_some() || self.file.is_some()
    }

    /// Whether the password comes through standard input, which only the server itself reads.
    pub fn by_stdin(&self) -> bool {
        self.file.as_ref().and_then(|path| path.file_name()).is_some_and(|name| name == "-")
    }

    /// The credentials, read from the file where they stand in one; `None` if there are none. `stdin` is read where the
    /// file is `-`.
    ///
    /// # Errors
    /// Usage: two passwords, a file that cannot be read, an empty or unusable one. The password is not quoted.
    pub fn credentials(&self, stdin: &mut dyn Read) -> Outcome<Option<Credentials>> {
        let key = self.key;
        let password = match (&self.password, &self.file) {
            (None, None) => return Ok(None),
            (Some(_), Some(file)) => {
                return Err(Failure::usage(format!("{key} and {key}_file are both set"))
                    .why(format!("{key}_file is {}", file.display()))
                    .hint("unset one of them"));
            }
            (Some(password), None) => password.clone(),
            (None, Some(file)) => first_line(key, file, stdin)?,
        };
        let wrong = |why: &str| Err(Failure::usage(format!("the {key} cannot be used")).why(why));
        let text = password.reveal();
        if text.is_empty() {
            return wrong("it is empty");
        }
        if text.len() > 256 || text.chars().any(char::is_control) {
            return wrong("it has at most 256 bytes and no control characters");
        }
        Ok(Some(Credentials { user: self.user.clone(), password }))
    }
}

impl Serve {
    /// The files of the web port's certificate and of its key, if it speaks https.
    ///
    /// # Errors
    /// Usage: one without the other.
    pub fn tls(&self) -> Outcome<Option<(&Path, &Path)>> {
        let alone = |set: &str, missing: &'static str, example: &str| {
            Err(Failure::usage(format!("{set} is set, and {missing} is not"))
                .why("a certificate is of no use without its private key, nor the other way round")
                .hint(Advice::set(missing, example.to_string())))
        };
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            (Some(_), None) => alone("tls_cert", "tls_key", "key.pem"),
            (None, Some(_)) => alone("tls_key", "tls_cert", "cert.pem"),
        }
    }

    /// Fails if two listeners would want one port.
    ///
    /// # Errors
    /// Usage, naming both settings.
    pub fn distinct(&self) -> Outcome<()> {
        let connected = |(service, _): &(Service, u16)| {
            service.row().transport == Transport::Tcp && (self.web || !service.is_of_the_web())
        };
        let named: Vec<(&str, u16)> =
            self.ports.each().filter(connected).map(|(service, port)| (service.row().key, port)).collect();
        for (at, (name, port)) in named.iter().enumerate().filter(|(_, (_, port))| *port != 0) {
            if let Some((other, _)) = named.iter().skip(at.saturating_add(1)).find(|(_, p)| p == port) {
                return Err(Failure::usage(format!("{name} and {other} both name port {port}"))
                    .hint(Advice::change(other, "with another port")));
            }
        }
        Ok(())
    }
}

/// The addresses by which clients reach the servers, as far as they are known while [`Serve`] is made.
pub(super) struct Reached<'a> {
    pub rtmp: &'a RtmpUrl,
    pub stat: &'a HttpUrl,
    pub api: &'a HttpUrl,
    pub rtsp: &'a RtspUrl,
}

impl Resolver {
    /// Where renditions are published if nobody says: where our own server would listen.
    pub(super) fn own_rtmp_url(&self) -> Option<(String, Origin)> {
        let listen = self.set("listen").and_then(|text| text.parse::<IpAddr>().ok());
        let host = listen.filter(|ip| !ip.is_unspecified() && !is_loopback(*ip));
        let v6 = listen.filter(|ip| is_loopback(*ip) && ip.is_ipv6());
        let port = self.set("rtmp_port").and_then(|text| text.parse::<u16>().ok()).filter(|port| *port != 0);
        let application = self
            .set("applications")
            .and_then(|text| applications(&text).ok())
            .filter(|names| !names.iter().any(|n| n == "live"))
            .and_then(|names| names.into_iter().next());
        let from = match (&host, &v6, &port, &application) {
            (None, None, None, None) => return None,
            (None, None, Some(_), _) => "rtmp_port",
            (None, None, None, Some(_)) => "applications",
            _ => "listen",
        };
        let host = match host.or(v6) {
            Some(IpAddr::V6(ip)) => format!("[{ip}]"),
            Some(ip) => ip.to_string(),
            None => "localhost".to_string(),
        };
        let (port, application) = (port.unwrap_or(1935), application.unwrap_or_else(|| "live".into()));
        Some((format!("rtmp://{host}:{port}/{application}"), Origin::Follows(from)))
    }

    /// The port of a control endpoint if nobody says by which URL it is reached.
    pub(super) fn own_port(&self, name: &'static str, usual: u16) -> u16 {
        self.set(name).and_then(|text| text.parse().ok()).filter(|port| *port != 0).unwrap_or(usual)
    }

    /// The path of the status page if nobody says by which URL it is reached.
    pub(super) fn own_stat_path(&self) -> String {
        self.set("stat_path").filter(|text| plain_path(text).is_ok()).unwrap_or_else(|| "/stat".into())
    }

    /// Everything about the embedded server.
    pub(super) fn serve(&mut self, reached: &Reached<'_>, cwd: &Path) -> Outcome<Serve> {
        let local = reached.rtmp.is_local();
        let host = reached.rtmp.host().parse::<IpAddr>().ok().filter(|_| local);
        let listen = match self.set("listen") {
            None => self.follows("listen", host, "127.0.0.1", address)?,
            Some(_) => self.need("listen", address)?,
        };
        let control_listen = match self.take("control_listen", address)? {
            Some(address) => address,
            None => self.shown_as("control_listen", listen.to_string(), "listen", listen),
        };
        let ports = self.ports(reached)?;
        let named = applications(reached.rtmp.application()).ok().filter(|_| local);
        let applications = match self.set("applications") {
            None => {
                let names = named.unwrap_or_else(|| vec!["live".into()]);
                self.shown_as("applications", names.join(","), "nginx_rtmp_url", names)
            }
            Some(_) => self.need("applications", applications)?,
        };
        let stat_path = match self.set("stat_path") {
            None => {
                let path =
                    Some(reached.stat.path()).filter(|p| reached.stat.is_local() && plain_path(p).is_ok());
                let path = path.unwrap_or("/stat").to_string();
                self.shown_as("stat_path", path.clone(), "nginx_stat_url", path)
            }
            Some(_) => self.need("stat_path", plain_path)?,
        };
        let trusted = self.take("trusted", networks)?.unwrap_or_default();
        Ok(Serve {
            listen,
            control_listen,
            ports,
            web: self.need("web", truth)?,
            ladder: self.ladder()?,
            applications,
            stat_path,
            trusted,
            readers_per_address: self.need("readers_per_address", number)?,
            publishers_per_address: self.need("publishers_per_address", number)?,
            media_workers: self.take("media_workers", workers)?,
            data: self.take("data", |text| Ok(cwd.join(text)))?,
            database: self.database()?,
            hooks_command: self.take("hooks_command", |text| Ok(cwd.join(text)))?,
            open_registration: self.need("open_registration", truth)?,
            public_address: self.take("public_address", hosts)?.unwrap_or_default(),
            ice_server: self.take("ice_server", ice_servers)?.unwrap_or_default(),
            hls: self.hls()?,
            tls_cert: self.take("tls_cert", |text| Ok(cwd.join(text)))?,
            tls_key: self.take("tls_key", |text| Ok(cwd.join(text)))?,
            admission: self.admission(cwd)?,
            publish: self.login(["publish_user", "publish_password", "publish_password_file"], cwd)?,
            read: self.login(["read_user", "read_password", "read_password_file"], cwd)?,
        })
    }

    /// Shown without its password.
    fn database(&mut self) -> Outcome<Option<Secret>> {
        let (url, origin) = self.raw("database");
        let known = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        if !url.is_empty() && !known {
            return Err(blame(
                "database",
                &origin,
                "it is the address of a PostgreSQL: postgres://user@host/name",
            ));
        }
        self.shown.push(Shown { name: "database", value: redact_urls(&url), origin });
        Ok((!url.is_empty()).then(|| Secret::new(url)))
    }

    fn ladder(&mut self) -> Outcome<LadderPolicy> {
        let (value, origin) = self.raw("ladder");
        self.shown.push(Shown { name: "ladder", value: value.clone(), origin: origin.clone() });
        value.parse::<LadderPolicy>().map_err(|error| {
            blame("ladder", &origin, &format!("{}; or it is off or auto", error.what)).figure(error.caret())
        })
    }

    fn login(&mut self, [user, password, file]: [&'static str; 3], cwd: &Path) -> Outcome<Login> {
        let name = self.need(user, user_name)?;
        let (secret, origin) = self.raw(password);
        let value = if secret.is_empty() { String::new() } else { MASK.to_string() };
        self.shown.push(Shown { name: password, value, origin });
        Ok(Login {
            user: name,
            password: (!secret.is_empty()).then(|| Secret::new(secret)),
            file: self.take(file, |text| Ok(cwd.join(text)))?,
            key: password,
        })
    }

    /// The ports, each of which follows the address by which clients reach it, or the port that it goes with.
    fn ports(&mut self, reached: &Reached<'_>) -> Outcome<Ports> {
        let near = |is_local: bool, port: u16| is_local.then_some(port);
        let rtsp = near(reached.rtsp.is_local(), reached.rtsp.port());
        let api = near(reached.api.is_local(), reached.api.port());
        // What goes with a port that is not the usual one takes a free one.
        let mut beside = [(Service::Rtsp, false), (Service::Api, false)];
        PerService::try_of(|service| {
            let goes_with =
                |wanted| beside.iter().any(|(with, moved)| *with == wanted && *moved).then_some(0);
            let (followed, follow) = match service {
                Service::Rtmp => ("nginx_rtmp_url", near(reached.rtmp.is_local(), reached.rtmp.port())),
                Service::Rtsp => ("rtsp_url", rtsp),
                Service::Rtp => ("rtsp_port", goes_with(Service::Rtsp)),
                Service::Stat => ("nginx_stat_url", near(reached.stat.is_local(), reached.stat.port())),
                Service::Api => ("mediamtx_url", api),
                Service::Metrics => ("api_port", goes_with(Service::Api)),
                Service::Web | Service::Webrtc => ("rtsp_port", goes_with(Service::Rtsp)),
            };
            let row = service.row();
            let port = self.port(row.key, followed, follow)?;
            for (with, moved) in &mut beside {
                *moved |= *with == service && port != row.port;
            }
            if row.transport == Transport::UdpPair && port % 2 != 0 {
                let why = format!("{port} is odd; RTCP takes the port behind an even one");
                return Err(blame(row.key, &self.raw(row.key).1, &why));
            }
            Ok(port)
        })
    }

    /// A port that follows another setting where it is not set itself.
    fn port(&mut self, name: &'static str, followed: &'static str, follow: Option<u16>) -> Outcome<u16> {
        match (self.set(name), follow) {
            (None, Some(port)) => {
                let usual = self.raw(name).0;
                if usual == port.to_string() {
                    return self.need(name, port_number);
                }
                Ok(self.shown_as(name, port.to_string(), followed, port))
            }
            _ => self.need(name, port_number),
        }
    }

    fn follows(
        &mut self,
        name: &'static str,
        value: Option<IpAddr>,
        usual: &str,
        parse: fn(&str) -> Result<IpAddr, String>,
    ) -> Outcome<IpAddr> {
        match value {
            Some(value) if value.to_string() != usual => {
                Ok(self.shown_as(name, value.to_string(), "nginx_rtmp_url", value))
            }
            _ => self.need(name, parse),
        }
    }

    /// Notes a value that another setting gave, or the default if it is the same.
    fn shown_as<T>(&mut self, name: &'static str, value: String, followed: &'static str, given: T) -> T {
        self.shown.retain(|s| s.name != name);
        let origin = if self.raw(name).0 == value { Origin::Default } else { Origin::Follows(followed) };
        self.shown.push(Shown { name, value, origin });
        given
    }
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "'{text}' is no IP address; 127.0.0.1 is this machine alone, 0.0.0.0 every network, :: also IPv6"
        )
    })
}

fn port_number(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(port) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => Err(format!("'{text}' is no port; it is 0 (takes a free one) to 65535")),
    }
}

fn number(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number) if (1..=MOST_PER_ADDRESS).contains(&number) => Ok(number),
        _ => Err(format!("'{text}' is no number from 1 to {MOST_PER_ADDRESS}")),
    }
}

fn workers(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(number) if number.get() <= MOST_WORKERS => Ok(number),
        _ => Err(format!("'{text}' is no number from 1 to {MOST_WORKERS}")),
    }
}

fn applications(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_string()).collect();
    let fits = |name: &String| {
        !name.is_empty()
            && name.len() <= 128
            && !name.starts_with('/')
            && !name.ends_with('/')
            && !name.contains("//")
            && name.split('/').all(|part| part != "." && part != "..")
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
    };
    match names.iter().find(|name| !fits(name)) {
        Some(name) => {
            Err(format!("'{name}' is no application; it has letters, digits, '_', '-', '.' and '/'"))
        }
        None if names.len() > MOST => Err(format!("these are more than {MOST} applications")),
        None => Ok(names),
    }
}

fn plain_path(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    if text.starts_with('/') && text.len() <= 128 && text.chars().all(fits) && !text.contains("//") {
        Ok(text.to_string())
    } else {
        Err(format!("'{text}' is no path; it begins with '/' and has letters, digits, '_', '-', '.' and '/'"))
    }
}

/// Addresses or names, separated by commas.
fn hosts(text: &str) -> Result<Vec<String>, String> {
    let list: Vec<String> =
        text.split(',').map(|one| one.trim().trim_matches(['[', ']']).to_string()).collect();
    let is_name = |name: &str| {
        (1..=253).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
    };
    match list.iter().find(|one| one.parse::<IpAddr>().is_err() && !is_name(one)) {
        Some(wrong) => Err(format!("'{wrong}' is neither an address nor a name")),
        None if list.len() > 8 => Err("these are more than 8 addresses".into()),
        None => Ok(list),
    }
}

/// Addresses of STUN and TURN (RFC 7064, RFC 7065), separated by commas.
fn ice_servers(text: &str) -> Result<Vec<String>, String> {
    let list: Vec<String> = text.split(',').map(|one| one.trim().to_string()).collect();
    let known = |one: &String| {
        let scheme = one.split_once(':').map(|(scheme, _)| scheme);
        let plain = one.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"'));
        matches!(scheme, Some("stun" | "stuns" | "turn" | "turns")) && plain && one.len() <= 300
    };
    match list.iter().find(|one| !known(one)) {
        Some(wrong) => Err(format!("'{wrong}' is no address as stun:host:3478 or turn:host:3478")),
        None if list.len() > 8 => Err("these are more than 8 servers".into()),
        None => Ok(list),
    }
}

fn networks(text: &str) -> Result<Vec<Network>, String> {
    let networks: Result<Vec<Network>, String> = text
        .split(',')
        .map(str::trim)
        .map(|one| one.parse::<Network>().map_err(|e| format!("'{one}' is no network: {e}")))
        .collect();
    networks.and_then(|list| {
        if list.len() > MOST { Err(format!("these are more than {MOST} networks")) } else { Ok(list) }
    })
}

fn user_name(text: &str) -> Result<String, String> {
    let fits = |c: char| !c.is_control() && !c.is_whitespace() && c != ':';
    if !text.is_empty() && text.len() <= 64 && text.chars().all(fits) {
        Ok(text.to_string())
    } else {
        Err("a user's name has 1 to 64 bytes, no blanks and no ':'".into())
    }
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
