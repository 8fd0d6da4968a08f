//! Grafana's password: the person's own, or one that is made here. A default would let in whoever reads the manual.

use crate::base::atomic_file::{self, Durability};
use crate::base::secret::Secret;
use crate::base::{Failure, Outcome};
use crate::config::{Environment, Settings};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use std::path::PathBuf;

/// The variable that holds it.
pub const VARIABLE: &str = "MSCONV_GRAFANA_PASSWORD";
/// Bytes of chance in a password that is made here.
const CHANCE: usize = 16;

/// The password, and the file it stands in where it was made here.
pub struct Password {
    /// Itself.
    pub secret: Secret,
    /// Its file (0600).
    pub file: Option<PathBuf>,
}

/// Where one that is made here stands; it stays as long as Grafana's own memory of it, which is until `down --volumes`.
pub fn file(settings: &Settings) -> PathBuf {
    settings.paths.docker().join("grafana-password")
}

/// The password of the environment, or that of the file, which is made where it is missing.
///
/// # Errors
/// Internal: no randomness, or a file that cannot be written.
pub fn password(settings: &Settings, environment: &Environment) -> Outcome<Password> {
    if let Some(set) = environment.get(VARIABLE) {
        return Ok(Password { secret: Secret::new(set), file: None });
    }
    let path = file(settings);
    if let Ok(bytes) = atomic_file::read_small(&path, 4096) {
        let text = String::from_utf8_lossy(&bytes).trim().to_string();
        if !text.is_empty() {
            return Ok(Password { secret: Secret::new(text), file: Some(path) });
        }
    }
    let mut chance = [0u8; CHANCE];
    SystemRandom::new()
        .fill(&mut chance)
        .map_err(|_| Failure::internal("no random numbers from this system"))?;
    let text: String = chance.iter().map(|byte| format!("{byte:02x}")).collect();
    atomic_file::write(&path, format!("{text}\n").as_bytes(), 0o600, Durability::Synced)
        .map_err(|e| Failure::io("write", &path, &e))?;
    Ok(Password { secret: Secret::new(text), file: Some(path) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn is_made_once_and_is_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment::made(&[], dir.path());
        let settings = Settings::load(Layer::flags([]), &environment).unwrap();
        crate::backend::home::folder(&settings.paths.docker(), 0o700).unwrap();
        let first = password(&settings, &environment).unwrap();
        assert_eq!(first.secret.reveal().len(), 2 * CHANCE);
        let path = first.file.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(password(&settings, &environment).unwrap().secret, first.secret);
        std::fs::remove_file(&path).unwrap();
        assert_ne!(password(&settings, &environment).unwrap().secret, first.secret);
        let set = Environment::made(&[(VARIABLE, "mine")], dir.path());
        let mine = password(&settings, &set).unwrap();
        assert_eq!((mine.secret.reveal(), mine.file), ("mine", None));
    }
}
