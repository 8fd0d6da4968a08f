//! Two ladders on one thread and on two: what the busiest thread of the server could serve if it had a processor to
//! itself.
//!
//! Bursts of frames go in as quickly as all readers have the last one, far above real time, so that both ladders are at
//! work all the time. The peers need the same two processors, so frames by the clock would measure them as well; what is
//! compared is frames served for each second that the busiest thread of the server was on a processor. What its
//! threads cost each other (locks, caches, wake-ups) is in it.

use super::median;
use super::rtmp_peer;
use super::servers::Msconv;
use nix::sys::socket::{MsgFlags, recv};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::{Duration, Instant};

const READERS: usize = 25;
/// Fits into every socket's buffer, so that no reader is ever too slow.
const BURST: u32 = 16;
const FRAME: usize = 8000;
const PATIENCE: Duration = Duration::from_secs(10);

pub fn spread(folder: &Path, seconds: Duration, rounds: u64) {
    let mut served = BTreeMap::<usize, Vec<f64>>::new();
    for round in 0..rounds {
        for workers in [1, 2] {
            let home = folder.join(format!("spread-{round}-{workers}"));
            let (frames, threads) = run(workers, &home, seconds / 3);
            let busiest = threads.iter().copied().max().unwrap();
            let all: Duration = threads.iter().sum();
            let of_busiest = frames as f64 / busiest.as_secs_f64();
            eprintln!(
                "round {round}: {workers} workers: {frames} frames; threads {:?}; {of_busiest:.0} for each second of the busiest, {:.0} of all",
                threads.iter().map(|t| t.as_millis()).filter(|ms| *ms > 10).collect::<Vec<_>>(),
                frames as f64 / all.as_secs_f64()
            );
            served.entry(workers).or_default().push(of_busiest);
        }
    }
    let [one, two] = [1, 2].map(|workers| median(served[&workers].clone()));
    println!(
        "\ntwo ladders of {READERS} readers each: {one:.0} frames for a second of the one thread, {two:.0} for a second of the \
         busier of two: {:.2} times",
        two / one
    );
}

/// Frames served to all readers meanwhile, and what each thread of the server was at work.
fn run(workers: usize, home: &Path, during: Duration) -> (u64, Vec<Duration>) {
    let count = workers.to_string();
    let server = Msconv::start(OsStr::new(env!("CARGO_BIN_EXE_msconv")), home, &["--media-workers", &count]);
    let ladders = ["x", "y"].map(|name| Ladder::open(server.rtmp, name));
    let before = threads(server.pid);
    let until = Instant::now() + during;
    let served = std::thread::scope(|scope| {
        let work = ladders.map(|mut ladder| {
            scope.spawn(move || {
                let begun = ladder.frames;
                while Instant::now() < until {
                    ladder.burst();
                }
                u64::from(ladder.frames - begun) * READERS as u64
            })
        });
        work.map(|thread| thread.join().unwrap()).iter().sum()
    });
    let since = |(id, at): (String, Duration)| at - before.get(&id).copied().unwrap_or_default();
    (served, threads(server.pid).into_iter().map(since).collect())
}

/// The CPU time of each thread of a process.
fn threads(pid: i32) -> BTreeMap<String, Duration> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let time = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let nanos = text.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
        (task.file_name().to_string_lossy().into_owned(), Duration::from_nanos(nanos))
    };
    tasks.map(time).collect()
}

/// A publisher and its readers, all in this thread.
struct Ladder {
    publisher: TcpStream,
    readers: Vec<TcpStream>,
    frames: u32,
    /// Of no use, but a call wants it: what comes is thrown away by the kernel.
    buffer: Vec<u8>,
}

impl Ladder {
    fn open(port: u16, name: &str) -> Ladder {
        let publisher = rtmp_peer::publish_video(port, name).unwrap();
        let mut ladder = Ladder { publisher, readers: Vec::new(), frames: 0, buffer: vec![0; 4 << 20] };
        // Until the server knows that no audio comes.
        for _ in 0..4 {
            ladder.send();
        }
        ladder.readers = (0..READERS).map(|_| rtmp_peer::open(port, "play", name).unwrap()).collect();
        // The first group of pictures and what stands before it.
        std::thread::sleep(Duration::from_secs(1));
        ladder
    }

    fn send(&mut self) {
        let mut bytes = Vec::new();
        for _ in 0..BURST {
            let frame = rtmp_peer::video(self.frames, self.frames.is_multiple_of(BURST), FRAME);
            bytes.extend(rtmp_peer::message(6, 9, 1, self.frames * 33, &frame, 65536));
            self.frames += 1;
        }
        self.publisher.write_all(&bytes).unwrap();
    }

    /// What has come for each reader.
    fn drain(&mut self) -> Vec<usize> {
        let take = |reader: &TcpStream| {
            let flags = MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT;
            recv(reader.as_raw_fd(), &mut self.buffer, flags).unwrap_or(0)
        };
        self.readers.iter().map(take).collect()
    }

    /// Sends a burst and waits until all have it.
    fn burst(&mut self) {
        // The last bytes of the one before: what the protocol adds is not counted.
        self.drain();
        self.send();
        let until = Instant::now() + PATIENCE;
        let mut left = [BURST as usize * FRAME; READERS];
        while left.iter().any(|left| *left > 0) {
            // Readers that look all the time would take the processors from the server.
            std::thread::sleep(Duration::from_micros(500));
            let sizes = self.drain();
            for (left, size) in left.iter_mut().zip(sizes) {
                *left = left.saturating_sub(size);
            }
            assert!(Instant::now() < until, "a reader misses {left:?}");
        }
    }
}
