//! The next step after a failure, as a value: a terminal spells it as a command line, a page as a link or a button.

use serde::{Deserialize, Serialize};

/// What helps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Start the servers.
    StartServers,
    /// Start the servers of this backend.
    StartBackend {
        /// Its word.
        backend: String,
        /// With the services that watch the others.
        monitoring: bool,
        /// A variable and its value beside it.
        with: Option<(String, String)>,
    },
    /// End the servers.
    StopServers,
    /// Run the built-in server in the foreground.
    Serve,
    /// Look at what is live.
    ListStreams,
    /// Look at our streams.
    ShowStreams,
    /// Look at one of our streams.
    ShowStream(String),
    /// Stop a stream.
    StopStream {
        /// Its key.
        key: String,
        /// Who must do it.
        by: By,
    },
    /// Stop the stream that has the key, as part of this publish.
    ReplaceStream,
    /// Publish a first stream.
    Publish,
    /// Look at the command of this publish, to try it by hand.
    ShowCommand,
    /// Watch a stream.
    Play {
        /// Its key.
        key: String,
        /// Which variant.
        label: Option<String>,
        /// How long it may take to come.
        wait: Option<String>,
    },
    /// Look at the newest log.
    ShowLogs,
    /// Look at the log of a stream.
    ShowLog(String),
    /// Look at the log of a service.
    ShowServiceLog(String),
    /// Have the machine looked at.
    Examine {
        /// And cleared up.
        fix: bool,
    },
    /// Look at the cameras, microphones and screens.
    ListDevices,
    /// Write a first configuration file.
    WriteConfiguration,
    /// Read this file instead.
    ReadFile(String),
    /// Read this device instead.
    ReadDevice(String),
    /// Take the address of this, to watch it elsewhere; of a stream that is not named yet without one.
    PrintAddress {
        /// The stream, if it is not the one at hand.
        key: Option<String>,
    },
    /// The same with a setting.
    Set {
        /// Its name, as `nginx_rtmp_url`.
        name: String,
        /// Its value; empty for what is simply allowed.
        value: String,
    },
    /// The same with a setting changed in this way.
    Change {
        /// Its name, as `nginx_rtmp_url`.
        name: String,
        /// How, in words.
        how: String,
    },
    /// Publish under another key.
    ChooseKey,
    /// Keep the files elsewhere, or mend what is wrong where they are.
    MoveHome(Trouble),
    /// Anything else, in a sentence or as a command of another program.
    Raw(String),
}

/// What is wrong with the folder that holds the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It may not be written.
    Rights,
    /// Its disk is full.
    Full,
    /// It is not on a disk of this machine.
    Remote,
    /// Something else.
    Other,
}

/// Who can do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Whoever asked.
    Asker,
    /// This user.
    User(u32),
    /// Root.
    Root,
}

/// What is said beside a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    /// Right behind it.
    Behind(String),
    /// In a column of its own.
    InColumn(String),
}

/// A step and what is said beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// What helps.
    pub step: Advice,
    /// Why, or when.
    pub remark: Option<Remark>,
}

impl Advice {
    /// A setting with this value.
    pub fn set(name: &str, value: impl Into<String>) -> Advice {
        Advice::Set { name: name.replace('-', "_"), value: value.into() }
    }

    /// A setting changed in this way.
    pub fn change(name: &str, how: impl Into<String>) -> Advice {
        Advice::Change { name: name.replace('-', "_"), how: how.into() }
    }

    /// Stopping a stream, by whoever asked.
    pub fn stop(key: impl ToString) -> Advice {
        Advice::StopStream { key: key.to_string(), by: By::Asker }
    }

    /// Watching a stream.
    pub fn play(key: impl ToString) -> Advice {
        Advice::Play { key: key.to_string(), label: None, wait: None }
    }

    /// The address of what is at hand.
    pub fn print_address() -> Advice {
        Advice::PrintAddress { key: None }
    }

    /// Starting the servers of a backend.
    pub fn start_backend(backend: &str) -> Advice {
        Advice::StartBackend { backend: backend.into(), monitoring: false, with: None }
    }

    /// With a remark right behind it.
    pub fn behind(self, remark: impl Into<String>) -> Next {
        Next { step: self, remark: Some(Remark::Behind(remark.into())) }
    }

    /// With a remark in a column of its own.
    pub fn in_column(self, remark: impl Into<String>) -> Next {
        Next { step: self, remark: Some(Remark::InColumn(remark.into())) }
    }
}

impl From<Advice> for Next {
    fn from(step: Advice) -> Next {
        Next { step, remark: None }
    }
}

impl From<&str> for Next {
    fn from(text: &str) -> Next {
        Advice::Raw(text.into()).into()
    }
}

impl From<&String> for Next {
    fn from(text: &String) -> Next {
        text.as_str().into()
    }
}

impl From<String> for Next {
    fn from(text: String) -> Next {
        Advice::Raw(text).into()
    }
}
