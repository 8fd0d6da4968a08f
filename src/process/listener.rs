//! Who listens on a port, from `/proc`: the answer to "address already in use".

use super::identity;
use crate::base::failure::io_words;
use crate::base::next::Advice;
use crate::base::{Failure, Kind};
use std::fs;
use std::io;
use std::net::SocketAddr;

/// A program that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its process, if we may see which one it is.
    pub pid: Option<i32>,
    /// The file name of its program, if we may see it.
    pub program: Option<String>,
    /// The user who opened the socket.
    pub uid: u32,
}

impl std::fmt::Display for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.program, self.pid) {
            (Some(program), Some(pid)) => write!(f, "{program} (pid {pid})"),
            (None, Some(pid)) => write!(f, "pid {pid}"),
            _ => {
                let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(self.uid));
                match user.ok().flatten() {
                    Some(user) => write!(f, "a program of the user {}", user.name),
                    None => write!(f, "a program of the user with id {}", self.uid),
                }
            }
        }
    }
}

/// The failure of a server `who` that cannot listen at `address`, with whoever has the port. `flag` (`--rtsp-port`)
/// chooses another port.
pub fn cannot_listen(
    who: &str,
    address: SocketAddr,
    datagrams: bool,
    flag: &str,
    error: &io::Error,
) -> Failure {
    let port = address.port();
    let hint = Advice::change(flag.trim_start_matches("--"), "with another port");
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Failure::usage(format!("port {port} may be opened by root only")).hint(hint)
        }
        io::ErrorKind::AddrInUse => {
            let owner = if datagrams { holder_of_datagrams(port) } else { listener(port) };
            let ours = owner.as_ref().is_some_and(|o| o.program.as_deref() == Some("msconv"));
            let end = match ours {
                true => Advice::StopServers.behind("if `up` started it"),
                false => "end that program".into(),
            };
            let owner = owner.map_or("another program".to_string(), |l| l.to_string());
            let udp = if datagrams { " (UDP)" } else { "" };
            Failure::new(Kind::Server, format!("{who} cannot start: port {port}{udp} is taken by {owner}"))
                .hint(end)
                .hint(hint)
        }
        io::ErrorKind::AddrNotAvailable => Failure::usage(format!(
            "{} is no address of this machine",
            address.ip()
        ))
        .hint(Advice::change("listen", "127.0.0.1 (this machine alone), or 0.0.0.0 (all its networks)")),
        _ => Failure::new(Kind::Server, format!("{who} cannot listen at {address}")).why(io_words(error)),
    }
}

/// Who listens on TCP `port`, on whichever address; `None` where nobody does or `/proc` does not tell.
pub fn listener(port: u16) -> Option<Listener> {
    in_tables(&["tcp", "tcp6"], "0A", port)
}

/// Who receives datagrams on UDP `port`.
pub fn holder_of_datagrams(port: u16) -> Option<Listener> {
    in_tables(&["udp", "udp6"], "07", port)
}

fn in_tables(tables: &[&str], state: &str, port: u16) -> Option<Listener> {
    let (inode, uid) = tables.iter().find_map(|table| {
        let text = fs::read_to_string(format!("/proc/net/{table}")).ok()?;
        listening(&text, state, port)
    })?;
    let pid = holder(inode);
    let program = pid.and_then(|pid| {
        let path = identity::executable(pid)?;
        Some(path.file_name()?.to_string_lossy().trim_end_matches(" (deleted)").to_string())
    });
    Some(Listener { pid, program, uid })
}

/// Inode and user of the first socket in state `wanted` on `port` in a `/proc/net/tcp` or `udp` table.
fn listening(table: &str, wanted: &str, port: u16) -> Option<(u64, u32)> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (_, local) = fields.nth(1)?.rsplit_once(':')?;
        let state = fields.nth(1)?;
        let uid = fields.nth(3)?.parse().ok()?;
        let inode = fields.nth(1)?.parse().ok()?;
        (state == wanted && u16::from_str_radix(local, 16).ok()? == port).then_some((inode, uid))
    })
}

/// The oldest process that has a socket open (a server's master before its workers).
fn holder(inode: u64) -> Option<i32> {
    let wanted = format!("socket:[{inode}]");
    fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|descriptors| {
                descriptors
                    .flatten()
                    .any(|fd| fs::read_link(fd.path()).is_ok_and(|link| link.as_os_str() == wanted.as_str()))
            })
        })
        .filter_map(identity::Identity::of)
        .min_by_key(|who| (who.start, who.pid))
        .map(|who| who.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_ourselves() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let found = listener(port).unwrap();
        assert_eq!(found.pid, Some(std::process::id() as i32));
        assert!(found.to_string().contains(&format!("(pid {})", std::process::id())), "{found}");
        drop(socket);
        assert_eq!(listener(port), None);
    }

    #[test]
    fn finds_who_receives_datagrams() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        assert_eq!(holder_of_datagrams(address.port()).unwrap().pid, Some(std::process::id() as i32));
        let error = io::Error::from(io::ErrorKind::AddrInUse);
        let failure = cannot_listen("serve", address, true, "--rtp-port", &error);
        assert_eq!(failure.kind(), Kind::Server);
        let words = format!("port {} (UDP) is taken by", address.port());
        assert!(failure.what().contains(&words), "{failure}");
        assert!(
            crate::ui::failure_text::text(&failure).contains("--rtp-port with another port"),
            "{failure}"
        );
    }

    #[test]
    fn a_stranger_is_named_by_user() {
        assert_eq!(Listener { pid: None, program: None, uid: 0 }.to_string(), "a program of the user root");
    }

    #[test]
    fn garbage_listens_nowhere() {
        for table in ["", "h\n", "h\n0: : : :\n", "h\n0: 1:0050 2:0 0A"] {
            assert_eq!(listening(table, "0A", 80), None);
        }
        let line = "h\n 0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 4711 1";
        assert_eq!(listening(line, "0A", 80), Some((4711, 33)));
    }
}
