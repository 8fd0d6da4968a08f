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
                Some(Check::ok(service.row().id, format!("HLS is served at {url}, with TLS")))
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
    let offered = if !told.public_address.is_empty() {
        told.public_address.join(", ")
    } else if is_loopback(told.listen) {
        format!("{}, which only this machine reaches", told.listen)
    } else if told.listen.is_unspecified() {
        let others = interfaces::addresses().into_iter().filter(|ip| !is_loopback(*ip));
        others.map(|ip| ip.to_string()).collect::<Vec<_>>().join(", ")
    } else {
        told.listen.to_string()
    };
    Check::ok(
        id,
        format!("WebRTC over UDP is received at port {port}, {holder}; viewers are offered {offered}"),
    )
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
        Service::Web => "the web port (HLS)",
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
