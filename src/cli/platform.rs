//! `stream`, `token`, `events`, `hooks` and `top`: what is registered with the server, what happens, and what it takes.

use clap::{Args, Subcommand};

/// `stream`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  msconv stream add \"Evening show\"
  msconv stream add \"Cam 2\" --slug cam2 --expires 2026-12-31T18:00:00Z
  msconv stream list
  msconv stream show cam2
  msconv stream add \"Hall\" --slug hall --pull rtsp://camera.local/front
  msconv stream start hall
  msconv stream stop hall
  msconv stream key cam2
  msconv stream remove cam2")]
pub struct StreamArgs {
    /// What to do
    #[command(subcommand)]
    pub action: StreamAction,
}

/// What is done with registered streams.
#[derive(Subcommand, Debug)]
pub enum StreamAction {
    /// Register a stream: its key, which publishes it, is shown once
    Add(StreamAddArgs),
    /// List registered streams and whatever else is live
    List,
    /// Show one stream
    Show {
        /// Its id or its slug
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Give a stream a new key; the old one and its publisher end at once
    Key {
        /// Its id or its slug
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Switch the source of a stream on: the server publishes it, also after a restart
    Start {
        /// Its id or its slug
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Switch the source of a stream off
    Stop {
        /// Its id or its slug
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Remove a stream; its publisher and its viewers end
    #[command(alias = "rm")]
    Remove {
        /// Its id or its slug
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// `stream add`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  msconv stream add \"Evening show\"
  msconv stream add \"Cam 2\" --slug cam2 --ladder auto --expires 12h")]
pub struct StreamAddArgs {
    /// Its title
    #[arg(value_name = "TITLE")]
    pub title: String,
    /// Its name in addresses [default: its id]
    #[arg(long, value_name = "SLUG")]
    pub slug: Option<String>,
    /// What ladder it is given: off, auto or a list of variants [default: the server's setting]
    #[arg(long, value_name = "LADDER")]
    pub ladder: Option<String>,
    /// Keep what is published
    #[arg(long)]
    pub record: bool,
    /// When its key stops opening it: a time, or a duration from now such as 12h
    #[arg(long, value_name = "TIME")]
    pub expires: Option<String>,
    /// Leave it out of the list for everybody
    #[arg(long)]
    pub unlisted: bool,
    /// What the server is to publish for it
    #[command(flatten)]
    pub source: SourceArgs,
    /// Switch the source on at once
    #[arg(long, requires = "from")]
    pub start: bool,
}

/// Where a stream comes from that the server publishes itself.
#[derive(Args, Debug)]
#[group(id = "from", multiple = false)]
pub struct SourceArgs {
    /// A file of the server's machine, repeated without end
    #[arg(long, value_name = "PATH")]
    pub file: Option<std::path::PathBuf>,
    /// A capture device of the server's machine: /dev/video0, or screen
    #[arg(long, value_name = "DEV")]
    pub device: Option<String>,
    /// A live RTMP, RTSP or SRT stream; - reads its address from standard input
    #[arg(long, value_name = "URL")]
    pub pull: Option<String>,
    /// A test picture with clock and tone
    #[arg(long)]
    pub test: bool,
}

/// `token`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  msconv token create backend --scopes \"streams read\"
  msconv token setup
  msconv token list
  msconv token revoke 7kQhGn3dVbA")]
pub struct TokenArgs {
    /// What to do
    #[command(subcommand)]
    pub action: TokenAction,
}

/// What is done with tokens.
#[derive(Subcommand, Debug)]
pub enum TokenAction {
    /// Make a token for a program; it is shown once
    Create {
        /// What people call it
        #[arg(value_name = "LABEL")]
        label: String,
        /// What it may do: all, or some of read, streams and chat, with blanks between [default: all]
        #[arg(long, value_name = "SCOPES")]
        scopes: Option<String>,
        /// When it ends: a time, or a duration from now such as 30d [default: never]
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// Make a link that sets the operator's password, once, for a day; those made before end
    Setup,
    /// List tokens
    List,
    /// End a token
    Revoke {
        /// Its name in the list
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// `events`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  msconv events
  msconv events --follow --types stream.live,stream.ended
  msconv events --json --after 1200")]
pub struct EventsArgs {
    /// Go on with what happens, until Ctrl-C
    #[arg(long)]
    pub follow: bool,
    /// Only these, as stream.live,chat.*; viewer.joined, viewer.left and stats only if they are named [default: all others]
    #[arg(long, value_name = "TYPES")]
    pub types: Option<String>,
    /// Behind this number; a negative one counts from the end [default: -50]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub after: Option<i64>,
}

/// `hooks`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  msconv hooks add https://example.org/events --types stream.live,stream.ended
  msconv hooks list
  msconv hooks test 7kQhGn3dVbA
  msconv hooks retry 7kQhGn3dVbA
  msconv hooks remove 7kQhGn3dVbA")]
pub struct HooksArgs {
    /// What to do
    #[command(subcommand)]
    pub action: HooksAction,
}

/// What is done with webhooks.
#[derive(Subcommand, Debug)]
pub enum HooksAction {
    /// Send events to an address, signed; the secret is shown once
    #[command(
        after_help = "Examples:\n  msconv hooks add https://example.org/events\n  msconv hooks add http://localhost:9000/ --types stream.live,chat.*"
    )]
    Add {
        /// Where to: http:// or https://
        #[arg(value_name = "URL")]
        url: String,
        /// Only these, as stream.live,chat.* [default: all but viewer.joined, viewer.left and stats]
        #[arg(long, value_name = "TYPES")]
        types: Option<String>,
    },
    /// List webhooks, and how each gets on
    #[command(after_help = "Examples:\n  msconv hooks list\n  msconv hooks list --json")]
    List,
    /// Send a test event, and show the answer
    #[command(after_help = "Examples:\n  msconv hooks test 7kQhGn3dVbA")]
    Test {
        /// Its name in the list
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Switch a webhook on again; what has waited is sent at once
    #[command(after_help = "Examples:\n  msconv hooks retry 7kQhGn3dVbA")]
    Retry {
        /// Its name in the list
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Remove a webhook; what waits for it is not sent
    #[command(alias = "rm", after_help = "Examples:\n  msconv hooks remove 7kQhGn3dVbA")]
    Remove {
        /// Its name in the list
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// `top`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  msconv top
  msconv top --once
  msconv top --json | jq .machine.cpu")]
pub struct TopArgs {
    /// Print one look as text and end; so it is where there is no terminal
    #[arg(long)]
    pub once: bool,
    /// Between two looks, 1s to 60s
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub interval: String,
}
