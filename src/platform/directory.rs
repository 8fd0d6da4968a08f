//! All registered streams in memory, so that no frame and no viewer waits for the database, and what is registered goes on
//! without it. It follows the store by the numbers of its changes. A stream takes half a kilobyte.

use super::stream::Stream;
use crate::model::rendition_name::split;
use crate::store::streams::StreamRow;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// See the module. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Directory(Arc<RwLock<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    streams: HashMap<String, Arc<Stream>>,
    /// Public ids by slug, by the hash of a key, and by that of a private id.
    slugs: HashMap<String, String>,
    keys: HashMap<String, String>,
    privates: HashMap<String, String>,
    version: i64,
}

/// What follows from a change for whoever is on the air under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnAir {
    /// It ends: its key or its name is another now, or it was removed.
    Ends(String),
    /// It ends at this time, milliseconds since 1970, or does not end by itself.
    Until(String, Option<i64>),
}

/// What a name on the server is of a registered stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The stream.
    pub stream: Arc<Stream>,
    /// The label of a rendition; none for the stream itself.
    pub label: Option<String>,
}

impl Place {
    /// Its name on the server: by the slug, whether it was named so or by the public id.
    pub fn name(&self) -> String {
        match &self.label {
            Some(label) => format!("{}_{label}", self.stream.slug),
            None => self.stream.slug.clone(),
        }
    }
}

impl Directory {
    /// Takes up rows of the store; what follows for those who are on the air.
    pub fn apply(&self, rows: Vec<StreamRow>) -> Vec<OnAir> {
        let mut inside = self.0.write().unwrap_or_else(PoisonError::into_inner);
        rows.into_iter().filter_map(|row| inside.take(row)).collect()
    }

    /// The number of the last change that was taken up.
    pub fn version(&self) -> i64 {
        self.read().version
    }

    /// A stream by its public id or its slug.
    pub fn find(&self, id: &str) -> Option<Arc<Stream>> {
        let inside = self.read();
        inside.streams.get(id).or_else(|| inside.by(&inside.slugs, id)).cloned()
    }

    /// The stream that a key opens, whether it has expired or not.
    pub fn by_key(&self, hash: &str) -> Option<Arc<Stream>> {
        let inside = self.read();
        inside.by(&inside.keys, hash).cloned()
    }

    /// The stream that somebody with this private id owns.
    pub fn by_private(&self, hash: &str) -> Option<Arc<Stream>> {
        let inside = self.read();
        inside.by(&inside.privates, hash).cloned()
    }

    /// Which registered stream a name on the server belongs to, itself or as a rendition of it.
    pub fn place(&self, name: &str) -> Option<Place> {
        if let Some(stream) = self.find(name) {
            return Some(Place { stream, label: None });
        }
        let (stem, label) = split(name, &|stem, _| self.find(stem).is_some());
        Some(Place { stream: self.find(stem)?, label: Some(label?.to_string()) })
    }

    /// A stream went live, or ended.
    pub fn note_air(&self, public_id: &str, live: bool, at_ms: i64) {
        let mut inside = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = inside.streams.get_mut(public_id) {
            let noted = Arc::make_mut(known);
            (noted.live_ms, noted.ended_ms) =
                if live { (Some(at_ms), None) } else { (noted.live_ms, Some(at_ms)) };
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.read().streams.len()
    }

    /// Those that msconv has a source for, in no order.
    pub fn with_source(&self) -> Vec<Arc<Stream>> {
        self.read().streams.values().filter(|stream| stream.source.is_some()).cloned().collect()
    }

    /// All of them, by public id.
    pub fn all(&self) -> Vec<Arc<Stream>> {
        let mut all: Vec<_> = self.read().streams.values().cloned().collect();
        all.sort_by(|a, b| a.public_id.cmp(&b.public_id));
        all
    }

    fn read(&self) -> RwLockReadGuard<'_, Inside> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn by(&self, index: &HashMap<String, String>, key: &str) -> Option<&Arc<Stream>> {
        self.streams.get(index.get(key)?)
    }

    fn take(&mut self, row: StreamRow) -> Option<OnAir> {
        // Changes may be read twice, and by two at once.
        if self.streams.get(&row.public_id).is_some_and(|known| known.version >= row.version) {
            return None;
        }
        self.version = self.version.max(row.version);
        let before = self.streams.remove(&row.public_id);
        if let Some(before) = &before {
            self.slugs.remove(&before.slug);
            self.keys.remove(&before.key_hash);
            self.privates.remove(&before.private_hash);
        }
        let removed = row.deleted_ms.is_some();
        let stream = Arc::new(Stream::from(row));
        let follows = before.and_then(|before| {
            let slug = before.slug.clone();
            if removed || before.key_hash != stream.key_hash || before.slug != stream.slug {
                return Some(OnAir::Ends(slug));
            }
            (before.expires_ms != stream.expires_ms).then_some(OnAir::Until(slug, stream.expires_ms))
        });
        if !removed {
            let id = stream.public_id.clone();
            self.slugs.insert(stream.slug.clone(), id.clone());
            self.keys.insert(stream.key_hash.clone(), id.clone());
            self.privates.insert(stream.private_hash.clone(), id.clone());
            self.streams.insert(id, stream);
        }
        follows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, slug: &str, key: &str, version: i64) -> StreamRow {
        StreamRow {
            public_id: id.into(),
            slug: slug.into(),
            key_hash: key.into(),
            private_hash: format!("p-{id}"),
            read_policy: "anyone".into(),
            version,
            ..StreamRow::default()
        }
    }

    #[test]
    fn streams_are_found_by_every_name() {
        let directory = Directory::default();
        assert!(directory.apply(vec![row("id1", "film", "k1", 1), row("id2", "cam_2", "k2", 2)]).is_empty());
        for found in [
            directory.find("id1"),
            directory.find("film"),
            directory.by_key("k1"),
            directory.by_private("p-id1"),
        ] {
            assert_eq!(found.unwrap().public_id, "id1");
        }
        let name = |shown: &str| directory.place(shown).map(|place| place.name());
        assert_eq!(name("film").as_deref(), Some("film"));
        assert_eq!(name("id1_720p").as_deref(), Some("film_720p"));
        assert_eq!(name("film_hd").as_deref(), Some("film_hd"));
        assert_eq!(name("cam_2_audio").as_deref(), Some("cam_2_audio"));
        assert_eq!((name("films"), name("cam"), name("film-720p")), (None, None, None));
        assert_eq!((directory.version(), directory.all().len()), (2, 2));
    }

    #[test]
    fn what_must_end_is_told_once() {
        let directory = Directory::default();
        directory.apply(vec![row("id1", "film", "k1", 1)]);
        assert!(directory.apply(vec![row("id1", "film", "k1", 2)]).is_empty(), "a new title ends nobody");
        assert_eq!(directory.apply(vec![row("id1", "film", "k2", 3)]), [OnAir::Ends("film".into())]);
        assert!(directory.apply(vec![row("id1", "film", "k1", 2)]).is_empty(), "an older change comes late");
        assert!(directory.by_key("k1").is_none() && directory.by_key("k2").is_some());
        let removed = StreamRow { deleted_ms: Some(1), slug: "-id1".into(), ..row("id1", "film", "", 5) };
        let later = StreamRow { expires_ms: Some(9), ..row("id1", "film", "k2", 4) };
        assert_eq!(directory.apply(vec![later]), [OnAir::Until("film".into(), Some(9))]);
        assert_eq!(directory.apply(vec![removed]), [OnAir::Ends("film".into())]);
        assert!(directory.find("film").is_none() && directory.find("id1").is_none());
        assert_eq!((directory.version(), directory.count()), (5, 0));
    }
}
