//! What the dialog asks of the server: who may read and publish, and what a session begins and ends.

use super::{Connection, End, Part, Settled};
use crate::auth::{self, Action, Demand, Denied, Grant, Protocol, pause};
use crate::base::clock::Now;
use crate::base::secret::{MASK, Secret};
use crate::hub::{self, Role, Worker};
use crate::model::StreamName;
use crate::model::secret_word::is_secret;
use crate::protocol::RTSP_SESSION;
use crate::protocol::rtp::sdp_read::{self, Described};
use crate::protocol::rtsp::egress::{Channels, Codings};
use crate::protocol::rtsp::server::publishing::Publishes;
use crate::protocol::rtsp::server::reading::Reads;
use crate::protocol::rtsp::session::Tracked;
use crate::protocol::rtsp::session::server::{Answer, Ask, Login, Reading};
use crate::protocol::rtsp::wire::{Status, StreamPath};
use std::future::{Future, ready};
use std::task::{Context, Poll, Waker};
use uuid::Uuid;

impl Connection {
    pub(super) fn ask(&mut self, ask: Ask, now: Now) {
        let answer = match ask {
            Ask::Read(place, login) => {
                return self.authorize(Action::Read, place, &login, Settled::Read);
            }
            Ask::Publish(place, login, described) => {
                let settle = move |place, answer| Settled::Publish(place, described, answer);
                return self.authorize(Action::Publish, place, &login, settle);
            }
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

    /// Asks whether the place may be read or published; `settle` makes of the answer what is done then.
    fn authorize(
        &mut self,
        action: Action,
        place: StreamPath,
        login: &Login,
        settle: impl FnOnce(StreamPath, Result<Grant, Denied>) -> Settled + Send + 'static,
    ) {
        let shared = &self.shared;
        let remote = self.client.remote.ip();
        let guesses = shared.authorizer.demand(action) != Demand::Nothing || is_secret(&place.shown);
        if guesses && shared.ledger().shut_out(remote, shared.age()) {
            return self.deny(&Denied::ShutOut);
        }
        let request = auth::Request {
            action,
            protocol: Protocol::Rtsp,
            application: place.stream.application.clone(),
            name: Secret::new(place.shown.clone()),
            query: Secret::new(place.query.clone()),
            shown: login.shown(&self.nonce),
            address: remote,
            caller: auth::Caller {
                agent: self.dialog.agent().to_string(),
                url: Secret::new(place.base.clone()),
                port: self.client.remote.port(),
                ..auth::Caller::default()
            },
        };
        let (authorizer, patience) = (shared.authorizer.clone(), shared.limits.authorization);
        self.pending = Some(Box::pin(async move {
            let answer = auth::ask(&*authorizer, request, patience).await;
            settle(place, answer)
        }));
    }

    /// Does what was waited for.
    pub(super) fn settled(&mut self, settled: Settled) -> Result<(), End> {
        if let Some(worker) = self.elsewhere(&settled) {
            self.pending = Some(Box::pin(ready(settled)));
            return Err(End::Elsewhere(worker));
        }
        self.pending = None;
        match settled {
            Settled::Answer(answer) => self.dialog.answer(answer),
            Settled::Read(_, Err(denied)) | Settled::Publish(_, _, Err(denied)) => self.deny(&denied),
            Settled::Read(mut place, Ok(grant)) => {
                self.client.leave_after(grant.limits.time);
                if self.rename(&mut place, grant.name) {
                    (self.user, self.own) = (grant.user, grant.own);
                    self.find_tracks(place);
                }
            }
            Settled::Publish(mut place, described, Ok(grant)) => {
                self.client.leave_after(grant.limits.time);
                if self.rename(&mut place, grant.name) {
                    let answer = self.publish(&place, described, &grant.user, Now::read());
                    self.dialog.answer(answer);
                }
            }
        }
        Ok(())
    }

    /// The worker that carries what may be published or read, if it is another one.
    fn elsewhere(&self, settled: &Settled) -> Option<Worker> {
        if !matches!(self.part, Part::None) {
            return None;
        }
        let hub = &self.shared.hub;
        let public = |place: &StreamPath, grant: &Grant| {
            let mut place = place.clone();
            place.rename(grant.name.clone()).ok()?;
            Some(place.stream)
        };
        let worker = match settled {
            Settled::Read(place, Ok(grant)) => hub.reading_worker(&public(place, grant)?)?,
            Settled::Publish(place, _, Ok(grant)) => {
                hub.publishing_worker(&public(place, grant)?, Now::read().mono)
            }
            Settled::Answer(_) | Settled::Read(_, Err(_)) | Settled::Publish(_, _, Err(_)) => return None,
        };
        (worker != self.worker).then_some(worker)
    }

    /// The place has its public name from now on; false if that breaks the rule, which is answered.
    fn rename(&mut self, place: &mut StreamPath, public: String) -> bool {
        if let Err(bad) = place.rename(public) {
            self.dialog.answer(Answer::Refused(Status::BAD_REQUEST, bad.to_string()));
            return false;
        }
        self.granted = Some((place.shown.clone(), place.stream.name.clone()));
        true
    }

    /// The name that the log may show for one that was shown: a secret is not written down.
    pub(super) fn for_the_log<'a>(&'a self, method: &str, shown: &'a str) -> &'a str {
        if let Some((_, public)) = self.granted.as_ref().filter(|(granted, _)| granted == shown) {
            return public;
        }
        let action = if method == "ANNOUNCE" { Action::Publish } else { Action::Read };
        if self.shared.authorizer.demand(action) == Demand::Key || is_secret(shown) { MASK } else { shown }
    }

    fn deny(&mut self, denied: &Denied) {
        let remote = self.client.remote;
        let registry = self.shared.hub.registry();
        let reason = denied.to_string();
        let answer = match denied {
            Denied::NeedsCredentials(_) | Denied::Wrong => Answer::Refused(Status::UNAUTHORIZED, reason),
            Denied::NeedsKey => Answer::NeedsKey(reason),
            Denied::Late => Answer::Refused(Status::UNAVAILABLE, reason),
            Denied::WrongKey
            | Denied::UnknownKey
            | Denied::Refused(_)
            | Denied::ShutOut
            | Denied::Outside
            | Denied::Because(_) => Answer::Dismissed(Status::FORBIDDEN, reason),
        };
        match denied {
            Denied::ShutOut => registry.broke("rtsp_authentication_attempts"),
            Denied::Late => registry.broke("rtsp_authentication_time"),
            _ => {}
        }
        if !denied.is_guess() {
            return self.dialog.answer(answer);
        }
        registry.broke("rtsp_authentication");
        if denied.counts(remote.ip()) {
            self.shared.ledger().failed(remote.ip(), self.shared.age());
        }
        let what = if *denied == Denied::Wrong { "user or password" } else { "key" };
        self.shared.log.warn(format_args!("rtsp: {remote} showed a wrong {what}"));
        let wait = pause(Uuid::new_v4().as_fields().0);
        self.pending = Some(Box::pin(async move {
            tokio::time::sleep(wait).await;
            Settled::Answer(answer)
        }));
    }

    fn find_tracks(&mut self, place: StreamPath) {
        let hub = self.shared.hub.clone();
        self.pending = Some(Box::pin(async move {
            Settled::Answer(match hub.headers(&place.stream).await {
                Some(headers) => Answer::Tracks(headers.tracks, place.stream.name),
                None => Answer::Refused(Status::NOT_FOUND, "nobody publishes this stream".into()),
            })
        }));
    }

    /// Begins a session of this connection.
    pub(super) fn open(&mut self, place: &StreamPath, role: Role, user: &str, now: Now) -> Answer {
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
            d.own = self.own && role != Role::Publish;
            d.agent = self.dialog.agent().to_string();
            d.linked = vec![self.client.id];
        });
        self.session = Some(session);
        Answer::Done
    }

    pub(super) fn publish(
        &mut self,
        place: &StreamPath,
        described: Vec<Described>,
        user: &str,
        now: Now,
    ) -> Answer {
        let left_out = sdp_read::left_out(&described);
        match self.open(place, Role::Publish, user, now) {
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

    pub(super) fn play(&mut self, place: &StreamPath, reading: &Reading, now: Now) -> Answer {
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
