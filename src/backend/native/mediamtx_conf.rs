//! The configuration of the private MediaMTX: it reads from nginx-rtmp when somebody asks, and serves RTSP. Pure.

use super::addresses::Addresses;

/// A version of MediaMTX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The first one that can read from nginx-rtmp.
    pub const OLDEST: Version = Version(1, 2, 1);
    /// From here on the stream's name stands behind `#` in the URL it is read from.
    pub const NAME_BEHIND_HASH: Version = Version(1, 20, 0);
    /// From here on the transports are called `rtspTransports`.
    const RTSP_TRANSPORTS: Version = Version(1, 11, 0);
    /// From here on several origins can be named, and the old names of those settings bring a warning.
    const ORIGINS: Version = Version(1, 15, 4);

    /// Reads what `mediamtx --version` prints: `v1.20.1`.
    pub fn parse(text: &str) -> Option<Version> {
        let word = text
            .split_whitespace()
            .find(|w| w.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()))?;
        let numbers = word.trim_start_matches('v').split(['-', '+']).next()?;
        let mut parts = numbers.split('.').map(|p| p.parse().ok());
        Some(Version(parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "v{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The whole file for this version. MediaMTX refuses to start over a field that it does not know, so what came with
/// later versions stands in [`variables`].
pub fn text(version: Version, addresses: &Addresses) -> String {
    let Addresses { rtmp, api, rtsp, metrics, hls, application, .. } = addresses;
    let name = if version >= Version::NAME_BEHIND_HASH { "#$G1" } else { "/$G1" };
    let transports = if version >= Version::RTSP_TRANSPORTS { "rtspTransports" } else { "protocols" };
    let metrics = match metrics {
        Some(address) => format!("metrics: yes\nmetricsAddress: \"{address}\""),
        None => "metrics: no".to_string(),
    };
    // Without parts, which it gives out over TLS alone.
    let hls = match hls {
        Some(address) => format!("hls: yes\nhlsAddress: \"{address}\"\nhlsVariant: fmp4"),
        None => "hls: no".to_string(),
    };
    format!(
        r##"# Written by `msconv up` for MediaMTX {version}; it is written anew each time.
logLevel: info
logDestinations: [stdout]

api: yes
apiAddress: "{api}"
{metrics}
pprof: no

rtsp: yes
rtspAddress: "{rtsp}"
{transports}: [tcp]
rtmp: no
{hls}
webrtc: no
srt: no

paths:
  # Each name is read from nginx-rtmp when the first reader asks for it; live/<name> is the same as <name>.
  "~^(?:live/)?(.+)$":
    source: "rtmp://{rtmp}/{application}{name}"
    sourceOnDemand: yes
    sourceOnDemandStartTimeout: 10s
    sourceOnDemandCloseAfter: 10s
"##
    )
}

/// Settings by environment variable: what a version does not know is ignored there. No page of another origin may
/// read or change anything through the API; servers of later versions stay off.
pub fn variables(version: Version) -> Vec<(&'static str, &'static str)> {
    let origins = if version >= Version::ORIGINS {
        ["MTX_APIALLOWORIGINS", "MTX_METRICSALLOWORIGINS"]
    } else {
        ["MTX_APIALLOWORIGIN", "MTX_METRICSALLOWORIGIN"]
    };
    let mut variables: Vec<_> = origins.map(|name| (name, "http://localhost")).into();
    variables.extend([("MTX_PLAYBACK", "no"), ("MTX_MOQ", "no")]);
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        Addresses {
            rtmp: "127.0.0.1:1935".parse().unwrap(),
            stat: "127.0.0.1:8080".parse().unwrap(),
            api: "127.0.0.1:9997".parse().unwrap(),
            rtsp: "127.0.0.1:8554".parse().unwrap(),
            metrics: Some("127.0.0.1:9998".parse().unwrap()),
            hls: Some("127.0.0.1:8000".parse().unwrap()),
            application: "live".into(),
            stat_path: "/stat".into(),
        }
    }

    #[test]
    fn is_the_golden_one() {
        super::super::golden("mediamtx-1.20.yml", &text(Version(1, 20, 1), &addresses()));
        super::super::golden("mediamtx-1.9.yml", &text(Version(1, 9, 3), &addresses()));
    }

    #[test]
    fn no_version_is_told_of_settings_by_their_old_names() {
        let names = |version| variables(version).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert!(names(Version(1, 15, 4)).contains(&"MTX_APIALLOWORIGINS"));
        assert!(!names(Version(1, 20, 1)).contains(&"MTX_METRICSALLOWORIGIN"));
        assert!(names(Version(1, 15, 3)).contains(&"MTX_APIALLOWORIGIN"));
    }

    #[test]
    fn reads_versions() {
        assert_eq!(Version::parse("v1.20.1\n"), Some(Version(1, 20, 1)));
        assert_eq!(Version::parse("1.9"), Some(Version(1, 9, 0)));
        assert_eq!(Version::parse("MediaMTX v1.21.0-rc1"), Some(Version(1, 21, 0)));
        for bad in ["", "v", "dev", "vx.y.z", "1"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
        assert!(Version(1, 2, 0) < Version::OLDEST && Version(1, 11, 0) > Version::OLDEST);
    }
}
