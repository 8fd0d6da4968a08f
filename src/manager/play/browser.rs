//! Which program opens a page: what `$BROWSER` names, else what the desktop has for it.

use super::Address;
use crate::base::CommandLine;
use crate::base::command_line::Argument;
use crate::config::Environment;
use crate::manager::machine::screen::no_display;
use crate::process::browser;
use crate::process::locate::locate;
use std::path::{Path, PathBuf};

/// What desktops open addresses with, if nobody says otherwise.
const DESKTOP: [&str; 2] = ["xdg-open", "x-www-browser"];
/// Most programs that are tried.
const MOST: usize = 8;

/// Opens `page` in the first program that does. The program.
///
/// # Errors
/// Why none does, in words.
pub async fn open(page: &Address, environment: &Environment) -> Result<PathBuf, String> {
    let named = environment.get("BROWSER").unwrap_or_default().trim();
    // Somebody who names a browser knows that it needs no window, or where that is.
    if let (true, Some(why)) = (named.is_empty(), no_display(environment)) {
        return Err(format!("there is no display to open a window on ({why})"));
    }
    let lines = lines(named, page);
    let mut found: Vec<CommandLine> = Vec::new();
    for line in lines {
        let (path, name) = (environment.cwd.join(&line.program), line.program.display().to_string());
        let set = name.contains('/').then_some(Path::new(&path));
        if let Some(program) = locate(set, &name) {
            found.push(CommandLine { program, ..line });
        }
    }
    if found.is_empty() {
        let looked_for =
            if named.is_empty() { DESKTOP.join(" nor ") } else { "what BROWSER names".to_string() };
        return Err(format!("there is no browser here: neither {looked_for} is on the PATH"));
    }
    let mut why = String::new();
    for line in found {
        match browser::open(&line).await {
            Ok(()) => return Ok(line.program),
            Err(said) => why = format!("{} {said}", line.program.display()),
        }
    }
    Err(why)
}

/// The commands to try: of `BROWSER`, which separates programs by colons and may say by `%s` where the address stands.
fn lines(named: &str, page: &Address) -> Vec<CommandLine> {
    let address = || Argument::masked(page.url.clone(), page.shown.clone());
    if named.is_empty() {
        let of = |program: &&str| {
            let mut line = CommandLine::new(*program);
            line.arg(address());
            line
        };
        return DESKTOP.iter().map(of).collect();
    }
    let of = |text: &str| {
        let mut words = text.split_whitespace();
        let mut line = CommandLine::new(words.next()?);
        let mut placed = false;
        for word in words {
            if word.contains("%s") {
                placed = true;
                let put = |address: &str| word.replace("%s", address);
                line.arg(Argument::masked(put(&page.url), put(&page.shown)));
            } else {
                line.arg(Argument::plain(word));
            }
        }
        if !placed {
            line.arg(address());
        }
        Some(line)
    };
    named.split(':').filter_map(of).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(named: &str) -> Vec<String> {
        let page = Address { url: "http://h/watch/a?pass=pw".into(), shown: "http://h/watch/a?***".into() };
        let lines = lines(named, &page);
        lines.iter().map(|line| line.shell_line().replace('\'', "")).collect()
    }

    #[test]
    fn a_list_of_browsers_is_read_as_desktops_read_it() {
        assert_eq!(shown(""), ["xdg-open http://h/watch/a?***", "x-www-browser http://h/watch/a?***"]);
        assert_eq!(
            shown("firefox --new-window %s:: /opt/chromium --app=%s :w3m"),
            [
                "firefox --new-window http://h/watch/a?***",
                "/opt/chromium --app=http://h/watch/a?***",
                "w3m http://h/watch/a?***"
            ]
        );
    }
}
