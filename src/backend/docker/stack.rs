//! Where the stack's files stand: the project's own where `up` runs in it, otherwise a copy that comes with the program.

use crate::base::atomic_file::{self, Durability};
use crate::base::next::Advice;
use crate::base::{Failure, Outcome};
use crate::config::{Environment, Paths, Settings};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file that compose looks for.
const COMPOSE_FILE: &str = "docker-compose.yml";
/// Largest compose file that is looked into, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// The stack's files as they were when this program was built, and whether each is a program.
const FILES: &[(&str, &str, bool)] = &[
    (COMPOSE_FILE, include_str!("../../../docker-compose.yml"), false),
    ("docker/mediamtx.yml", include_str!("../../../docker/mediamtx.yml"), false),
    ("docker/nginx-rtmp/Dockerfile", include_str!("../../../docker/nginx-rtmp/Dockerfile"), false),
    ("docker/nginx-rtmp/nginx.conf", include_str!("../../../docker/nginx-rtmp/nginx.conf"), false),
    ("docker/nginx-rtmp/start", include_str!("../../../docker/nginx-rtmp/start"), true),
    ("docker/nginx-rtmp/healthy", include_str!("../../../docker/nginx-rtmp/healthy"), true),
    ("docker/nginx-rtmp/own-folders", include_str!("../../../docker/nginx-rtmp/own-folders"), true),
    ("docker/nginx-rtmp/keep-small", include_str!("../../../docker/nginx-rtmp/keep-small"), true),
];

/// A stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// The folder that holds its compose file, absolute.
    pub folder: PathBuf,
    /// The project's name, for our own copy; in a project's folder compose chooses it, as for a person.
    pub project: Option<String>,
    /// Whether the services that watch the others are part of it.
    #[serde(default)]
    pub monitoring: bool,
}

impl Stack {
    /// Its compose file.
    pub fn file(&self) -> PathBuf {
        self.folder.join(COMPOSE_FILE)
    }

    /// The stack for these settings. The one in the working folder, if that is msconv's project; otherwise our own copy
    /// under the home, which [`Stack::write`] makes.
    ///
    /// # Errors
    /// Usage: a home that cannot be mounted; monitoring away from the project.
    pub fn choose(settings: &Settings, environment: &Environment, monitoring: bool) -> Outcome<Stack> {
        let home = settings.paths.home();
        let home = home.canonicalize().unwrap_or_else(|_| home.to_path_buf());
        if home.to_string_lossy().contains([':', '\n']) {
            return Err(Failure::usage(format!("{} cannot be mounted into containers", home.display()))
                .why("there is a ':' in its name, which separates folders for Docker")
                .hint(Advice::change("home", "with another folder")));
        }
        if is_project(&environment.cwd) {
            return Ok(Stack { folder: environment.cwd.clone(), project: None, monitoring });
        }
        if monitoring {
            return Err(Failure::usage(
                "the services that watch the others are built from msconv's own project",
            )
            .why(format!("there is no such project in {}", environment.cwd.display()))
            .hint(
                Advice::StartBackend { backend: "docker".into(), monitoring: true, with: None }
                    .behind("in the folder with docker-compose.yml"),
            ));
        }
        let project = format!("msconv-{:08x}", fingerprint(home.as_os_str().as_encoded_bytes()));
        Ok(Stack { folder: Paths::new(home).docker().join("stack"), project: Some(project), monitoring })
    }

    /// Writes our own copy, anew each time; nothing for a project's folder.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn write(&self) -> Outcome<()> {
        if self.project.is_none() {
            return Ok(());
        }
        for (name, text, program) in FILES {
            let path = self.folder.join(name);
            if let Some(folder) = path.parent() {
                crate::backend::home::folder(folder, 0o755)?;
            }
            let mode = if *program { 0o755 } else { 0o644 };
            atomic_file::write(&path, text.as_bytes(), mode, Durability::Cached)
                .map_err(|e| Failure::io("write", &path, &e))?;
        }
        Ok(())
    }
}

/// Whether a folder is msconv's project, with everything that its stack is built from.
fn is_project(folder: &Path) -> bool {
    let parts = ["docker/nginx-rtmp/Dockerfile", "docker/nginx-rtmp/nginx.conf", "docker/mediamtx.yml"];
    let compose = atomic_file::read_small(&folder.join(COMPOSE_FILE), LARGEST).unwrap_or_default();
    let compose = String::from_utf8_lossy(&compose);
    ["nginx-rtmp:", "mediamtx:"].iter().all(|service| compose.lines().any(|line| line.trim() == *service))
        && parts.iter().all(|part| folder.join(part).is_file())
}

/// FNV-1a: the same for the same home in every version of msconv.
fn fingerprint(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
#[path = "stack_tests.rs"]
mod tests;
