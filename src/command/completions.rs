//! `msconv completions`: the completion script of a shell, from the clap tree.

use crate::base::Outcome;
use crate::cli::{Cli, CompletionsArgs};
use crate::ui::console::document;
use clap::{Command, CommandFactory};

/// Runs it; the exit code.
pub fn run(args: &CompletionsArgs) -> Outcome<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut visible(), "msconv", &mut script);
    document(&script)?;
    Ok(0)
}

/// The tree without what nobody types by hand.
fn visible() -> Command {
    let whole = Cli::command();
    Command::new("msconv")
        .args(whole.get_arguments().cloned())
        .subcommands(whole.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_gets_the_visible_commands_only() {
        for shell in clap_complete::Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut visible(), "msconv", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("publish") && script.contains("nginx-rtmp-url"), "{shell}");
            assert!(!script.contains("__supervise") && !script.contains("__feed"), "{shell}");
        }
    }
}
