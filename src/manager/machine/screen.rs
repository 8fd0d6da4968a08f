//! Whether this session has a display: for players that open a window, and for the capture of a screen.

use crate::config::Environment;
use std::path::Path;

/// Why no window can be opened; `None` if one can, as far as a look tells.
pub fn no_display(environment: &Environment) -> Option<String> {
    if !environment.has_display() {
        return Some("neither DISPLAY nor WAYLAND_DISPLAY is set".into());
    }
    let display = environment.get("DISPLAY").filter(|_| environment.get("WAYLAND_DISPLAY").is_none())?;
    // `:1` and `unix:1.0` are sockets of this machine; anything else is a network address, which only a try can test.
    let number = display.strip_prefix("unix").unwrap_or(display).strip_prefix(':')?;
    let number =
        number.split('.').next().filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))?;
    let socket = format!("/tmp/.X11-unix/X{number}");
    let listening = Path::new(&socket).exists()
        || std::fs::read_to_string("/proc/net/unix").is_ok_and(|text| {
            text.lines().any(|l| l.split_ascii_whitespace().last() == Some(&format!("@{socket}")))
        });
    (!listening).then(|| format!("DISPLAY is {display}, and no X server listens there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_local_socket_that_nobody_listens_on_is_known_to_fail() {
        let dir = tempfile::tempdir().unwrap();
        let why = |vars: &[(&str, &str)]| no_display(&Environment::made(vars, dir.path()));
        assert_eq!(why(&[]).as_deref(), Some("neither DISPLAY nor WAYLAND_DISPLAY is set"));
        let gone = why(&[("DISPLAY", ":64999")]);
        assert_eq!(gone.as_deref(), Some("DISPLAY is :64999, and no X server listens there"));
        assert_eq!(why(&[("DISPLAY", "host:0")]), None, "only a try can tell");
        assert_eq!(why(&[("DISPLAY", ":64999"), ("WAYLAND_DISPLAY", "w")]), None);
    }
}
