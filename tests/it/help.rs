//! What `--help` prints, word for word: a change of it is seen in review, not by surprise.

use crate::golden::{root, same_as_file, updating};
use clap::{Command, CommandFactory};
use msconv::cli::Cli;
use std::collections::BTreeSet;

/// The whole tree, laid out for a terminal of 100 columns wherever the test runs.
fn tree() -> Command {
    let mut command = Cli::command().term_width(100);
    command.build();
    command
}

/// Every visible command with the name of its file.
fn commands(command: &Command, name: &str, found: &mut Vec<(String, Command)>) {
    found.push((name.to_string(), command.clone()));
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        commands(sub, &format!("{name}-{}", sub.get_name()), found);
    }
}

fn every_command() -> Vec<(String, Command)> {
    let mut found = Vec::new();
    commands(&tree(), "msconv", &mut found);
    found
}

#[test]
fn help_is_as_agreed() {
    let mut wrong = Vec::new();
    let mut files = BTreeSet::new();
    for (name, mut command) in every_command() {
        let text = command.render_long_help().to_string();
        let text: String = text.lines().map(|l| format!("{}\n", l.trim_end())).collect();
        wrong.extend(same_as_file(&format!("tests/golden/help/{name}.txt"), &text).err());
        files.insert(format!("{name}.txt"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for entry in std::fs::read_dir(root().join("tests/golden/help")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !files.contains(&name) && updating() {
            std::fs::remove_file(root().join("tests/golden/help").join(&name)).unwrap();
        } else {
            assert!(files.contains(&name), "tests/golden/help/{name} belongs to no command");
        }
    }
}

#[test]
fn every_help_ends_with_examples() {
    for (name, command) in every_command() {
        if command.has_subcommands() && name != "msconv" {
            continue;
        }
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let nothing_to_say = matches!(name.as_str(), "msconv-devices") || name.starts_with("msconv-config-");
        // What belongs to a group may stand among the group's examples.
        let of_a_group = name.strip_prefix("msconv-").and_then(|name| name.split_once('-'));
        let in_the_group = of_a_group.is_some_and(|(group, leaf)| {
            let group = every_command().into_iter().find(|(name, _)| *name == format!("msconv-{group}"));
            let examples = group.and_then(|(_, group)| group.get_after_help().map(ToString::to_string));
            examples
                .is_some_and(|text| text.contains(&format!("{} {leaf}", of_a_group.map_or("", |(g, _)| g))))
        });
        let shown = after.contains("Examples:") || in_the_group;
        assert!(nothing_to_say || shown, "{name} --help shows no examples");
    }
    let main = tree().render_long_help().to_string();
    for kind in msconv::base::Kind::ALL {
        assert!(
            main.contains(&format!("\n  {:<4} ", kind.exit_code())),
            "exit code {} is not listed",
            kind.exit_code()
        );
    }
}

#[test]
fn short_flags_mean_the_same_everywhere() {
    let mut meaning = std::collections::BTreeMap::new();
    for (name, command) in every_command() {
        for arg in command.get_arguments() {
            let (Some(short), Some(long)) = (arg.get_short(), arg.get_long()) else { continue };
            // `logs -f -n` follow the habit of tail.
            if name == "msconv-logs" && matches!(short, 'f' | 'n') {
                continue;
            }
            let first = meaning.entry(short).or_insert_with(|| long.to_string());
            let same = *first == long || (short == 'v' && long.starts_with("variant"));
            assert!(same, "-{short} is --{first} and, in {name}, --{long}");
        }
    }
    let shorts: String = meaning.keys().collect();
    assert_eq!(shorts, "Vadfhloqrsv", "a new short flag");
}
