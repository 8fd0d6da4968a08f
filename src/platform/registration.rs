//! What may be said of a stream that is registered or changed, and what of it can be taken.

use super::refusal::{Refusal, Wrong};
use super::sources::{Origin, Source};
use super::stream::{ReadPolicy, Stream};
use crate::model::secret_word::is_secret;
use crate::model::{LadderPolicy, StreamKey};

/// Characters of a title.
const LONGEST_NAME: usize = 120;
/// Characters of a description.
const LONGEST_DESCRIPTION: usize = 2000;
/// Characters of a slug: with the longest label it is still a name on every server.
const LONGEST_SLUG: usize = 48;

/// What is said of a stream; what is not said stays as it is, and of a new stream is the default. Within an `Option` an inner
/// `None` takes a value away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The title.
    pub name: Option<String>,
    /// The name in addresses.
    pub slug: Option<String>,
    /// A few words.
    pub description: Option<String>,
    /// Whether it is listed.
    pub listed: Option<bool>,
    /// `off`, `auto`, a list; nothing where the server's setting decides.
    pub ladder: Option<Option<String>>,
    /// Whether it is recorded.
    pub record: Option<bool>,
    /// Whether it has a chat.
    pub chat: Option<bool>,
    /// `anyone` or `owner`.
    pub read: Option<String>,
    /// When its key stops opening it, milliseconds since 1970.
    pub expires_ms: Option<Option<i64>>,
    /// Where it comes from, if msconv is to publish it.
    pub source: Option<Option<Origin>>,
}

impl Said {
    /// Takes what is said over into `stream`.
    ///
    /// # Errors
    /// Every value that cannot be taken, each with its reason.
    pub fn onto(self, stream: &mut Stream, now_ms: i64) -> Result<(), Refusal> {
        let mut wrong = Wrongs::default();
        if let Some(name) = self.name {
            stream.name = wrong.text("name", name, 1, LONGEST_NAME);
        }
        if let Some(description) = self.description {
            stream.description = wrong.text("description", description, 0, LONGEST_DESCRIPTION);
        }
        if let Some(slug) = self.slug {
            wrong.check("slug", slug_fits(&slug));
            stream.slug = slug;
        }
        if let Some(ladder) = self.ladder {
            let ladder = ladder.unwrap_or_default();
            wrong.check("ladder", ladder_fits(&ladder));
            stream.ladder = ladder;
        }
        if let Some(read) = self.read {
            match ReadPolicy::of(&read) {
                Some(policy) => stream.read = policy,
                None => wrong.add("read", "it is `anyone` or `owner`"),
            }
        }
        if let Some(expires_ms) = self.expires_ms {
            if expires_ms.is_some_and(|at| at <= now_ms) {
                wrong.add("expires_at", "it lies in the past");
            }
            stream.expires_ms = expires_ms;
        }
        if let Some(origin) = self.source {
            wrong.check("source", origin.as_ref().map_or(Ok(()), Origin::check));
            let started_ms = stream.source.take().and_then(|before| before.started_ms);
            stream.source = origin.map(|origin| Source { origin, started_ms });
        }
        stream.listed = self.listed.unwrap_or(stream.listed);
        stream.record = self.record.unwrap_or(stream.record);
        stream.chat = self.chat.unwrap_or(stream.chat);
        stream.updated_ms = now_ms;
        if wrong.0.is_empty() { Ok(()) } else { Err(Refusal::Invalid(wrong.0)) }
    }
}

#[derive(Default)]
struct Wrongs(Vec<Wrong>);

impl Wrongs {
    fn add(&mut self, field: &'static str, why: impl Into<String>) {
        self.0.push(Wrong { field, why: why.into() });
    }

    fn check(&mut self, field: &'static str, outcome: Result<(), String>) {
        if let Err(why) = outcome {
            self.add(field, why);
        }
    }

    /// A text within its length and without control characters, but for line breaks where it may be long.
    fn text(&mut self, field: &'static str, text: String, least: usize, most: usize) -> String {
        let text = text.trim().to_string();
        let length = text.chars().count();
        if !(least..=most).contains(&length) {
            self.add(field, format!("it has {least} to {most} characters, this one has {length}"));
        }
        let breaks = most == LONGEST_DESCRIPTION;
        if text.chars().any(|c| c.is_control() && !(breaks && c == '\n')) {
            self.add(field, "it holds a control character");
        }
        text
    }
}

/// A slug is a stream key, and is taken for nothing else.
fn slug_fits(slug: &str) -> Result<(), String> {
    slug.parse::<StreamKey>().map_err(|error| error.to_string().replace("stream key", "slug"))?;
    if is_secret(slug) {
        return Err("it would be taken for a key".into());
    }
    if slug.len() > LONGEST_SLUG {
        return Err(format!("a slug has at most {LONGEST_SLUG} characters"));
    }
    Ok(())
}

fn ladder_fits(ladder: &str) -> Result<(), String> {
    match ladder {
        "" => Ok(()),
        policy => policy.parse::<LadderPolicy>().map(drop).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(said: Said) -> Vec<&'static str> {
        match said.onto(&mut Stream::default(), 100) {
            Ok(()) => Vec::new(),
            Err(Refusal::Invalid(wrong)) => wrong.iter().map(|w| w.field).collect(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let said = Said {
            name: Some(" ".into()),
            slug: Some("key_mine".into()),
            ladder: Some(Some("720p:x".into())),
            read: Some("nobody".into()),
            expires_ms: Some(Some(100)),
            ..Said::default()
        };
        assert_eq!(fields(said), ["name", "slug", "ladder", "read", "expires_at"]);
        for slug in ["a b", "", "-a", &"a".repeat(49), "con"] {
            assert_eq!(fields(Said { slug: Some(slug.into()), ..Said::default() }), ["slug"], "{slug}");
        }
        assert_eq!(fields(Said { name: Some("a\u{1b}[31m".into()), ..Said::default() }), ["name"]);
    }

    #[test]
    fn what_is_not_said_stays() {
        let mut stream = Stream { name: "a".into(), listed: true, expires_ms: Some(7), ..Stream::default() };
        Said { slug: Some("film".into()), ladder: Some(Some("auto".into())), ..Said::default() }
            .onto(&mut stream, 9)
            .unwrap();
        assert_eq!((stream.name.as_str(), stream.listed, stream.expires_ms), ("a", true, Some(7)));
        assert_eq!((stream.slug.as_str(), stream.ladder.as_str(), stream.updated_ms), ("film", "auto", 9));
        Said { ladder: Some(None), expires_ms: Some(None), ..Said::default() }.onto(&mut stream, 9).unwrap();
        assert_eq!((stream.ladder.as_str(), stream.expires_ms), ("", None));
    }
}
