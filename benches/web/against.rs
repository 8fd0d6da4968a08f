//! The servers that a benchmark of the web port measures beside each other, and what they use.

use super::servers::{Ends, Msconv, cpu};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::ffi::OsStr;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A number out of the environment.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// A server under measurement.
pub struct Server {
    pub name: &'static str,
    pub pid: i32,
    pub rtmp: u16,
    pub web: u16,
    #[allow(dead_code, reason = "for the benchmark of the platform")]
    pub rtsp: u16,
    _ends: Option<Ends>,
    _msconv: Option<Msconv>,
}

pub fn msconv(name: &'static str, program: &OsStr, home: &Path, flags: &[&str]) -> Server {
    let server = Msconv::start(program, home, flags);
    let (pid, rtmp, web) = (server.pid, server.rtmp, server.web.expect("it has a web port"));
    Server { name, pid, rtmp, web, rtsp: server.rtsp, _ends: None, _msconv: Some(server) }
}

/// `MSCONV_BENCH_MEDIAMTX`, or what `scripts/mediamtx.sh --optimised` has built: the tests' own is compiled in a hurry.
/// `settings`: those that it has beside RTMP, for this port of its web server.
pub fn mediamtx(folder: &Path, settings: impl FnOnce(u16) -> String) -> Option<Server> {
    let named = std::env::var_os("MSCONV_BENCH_MEDIAMTX").map(PathBuf::from);
    let target = Path::new(env!("CARGO_BIN_EXE_msconv")).parent()?.parent()?;
    let program =
        named.into_iter().chain([target.join("mediamtx/optimised/mediamtx")]).find(|path| path.is_file())?;
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (rtmp, web) = (free(), free());
    let text = format!(
        "logLevel: warn\napi: no\nmetrics: no\npprof: no\nplayback: no\nrtsp: no\nrtmpAddress: 127.0.0.1:{rtmp}\n\
         {}srt: no\nmoq: no\npaths:\n  all_others:\n",
        settings(web)
    );
    let file = folder.join("mediamtx.yml");
    std::fs::write(&file, text).unwrap();
    let log = std::fs::File::create(folder.join("mediamtx.log")).unwrap();
    let mut command = Command::new(program);
    command.arg(&file).stdin(Stdio::null()).stdout(log).current_dir(folder);
    let child = command.spawn().unwrap();
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", web)).is_err() {
        let said = || std::fs::read_to_string(folder.join("mediamtx.log")).unwrap_or_default();
        assert!(began.elapsed() < Duration::from_secs(20), "MediaMTX does not listen: {}", said());
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = i32::try_from(child.id()).unwrap();
    Some(Server { name: "MediaMTX", pid, rtmp, web, rtsp: 0, _ends: Some(Ends(child)), _msconv: None })
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The share of a core that a process uses for so long.
pub fn used(pid: i32, during: Duration) -> f64 {
    let (began, before) = (Instant::now(), cpu(pid));
    std::thread::sleep(during);
    (cpu(pid) - before).as_secs_f64() / began.elapsed().as_secs_f64()
}

/// Raises the limit of open files, which the server inherits.
#[allow(dead_code, reason = "for the benchmark of the platform")]
pub fn raise_files() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let wanted = hard.min(65_536);
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).unwrap();
    wanted
}
