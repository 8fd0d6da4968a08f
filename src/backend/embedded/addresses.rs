//! Whether the addresses by which everyone reaches the server are those where it will listen.

use crate::base::next::Advice;
use crate::base::{Failure, Outcome};
use crate::config::Settings;
use crate::model::service::Service;
use std::net::IpAddr;

/// Fails where `up` would start a server that its own clients cannot find.
///
/// # Errors
/// Usage, naming the settings: another machine, an encrypted scheme, two ports for one thing, a port that nobody could
/// know, an application or a path that is not served.
pub fn check(settings: &Settings) -> Outcome<()> {
    let told = &settings.serve;
    let (rtmp, stat, api, rtsp) =
        (&settings.nginx_rtmp_url, &settings.nginx_stat_url, &settings.mediamtx_url, &settings.rtsp_url);
    told.distinct()?;
    let endpoints = [
        ("nginx_rtmp_url", "rtmp_port", "rtmp", "rtmp://localhost:1935/live"),
        ("nginx_stat_url", "stat_port", "http", "http://localhost:8080/stat"),
        ("mediamtx_url", "api_port", "http", "http://localhost:9997"),
        ("rtsp_url", "rtsp_port", "rtsp", "rtsp://localhost:8554"),
    ];
    let reached = [
        (rtmp.host(), rtmp.is_local(), rtmp.scheme(), rtmp.port(), told.ports.of(Service::Rtmp), told.listen),
        (
            stat.host(),
            stat.is_local(),
            stat.scheme(),
            stat.port(),
            told.ports.of(Service::Stat),
            told.control_listen,
        ),
        (
            api.host(),
            api.is_local(),
            api.scheme(),
            api.port(),
            told.ports.of(Service::Api),
            told.control_listen,
        ),
        (rtsp.host(), rtsp.is_local(), rtsp.scheme(), rtsp.port(), told.ports.of(Service::Rtsp), told.listen),
    ];
    for ((url, key, wanted, usual), (host, local, scheme, port, listens, at)) in
        endpoints.into_iter().zip(reached)
    {
        let flag = url.replace('_', "-");
        if !local && host.parse::<IpAddr>() != Ok(at) {
            return Err(Failure::usage(format!(
                "up starts a server on this machine, and {url} names another one"
            ))
            .hint(Advice::set(&flag, usual.to_string()))
            .hint(Advice::StartServers.behind("on that machine")));
        }
        if scheme != wanted {
            return Err(Failure::usage(format!(
                "the server that up starts speaks {wanted}://, not the {scheme}:// of {url}"
            ))
            .hint(Advice::set(&flag, usual.to_string())));
        }
        if listens == 0 {
            return Err(Failure::usage(format!("up needs a port for {key}, not 0"))
                .why("clients would not know where the server is")
                .hint(Advice::Serve.behind("prints the free ports that it took")));
        }
        if port != listens {
            return Err(Failure::usage(format!("{url} names port {port}, and {key} is {listens}"))
                .hint(format!("set one of the two; {key} follows {url}, and the other way round")));
        }
        if let (Ok(named), false) = (host.parse::<IpAddr>(), at.is_unspecified())
            && named != at
        {
            return Err(Failure::usage(format!("{url} names {named}, and the server would listen at {at}"))
                .hint(Advice::set("listen", named.to_string())));
        }
    }
    names_fit(settings)
}

/// Whether the application and the path that the addresses name are served.
fn names_fit(settings: &Settings) -> Outcome<()> {
    let (told, rtmp, stat) = (&settings.serve, &settings.nginx_rtmp_url, &settings.nginx_stat_url);
    let application = rtmp.application();
    if !told.applications.iter().any(|name| name == application) {
        return Err(Failure::usage(format!(
            "nginx_rtmp_url names the application '{application}', and applications is {}",
            told.applications.join(",")
        ))
        .why("an application has letters, digits, '_', '-', '.' and '/'")
        .hint("unset one of the two"));
    }
    if stat.path() != told.stat_path {
        return Err(Failure::usage(format!(
            "nginx_stat_url names the path '{}', and stat_path is {}",
            stat.path(),
            told.stat_path
        ))
        .why("a path has letters, digits, '_', '-', '.' and '/'")
        .hint("unset one of the two"));
    }
    Ok(())
}

/// Whether a server that listens at `recorded` (as [`Ready::addresses`](super::report::Ready::addresses) gives them) is
/// the one that the settings want. A server that is still starting has no record of this kind yet.
pub fn are(settings: &Settings, recorded: &[String]) -> bool {
    let told = &settings.serve;
    let wanted = [Service::Rtmp, Service::Rtsp, Service::Stat, Service::Api];
    wanted.iter().all(|service| port(recorded, *service).is_none_or(|port| port == told.ports.of(*service)))
}

/// The port of a service in a record.
pub fn port(recorded: &[String], service: Service) -> Option<u16> {
    let name = service.row().id;
    let address = recorded.iter().find_map(|a| a.strip_prefix(name)?.strip_prefix('='))?;
    address.rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
