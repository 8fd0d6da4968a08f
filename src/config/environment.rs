//! The process's environment, read once and passed on as a value so that tests can make their own.

use crate::base::{Failure, Outcome};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A folder to read the web pages from instead of those in the program, for whoever works on them: `MSCONV_PAGES`.
#[cfg(debug_assertions)]
pub fn pages_folder() -> Option<PathBuf> {
    std::env::var_os("MSCONV_PAGES").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Environment variables, the working folder and who we are.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    vars: BTreeMap<String, String>,
    /// The working folder.
    pub cwd: PathBuf,
    /// The effective user.
    pub uid: u32,
    /// Where msconv is, for a process that is none but uses its library.
    pub program: Option<PathBuf>,
}

impl Environment {
    /// The real one.
    pub fn current() -> Environment {
        Environment {
            vars: std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.to_string_lossy().into_owned())))
                .collect(),
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            uid: nix::unistd::geteuid().as_raw(),
            program: None,
        }
    }

    /// One made for a test.
    pub fn made(vars: &[(&str, &str)], cwd: &Path) -> Environment {
        Environment {
            vars: vars.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            cwd: cwd.to_path_buf(),
            uid: nix::unistd::geteuid().as_raw(),
            program: None,
        }
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// Every `MSCONV_*` variable.
    pub fn msconv_vars(&self) -> impl Iterator<Item = (&str, &str)> {
        self.vars
            .iter()
            .filter(|(k, v)| k.starts_with("MSCONV_") && !v.is_empty())
            .map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// Whether a continuous-integration service runs us, so that nobody can answer a question.
    pub fn in_ci(&self) -> bool {
        self.get("CI").is_some_and(|v| !matches!(v, "0" | "false"))
    }

    /// Whether windows can be opened.
    pub fn has_display(&self) -> bool {
        self.get("DISPLAY").is_some() || self.get("WAYLAND_DISPLAY").is_some()
    }

    /// The user's own configuration file, whether it exists or not.
    pub fn user_config(&self) -> Option<PathBuf> {
        let base = match self.get("XDG_CONFIG_HOME") {
            Some(dir) if dir.starts_with('/') => PathBuf::from(dir),
            _ => Path::new(self.get("HOME")?).join(".config"),
        };
        Some(base.join("msconv/config.toml"))
    }

    /// The user's cache folder for msconv.
    pub fn cache_dir(&self) -> Option<PathBuf> {
        let base = match self.get("XDG_CACHE_HOME") {
            Some(dir) if dir.starts_with('/') => PathBuf::from(dir),
            _ => Path::new(self.get("HOME")?).join(".cache"),
        };
        Some(base.join("msconv"))
    }

    /// Our own program file, for starting the supervisor.
    ///
    /// # Errors
    /// Internal, where the system does not tell.
    pub fn own_program(&self) -> Outcome<PathBuf> {
        let own = || std::env::current_exe();
        self.program
            .clone()
            .map_or_else(own, Ok)
            .map_err(|e| Failure::internal("cannot find our own program file").why(e.to_string()))
    }

    /// The file name of our own program: `msconv`, unless somebody calls it otherwise.
    pub fn own_name() -> String {
        let path = std::env::current_exe().unwrap_or_default();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // So the kernel calls a program whose file has been replaced.
        let name = name.trim_end_matches(" (deleted)");
        if name.is_empty() { "msconv".into() } else { name.into() }
    }

    /// Where the index of running streams stands: gone after a reboot, private to the user.
    pub fn runtime_dir(&self) -> PathBuf {
        match self.get("XDG_RUNTIME_DIR") {
            Some(dir) if dir.starts_with('/') && Path::new(dir).is_dir() => Path::new(dir).join("msconv"),
            _ => PathBuf::from(format!("/tmp/msconv-{}", self.uid)),
        }
    }
}
