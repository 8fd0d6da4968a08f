//! What the built-in server offers at ports of its own, one row for each. Flags, settings' ports, listeners, the line
//! `ready` and the checks before a start go through this table.

/// A service of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// RTMP.
    Rtmp,
    /// RTSP.
    Rtsp,
    /// RTP and RTCP.
    Rtp,
    /// The status page in nginx-rtmp's form.
    Stat,
    /// The API in MediaMTX's form, and our own.
    Api,
    /// Metrics for Prometheus.
    Metrics,
    /// What browsers and players fetch over HTTP: HLS.
    Web,
    /// Media of WebRTC, which the web port arranges.
    Webrtc,
}

/// How a service is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Connections.
    Tcp,
    /// Datagrams to an even port and to the one behind it.
    UdpPair,
    /// Datagrams.
    Udp,
}

/// Who is to reach a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Publishers and viewers: it listens where `listen` says.
    Viewers,
    /// Those who run the server: it listens where `control_listen` says.
    Operators,
}

/// What is fixed about a service.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its short name: `rtmp`. Its setting is `rtmp_port`, its flag `--rtmp-port`.
    pub id: &'static str,
    /// Its setting.
    pub key: &'static str,
    /// Its flag.
    pub flag: &'static str,
    /// What it is, for the help.
    pub help: &'static str,
    /// Its port unless told otherwise.
    pub port: u16,
    /// How it is reached.
    pub transport: Transport,
    /// By whom.
    pub audience: Audience,
}

const fn row(
    [id, key, flag, help]: [&'static str; 4],
    port: u16,
    transport: Transport,
    audience: Audience,
) -> Row {
    Row { id, key, flag, help, port, transport, audience }
}

/// The number of services.
pub const COUNT: usize = 8;

impl Service {
    /// All of them, in the order in which they are printed.
    pub const ALL: [Service; COUNT] = [
        Service::Rtmp,
        Service::Rtsp,
        Service::Rtp,
        Service::Stat,
        Service::Api,
        Service::Metrics,
        Service::Web,
        Service::Webrtc,
    ];

    /// Whether it is there only where there is a web port.
    pub const fn is_of_the_web(self) -> bool {
        matches!(self, Service::Web | Service::Webrtc)
    }

    /// Its row in the table.
    pub const fn row(self) -> Row {
        use Audience::{Operators, Viewers};
        use Transport::{Tcp, Udp, UdpPair};
        match self {
            Service::Rtmp => row(
                ["rtmp", "rtmp_port", "rtmp-port", "RTMP; 0 takes a free port, as with every port"],
                1935,
                Tcp,
                Viewers,
            ),
            Service::Rtsp => row(["rtsp", "rtsp_port", "rtsp-port", "RTSP"], 8554, Tcp, Viewers),
            Service::Rtp => row(
                ["rtp", "rtp_port", "rtp-port", "RTP over UDP, even; RTCP is the next one"],
                8000,
                UdpPair,
                Viewers,
            ),
            Service::Stat => row(
                ["stat", "stat_port", "stat-port", "Status page in the form of nginx-rtmp"],
                8080,
                Tcp,
                Operators,
            ),
            Service::Api => {
                row(["api", "api_port", "api-port", "API in the form of MediaMTX"], 9997, Tcp, Operators)
            }
            Service::Metrics => row(
                ["metrics", "metrics_port", "metrics-port", "Metrics for Prometheus"],
                9998,
                Tcp,
                Operators,
            ),
            Service::Web => {
                row(["web", "web_port", "web-port", "Pages, HLS, and WebRTC's offers"], 8000, Tcp, Viewers)
            }
            Service::Webrtc => {
                row(["webrtc", "webrtc_port", "webrtc-port", "Media of WebRTC, UDP"], 8189, Udp, Viewers)
            }
        }
    }
}

/// Something for each service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerService<T>([T; COUNT]);

/// Ports; 0 takes a free one.
pub type Ports = PerService<u16>;

impl<T: Copy> PerService<T> {
    /// One by one.
    ///
    /// # Errors
    /// The first that there is.
    pub fn try_of<E>(mut make: impl FnMut(Service) -> Result<T, E>) -> Result<PerService<T>, E> {
        let [a, b, c, d, e, f, g, h] = Service::ALL;
        Ok(PerService([make(a)?, make(b)?, make(c)?, make(d)?, make(e)?, make(f)?, make(g)?, make(h)?]))
    }

    /// That of a service.
    pub fn of(&self, service: Service) -> T {
        let [rtmp, rtsp, rtp, stat, api, metrics, web, webrtc] = self.0;
        match service {
            Service::Rtmp => rtmp,
            Service::Rtsp => rtsp,
            Service::Rtp => rtp,
            Service::Stat => stat,
            Service::Api => api,
            Service::Metrics => metrics,
            Service::Web => web,
            Service::Webrtc => webrtc,
        }
    }

    /// Each service with its own.
    pub fn each(&self) -> impl Iterator<Item = (Service, T)> {
        Service::ALL.into_iter().zip(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_itself() {
        let own = PerService::try_of(|service| Ok::<_, ()>(service.row().id)).unwrap();
        for (service, id) in own.each() {
            let row = service.row();
            assert_eq!((row.id, own.of(service)), (id, id));
            assert_eq!((row.key, row.flag), (format!("{id}_port").as_str(), format!("{id}-port").as_str()));
        }
        let port = |service: &Service| (service.row().transport == Transport::Tcp, service.row().port);
        let ports: std::collections::BTreeSet<(bool, u16)> = Service::ALL.iter().map(port).collect();
        assert_eq!(ports.len(), COUNT, "no two have one port of one transport");
    }
}
