//! The servers under measurement, the clip that they carry and its publishers.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ends its process when dropped.
pub struct Ends(pub Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        for _ in 0..50 {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A file to publish.
pub struct Clip(PathBuf);

impl Clip {
    /// 20 s of moving test picture at 30 fps with a keyframe each 2 s and a tone, at a constant rate.
    pub fn make(folder: &Path, name: &str, rate: &str, width: u32, height: u32) -> Clip {
        let path = folder.join(name);
        let film = std::env::var_os("MSCONV_TEST_FILM").map(PathBuf::from).filter(|f| f.exists());
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]);
        match &film {
            Some(film) => command.arg("-stream_loop").arg("5").arg("-i").arg(film),
            None => command.args(["-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30,noise=alls=20:allf=t"]),
        };
        command.args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]);
        command.args([
            "-map",
            "0:v",
            "-map",
            "1:a",
            "-t",
            "20",
            "-vf",
            &format!("scale={width}:{height},fps=30"),
        ]);
        command.args(["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "60", "-keyint_min", "60"]);
        command.args(["-b:v", rate, "-maxrate", rate, "-bufsize", rate, "-sc_threshold", "0"]);
        command.args(["-c:a", "aac", "-b:a", "128k", "-ac", "2", "-f", "flv"]).arg(&path);
        assert!(command.status().unwrap().success());
        Clip(path)
    }

    /// Publishes it over RTMP, in real time, without end.
    pub fn publish(&self, port: u16, name: &str) -> Ends {
        let child = Command::new("ffmpeg")
            .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i"])
            .arg(&self.0)
            .args(["-c", "copy", "-f", "flv", &format!("rtmp://127.0.0.1:{port}/live/{name}")])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Ends(child)
    }
}

/// The servers under measurement.
pub struct Servers {
    _nginx: Ends,
    /// nginx's RTMP port.
    pub nginx_rtmp: u16,
    /// nginx's worker process.
    pub nginx_worker: i32,
    /// The embedded server as it is.
    pub now: Msconv,
    /// The same from another program, `MSCONV_BENCH_BEFORE`: what a change did shows in one run only.
    pub before: Option<Msconv>,
}

/// One embedded server.
pub struct Msconv {
    _process: Ends,
    /// Its process.
    pub pid: i32,
    /// Its RTMP port.
    pub rtmp: u16,
    /// Its RTSP port.
    pub rtsp: u16,
    /// Its status page.
    pub stat: u16,
    /// Its API.
    pub api: u16,
    /// HLS; an older program may have none.
    #[allow(dead_code, reason = "for the benchmark of the web port")]
    pub web: Option<u16>,
}

impl Msconv {
    /// Starts `program` on free ports; returns when it serves.
    pub fn start(program: &OsStr, home: &Path, more: &[&str]) -> Msconv {
        std::fs::create_dir_all(home).unwrap();
        let mut process = Command::new(program)
            .args(["serve", "--rtmp-port", "0", "--rtsp-port", "0", "--rtp-port", "0", "--stat-port", "0"])
            .args(["--api-port", "0", "--metrics-port", "0"])
            .args(more)
            .arg("--home")
            .arg(home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(home.join("serve.log")).unwrap())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let given = |name: &str| -> Option<u16> {
            let word = ready.split_whitespace().find_map(|w| w.strip_prefix(name))?;
            word.rsplit_once(':')?.1.parse().ok()
        };
        let port = |name: &str| given(name).expect("an address");
        Msconv {
            pid: i32::try_from(process.id()).unwrap(),
            rtmp: port("rtmp="),
            rtsp: port("rtsp="),
            stat: port("stat="),
            api: port("api="),
            web: given("web="),
            _process: Ends(process),
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_for(port: u16) {
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "nothing listens on {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Servers {
    /// Starts them on free ports.
    pub fn start(folder: &Path) -> Servers {
        let nginx_rtmp = free_port();
        std::fs::create_dir_all(folder.join("nginx/logs")).unwrap();
        let conf = format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\nworker_processes 1;\ndaemon off;\npid nginx.pid;\nerror_log logs/error.log;\n\
             events {{ worker_connections 2048; }}\n\
             rtmp {{ access_log off; server {{ listen 127.0.0.1:{nginx_rtmp}; chunk_size 4096; application live {{ live on; }} }} }}\n"
        );
        std::fs::write(folder.join("nginx/nginx.conf"), conf).unwrap();
        let nginx = Command::new("nginx")
            .arg("-p")
            .arg(folder.join("nginx"))
            .args(["-e", "logs/error.log", "-c", "nginx.conf"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(nginx_rtmp);
        let master = nginx.id();
        let nginx_worker = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children"))
            .unwrap()
            .split_whitespace()
            .next()
            .and_then(|p| p.parse().ok())
            .expect("nginx has a worker");
        let before = std::env::var_os("MSCONV_BENCH_BEFORE");
        Servers {
            nginx_rtmp,
            nginx_worker,
            now: Msconv::start(OsStr::new(env!("CARGO_BIN_EXE_msconv")), &folder.join("now"), &[]),
            before: before.map(|program| Msconv::start(&program, &folder.join("before"), &[])),
            _nginx: Ends(nginx),
        }
    }

    /// Publishes the clip to all of them, in real time, without end. Returns when all have frames.
    pub fn publish(&self, clip: &Clip, name: &str) -> Vec<Ends> {
        let ports = [self.nginx_rtmp, self.now.rtmp].into_iter().chain(self.before.as_ref().map(|b| b.rtmp));
        let publishers = ports.map(|port| clip.publish(port, name)).collect();
        std::thread::sleep(Duration::from_secs(4));
        publishers
    }
}

/// CPU time that a process has used, all its threads together.
pub fn cpu(pid: i32) -> Duration {
    let mut nanos = 0_u64;
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        nanos += text.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    }
    Duration::from_nanos(nanos)
}

/// Resident memory of a process in KB.
pub fn rss_kb(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
