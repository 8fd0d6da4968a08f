//! Where the servers of this machine shall listen, worked out from the URLs by which everyone else reaches them.

use crate::base::next::Advice;
use crate::base::{Failure, Outcome};
use crate::config::Settings;
use crate::model::service::Service;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Listening addresses, loopback all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// RTMP.
    pub rtmp: SocketAddr,
    /// `/stat`.
    pub stat: SocketAddr,
    /// MediaMTX's API.
    pub api: SocketAddr,
    /// RTSP.
    pub rtsp: SocketAddr,
    /// MediaMTX's metrics, beside its API, where that has its usual port.
    pub metrics: Option<SocketAddr>,
    /// MediaMTX's HLS, beside its RTSP, where that has its usual port.
    pub hls: Option<SocketAddr>,
    /// The RTMP application: `live`.
    pub application: String,
    /// The path of the status page: `/stat`.
    pub stat_path: String,
}

/// The port of MediaMTX's API unless told otherwise.
const API_PORT: u16 = 9997;
/// The port of RTSP unless told otherwise.
const RTSP_PORT: u16 = 8554;

impl Addresses {
    /// Works them out.
    ///
    /// # Errors
    /// Usage, naming the setting: another machine, an encrypted scheme, one port for two servers, an application or
    /// path that cannot stand in a configuration.
    pub fn of(settings: &Settings) -> Outcome<Addresses> {
        let rtmp = &settings.nginx_rtmp_url;
        let stat = &settings.nginx_stat_url;
        let api = &settings.mediamtx_url;
        let rtsp = &settings.rtsp_url;
        for (name, local, scheme, wanted, usual) in [
            ("nginx-rtmp-url", rtmp.is_local(), rtmp.scheme(), "rtmp", "rtmp://localhost:1935/live"),
            ("nginx-stat-url", stat.is_local(), stat.scheme(), "http", "http://localhost:8080/stat"),
            ("mediamtx-url", api.is_local(), api.scheme(), "http", "http://localhost:9997"),
            ("rtsp-url", rtsp.is_local(), rtsp.scheme(), "rtsp", "rtsp://localhost:8554"),
        ] {
            if !local {
                return Err(Failure::usage(format!(
                    "up starts servers on this machine, and {} names another one",
                    name.replace('-', "_")
                ))
                .hint(Advice::set(name, usual.to_string()))
                .hint(Advice::StartServers.behind("on that machine")));
            }
            if scheme != wanted {
                return Err(Failure::usage(format!(
                    "the servers that up starts speak {wanted}://, not the {scheme}:// of {}",
                    name.replace('-', "_")
                ))
                .hint(Advice::set(name, usual.to_string())));
            }
        }
        let application = plain("nginx_rtmp_url", "application", rtmp.application())?;
        let stat_path = match stat.path() {
            "" => "/".to_string(),
            path => plain("nginx_stat_url", "path", path)?,
        };
        let api = SocketAddr::new(loopback(api.host()), api.port());
        let metrics = (api.port() == API_PORT).then(|| SocketAddr::new(api.ip(), API_PORT + 1));
        let web = settings.serve.ports.of(Service::Web);
        let wanted = settings.serve.web && rtsp.port() == RTSP_PORT && web != 0;
        let hls = wanted.then(|| SocketAddr::new(loopback(rtsp.host()), web));
        let addresses = Addresses {
            rtmp: SocketAddr::new(loopback(rtmp.host()), rtmp.port()),
            stat: SocketAddr::new(loopback(stat.host()), stat.port()),
            api,
            rtsp: SocketAddr::new(loopback(rtsp.host()), rtsp.port()),
            metrics,
            hls,
            application,
            stat_path,
        };
        addresses.distinct()?;
        Ok(addresses)
    }

    fn distinct(&self) -> Outcome<()> {
        let named = [
            ("nginx_rtmp_url", self.rtmp.port()),
            ("nginx_stat_url", self.stat.port()),
            ("mediamtx_url", self.api.port()),
            ("rtsp_url", self.rtsp.port()),
            ("web_port", self.hls.map_or(0, |address| address.port())),
        ];
        for (at, (name, port)) in named.iter().enumerate() {
            if let Some((other, _)) = named.iter().skip(at + 1).find(|(_, p)| p == port) {
                return Err(Failure::usage(format!("{name} and {other} both name port {port}"))
                    .hint(Advice::change(other, "with another port")));
            }
        }
        Ok(())
    }
}

/// The address behind a local host name.
fn loopback(host: &str) -> IpAddr {
    host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Whether clients that are told this address may as well come over IPv6.
pub fn also_v6(host: &str) -> Option<IpAddr> {
    host.parse::<IpAddr>().is_err().then_some(IpAddr::V6(Ipv6Addr::LOCALHOST))
}

/// `text` if nothing in it means anything to nginx or MediaMTX.
fn plain(name: &str, part: &str, text: &str) -> Outcome<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    if text.len() <= 128 && text.chars().all(fits) && !text.contains("//") {
        return Ok(text.to_string());
    }
    Err(Failure::usage(format!("the {part} '{text}' of {name} cannot be used for a server of our own"))
        .why("it may have letters, digits, '_', '-', '.' and '/'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Layer};

    fn of(flags: &[(&'static str, &str)]) -> Outcome<Addresses> {
        let dir = tempfile::tempdir().unwrap();
        let flags = Layer::flags(flags.iter().map(|(n, v)| (*n, Some(v.to_string()))));
        Addresses::of(&Settings::load(flags, &Environment::made(&[], dir.path())).unwrap())
    }

    #[test]
    fn the_usual_ones() {
        let usual = of(&[]).unwrap();
        assert_eq!(usual.rtmp.to_string(), "127.0.0.1:1935");
        assert_eq!(usual.stat.to_string(), "127.0.0.1:8080");
        assert_eq!(usual.metrics.unwrap().to_string(), "127.0.0.1:9998");
        assert_eq!((usual.application.as_str(), usual.stat_path.as_str()), ("live", "/stat"));
    }

    #[test]
    fn v6_stays_v6() {
        let addresses = of(&[("nginx_rtmp_url", "rtmp://[::1]/app/x")]).unwrap();
        assert_eq!(addresses.rtmp.to_string(), "[::1]:1935");
        assert_eq!(addresses.application, "app/x");
    }

    #[test]
    fn what_cannot_be_started_here_is_a_usage_error() {
        for (flags, words) in [
            (&[("nginx_rtmp_url", "rtmp://media.example/live")][..], "nginx_rtmp_url names another one"),
            (&[("rtsp_url", "rtsp://10.0.0.1:8554")][..], "rtsp_url names another one"),
            (&[("nginx_rtmp_url", "rtmps://localhost/live")][..], "not the rtmps:// of nginx_rtmp_url"),
            (&[("nginx_stat_url", "https://localhost/stat")][..], "not the https:// of nginx_stat_url"),
            (&[("nginx_stat_url", "http://localhost:1935/stat")][..], "both name port 1935"),
            (&[("nginx_rtmp_url", "rtmp://localhost/live;daemon")][..], "the application 'live;daemon'"),
            (&[("nginx_stat_url", "http://localhost:1/s{t")][..], "the path '/s{t'"),
        ] {
            let failure = of(flags).unwrap_err();
            assert_eq!(failure.kind().exit_code(), 2);
            assert!(failure.what().contains(words), "{failure}");
        }
    }
}
