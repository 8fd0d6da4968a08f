//! What the server is told, resolved from the settings.

use crate::base::secret::Redactor;
use crate::base::{Failure, Outcome};
use crate::config::Settings;
use crate::config::serve::{self, Ports};
use crate::model::Network;
use crate::model::network::is_loopback;
use crate::protocol::access::{Access, Credentials};
use std::io::Read;
use std::net::IpAddr;

/// Everything that the server is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where RTMP, RTSP and RTP listen.
    pub listen: IpAddr,
    /// Where the control faces listen.
    pub control_listen: IpAddr,
    /// On which ports.
    pub ports: Ports,
    /// RTMP applications, one at least.
    pub applications: Vec<String>,
    /// Path of the status page.
    pub stat_path: String,
    /// Networks that may do what this machine may.
    pub trusted: Vec<Network>,
    /// Who may publish and read.
    pub access: Access,
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
        Ok(Options {
            listen: told.listen,
            control_listen: told.control_listen,
            ports: told.ports,
            applications: told.applications.clone(),
            stat_path: told.stat_path.clone(),
            trusted: told.trusted.clone(),
            access: Access {
                publish,
                read,
                // Whether somebody outside can reach us is decided by routes and firewalls too; the rule is always on.
                outside_needs_password: true,
                adobe_at_connect: false,
            },
        })
    }

    /// A redactor that knows the passwords.
    pub fn redactor(&self) -> Redactor {
        let mut redactor = Redactor::new();
        for credentials in self.access.publish.iter().chain(&self.access.read) {
            redactor.learn(credentials.password());
        }
        redactor
    }

    /// What becomes reachable from other machines, one sentence each; nothing on loopback.
    pub fn exposed(&self) -> Vec<String> {
        let where_from = |ip: IpAddr| {
            if ip.is_unspecified() {
                "every network of this machine".to_string()
            } else {
                format!("the network of {ip}")
            }
        };
        let mut said = Vec::new();
        if !is_loopback(self.listen) {
            let readers = match &self.access.read {
                Some(c) => format!("whoever has the password of {}", c.user()),
                None => "everybody there".to_string(),
            };
            let publishers = match &self.access.publish {
                Some(c) => format!("whoever has the password of {}", c.user()),
                None => "nobody (set publish_password to let them)".to_string(),
            };
            said.push(format!(
                "RTMP, RTSP and RTP are reachable from {}: reading by {readers}, publishing by {publishers}",
                where_from(self.listen)
            ));
            if self.access.publish.is_some() || self.access.read.is_some() {
                said.push("passwords travel unencrypted over RTMP and RTSP (Basic); use them inside networks you trust".into());
            }
        }
        if !is_loopback(self.control_listen) {
            let who = match (&self.access.publish, self.trusted.is_empty()) {
                (Some(c), true) => format!("whoever has the password of {}", c.user()),
                (Some(c), false) => format!("trusted networks and whoever has the password of {}", c.user()),
                (None, false) => "trusted networks".to_string(),
                (None, true) => "nobody there (set trusted, or control_listen 127.0.0.1)".to_string(),
            };
            said.push(format!(
                "/stat, /v3 and /metrics are reachable from {}, and answer {who}",
                where_from(self.control_listen)
            ));
        }
        said
    }
}
