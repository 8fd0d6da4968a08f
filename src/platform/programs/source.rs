//! The command that publishes the source of a registered stream.

use super::{Command, Login, Program, Target};
use crate::base::command_line::{Argument, Repeated};
use crate::model::{LadderPolicy, StreamKey};
use crate::platform::sources::{Origin, Source};

impl Program {
    /// What publishes a source as `key`. Without a policy the ladder is the usual one, as `publish` makes it; `off` publishes
    /// it as it is.
    pub fn of_source(
        &self,
        key: &StreamKey,
        source: &Source,
        policy: Option<&LadderPolicy>,
        (target, application): (&Target, &str),
        pass: Login,
    ) -> Command {
        let mut line = self.publish(key);
        match policy {
            Some(LadderPolicy::Off) => drop(line.arg("--original")),
            Some(LadderPolicy::Rungs(rungs)) => drop(line.arg("--variants").arg(rungs.to_string())),
            Some(LadderPolicy::Auto) | None => {}
        }
        // What ends of itself may be there again; a file that is to end is over then.
        let restart = if matches!(source.origin, Origin::File { .. }) { "on-failure" } else { "always" };
        line.arg("--restart").arg(restart);
        match &source.origin {
            Origin::File { path, once } => {
                line.arg("--input-file").arg(path);
                if *once {
                    line.arg("--once");
                }
            }
            Origin::Device { device, audio_device } => {
                line.arg("--device").arg(device);
                if let Some(audio) = audio_device {
                    line.arg("--audio-device").arg(audio);
                }
            }
            Origin::Test => {
                line.arg("--test");
            }
            Origin::Pull { url } => {
                let url = Repeated::new(url.reveal(), 1);
                line.arg("--input-rtmp-file").arg(Argument::reading("-", url));
            }
        }
        Command { line, variables: target.variables(application, &pass) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;

    fn made(origin: Origin, policy: Option<&str>) -> (String, Command) {
        let program = Program { path: "/bin/msconv".into(), home: "/srv".into(), config: None };
        let at = |text: &str| text.parse().unwrap();
        let target = Target {
            rtmp: at("127.0.0.1:1935"),
            rtsp: at("127.0.0.1:8554"),
            stat: at("127.0.0.1:8080"),
            stat_path: "/stat".into(),
            api: at("127.0.0.1:9997"),
            read: None,
        };
        let policy = policy.map(|policy| policy.parse().unwrap());
        let source = Source { origin, started_ms: Some(1) };
        let pass = ("msconv".to_string(), Secret::new("pub_secret"));
        let command =
            program.of_source(&"hall".parse().unwrap(), &source, policy.as_ref(), (&target, "tv"), pass);
        let all = command.line.args.iter().map(|arg| arg.text().to_string_lossy().into_owned());
        let words = all.skip_while(|word| word != "hall").collect::<Vec<_>>().join(" ");
        (words, command)
    }

    #[test]
    fn each_origin_has_its_command() {
        let file = |once| Origin::File { path: "/films/a b.mp4".into(), once };
        let device = Origin::Device { device: "screen".into(), audio_device: Some("pulse".into()) };
        assert_eq!(made(file(false), None).0, "hall --restart on-failure --input-file /films/a b.mp4");
        assert_eq!(
            made(file(true), Some("off")).0,
            "hall --original --restart on-failure --input-file /films/a b.mp4 --once"
        );
        assert_eq!(made(Origin::Test, Some("auto")).0, "hall --restart always --test");
        assert_eq!(
            made(device, Some("360p:600k:640:360")).0,
            "hall --variants 360p:600k:640:360 --restart always --device screen --audio-device pulse"
        );
    }

    #[test]
    fn secrets_are_in_no_argument() {
        let url = "rtsp://me:geheim@cam/x".parse().unwrap();
        let (words, command) = made(Origin::Pull { url }, None);
        assert_eq!(words, "hall --restart always --input-rtmp-file -");
        assert_eq!(command.line.stdin().unwrap().lines(), "rtsp://me:geheim@cam/x");
        let target = &command.variables.iter().find(|(name, _)| name == "MSCONV_NGINX_RTMP_URL").unwrap().1;
        assert_eq!(target, "rtmp://127.0.0.1:1935/tv?user=msconv&pass=pub_secret");
    }
}
