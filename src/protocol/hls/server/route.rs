//! What a request for HLS names: the stream, which playlist or file of it, and the directives of low-latency HLS
//! (RFC 8216bis, 6.2.5). Everything here comes from strangers; what does not have exactly the form of a name that a
//! playlist has is no name.

use crate::model::StreamName;
use crate::model::stream_name::is_name;
use crate::protocol::hls::listing::Position;
use crate::protocol::hls::playlist::{init_name, part_name, segment_name};
use crate::protocol::web_access::path::stream_of;

/// The most that a number in a directive or a name may have, in digits.
const MOST_DIGITS: usize = 18;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The stream or the ladder, as it was named.
    pub stream: StreamName,
    /// What of it.
    pub item: Item,
}

/// A part of what a ladder is served as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The list of renditions.
    Multivariant,
    /// The playlist of the rendition with this label.
    Playlist(String),
    /// Media of the rendition with this label.
    File(String, File),
}

/// A file of media by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Which life of the ladder it belongs to.
    pub epoch: u64,
    /// Which one.
    pub media: Media,
}

/// Media of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// An initialisation segment.
    Init(u32),
    /// A segment, by its media sequence number.
    Segment(u64),
    /// A part of one.
    Part(Position),
}

impl Route {
    /// What `path` names. `/live/KEY/…` with one of `applications`; without it, it is the first of them.
    pub fn of(path: &str, applications: &[String]) -> Option<Route> {
        stream_of(path, applications, Route::within, |route| &route.stream)
    }

    fn within(application: &str, rest: &str) -> Option<Route> {
        let mut names = rest.split('/');
        let (stream, second, third) = (names.next()?, names.next()?, names.next());
        let item = match third {
            None if second == "index.m3u8" => Item::Multivariant,
            None => return None,
            Some(_) if !is_name(second) => return None,
            Some("i.m3u8") => Item::Playlist(second.to_string()),
            Some(file) => Item::File(second.to_string(), File::of(file)?),
        };
        let whole = is_name(stream) && names.next().is_none();
        whole.then(|| Route { stream: StreamName::new(application, stream), item })
    }
}

impl File {
    fn of(name: &str) -> Option<File> {
        let (epoch, rest) = name.split_once('-')?;
        let epoch = u64::from_str_radix(epoch, 16).ok()?;
        let media = if let Some(rest) = rest.strip_prefix("init") {
            Media::Init(u32::try_from(number(rest.strip_suffix(".mp4")?)?).ok()?)
        } else {
            match rest.strip_suffix(".m4s")?.split_once('.') {
                None => Media::Segment(number(rest.strip_suffix(".m4s")?)?),
                Some((msn, part)) => Media::Part(Position { msn: number(msn)?, part: number(part)? }),
            }
        };
        let file = File { epoch, media };
        // One name for each file, or caches would hold it twice.
        (file.name() == name).then_some(file)
    }

    /// Its name in playlists.
    pub fn name(&self) -> String {
        match self.media {
            Media::Init(number) => init_name(self.epoch, number),
            Media::Segment(msn) => segment_name(self.epoch, msn),
            Media::Part(at) => part_name(self.epoch, at),
        }
    }
}

/// What a request for a media playlist wants of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// To wait for this segment, or this part of it.
    pub wait_for: Option<(u64, Option<u64>)>,
    /// To leave out what is known (EXT-X-SKIP).
    pub skip: bool,
}

/// Why directives cannot be followed, in words for the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDirective {
    /// No number, or one that nothing has.
    #[error("_HLS_msn and _HLS_part are decimal numbers")]
    Number,
    /// One of them twice.
    #[error("a directive is given twice")]
    Twice,
    /// A part of no segment.
    #[error("_HLS_part needs _HLS_msn")]
    PartAlone,
    /// A word that is none of its.
    #[error("_HLS_skip is YES or v2")]
    Skip,
    /// Further ahead than a player can mean.
    #[error("_HLS_msn or _HLS_part lies too far ahead")]
    Ahead,
}

impl Directives {
    /// Of a query. What is no directive is passed over.
    ///
    /// # Errors
    /// See [`BadDirective`].
    pub fn of(query: &str) -> Result<Directives, BadDirective> {
        let (mut msn, mut part, mut skip) = (None, None, None);
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let number = || number(value).ok_or(BadDirective::Number);
            let twice = match name {
                "_HLS_msn" => msn.replace(number()?).is_some(),
                "_HLS_part" => part.replace(number()?).is_some(),
                "_HLS_skip" if matches!(value, "YES" | "v2") => skip.replace(true).is_some(),
                "_HLS_skip" => return Err(BadDirective::Skip),
                _ => false,
            };
            if twice {
                return Err(BadDirective::Twice);
            }
        }
        if msn.is_none() && part.is_some() {
            return Err(BadDirective::PartAlone);
        }
        Ok(Directives { wait_for: msn.map(|msn| (msn, part)), skip: skip.unwrap_or(false) })
    }

    /// Refuses what lies further ahead of `last`, the last part that is listed, than a player can mean: two segments
    /// (RFC 8216bis, 6.2.5.2), or more parts than three seconds have.
    ///
    /// # Errors
    /// [`BadDirective::Ahead`].
    pub fn within_reach(
        &self,
        last: Option<Position>,
        parts_of_three_seconds: u64,
    ) -> Result<(), BadDirective> {
        let Some((msn, part)) = self.wait_for else { return Ok(()) };
        let last_msn = last.map_or(0, |last| last.msn);
        let listed = last.filter(|last| last.msn == msn).map_or(0, |last| last.part);
        let segments = msn > last_msn.saturating_add(2);
        let parts =
            msn >= last_msn && part.is_some_and(|part| part > listed.saturating_add(parts_of_three_seconds));
        if segments || parts { Err(BadDirective::Ahead) } else { Ok(()) }
    }
}

/// A decimal number of at most 18 digits and nothing else.
fn number(text: &str) -> Option<u64> {
    let digits = (1..=MOST_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::web_access::path::RESERVED;
    use proptest::prelude::*;

    fn route(path: &str) -> Option<Route> {
        Route::of(path, &["live".into(), "tv/one".into()])
    }

    fn named(application: &str, name: &str, item: Item) -> Option<Route> {
        Some(Route { stream: StreamName::new(application, name), item })
    }

    #[test]
    fn long_and_short_addresses_name_the_same() {
        for path in ["/live/cam/index.m3u8", "/cam/index.m3u8"] {
            assert_eq!(route(path), named("live", "cam", Item::Multivariant), "{path}");
        }
        for path in ["/live/cam/720p/i.m3u8", "/cam/720p/i.m3u8"] {
            assert_eq!(route(path), named("live", "cam", Item::Playlist("720p".into())), "{path}");
        }
        let file = |media| Item::File("720p".into(), File { epoch: 0xab, media });
        let at = Position { msn: 12, part: 3 };
        for (name, media) in [
            ("000000ab-init0.mp4", Media::Init(0)),
            ("000000ab-12.m4s", Media::Segment(12)),
            ("000000ab-12.3.m4s", Media::Part(at)),
        ] {
            assert_eq!(route(&format!("/tv/one/cam/720p/{name}")), named("tv/one", "cam", file(media)));
        }
    }

    #[test]
    fn words_of_pages_name_streams_in_their_application_only() {
        for word in RESERVED {
            let path = format!("/{word}/index.m3u8");
            assert_eq!(route(&path), None, "{path}");
            let path = format!("/live{path}");
            assert_eq!(route(&path), named("live", word, Item::Multivariant), "{path}");
        }
    }

    #[test]
    fn what_is_no_name_of_ours_is_none() {
        for path in [
            "",
            "/",
            "/live",
            "/live/",
            "/index.m3u8",
            "/live/../index.m3u8",
            "/live/cam/other.m3u8",
            "/live/cam/720p/ab-12.m4s",
            "/live/cam/720p/000000ab-012.m4s",
            "/live/cam/720p/000000AB-12.m4s",
            "/live/cam/720p/+00000ab-1.m4s",
            "/live/cam/720p/i.m3u8/",
            "/live/cam/%37/i.m3u8",
            "/live/cam//i.m3u8",
            "/live/cam/720p/000000ab-99999999999999999999.m4s",
            "/nine/cam/720p/i.m3u8",
        ] {
            assert_eq!(route(path), None, "{path}");
        }
    }

    #[test]
    fn directives_are_numbers_in_reach() {
        let of = Directives::of;
        assert_eq!(of("").unwrap(), Directives::default());
        let wanted = Directives { wait_for: Some((7, Some(2))), skip: true };
        assert_eq!(of("token=a&_HLS_msn=7&_HLS_part=2&_HLS_skip=YES").unwrap(), wanted);
        for (query, why) in [
            ("_HLS_msn=-1", BadDirective::Number),
            ("_HLS_msn=99999999999999999999", BadDirective::Number),
            ("_HLS_msn=", BadDirective::Number),
            ("_HLS_msn=1&_HLS_msn=1", BadDirective::Twice),
            ("_HLS_part=1", BadDirective::PartAlone),
            ("_HLS_skip=no", BadDirective::Skip),
        ] {
            assert_eq!(of(query), Err(why), "{query}");
        }
        let last = Some(Position { msn: 10, part: 4 });
        let reach = |query| of(query).unwrap().within_reach(last, 30);
        for fine in [
            "",
            "_HLS_msn=3&_HLS_part=900",
            "_HLS_msn=10&_HLS_part=34",
            "_HLS_msn=12",
            "_HLS_msn=11&_HLS_part=0",
        ] {
            assert_eq!(reach(fine), Ok(()), "{fine}");
        }
        for far in ["_HLS_msn=13", "_HLS_msn=10&_HLS_part=35", "_HLS_msn=11&_HLS_part=31"] {
            assert_eq!(reach(far), Err(BadDirective::Ahead), "{far}");
        }
    }

    proptest! {
        #[test]
        fn any_path_and_query_is_read(path in "(/live)?(/[a-z0-9_.%-]{0,9}){0,4}", query in "[_HLSmsnpartkip=&0-9Y]{0,60}", any in any::<String>()) {
            for path in [&path, &any] {
                if let Some(Route { item: Item::File(_, file), .. }) = route(path) {
                    prop_assert!(path.ends_with(&file.name()));
                }
            }
            for query in [&query, &any] {
                if let Ok(directives) = Directives::of(query) {
                    let _ = directives.within_reach(None, 30);
                }
            }
        }
    }
}
