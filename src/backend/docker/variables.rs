//! What the stack is told: the variables of docker-compose.yml, worked out from the settings.

use crate::backend::embedded;
use crate::base::next::Advice;
use crate::base::{Failure, Outcome};
use crate::config::Settings;
use crate::model::network::is_loopback;
use crate::model::service::Service;
use std::net::{IpAddr, Ipv4Addr};

/// The user whom the servers run as where msconv itself is root: nothing of the stack shall be root for long.
const NOT_ROOT: u32 = 1000;

/// The user who brings the stack up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// The variables. What nobody set is left to `.env` and the defaults of docker-compose.yml, so that the stack is the
/// one that a person would bring up.
///
/// # Errors
/// Usage: addresses at which the stack cannot be reached, an application or path that it does not have, passwords.
pub fn variables(settings: &Settings, owner: Owner) -> Outcome<Vec<(String, String)>> {
    embedded::reachable(settings)?;
    served(settings)?;
    let told = &settings.serve;
    let home = settings.paths.home();
    let home = home.canonicalize().unwrap_or_else(|_| home.to_path_buf());
    let mut variables = vec![("MSCONV_HOME".to_string(), home.display().to_string())];
    let mut add = |name: &str, value: String| variables.push((name.to_string(), value));
    if settings.is_set("listen") || told.listen != IpAddr::V4(Ipv4Addr::LOCALHOST) {
        add("MSCONV_LISTEN", bracketed(told.listen));
    }
    if let Some(address) = control(settings)? {
        add("MSCONV_CONTROL_LISTEN", bracketed(address));
    }
    for (setting, port, usual) in [
        ("rtmp_port", told.ports.of(Service::Rtmp), 1935),
        ("stat_port", told.ports.of(Service::Stat), 8080),
        ("rtsp_port", told.ports.of(Service::Rtsp), 8554),
        ("api_port", told.ports.of(Service::Api), 9997),
        ("web_port", told.ports.of(Service::Web), 8000),
        ("metrics_port", told.ports.of(Service::Metrics), 9998),
    ] {
        if settings.is_set(setting) || port != usual {
            add(&crate::config::layers::variable(setting), port.to_string());
        }
    }
    if !told.trusted.is_empty() {
        let networks: Vec<String> = told.trusted.iter().map(ToString::to_string).collect();
        add("MSCONV_TRUSTED", networks.join(","));
    }
    let servers = if owner.uid == 0 { Owner { uid: NOT_ROOT, gid: NOT_ROOT } } else { owner };
    add("MSCONV_UID", owner.uid.to_string());
    add("MSCONV_GID", owner.gid.to_string());
    add("MSCONV_SERVER_UID", servers.uid.to_string());
    add("MSCONV_SERVER_GID", servers.gid.to_string());
    Ok(variables)
}

/// Fails for what the stack's servers are not made for.
fn served(settings: &Settings) -> Outcome<()> {
    let application = settings.nginx_rtmp_url.application();
    if application != "live" {
        return Err(Failure::usage(format!(
            "the docker stack serves the application live, not '{application}'"
        ))
        .hint(Advice::set("nginx_rtmp_url", "rtmp://localhost:1935/live")));
    }
    if settings.nginx_stat_url.path() != "/stat" {
        return Err(Failure::usage("the docker stack has its status page at /stat")
            .hint(Advice::set("nginx_stat_url", "http://localhost:8080/stat")));
    }
    if !settings.serve.web {
        return Err(Failure::usage("the docker stack has MediaMTX's HLS at the web port, and web is false")
            .hint(Advice::set("web", "true"))
            .hint(Advice::start_backend("embedded").behind("leaves the web port out")));
    }
    if settings.serve.publish.is_set() || settings.serve.read.is_set() {
        return Err(Failure::usage("the docker stack cannot ask for passwords")
            .why("publish_password or read_password is set, and nginx-rtmp knows neither")
            .hint(Advice::start_backend("embedded").behind("asks for both"))
            .hint("unset them, if everybody who reaches the ports may publish and watch"));
    }
    Ok(())
}

/// Where the control endpoints listen, if that is not left to the stack. They stay on this machine unless asked: nobody
/// needs a password there, and MediaMTX's API can change everything of it.
fn control(settings: &Settings) -> Outcome<Option<IpAddr>> {
    let told = &settings.serve;
    if settings.is_set("control_listen") {
        return Ok(Some(told.control_listen));
    }
    let listen = told.listen;
    if listen == IpAddr::V4(Ipv4Addr::LOCALHOST) || listen.is_unspecified() {
        return Ok(None);
    }
    if is_loopback(listen) {
        return Ok(Some(listen));
    }
    Err(Failure::usage(format!("the docker stack's /stat and API would not be reached at {listen}"))
        .why("they stay on this machine's own address, and with --listen every command asks for them there")
        .hint(
            Advice::set("listen", "0.0.0.0")
                .behind("RTMP and RTSP on every network; /stat and the API on this machine"),
        )
        .hint(format!(
            "MSCONV_CONTROL_LISTEN={listen} MSCONV_TRUSTED={listen}    (the API on that network too)"
        )))
}

/// An address as it stands before a port.
fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
#[path = "variables_tests.rs"]
mod tests;
