//! A real nginx with the rtmp module, from a configuration of the test's own: private prefix, free ports, one worker.

use super::gate::Gate;
use super::http::http_get;
use super::ports::Port;
use super::run::{Running, code};
use super::wait::wait_for;
use super::{PATIENCE, Stage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

/// What a test wants different.
#[derive(Clone, Debug)]
pub struct NginxOptions {
    /// The live applications.
    pub applications: Vec<String>,
    /// Seconds after which a silent publisher loses its name.
    pub drop_idle_publisher_s: u32,
    /// Lines for each application: `on_publish ...;`, `hls on;`.
    pub in_application: String,
    /// Lines for the rtmp server block.
    pub in_server: String,
    /// Lines for the http server block.
    pub in_http: String,
}

impl Default for NginxOptions {
    fn default() -> NginxOptions {
        NginxOptions {
            applications: vec!["live".into()],
            drop_idle_publisher_s: 10,
            in_application: String::new(),
            in_server: String::new(),
            in_http: String::new(),
        }
    }
}

impl NginxOptions {
    /// Asks `gate` before each publish.
    pub fn gated_by(mut self, gate: &Gate) -> NginxOptions {
        self.in_application.push_str(&format!("on_publish {};", gate.url()));
        self
    }
}

/// nginx, running until it is stopped or dropped.
pub struct Nginx {
    prefix: PathBuf,
    rtmp: Port,
    stat: Port,
    child: Option<Child>,
}

impl Nginx {
    /// With the options that msconv ships, on the stage's ports.
    pub fn start(stage: &Stage) -> Nginx {
        Nginx::with(stage, NginxOptions::default())
    }

    /// With options of the test's own, on the stage's ports.
    pub fn with(stage: &Stage, options: NginxOptions) -> Nginx {
        Nginx::on(stage, "nginx", stage.rtmp.clone(), stage.stat.clone(), options)
    }

    /// One more, in a folder and on ports of its own.
    pub fn on(stage: &Stage, folder: &str, rtmp: Port, stat: Port, options: NginxOptions) -> Nginx {
        let prefix = stage.root().join(folder);
        std::fs::create_dir_all(prefix.join("logs")).unwrap();
        std::fs::create_dir_all(prefix.join("tmp")).unwrap();
        std::fs::write(prefix.join("nginx.conf"), conf(&rtmp, &stat, &options)).unwrap();
        let mut nginx = Nginx { prefix, rtmp, stat, child: None };
        nginx.begin();
        nginx
    }

    /// Where to publish: `rtmp://127.0.0.1:PORT/live`.
    pub fn rtmp_url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.rtmp)
    }

    /// The status page.
    pub fn stat_url(&self) -> String {
        format!("http://127.0.0.1:{}/stat", self.stat)
    }

    /// The master's process id.
    pub fn pid(&self) -> i32 {
        self.child.as_ref().expect("nginx runs").id() as i32
    }

    /// The workers' process ids.
    pub fn workers(&self) -> Vec<i32> {
        let pid = self.pid();
        std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
            .unwrap_or_default()
            .split_ascii_whitespace()
            .filter_map(|p| p.parse().ok())
            .collect()
    }

    /// Ends it, connections and all.
    pub fn stop(&mut self) {
        if self.child.is_none() {
            return;
        }
        self.thaw();
        let mut child = self.child.take().unwrap();
        let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM);
        let ended = std::time::Instant::now() + Duration::from_secs(10);
        while let Ok(None) = child.try_wait() {
            if std::time::Instant::now() > ended {
                let _ = child.kill();
                let _ = child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it and starts it again with the same configuration; returns when it answers.
    pub fn restart(&mut self) {
        self.stop();
        self.begin();
    }

    /// Starts it again after [`Nginx::stop`]; returns when it answers.
    pub fn begin(&mut self) {
        assert!(self.child.is_none(), "nginx runs already");
        let log = std::fs::File::create(self.prefix.join("logs/stderr.log")).unwrap();
        let program = msconv::process::locate::locate(None::<&Path>, "nginx").expect("nginx is here");
        // setpriv ends nginx with the test, should the test be killed.
        let child = std::process::Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .arg(program)
            .arg("-p")
            .arg(&self.prefix)
            .args(["-e", "logs/error.log", "-c", "nginx.conf"])
            .current_dir(&self.prefix)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("nginx starts");
        self.child = Some(child);
        wait_for("nginx to answer", PATIENCE, || {
            if let Ok(Some(status)) = self.child.as_mut().unwrap().try_wait() {
                let said = std::fs::read_to_string(self.prefix.join("logs/stderr.log")).unwrap_or_default();
                panic!("nginx ended with {}:\n{said}", code(status));
            }
            match http_get(self.stat.number(), "/stat") {
                Ok((200, body)) if body.contains("<rtmp>") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
    }

    /// Stops master and workers where they are: connections stay open, nothing is answered.
    pub fn freeze(&self) {
        self.signal_all(Signal::SIGSTOP);
    }

    /// Lets them go on.
    pub fn thaw(&self) {
        self.signal_all(Signal::SIGCONT);
    }

    fn signal_all(&self, signal: Signal) {
        for pid in [self.pid()].into_iter().chain(self.workers()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Kills the worker, as a crash would; the master starts another.
    pub fn crash_worker(&self) {
        for pid in self.workers() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    /// The body of `/stat`; empty if there is no answer.
    pub fn stat(&self) -> String {
        http_get(self.stat.number(), "/stat").map(|(_, body)| body).unwrap_or_default()
    }

    /// The part of `/stat` about one name of `live`, if it is being published.
    pub fn stream(&self, name: &str) -> Option<String> {
        stream_of(&self.stat(), name)
    }

    /// Bytes that came in under a name that is being published.
    pub fn bytes_in(&self, name: &str) -> Option<u64> {
        let stream = self.stream(name)?;
        let (_, rest) = stream.split_once("<bytes_in>")?;
        rest.split_once('<')?.0.parse().ok()
    }

    /// The names that are being published.
    pub fn names(&self) -> Vec<String> {
        let stat = self.stat();
        let mut names: Vec<String> = stat
            .split("<stream>")
            .skip(1)
            .filter_map(|s| Some(s.split_once("<name>")?.1.split_once('<')?.0.to_string()))
            .filter(|n| stream_of(&stat, n).is_some())
            .collect();
        names.sort();
        names
    }

    /// Throws the publisher of a name out; how many there were.
    pub fn control_drop(&self, application: &str, name: &str) -> u32 {
        let path = format!("/control/drop/publisher?app={application}&name={name}");
        let (status, body) = http_get(self.stat.number(), &path).unwrap();
        assert_eq!(status, 200, "{body}");
        body.trim().parse().unwrap()
    }

    /// What nginx wrote into its error log.
    pub fn error_log(&self) -> String {
        std::fs::read_to_string(self.prefix.join("logs/error.log")).unwrap_or_default()
    }

    /// ffmpeg publishing a file under a name, in real time, repeated; without msconv.
    pub fn foreign_publisher(&self, stage: &Stage, file: &Path, name: &str) -> Running {
        let url = format!("{}/{name}", self.rtmp_url());
        let file = file.to_str().unwrap();
        let args = ["-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", file];
        let running = stage.spawn("ffmpeg", &[&args[..], &["-c", "copy", "-f", "flv", &url]].concat());
        wait_for(&format!("{name} on the server"), PATIENCE, || match self.bytes_in(name) {
            Some(bytes) if bytes > 0 => Ok(()),
            _ => Err(running.stderr()),
        });
        running
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The part of a status page about one name, if it is being published.
fn stream_of(stat: &str, name: &str) -> Option<String> {
    let wanted = format!("<name>{name}</name>");
    let stream = stat.split("<stream>").skip(1).find(|s| s.trim_start().starts_with(&wanted))?;
    let stream = stream.split_once("</stream>")?.0;
    // The client has the same marker inside; the stream's own stands after the last client.
    let own = stream.rsplit_once("</client>").map_or(stream, |(_, tail)| tail);
    own.contains("<publishing/>").then(|| stream.to_string())
}

/// Debian's module, or where other builds put it.
pub fn module() -> Option<PathBuf> {
    ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules", "/etc/nginx/modules"]
        .iter()
        .map(|folder| Path::new(folder).join("ngx_rtmp_module.so"))
        .find(|path| path.is_file())
}

fn conf(rtmp: &Port, stat: &Port, options: &NginxOptions) -> String {
    let load = module().map(|m| format!("load_module {};", m.display())).unwrap_or_default();
    let NginxOptions { applications, drop_idle_publisher_s, in_application, in_server, in_http } = options;
    let applications: String = applications
        .iter()
        .map(|name| {
            format!(
                "application {name} {{ live on; drop_idle_publisher {drop_idle_publisher_s}s; idle_streams off; \
                 wait_key on; {in_application} }}\n"
            )
        })
        .collect();
    format!(
        "{load}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log logs/error.log info;
events {{ worker_connections 512; }}
rtmp {{
    access_log logs/rtmp.log;
    ping 10s; ping_timeout 5s; timeout 20s; max_streams 32;
    server {{
        listen 127.0.0.1:{rtmp};
        {in_server}
        {applications}
    }}
}}
http {{
    access_log off;
    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
    server {{
        listen 127.0.0.1:{stat};
        location = /stat {{ rtmp_stat all; allow 127.0.0.1; deny all; }}
        location /control {{ rtmp_control all; allow 127.0.0.1; deny all; }}
        {in_http}
    }}
}}
"
    )
}

#[test]
fn only_what_is_published_counts() {
    let stat = "<live><stream>\r\n<name>a</name><bytes_in>5</bytes_in><client><publishing/></client>\
                <publishing/></stream><stream>\n<name>ab</name><client><publishing/></client></stream></live>";
    assert!(stream_of(stat, "a").is_some());
    assert!(stream_of(stat, "ab").is_none());
    assert!(stream_of(stat, "b").is_none());
}
