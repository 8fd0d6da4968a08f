//! How a connection ends: who is told, and what still goes out.

use super::{Connection, End, Part};
use crate::base::clock::Now;
use crate::hub::ReaderEnd;
use crate::protocol::parting;
use crate::protocol::rtsp::server::reading::Reads;
use tokio::net::TcpStream;
use tokio::time::timeout;

impl Connection {
    pub(super) async fn leave(mut self, end: End) {
        let now = Now::read();
        self.tell(&end);
        let reads = matches!(self.part, Part::Reads(_));
        match std::mem::replace(&mut self.part, Part::None) {
            Part::Reads(reads) => {
                let tells = matches!(
                    end,
                    End::Sent(_)
                        | End::Ended(ReaderEnd::Unpublished | ReaderEnd::Reconfigured(_) | ReaderEnd::Lost)
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
        match end {
            // What waits for a reader that has gone is nobody's.
            End::Gone if reads => {}
            End::Gone => self.parting.be_patient(),
            End::Unread | End::Ended(ReaderEnd::TooSlow | ReaderEnd::Broken) => self.parting.reset(),
            End::Goodbye
            | End::Up(_)
            | End::Elsewhere(_)
            | End::Sent(_)
            | End::Ended(_)
            | End::Silent
            | End::Idle => {
                parting::say(&self.socket, &self.out).await;
            }
        }
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
            End::Gone | End::Goodbye | End::Up(_) | End::Elsewhere(_) => {
                log.debug(format_args!("rtsp: {who} has gone"))
            }
            End::Unread => log.warn(format_args!("rtsp: {who} is ended: it does not read the answers")),
            End::Sent(why) => log.info(format_args!("rtsp: {who} leaves: {why}")),
            End::Ended(why @ ReaderEnd::TooSlow) => {
                self.shared.hub.registry().broke("reader_progress");
                log.warn(format_args!("rtsp: {who} is ended: {why}"));
            }
            End::Ended(why) => log.info(format_args!("rtsp: {who} is ended: {why}")),
            End::Silent => log.warn(format_args!("rtsp: {who} sends nothing any more")),
            End::Idle => log.info(format_args!("rtsp: {who} gave no sign of life")),
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
