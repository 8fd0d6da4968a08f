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
mod tests {
    use super::*;
    use crate::config::{Environment, Layer};

    fn of(flags: &[(&'static str, &str)], vars: &[(&str, &str)], uid: u32) -> Outcome<Vec<(String, String)>> {
        let dir = tempfile::tempdir().unwrap();
        let flags = Layer::flags(flags.iter().map(|(n, v)| (*n, Some(v.to_string()))));
        let settings = Settings::load(flags, &Environment::made(vars, dir.path()))?;
        variables(&settings, Owner { uid, gid: uid })
    }

    fn get(variables: &[(String, String)], name: &str) -> Option<String> {
        variables.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone())
    }

    #[test]
    fn what_nobody_set_is_left_to_the_stack() {
        let usual = of(&[], &[], 1234).unwrap();
        let names: Vec<&str> = usual.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(
            names,
            ["MSCONV_HOME", "MSCONV_UID", "MSCONV_GID", "MSCONV_SERVER_UID", "MSCONV_SERVER_GID"]
        );
        assert_eq!(get(&usual, "MSCONV_SERVER_UID").as_deref(), Some("1234"));
        let root = of(&[], &[], 0).unwrap();
        assert_eq!(get(&root, "MSCONV_UID").as_deref(), Some("0"));
        assert_eq!(get(&root, "MSCONV_SERVER_UID").as_deref(), Some("1000"), "no server runs as root");
    }

    #[test]
    fn ports_follow_the_urls() {
        let moved = of(
            &[("nginx_rtmp_url", "rtmp://localhost:41935/live"), ("mediamtx_url", "http://localhost:49997")],
            &[("MSCONV_STAT_PORT", "48080")],
            1,
        )
        .unwrap();
        assert_eq!(get(&moved, "MSCONV_RTMP_PORT").as_deref(), Some("41935"));
        assert_eq!(get(&moved, "MSCONV_STAT_PORT").as_deref(), Some("48080"));
        assert_eq!(get(&moved, "MSCONV_API_PORT").as_deref(), Some("49997"));
        assert_eq!(get(&moved, "MSCONV_METRICS_PORT").as_deref(), Some("0"), "a free one, as everywhere");
        assert_eq!(get(&moved, "MSCONV_RTSP_PORT"), None);
    }

    #[test]
    fn the_control_endpoints_stay_here_unless_asked() {
        let open = of(&[("listen", "0.0.0.0")], &[], 1).unwrap();
        assert_eq!(get(&open, "MSCONV_LISTEN").as_deref(), Some("0.0.0.0"));
        assert_eq!(get(&open, "MSCONV_CONTROL_LISTEN"), None);
        let six = of(&[("listen", "::1")], &[], 1).unwrap();
        assert_eq!(get(&six, "MSCONV_LISTEN").as_deref(), Some("[::1]"));
        assert_eq!(get(&six, "MSCONV_CONTROL_LISTEN").as_deref(), Some("[::1]"));
        let one = of(&[("listen", "192.0.2.7")], &[], 1).unwrap_err();
        let text = crate::ui::failure_text::text(&one);
        assert!(text.contains("--listen 0.0.0.0"), "{text}");
        let asked = [("MSCONV_CONTROL_LISTEN", "192.0.2.7"), ("MSCONV_TRUSTED", "192.0.2.0/24,10.1.2.3")];
        let asked = of(&[("listen", "192.0.2.7")], &asked, 1).unwrap();
        assert_eq!(get(&asked, "MSCONV_CONTROL_LISTEN").as_deref(), Some("192.0.2.7"));
        assert!(get(&asked, "MSCONV_TRUSTED").is_some_and(|t| t.starts_with("192.0.2.0/24,10.1.2.3")));
    }

    #[test]
    fn what_the_stack_cannot_do_is_a_usage_error() {
        for (flags, vars, words) in [
            (&[("nginx_rtmp_url", "rtmp://media.example/live")][..], &[][..], "names another one"),
            (&[("nginx_rtmp_url", "rtmp://localhost/show")][..], &[][..], "the application live, not 'show'"),
            (&[("nginx_stat_url", "http://localhost:8080/status")][..], &[][..], "at /stat"),
            (&[][..], &[("MSCONV_PUBLISH_PASSWORD", "x")][..], "cannot ask for passwords"),
            (&[("listen", "everywhere")][..], &[][..], "'everywhere'"),
            (&[][..], &[("MSCONV_LISTEN", "999.1.1.1")][..], "999.1.1.1"),
        ] {
            let failure = of(flags, vars, 1).unwrap_err();
            assert_eq!(failure.kind().exit_code(), 2, "{failure}");
            assert!(failure.to_string().contains(words), "{failure}");
        }
    }
}
