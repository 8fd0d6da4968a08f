//! What a reading ffmpeg writes, and what the feeder makes of it: any bytes are NUT or an error, whatever comes out is no larger
//! than what went in, and what is written of it can be read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::media::MediaTime;
use msconv::media::feed::{Audio, Feed, Kind, Wanted};
use msconv::media::nut::{Item, Reader};

fuzz_target!(|input: (bool, bool, Vec<Vec<u8>>)| {
    let (ahead, copied, pieces) = input;
    let audio = if copied { Audio::Copied(None) } else { Audio::Pcm(2) };
    let wanted = Wanted { video: true, audio, ahead, offset: MediaTime::from_millis(1_000_000_000) };
    let mut feed = Feed::new(wanted);
    let mut readers = [Reader::default(), Reader::default()];
    let (mut whole, mut out) = (0, Vec::new());
    for piece in pieces {
        whole += piece.len();
        let Some((which, bytes)) = piece.split_first() else { continue };
        let (index, kind) = if which & 1 == 0 { (0, Kind::Video) } else { (1, Kind::Audio) };
        readers[index].push(bytes);
        while let Ok(Some(item)) = readers[index].next_item() {
            match item {
                Item::Track(track) => feed.track(kind, track),
                Item::Frame(frame) => {
                    // What packets begin with may stand in the header once: 255 bytes at most.
                    assert!(frame.data.len() <= whole + 255);
                    feed.frame(kind, frame);
                }
            }
            while feed.due().is_some() && out.len() < 1 << 20 {
                let packets = feed.take();
                feed.write(packets, &mut out);
            }
        }
    }
    let mut again = Reader::default();
    again.push(&out);
    // Two tracks are for ffmpeg; the reader takes one and says so.
    while let Ok(Some(_)) = again.next_item() {}
});
