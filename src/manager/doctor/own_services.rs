//! What only the built-in server has, service by service of the table: RTP, the metrics, HLS; and renditions that HLS
//! cannot serve with their ladder.

use super::check::Check;
use crate::base::next::Advice;
use crate::config::Settings;
use crate::model::HttpUrl;
use crate::model::network::is_loopback;
use crate::model::server_listing::ServerListing;
use crate::model::service::Service;
use crate::process::interfaces;
use crate::process::listener::holder_of_datagrams;
use crate::status::{Client, own};
use std::net::IpAddr;

/// Renditions out of step that are named.
const MOST_NAMED: usize = 5;

/// Looks at all of them.
pub async fn look(client: &Client, settings: &Settings) -> Vec<Check> {
    let listing = match own::listing(client, &settings.mediamtx_url).await {
        Ok(listing) => listing,
        Err(error) => {
            let detail = format!("the built-in server does not say what it serves: {error}");
            return vec![Check::warn("services", detail).next(Advice::StartServers)];
        }
    };
    let mut checks = Vec::new();
    for service in Service::ALL {
        let Some(port) = listing.ports.get(service.row().id).copied() else { continue };
        checks.extend(match service {
            // They have checks of their own, with whichever server.
            Service::Rtmp | Service::Rtsp | Service::Stat | Service::Api => None,
            Service::Rtp => settings.rtsp_url.is_local().then(|| rtp(port)),
            Service::Webrtc => settings.mediamtx_url.is_local().then(|| webrtc(settings, port)),
            Service::Metrics => {
                Some(answers(client, service, settings.nginx_stat_url.beside(port), "/metrics").await)
            }
            Service::Web if listing.web_tls => {
                let url = settings.mediamtx_url.beside(port).over_tls(true);
                Some(Check::ok(service.row().id, format!("the web port is at {url}, with TLS")))
            }
            Service::Web => {
                Some(answers(client, service, settings.mediamtx_url.beside(port), "/health").await)
            }
        });
    }
    checks.extend(apart(&listing));
    checks
}

fn rtp(port: u16) -> Check {
    let id = Service::Rtp.row().id;
    match holder_of_datagrams(port) {
        Some(holder) => Check::ok(id, format!("RTP over UDP is received at port {port}, {holder}")),
        None => Check::warn(id, format!("nobody receives RTP at UDP port {port}: readers fall back to TCP"))
            .next(Advice::StartServers),
    }
}

/// Who receives WebRTC's datagrams, and where viewers are told to send them.
fn webrtc(settings: &Settings, port: u16) -> Check {
    let id = Service::Webrtc.row().id;
    let Some(holder) = holder_of_datagrams(port) else {
        return Check::warn(id, format!("nobody receives WebRTC at UDP port {port}: pages play HLS instead"))
            .next(Advice::StartServers);
    };
    let told = &settings.serve;
    let offered = offered(&told.public_address, told.listen, &interfaces::addresses());
    Check::ok(
        id,
        format!("WebRTC over UDP is received at port {port}, {holder}; viewers are offered {offered}"),
    )
}

/// Which addresses viewers are offered, in words.
fn offered(public: &[String], listen: IpAddr, machine: &[IpAddr]) -> String {
    let own = match (is_loopback(listen), listen.is_unspecified()) {
        (true, _) => format!("{listen}, which only this machine reaches"),
        (_, true) if !public.is_empty() => "the one at which they ask".into(),
        (_, true) => {
            let others = machine.iter().filter(|ip| !is_loopback(**ip));
            let others = others.map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
            if others.is_empty() { "nothing but this machine's own address".into() } else { others }
        }
        _ => listen.to_string(),
    };
    if public.is_empty() { own } else { format!("{}, then {own}", public.join(", ")) }
}

async fn answers(client: &Client, service: Service, url: HttpUrl, path: &str) -> Check {
    let row = service.row();
    match client.get(&url, path).await {
        Ok(_) => Check::ok(row.id, format!("{} answers at {url}", what(service))),
        Err(error) => Check::warn(row.id, format!("{} does not answer at {url}: {error}", what(service)))
            .next(Advice::ShowServiceLog("serve".into())),
    }
}

const fn what(service: Service) -> &'static str {
    match service {
        Service::Web => "the web port (pages, HLS, WebRTC)",
        _ => "the endpoint of the metrics",
    }
}

/// Renditions whose keyframes stand elsewhere than those of their ladder.
fn apart(listing: &ServerListing) -> Option<Check> {
    let names: Vec<String> = listing
        .streams
        .iter()
        .filter(|stream| stream.apart)
        .map(|stream| format!("{}/{}", stream.application, stream.name))
        .collect();
    let named = names.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = if names.len() > MOST_NAMED { " and others" } else { "" };
    (!names.is_empty()).then(|| {
        Check::warn(
            "hls",
            format!(
                "{named}{more}: keyframes stand at other times than those of the ladder, so HLS serves it by itself \
                 and players cannot change to it"
            ),
        )
        .next("one encoder for all renditions, as msconv publish starts it, or the same keyframe interval in each")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::server_listing::ListedStream;

    #[test]
    fn what_viewers_over_webrtc_are_offered_is_said() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let machine = [ip("127.0.0.1"), ip("192.0.2.7"), ip("2001:db8::7")];
        let name = ["media.example.org".to_string()];
        for (public, listen, words) in [
            (&[][..], "127.0.0.1", "127.0.0.1, which only this machine reaches"),
            (&[], "0.0.0.0", "192.0.2.7, 2001:db8::7"),
            (&[], "192.0.2.7", "192.0.2.7"),
            (&name, "192.0.2.7", "media.example.org, then 192.0.2.7"),
            (&name, "::", "media.example.org, then the one at which they ask"),
        ] {
            assert_eq!(offered(public, ip(listen), &machine), words);
        }
        assert_eq!(offered(&[], ip("::"), &machine[..1]), "nothing but this machine's own address");
    }

    #[test]
    fn renditions_out_of_step_are_named() {
        let stream = |n: usize, apart| ListedStream {
            application: "live".into(),
            name: format!("cam_{n}"),
            apart,
            ..ListedStream::default()
        };
        let of = |streams| apart(&ServerListing { streams, ..ServerListing::default() });
        assert_eq!(of(vec![stream(1, false)]), None);
        let check = of((0..7).map(|n| stream(n, true)).collect()).unwrap();
        assert!(check.detail.starts_with("live/cam_0, live/cam_1,"), "{}", check.detail);
        assert!(check.detail.contains("live/cam_4 and others:"), "{}", check.detail);
    }
}
