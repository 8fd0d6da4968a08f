//! One layer of settings each: flags, environment, a file. Values stay text until they are resolved, so that a
//! mistake can be blamed on the layer it stands in.

use super::environment::Environment;
use super::keys::{self, KEYS};
use crate::base::{Failure, Outcome, atomic_file, failure::io_words};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag on the command line.
    Flag,
    /// An environment variable.
    Environment,
    /// A configuration file and the line in it.
    File(PathBuf, usize),
    /// Worked out from another setting.
    Follows(&'static str),
    /// Built in.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag => f.write_str("flag"),
            Origin::Environment => f.write_str("environment"),
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Follows(name) => write!(f, "follows {name}"),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// Settings of one origin, by key name.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    values: BTreeMap<&'static str, (String, Origin)>,
}

impl Layer {
    /// The flags that were typed.
    pub fn flags(typed: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Layer {
        let mut layer = Layer::default();
        for (name, value) in typed {
            if let (Some(key), Some(value)) = (keys::find(name), value) {
                layer.values.insert(key.name, (value, Origin::Flag));
            }
        }
        layer
    }

    /// As [`Layer::flags`], of pairs that came from [`Layer::values`]; a name that is no setting is passed over.
    pub fn typed(pairs: impl IntoIterator<Item = (String, String)>) -> Layer {
        let known = |(name, value): (String, String)| Some((keys::find(&name)?.name, Some(value)));
        Layer::flags(pairs.into_iter().filter_map(known))
    }

    /// Each value with its name.
    pub fn values(&self) -> Vec<(String, String)> {
        self.values.iter().map(|(name, (value, _))| (name.to_string(), value.clone())).collect()
    }

    /// The `MSCONV_*` variables that name a setting; others with that prefix are left alone.
    pub fn environment(environment: &Environment) -> Layer {
        let mut layer = Layer::default();
        for key in KEYS {
            if let Some(value) = environment.get(&variable(key.name)) {
                layer.values.insert(key.name, (value.to_string(), Origin::Environment));
            }
        }
        layer
    }

    /// A configuration file; `None` if there is none at `path`.
    ///
    /// # Errors
    /// Usage, naming file and line, for wrong TOML, unknown keys and values that are no text, number or truth value.
    pub fn file(path: &Path) -> Outcome<Option<Layer>> {
        let bytes = match atomic_file_read(path) {
            Ok(bytes) => bytes,
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(e) => {
                return Err(Failure::usage(format!("cannot read the configuration {}", path.display()))
                    .why(io_words(&e)));
            }
        };
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::usage(format!("the configuration {} is not UTF-8 text", path.display())))?;
        parse(path, &text).map(Some)
    }

    /// The value of a key in this layer.
    pub fn get(&self, name: &str) -> Option<(&str, &Origin)> {
        self.values.get(name).map(|(v, o)| (v.as_str(), o))
    }
}

/// Configuration files may be links (people keep them in a repository), but only small plain files are read.
fn atomic_file_read(path: &Path) -> io::Result<Vec<u8>> {
    let real = path.canonicalize()?;
    atomic_file::read_small(&real, 256 * 1024)
}

/// `MSCONV_NGINX_STAT_URL` of `nginx_stat_url`.
pub fn variable(name: &str) -> String {
    format!("MSCONV_{}", name.to_ascii_uppercase())
}

/// Reads the text of a configuration file.
///
/// # Errors
/// As [`Layer::file`].
pub fn parse(path: &Path, text: &str) -> Outcome<Layer> {
    let line_of = |offset: usize| text.get(..offset).map_or(1, |head| head.matches('\n').count() + 1);
    let bad = |line: usize, what: String| Failure::usage(format!("{}:{line}: {what}", path.display()));
    let document = text.parse::<toml::Table>().map_err(|e| {
        let line = e.span().map_or(1, |s| line_of(s.start));
        bad(line, format!("the configuration is not valid TOML: {}", e.message()))
    })?;
    let mut layer = Layer::default();
    for (name, value) in document {
        let line = line_of_key(text, &name);
        let Some(key) = keys::find(&name).filter(|k| k.in_files) else {
            let failure = bad(line, format!("there is no setting '{name}'"));
            return Err(match keys::nearest(&name) {
                Some(near) => failure.hint(format!("{near} = ...")),
                None => {
                    let names: Vec<&str> = KEYS.iter().filter(|k| k.in_files).map(|k| k.name).collect();
                    failure.why(format!("the settings are {}", names.join(", ")))
                }
            });
        };
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(n) => n.to_string(),
            toml::Value::Float(n) => n.to_string(),
            toml::Value::Boolean(b) => b.to_string(),
            toml::Value::Array(items) if key.name == "variants" => {
                let texts: Option<Vec<&str>> = items.iter().map(|i| i.as_str()).collect();
                texts.ok_or_else(|| bad(line, "variants is a list of texts".into()))?.join(",")
            }
            other => return Err(bad(line, format!("{name} cannot be a {}", other.type_str()))),
        };
        layer.values.insert(key.name, (value, Origin::File(path.to_path_buf(), line)));
    }
    Ok(layer)
}

fn line_of_key(text: &str, name: &str) -> usize {
    text.lines()
        .position(|l| {
            let l = l.trim_start().trim_start_matches(['"', '\'', '[']);
            l.strip_prefix(name).is_some_and(|rest| {
                rest.trim_start_matches(['"', '\'']).trim_start().starts_with(['=', '.', ']'])
            })
        })
        .map_or(1, |n| n + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_a_file_names_file_and_line() {
        let path = Path::new("msconv.toml");
        let error = parse(path, "# hi\nqualty = \"fast\"\n").unwrap_err();
        assert!(error.to_string().starts_with("msconv.toml:2: there is no setting 'qualty'"), "{error}");
        assert!(crate::ui::failure_text::text(&error).contains("try: quality = ..."), "{error}");
        let error = parse(path, "wait = \"1s\"\n\nfps = = 3\n").unwrap_err();
        assert!(error.what().starts_with("msconv.toml:3:"), "{error}");
        let error = parse(path, "[server]\nx=1\n").unwrap_err();
        assert!(error.what().contains("no setting 'server'"), "{error}");
    }

    #[test]
    fn reads_texts_numbers_and_lists() {
        let layer =
            parse(Path::new("c"), "fps = 25\nvariants = [\"a:1M:16:16\", \"b:2M:32:32\"]\nquiet = true")
                .unwrap();
        assert_eq!(layer.get("fps").unwrap().0, "25");
        assert_eq!(layer.get("variants").unwrap().0, "a:1M:16:16,b:2M:32:32");
        assert_eq!(layer.get("quiet").unwrap().0, "true");
    }
}
