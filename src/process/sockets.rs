//! How many connections a process has open to a port, from `/proc`: the evidence that is left where a server does not
//! say what it received.

use std::collections::HashSet;
use std::fs;

/// Established TCP connections of `pid` to remote `port`; `None` where `/proc` does not tell.
pub fn established(pid: i32, port: u16) -> Option<usize> {
    let inodes: HashSet<u64> = fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .flatten()
        .filter_map(|fd| {
            let link = fs::read_link(fd.path()).ok()?;
            link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect();
    let mut count = 0;
    for table in ["tcp", "tcp6"] {
        let Ok(text) = fs::read_to_string(format!("/proc/{pid}/net/{table}")) else { continue };
        count += connections(&text, port).filter(|inode| inodes.contains(inode)).count();
    }
    Some(count)
}

/// Socket inodes of the established connections to remote `port` in a `/proc/net/tcp` table.
fn connections(table: &str, port: u16) -> impl Iterator<Item = u64> + '_ {
    table.lines().skip(1).filter_map(move |line| {
        let mut fields = line.split_ascii_whitespace();
        let remote = fields.nth(2)?;
        let state = fields.next()?;
        let (_, remote_port) = remote.rsplit_once(':')?;
        let inode = fields.nth(5)?.parse().ok()?;
        (state == "01" && u16::from_str_radix(remote_port, 16).ok()? == port).then_some(inode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_our_own_connections() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = std::process::id() as i32;
        assert_eq!(established(own, port), Some(0));
        let _a = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let _b = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert_eq!(established(own, port), Some(2));
    }

    #[test]
    fn garbage_has_no_connections() {
        assert_eq!(connections("h\n1 2\n: : : :\n", 1).count(), 0);
    }
}
