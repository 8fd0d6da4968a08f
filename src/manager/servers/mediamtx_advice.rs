//! Which line of which MediaMTX file to change, for the three ways in which it refuses: no path, no right, no answer.

use crate::base::atomic_file;
use crate::config::{Environment, Settings};
use std::path::PathBuf;

/// What is to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The paths and where they are pulled from.
    Paths,
    /// Who may read.
    Reading,
    /// Who may ask the API.
    Api,
}

impl Setting {
    /// The words to look for in the file, most telling first.
    fn words(self) -> &'static [&'static str] {
        match self {
            Setting::Paths => &["paths:"],
            Setting::Reading | Setting::Api => &["authInternalUsers:", "authMethod:", "authHTTPAddress:"],
        }
    }

    /// What the line must say.
    fn cure(self) -> &'static str {
        match self {
            // Released versions since 1.20 want the stream's name behind '#', earlier ones behind '/'.
            Setting::Paths => {
                "paths: \"~^(?:live/)?(.+)$\": source: rtmp://HOST:1935/live#$G1 (before version 1.20: /live/$G1), \
                 sourceOnDemand: yes"
            }
            Setting::Reading => "authInternalUsers: a user `any` with the permission `read`",
            Setting::Api => {
                "authInternalUsers: a user with the permission `api`, `ips` holding this machine's address \
                 (through Docker that is the bridge's, not 127.0.0.1)"
            }
        }
    }
}

/// `in /path/mediamtx.yml, line 12: paths: ...`, or the same without a file where none is found.
pub fn advice(setting: Setting, settings: &Settings, environment: &Environment) -> String {
    for file in candidates(settings, environment) {
        let Ok(bytes) = atomic_file::read_small(&file, 1024 * 1024) else { continue };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        return match line_of(&text, setting) {
            Some(line) => format!("in {}, line {line}: {}", file.display(), setting.cure()),
            None => format!("in {}: {}", file.display(), setting.cure()),
        };
    }
    format!("in mediamtx.yml: {}", setting.cure())
}

/// Where the configuration stands: that of our own backend first.
fn candidates(settings: &Settings, environment: &Environment) -> Vec<PathBuf> {
    let native = settings.paths.native();
    vec![
        native.join("mediamtx.yml"),
        native.join("conf/mediamtx.yml"),
        settings.paths.docker().join("stack/docker/mediamtx.yml"),
        settings.paths.home().join("docker/mediamtx.yml"),
        environment.cwd.join("docker/mediamtx.yml"),
        environment.cwd.join("mediamtx.yml"),
        "/etc/mediamtx/mediamtx.yml".into(),
        "/etc/mediamtx.yml".into(),
        "/usr/local/etc/mediamtx.yml".into(),
    ]
}

/// The line, counted from 1, at which the setting begins.
fn line_of(text: &str, setting: Setting) -> Option<usize> {
    setting.words().iter().find_map(|word| {
        let at = text.lines().position(|line| line.trim_start().starts_with(word))?;
        at.checked_add(1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;

    #[test]
    fn names_file_and_line() {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment::made(&[], dir.path());
        let settings = Settings::load(Layer::flags([]), &environment).unwrap();
        assert!(advice(Setting::Paths, &settings, &environment).starts_with("in mediamtx.yml: paths:"));
        std::fs::create_dir_all(dir.path().join("docker")).unwrap();
        let file = dir.path().join("docker/mediamtx.yml");
        std::fs::write(
            &file,
            "# a comment: paths:\nrtmp: no\nauthInternalUsers:\n- user: any\npaths:\n  all:\n",
        )
        .unwrap();
        let told = advice(Setting::Paths, &settings, &environment);
        assert!(told.starts_with(&format!("in {}, line 5: paths:", file.display())), "{told}");
        assert!(advice(Setting::Api, &settings, &environment).contains("line 3"));
    }
}
