//! Several threads at once, as the workers of a server: publishers come and go, readers join and leave, somebody looks at
//! everything and tells of ladders. No thread waits for another for ever, and what a reader gets is in order and whole.

use super::*;
use crate::model::ladder_fact::RenditionFact;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::task::{Context, Waker};

const NAMES: [&str; 6] = ["a_1", "a_2", "b_1", "b_2", "c", "d"];
const WORKERS: usize = 4;
const PUBLICATIONS: usize = 150;
const FRAMES: usize = 40;
/// Longer than it may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// Sends the payload as it is.
struct Plain;

impl Format for Plain {
    fn preamble(&mut self, _: &Headers, _: MediaTime, _: i64) -> Packed {
        Packed::default()
    }

    fn pack(&mut self, frame: &Frame, _: i64) -> Packed {
        Packed { bytes: frame.payload.clone(), cuts: Vec::new() }
    }

    fn changed(&mut self, _: &Headers, _: MediaTime, _: i64) -> Packed {
        Packed::default()
    }

    fn fits(&self, _: &Tracks) -> Result<(), Misfit> {
        Ok(())
    }
}

/// Numbers that look random, the same in each run of the test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn name(&mut self) -> StreamName {
        live(NAMES[self.below(NAMES.len())])
    }
}

struct House {
    hub: Hub,
    /// Publications that have begun.
    next: AtomicUsize,
    publishing: AtomicUsize,
    read: AtomicUsize,
}

/// Publishes again and again, until readers have got much of it. Each frame says which publication it is of, and its number in it.
fn publish(house: &House, mut dice: Dice) {
    let mut publications = 0;
    while publications < PUBLICATIONS || house.read.load(Ordering::Relaxed) < PUBLICATIONS * FRAMES {
        publications += 1;
        let publisher = loop {
            match house.hub.publish(&dice.name(), &client(&house.hub), Now::read()) {
                Ok(publisher) => break publisher,
                Err(Refused::Taken) => std::thread::yield_now(),
                Err(Refused::Full) => panic!("there is room"),
            }
        };
        let publication = house.next.fetch_add(1, Ordering::Relaxed);
        publisher.headers(video_track());
        publisher.ready(Now::read());
        for number in 0..FRAMES {
            let at = number as i64 * 40;
            let payload = format!("{publication}:{number} ").into();
            publisher.frame(Frame { payload, ..video(at, number % 5 == 0) }, Now::read());
            publisher.flush(Now::read());
            if dice.below(4) == 0 {
                std::thread::yield_now();
            }
        }
        if dice.below(2) == 0 {
            publisher.end();
        }
    }
    house.publishing.fetch_sub(1, Ordering::Relaxed);
}

/// Reads here and there, until nobody publishes any more.
fn read_on(house: &House, mut dice: Dice) {
    while house.publishing.load(Ordering::Relaxed) > 0 {
        let (paper, client) = (Arc::new(Paper::default()), client(&house.hub));
        let (outlet, now) = (Outlet::Stream(paper.clone()), Now::read());
        let key = FormatKey("plain".into());
        let Ok(reader) = house.hub.subscribe(&dice.name(), &client, key, |_| Box::new(Plain), outlet, now)
        else {
            std::thread::yield_now();
            continue;
        };
        reader.play(Now::read());
        let mut over = None;
        for _ in 0..dice.below(400) {
            let mut event = std::pin::pin!(reader.event());
            if let std::task::Poll::Ready(Wake::Ended(why)) =
                event.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            {
                over = Some(why);
                break;
            }
            std::thread::yield_now();
        }
        drop(reader);
        let text = paper.read();
        check(&text, over);
        house.read.fetch_add(text.split_whitespace().count(), Ordering::Relaxed);
    }
}

/// A reader begins with a keyframe and misses nothing of a publication; what follows another one begins at its beginning.
fn check(text: &str, over: Option<ReaderEnd>) {
    let mut last: Option<(usize, usize)> = None;
    let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
    for word in text.split_whitespace() {
        let (publication, number) = word.split_once(':').unwrap();
        let (publication, number) = (publication.parse().unwrap(), number.parse::<usize>().unwrap());
        match last {
            Some((same, before)) if same == publication => assert_eq!(number, before + 1, "{text}"),
            Some((_, before)) => assert_eq!((number, before), (0, FRAMES - 1), "{text}"),
            None => assert_eq!(number % 5, 0, "{text}"),
        }
        assert!(seen.insert(publication, number) < Some(number), "{text}");
        last = Some((publication, number));
    }
    if let (Some(ReaderEnd::Unpublished), Some((_, last))) = (over, last) {
        assert_eq!(last, FRAMES - 1, "the end comes behind the last frame: {text}");
    }
}

/// Looks at everything, as the endpoints of operators do, and tells of ladders, as supervisors do.
fn look_on(house: &House, mut dice: Dice) {
    let mut run = 0;
    while house.publishing.load(Ordering::Relaxed) > 0 {
        for view in house.hub.snapshot() {
            assert!(view.readers.len() <= WORKERS);
        }
        run += 1;
        // Names that go from one ladder to another while they are published.
        let names = [["a_1", "a_2", "c"], ["b_1", "b_2", "d"]][dice.below(2)];
        let rendition = |name: &str| RenditionFact {
            label: name.to_string(),
            name: name.to_string(),
            width: 0,
            height: 0,
            bitrate_bps: 0,
        };
        let renditions = names.iter().take(2 + dice.below(2)).map(|name| rendition(name)).collect();
        let key = ["a", "b", "x"][dice.below(3)].to_string();
        let fact = LadderFact { application: "live".into(), key, run, aligned: true, renditions };
        house.hub.tell(fact, Now::read());
        house.hub.tick(Now::read());
        house.hub.registry().traffic();
        std::thread::yield_now();
    }
}

#[test]
fn threads_that_share_the_hub_lose_nothing_and_do_not_wait_for_each_other() {
    let hub = Hub::on(NonZeroUsize::new(WORKERS).unwrap(), Registry::default(), Limits::default());
    let mut listener = hub.events().listen();
    let publishing = AtomicUsize::new(WORKERS);
    let house = Arc::new(House { hub, next: AtomicUsize::new(0), publishing, read: AtomicUsize::new(0) });
    let (done, all) = mpsc::channel();
    let parts: [fn(&House, Dice); 3] = [publish, read_on, look_on];
    let work = parts.iter().zip([WORKERS, WORKERS, 1]).flat_map(|(part, times)| vec![*part; times]);
    let threads: Vec<_> = work
        .enumerate()
        .map(|(number, part)| {
            let (house, done) = (house.clone(), done.clone());
            std::thread::spawn(move || {
                part(&house, Dice(number as u64 + 1));
                done.send(()).unwrap();
            })
        })
        .collect();
    drop(done);
    for _ in &threads {
        // One that panicked is told by its own words.
        all.recv_timeout(SOON).expect("no thread waits for ever");
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(house.hub.snapshot().is_empty(), "nothing is left");
    let mut context = Context::from_waker(Waker::noop());
    let mut heard = 0;
    let mut published: BTreeMap<StreamName, bool> = BTreeMap::new();
    while let std::task::Poll::Ready(event) = std::pin::pin!(listener.next()).poll(&mut context) {
        let event::Heard::Event(event) = event else { continue };
        match &*event {
            // The first ones may have been missed.
            Event::Published { stream, .. } => assert_ne!(published.insert(stream.clone(), true), Some(true)),
            Event::Ended { stream, .. } => assert_ne!(published.insert(stream.clone(), false), Some(false)),
            _ => {}
        }
        heard += 1;
    }
    assert!(heard > 0 && published.values().all(|on| !on), "a name is published by one at a time");
}
