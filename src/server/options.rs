//! What the server is told, resolved from the settings.

use super::web::tls;
use crate::auth::{Access, Credentials};
use crate::base::secret::{Redactor, Secret};
use crate::base::{Failure, Outcome};
use crate::config::Settings;
use crate::config::admission;
use crate::config::hls::Hls;
use crate::config::serve::{self, Login, Ports, Serve};
use crate::model::network::is_loopback;
use crate::model::{LadderPolicy, Network};
use crate::platform::admission::{Rules, Target};
use crate::platform::load;
use crate::platform::programs::Program;
use crate::store::Place;
use std::io::Read;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Everything that the server is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where RTMP, RTSP, RTP and the web port listen.
    pub listen: IpAddr,
    /// Where the control endpoints listen.
    pub control_listen: IpAddr,
    /// On which ports.
    pub ports: Ports,
    /// Whether there is a web port.
    pub web: bool,
    /// What ladder is made of what others publish.
    pub ladder: LadderPolicy,
    /// What makes those; without it there are none.
    pub program: Option<Program>,
    /// RTMP applications, one at least.
    pub applications: Vec<String>,
    /// Path of the status page.
    pub stat_path: String,
    /// Networks that may do what this machine may.
    pub trusted: Vec<Network>,
    /// Readers and publishers from one address.
    pub per_address: (usize, usize),
    /// Threads that carry media.
    pub media_workers: NonZeroUsize,
    /// Addresses or names under which this machine is reached from outside.
    pub public_address: Vec<String>,
    /// Servers of STUN and TURN that pages are told.
    pub ice_server: Vec<String>,
    /// Where streams, keys and events are kept.
    pub database: Place,
    /// A program that is run for each event.
    pub hooks_command: Option<PathBuf>,
    /// Whether anybody may register a stream.
    pub open_registration: bool,
    /// How HLS divides what it serves.
    pub hls: Hls,
    /// Where segments of a long window are stored.
    pub hls_folder: PathBuf,
    /// Where the last thumbnail of each stream is kept.
    pub thumbnails_folder: PathBuf,
    /// Where the load is looked for.
    pub load: load::Places,
    /// Where ffmpeg is, if the PATH does not say; it makes Opus of audio that is not decoded here.
    pub ffmpeg: Option<PathBuf>,
    /// Where the certificate of the web port stands, if it speaks https.
    pub tls: Option<tls::Files>,
    /// Who may publish and read.
    pub access: Access,
    /// Who is asked who may, and what the answers are worth.
    pub admission: Option<(Target, Rules)>,
}

impl Options {
    /// As the settings say. `stdin` is read for a password whose file is `-`.
    ///
    /// # Errors
    /// Usage: two listeners on one port, a password that cannot be read.
    pub fn of(settings: &Settings, stdin: &mut dyn Read) -> Outcome<Options> {
        let told = &settings.serve;
        told.distinct()?;
        let pair =
            |found: Option<serve::Credentials>| found.map(|c| Credentials::new(c.user, c.password.reveal()));
        let publish = pair(told.publish.credentials(stdin)?);
        let read = pair(told.read.credentials(stdin)?);
        if publish.is_some()
            && publish.as_ref().map(Credentials::user) == read.as_ref().map(Credentials::user)
        {
            return Err(Failure::usage("publish_user and read_user are the same")
                .why("a user has one password, and it opens one of the two")
                .hint("give readers another name with read_user"));
        }
        let data = told.data.clone().unwrap_or_else(|| settings.paths.data());
        let admission = told.admission.as_ref().map(|told| admission(told, stdin)).transpose()?;
        Ok(Options {
            admission,
            listen: told.listen,
            control_listen: told.control_listen,
            ports: told.ports,
            web: told.web,
            ladder: told.ladder.clone(),
            program: None,
            applications: told.applications.clone(),
            stat_path: told.stat_path.clone(),
            trusted: told.trusted.clone(),
            per_address: (told.readers_per_address, told.publishers_per_address),
            media_workers: told
                .media_workers
                .or_else(|| std::thread::available_parallelism().ok())
                .unwrap_or(NonZeroUsize::MIN),
            public_address: told.public_address.clone(),
            ice_server: told.ice_server.clone(),
            database: database(told, &data)?,
            hooks_command: told.hooks_command.clone(),
            open_registration: told.open_registration,
            hls: told.hls,
            hls_folder: data.join("hls"),
            thumbnails_folder: data.join("thumbnails"),
            load: load::Places { folders: vec![data, settings.paths.logs()], ..load::Places::default() },
            ffmpeg: settings.ffmpeg.clone(),
            tls: told
                .tls()?
                .map(|(certificate, key)| tls::Files { certificate: certificate.into(), key: key.into() }),
            access: Access {
                publish,
                read,
                // Whether somebody outside can reach us is decided by routes and firewalls too; the rule is always on.
                outside_needs_password: true,
            },
        })
    }

    /// A redactor that knows the passwords.
    pub fn redactor(&self) -> Redactor {
        let mut redactor = Redactor::new();
        for credentials in self.access.publish.iter().chain(&self.access.read) {
            redactor.learn(credentials.password());
        }
        if let Some((target, _)) = &self.admission {
            for secret in target.url.secrets().into_iter().chain(target.secret.as_ref().map(Secret::reveal)) {
                redactor.learn(secret);
            }
        }
        redactor
    }
}

/// Where streams, keys and events are kept.
///
/// # Errors
/// Usage: an address that is none.
pub fn database(told: &Serve, data: &Path) -> Outcome<Place> {
    let url = told.database.as_ref().map_or("", Secret::reveal);
    Place::of(url, data).map_err(|fault| Failure::usage("the database cannot be used").why(fault.to_string()))
}

/// The back end that is asked, and its rules.
fn admission(told: &admission::Admission, stdin: &mut dyn Read) -> Outcome<(Target, Rules)> {
    let admission::Admission { publish, read, timeout, cache, allow_known, .. } = *told;
    let target = Target { form: told.form, url: told.url.clone(), secret: told.secret(stdin)? };
    Ok((target, Rules { publish, read, timeout, cache, allow_known }))
}

/// What becomes reachable from other machines, one sentence each; nothing on loopback.
pub fn exposed(told: &Serve) -> Vec<String> {
    let from = |ip: IpAddr| {
        if ip.is_unspecified() {
            "every network of this machine".to_string()
        } else {
            format!("the network of {ip}")
        }
    };
    let holder = |login: &Login, otherwise: &str| {
        if login.is_set() {
            format!("whoever has the password of {}", login.user)
        } else {
            otherwise.to_string()
        }
    };
    let mut said = Vec::new();
    if !is_loopback(told.listen) {
        let readers = holder(&told.read, "everybody there");
        let asked = |on: fn(&admission::Admission) -> bool| told.admission.as_ref().is_some_and(on);
        let back_end = "whoever the admission back end lets in";
        let readers = if asked(|a| a.read) { back_end.to_string() } else { readers };
        let publishers = match asked(|a| a.publish) {
            true => back_end.to_string(),
            false => holder(&told.publish, "this machine alone (set publish_password to let others)"),
        };
        said.push(format!(
            "RTMP, RTSP{} are reachable from {}: reading by {readers}, publishing by {publishers}",
            if told.web { ", RTP, HLS and WebRTC" } else { " and RTP" },
            from(told.listen)
        ));
        if told.publish.is_set() || told.read.is_set() {
            let hls = if told.web { ", and HLS without tls_cert," } else { "" };
            said.push(format!(
                "RTMP and RTSP{hls} carry streams and passwords unencrypted; keep to networks you trust"
            ));
        }
    }
    if !is_loopback(told.control_listen) {
        let mut who = Vec::new();
        if !told.trusted.is_empty() {
            who.push("trusted networks".to_string());
        }
        if told.publish.is_set() {
            who.push(holder(&told.publish, ""));
        }
        let who = if who.is_empty() {
            "this machine alone (set trusted to let others ask, or control_listen to 127.0.0.1)".to_string()
        } else {
            who.join(" and ")
        };
        said.push(format!(
            "/stat, /v3 and /metrics are reachable from {}, and answer {who}",
            from(told.control_listen)
        ));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Layer};

    fn settings(flags: &[(&'static str, &str)]) -> Settings {
        let dir = tempfile::tempdir().unwrap();
        let flags = Layer::flags(flags.iter().map(|(n, v)| (*n, Some(v.to_string()))));
        Settings::load(flags, &Environment::made(&[], dir.path())).unwrap()
    }

    #[test]
    fn what_becomes_reachable_is_said() {
        assert!(exposed(&settings(&[]).serve).is_empty());
        assert!(exposed(&settings(&[("listen", "::1")]).serve).is_empty());
        let open = exposed(&settings(&[("listen", "0.0.0.0")]).serve);
        assert_eq!(open.len(), 2, "{open:?}");
        assert!(open[0].contains("every network") && open[0].contains("publishing by this machine alone"));
        assert!(open[1].contains("answer this machine alone"), "{open:?}");
        let kept = [("listen", "0.0.0.0"), ("control_listen", "127.0.0.1"), ("publish_password", "pw")];
        let kept = exposed(&settings(&kept).serve);
        assert!(kept[0].contains("publishing by whoever has the password of publish"), "{kept:?}");
        assert!(kept[1].contains("and HLS without tls_cert, carry streams") && kept.len() == 2, "{kept:?}");
        let without = [("listen", "0.0.0.0"), ("publish_password", "pw"), ("web", "false")];
        let without = exposed(&settings(&without).serve);
        assert!(without[0].starts_with("RTMP, RTSP and RTP are reachable"), "{without:?}");
        assert!(without[1].starts_with("RTMP and RTSP carry streams"), "{without:?}");
    }

    #[test]
    fn users_have_one_password() {
        let both = [("publish_password", "a"), ("read_password", "b"), ("read_user", "publish")];
        let failure = Options::of(&settings(&both), &mut std::io::empty()).unwrap_err();
        assert!(failure.what().contains("are the same"), "{failure}");
        let told = Options::of(&settings(&both[..2]), &mut std::io::empty()).unwrap();
        assert!(told.access.outside_needs_password);
        assert_eq!(told.redactor().clean("b a abc"), "b a abc", "one letter would mask everything");
    }
}
