//! The documents against the program: command lines parse, every flag, variable, setting, exit code and JSON field is
//! in its reference, both READMEs say the same, links lead somewhere.
//!
//! Tables that can be made from the program are made from it: `<!-- generated: NAME -->` to `<!-- end -->`.

mod markdown;
mod tables;

use crate::golden::{root, same_as_file};
use clap::{CommandFactory, Parser};
use markdown::{Block, blocks, headings, inline_code, links, slug};
use msconv::cli::Cli;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const READMES: [&str; 2] = ["README.md", "README.ru.md"];

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path.strip_prefix(root()).unwrap().to_path_buf());
            }
        }
    }
    found.sort();
    found
}

fn documents() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = READMES.iter().map(PathBuf::from).collect();
    all.extend(["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(PathBuf::from));
    all.extend(files("docs", "md"));
    all
}

/// The command lines of a document: those of `sh` blocks, the typed ones of `console` blocks, and `msconv ...` in text.
fn command_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for block in blocks(text) {
        let Block { language, body, .. } = block;
        match language.as_str() {
            "sh" => lines.extend(markdown::joined(&body)),
            "console" => {
                lines.extend(
                    markdown::joined(&body).iter().filter_map(|l| l.strip_prefix("$ ")).map(str::to_string),
                );
            }
            _ => {}
        }
    }
    lines.extend(inline_code(text));
    lines
}

/// Why `line` is no command line of msconv; `None` if it is one, or has nothing to do with msconv.
fn refused(line: &str) -> Option<String> {
    for words in markdown::commands(line) {
        let at = words.iter().position(|w| !w.contains('=') && w != "sudo" && w != "time")?;
        // The word alone is a name, also of a form of admission.
        if words.get(at).is_none_or(|w| w != "msconv") || words.len() == 1 {
            continue;
        }
        if let Err(e) = Cli::try_parse_from(words.get(at..).unwrap_or_default())
            && e.use_stderr()
        {
            return Some(e.to_string());
        }
    }
    None
}

#[test]
fn every_command_line_parses() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for document in documents() {
        for line in command_lines(&read(&document)) {
            if line.starts_with("msconv") {
                seen += 1;
            }
            if let Some(why) = refused(&line) {
                wrong.push(format!("{}: {line}\n{why}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 40, "the documents hold command lines: {seen}");
}

#[test]
fn every_command_that_a_message_advises_parses() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in files("src", "rs") {
        let text = read(&file);
        for piece in text.split("\"msconv ").skip(1) {
            let Some((command, _)) = piece.split_once(['"', '\n']) else { continue };
            // What stands behind three blanks is a remark; what stands in braces is filled in later.
            // Alternatives are parted by ", "; "..." stands for what the person typed before.
            let command = command.split("   ").next().unwrap_or_default().replace(" ...", "");
            let command = command.split(", ").next().unwrap_or_default();
            let mut filled = String::new();
            let mut depth = 0;
            for letter in command.chars() {
                match letter {
                    '{' => {
                        depth += 1;
                        filled.push('x');
                    }
                    '}' => depth -= 1,
                    _ if depth > 0 => {}
                    other => filled.push(other),
                }
            }
            let line = format!("msconv {}", filled.trim());
            if line.contains(|c: char| !c.is_ascii()) || !line.contains(' ') {
                continue;
            }
            seen += 1;
            if let Some(why) = refused(&line).filter(|why| !why.contains("invalid value 'x'")) {
                wrong.push(format!("{}: {line}\n{why}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 10, "messages advise commands: {seen}");
}

#[test]
fn generated_tables_are_in_step() {
    let mut wrong = Vec::new();
    for document in documents() {
        let text = read(&document);
        match tables::filled(&text) {
            Ok(filled) if filled == text => {}
            Ok(filled) => wrong.extend(same_as_file(&document.to_string_lossy(), &filled).err()),
            Err(why) => wrong.push(format!("{}: {why}", document.display())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_flag_and_setting_has_its_place() {
    let cli = read("docs/reference/cli.md");
    for sub in Cli::command().get_subcommands().filter(|s| !s.is_hide_set()) {
        let heading = format!("## {}", sub.get_name());
        assert!(cli.lines().any(|l| l == heading), "docs/reference/cli.md has no section '{heading}'");
        let table = format!("<!-- generated: flags {} -->", sub.get_name());
        let any = sub.get_arguments().next().is_some() || sub.has_subcommands();
        assert!(!any || cli.contains(&table), "docs/reference/cli.md lacks {table}");
    }
    assert!(cli.contains("<!-- generated: flags msconv -->"));
    assert!(read("docs/reference/config.md").contains("<!-- generated: settings -->"));
    assert!(read("docs/reference/exit-codes.md").contains("<!-- generated: exit codes -->"));
}

/// Every `MSCONV_...` that a file of ours reads or mentions.
fn variables(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for piece in text.split("MSCONV_").skip(1) {
        let name: String = piece.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        if !name.is_empty() {
            found.insert(format!("MSCONV_{}", name.trim_end_matches('_')));
        }
    }
    found
}

#[test]
fn every_environment_variable_is_explained() {
    // What only tests read is explained to those who work on it.
    let reference = read("docs/reference/config.md") + &read("docs/architecture.md");
    let explained = variables(&reference);
    let mut asked: BTreeSet<String> =
        msconv::config::keys::KEYS.iter().map(|k| msconv::config::layers::variable(k.name)).collect();
    for folder in ["src", "tests", "benches"] {
        for file in files(folder, "rs") {
            if !file.ends_with("docs.rs") {
                asked.extend(variables(&read(&file)));
            }
        }
    }
    for file in files("scripts", "sh") {
        asked.extend(variables(&read(&file)));
    }
    let missing: Vec<_> = asked.difference(&explained).collect();
    assert!(
        missing.is_empty(),
        "docs/reference/config.md (for tests: docs/architecture.md) does not explain {missing:?}"
    );
    let idle: Vec<_> = explained.difference(&asked).collect();
    assert!(idle.is_empty(), "variables are explained that nothing reads: {idle:?}");
}

#[test]
fn every_exit_code_is_explained() {
    let reference = read("docs/reference/exit-codes.md");
    for kind in msconv::base::Kind::ALL {
        let row = format!("| {} | `{}` |", kind.exit_code(), kind.word());
        assert!(reference.contains(&row), "docs/reference/exit-codes.md lacks the row {row}");
    }
}

/// The fields of every struct of a file that is serialised.
fn serialised_fields(text: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut inside = false;
    let mut skipped = false;
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("#[derive(") {
            inside = line.contains("Serialize");
        } else if line.starts_with("#[serde(skip") {
            skipped = true;
        } else if let Some((name, _)) = line.strip_prefix("pub ").and_then(|l| l.split_once(':')) {
            let plain = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if inside && plain && !std::mem::take(&mut skipped) {
                fields.push(name.to_string());
            }
        } else if line == "}" {
            inside = false;
        }
    }
    fields
}

#[test]
fn every_json_schema_and_field_is_explained() {
    let reference = read("docs/reference/json.md");
    let mut missing = BTreeSet::new();
    for file in files("src", "rs") {
        let text = read(&file);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for piece in code.split("msconv.").skip(1) {
            let name: String = piece
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || matches!(c, '-' | '_' | '/') || c.is_ascii_digit())
                .collect();
            let versioned = name.split_once('/').is_some_and(|(_, v)| v.parse::<u32>().is_ok());
            if versioned && !reference.contains(&format!("`msconv.{name}`")) {
                missing.insert(format!("{}: msconv.{name}", file.display()));
            }
        }
        let shown = file.starts_with("src/command") || file.starts_with("src/ui");
        let mut fields = Vec::new();
        if shown && code.contains("json!(") {
            for piece in code.split("\":").collect::<Vec<_>>().iter().rev().skip(1) {
                let name = piece.rsplit('"').next().unwrap_or_default();
                if !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                    fields.push(name.to_string());
                }
            }
        }
        let printed_whole = [
            "src/model/listing.rs",
            "src/manager/listing/status.rs",
            "src/manager/servers/mod.rs",
            "src/manager/devices/audio.rs",
            "src/manager/devices/v4l2.rs",
            "src/process/device_users.rs",
            "src/backend/mod.rs",
        ];
        if printed_whole.iter().any(|name| file.starts_with(name)) {
            fields.extend(serialised_fields(code));
        }
        for field in fields {
            if !reference.contains(&format!("`{field}`")) && !reference.contains(&format!("\"{field}\"")) {
                missing.insert(format!("{}: {field}", file.display()));
            }
        }
    }
    assert!(missing.is_empty(), "docs/reference/json.md does not explain {missing:#?}");
}

#[test]
fn both_readmes_say_the_same() {
    let [english, russian] = READMES.map(read);
    let levels = |text: &str| headings(text).iter().map(|(level, _)| *level).collect::<Vec<_>>();
    assert_eq!(levels(&english), levels(&russian), "headings");
    let bodies = |text: &str| blocks(text).into_iter().map(|b| (b.language, b.body)).collect::<Vec<_>>();
    for (one, other) in bodies(&english).iter().zip(&bodies(&russian)) {
        assert_eq!(one, other, "code blocks");
    }
    assert_eq!(bodies(&english).len(), bodies(&russian).len(), "number of code blocks");
    let rows = |text: &str| text.lines().filter(|l| l.starts_with('|')).count();
    assert_eq!(rows(&english), rows(&russian), "rows of tables");
    let targets = |text: &str| {
        let all = links(text).into_iter().filter(|l| !l.starts_with("README") && !l.starts_with('#'));
        all.collect::<BTreeSet<_>>()
    };
    assert_eq!(targets(&english), targets(&russian), "links");
}

#[test]
fn the_first_screen_is_a_sentence_and_the_commands() {
    for readme in READMES {
        let text = read(readme);
        let first = blocks(&text).into_iter().next().unwrap();
        assert!(first.line <= 12, "{readme}: the commands begin on line {}", first.line);
        let commands: Vec<&str> =
            first.body.lines().map(|l| l.split_whitespace().next().unwrap_or("")).collect();
        assert_eq!(commands.first(), Some(&"scripts/demo.sh"), "{readme}");
        assert_eq!(commands.get(1), Some(&"scripts/test.sh"), "{readme}");
    }
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    for document in documents() {
        let text = read(&document);
        for link in links(&text) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').map_or((link.as_str(), None), |(f, a)| (f, Some(a)));
            let target = match file {
                "" => document.clone(),
                file => document.parent().unwrap_or(Path::new("")).join(file),
            };
            if !root().join(&target).exists() {
                wrong.push(format!("{}: {link} is not there", document.display()));
            } else if let Some(anchor) = anchor {
                let there = headings(&read(&target)).iter().any(|(_, title)| slug(title) == anchor);
                if !there {
                    wrong.push(format!("{}: {link} names no heading", document.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn scripts_that_are_named_exist() {
    for document in documents() {
        let text = read(&document);
        for piece in text.split("scripts/").skip(1) {
            let name: String = piece
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
                .collect();
            let name = name.trim_end_matches('.');
            if !name.is_empty() {
                assert!(root().join("scripts").join(name).exists(), "{}: scripts/{name}", document.display());
            }
        }
    }
}

/// The longest run of plain words of a message: names, numbers and addresses in it are examples.
fn plain_words(message: &str) -> String {
    let example = |word: &str| {
        word.contains(|c: char| c.is_ascii_digit() || !c.is_ascii() || matches!(c, '/' | '\'' | '_'))
            || matches!(word.trim_end_matches(','), "hevc" | "nginx")
    };
    let mut runs = vec![Vec::new()];
    for word in message.split_whitespace() {
        if example(word) {
            runs.push(Vec::new());
        } else {
            runs.last_mut().unwrap().push(word);
        }
    }
    runs.iter().map(|run| run.join(" ")).max_by_key(String::len).unwrap_or_default()
}

#[test]
fn messages_that_are_explained_exist() {
    let sources: String = files("src", "rs").iter().map(read).collect();
    let mut explained: Vec<(String, String)> = headings(&read("docs/troubleshooting.md"))
        .into_iter()
        .filter_map(|(_, title)| Some(title.strip_prefix('`')?.strip_suffix('`')?.to_string()))
        .map(|message| ("docs/troubleshooting.md".to_string(), message))
        .collect();
    for readme in READMES {
        // In the text a message stands at the start of a paragraph.
        let text = read(readme);
        let messages =
            text.lines().filter_map(|l| Some(l.strip_prefix('`')?.split_once("`: ")?.0.to_string()));
        explained.extend(messages.map(|message| (readme.to_string(), message)));
    }
    assert!(explained.len() > 10, "{explained:?}");
    for (place, message) in explained {
        let words = plain_words(&message);
        assert!(sources.contains(&words), "{place} explains '{message}', but nothing says '{words}'");
    }
}

#[test]
fn the_checks_bite() {
    assert!(refused("msconv publish -s a -f b.mp4 --no-such-flag").is_some());
    assert!(refused("msconv list | msconv nonsense").is_some());
    assert!(refused("cd x && MSCONV_HOME=/tmp msconv lisst").is_some());
    assert!(refused("msconv play -s \"$(msconv list -l)\"   # picks").is_none());
    assert!(refused("msconv --help").is_none());
    assert!(refused("echo msconv nonsense").is_none());
    let text = "# A\n```sh\nmsconv a \\\n  b\n```\nText `msconv c`.\n```text\nmsconv d\n```\n```console\n$ msconv e\nmsconv f\n```\n";
    assert_eq!(command_lines(text), ["msconv a b", "msconv e", "msconv c"]);
    assert_eq!(headings("# A b!\n```sh\n# no\n```\n## C\n").len(), 2);
    assert_eq!(slug("Where do I add ...?"), "where-do-i-add-");
    assert_eq!(variables("MSCONV_A_B=1 $MSCONV_C_"), ["MSCONV_A_B", "MSCONV_C"].map(str::to_string).into());
    assert_eq!(
        serialised_fields(
            "#[derive(Clone, Serialize)]\npub struct A {\n    pub one: u8,\n    #[serde(skip)]\n    pub two: u8,\n}\n#[derive(Clone)]\npub struct B {\n    pub three: u8,\n}"
        ),
        ["one"]
    );
}
