//! The last keyframe of a stream, as a file that a decoder takes.

use crate::base::clock::Now;
use crate::hub::Hub;
use crate::hub::client::Kind;
use crate::hub::group::OnAir;
use crate::hub::tap::{Item, Policy};
use crate::media::fmp4::{Run, Sample, VIDEO_TRACK, fragment, init_segment};
use crate::media::frame::Frame;
use crate::media::tracks::Tracks;
use crate::model::StreamName;
use std::time::Duration;

/// Renditions at least so high look well at the width of a thumbnail.
const ENOUGH: u32 = 180;
/// The largest keyframe that is decoded.
const LARGEST: usize = 8 << 20;
/// Who reads it, in the registry.
const KIND: Kind = Kind { name: "thumbnail", connection: false };

/// The rendition that costs the least to decode and looks well.
pub fn cheapest(hub: &Hub, on_air: Vec<OnAir>) -> Option<StreamName> {
    let height = |name: &StreamName| {
        hub.view(name).and_then(|view| view.headers.tracks.video().map(|video| video.height))
    };
    let seen = on_air.into_iter().filter_map(|one| Some((height(&one.name)?, one.name)));
    seen.min_by_key(|(height, _)| {
        (*height < ENOUGH, if *height < ENOUGH { u32::MAX - height } else { *height })
    })
    .map(|(_, name)| name)
}

/// The last keyframe as fragmented MP4; nothing if none comes within `patience`, or there is no video that MP4 carries.
pub async fn last(hub: &Hub, name: &StreamName, patience: Duration) -> Option<Vec<u8>> {
    let now = Now::read();
    let client = hub.registry().enter(KIND, ([127, 0, 0, 1], 0).into(), now.mono, now.wall_ms);
    let mut reader = hub.subscribe_frames(name, &client, Policy::Live).ok()?;
    let read = async {
        let mut tracks = None;
        let mut items = Vec::new();
        loop {
            reader.next(&mut items).await.ok()?;
            for item in items.drain(..) {
                match item {
                    Item::Tracks(headers) => tracks = Some(Tracks::of(headers.tracks.video().cloned(), None)),
                    Item::Frame(frame, _) if frame.keyframe && is_video(tracks.as_ref(), &frame) => {
                        return written(tracks.as_ref()?, &frame);
                    }
                    _ => {}
                }
            }
            tracks.as_ref()?.video()?;
        }
    };
    tokio::time::timeout(patience, read).await.ok().flatten()
}

fn is_video(tracks: Option<&Tracks>, frame: &Frame) -> bool {
    tracks.and_then(Tracks::first_video) == Some(frame.track)
}

fn written(tracks: &Tracks, frame: &Frame) -> Option<Vec<u8>> {
    if frame.payload.len() > LARGEST {
        return None;
    }
    let mut bytes = init_segment(tracks).ok()?.to_vec();
    let sample = Sample { duration: 1, composition: 0, sync: true, data: frame.payload.clone() };
    bytes.extend_from_slice(&fragment(1, &[Run { track: VIDEO_TRACK, base_time: 0, samples: &[sample] }]));
    Some(bytes)
}
