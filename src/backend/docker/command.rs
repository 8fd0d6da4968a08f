//! The commands that are given to Docker and compose, as values. Pure.

use super::stack::Stack;
use crate::base::CommandLine;
use std::path::PathBuf;

/// The profile of the services that watch the others.
const MONITORING: &str = "monitoring";

/// The way to compose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compose {
    /// `docker compose`.
    Plugin,
    /// `docker-compose`.
    Standalone(PathBuf),
}

/// The programs by which Docker is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// `docker`.
    pub docker: PathBuf,
    /// Compose.
    pub compose: Compose,
}

/// `docker ...`.
pub fn docker<const N: usize>(client: &Client, args: [&str; N]) -> CommandLine {
    let mut line = CommandLine::new(&client.docker);
    line.args(args);
    line
}

/// Compose with what is to be done. The stack of a project's folder is found by compose itself, exactly as if a person
/// ran it there: with the override file, `.env` and project name that are the person's own affair.
fn compose(client: &Client, stack: &Stack, monitoring: bool) -> CommandLine {
    let mut line = match &client.compose {
        Compose::Plugin => {
            let mut line = CommandLine::new(&client.docker);
            line.arg("compose");
            line
        }
        Compose::Standalone(program) => CommandLine::new(program),
    };
    line.args(["--ansi", "never"]);
    if let Some(name) = &stack.project {
        line.arg("--project-name").arg(name);
        line.arg("--file").arg(stack.file().into_os_string());
    }
    if monitoring {
        line.args(["--profile", MONITORING]);
    }
    line
}

/// Builds the images.
pub fn build(client: &Client, stack: &Stack) -> CommandLine {
    let mut line = compose(client, stack, stack.monitoring);
    line.arg("build");
    if matches!(client.compose, Compose::Standalone(_)) {
        // docker-compose 1.29 leaves the container of a failed step behind. The plugin knows no such flag: BuildKit has no
        // containers, and the classic builder under it (DOCKER_BUILDKIT=0) leaves its own.
        line.arg("--force-rm");
    }
    line
}

/// The stack as compose understands it, with every variable filled in.
pub fn config(client: &Client, stack: &Stack) -> CommandLine {
    let mut line = compose(client, stack, stack.monitoring);
    line.arg("config");
    line
}

/// Whether an image is here.
pub fn image(client: &Client, name: &str) -> CommandLine {
    docker(client, ["image", "inspect", "--format", "{{.Id}}", name])
}

/// Fetches an image.
pub fn pull(client: &Client, name: &str) -> CommandLine {
    docker(client, ["pull", name])
}

/// Starts the containers, each after those it depends on.
pub fn start(client: &Client, stack: &Stack) -> CommandLine {
    let mut line = compose(client, stack, stack.monitoring);
    line.args(["up", "--detach", "--no-build"]);
    line
}

/// The ids of the stack's containers, whether they run or not. Of both profiles: what is left of one is ours as well.
pub fn containers(client: &Client, stack: &Stack) -> CommandLine {
    let mut line = compose(client, stack, true);
    line.args(["ps", "--all", "--quiet"]);
    line
}

/// Ends and removes the containers and their network; with `volumes` also what they stored.
pub fn down(client: &Client, stack: &Stack, volumes: bool) -> CommandLine {
    let mut line = compose(client, stack, true);
    line.arg("down");
    if volumes {
        line.arg("--volumes");
    }
    line
}

/// The ids of the containers of a project by its name, without compose.
pub fn of_project(client: &Client, project: &str) -> CommandLine {
    let label = format!("label=com.docker.compose.project={project}");
    docker(client, ["ps", "--all", "--quiet", "--no-trunc", "--filter", &label])
}

/// Everything about some containers, as JSON.
pub fn inspect(client: &Client, ids: &[String]) -> CommandLine {
    let mut line = docker(client, ["inspect", "--type", "container"]);
    line.args(ids.iter().map(String::as_str));
    line
}

/// The last words of a container.
pub fn logs(client: &Client, id: &str) -> CommandLine {
    docker(client, ["logs", "--tail", "20", id])
}

/// Which engine answers.
pub fn engine(client: &Client) -> CommandLine {
    docker(client, ["version", "--format", "{{.Server.Version}}"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn golden(name: &str, client: &Client, stack: &Stack) {
        let ids = ["0123abcd".to_string(), "4567cdef".to_string()];
        let lines = [
            engine(client),
            build(client, stack),
            config(client, stack),
            image(client, "a/b:1"),
            pull(client, "a/b:1"),
            start(client, stack),
            containers(client, stack),
            inspect(client, &ids),
            logs(client, "0123abcd"),
            of_project(client, "msconv"),
            down(client, stack, false),
            down(client, stack, true),
        ];
        let text: String = lines.iter().map(|line| line.shell_line() + "\n").collect();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/argv").join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, golden, "{} differs; UPDATE_GOLDEN=1 writes it anew", path.display());
    }

    #[test]
    fn are_the_golden_ones() {
        let plugin = Client { docker: "/usr/bin/docker".into(), compose: Compose::Plugin };
        let standalone = Client {
            docker: "/usr/bin/docker".into(),
            compose: Compose::Standalone("/usr/bin/docker-compose".into()),
        };
        let project = Stack { folder: "/srv/msconv".into(), project: None, monitoring: true };
        let own = Stack {
            folder: "/home/ann/a b/pids/.docker/stack".into(),
            project: Some("msconv-0123abcd".into()),
            monitoring: false,
        };
        golden("docker-plugin-project.txt", &plugin, &project);
        golden("docker-standalone-own.txt", &standalone, &own);
    }
}
