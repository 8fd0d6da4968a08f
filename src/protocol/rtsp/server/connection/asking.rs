//! What the dialog asks of the server: who may read and publish, and what a session begins and ends.

use super::{Connection, End, Part};
use crate::base::clock::Now;
use crate::hub::{self, Role};
use crate::model::StreamName;
use crate::protocol::RTSP_SESSION;
use crate::protocol::access::{Action, Denied, pause};
use crate::protocol::rtsp::egress::{Channels, Codings};
use crate::protocol::rtsp::server::publishing::Publishes;
use crate::protocol::rtsp::server::reading::Reads;
use crate::protocol::rtsp::session::Tracked;
use crate::protocol::rtsp::session::server::{Answer, Ask, Login, Reading};
use crate::protocol::rtsp::wire::sdp_read::{self, Described};
use crate::protocol::rtsp::wire::{Place, Status};
use std::future::Future;
use std::task::{Context, Poll, Waker};
use uuid::Uuid;

impl Connection {
    pub(super) fn ask(&mut self, ask: Ask, now: Now) {
        let answer = match ask {
            Ask::Read(place, login) => return self.ask_to_read(place, &login),
            Ask::Publish(place, login, described) => match self.login(Action::Publish, &login) {
                Ok(()) => self.publish(&place, described, &login, now),
                Err(denied) => return self.deny(denied),
            },
            Ask::Open(place) => {
                let user = self.user.clone();
                self.open(&place, Role::Idle, &user, now)
            }
            Ask::Play(place, reading) => self.play(&place, &reading, now),
            Ask::Pause => {
                if let Part::Reads(reads) = &self.part {
                    reads.reader.pause();
                }
                Answer::Done
            }
            Ask::Record(ways) => self.record(ways, now),
            Ask::Leave => self.teardown(),
        };
        self.dialog.answer(answer);
        // A session says how it is carried as soon as its first track is set up, as MediaMTX's does.
        if let (Some(session), Some(interleaved)) = (&self.session, self.dialog.interleaved()) {
            session.describe(|d| d.transport = Some(if interleaved { "TCP" } else { "UDP" }));
        }
    }

    pub(super) fn login(&self, action: Action, login: &Login) -> Result<(), Denied> {
        let shared = &self.shared;
        let remote = self.client.remote.ip();
        if shared.access.credentials(action).is_some() && shared.ledger().shut_out(remote, shared.age()) {
            return Err(Denied::ShutOut);
        }
        let Some(shown) = &login.shown else { return shared.access.check(action, remote, None) };
        match shared.access.credentials(action) {
            None => shared.access.check(action, remote, None),
            Some(wanted) if shown.fits(wanted, &login.method, &self.nonce) => Ok(()),
            Some(_) => Err(Denied::Wrong),
        }
    }

    pub(super) fn deny(&mut self, denied: Denied) {
        let remote = self.client.remote;
        let reason = denied.to_string();
        match denied {
            Denied::NeedsCredentials(_) => self.dialog.answer(Answer::Refused(Status::UNAUTHORIZED, reason)),
            Denied::Wrong => {
                self.shared.ledger().failed(remote.ip(), self.shared.age());
                self.shared.hub.registry().broke("rtsp_authentication");
                self.shared.log.warn(format_args!("rtsp: {remote} showed a wrong user or password"));
                let wait = pause(Uuid::new_v4().as_fields().0);
                self.pending = Some(Box::pin(async move {
                    tokio::time::sleep(wait).await;
                    Answer::Refused(Status::UNAUTHORIZED, reason)
                }));
            }
            Denied::ShutOut | Denied::Outside => {
                if denied == Denied::ShutOut {
                    self.shared.hub.registry().broke("rtsp_authentication_attempts");
                }
                self.dialog.answer(Answer::Dismissed(Status::FORBIDDEN, reason));
            }
        }
    }

    pub(super) fn ask_to_read(&mut self, place: Place, login: &Login) {
        if let Err(denied) = self.login(Action::Read, login) {
            return self.deny(denied);
        }
        self.user = login.shown.as_ref().map_or_else(String::new, |s| s.user().to_string());
        let hub = self.shared.hub.clone();
        self.pending = Some(Box::pin(async move {
            match hub.headers(&place.stream).await {
                Some(headers) => Answer::Tracks(headers.tracks),
                None => Answer::Refused(Status::NOT_FOUND, "nobody publishes this stream".into()),
            }
        }));
    }

    pub(super) fn answered(&mut self, answer: Answer) -> Result<(), End> {
        self.pending = None;
        self.dialog.answer(answer);
        Ok(())
    }

    /// Begins a session of this connection.
    pub(super) fn open(&mut self, place: &Place, role: Role, user: &str, now: Now) -> Answer {
        let registry = self.shared.hub.registry();
        if let Err(refused) = self.seat.settle(role) {
            registry.broke(refused.limit());
            return Answer::Refused(Status::NOT_ENOUGH_BANDWIDTH, refused.to_string());
        }
        let session = registry.enter(RTSP_SESSION, self.client.remote, now.mono, now.wall_ms);
        self.client.describe(|d| {
            d.linked = vec![session.id];
            d.agent = self.dialog.agent().to_string();
        });
        session.describe(|d| {
            d.role = role;
            d.name.clone_from(&place.stream.name);
            d.application.clone_from(&place.stream.application);
            d.query.clone_from(&place.query);
            d.user = user.to_string();
            d.agent = self.dialog.agent().to_string();
            d.linked = vec![self.client.id];
        });
        self.session = Some(session);
        Answer::Done
    }

    pub(super) fn publish(
        &mut self,
        place: &Place,
        described: Vec<Described>,
        login: &Login,
        now: Now,
    ) -> Answer {
        let user = login.shown.as_ref().map_or("", |s| s.user()).to_string();
        let left_out = sdp_read::left_out(&described);
        match self.open(place, Role::Publish, &user, now) {
            Answer::Done => {}
            refused => return refused,
        }
        let Some(session) = self.session.clone() else { return Answer::Done };
        match self.shared.hub.publish(&place.stream, &session, now) {
            Ok(publisher) => {
                let (log, who) =
                    (&self.shared.log, format!("{} publishes {}", self.client.remote, place.stream.name));
                log.info(format_args!("rtsp: {who}"));
                if !left_out.is_empty() {
                    log.warn(format_args!("rtsp: {who} without {}", sdp_read::list(&left_out)));
                }
                let publishes = Publishes::new(publisher, described, log.clone(), who, now);
                self.part = Part::Publishes(Box::new(publishes));
                Answer::Done
            }
            Err(refused) => {
                self.end_session();
                let status = match refused {
                    hub::Refused::Taken => Status::FORBIDDEN,
                    hub::Refused::Full => Status::UNAVAILABLE,
                };
                Answer::Refused(status, refused.to_string())
            }
        }
    }

    pub(super) fn record(&mut self, ways: Tracked, now: Now) -> Answer {
        let (Part::Publishes(publishes), Some(session)) = (&mut self.part, &self.session) else {
            return Answer::Refused(Status::NOT_VALID_IN_THIS_STATE, "nothing was announced".into());
        };
        if publishes.record(&self.shared, session, ways, now) {
            Answer::Done
        } else {
            let reason = "these ports belong to another publisher";
            Answer::Refused(Status::UNSUPPORTED_TRANSPORT, reason.into())
        }
    }

    pub(super) fn play(&mut self, place: &Place, reading: &Reading, now: Now) -> Answer {
        let Some(session) = self.session.clone() else {
            return Answer::Refused(Status::SESSION_NOT_FOUND, "there is no session".into());
        };
        if !matches!(self.part, Part::Reads(_)) {
            // Tracks that were described long ago may be others by now.
            let codings = Codings::of(&reading.tracks, &Channels::of(&reading.ways));
            if let Err(refused) = self.seat.settle(Role::Read) {
                self.shared.hub.registry().broke(refused.limit());
                self.end_session();
                return Answer::Refused(Status::NOT_ENOUGH_BANDWIDTH, refused.to_string());
            }
            let tracks = now_tracks(&self.shared.hub, &place.stream);
            if let Some(Err(misfit)) = tracks.map(|tracks| codings.fits(&tracks)) {
                self.end_session();
                return Answer::Refused(Status::NOT_VALID_IN_THIS_STATE, misfit.to_string());
            }
            match Reads::begin(&self.shared, &session, &self.socket, place, reading, now) {
                Ok(reads) => {
                    let transport = if reads.interleaved() { "TCP" } else { "UDP" };
                    session.describe(|d| d.role = Role::Read);
                    self.part = Part::Reads(Box::new(reads));
                    let (remote, name) = (self.client.remote, &place.stream.name);
                    self.shared.log.info(format_args!("rtsp: {remote} reads {name} over {transport}"));
                }
                Err(refused) => {
                    self.end_session();
                    return refused;
                }
            }
        }
        self.begin_playing = true;
        self.vanished = None;
        match &self.part {
            Part::Reads(reads) => Answer::Playing(reads.starts(now)),
            _ => Answer::Playing(Vec::new()),
        }
    }

    pub(super) fn teardown(&mut self) -> Answer {
        match std::mem::replace(&mut self.part, Part::None) {
            Part::Publishes(mut publishes) => {
                publishes.finish(Now::read());
                publishes.publisher.end();
                self.end_session();
            }
            Part::Reads(reads) if reads.interleaved() => {
                // Its last packet may have left by half: the answer comes behind it.
                reads.reader.pause();
                self.part = Part::Reads(reads);
                self.leaving = true;
            }
            Part::Reads(_) | Part::None => self.end_session(),
        }
        Answer::Done
    }

    pub(super) fn end_session(&mut self) {
        self.count_carried();
        self.part = Part::None;
        self.session = None;
        self.leaving = false;
        self.blocked = false;
        self.later = None;
        self.vanished = None;
        self.carried = (0, 0);
        self.client.describe(|d| d.linked.clear());
    }
}

/// The tracks of a stream, if they are there now.
fn now_tracks(hub: &hub::Hub, name: &StreamName) -> Option<crate::media::Tracks> {
    let headers = std::pin::pin!(hub.headers(name));
    match headers.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(headers) => headers.map(|h| h.tracks),
        Poll::Pending => None,
    }
}
