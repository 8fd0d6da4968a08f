//! A program with its arguments, as a value: built before anything starts, printable, comparable, never a shell string.

use super::secret::MASK;
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What a program reads from its standard input: some lines, again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeated {
    #[serde(with = "wire_text")]
    lines: OsString,
    times: usize,
}

impl Repeated {
    /// `lines`, without a line break at their end, `times` times.
    pub fn new(lines: impl Into<OsString>, times: usize) -> Repeated {
        Repeated { lines: lines.into(), times }
    }

    /// The lines as people see them.
    pub fn lines(&self) -> String {
        self.lines.to_string_lossy().into_owned()
    }

    /// How often it comes.
    pub fn times(&self) -> usize {
        self.times
    }

    /// All of it.
    pub fn bytes(&self) -> Vec<u8> {
        [self.lines.as_bytes(), b"\n"].concat().repeat(self.times)
    }
}

/// One argument: what the program gets, and what people are shown where it holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    text: OsString,
    shown: Option<String>,
    stdin: Option<Repeated>,
}

impl Argument {
    /// An argument without secrets.
    pub fn plain(text: impl Into<OsString>) -> Argument {
        Argument { text: text.into(), shown: None, stdin: None }
    }

    /// An argument that makes the program read its standard input, and what it finds there.
    pub fn reading(text: impl Into<OsString>, stdin: Repeated) -> Argument {
        Argument { stdin: Some(stdin), ..Argument::plain(text) }
    }

    /// An argument that is shown as `shown` instead of as it is.
    pub fn masked(text: impl Into<OsString>, shown: impl Into<String>) -> Argument {
        Argument { shown: Some(shown.into()), ..Argument::plain(text) }
    }

    /// What the program gets.
    pub fn text(&self) -> &OsStr {
        &self.text
    }

    /// The same with each `from` in it made `to`; one that is not UTF-8 stays as it is.
    pub fn replaced(&self, from: &str, to: &str) -> Argument {
        match self.text.to_str().filter(|text| text.contains(from)) {
            Some(text) => Argument {
                text: text.replace(from, to).into(),
                shown: self.shown.as_ref().map(|shown| shown.replace(from, to)),
                stdin: self.stdin.clone(),
            },
            None => self.clone(),
        }
    }

    /// What people see.
    pub fn shown(&self) -> String {
        self.shown.clone().unwrap_or_else(|| self.text.to_string_lossy().into_owned())
    }
}

impl<T: Into<OsString>> From<T> for Argument {
    fn from(text: T) -> Argument {
        Argument::plain(text)
    }
}

/// A whole invocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLine {
    /// The program's path.
    pub program: PathBuf,
    /// Its arguments, without the program itself.
    pub args: Vec<Argument>,
    /// The program whose stdout is this one's stdin; without one it reads nothing.
    #[serde(default)]
    pub feeder: Option<Box<CommandLine>>,
}

impl CommandLine {
    /// A command without arguments yet.
    pub fn new(program: impl Into<PathBuf>) -> CommandLine {
        CommandLine { program: program.into(), args: Vec::new(), feeder: None }
    }

    /// Reads what `feeder` writes.
    pub fn fed_by(&mut self, feeder: CommandLine) -> &mut CommandLine {
        self.feeder = Some(Box::new(feeder));
        self
    }

    /// Adds one argument.
    pub fn arg(&mut self, arg: impl Into<Argument>) -> &mut CommandLine {
        self.args.push(arg.into());
        self
    }

    /// Adds several arguments.
    pub fn args<T: Into<Argument>>(&mut self, args: impl IntoIterator<Item = T>) -> &mut CommandLine {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The arguments as people may see them, without the program.
    pub fn shown_args(&self) -> Vec<String> {
        self.args.iter().map(Argument::shown).collect()
    }

    /// What the program reads from its standard input, if anything.
    pub fn stdin(&self) -> Option<&Repeated> {
        self.args.iter().find_map(|arg| arg.stdin.as_ref())
    }

    /// A line that a POSIX shell reads back as exactly this command, secrets masked.
    pub fn shell_line(&self) -> String {
        let mut line = match (self.stdin(), &self.feeder) {
            (Some(stdin), _) => {
                let lines = stdin.lines();
                let all = lines.split('\n').count().saturating_mul(stdin.times);
                format!("yes {} | head -n {all} | ", quoted(&lines))
            }
            (None, Some(feeder)) => feeder.shell_line() + " | ",
            (None, None) => String::new(),
        };
        line.push_str(&quoted(&self.program.to_string_lossy()));
        for arg in &self.args {
            line.push(' ');
            line.push_str(&quoted(&arg.shown()));
        }
        line
    }

    /// Whether any argument is masked when shown.
    pub fn has_secrets(&self) -> bool {
        let own = self.args.iter().any(|a| a.shown.as_deref().is_some_and(|s| s.contains(MASK)));
        own || self.feeder.as_ref().is_some_and(|feeder| feeder.has_secrets())
    }
}

/// `word` quoted for a POSIX shell where it needs it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A path as ffmpeg's `file:` URL, absolute, so that names with `:` or a leading dash cannot be taken for anything else.
pub fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path.as_os_str());
    url
}

/// How an argument travels to the supervisor: text where it is UTF-8, bytes where a file name is not.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wire {
    Text(String),
    Bytes(Vec<u8>),
    Masked { text: Box<Wire>, shown: String },
    Reading { text: Box<Wire>, stdin: Repeated },
}

impl From<&OsStr> for Wire {
    fn from(text: &OsStr) -> Wire {
        text.to_str().map_or_else(|| Wire::Bytes(text.as_bytes().to_vec()), |t| Wire::Text(t.to_string()))
    }
}

impl Wire {
    fn into_text(self) -> OsString {
        match self {
            Wire::Text(text) => text.into(),
            Wire::Bytes(bytes) => OsString::from_vec(bytes),
            Wire::Masked { text, .. } | Wire::Reading { text, .. } => text.into_text(),
        }
    }
}

/// A text that need not be UTF-8, within another value.
mod wire_text {
    use super::{OsString, Wire};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &OsString, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::from(text.as_os_str()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OsString, D::Error> {
        Wire::deserialize(deserializer).map(Wire::into_text)
    }
}

impl Serialize for Argument {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Wire::from(self.text.as_os_str());
        match (&self.shown, &self.stdin) {
            (Some(shown), _) => Wire::Masked { text: Box::new(text), shown: shown.clone() },
            (None, Some(stdin)) => Wire::Reading { text: Box::new(text), stdin: stdin.clone() },
            (None, None) => text,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Argument, D::Error> {
        Ok(match Wire::deserialize(deserializer)? {
            Wire::Masked { text, shown } => Argument::masked(text.into_text(), shown),
            Wire::Reading { text, stdin } => Argument::reading(text.into_text(), stdin),
            plain => Argument::plain(plain.into_text()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_line_back() {
        let mut command = CommandLine::new("/usr/bin/printf");
        command.args(["%s\\n", "it's", "a b", "", "$(x)", "*", "-f", "ü"]);
        let output = std::process::Command::new("sh").arg("-c").arg(command.shell_line()).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "it's\na b\n\n$(x)\n*\n-f\nü\n");
    }

    #[test]
    fn a_feeder_is_a_pipe_in_the_shell() {
        let mut command = CommandLine::new("cat");
        let mut feeder = CommandLine::new("printf");
        feeder.arg("a b");
        command.fed_by(feeder);
        assert_eq!(command.shell_line(), "printf 'a b' | cat");
        let json = serde_json::to_string(&command).unwrap();
        assert_eq!(serde_json::from_str::<CommandLine>(&json).unwrap(), command);
    }

    #[test]
    fn what_is_read_from_standard_input_is_part_of_the_line() {
        let mut command = CommandLine::new("cat");
        let line = OsString::from_vec(b"file it\\'s \xff".to_vec());
        command.arg("-").arg(Argument::reading("/dev/stdin", Repeated::new(line, 3)));
        assert_eq!(command.stdin().unwrap().bytes(), b"file it\\'s \xff\n".repeat(3));
        let json = serde_json::to_string(&command).unwrap();
        assert_eq!(serde_json::from_str::<CommandLine>(&json).unwrap(), command);
        let mut command = CommandLine::new("cat");
        command.arg(Argument::reading("-", Repeated::new("it's $x\nand more", 3)));
        let output = std::process::Command::new("sh").arg("-c").arg(command.shell_line()).output().unwrap();
        assert_eq!(output.stdout, command.stdin().unwrap().bytes());
    }

    #[test]
    fn secrets_are_masked_when_shown_and_survive_the_pipe() {
        let mut command = CommandLine::new("ffmpeg");
        command.arg(Argument::masked("rtmp://u:p@h/a", "rtmp://***@h/a"));
        command.arg(OsString::from_vec(vec![0x66, 0xff]));
        assert!(!command.shell_line().contains("u:p"));
        let json = serde_json::to_string(&command).unwrap();
        assert_eq!(serde_json::from_str::<CommandLine>(&json).unwrap(), command);
    }
}
