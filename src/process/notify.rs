//! Tells the service manager how we are: `READY=1`, `STATUS=`, `WATCHDOG=1` as datagrams to the socket that it names
//! (sd_notify(3)). Without one every call does nothing, and a manager that does not listen is nobody's fault.

use crate::base::printable::bounded;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

/// Longest status, in characters.
const LONGEST: usize = 200;

/// The way to the service manager. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    socket: Option<Arc<(UnixDatagram, SocketAddr)>>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// From what the manager puts into the environment: `NOTIFY_SOCKET` (a path, or `@` and an abstract name),
    /// `WATCHDOG_USEC`, and `WATCHDOG_PID`, whom that concerns.
    pub fn new(socket: Option<&str>, watchdog_usec: Option<&str>, watchdog_pid: Option<&str>) -> Notifier {
        let open = |address: SocketAddr| {
            let own = UnixDatagram::unbound().ok()?;
            // A manager that does not read must not hold up a stream.
            own.set_nonblocking(true).ok()?;
            Some(Arc::new((own, address)))
        };
        let socket = socket.and_then(address).and_then(open);
        let ours = watchdog_pid.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        let watchdog = watchdog_usec
            .and_then(|text| text.parse().ok())
            .filter(|usec| *usec > 0 && ours && socket.is_some())
            .map(Duration::from_micros);
        Notifier { socket, watchdog }
    }

    /// How often a sign of life is due: twice within the time that the manager allows. `None` if it wants none.
    pub fn beat_every(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 2)
    }

    /// What was to start has started.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// How it is, in one line for people.
    pub fn status(&self, words: &str) {
        self.send(&format!("STATUS={}", bounded(words, LONGEST)));
    }

    /// A sign of life, if one is wanted.
    pub fn alive(&self) {
        if self.watchdog.is_some() {
            self.send("WATCHDOG=1");
        }
    }

    /// The end begins.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, text: &str) {
        if let Some(socket) = &self.socket {
            let (own, address) = &**socket;
            let _ = own.send_to_addr(text.as_bytes(), address);
        }
    }
}

fn address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name.as_bytes()).ok(),
        // Anything that is neither is of a later form (vsock), which a program on the machine itself is not given.
        None if text.starts_with('/') => SocketAddr::from_pathname(text).ok(),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 1024];
        let count = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    }

    #[test]
    fn the_manager_hears_it_by_path_and_by_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("msconv-test-{}", std::process::id());
        let by_path = UnixDatagram::bind(&path).unwrap();
        let by_name =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap()).unwrap();
        for (listening, told) in
            [(by_path, path.to_str().unwrap().to_string()), (by_name, format!("@{name}"))]
        {
            let notifier = Notifier::new(Some(&told), Some("30000000"), None);
            assert_eq!(notifier.beat_every(), Some(Duration::from_secs(15)));
            notifier.ready();
            notifier.status("live\nREADY=0\u{1b}");
            notifier.alive();
            notifier.stopping();
            assert_eq!(said(&listening), "READY=1");
            assert_eq!(said(&listening), "STATUS=live READY=0\u{fffd}", "a status cannot say another thing");
            assert_eq!(said(&listening), "WATCHDOG=1");
            assert_eq!(said(&listening), "STOPPING=1");
        }
    }

    #[test]
    fn nobody_listening_is_no_fault() {
        for told in [None, Some(""), Some("relative"), Some("vsock:2:1"), Some("/nowhere/at/all")] {
            let notifier = Notifier::new(told, Some("1000"), None);
            notifier.ready();
            notifier.alive();
        }
        let other = Notifier::new(Some("@x"), Some("1000"), Some("1"));
        assert_eq!(other.beat_every(), None, "the watchdog is another process's");
        assert_eq!(Notifier::new(Some("@x"), Some("0"), None).beat_every(), None);
        assert_eq!(Notifier::new(Some("@x"), Some("many"), None).beat_every(), None);
    }
}
