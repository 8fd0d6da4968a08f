//! A back end of the test's own: records what it is asked, byte for byte, and answers as the test wants.

use crate::stage::Port;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `POST /hook`, without the version.
    pub line: String,
    /// Fields, with names in small letters.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Asked {
    /// A field.
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }
}

/// How it answers.
#[derive(Clone, Debug)]
pub enum Mood {
    /// With this status, these whole header lines and this body.
    Says(u16, &'static str, String),
    /// Not before [`BackEnd::wake`]; then as it says.
    Sleeps(Box<Mood>),
    /// With the beginning of an answer, after which the connection ends.
    Breaks(&'static str),
}

/// A plain answer.
pub fn says(status: u16, body: &str) -> Mood {
    Mood::Says(status, "", body.into())
}

type Answering = dyn Fn(&Asked) -> Mood + Send + Sync;

struct Inside {
    answering: Box<Answering>,
    asked: Mutex<Vec<Asked>>,
    awake: Mutex<bool>,
    woken: Condvar,
    over: AtomicBool,
}

/// See the module. Ends when it is dropped.
pub struct BackEnd {
    port: Port,
    inside: Arc<Inside>,
}

impl BackEnd {
    /// Listens on a free port.
    pub fn start(answering: impl Fn(&Asked) -> Mood + Send + Sync + 'static) -> BackEnd {
        let port = Port::free();
        let listener = TcpListener::bind(("127.0.0.1", port.number())).unwrap();
        let inside = Arc::new(Inside {
            answering: Box::new(answering),
            asked: Mutex::default(),
            awake: Mutex::new(false),
            woken: Condvar::new(),
            over: AtomicBool::new(false),
        });
        let shared = inside.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = shared.clone();
                std::thread::spawn(move || stream.and_then(|stream| shared.serve(&stream)));
            }
        });
        BackEnd { port, inside }
    }

    /// Its address with this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What it has been asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.inside.asked.lock().unwrap().clone()
    }

    /// Those that sleep answer.
    pub fn wake(&self) {
        *self.inside.awake.lock().unwrap() = true;
        self.inside.woken.notify_all();
    }
}

impl Drop for BackEnd {
    fn drop(&mut self) {
        self.inside.over.store(true, Ordering::SeqCst);
        self.wake();
        // Wakes the thread out of accept.
        let _ = TcpStream::connect(("127.0.0.1", self.port.number()));
    }
}

impl Inside {
    /// One request of a connection.
    fn serve(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut asked =
            Asked { line: line.rsplit_once(' ').unwrap_or_default().0.into(), ..Asked::default() };
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            asked.fields.push((name.to_ascii_lowercase(), value.trim().into()));
        }
        let mut body = vec![0; asked.field("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut body)?;
        asked.body = String::from_utf8_lossy(&body).into_owned();
        self.asked.lock().unwrap().push(asked.clone());
        let mut mood = (self.answering)(&asked);
        while let Mood::Sleeps(next) = mood {
            let mut awake = self.awake.lock().unwrap();
            while !*awake {
                awake = self.woken.wait(awake).unwrap();
            }
            mood = *next;
        }
        match mood {
            Mood::Says(status, fields, body) => {
                write!(
                    stream,
                    "HTTP/1.1 {status} As asked\r\nConnection: close\r\nContent-Length: {}\r\n{fields}\r\n{body}",
                    body.len()
                )
            }
            Mood::Breaks(text) => stream.write_all(text.as_bytes()),
            Mood::Sleeps(_) => Ok(()),
        }
    }
}
