//! One setting after the other, out of the strongest layer that has it. A wrong value is refused with the layer it stands in.

use super::keys::KEYS;
use super::layers::{Layer, Origin, variable};
use crate::base::next::Advice;
use crate::base::{Failure, Outcome, secret::redact_urls};

/// One line of `config show`.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The key.
    pub name: &'static str,
    /// Its value, secrets masked.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

pub(super) struct Resolver {
    pub(super) layers: Vec<Layer>,
    pub(super) shown: Vec<Shown>,
}

impl Resolver {
    /// The strongest value of a key and where it stands; the default last.
    pub(super) fn raw(&self, name: &'static str) -> (String, Origin) {
        for layer in &self.layers {
            if let Some((value, origin)) = layer.get(name) {
                return (value.to_string(), origin.clone());
            }
        }
        let default = KEYS.iter().find(|k| k.name == name).map_or("", |k| k.default);
        (default.to_string(), Origin::Default)
    }

    /// The value of a key that somebody has set.
    pub(super) fn set(&self, name: &'static str) -> Option<String> {
        let (value, origin) = self.raw(name);
        (origin != Origin::Default).then_some(value)
    }

    /// Resolves one key with `parse`; a default of "" means absent.
    pub(super) fn take<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Outcome<Option<T>> {
        let (value, origin) = self.raw(name);
        self.shown.push(Shown { name, value: redact_urls(&value), origin: origin.clone() });
        if value.is_empty() && origin == Origin::Default {
            return Ok(None);
        }
        parse(&value).map(Some).map_err(|why| blame(name, &origin, &why))
    }

    pub(super) fn need<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Outcome<T> {
        self.take(name, parse)?.ok_or_else(|| Failure::usage(format!("{name} is empty")))
    }

    /// A URL that follows the host of the publish endpoint where it is not set itself.
    pub(super) fn follow<T: std::str::FromStr + std::fmt::Display>(
        &mut self,
        name: &'static str,
        derived: T,
    ) -> Outcome<T>
    where
        T::Err: std::fmt::Display,
    {
        let taken = self.take(name, |t| t.parse::<T>().map_err(|e| format!("'{}': {e}", redact_urls(t))))?;
        Ok(match taken {
            Some(url) => url,
            None => {
                if let Some(shown) = self.shown.last_mut() {
                    shown.value = derived.to_string();
                    shown.origin = Origin::Follows("nginx_rtmp_url");
                }
                derived
            }
        })
    }
}

pub(super) fn blame(name: &'static str, origin: &Origin, why: &str) -> Failure {
    let flag = format!("--{}", name.replace('_', "-"));
    let place = match origin {
        Origin::Flag => flag,
        Origin::Environment => variable(name),
        Origin::File(path, line) => format!("{}:{line}: {name}", path.display()),
        Origin::Follows(_) | Origin::Default => name.to_string(),
    };
    let failure = Failure::usage(format!("{place}: {why}"));
    let example = match name {
        "nginx_rtmp_url" => "rtmp://localhost:1935/live",
        "nginx_stat_url" => "http://localhost:8080/stat",
        "mediamtx_url" => "http://localhost:9997",
        "rtsp_url" => "rtsp://localhost:8554",
        _ => return failure,
    };
    failure.hint(Advice::set(name, example))
}
