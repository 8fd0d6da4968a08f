//! Sends to every hook what happens, in order and one after the other: an event that is not taken is sent again until it is, or
//! the hook is switched off. What was sent and not yet noted when a server died is sent again: at least once.

use super::schedule::{Answer, Next, is_due, next};
use super::{MOST, signature, target, types};
use crate::base::clock::{log_stamp, now_ms};
use crate::base::secret::Secret;
use crate::platform::Kept;
use crate::platform::events::{Event, Type};
use crate::store::hooks::{DeliveryRow, HookRow};
use crate::store::{Fault, Store};
use crate::telemetry::Log;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Hooks that are sent to at once.
const AT_ONCE: usize = 16;
/// Between two looks at what others have done to the database.
const LOOK: Duration = Duration::from_secs(2);
/// How long a server has a hook to itself without saying so again; longer than an answer may take.
const LEASE_MS: i64 = 20_000;
/// Where another server has it, or the database failed.
const LATER_MS: i64 = 2_000;

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where to.
    pub url: String,
    /// Fields of the head.
    pub fields: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

/// What sends a message and gives the answer within 15 seconds.
pub trait Post: Send + Sync {
    /// Sends it.
    fn post(&self, message: Message) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>>;
}

/// An event as it is sent to a hook now.
///
/// # Errors
/// The hook's address or its secret is none, which another version may have taken for one.
pub fn message(hook: &HookRow, event: &Event, now_ms: i64) -> Result<Message, String> {
    let url = target::check(&hook.url)?;
    let secret = Secret::new(hook.secret.clone());
    let key = signature::key(secret.reveal()).ok_or("its secret cannot be used")?;
    let body = event.message().to_string();
    let seconds = now_ms.div_euclid(1000);
    let fields = vec![
        ("content-type", "application/json".to_string()),
        ("webhook-id", event.id.clone()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signature::sign(&key, &event.id, seconds, &body)),
        ("ce-specversion", "1.0".into()),
        ("ce-id", event.id.clone()),
        ("ce-source", "/msconv".into()),
        ("ce-type", event.kind.clone()),
        ("ce-time", log_stamp(event.at_ms)),
    ];
    Ok(Message { url: url.into(), fields, body })
}

/// See the module.
pub struct Sender {
    kept: Kept,
    post: Arc<dyn Post>,
    log: Log,
    /// Which server this is.
    holder: String,
}

impl Sender {
    /// What sends through `post`.
    pub fn new(kept: Kept, post: Arc<dyn Post>, log: Log) -> Sender {
        Sender { kept, post, log, holder: uuid::Uuid::new_v4().simple().to_string() }
    }

    /// Sends until `shutdown` says so.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let sender = Arc::new(self);
        let mut heard = sender.kept.events().listen();
        let mut running: JoinSet<(String, i64)> = JoinSet::new();
        let mut busy = BTreeSet::new();
        let mut due: BTreeMap<String, Instant> = BTreeMap::new();
        loop {
            // A fault shows in what is reachable, and is said there.
            let waiting = sender.waiting(&mut due).await.unwrap_or_default();
            for hook in waiting {
                if running.len() < AT_ONCE && busy.insert(hook.clone()) {
                    due.remove(&hook);
                    let sender = sender.clone();
                    running.spawn(async move {
                        let at_ms = sender.work_off(&hook).await.unwrap_or(now_ms().saturating_add(LATER_MS));
                        (hook, at_ms)
                    });
                }
            }
            let soon = due.values().min().map_or(LOOK, |at| at.saturating_duration_since(Instant::now()));
            tokio::select! {
                Some(ended) = running.join_next() => if let Ok((hook, at_ms)) = ended {
                    busy.remove(&hook);
                    if at_ms > 0 {
                        // The operator may hasten it meanwhile, so nobody waits longer without a look.
                        let left = u64::try_from(at_ms.saturating_sub(now_ms())).unwrap_or(0);
                        due.insert(hook, Instant::now() + Duration::from_millis(left.max(10)).min(LOOK));
                    }
                },
                event = heard.recv() => if matches!(event, Err(broadcast::error::RecvError::Closed)) { return },
                () = tokio::time::sleep(soon) => {}
                _ = shutdown.wait_for(|down| *down) => return,
            }
            // Whatever else has happened meanwhile is seen by the same look.
            while heard.try_recv().is_ok() {}
        }
    }

    /// The hooks for which something may have to be sent now.
    async fn waiting(&self, due: &mut BTreeMap<String, Instant>) -> Result<Vec<String>, Fault> {
        let Ok(store) = self.kept.store() else { return Ok(Vec::new()) };
        let last = store.last_event().await?;
        let hooks = store.hooks("", MOST).await?;
        let on = hooks.iter().filter(|hook| hook.enabled != 0);
        self.kept.events().hooks_ask(on.clone().flat_map(types).collect());
        due.retain(|id, at| *at > Instant::now() && hooks.iter().any(|hook| hook.hook_id == *id));
        let now = |hook: &&HookRow| !due.contains_key(&hook.hook_id);
        Ok(on.filter(|hook| hook.after_seq < last).filter(now).map(|hook| hook.hook_id.clone()).collect())
    }

    /// Sends to a hook what there is for it; when it is to be looked at again, 0 once something happens.
    async fn work_off(&self, id: &str) -> Result<i64, Fault> {
        let Ok(store) = self.kept.store() else { return Ok(now_ms().saturating_add(LATER_MS)) };
        loop {
            let Some(hook) = store.hook(id).await?.filter(|hook| hook.enabled != 0) else { break };
            let last = store.last_event().await?;
            let wanted: Vec<&str> = types(&hook).into_iter().map(Type::word).collect();
            let found = match wanted.is_empty() {
                true => None,
                false => store.events_after(hook.after_seq, &wanted, 1).await?.into_iter().next(),
            };
            let Some(row) = found else {
                store.pass_hook(id, last).await?;
                break;
            };
            let before = store.delivery(id, row.seq).await?;
            if let Some(before) = before.as_ref().filter(|before| !is_due(before.next_ms, now_ms())) {
                self.give_back(store, id).await?;
                return Ok(before.next_ms);
            }
            if !store.hold_hook(id, &self.holder, now_ms().saturating_add(LEASE_MS), now_ms()).await? {
                return Ok(now_ms().saturating_add(LATER_MS));
            }
            let event = Event::from(row);
            let tries = before.map_or(0, |before| before.tries).saturating_add(1);
            if !self.send(store, &hook, &event, tries).await? {
                break;
            }
        }
        self.give_back(store, id).await?;
        Ok(0)
    }

    /// Sends one event once, and writes down what came of it; whether the hook is still on.
    async fn send(&self, store: &Store, hook: &HookRow, event: &Event, tries: i64) -> Result<bool, Fault> {
        let answer = match message(hook, event, now_ms()) {
            Ok(message) => self.post.post(message).await,
            Err(why) => Answer::None(why),
        };
        let now_ms = now_ms();
        // A clock that was ahead when it began.
        let since_ms = hook.failing_since_ms.map_or(now_ms, |since| since.min(now_ms));
        let next = next(&answer, tries, since_ms, now_ms, uuid::Uuid::new_v4().as_fields().0);
        let done = next == Next::Done;
        let row = DeliveryRow {
            hook_id: hook.hook_id.clone(),
            seq: event.seq.unwrap_or_default(),
            tries,
            next_ms: if let Next::Again { at_ms } = next { at_ms } else { 0 },
            done_ms: done.then_some(now_ms),
            status: answer.status(),
            why: answer.why(),
        };
        store.note_delivery(&row, (!done).then_some(since_ms)).await?;
        match next {
            Next::Done if hook.failing_since_ms.is_some() => {
                self.log.info(format_args!("hook {}: it takes events again", hook.hook_id));
            }
            Next::Again { .. } if hook.failing_since_ms.is_none() => {
                self.log.warn(format_args!("hook {}: {}; it is tried again", hook.hook_id, row.why));
            }
            Next::Off(why) => {
                self.log.warn(format_args!("hook {} is off: {why}", hook.hook_id));
                let off = HookRow {
                    enabled: 0,
                    why: why.clone(),
                    failing_since_ms: Some(since_ms),
                    ..hook.clone()
                };
                store.change_hook(&off).await?;
                let data = json!({ "hook_id": hook.hook_id, "why": why });
                self.kept.events().tell(Event::new(Type::HookDisabled, None, data));
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    }

    /// Another server may send to it from now on.
    async fn give_back(&self, store: &Store, id: &str) -> Result<(), Fault> {
        store.hold_hook(id, &self.holder, 0, now_ms()).await.map(drop)
    }
}
