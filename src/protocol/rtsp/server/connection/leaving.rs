//! How a connection ends: who is told, and what still goes out.

use super::{Connection, End, Part};
use crate::base::clock::Now;
use crate::hub::Over;
use crate::protocol::rtsp::server::reading::Reads;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What is taken of a peer that goes on talking after its last answer.
const MOST_LEFT_OVER: usize = 1 << 20;
/// For a peer to take the last answer and close.
const LINGER: Duration = Duration::from_secs(1);

impl Connection {
    pub(super) async fn leave(mut self, end: End) {
        let now = Now::read();
        self.tell(&end);
        match std::mem::replace(&mut self.part, Part::None) {
            Part::Reads(reads) => {
                let tells = matches!(
                    end,
                    End::Sent(_) | End::Over(Over::Unpublished | Over::Reconfigured(_) | Over::Lost)
                );
                if tells {
                    reads.reader.pause();
                    if let Some(session) = &self.session {
                        reads.say_goodbye(&self.shared, session, now);
                    }
                }
                if tells || matches!(end, End::Goodbye) {
                    let farewell = drain(&reads, &self.socket);
                    let _ = timeout(self.shared.limits.farewell, farewell).await;
                }
                self.part = Part::Reads(reads);
                self.count_carried();
            }
            // Its connection broke, it fell silent, or it was sent away: readers wait for its return.
            Part::Publishes(mut publishes) => publishes.finish(now),
            Part::None => {}
        }
        if !matches!(end, End::Gone) {
            self.finish().await;
        }
    }

    /// Gives the last words some time.
    pub(super) async fn finish(&mut self) {
        let _ = timeout(LINGER, self.send_rest()).await;
    }

    /// Writes down who ends, what it did with which stream, and why.
    fn tell(&self, end: &End) {
        let name = self.session.as_ref().map_or_else(String::new, |s| s.details().name);
        let remote = self.client.remote;
        let who = match &self.part {
            Part::Reads(_) => format!("{remote}, which reads {name},"),
            Part::Publishes(_) => format!("{remote}, which publishes {name},"),
            Part::None => remote.to_string(),
        };
        let log = &self.shared.log;
        match end {
            End::Gone | End::Goodbye | End::Up(_) => log.debug(format_args!("rtsp: {who} has gone")),
            End::Sent(why) => log.info(format_args!("rtsp: {who} leaves: {why}")),
            End::Over(why @ Over::TooSlow) => {
                self.shared.hub.registry().broke("reader_progress");
                log.warn(format_args!("rtsp: {who} is ended: {why}"));
            }
            End::Over(why) => log.info(format_args!("rtsp: {who} is ended: {why}")),
            End::Silent => log.warn(format_args!("rtsp: {who} sends nothing any more")),
            End::Idle => log.info(format_args!("rtsp: {who} gave no sign of life")),
        }
    }

    /// Sends what waits, tells the peer that there is no more, and lets it take it: a socket closed over bytes that it
    /// has not read would take back what was sent.
    async fn send_rest(&mut self) {
        while !self.out.is_empty() {
            if self.socket.writable().await.is_err() || self.send().is_err() {
                return;
            }
        }
        if nix::sys::socket::shutdown(
            std::os::fd::AsRawFd::as_raw_fd(&*self.socket),
            nix::sys::socket::Shutdown::Write,
        )
        .is_err()
        {
            return;
        }
        let (mut rest, mut taken) = ([0; 4096], 0);
        while taken < MOST_LEFT_OVER && self.socket.readable().await.is_ok() {
            match self.socket.try_read(&mut rest) {
                Ok(0) => return,
                Ok(n) => taken = taken.saturating_add(n),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

/// Lets a reader take what stands in line for it.
async fn drain(reads: &Reads, socket: &TcpStream) {
    while !reads.reader.drained() {
        if socket.writable().await.is_err() {
            return;
        }
        reads.reader.flush(Now::read());
        tokio::task::yield_now().await;
    }
}
