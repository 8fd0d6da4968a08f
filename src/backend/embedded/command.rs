//! How `up` starts `msconv serve`: everything that it needs as flags, so that it depends on no working folder; passwords
//! in its environment, where other users cannot read them.

use crate::base::{CommandLine, Outcome};
use crate::config::admission::Admission;
use crate::config::{Environment, Settings};
use std::path::Path;
use std::time::Duration;

/// The command.
///
/// # Errors
/// Internal, if our own program cannot be found.
pub fn line(settings: &Settings, environment: &Environment, log: &Path) -> Outcome<CommandLine> {
    let told = &settings.serve;
    let mut line = CommandLine::new(&environment.own_program()?);
    line.arg("serve").arg("--json").arg("--no-input").arg("--color").arg("never");
    line.arg("--log-file").arg(log);
    line.arg("--home").arg(settings.paths.home());
    // The files that we read stand where they stood for us.
    if let (Some(_), Some(file)) = (settings.named_file(), settings.files().first()) {
        line.arg("--config").arg(file);
    }
    for (flag, value) in [
        ("--log-level", settings.log_level.word().to_string()),
        ("--listen", told.listen.to_string()),
        ("--control-listen", told.control_listen.to_string()),
        ("--ladder", told.ladder.to_string()),
        ("--applications", told.applications.join(",")),
        ("--stat-path", told.stat_path.clone()),
        ("--readers-per-address", told.readers_per_address.to_string()),
        ("--publishers-per-address", told.publishers_per_address.to_string()),
        ("--hls-segment", milliseconds(told.hls.segment)),
        ("--hls-part", milliseconds(told.hls.part)),
        ("--hls-window", milliseconds(told.hls.window)),
        ("--publish-user", told.publish.user.clone()),
        ("--read-user", told.read.user.clone()),
    ] {
        line.arg(flag).arg(value);
    }
    if let Some(workers) = told.media_workers {
        line.arg("--media-workers").arg(workers.to_string());
    }
    for (service, port) in told.ports.each() {
        line.arg(format!("--{}", service.row().flag)).arg(port.to_string());
    }
    for address in &told.public_address {
        line.arg("--public-address").arg(address);
    }
    for server in &told.ice_server {
        line.arg("--ice-server").arg(server);
    }
    if let Some(data) = &told.data {
        line.arg("--data").arg(data);
    }
    if let Some((certificate, key)) = told.tls()? {
        line.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
    }
    admission(&mut line, told.admission.as_ref());
    if !told.trusted.is_empty() {
        let networks: Vec<String> = told.trusted.iter().map(ToString::to_string).collect();
        line.arg("--trusted").arg(networks.join(","));
    }
    Ok(line)
}

/// The back end; its address goes by a variable, since it may hold a password.
fn admission(line: &mut CommandLine, told: Option<&Admission>) {
    let Some(told) = told else { return };
    line.arg("--admission-form").arg(told.form.word());
    line.arg("--admission-on").arg(told.on());
    if let Some(file) = &told.secret_file {
        line.arg("--admission-secret-file").arg(file);
    }
}

fn milliseconds(length: Duration) -> String {
    format!("{}ms", length.as_millis())
}

/// Variables: the passwords, and none of those that flags replace.
///
/// # Errors
/// Usage: a password that cannot be read.
pub fn variables(settings: &Settings) -> Outcome<Vec<(&'static str, String)>> {
    let told = &settings.serve;
    let mut stdin = std::io::stdin();
    let password = |found: Option<crate::config::serve::Credentials>| {
        found.map(|c| c.password.reveal().to_string()).unwrap_or_default()
    };
    let of = |word: fn(&Admission) -> String| told.admission.as_ref().map(word).unwrap_or_default();
    let path = |path: Option<&Path>| path.map(|path| path.display().to_string()).unwrap_or_default();
    Ok(vec![
        ("MSCONV_PUBLISH_PASSWORD", password(told.publish.credentials(&mut stdin)?)),
        ("MSCONV_PUBLISH_PASSWORD_FILE", String::new()),
        ("MSCONV_READ_PASSWORD", password(told.read.credentials(&mut stdin)?)),
        ("MSCONV_READ_PASSWORD_FILE", String::new()),
        ("MSCONV_DATABASE", told.database.as_ref().map(|url| url.reveal().to_string()).unwrap_or_default()),
        ("MSCONV_HOOKS_COMMAND", path(told.hooks_command.as_deref())),
        ("MSCONV_OPEN_REGISTRATION", told.open_registration.to_string()),
        ("MSCONV_ADMISSION_URL", of(|a| a.url.reveal())),
        ("MSCONV_ADMISSION_TIMEOUT", of(|a| milliseconds(a.timeout))),
        ("MSCONV_ADMISSION_CACHE", of(|a| milliseconds(a.cache))),
        ("MSCONV_ADMISSION_WHEN_SILENT", of(|a| a.when_silent().to_string())),
        ("MSCONV_WEB", told.web.to_string()),
        ("MSCONV_QUIET", String::new()),
        ("MSCONV_CONFIG", String::new()),
        ("MSCONV_TRUSTED", String::new()),
    ])
}
