//! Who may do what: what is asked of the shell, and what follows from its answer.

use super::{Event, Phase, Purpose, ServerSession, StreamRequest};
use crate::auth::{Action, Demand, Denied, Grant, Protocol, Request, Shown};
use crate::base::secret::Secret;
use crate::model::secret_word::is_secret;
use crate::protocol::rtmp::session::adobe::{AdobeStep, FAILED, Guard, NEED_AUTH};
use crate::protocol::rtmp::session::command::{Command, Level, status};
use crate::protocol::rtmp::session::{SessionError, name};
use std::time::Duration;

/// What `connect` says of Adobe's authentication.
pub(super) enum Adobe {
    /// Nothing, and nothing has to be said.
    None,
    /// It is rejected with this description.
    Rejected(Event, String),
    /// The answer to a challenge.
    Proof(Shown),
}

/// What Adobe's authentication proved.
#[derive(Debug)]
pub(super) struct Proved {
    shown: Shown,
    /// What may be done with it.
    actions: Vec<Action>,
}

/// A question to the shell that is open.
#[derive(Debug)]
pub(super) enum Asking {
    /// Whether a proof is right.
    Proof(Box<Proving>),
    /// Whether a stream may be published or played.
    Stream { action: Action, query: String, stream: u32 },
}

/// A `connect` with an answer to a challenge.
#[derive(Debug)]
pub(super) struct Proving {
    connect: Command,
    application: String,
    arguments: String,
    /// What is asked about now, and what will be: all are asked, so that the time does not tell which of them exists.
    action: Action,
    rest: Vec<Action>,
    proved: Proved,
}

impl ServerSession {
    /// What to do about Adobe's authentication; it is asked for where credentials are needed.
    pub(super) fn adobe(&self, arguments: &str, publishes: bool) -> Adobe {
        let guard =
            Guard { secret: &self.rules.secret, address: self.peer.address, now: self.peer.since_start };
        match guard.step(arguments).filter(|_| !self.with_login().is_empty()) {
            Some(_) if self.peer.shut_out => {
                Adobe::Rejected(Event::Refused(Denied::ShutOut), Denied::ShutOut.to_string())
            }
            Some(AdobeStep::Challenge(description)) => Adobe::Rejected(Event::Close, description),
            Some(AdobeStep::Failed) => Adobe::Rejected(Event::Refused(Denied::Wrong), FAILED.into()),
            Some(AdobeStep::Proof(shown)) => Adobe::Proof(shown),
            None => {
                let action = if publishes { Action::Publish } else { Action::Read };
                let shown = name::credentials(arguments).is_some();
                let asks = self.peer.ask || (publishes && self.rules.adobe_at_connect);
                if self.rules.demands.of(action) == Demand::Login && asks && !shown {
                    return Adobe::Rejected(Event::Asked, NEED_AUTH.into());
                }
                Adobe::None
            }
        }
    }

    /// What a user and a password are needed for.
    fn with_login(&self) -> Vec<Action> {
        let demands = self.rules.demands;
        [Action::Publish, Action::Read].into_iter().filter(|a| demands.of(*a) == Demand::Login).collect()
    }

    pub(super) fn ask_whether_proved(
        &mut self,
        connect: Command,
        application: String,
        arguments: String,
        shown: Shown,
    ) {
        let proved = Proved { shown, actions: Vec::new() };
        let rest = self.with_login();
        let action = Action::Publish;
        self.ask_next(Box::new(Proving { connect, application, arguments, action, rest, proved }));
    }

    /// Asks about the next action; when there is none left, lets it in or not.
    fn ask_next(&mut self, mut proving: Box<Proving>) {
        if let Some(action) = proving.rest.pop() {
            proving.action = action;
            self.events.push_back(Event::Authorize(Box::new(Request {
                action,
                protocol: Protocol::Rtmp,
                application: proving.application.clone(),
                name: Secret::new(""),
                query: Secret::new(""),
                shown: proving.proved.shown.clone(),
                address: self.peer.address,
                caller: self.caller.clone(),
            })));
            self.asking = Some(Asking::Proof(proving));
            return;
        }
        let Proving { connect, application, arguments, proved, .. } = *proving;
        if proved.actions.is_empty() {
            return self.turn_away(connect.transaction, Event::Refused(Denied::Wrong), FAILED);
        }
        self.proved = Some(proved);
        self.welcome(&connect, application, arguments);
    }

    /// Asks whether the stream that a command names may be published or played.
    pub(super) fn ask_for_stream(&mut self, command: &Command, action: Action) {
        let (name, query) = name::cut(command.text(0).unwrap_or_default());
        let proved = self.proved.as_ref().filter(|proved| proved.actions.contains(&action));
        let shown = match proved {
            Some(proved) => proved.shown.clone(),
            None => name::credentials(query).or_else(|| name::credentials(&self.arguments)).into(),
        };
        let guesses = match self.rules.demands.of(action) {
            Demand::Nothing => is_secret(name),
            Demand::Login => (proved.is_none() && shown.is_some()) || is_secret(name),
            Demand::Key => true,
        };
        if guesses && self.peer.shut_out {
            return self.deny(action, command.stream, Denied::ShutOut);
        }
        self.active = command.stream;
        self.purpose = match action {
            Action::Publish => Purpose::AskedToPublish,
            _ => Purpose::AskedToPlay,
        };
        self.events.push_back(Event::Authorize(Box::new(Request {
            action,
            protocol: Protocol::Rtmp,
            application: self.application.clone(),
            name: Secret::new(name),
            query: Secret::new(query),
            shown,
            address: self.peer.address,
            caller: self.caller.clone(),
        })));
        let query = query.to_string();
        self.asking = Some(Asking::Stream { action, query, stream: command.stream });
    }

    /// The answer to [`Event::Authorize`]; then goes on with what came meanwhile.
    ///
    /// # Errors
    /// As [`ServerSession::receive`].
    pub fn authorized(&mut self, answer: Result<Grant, Denied>, now: Duration) -> Result<(), SessionError> {
        match self.asking.take() {
            None => return Ok(()),
            Some(Asking::Proof(proving)) => self.tried(proving, answer, now),
            Some(Asking::Stream { action, query, stream }) => match answer {
                Ok(grant) => self.granted(action, query, stream, grant, now),
                Err(denied) => self.deny(action, stream, denied),
            },
        }
        let held = std::mem::take(&mut self.held);
        self.take(&held, now)
    }

    /// Whether a proof is right for an action.
    fn tried(&mut self, mut proving: Box<Proving>, answer: Result<Grant, Denied>, now: Duration) {
        // The time that this took is not the client's.
        self.purpose = Purpose::None(now);
        match answer {
            Ok(_) => proving.proved.actions.push(proving.action),
            Err(late @ Denied::Late) => {
                let why = late.to_string();
                return self.turn_away(proving.connect.transaction, Event::Refused(late), &why);
            }
            Err(_) => {}
        }
        self.ask_next(proving);
    }

    fn granted(&mut self, action: Action, query: String, stream: u32, grant: Grant, now: Duration) {
        let application = self.application.clone();
        let wanted = StreamRequest { application, name: grant.name, query, user: short(&grant.user), stream };
        match (name::check(&wanted.name), action) {
            (Ok(()), Action::Publish) => self.events.push_back(Event::Publish(wanted)),
            (Ok(()), _) => self.events.push_back(Event::Play(wanted)),
            (Err(bad), Action::Publish) => self.bad_name(stream, &bad.to_string()),
            (Err(bad), _) => self.not_found(&wanted, &bad.to_string(), now),
        }
    }

    fn deny(&mut self, action: Action, stream: u32, denied: Denied) {
        let code = match action {
            Action::Publish => "NetStream.Publish.BadName",
            _ => "NetStream.Play.Failed",
        };
        let how = match denied {
            // Whoever comes again is asked before the stream's name is known (see `Rules::adobe_at_connect`).
            Denied::NeedsCredentials(_) => {
                ": put ?user=..&pass=.. behind the stream name, or set them in the program and connect once more"
            }
            _ => "",
        };
        status(&mut self.out, stream, Level::Error, code, &format!("{denied}{how}"));
        self.phase = Phase::Closing;
        self.events.push_back(Event::Refused(denied));
    }
}

/// The longest text from outside that is shown and kept, in characters.
const LONGEST_TEXT: usize = 256;

/// Text from outside, cut to a length that can be shown and kept.
pub(super) fn short(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}
