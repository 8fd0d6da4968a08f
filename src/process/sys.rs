//! The few system calls that no safe wrapper covers: pidfds, what a child does between fork and exec, flock on a
//! shared descriptor. The only module with unsafe code; each function is a plain call with its errors.
#![expect(unsafe_code, reason = "thin wrappers over system calls, each with its reason why it is sound")]

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;

/// A handle on a process that stays with this very process, whatever becomes of its number.
///
/// # Errors
/// ESRCH if there is no such process.
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    if pid < 1 {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: pidfd_open takes two integers and returns a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Sends `signal` to the process behind a pidfd.
///
/// # Errors
/// ESRCH if it has ended.
pub fn pidfd_signal(pidfd: &OwnedFd, signal: nix::sys::signal::Signal) -> io::Result<()> {
    // SAFETY: the descriptor is open; a null siginfo is allowed by pidfd_send_signal(2).
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal as libc::c_int,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Waits until the process behind a pidfd has ended; false if it still lives after `timeout`.
pub fn pidfd_wait(pidfd: &OwnedFd, timeout: Duration) -> bool {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let millis = u16::try_from(left.as_millis().min(30_000)).unwrap_or(30_000);
        let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(millis)) {
            Ok(n) if n > 0 => return true,
            _ if left.is_zero() => return false,
            _ => {}
        }
    }
}

/// Bytes written to a TCP socket that its peer has not acknowledged (SIOCOUTQ, tcp(7)).
///
/// # Errors
/// A descriptor that is no such socket.
pub fn unsent(socket: std::os::fd::BorrowedFd<'_>) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open, and SIOCOUTQ (the number of TIOCOUTQ) writes one int.
    let outcome = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if outcome == 0 { Ok(u64::try_from(bytes).unwrap_or(0)) } else { Err(io::Error::last_os_error()) }
}

/// One datagram, or a run of datagrams of equal size (the last may be shorter) that the kernel cuts out of one message
/// (UDP_SEGMENT, udp(7)).
#[derive(Clone, Copy, Debug)]
pub struct Datagrams<'a> {
    /// Their bytes, one behind the other.
    pub parts: &'a [io::IoSlice<'a>],
    /// The size of each; none for a single one.
    pub segment: Option<u16>,
}

/// Sends `what[i]` to the address beside `i`, for each of `messages`, in order. Returns how many of them went; none at
/// all is an error. An index that is out of range ends the list.
///
/// # Errors
/// What sendmmsg(2) says of the first one. EIO or EINVAL if there is no segmentation for this way.
pub fn send_datagrams(
    socket: std::os::fd::BorrowedFd<'_>,
    what: &[Datagrams<'_>],
    messages: &[(usize, &socket2::SockAddr)],
) -> io::Result<usize> {
    /// Room for one control message with 16 bits in it, aligned as such messages are.
    #[repr(C)]
    #[derive(Clone, Copy)]
    union Control {
        room: [u8; 64],
        _aligned: libc::cmsghdr,
    }
    let mut controls = vec![Control { room: [0; 64] }; what.len()];
    let mut heads: Vec<libc::msghdr> = Vec::with_capacity(what.len());
    for (datagrams, control) in what.iter().zip(&mut controls) {
        // SAFETY: plain data; all zero is an empty message.
        let mut head: libc::msghdr = unsafe { std::mem::zeroed() };
        head.msg_iov = datagrams.parts.as_ptr().cast_mut().cast();
        head.msg_iovlen = datagrams.parts.len();
        if let Some(segment) = datagrams.segment {
            head.msg_control = std::ptr::from_mut(control).cast();
            // SAFETY: 24 bytes lie inside the room; the header that CMSG_FIRSTHDR gives lies at its begin.
            unsafe {
                head.msg_controllen = libc::CMSG_SPACE(2) as usize;
                let header = libc::CMSG_FIRSTHDR(&raw const head);
                (*header).cmsg_level = libc::SOL_UDP;
                (*header).cmsg_type = libc::UDP_SEGMENT;
                (*header).cmsg_len = libc::CMSG_LEN(2) as usize;
                libc::CMSG_DATA(header).cast::<u16>().write_unaligned(segment);
            }
        }
        heads.push(head);
    }
    let mut out: Vec<libc::mmsghdr> = Vec::with_capacity(messages.len());
    for (index, address) in messages {
        let Some(head) = heads.get(*index) else { break };
        let mut msg_hdr = *head;
        msg_hdr.msg_name = address.as_ptr().cast_mut().cast();
        msg_hdr.msg_namelen = address.len();
        out.push(libc::mmsghdr { msg_hdr, msg_len: 0 });
    }
    let count = libc::c_uint::try_from(out.len()).unwrap_or(libc::c_uint::MAX);
    // SAFETY: every pointer in `out` points to a parameter or into `controls`, which the kernel only reads.
    let sent = unsafe {
        libc::sendmmsg(socket.as_raw_fd(), out.as_mut_ptr(), count, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Takes an exclusive flock without waiting; false if somebody else holds it. The lock belongs to the open file
/// description: it lives as long as any process has it open, and is not released by dropping one of several copies.
///
/// # Errors
/// What flock(2) says, except that it is held.
pub fn flock_exclusive(file: &std::fs::File) -> io::Result<bool> {
    loop {
        // SAFETY: flock takes an open descriptor and a flag.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            return Ok(true);
        }
        match io::Error::last_os_error() {
            e if e.raw_os_error() == Some(libc::EWOULDBLOCK) => return Ok(false),
            e if e.kind() == io::ErrorKind::Interrupted => {}
            e => return Err(e),
        }
    }
}

/// A pidfd that the event loop can wait on.
///
/// # Errors
/// If it cannot be registered with the event loop.
pub fn watched(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd names the same open descriptor for as long as it lives.
    unsafe { AsyncFd::register(pidfd) }.map_err(io::Error::from)
}

/// What a child does between fork and exec.
#[derive(Clone, Debug, Default)]
pub struct ChildSetup {
    /// A session of its own, away from the terminal. Otherwise a process group.
    pub session: bool,
    /// The process group to join; one of its own without it.
    pub group: Option<i32>,
    /// Dies with SIGKILL when the thread that started it ends (so it must be started from the main thread).
    pub dies_with_parent: bool,
    /// Descriptors that stay open, beside 0, 1 and 2.
    pub keep: Vec<RawFd>,
    /// Limit of the stack in bytes, if it is to be lowered or raised (as far as the hard limit allows).
    pub stack_limit: Option<u64>,
}

/// Arranges `setup` for `command`: own group or session, every other descriptor closed at exec, default signal
/// dispositions and an empty mask.
pub fn arrange(command: &mut Command, setup: ChildSetup) {
    let parent = std::process::id() as libc::pid_t;
    let prepare = move || {
        // Only async-signal-safe calls in here: setsid, setpgid, prctl, getppid, signal, sigprocmask, fcntl, close_range, setrlimit.
        // SAFETY: each takes plain integers or pointers to locals.
        unsafe {
            if setup.session {
                if libc::setsid() < 0 {
                    return Err(io::Error::last_os_error());
                }
            } else if libc::setpgid(0, setup.group.unwrap_or(0)) < 0 {
                return Err(io::Error::last_os_error());
            }
            if setup.dies_with_parent {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) < 0 {
                    return Err(io::Error::last_os_error());
                }
                // The parent may have died before the request was in force.
                if libc::getppid() != parent {
                    libc::_exit(127);
                }
            }
            for signal in 1..=31 {
                if signal != libc::SIGKILL && signal != libc::SIGSTOP {
                    libc::signal(signal, libc::SIG_DFL);
                }
            }
            // Who starts it may hold signals back for itself (a picker does).
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
            if let Some(bytes) = setup.stack_limit {
                let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                if libc::getrlimit(libc::RLIMIT_STACK, &mut limit) == 0 {
                    limit.rlim_cur =
                        if limit.rlim_max == libc::RLIM_INFINITY { bytes } else { bytes.min(limit.rlim_max) };
                    libc::setrlimit(libc::RLIMIT_STACK, &limit);
                }
            }
            if libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) < 0 {
                // Kernels before 5.11: mark what a process normally has open.
                for fd in 3..1024 {
                    let flags = libc::fcntl(fd, libc::F_GETFD);
                    if flags >= 0 {
                        libc::fcntl(fd, libc::F_SETFD, flags | libc::FD_CLOEXEC);
                    }
                }
            }
            for fd in &setup.keep {
                let flags = libc::fcntl(*fd, libc::F_GETFD);
                if flags < 0 || libc::fcntl(*fd, libc::F_SETFD, flags & !libc::FD_CLOEXEC) < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
        }
        Ok(())
    };
    // SAFETY: the closure allocates nothing and makes only async-signal-safe calls.
    unsafe {
        command.pre_exec(prepare);
    }
}

/// Ignores SIGHUP, for a supervisor that outlives its terminal.
pub fn ignore_hangup() {
    // SAFETY: SIG_IGN is a valid disposition for SIGHUP.
    unsafe {
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
    }
}

/// Points descriptor `fd` at /dev/null.
///
/// # Errors
/// What open(2) or dup2(2) say.
pub fn null_descriptor(fd: RawFd, write: bool) -> io::Result<()> {
    let null = std::fs::OpenOptions::new().read(!write).write(write).open("/dev/null")?;
    // SAFETY: both descriptors are plain numbers; dup2 closes the old `fd` itself.
    if unsafe { libc::dup2(null.as_raw_fd(), fd) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::Signal;

    #[test]
    fn a_pidfd_stays_with_its_process() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pidfd = pidfd_open(child.id() as i32).unwrap();
        assert!(!pidfd_wait(&pidfd, Duration::ZERO));
        pidfd_signal(&pidfd, Signal::SIGKILL).unwrap();
        assert!(pidfd_wait(&pidfd, Duration::from_secs(10)));
        child.wait().unwrap();
        assert_eq!(pidfd_signal(&pidfd, Signal::SIGKILL).unwrap_err().raw_os_error(), Some(libc::ESRCH));
        assert!(pidfd_open(-5).is_err());
    }

    #[test]
    fn a_child_inherits_only_what_it_is_given() {
        let dir = tempfile::tempdir().unwrap();
        let given = std::fs::File::create(dir.path().join("given")).unwrap();
        let other = std::fs::File::create(dir.path().join("other")).unwrap();
        // Make the other one inheritable, as a careless library might.
        nix::fcntl::fcntl(&other, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
        let mut command = Command::new("ls");
        command.arg("-l").arg("/proc/self/fd");
        arrange(&mut command, ChildSetup { keep: vec![given.as_raw_fd()], ..Default::default() });
        let listing = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(listing.contains("/given"), "{listing}");
        assert!(!listing.contains("/other"), "{listing}");
    }
}
