//! Switching a source on and off.

use super::Board;
use crate::base::clock;
use crate::platform::events::Type;
use crate::platform::{Kept, Refusal, Stream};
use serde_json::json;
use std::sync::Arc;

const NONE: &str = "this stream has no source that msconv could run; whoever has its key publishes it";

impl Kept {
    /// How the sources are that this server runs.
    pub fn board(&self) -> &Board {
        &self.0.board
    }

    /// Switches the source on. `on_air` says that somebody publishes the stream.
    ///
    /// # Errors
    /// It has none, it is on already, somebody else publishes; no database.
    pub async fn start_source(&self, id: &str, on_air: bool) -> Result<Arc<Stream>, Refusal> {
        let now_ms = clock::now_ms();
        self.replaced(id, None, |stream| {
            let source = stream.source.as_mut().ok_or(Refusal::Conflict(NONE.into()))?;
            if source.started_ms.is_some() {
                return Err(Refusal::Conflict("its source is on already".into()));
            }
            if on_air {
                return Err(Refusal::Conflict("somebody publishes it already".into()));
            }
            source.started_ms = Some(now_ms);
            stream.updated_ms = now_ms;
            Ok(stream.row())
        })
        .await?;
        let stream = self.after_change(id).await?;
        self.tell(Type::StreamUpdated, &stream, json!({ "source": "on" })).await;
        Ok(stream)
    }

    /// Switches the source off.
    ///
    /// # Errors
    /// It has none, it is off already; no database.
    pub async fn stop_source(&self, id: &str) -> Result<Arc<Stream>, Refusal> {
        self.replaced(id, None, |stream| {
            let source = stream.source.as_mut().ok_or(Refusal::Conflict(NONE.into()))?;
            source.started_ms.take().ok_or(Refusal::Conflict("its source is off already".into()))?;
            stream.updated_ms = clock::now_ms();
            Ok(stream.row())
        })
        .await?;
        let stream = self.after_change(id).await?;
        self.tell(Type::StreamUpdated, &stream, json!({ "source": "off" })).await;
        Ok(stream)
    }

    /// A source that was switched on then is over by itself.
    pub(super) async fn source_over(
        &self,
        id: &str,
        started_ms: Option<i64>,
        why: Option<&str>,
    ) -> Result<(), Refusal> {
        self.replaced(id, None, |stream| {
            // It may have been switched on again meanwhile.
            if let Some(source) = stream.source.as_mut().filter(|source| source.started_ms == started_ms) {
                source.started_ms = None;
                stream.updated_ms = clock::now_ms();
            }
            Ok(stream.row())
        })
        .await?;
        let stream = self.after_change(id).await?;
        self.tell(Type::StreamUpdated, &stream, json!({ "source": "off", "why": why })).await;
        Ok(())
    }
}
