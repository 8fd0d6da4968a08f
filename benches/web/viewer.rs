//! A viewer of low-latency HLS that asks as hls.js does: a blocking reload of each media playlist with delta updates, each
//! new part as soon as it is listed, over connections that stay open. It decodes nothing.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What all viewers together have had.
#[derive(Default)]
pub struct Counts {
    pub playlists: AtomicU64,
    pub parts: AtomicU64,
    pub bytes: AtomicU64,
    pub failed: AtomicU64,
}

/// One connection that stays open.
struct Connection {
    port: u16,
    stream: Option<BufReader<TcpStream>>,
    cookies: HashMap<String, String>,
}

/// What a request brought.
struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Connection {
    fn new(port: u16) -> Connection {
        Connection { port, stream: None, cookies: HashMap::new() }
    }

    fn get(&mut self, target: &str) -> std::io::Result<Answer> {
        let again = self.stream.is_some();
        match self.ask(target) {
            // What was kept open may have been closed meanwhile.
            Err(_) if again => {
                self.stream = None;
                self.ask(target)
            }
            other => other,
        }
    }

    fn ask(&mut self, target: &str) -> std::io::Result<Answer> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            self.stream = Some(BufReader::with_capacity(64 << 10, stream));
        }
        let stream = self.stream.as_mut().expect("it is open");
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies =
            if cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", cookies.join("; ")) };
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0\r\n\
             Accept: */*\r\nAccept-Language: en\r\nAccept-Encoding: gzip\r\nReferer: http://127.0.0.1/\r\n{cookies}\r\n",
            self.port
        );
        stream.get_mut().write_all(request.as_bytes())?;
        let (mut status, mut length, mut chunked, mut gzipped, mut to) = (0, 0, false, false, None);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if status == 0 {
                status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
            }
            let Some((name, value)) = line.split_once(": ") else { continue };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap_or(0),
                "transfer-encoding" => chunked = value == "chunked",
                "content-encoding" => gzipped = value == "gzip",
                "location" => to = Some(value.to_string()),
                "set-cookie" => {
                    let pair = value.split(';').next().and_then(|pair| pair.split_once('='));
                    self.cookies.extend(pair.map(|(name, value)| (name.to_string(), value.to_string())));
                }
                _ => {}
            }
        }
        let mut body = Vec::new();
        if chunked {
            loop {
                let mut line = String::new();
                stream.read_line(&mut line)?;
                let length = u64::from_str_radix(line.trim(), 16).unwrap_or(0);
                stream.by_ref().take(length).read_to_end(&mut body)?;
                stream.read_line(&mut String::new())?;
                if length == 0 {
                    break;
                }
            }
        } else {
            stream.by_ref().take(length).read_to_end(&mut body)?;
        }
        if let (301..=308, Some(to)) = (status, to) {
            return self.ask(&joined(target, &to));
        }
        if gzipped {
            let mut text = Vec::new();
            flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut text)?;
            body = text;
        }
        Ok(Answer { status, body })
    }
}

/// A URI as it stands in what `base` gave.
fn joined(base: &str, uri: &str) -> String {
    if uri.starts_with('/') {
        return uri.to_string();
    }
    let folder =
        base.split('?').next().and_then(|path| path.rsplit_once('/')).map_or("", |(folder, _)| folder);
    let mut path: Vec<&str> = folder.split('/').collect();
    for step in uri.split('/') {
        if step == ".." {
            path.pop();
        } else {
            path.push(step);
        }
    }
    path.join("/")
}

/// The media playlists that a player of a multivariant playlist takes: the first variant and its audio.
fn media_playlists(base: &str, text: &str) -> Vec<String> {
    let audio = text.lines().find(|line| {
        line.starts_with("#EXT-X-MEDIA:TYPE=\"AUDIO\"") || line.starts_with("#EXT-X-MEDIA:TYPE=AUDIO")
    });
    let audio = audio.and_then(|line| uri(line));
    let video = text.lines().find(|line| !line.starts_with('#') && !line.is_empty());
    video.into_iter().chain(audio).map(|uri| joined(base, uri)).collect()
}

fn uri(line: &str) -> Option<&str> {
    line.split_once("URI=\"")?.1.split('"').next()
}

/// What of a media playlist is new to who has had `last`, and what to ask for next: media sequence number and part.
struct Listed {
    map: Option<String>,
    parts: Vec<String>,
    next: (u64, u64),
    skips: bool,
}

impl Listed {
    fn of(text: &str) -> Listed {
        let number = |tag: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(tag));
            line.and_then(|rest| rest.trim().parse().ok()).unwrap_or(0_u64)
        };
        let mut msn = number("#EXT-X-MEDIA-SEQUENCE:") + number("#EXT-X-SKIP:SKIPPED-SEGMENTS=");
        let (mut parts, mut open, mut map) = (Vec::new(), 0, None);
        for line in text.lines() {
            if line.starts_with("#EXT-X-PART:") {
                parts.extend(uri(line).map(str::to_string));
                open += 1;
            } else if line.starts_with("#EXT-X-MAP:") {
                map = uri(line).map(str::to_string);
            } else if !line.starts_with('#') && !line.is_empty() {
                msn += 1;
                open = 0;
            }
        }
        Listed { map, parts, next: (msn, open), skips: text.contains("CAN-SKIP-UNTIL") }
    }
}

/// From the first request to the first part that can be played: the multivariant playlist, that of the video, its
/// initialisation and the last part from which decoding can begin.
pub fn first_part(port: u16, path: &str) -> Duration {
    let mut connection = Connection::new(port);
    let began = Instant::now();
    loop {
        let all = connection.get(path).unwrap();
        let all_text = String::from_utf8_lossy(&all.body).into_owned();
        let Some(playlist) =
            media_playlists(path, &all_text).into_iter().next().filter(|_| all.status == 200)
        else {
            assert!(began.elapsed() < Duration::from_secs(30), "{path}: {} {all_text}", all.status);
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        let text = connection.get(&playlist).unwrap();
        let text = String::from_utf8_lossy(&text.body).into_owned();
        let listed = Listed::of(&text);
        let keyed = text
            .lines()
            .rev()
            .find(|line| line.starts_with("#EXT-X-PART:") && line.contains("INDEPENDENT=YES"));
        if let (Some(map), Some(part)) = (&listed.map, keyed.and_then(uri)) {
            let files = [map.as_str(), part].map(|file| connection.get(&joined(&playlist, file)).unwrap());
            if files.iter().all(|file| file.status == 200 && !file.body.is_empty()) {
                return began.elapsed();
            }
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{playlist}: {text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Viewers that watch until they are dropped.
pub struct Viewers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    pub counts: Arc<Counts>,
}

impl Viewers {
    /// So many of the stream at `path`.
    pub fn start(port: u16, path: &str, count: usize) -> Viewers {
        let (stop, counts) = (Arc::new(AtomicBool::new(false)), Arc::new(Counts::default()));
        let mut threads = Vec::new();
        for _ in 0..count {
            let mut first = Connection::new(port);
            let all = first.get(path).unwrap();
            let playlists = media_playlists(path, &String::from_utf8_lossy(&all.body));
            assert!(!playlists.is_empty(), "{path}: {} {}", all.status, String::from_utf8_lossy(&all.body));
            for playlist in playlists {
                let (stop, counts, cookies) = (stop.clone(), counts.clone(), first.cookies.clone());
                let viewer = move || watch(port, &playlist, cookies, &stop, &counts);
                let small = std::thread::Builder::new().stack_size(256 << 10);
                threads.push(small.spawn(viewer).unwrap());
            }
            // Viewers do not come at one moment.
            std::thread::sleep(Duration::from_millis(37));
        }
        Viewers { stop, threads, counts }
    }
}

impl Drop for Viewers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn watch(port: u16, playlist: &str, cookies: HashMap<String, String>, stop: &AtomicBool, counts: &Counts) {
    let mut lists = Connection::new(port);
    let mut media = Connection::new(port);
    lists.cookies.clone_from(&cookies);
    media.cookies = cookies;
    let (mut last, mut next) = (None::<String>, None);
    while !stop.load(Ordering::Relaxed) {
        let with = if playlist.contains('?') { '&' } else { '?' };
        let target = match next {
            Some(((msn, part), true)) => {
                format!("{playlist}{with}_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES")
            }
            Some(((msn, part), false)) => format!("{playlist}{with}_HLS_msn={msn}&_HLS_part={part}"),
            None => playlist.to_string(),
        };
        let Ok(answer) = lists.get(&target) else { break };
        counts.playlists.fetch_add(1, Ordering::Relaxed);
        counts.bytes.fetch_add(answer.body.len() as u64, Ordering::Relaxed);
        if answer.status != 200 {
            counts.failed.fetch_add(1, Ordering::Relaxed);
            (last, next) = (None, None);
            std::thread::sleep(Duration::from_millis(200));
            continue;
        }
        let listed = Listed::of(&String::from_utf8_lossy(&answer.body));
        next = Some((listed.next, listed.skips));
        let known = last.as_ref().and_then(|last| listed.parts.iter().position(|part| part == last));
        let from = known.map_or(listed.parts.len().saturating_sub(1), |known| known + 1);
        for part in listed.parts.iter().skip(from) {
            let Ok(answer) = media.get(&joined(playlist, part)) else { return };
            counts.parts.fetch_add(1, Ordering::Relaxed);
            counts.bytes.fetch_add(answer.body.len() as u64, Ordering::Relaxed);
            counts.failed.fetch_add(u64::from(answer.status != 200), Ordering::Relaxed);
        }
        last = listed.parts.last().cloned().or(last);
    }
}
