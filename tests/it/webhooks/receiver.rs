//! A receiver of webhooks, as well or as badly behaved as a test wants it.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What came.
#[derive(Clone, Debug)]
pub struct Came {
    /// Fields of the head, in small letters.
    pub fields: BTreeMap<String, String>,
    /// The body as it came.
    pub body: String,
}

impl Came {
    /// The body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// What it is.
    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_string()
    }

    /// Its place among all events.
    pub fn seq(&self) -> i64 {
        self.json()["seq"].as_i64().unwrap()
    }
}

/// How a request is answered: bytes of an answer, or nothing for as long as the receiver lives.
pub type Answers = dyn Fn(usize, &Came) -> Option<Vec<u8>> + Send + Sync;

/// A status without a body.
pub fn status(code: u16) -> Option<Vec<u8>> {
    with(code, "", b"")
}

/// A status with fields (whole lines) and a body.
pub fn with(code: u16, fields: &str, body: &[u8]) -> Option<Vec<u8>> {
    let head =
        format!("HTTP/1.1 {code} X\r\nContent-Length: {}\r\nConnection: close\r\n{fields}\r\n", body.len());
    Some([head.as_bytes(), body].concat())
}

/// See the module.
pub struct Receiver {
    address: SocketAddr,
    came: Arc<Mutex<Vec<Came>>>,
    over: Arc<AtomicBool>,
}

impl Receiver {
    /// One that answers so; the number counts from 0.
    pub fn new(answers: impl Fn(usize, &Came) -> Option<Vec<u8>> + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (came, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (all, ended, answers) = (came.clone(), over.clone(), Arc::new(answers));
        std::thread::spawn(move || {
            for peer in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (all, ended, answers) = (all.clone(), ended.clone(), answers.clone());
                std::thread::spawn(move || serve(peer, &all, &ended, &*answers));
            }
        });
        Receiver { address, came, over }
    }

    /// One that takes everything.
    pub fn willing() -> Receiver {
        Receiver::new(|_, _| status(204))
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}/events?from=msconv", self.address)
    }

    /// What has come.
    pub fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    /// The types of what has come.
    pub fn kinds(&self) -> Vec<String> {
        self.came().iter().map(Came::kind).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(peer: TcpStream, all: &Mutex<Vec<Came>>, over: &AtomicBool, answers: &Answers) {
    let mut reader = BufReader::new(&peer);
    let mut fields = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) => fields.insert(name.to_ascii_lowercase(), value.to_string()),
            None if line.trim_end().is_empty() => break,
            None => None,
        };
    }
    let length = fields.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let came = Came { fields, body: String::from_utf8(body).unwrap() };
    let number = {
        let mut all = all.lock().unwrap();
        all.push(came.clone());
        all.len() - 1
    };
    match answers(number, &came) {
        Some(answer) => {
            let _ = (&peer).write_all(&answer);
        }
        None => {
            // Until the other end gives up.
            let _ = peer.set_read_timeout(Some(Duration::from_millis(100)));
            while !over.load(Ordering::Relaxed) && (&peer).read(&mut [0; 64]).is_ok_and(|n| n > 0) {}
            while !over.load(Ordering::Relaxed) {
                match (&peer).read(&mut [0; 64]) {
                    Ok(0) => return,
                    Err(e) if e.kind() != std::io::ErrorKind::WouldBlock => return,
                    _ => {}
                }
            }
        }
    }
}
