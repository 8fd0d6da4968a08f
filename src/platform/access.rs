//! Who may publish and watch registered streams; all other names are for whoever was asked before there were any.
//!
//! - A key opens its stream over every protocol: as the name, as a token, or as the password of the public name.
//! - An unknown or ended key, and the public name of a registered stream without its key, are refused from everywhere, this
//!   machine too, however open publishing is otherwise.
//! - Its renditions come from this machine, where the ladder is made.

use super::directory::Place;
use super::kept::Kept;
use super::programs;
use super::refusals::Refusals;
use super::secrets::hash;
use super::stream::{ReadPolicy, Stream};
use crate::auth::{Action, Answer, Authorizer, Demand, Denied, Grant, Limits, Request, Shown, same};
use crate::base::clock;
use crate::model::secret_word::{Purpose, is_secret};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// See the module.
#[derive(Clone)]
pub struct Access {
    kept: Kept,
    others: Arc<dyn Authorizer>,
    refusals: Refusals,
}

impl Access {
    /// `others` is asked about all that is not registered.
    pub fn new(kept: Kept, others: Arc<dyn Authorizer>) -> Access {
        Access { kept, others, refusals: Refusals::default() }
    }

    async fn decide(self, request: Request) -> Result<Grant, Denied> {
        let name = request.name.reveal();
        match request.action {
            Action::Control => self.others.authorize(request).await,
            _ if name.is_empty() => self.others.authorize(request).await,
            Action::Publish if self.is_own_rung(&request) => {
                let place = self.kept.directory().place(name);
                let name = place.map_or_else(|| name.to_string(), |place| place.name());
                Ok(Grant { name, ..Grant::default() })
            }
            Action::Publish => match self.kept.directory().place(name) {
                Some(place) => self.publish(&request, place).await,
                // A back end that is asked may have keys that look like ours.
                None if is_secret(name) => match self.by_key(name).await {
                    Err(Denied::UnknownKey) if self.demand(Action::Publish) == Demand::Key => {
                        self.others.authorize(request).await
                    }
                    outcome => Ok(granted(&*outcome?, "")),
                },
                None => self.others.authorize(request).await,
            },
            // A key opens nothing to watch, and nobody learns whether it is one.
            Action::Read if self.is_own(&request) => {
                let place = self.kept.directory().place(name);
                let name = place.map_or_else(|| name.to_string(), |place| place.name());
                Ok(Grant { name, own: true, ..Grant::default() })
            }
            Action::Read if is_secret(name) => Err(Denied::UnknownKey),
            Action::Read => match self.kept.directory().place(name) {
                Some(place) => self.read(request, place).await,
                None => self.others.authorize(request).await,
            },
        }
    }

    /// Whether it comes from a program that this server started to make a ladder of this stream.
    fn is_own(&self, request: &Request) -> bool {
        let what = programs::reads(&request.application, request.name.reveal());
        let shown = crate::base::percent::argument(request.query.reveal(), programs::PASS);
        shown.is_some_and(|shown| self.kept.passes().opens(&what, &shown))
    }

    /// Whether it is a rendition that such a program made.
    fn is_own_rung(&self, request: &Request) -> bool {
        let Some(shown) = key_of(&request.shown) else { return false };
        let (name, passes) = (request.name.reveal(), self.kept.passes());
        Purpose::of(&shown) == Some(Purpose::Publish)
            && name.match_indices('_').any(|(at, _)| {
                let stem = name.get(..at).unwrap_or_default();
                passes.opens(&programs::reads(&request.application, stem), &shown)
            })
    }

    /// By the public name, with the key beside it.
    async fn publish(&self, request: &Request, place: Place) -> Result<Grant, Denied> {
        if let Some(label) = &place.label {
            let here = request.address.to_canonical().is_loopback();
            let why = "renditions of a registered stream are made on the server's own machine";
            return match here {
                true => Ok(Grant { name: format!("{}_{label}", place.stream.slug), ..Grant::default() }),
                false => Err(Denied::because(why)),
            };
        }
        let Some(key) = key_of(&request.shown) else { return Err(Denied::NeedsKey) };
        if Purpose::of(&key) == Some(Purpose::Publish) {
            return match self.kept.passes().opens(&place.stream.public_id, &key) {
                true => Ok(granted(&place.stream, "source")),
                false => self.once(&key, &place.stream).await,
            };
        }
        let stream = self.by_key(&key).await?;
        if stream.public_id == place.stream.public_id {
            Ok(granted(&stream, ""))
        } else {
            Err(Denied::UnknownKey)
        }
    }

    /// By a token that somebody was given for one publisher and some minutes.
    async fn once(&self, token: &str, stream: &Stream) -> Result<Grant, Denied> {
        let store = self.kept.store().map_err(|_| Denied::Late)?;
        let row = store.token(&hash(token)).await.map_err(|_| Denied::Late)?;
        let row =
            row.filter(|row| row.kind == "publish" && row.public_id.as_deref() == Some(&stream.public_id));
        let row = row
            .filter(|row| row.expires_ms.is_some_and(|at| at > clock::now_ms()))
            .ok_or(Denied::UnknownKey)?;
        // It serves one: whoever removes it has it.
        match store.remove_token(&row.token_id).await {
            Ok(true) => Ok(granted(stream, "token")),
            Ok(false) => Err(Denied::UnknownKey),
            Err(_) => Err(Denied::Late),
        }
    }

    async fn read(&self, mut request: Request, place: Place) -> Result<Grant, Denied> {
        let shown = key_of(&request.shown).or_else(|| token_in(request.query.reveal()));
        let owns = shown.is_some_and(|shown| Kept::owns(&place.stream, &shown));
        let here = request.address.to_canonical().is_loopback();
        let name = place.name();
        if place.stream.read == ReadPolicy::Owner && !owns && !here {
            return Err(match request.shown.is_some() {
                true => Denied::Wrong,
                false => Denied::NeedsCredentials(Action::Read),
            });
        }
        if owns {
            return Ok(Grant { name, user: "owner".into(), ..Grant::default() });
        }
        request.name = crate::base::secret::Secret::new(name.clone());
        Ok(Grant { name, ..self.others.authorize(request).await? })
    }

    /// The stream that a key opens now. One that is unknown may have been made by another process a moment ago.
    async fn by_key(&self, key: &str) -> Result<Arc<Stream>, Denied> {
        let hash = hash(key);
        let known = match self.kept.directory().by_key(&hash) {
            Some(stream) => Some(stream),
            None => {
                self.kept.look_again().await;
                self.kept.directory().by_key(&hash)
            }
        };
        let stream = known
            .filter(|stream| same(stream.key_hash.as_bytes(), hash.as_bytes()))
            .ok_or(Denied::UnknownKey)?;
        if stream.has_expired(clock::now_ms()) {
            return Err(Denied::because("the time of this stream is over"));
        }
        Ok(stream)
    }
}

/// What a key allows.
fn granted(stream: &Stream, user: &str) -> Grant {
    let left = stream.expires_ms.map(|at| u64::try_from(at.saturating_sub(clock::now_ms())).unwrap_or(0));
    Grant {
        name: stream.slug.clone(),
        user: user.into(),
        limits: Limits { time: left.map(Duration::from_millis) },
        own: false,
    }
}

/// The key among what was shown: a token, or the password of whatever user.
fn key_of(shown: &Shown) -> Option<String> {
    match shown {
        Shown::Token(token) => Some(token.reveal().to_string()),
        Shown::Password { password, .. } => Some(password.reveal().to_string()),
        // Only what is known can be compared with a proof, and of a key the hash alone is.
        Shown::Nothing | Shown::Proof { .. } => None,
    }
}

fn token_in(query: &str) -> Option<String> {
    crate::base::percent::argument(query, "token")
}

impl Authorizer for Access {
    fn authorize(&self, request: Request) -> Answer {
        let access = self.clone();
        let asked = (request.action == Action::Publish).then(|| request.clone());
        Box::pin(async move {
            let decided = access.clone().decide(request).await;
            if let (Some(asked), Err(denied)) = (asked, &decided) {
                access.refusals.tell(&access.kept, &asked, denied);
            }
            decided
        })
    }

    fn demand(&self, action: Action) -> Demand {
        self.others.demand(action)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Access({:?})", self.others)
    }
}
