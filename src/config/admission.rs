//! A back end that is asked who may publish and read: where it is, in which form it is asked, and what its answers are worth.

use super::resolver::Resolver;
use super::secret_file::first_line;
use crate::base::clock::{parse_duration, spoken};
use crate::base::secret::Secret;
use crate::base::{Failure, Outcome};
use crate::model::HttpUrl;
use crate::model::network::is_link_local;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time limits of an answer. The protocols themselves wait for ten seconds.
const TIMEOUT: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(9)];
/// The longest time for which an answer holds.
const CACHE: [Duration; 2] = [Duration::ZERO, Duration::from_secs(600)];

/// In which form it is asked: that of the server for which the back end was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `GET /api/streams/KEY`, as Streamly's RTMP server does.
    Streamly,
    /// `on_publish` and `on_play` of nginx-rtmp.
    NginxRtmp,
    /// `http_hooks` of SRS.
    Srs,
    /// `authHTTPAddress` of MediaMTX.
    Mediamtx,
    /// Admission webhooks of OvenMediaEngine.
    Ome,
    /// `notify.url` of node-media-server.
    Nms,
    /// Our own.
    Msconv,
}

impl Form {
    /// Every form with its word.
    pub const ALL: [(&'static str, Form); 7] = [
        ("streamly", Form::Streamly),
        ("nginx-rtmp", Form::NginxRtmp),
        ("srs", Form::Srs),
        ("mediamtx", Form::Mediamtx),
        ("ome", Form::Ome),
        ("nms", Form::Nms),
        ("msconv", Form::Msconv),
    ];

    /// Its word in settings.
    pub fn word(self) -> &'static str {
        Form::ALL.iter().find(|(_, form)| *form == self).map_or("msconv", |(word, _)| word)
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Where the back end is.
    pub url: HttpUrl,
    /// How it is asked.
    pub form: Form,
    /// The file of the secret that signs questions.
    pub secret_file: Option<PathBuf>,
    /// Whether it decides about publishing.
    pub publish: bool,
    /// Whether it decides about reading.
    pub read: bool,
    /// How long it may take.
    pub timeout: Duration,
    /// How long an answer holds.
    pub cache: Duration,
    /// Whether what it allowed within a day is allowed while it is silent.
    pub allow_known: bool,
}

impl Admission {
    /// The secret in its file; `stdin` is read where the file is `-`.
    ///
    /// # Errors
    /// Usage: a file that cannot be read or is empty.
    pub fn secret(&self, stdin: &mut dyn Read) -> Outcome<Option<Secret>> {
        let Some(file) = &self.secret_file else { return Ok(None) };
        let secret = first_line("admission secret", file, stdin)?;
        if secret.reveal().trim().is_empty() {
            return Err(Failure::usage("the admission secret is empty")
                .why(format!("{} has nothing in its first line", file.display())));
        }
        Ok(Some(secret))
    }

    /// What `admission_on` says.
    pub fn on(&self) -> &'static str {
        match (self.publish, self.read) {
            (true, false) => "publish",
            (false, true) => "read",
            _ => "publish,read",
        }
    }

    /// What `admission_when_silent` says.
    pub fn when_silent(&self) -> &'static str {
        if self.allow_known { "allow-known" } else { "deny" }
    }
}

impl Resolver {
    /// Everything about the back end, if there is one. The other settings are read all the same, so that a mistake shows.
    pub(super) fn admission(&mut self, cwd: &Path) -> Outcome<Option<Admission>> {
        let url = self.take("admission_url", back_end)?;
        let form = self.need("admission_form", form)?;
        let secret_file = self.take("admission_secret_file", |text| Ok(cwd.join(text)))?;
        let (publish, read) = self.need("admission_on", on)?;
        let timeout = self.need("admission_timeout", |text| within(text, TIMEOUT))?;
        let cache = self.need("admission_cache", |text| within(text, CACHE))?;
        let allow_known = self.need("admission_when_silent", silent)?;
        let Some(url) = url else { return Ok(None) };
        Ok(Some(Admission { url, form, secret_file, publish, read, timeout, cache, allow_known }))
    }
}

fn back_end(text: &str) -> Result<HttpUrl, String> {
    let url = text.parse::<HttpUrl>().map_err(|e| format!("it is no usable address: {e}"))?;
    if url.host().parse::<IpAddr>().is_ok_and(is_link_local) {
        return Err("a link-local address (169.254.0.0/16, fe80::/10) is never asked".into());
    }
    Ok(url)
}

fn form(text: &str) -> Result<Form, String> {
    let found = Form::ALL.iter().find(|(word, _)| *word == text).map(|(_, form)| *form);
    found.ok_or_else(|| {
        let words: Vec<&str> = Form::ALL.iter().map(|(word, _)| *word).collect();
        format!("'{text}' is no form; there are {}", words.join(", "))
    })
}

fn on(text: &str) -> Result<(bool, bool), String> {
    let words: Vec<&str> = text.split(',').map(str::trim).collect();
    match words.iter().find(|word| !matches!(**word, "publish" | "read")) {
        Some(wrong) => Err(format!("'{wrong}' is neither publish nor read")),
        None => Ok((words.contains(&"publish"), words.contains(&"read"))),
    }
}

fn silent(text: &str) -> Result<bool, String> {
    match text {
        "deny" => Ok(false),
        "allow-known" | "allow known" => Ok(true),
        _ => Err(format!("'{text}' is neither deny nor allow-known")),
    }
}

fn within(text: &str, [least, most]: [Duration; 2]) -> Result<Duration, String> {
    let length = parse_duration(text)?;
    if (least..=most).contains(&length) {
        Ok(length)
    } else {
        Err(format!("'{text}' is not between {} and {}", spoken(least), spoken(most)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Layer, Settings};

    fn load(flags: &[(&'static str, &str)]) -> Result<Option<Admission>, String> {
        let dir = tempfile::tempdir().unwrap();
        let flags = Layer::flags(flags.iter().map(|(name, value)| (*name, Some((*value).to_string()))));
        let settings = Settings::load(flags, &Environment::made(&[], dir.path()));
        settings.map(|settings| settings.serve.admission).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_back_end_is_asked_as_the_settings_say() {
        assert!(load(&[]).unwrap().is_none());
        let plain = load(&[("admission_url", "http://127.0.0.1:3000/a")]).unwrap().unwrap();
        assert_eq!((plain.form, plain.on(), plain.when_silent()), (Form::Msconv, "publish,read", "deny"));
        assert_eq!((plain.timeout, plain.cache), (Duration::from_secs(3), Duration::from_secs(10)));
        for (word, form) in Form::ALL {
            let flags =
                [("admission_url", "https://a.example"), ("admission_form", word), ("admission_on", "read")];
            let told = load(&flags).unwrap().unwrap();
            assert_eq!((told.form, told.form.word(), told.on()), (form, word, "read"));
        }
        let known = [("admission_url", "http://10.0.0.1"), ("admission_when_silent", "allow known")];
        assert!(load(&known).unwrap().unwrap().allow_known);
    }

    #[test]
    fn mistakes_are_named() {
        let url = ("admission_url", "http://10.0.0.1/a");
        for (flags, why) in [
            (&[("admission_url", "ftp://x")][..], "it must begin with http:// or https://"),
            (&[("admission_url", "http://169.254.169.254/latest")], "link-local"),
            (&[("admission_url", "http://[fe80::1]/")], "link-local"),
            (&[("admission_url", "http://[::ffff:169.254.1.1]/")], "link-local"),
            (&[url, ("admission_form", "nginx")], "'nginx' is no form; there are streamly, nginx-rtmp, srs"),
            (&[url, ("admission_on", "publish,play")], "'play' is neither publish nor read"),
            (&[url, ("admission_timeout", "10s")], "'10s' is not between"),
            (&[url, ("admission_cache", "1h")], "'1h' is not between"),
            (&[url, ("admission_when_silent", "allow")], "'allow' is neither deny nor allow-known"),
        ] {
            let failure = load(flags).unwrap_err();
            assert!(failure.contains(why), "{flags:?}: {failure}");
        }
    }
}
