//! Who operates the server from elsewhere: a password and sessions for browsers, tokens for programs. This machine needs none.

use super::kept::Kept;
use super::refusal::Refusal;
use super::secrets::{self, hash};
use crate::base::clock;
use crate::base::printable::bounded;
use crate::base::secret::Secret;
use crate::model::secret_word::Purpose;
use crate::process::blocking::blocking;
use crate::store::tokens::TokenRow;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use std::collections::BTreeSet;
use tokio::sync::Semaphore;

/// The one who operates.
const OPERATOR: &str = "operator";
/// How long a browser stays signed in.
const SESSION_MS: i64 = 30 * 24 * 3600 * 1000;
/// How long the first sign-in is possible by a link.
const SETUP_MS: i64 = 24 * 3600 * 1000;
/// How long a token for one publisher holds.
pub const PUBLISH_MS: i64 = 10 * 60 * 1000;
/// Characters of a password.
const PASSWORD: std::ops::RangeInclusive<usize> = 8..=256;
/// Characters of a label.
const LONGEST_LABEL: usize = 80;
/// Most tokens.
const MOST: usize = 1000;
/// Use is written down this seldom.
const USE_MS: i64 = 60_000;
/// Passwords that are stretched at once: each takes 19 MB for its time.
static STRETCHED: Semaphore = Semaphore::const_new(1);

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everything.
    All,
    /// Read all that the operator sees.
    Read,
    /// Register, change, start and stop streams.
    Streams,
    /// Moderate chats.
    Chat,
}

impl Scope {
    const ALL: [Scope; 4] = [Scope::All, Scope::Read, Scope::Streams, Scope::Chat];

    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Scope::All => "all",
            Scope::Read => "read",
            Scope::Streams => "streams",
            Scope::Chat => "chat",
        }
    }
}

/// Of words with blanks between.
///
/// # Errors
/// A word that is none.
pub fn scopes(words: &str) -> Result<BTreeSet<Scope>, Refusal> {
    let of = |word: &str| Scope::ALL.into_iter().find(|scope| scope.word() == word);
    let known = || Scope::ALL.map(Scope::word).join(", ");
    let all: Result<BTreeSet<Scope>, Refusal> = words
        .split_whitespace()
        .map(|word| of(word).ok_or_else(|| Refusal::wrong("scopes", format!("each is one of {}", known()))))
        .collect();
    all.and_then(|all| if all.is_empty() { Err(Refusal::wrong("scopes", "there is none")) } else { Ok(all) })
}

/// Who shows something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The operator, in a browser or by a program that may do so much.
    Operator(BTreeSet<Scope>),
    /// Nobody that is known.
    Nobody,
}

impl Kept {
    /// Makes a token for a program.
    ///
    /// # Errors
    /// A label or scopes that cannot be taken, too many tokens, no database.
    pub async fn new_token(
        &self,
        label: &str,
        words: &str,
        expires_ms: Option<i64>,
    ) -> Result<(TokenRow, Secret), Refusal> {
        let length = label.trim().chars().count();
        if !(1..=LONGEST_LABEL).contains(&length) || label.chars().any(char::is_control) {
            return Err(Refusal::wrong("label", format!("it has 1 to {LONGEST_LABEL} printable characters")));
        }
        let now_ms = clock::now_ms();
        if expires_ms.is_some_and(|at| at <= now_ms) {
            return Err(Refusal::wrong("expires_at", "it lies in the past"));
        }
        let scopes = scopes(words)?;
        let words: Vec<&str> = scopes.into_iter().map(Scope::word).collect();
        let store = self.store()?;
        let limit = i64::try_from(MOST).unwrap_or(i64::MAX);
        if store.tokens("api", "", limit).await?.len() >= MOST {
            return Err(Refusal::Conflict(format!("there are {MOST} tokens already; revoke some")));
        }
        self.token(Purpose::Token, "api", None, &words.join(" "), label.trim(), expires_ms).await
    }

    /// A token with which one publisher may publish a stream within some minutes.
    ///
    /// # Errors
    /// No database.
    pub async fn publish_token(&self, public_id: &str) -> Result<(TokenRow, Secret), Refusal> {
        let expires_ms = Some(clock::now_ms().saturating_add(PUBLISH_MS));
        self.store()?.remove_tokens("publish", Some(clock::now_ms())).await?;
        self.token(Purpose::Publish, "publish", Some(public_id.into()), "", "one publisher", expires_ms).await
    }

    async fn token(
        &self,
        purpose: Purpose,
        kind: &str,
        public_id: Option<String>,
        scopes: &str,
        label: &str,
        expires_ms: Option<i64>,
    ) -> Result<(TokenRow, Secret), Refusal> {
        let secret = secrets::made(purpose);
        let row = TokenRow {
            token_id: secrets::public_id(),
            hash: hash(secret.reveal()),
            kind: kind.into(),
            public_id,
            scopes: scopes.into(),
            label: label.into(),
            created_ms: clock::now_ms(),
            expires_ms,
            used_ms: None,
        };
        self.store()?.add_token(&row).await?;
        Ok((row, secret))
    }

    /// Tokens of programs behind the one called `after`.
    ///
    /// # Errors
    /// No database.
    pub async fn tokens(&self, after: &str, limit: i64) -> Result<Vec<TokenRow>, Refusal> {
        Ok(self.store()?.tokens("api", after, limit).await?)
    }

    /// Ends a token.
    ///
    /// # Errors
    /// There is none, or no database.
    pub async fn revoke(&self, token_id: &str) -> Result<(), Refusal> {
        match self.store()?.remove_token(token_id).await? {
            true => Ok(()),
            false => Err(Refusal::Missing("token")),
        }
    }

    /// Who shows this token or session.
    ///
    /// # Errors
    /// No database.
    pub async fn holder(&self, shown: &str) -> Result<Holder, Refusal> {
        let kind = match Purpose::of(shown) {
            Some(Purpose::Token) => "api",
            Some(Purpose::Session) => "session",
            _ => return Ok(Holder::Nobody),
        };
        let store = self.store()?;
        let hash = hash(shown);
        let now_ms = clock::now_ms();
        let row = store.token(&hash).await?.filter(|row| row.kind == kind);
        let Some(row) = row.filter(|row| row.expires_ms.is_none_or(|at| at > now_ms)) else {
            return Ok(Holder::Nobody);
        };
        if row.used_ms.is_none_or(|at| now_ms.saturating_sub(at) >= USE_MS) {
            store.used_token(&hash, now_ms).await?;
        }
        let scopes = if kind == "session" {
            BTreeSet::from([Scope::All])
        } else {
            scopes(&row.scopes).unwrap_or_default()
        };
        Ok(Holder::Operator(scopes))
    }

    /// Whether the operator has a password.
    ///
    /// # Errors
    /// No database.
    pub async fn has_password(&self) -> Result<bool, Refusal> {
        Ok(self.store()?.password(OPERATOR).await?.is_some())
    }

    /// A link's secret for the first sign-in; those made before end.
    ///
    /// # Errors
    /// No database.
    pub async fn setup(&self) -> Result<Secret, Refusal> {
        self.store()?.remove_tokens("setup", None).await?;
        let expires_ms = Some(clock::now_ms().saturating_add(SETUP_MS));
        Ok(self.token(Purpose::Setup, "setup", None, "", "first sign-in", expires_ms).await?.1)
    }

    /// Signs in with the password, and makes a session.
    ///
    /// # Errors
    /// A wrong password is [`Refusal::Unknown`].
    pub async fn sign_in(&self, password: &str) -> Result<Secret, Refusal> {
        let known = self.store()?.password(OPERATOR).await?;
        let password =
            Secret::new(password.chars().take(PASSWORD.end().saturating_add(1)).collect::<String>());
        let check = move || match known {
            Some(known) => fits(&known, password.reveal()),
            // As long as a wrong one takes, so that nobody learns whether there is one.
            None => {
                stored(password.reveal());
                false
            }
        };
        let right = stretched("check the password", check).await?;
        if !right {
            return Err(Refusal::Unknown);
        }
        self.session().await
    }

    /// Sets the password by the link of the first start, or by a session, and makes a session. All other sessions end.
    ///
    /// # Errors
    /// A link that is over, a password that cannot be taken.
    pub async fn set_password(&self, setup: Option<&str>, password: &str) -> Result<Secret, Refusal> {
        if !PASSWORD.contains(&password.chars().count()) {
            let why = format!("it has {} to {} characters", PASSWORD.start(), PASSWORD.end());
            return Err(Refusal::wrong("password", why));
        }
        if let Some(setup) = setup {
            let row = self.store()?.token(&hash(setup)).await?.filter(|row| row.kind == "setup");
            let row = row.filter(|row| row.expires_ms.is_some_and(|at| at > clock::now_ms()));
            row.ok_or(Refusal::Unknown)?;
        }
        let password = Secret::new(password);
        let stored = stretched("store the password", move || stored(password.reveal())).await?;
        let store = self.store()?;
        store.set_password(OPERATOR, &stored, clock::now_ms()).await?;
        for kind in ["setup", "session"] {
            store.remove_tokens(kind, None).await?;
        }
        self.session().await
    }

    /// Signs out.
    ///
    /// # Errors
    /// No database.
    pub async fn sign_out(&self, session: &str) -> Result<(), Refusal> {
        let store = self.store()?;
        if let Some(row) = store.token(&hash(session)).await?.filter(|row| row.kind == "session") {
            store.remove_token(&row.token_id).await?;
        }
        Ok(())
    }

    async fn session(&self) -> Result<Secret, Refusal> {
        self.store()?.remove_tokens("session", Some(clock::now_ms())).await?;
        let expires_ms = Some(clock::now_ms().saturating_add(SESSION_MS));
        Ok(self.token(Purpose::Session, "session", None, "all", "browser", expires_ms).await?.1)
    }
}

async fn stretched<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let _turn = STRETCHED.acquire().await;
    blocking(what, work).await.map_err(|failure| Refusal::Away(bounded(failure.what(), 200)))
}

fn stored(password: &str) -> String {
    let hashed = Argon2::default().hash_password(password.as_bytes());
    hashed.map(|hash| hash.to_string()).unwrap_or_default()
}

fn fits(stored: &str, password: &str) -> bool {
    let known = PasswordHash::new(stored);
    known.is_ok_and(|known| Argon2::default().verify_password(password.as_bytes(), &known).is_ok())
}
