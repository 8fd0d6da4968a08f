//! Webhooks of the operator: where events are sent, signed (Standard Webhooks 1.0).

pub mod schedule;
pub mod sending;
pub mod signature;
pub mod target;

use super::Refusal;
use super::events::{Event, Type};
use super::kept::Kept;
use super::refusal::Wrong;
use super::secrets;
use crate::base::clock;
use crate::base::secret::Secret;
use crate::store::hooks::{DeliveryRow, HookRow};
use schedule::Answer;
use sending::{Post, message};
use serde_json::json;

/// Most hooks.
pub const MOST: i64 = 100;
/// Characters of a list of types.
const LONGEST_TYPES: usize = 1000;

/// What is said of a hook; what is not said stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Where events are sent.
    pub url: Option<String>,
    /// Which, as [`Type::chosen`] takes them.
    pub types: Option<Vec<String>>,
    /// What they are signed with.
    pub secret: Option<Secret>,
    /// Whether anything is sent.
    pub enabled: Option<bool>,
}

impl Said {
    /// Takes what is said over into `row`.
    fn onto(self, row: &mut HookRow) -> Result<(), Refusal> {
        let mut wrong = Vec::new();
        if let Some(url) = self.url {
            match target::check(&url) {
                Ok(url) => row.url = url.into(),
                Err(why) => wrong.push(Wrong { field: "url", why }),
            }
        }
        if let Some(types) = self.types {
            row.types = types.join(",");
            if let Err(word) = Type::chosen(&row.types) {
                let word = crate::base::printable::bounded(&word, 40);
                wrong.push(Wrong { field: "types", why: format!("there is no type '{word}'") });
            } else if row.types.len() > LONGEST_TYPES {
                let why = format!("it has at most {LONGEST_TYPES} characters");
                wrong.push(Wrong { field: "types", why });
            }
        }
        if let Some(secret) = self.secret {
            if signature::key(secret.reveal()).is_none() {
                let why = "it is whsec_ and base64 of 24 to 64 bytes".into();
                wrong.push(Wrong { field: "secret", why });
            }
            row.secret = secret.reveal().into();
        }
        match self.enabled {
            Some(true) => (row.enabled, row.why, row.failing_since_ms) = (1, String::new(), None),
            Some(false) => row.enabled = 0,
            None => {}
        }
        if wrong.is_empty() { Ok(()) } else { Err(Refusal::Invalid(wrong)) }
    }
}

/// The types that a hook is sent.
pub fn types(row: &HookRow) -> Vec<Type> {
    // What a newer version knows is left out here.
    let known: Vec<&str> = row.types.split(',').filter(|word| Type::chosen(word).is_ok()).collect();
    match (known.is_empty(), row.types.is_empty()) {
        (true, false) => Vec::new(),
        _ => Type::chosen(&known.join(",")).unwrap_or_default(),
    }
}

impl Kept {
    /// Hooks by name, behind `after`; at most `limit`.
    ///
    /// # Errors
    /// No database.
    pub async fn hooks(&self, after: &str, limit: i64) -> Result<Vec<HookRow>, Refusal> {
        Ok(self.store()?.hooks(after, limit).await?)
    }

    /// One hook.
    ///
    /// # Errors
    /// There is none, or no database.
    pub async fn hook(&self, id: &str) -> Result<HookRow, Refusal> {
        self.store()?.hook(id).await?.ok_or(Refusal::Missing("hook"))
    }

    /// Adds a hook, and the secret if it was made here. It is sent what happens from now on.
    ///
    /// # Errors
    /// Values that cannot be taken, too many hooks, no database.
    pub async fn add_hook(&self, said: Said) -> Result<(HookRow, Option<Secret>), Refusal> {
        let store = self.store()?;
        let made = said.secret.is_none().then(signature::made);
        let url = Some(said.url.clone().unwrap_or_default());
        let said = Said { url, secret: said.secret.clone().or_else(|| made.clone()), ..said };
        let mut row = HookRow {
            hook_id: secrets::public_id(),
            enabled: 1,
            created_ms: clock::now_ms(),
            ..HookRow::default()
        };
        said.onto(&mut row)?;
        if i64::try_from(store.hooks("", MOST).await?.len()).unwrap_or(i64::MAX) >= MOST {
            return Err(Refusal::Conflict(format!("there are {MOST} hooks already, and no more can be")));
        }
        store.add_hook(&row).await?;
        Ok((self.hook(&row.hook_id).await?, made))
    }

    /// Changes a hook. One that is switched on again sends what has waited, at once.
    ///
    /// # Errors
    /// There is none, values that cannot be taken, no database.
    pub async fn change_hook(&self, id: &str, said: Said) -> Result<HookRow, Refusal> {
        let store = self.store()?;
        let hasten = said.enabled == Some(true) || said.url.is_some();
        let mut row = self.hook(id).await?;
        said.onto(&mut row)?;
        if !store.change_hook(&row).await? {
            return Err(Refusal::Missing("hook"));
        }
        if hasten {
            store.hasten_hook(id).await?;
        }
        self.hook(id).await
    }

    /// Removes a hook; what waits for it is not sent.
    ///
    /// # Errors
    /// There is none, or no database.
    pub async fn remove_hook(&self, id: &str) -> Result<(), Refusal> {
        match self.store()?.remove_hook(id).await? {
            true => Ok(()),
            false => Err(Refusal::Missing("hook")),
        }
    }

    /// What was tried at a hook, the newest first, before `before`; at most `limit`.
    ///
    /// # Errors
    /// There is none, or no database.
    pub async fn deliveries(&self, id: &str, before: i64, limit: i64) -> Result<Vec<DeliveryRow>, Refusal> {
        self.hook(id).await?;
        Ok(self.store()?.deliveries(id, before, limit).await?)
    }

    /// Sends an event that nobody else hears of, once, past whatever waits.
    ///
    /// # Errors
    /// There is no such hook, or no database.
    pub async fn test_hook(&self, id: &str, post: &dyn Post) -> Result<Answer, Refusal> {
        let row = self.hook(id).await?;
        let event = Event::new(Type::HookTest, None, json!({ "hook_id": row.hook_id }));
        Ok(match message(&row, &event, clock::now_ms()) {
            Ok(message) => post.post(message).await,
            Err(why) => Answer::None(why),
        })
    }
}
