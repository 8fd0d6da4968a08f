//! Who may not publish, as events; a few of them, since strangers can try as often as they like.

use super::events::{Event, Type};
use super::kept::Kept;
use crate::auth::{Denied, Protocol, Request, Shown};
use crate::model::secret_word::is_secret;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many are told in a row.
const MOST: u32 = 20;
/// After this time another one is.
const EACH: Duration = Duration::from_secs(5);

/// See the module. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    /// How many of the last ones count, and since when.
    count: u32,
    since: Option<Instant>,
    /// How many were not told.
    left_out: u64,
}

impl Refusals {
    /// Tells that a publisher was refused. Without credentials it was only asked for them.
    pub fn tell(&self, kept: &Kept, asked: &Request, denied: &Denied) {
        let asked_again = match denied {
            Denied::NeedsCredentials(_) => true,
            Denied::NeedsKey => asked.protocol == Protocol::Rtsp,
            _ => false,
        };
        if asked_again && matches!(asked.shown, Shown::Nothing) {
            return;
        }
        let Some(left_out) = self.take(Instant::now()) else { return };
        // A name that is a key, or was meant to be one, is shown to nobody.
        let name = Some(asked.name.reveal()).filter(|name| !is_secret(name));
        let place = name.and_then(|name| kept.directory().place(name));
        let id = place.map(|place| place.stream.public_id.clone()).or(name.map(str::to_string));
        let data = json!({
            "name": name,
            "application": asked.application,
            "reason": denied.to_string(),
            "address": asked.address.to_canonical().to_string(),
            "left_out": left_out,
        });
        kept.events().tell(Event::new(Type::PublishRefused, id, data));
    }

    /// How many were left out since the last one, if this one may be told.
    fn take(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *told.since.get_or_insert(now);
        let over = now.saturating_duration_since(since).as_secs() / EACH.as_secs();
        let over = u32::try_from(over).unwrap_or(u32::MAX);
        if over > 0 {
            told.count = told.count.saturating_sub(over);
            told.since = Some(now);
        }
        if told.count >= MOST {
            told.left_out = told.left_out.saturating_add(1);
            return None;
        }
        told.count = told.count.saturating_add(1);
        Some(std::mem::take(&mut told.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_told() {
        let refusals = Refusals::default();
        let begun = Instant::now();
        let told = (0..100).filter(|_| refusals.take(begun).is_some()).count();
        assert_eq!(told, 20);
        assert_eq!(refusals.take(begun + EACH * 2), Some(80));
        assert_eq!(refusals.take(begun + EACH * 2), Some(0));
        assert_eq!(refusals.take(begun + EACH * 2), None);
    }
}
