//! The configuration file that `config init` writes: every setting as a comment, with what it means and its default.

use super::keys::{KEYS, Key};
use std::fmt::Write;

/// The text of the file. Taking the `# ` away from any setting gives a valid file.
pub fn template() -> String {
    let mut text = String::from(
        "# Settings of msconv. Take the '# ' away from a line to set it.\n\
         # Stronger, in this order: a flag, then an MSCONV_* environment variable, then this file.\n\
         # What is in force, and from where:  msconv config show\n",
    );
    for key in KEYS.iter().filter(|key| key.in_files) {
        let _ = write!(text, "\n# {}\n# {} = {}\n", key.help, key.name, value(key));
    }
    text
}

/// The default as TOML, or an example where there is no fixed one.
fn value(key: &Key) -> String {
    let text = if key.default.is_empty() { example(key.name) } else { key.default };
    let bare = matches!(text, "true" | "false") || text.parse::<f64>().is_ok();
    if bare { text.to_string() } else { format!("\"{text}\"") }
}

fn example(name: &str) -> &'static str {
    match name {
        "nginx_stat_url" => "http://localhost:8080/stat",
        "mediamtx_url" => "http://localhost:9997",
        "rtsp_url" => "rtsp://localhost:8554",
        "stream_key" => "stream1",
        "variants" => "720p:2500k:1280:720,360p:600k:640:360",
        "fps" => "25",
        "player" => "mpv",
        "protocol" => "rtsp",
        "ffmpeg" => "/usr/bin/ffmpeg",
        "ffprobe" => "/usr/bin/ffprobe",
        "nginx" => "/usr/sbin/nginx",
        "mediamtx" => "/usr/local/bin/mediamtx",
        "control_listen" => "127.0.0.1",
        "media_workers" => "2",
        "data" => "/var/lib/msconv",
        "database" => "postgres://msconv@db.example.org/msconv",
        "hooks_command" => "/usr/local/bin/on-event",
        "public_address" => "203.0.113.7",
        "ice_server" => "turn:turn.example.org:3478",
        "admission_url" => "http://127.0.0.1:3000/admission",
        "admission_secret_file" => "/run/secrets/admission",
        "tls_cert" => "/etc/msconv/cert.pem",
        "tls_key" => "/etc/msconv/key.pem",
        "trusted" => "192.168.1.0/24",
        "publish_password" | "read_password" => "a-long-random-one",
        "publish_password_file" => "/run/secrets/publish_password",
        "read_password_file" => "/run/secrets/read_password",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Layer, Settings};

    #[test]
    fn every_line_of_it_can_be_switched_on() {
        let text = template();
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment::made(&[], dir.path());
        for key in KEYS.iter().filter(|key| key.in_files) {
            let line = text
                .lines()
                .find_map(|l| l.strip_prefix("# ").filter(|l| l.starts_with(&format!("{} = ", key.name))))
                .unwrap_or_else(|| panic!("{} is not in the file", key.name));
            std::fs::write(dir.path().join("msconv.toml"), line).unwrap();
            let settings = Settings::load(Layer::default(), &environment)
                .unwrap_or_else(|e| panic!("'{line}' is refused: {e}"));
            assert!(settings.shown().iter().any(|s| s.name == key.name && !s.value.is_empty()), "{line}");
        }
    }

    #[test]
    fn as_written_it_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("msconv.toml"), template()).unwrap();
        let environment = Environment::made(&[], dir.path());
        let settings = Settings::load(Layer::default(), &environment).unwrap();
        assert_eq!(settings.files().len(), 1);
        let set = settings.shown().iter().filter(|s| matches!(s.origin, crate::config::Origin::File(..)));
        assert_eq!(set.count(), 0);
    }
}
