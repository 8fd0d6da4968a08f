//! What a page about a stream asks before it is shown.

use super::Shared;
use super::route::Route;
use crate::model::StreamName;
use crate::model::stream_name::is_name;
use axum::body::Body;
use axum::http::{HeaderMap, Response};
use std::net::IpAddr;
use std::sync::Arc;

impl Shared {
    /// The stream that a page's path names: `NAME`, or `APPLICATION/NAME` where it is not the first application's.
    pub fn named(&self, path: &str) -> Option<StreamName> {
        let (application, name) = match path.rsplit_once('/') {
            Some((application, name)) => (self.applications.iter().find(|one| *one == application)?, name),
            None => (self.applications.first()?, path),
        };
        is_name(name).then(|| StreamName::new(application, name))
    }

    /// Whether a path names a stream, or something of one.
    pub fn names(&self, path: &str) -> bool {
        Route::of(path, &self.applications).is_some()
    }

    /// Whether somebody publishes `stream`, or did a moment ago; from now on it is divided, since its page is about to ask
    /// for it.
    ///
    /// # Errors
    /// The answer for who may not watch it.
    pub async fn known(
        self: &Arc<Shared>,
        stream: &StreamName,
        query: &str,
        headers: &HeaderMap,
        remote: IpAddr,
    ) -> Result<bool, Response<Body>> {
        let grant = self.authorize(stream, query, headers, remote).await?;
        let stream = StreamName::new(stream.application.clone(), grant.name);
        Ok(self.find(&stream).is_some())
    }
}
