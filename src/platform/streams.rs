//! Registering, changing and removing streams.

use super::events::{Event, Type};
use super::kept::Kept;
use super::refusal::Refusal;
use super::registration::Said;
use super::secrets;
use super::stream::Stream;
use crate::auth::same;
use crate::base::clock;
use crate::base::secret::Secret;
use crate::model::secret_word::Purpose;
use crate::store::streams::{Changed, StreamRow};
use serde_json::{Value, json};
use std::sync::Arc;

/// Most registered streams; each takes memory.
const MOST: usize = 100_000;
/// Attempts at a change that somebody else's came before.
const ATTEMPTS: usize = 5;

/// A stream with its secrets, which are shown this once.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The stream.
    pub stream: Arc<Stream>,
    /// Its owner's secret.
    pub private_id: Secret,
    /// What it is published with.
    pub stream_key: Secret,
}

impl Kept {
    /// Registers a stream.
    ///
    /// # Errors
    /// Values that cannot be taken, a slug that is another's, too many streams, no database.
    pub async fn register(&self, said: Said) -> Result<Registered, Refusal> {
        let store = self.store()?;
        if self.directory().count() >= MOST {
            return Err(Refusal::Conflict(format!("there are {MOST} streams already, and no more can be")));
        }
        let now_ms = clock::now_ms();
        let (private_id, stream_key) = (secrets::made(Purpose::Private), secrets::made(Purpose::Key));
        let public_id = secrets::public_id();
        let mut stream = Stream {
            slug: public_id.clone(),
            public_id,
            listed: true,
            chat: true,
            created_ms: now_ms,
            private_hash: secrets::hash(private_id.reveal()),
            key_hash: secrets::hash(stream_key.reveal()),
            ..Stream::default()
        };
        let said = Said { name: Some(said.name.clone().unwrap_or_default()), ..said };
        said.onto(&mut stream, now_ms)?;
        self.slug_is_free(&stream)?;
        store.add_stream(&stream.row()).await?;
        let stream = self.after_change(&stream.public_id).await?;
        self.tell(Type::StreamCreated, &stream, json!({})).await;
        Ok(Registered { stream, private_id, stream_key })
    }

    /// A registered stream by its public id or its slug.
    ///
    /// # Errors
    /// There is none.
    pub fn stream(&self, id: &str) -> Result<Arc<Stream>, Refusal> {
        self.directory().find(id).ok_or(Refusal::Missing("stream"))
    }

    /// Changes a stream; only if it is still at `version`, if that is given. `on_air` says that its slug must stay.
    ///
    /// # Errors
    /// As [`Kept::register`], and if somebody else changed it.
    pub async fn change(
        &self,
        id: &str,
        said: Said,
        version: Option<i64>,
        on_air: bool,
    ) -> Result<Arc<Stream>, Refusal> {
        self.replaced(id, version, |stream| {
            let slug = stream.slug.clone();
            said.clone().onto(stream, clock::now_ms())?;
            if stream.slug != slug {
                if on_air {
                    return Err(Refusal::Conflict(
                        "its slug cannot change while it is live; stop it first".into(),
                    ));
                }
                self.slug_is_free(stream)?;
            }
            Ok(stream.row())
        })
        .await?;
        let stream = self.after_change(id).await?;
        self.tell(Type::StreamUpdated, &stream, json!({})).await;
        Ok(stream)
    }

    /// Gives a stream a new key. The old one opens nothing from now on, and whoever publishes with it is ended.
    ///
    /// # Errors
    /// There is none, or no database.
    pub async fn new_key(&self, id: &str) -> Result<(Arc<Stream>, Secret), Refusal> {
        let key = secrets::made(Purpose::Key);
        let hash = secrets::hash(key.reveal());
        self.replaced(id, None, |stream| {
            stream.key_hash.clone_from(&hash);
            stream.updated_ms = clock::now_ms();
            Ok(stream.row())
        })
        .await?;
        let stream = self.after_change(id).await?;
        self.tell(Type::StreamUpdated, &stream, json!({ "key": "new" })).await;
        Ok((stream, key))
    }

    /// Removes a stream; whoever publishes it is ended.
    ///
    /// # Errors
    /// There is none, somebody else changed it, or no database.
    pub async fn remove(&self, id: &str, version: Option<i64>) -> Result<(), Refusal> {
        let stream = self.stream(id)?;
        self.replaced(id, version, |stream| {
            let free = format!("-{}", stream.public_id);
            Ok(StreamRow {
                deleted_ms: Some(clock::now_ms()),
                // Free for others; neither is a slug or a hash.
                slug: free.clone(),
                key_hash: free,
                source: String::new(),
                ..stream.row()
            })
        })
        .await?;
        // What is written in its chat until that ends goes with what is too old.
        let _ = self.store()?.forget_chat(&stream.public_id).await;
        // Whoever hears of it finds it gone.
        let looked = self.look().await;
        self.tell(Type::StreamDeleted, &stream, json!({})).await;
        Ok(looked?)
    }

    /// Tells what became of a registered stream. Whoever is answered can rely on it: it is written down before.
    pub(super) async fn tell(&self, of: Type, stream: &Stream, mut data: Value) {
        if let Some(fields) = data.as_object_mut() {
            fields.insert("name".into(), stream.slug.clone().into());
            fields.insert("title".into(), stream.name.clone().into());
        }
        self.events().tell(Event::new(of, Some(stream.public_id.clone()), data));
        self.events().written().await;
    }

    /// Whether `shown` is the private id of this stream.
    pub fn owns(stream: &Stream, shown: &str) -> bool {
        same(stream.private_hash.as_bytes(), secrets::hash(shown).as_bytes())
    }

    /// Writes what `make` makes of the stream as it is, again if somebody else was quicker and no version is asked for.
    pub(super) async fn replaced(
        &self,
        id: &str,
        version: Option<i64>,
        make: impl Fn(&mut Stream) -> Result<StreamRow, Refusal>,
    ) -> Result<(), Refusal> {
        let store = self.store()?;
        for _ in 0..ATTEMPTS {
            let mut stream = Stream::clone(&*self.stream(id)?);
            if version.is_some_and(|version| version != stream.version) {
                return Err(Refusal::Outdated);
            }
            let row = make(&mut stream)?;
            match store.change_stream(&row).await? {
                Changed::Done(_) => return Ok(()),
                Changed::Missing => return Err(Refusal::Missing("stream")),
                Changed::Outdated if version.is_some() => return Err(Refusal::Outdated),
                Changed::Outdated => self.look().await?,
            }
        }
        Err(Refusal::Outdated)
    }

    /// What a change came to, read back as everybody else reads it.
    pub(super) async fn after_change(&self, id: &str) -> Result<Arc<Stream>, Refusal> {
        self.look().await?;
        self.stream(id)
    }

    /// A slug must not be what somebody else's stream, or a rendition of it, is called.
    fn slug_is_free(&self, stream: &Stream) -> Result<(), Refusal> {
        match self.directory().place(&stream.slug) {
            Some(place) if place.stream.public_id != stream.public_id => {
                Err(Refusal::Conflict(format!("the slug '{}' is taken", stream.slug)))
            }
            _ => Ok(()),
        }
    }
}
