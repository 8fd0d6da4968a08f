//! Where a publisher's frames go: to the one name that it publishes or, of layers (RFC 8853), to a rendition each of one
//! ladder. A layer's name is known when its height is. Browsers stop sending layers that their link does not carry, so such
//! a rendition ends, and is there again from the layer's next keyframe on.

use crate::base::clock::Now;
use crate::hub::{Client, Hub, Publisher};
use crate::media::{Frame, TrackId, TrackKind, Tracks, VideoTrack};
use crate::model::StreamName;
use crate::protocol::rtp::ingest::IngestStep;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A layer that sends nothing for so long, while another does, is no rendition any more.
const SILENT: Duration = Duration::from_secs(3);

/// Layers whose sender says nothing of their times for so long are taken as they arrive.
const UNTIMED: Duration = Duration::from_secs(5);

/// Who wants a keyframe of a publisher.
type Wanted = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A name that frames go to.
struct Outlet {
    publisher: Publisher,
    wanted: Wanted,
}

impl Outlet {
    fn new(publisher: Publisher) -> Outlet {
        let wanted = Box::pin(publisher.keyframe_wanted());
        Outlet { publisher, wanted }
    }

    fn is_wanted(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let wanted = matches!(self.wanted.as_mut().poll(&mut context), Poll::Ready(()));
        if wanted {
            self.wanted = Box::pin(self.publisher.keyframe_wanted());
        }
        wanted
    }
}

/// A layer, and its rendition while it is one.
struct Layer {
    name: String,
    outlet: Option<Outlet>,
    /// When its last frame came.
    last: Option<Instant>,
    /// Whether its sender has said which times it has. Before that its times are those of arrival, and so not in step with
    /// those of other layers.
    timed: bool,
}

/// The renditions of a publisher that sends layers.
pub struct Layers {
    hub: Hub,
    client: Arc<Client>,
    ladder: StreamName,
    layers: Vec<Layer>,
    tracks: Tracks,
    /// When the first frame came.
    begun: Option<Instant>,
}

/// See the module.
pub enum Outlets {
    /// One name.
    One(Box<Publishing>),
    /// A rendition for each layer.
    Layers(Box<Layers>),
}

/// A publisher of one name.
pub struct Publishing(Outlet);

impl Outlets {
    /// For a publisher of one name.
    pub fn one(publisher: Publisher) -> Outlets {
        Outlets::One(Box::new(Publishing(Outlet::new(publisher))))
    }

    /// For layers with these names, whose ladder is `ladder`.
    pub fn layers(hub: Hub, client: Arc<Client>, ladder: StreamName, names: &[String]) -> Outlets {
        let layer = |name: &String| Layer { name: name.clone(), outlet: None, last: None, timed: false };
        let layers = names.iter().map(layer).collect();
        let tracks = Tracks::default();
        Outlets::Layers(Box::new(Layers { hub, client, ladder, layers, tracks, begun: None }))
    }

    /// The ladder whose renditions these are.
    pub fn ladder(&self) -> Option<&StreamName> {
        match self {
            Outlets::One(_) => None,
            Outlets::Layers(layers) => Some(&layers.ladder),
        }
    }

    /// Takes what the packets made.
    pub fn take(&mut self, step: IngestStep, now: Now) {
        match self {
            Outlets::One(one) => {
                let publisher = &one.0.publisher;
                match step {
                    IngestStep::Headers(tracks) => publisher.headers(tracks),
                    IngestStep::Ready => publisher.ready(now),
                    IngestStep::Frame(frame) => publisher.frame(frame, now),
                    IngestStep::Unannounced { .. } => {}
                }
            }
            Outlets::Layers(layers) => match step {
                IngestStep::Headers(tracks) => layers.describe(tracks),
                IngestStep::Frame(frame) => layers.frame(frame, now),
                IngestStep::Ready | IngestStep::Unannounced { .. } => {}
            },
        }
    }

    /// The sender has said which times a layer has.
    pub fn timed(&mut self, place: usize) {
        if let Outlets::Layers(layers) = self
            && let Some(layer) = layers.layers.get_mut(place)
        {
            layer.timed = true;
        }
    }

    /// What was taken goes out.
    pub fn flush(&mut self, now: Now) {
        match self {
            Outlets::One(one) => one.0.publisher.flush(now),
            Outlets::Layers(layers) => {
                for outlet in layers.layers.iter().filter_map(|layer| layer.outlet.as_ref()) {
                    outlet.publisher.flush(now);
                }
                layers.rest(now.mono);
            }
        }
    }

    /// Whether somebody wants a keyframe.
    pub fn are_wanted(&mut self) -> bool {
        match self {
            Outlets::One(one) => one.0.is_wanted(),
            Outlets::Layers(layers) => {
                let outlets = layers.layers.iter_mut().filter_map(|layer| layer.outlet.as_mut());
                // Each is asked, so that each waits for the next one.
                outlets.map(Outlet::is_wanted).filter(|wanted| *wanted).count() > 0
            }
        }
    }

    /// The publisher said that it ends: its viewers are told at once.
    pub fn end(self) {
        match self {
            Outlets::One(one) => one.0.publisher.end(),
            Outlets::Layers(layers) => {
                for outlet in layers.layers.into_iter().filter_map(|layer| layer.outlet) {
                    outlet.publisher.end();
                }
            }
        }
    }
}

impl Layers {
    fn describe(&mut self, tracks: Tracks) {
        self.tracks = tracks;
        for (place, layer) in self.layers.iter().enumerate() {
            let Some(video) = video_of(&self.tracks, place) else { continue };
            if let Some(outlet) = &layer.outlet {
                outlet.publisher.headers(Tracks::of(video.clone(), self.tracks.audio().cloned()));
            }
        }
    }

    fn frame(&mut self, frame: Frame, now: Now) {
        if frame.track.kind() != TrackKind::Video {
            for outlet in self.layers.iter().filter_map(|layer| layer.outlet.as_ref()) {
                outlet.publisher.frame(frame.clone(), now);
            }
            return;
        }
        let place = frame.track.index();
        let Some(layer) = self.layers.get_mut(place) else { return };
        layer.last = Some(now.mono);
        let begun = *self.begun.get_or_insert(now.mono);
        let timed = layer.timed || now.mono.saturating_duration_since(begun) > UNTIMED;
        if layer.outlet.is_none() && frame.keyframe && timed {
            self.open(place, now);
        }
        if let Some(Layer { outlet: Some(outlet), .. }) = self.layers.get(place) {
            outlet.publisher.frame(Frame { track: TrackId::VIDEO, ..frame }, now);
        }
    }

    /// A layer becomes a rendition: KEY_720p by its height or, if there is one of that height, by the layer's own name.
    fn open(&mut self, place: usize, now: Now) {
        let Some(video) = video_of(&self.tracks, place).cloned() else { return };
        let Some(layer) = self.layers.get_mut(place) else { return };
        let height = (video.height > 0).then(|| format!("{}p", video.height));
        let labels = [height, Some(layer.name.clone())];
        for label in labels.into_iter().flatten() {
            let StreamName { application, name } = &self.ladder;
            let name = StreamName::new(application.clone(), format!("{name}_{label}"));
            if let Ok(publisher) = self.hub.publish(&name, &self.client, now) {
                publisher.headers(Tracks::of(video, self.tracks.audio().cloned()));
                publisher.ready(now);
                layer.outlet = Some(Outlet::new(publisher));
                return;
            }
        }
    }

    /// Ends the renditions whose layers rest while others do not: all at once is a broken connection.
    fn rest(&mut self, now: Instant) {
        let rests = |layer: &Layer| layer.last.is_none_or(|at| now.saturating_duration_since(at) > SILENT);
        if self.layers.iter().all(rests) {
            return;
        }
        for layer in self.layers.iter_mut().filter(|layer| rests(layer)) {
            if let Some(outlet) = layer.outlet.take() {
                outlet.publisher.end();
            }
        }
    }
}

fn video_of(tracks: &Tracks, place: usize) -> Option<&VideoTrack> {
    tracks.video_of(TrackId::new(TrackKind::Video, place)?)
}
