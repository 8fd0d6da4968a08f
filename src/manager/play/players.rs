//! The players of this machine, each looked at before it is needed: VLC refuses to run as root, and the VLC of Debian
//! and Ubuntu has no RTSP and yet ends with 0.

use crate::base::next::Advice;
use crate::base::{CommandLine, Failure, Kind, Outcome};
use crate::config::keys::nearest_of;
use crate::config::{Environment, Settings};
use crate::manager::machine::install_line::{self, Wanted};
use crate::manager::machine::screen::no_display;
use crate::player::{self, Candidate};
use crate::process::locate::locate;
use crate::process::spawn;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long VLC may take to say which modules it has.
const LIMIT: Duration = Duration::from_secs(5);

/// The players to choose from, best first: only the named one if one was named.
///
/// # Errors
/// Missing (5) if there is no display and no player was named, or the named one is not there, or there is none at all.
pub fn candidates(settings: &Settings, environment: &Environment) -> Outcome<Vec<Candidate>> {
    if let Some(name) = &settings.player {
        return Ok(vec![look(named(name, environment)?, environment)]);
    }
    if let Some(why) = no_display(environment) {
        return Err(Failure::new(Kind::Missing, "there is no display to open a window on")
            .why(why)
            .hint(Advice::print_address().behind("and open that URL in a player on a machine with a screen"))
            .hint(Advice::set("player", "NAME").behind("runs it all the same")));
    }
    let found: Vec<Candidate> = player::Kind::KNOWN
        .iter()
        .filter_map(|kind| locate(None, kind.program()))
        .map(|program| look(program, environment))
        .collect();
    if found.is_empty() {
        return Err(Failure::new(Kind::Missing, "no player is installed")
            .why("vlc, mpv and ffplay are not on the PATH")
            .hint(install_line::line(Wanted::Player, environment.uid))
            .hint(Advice::set("player", "PATH"))
            .hint(Advice::print_address()));
    }
    Ok(found)
}

/// The program that `--player` means: a path if it holds a slash, else a name on the PATH.
fn named(name: &str, environment: &Environment) -> Outcome<PathBuf> {
    if !name.contains('/') {
        return locate(None, name).ok_or_else(|| {
            let failure = Failure::new(Kind::Missing, format!("there is no player {name}"))
                .why("it is not on the PATH");
            let known = player::Kind::KNOWN.map(player::Kind::program);
            let failure = match nearest_of(name, known.into_iter()) {
                Some(near) if near != name => failure.hint(Advice::set("player", near)),
                _ => failure.hint(install_line::line(Wanted::Player, environment.uid)),
            };
            failure.hint(Advice::print_address())
        });
    }
    let path = environment.cwd.join(name);
    if let Some(program) = locate(Some(&path), name) {
        return Ok(program);
    }
    Err(Failure::new(
        Kind::Missing,
        if path.is_dir() {
            format!("the player {name} is a folder")
        } else if path.exists() {
            format!("the player {name} is not executable")
        } else {
            format!("there is no player at {name}")
        },
    )
    .hint(Advice::change("player", "vlc, mpv, ffplay or the path of a program"))
    .hint(Advice::print_address()))
}

/// What a look at a player shows.
pub fn look(program: PathBuf, environment: &Environment) -> Candidate {
    let kind = player::Kind::of(&program);
    let mut candidate = Candidate { kind, program, refuses_root: false, rtsp: true, interface: true };
    if kind == player::Kind::Vlc {
        candidate.refuses_root = environment.uid == 0;
        if !candidate.refuses_root {
            candidate.rtsp = vlc_has(&candidate.program, "live555");
            candidate.interface = vlc_has(&candidate.program, "qt");
        }
    }
    candidate
}

/// Whether a VLC has a module. One that does not answer is thought to have everything: it will say so itself.
fn vlc_has(program: &Path, module: &str) -> bool {
    let mut line = CommandLine::new(program);
    line.args(["-p", module]);
    match spawn::run(&line, LIMIT, 256 * 1024) {
        Ok(output) => ![output.stdout, output.stderr]
            .iter()
            .any(|said| String::from_utf8_lossy(said).contains("No matching module found")),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;

    fn settings(player: Option<&str>, environment: &Environment) -> Settings {
        let flags = Layer::flags([("player", player.map(str::to_string))]);
        Settings::load(flags, environment).unwrap()
    }

    fn failure(player: Option<&str>, vars: &[(&str, &str)]) -> Failure {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("text"), "x").unwrap();
        let environment = Environment::made(vars, dir.path());
        candidates(&settings(player, &environment), &environment).unwrap_err()
    }

    #[test]
    fn no_display_is_said_unless_a_player_was_named() {
        let shown = failure(None, &[]);
        assert_eq!((shown.kind(), shown.what()), (Kind::Missing, "there is no display to open a window on"));
        assert!(shown.hints().iter().any(|h| h.step == Advice::print_address()));
        let gone = failure(None, &[("DISPLAY", ":64999")]);
        assert_eq!(gone.reasons(), ["DISPLAY is :64999, and no X server listens there"]);
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment::made(&[], dir.path());
        let found = candidates(&settings(Some("sh"), &environment), &environment).unwrap();
        assert_eq!(found.first().unwrap().kind, player::Kind::Other);
    }

    #[test]
    fn a_wrong_player_is_told_apart() {
        for (name, what) in [
            ("mpw", "there is no player mpw"),
            ("./none", "there is no player at ./none"),
            ("./text", "the player ./text is not executable"),
            ("./", "the player ./ is a folder"),
        ] {
            let failure = failure(Some(name), &[("DISPLAY", ":0")]);
            assert_eq!((failure.kind(), failure.what()), (Kind::Missing, what));
        }
        assert_eq!(failure(Some("mpw"), &[]).hints().first(), Some(&Advice::set("player", "mpv").into()));
    }

    #[test]
    fn a_vlc_without_the_module_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        let path = dir.path().join("vlc");
        std::fs::write(
            &source,
            "#!/bin/sh\n[ \"$2\" = qt ] || echo 'No matching module found. Use --list'\n",
        )
        .unwrap();
        let status =
            std::process::Command::new("install").args(["-m", "755"]).arg(&source).arg(&path).status();
        assert!(status.unwrap().success());
        let mut environment = Environment::made(&[], dir.path());
        environment.uid = 1000;
        let seen = look(path.clone(), &environment);
        assert!(!seen.rtsp && seen.interface && !seen.refuses_root);
        environment.uid = 0;
        assert!(look(path, &environment).refuses_root);
    }
}
