//! What the server runs by itself: our own `publish`, with the server as its target, for ladders of what others publish and
//! for sources of registered streams. Passwords travel in its environment and its standard input, which other users of the
//! machine cannot read.

pub mod passes;
pub mod run;
mod source;

use crate::base::CommandLine;
use crate::base::command_line::{Argument, Repeated};
use crate::base::percent::coded;
use crate::base::secret::Secret;
use crate::model::{LadderPolicy, StreamKey, StreamName};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// The argument of a URL by which a program that the server started is known.
pub const PASS: &str = "own";

/// As whom programs of the server's own publish.
pub const OWN_USER: &str = "msconv";

/// What a program does that reads this stream to make a ladder of it, as its pass knows it.
pub fn reads(application: &str, name: &str) -> String {
    format!("reads {application}/{name}")
}

/// A user and a password.
pub type Login = (String, Secret);

/// What all of them have in common.
#[derive(Clone, Debug)]
pub struct Program {
    /// Our own program.
    pub path: PathBuf,
    /// The home, where their records and logs stand.
    pub home: PathBuf,
    /// The configuration file that was named, if one was.
    pub config: Option<PathBuf>,
}

/// Where the server listens, and what it asks for.
#[derive(Clone, Debug)]
pub struct Target {
    /// RTMP.
    pub rtmp: SocketAddr,
    /// RTSP.
    pub rtsp: SocketAddr,
    /// `/stat`.
    pub stat: SocketAddr,
    /// Its path.
    pub stat_path: String,
    /// `/v3`.
    pub api: SocketAddr,
    /// Asked of readers.
    pub read: Option<Login>,
}

/// The command, and its variables.
#[derive(Debug)]
pub struct Command {
    /// What is run.
    pub line: CommandLine,
    /// Beside our own variables.
    pub variables: Vec<(String, String)>,
}

impl Program {
    /// What makes the ladder of `name`.
    pub fn of(
        &self,
        key: &StreamKey,
        name: &StreamName,
        policy: &LadderPolicy,
        target: &Target,
        pass: &Secret,
    ) -> Command {
        let mut line = self.publish(key);
        if let LadderPolicy::Rungs(rungs) = policy {
            line.arg("--variants").arg(rungs.to_string());
        }
        // A source that ends may come back; when it does not, the server ends this.
        line.arg("--restart").arg("always");
        // Over RTSP every codec is read that the server carries.
        let source = format!(
            "rtsp://{}{}/{}/{}?{PASS}={}",
            userinfo(&target.read),
            reached(target.rtsp),
            name.application,
            name.name,
            pass.reveal()
        );
        line.arg("--input-rtmp-file").arg(Argument::reading("-", Repeated::new(source, 1)));
        let login = (OWN_USER.to_string(), pass.clone());
        Command { line, variables: target.variables(&name.application, &login) }
    }

    /// `publish` under a key, as far as it is the same for all.
    fn publish(&self, key: &StreamKey) -> CommandLine {
        let mut line = CommandLine::new(&self.path);
        line.arg("publish").arg("--foreground").arg("--quiet").arg("--no-input");
        line.arg("--color").arg("never").arg("--home").arg(&self.home);
        if let Some(config) = &self.config {
            line.arg("--config").arg(config);
        }
        line.arg("--stream-key").arg(key.as_str());
        line
    }
}

impl Target {
    /// The variables that lead to the server, with what it asks of this publisher.
    fn variables(&self, application: &str, login: &Login) -> Vec<(String, String)> {
        let variables = [
            ("MSCONV_NGINX_RTMP_URL", format!("rtmp://{}/{application}{}", reached(self.rtmp), query(login))),
            ("MSCONV_RTSP_URL", format!("rtsp://{}", reached(self.rtsp))),
            ("MSCONV_NGINX_STAT_URL", format!("http://{}{}", reached(self.stat), self.stat_path)),
            ("MSCONV_MEDIAMTX_URL", format!("http://{}", reached(self.api))),
            // What was set for publishes by hand is not meant here.
            ("MSCONV_STREAM_KEY", String::new()),
            ("MSCONV_JSON", String::new()),
        ];
        variables.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
    }
}

/// Where this machine reaches what listens at `address`.
fn reached(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// As our server takes them over RTMP.
fn query((user, password): &Login) -> String {
    format!("?user={}&pass={}", coded(user), coded(password.reveal()))
}

/// `user:password@`, as a URL has it.
fn userinfo(login: &Option<Login>) -> String {
    let Some((user, password)) = login else { return String::new() };
    format!("{}:{}@", coded(user), coded(password.reveal()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(policy: &str, read: Option<&str>) -> Command {
        let program = Program { path: "/bin/msconv".into(), home: "/srv".into(), config: None };
        let login = |password: Option<&str>| Some(("me".to_string(), Secret::new(password?)));
        let at = |text: &str| text.parse().unwrap();
        let target = Target {
            rtmp: at("0.0.0.0:1935"),
            rtsp: at("[::]:8554"),
            stat: at("127.0.0.1:8080"),
            stat_path: "/stat".into(),
            api: at("127.0.0.1:9997"),
            read: login(read),
        };
        let (name, pass) = (StreamName::new("tv", "cam"), Secret::new("pub_x"));
        program.of(&"cam".parse().unwrap(), &name, &policy.parse().unwrap(), &target, &pass)
    }

    fn arguments(command: &Command) -> String {
        let all = command.line.args.iter().map(|arg| arg.text().to_string_lossy().into_owned());
        all.collect::<Vec<_>>().join(" ")
    }

    fn variable(command: &Command, name: &str) -> String {
        command.variables.iter().find(|(other, _)| other == name).unwrap().1.clone()
    }

    #[test]
    fn the_source_is_the_server_and_so_is_the_target() {
        let made = command("auto", None);
        assert_eq!(
            arguments(&made),
            "publish --foreground --quiet --no-input --color never --home /srv --stream-key cam \
             --restart always --input-rtmp-file -"
        );
        assert_eq!(made.line.stdin().unwrap().lines(), "rtsp://[::1]:8554/tv/cam?own=pub_x");
        assert_eq!(
            variable(&made, "MSCONV_NGINX_RTMP_URL"),
            "rtmp://127.0.0.1:1935/tv?user=msconv&pass=pub_x"
        );
        assert_eq!(variable(&made, "MSCONV_RTSP_URL"), "rtsp://[::1]:8554");
        let rungs = arguments(&command("360p:600k:640:360", None));
        assert!(rungs.contains("--variants 360p:600k:640:360"), "{rungs}");
    }

    #[test]
    fn passwords_are_in_no_argument() {
        let made = command("auto", Some("geheim!"));
        let all = arguments(&made);
        assert!(!all.contains("pub_") && !all.contains("geheim"), "{all}");
        assert_eq!(made.line.stdin().unwrap().lines(), "rtsp://me:geheim%21@[::1]:8554/tv/cam?own=pub_x");
    }
}
