//! `msconv man`: one manual page with a section for each subcommand, from the clap tree.

use crate::base::{Failure, Outcome, failure::io_words};
use crate::cli::Cli;
use crate::ui::console::document;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use std::io;

/// Runs it; the exit code.
pub fn run() -> Outcome<u8> {
    let page = page().map_err(|e| Failure::internal("cannot write the manual page").why(io_words(&e)))?;
    document(page.as_bytes())?;
    Ok(0)
}

/// The whole page as roff.
///
/// # Errors
/// None that a string could have; the writer's signature asks for it.
pub fn page() -> io::Result<String> {
    let command = Cli::command();
    let mut roff = Vec::new();
    let whole = Man::new(command.clone()).title("MSCONV").manual("User Commands");
    whole.render_title(&mut roff)?;
    whole.render_name_section(&mut roff)?;
    whole.render_synopsis_section(&mut roff)?;
    whole.render_description_section(&mut roff)?;
    whole.render_options_section(&mut roff)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        section(sub, "msconv", &mut roff)?;
    }
    whole.render_extra_section(&mut roff)?;
    Ok(String::from_utf8_lossy(&roff).replace(".SH EXTRA", ".SH \"EXIT STATUS AND EXAMPLES\"\n.nf"))
}

/// One subcommand as a section, those below it as further ones.
fn section(sub: &Command, parent: &str, roff: &mut Vec<u8>) -> io::Result<()> {
    let name = format!("{parent} {}", sub.get_name());
    let man = Man::new(sub.clone().bin_name(&name).disable_help_flag(true).disable_help_subcommand(true));
    let mut own = Vec::new();
    man.render_synopsis_section(&mut own)?;
    man.render_description_section(&mut own)?;
    man.render_options_section(&mut own)?;
    if sub.get_after_help().is_some() {
        man.render_extra_section(&mut own)?;
    }
    let own = String::from_utf8_lossy(&own).replace(".SH EXTRA", ".SH NOTES\n.nf").replace(".SH ", ".SS ");
    roff.extend_from_slice(format!(".SH \"{}\"\n", name.to_uppercase()).as_bytes());
    roff.extend_from_slice(own.as_bytes());
    // Notes are set line by line, since most are command lines; what follows is text again.
    roff.extend_from_slice(b".fi\n");
    for below in sub.get_subcommands().filter(|below| !below.is_hide_set()) {
        section(below, &name, roff)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_flag_is_in_the_page() {
        let page = page().unwrap().replace("\\-", "-");
        for sub in Cli::command().get_subcommands() {
            let title = format!(".SH \"MSCONV {}\"", sub.get_name().to_uppercase());
            assert_eq!(page.contains(&title), !sub.is_hide_set(), "{title}");
            for arg in sub.get_arguments().filter(|_| !sub.is_hide_set()) {
                if let Some(long) = arg.get_long() {
                    assert!(page.contains(&format!("--{long}")), "--{long}");
                }
            }
        }
        assert!(page.contains("Exit codes:"));
    }
}
