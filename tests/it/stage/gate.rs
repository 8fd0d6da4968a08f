//! A tiny HTTP server that nginx-rtmp asks whether a name may be published (`on_publish`).

use super::ports::Port;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Lets every name through except the refused ones, and remembers who asked.
pub struct Gate {
    port: Port,
    refused: Arc<Mutex<BTreeSet<String>>>,
    asked: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
}

impl Gate {
    /// Listens on a free port.
    pub fn start() -> Gate {
        let port = Port::free();
        let listener = TcpListener::bind(("127.0.0.1", port.number())).unwrap();
        let gate = Gate { port, refused: Arc::default(), asked: Arc::default(), over: Arc::default() };
        let (refused, asked, over) = (gate.refused.clone(), gate.asked.clone(), gate.over.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream {
                    let _ = answer(stream, &refused, &asked);
                }
            }
        });
        gate
    }

    /// For `on_publish`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/publish", self.port)
    }

    /// Refuses a name from now on.
    pub fn refuse(&self, name: &str) {
        self.refused.lock().unwrap().insert(name.to_string());
    }

    /// Lets a name through again.
    pub fn allow(&self, name: &str) {
        self.refused.lock().unwrap().remove(name);
    }

    /// The names that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread out of accept.
        let _ = TcpStream::connect(("127.0.0.1", self.port.number()));
    }
}

fn answer(
    stream: TcpStream,
    refused: &Mutex<BTreeSet<String>>,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(&stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body);
    let name = body.split('&').find_map(|f| f.strip_prefix("name=")).unwrap_or_default().to_string();
    let word = if refused.lock().unwrap().contains(&name) { "403 Forbidden" } else { "200 OK" };
    asked.lock().unwrap().push(name);
    let mut stream = &stream;
    write!(stream, "HTTP/1.1 {word}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
}
