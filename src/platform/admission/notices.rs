//! What the back end is told of those whom it let in: that they have begun, and that they are over. In the background, in order, and
//! never so that anybody waits for it.

use super::answer::HttpRequest;
use super::asking::{Admission, Silence};
use super::target::Happened;
use crate::auth::Action;
use crate::base::clock::now_ms;
use crate::hub::client::{Client, get};
use crate::hub::event::{Event, Heard, Listener};
use crate::model::StreamName;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Notices that may wait. What comes then is left out.
const WAITING: usize = 256;
/// How long the end of the server is held up for the last notices.
const FAREWELL: Duration = Duration::from_secs(2);

/// Tells the back end of `admission` what happens, until `shutdown` says so and the last ones have gone.
pub async fn tell(admission: Admission, mut events: Listener, mut shutdown: watch::Receiver<bool>) {
    let (queue, waiting) = mpsc::channel(WAITING);
    let sending = send_all(admission.clone(), waiting);
    let hearing = async {
        loop {
            tokio::select! {
                heard = events.next() => match heard {
                    Heard::Event(event) => notice(&admission, &event, &queue),
                    Heard::Missed(_) => {}
                    Heard::Closed => break,
                },
                // An error means that whoever would say so is gone, which says the same.
                _ = shutdown.wait_for(|down| *down) => break,
            }
        }
        // Everybody is leaving, which takes a moment.
        let last = async {
            while admission.admitted(|admitted| !admitted.is_empty()) {
                match events.next().await {
                    Heard::Event(event) => notice(&admission, &event, &queue),
                    Heard::Missed(_) => {}
                    Heard::Closed => break,
                }
            }
        };
        let _ = tokio::time::timeout(FAREWELL, last).await;
        drop(queue);
    };
    tokio::pin!(sending);
    tokio::select! {
        () = &mut sending => return,
        () = hearing => {}
    }
    let _ = tokio::time::timeout(FAREWELL, sending).await;
}

/// Puts what an event means for the back end into the queue.
fn notice(admission: &Admission, event: &Event, queue: &mpsc::Sender<HttpRequest>) {
    let begun = |action, stream: &StreamName, client: &Arc<Client>| {
        let ask = admission.admitted(|admitted| admitted.begin(action, stream, client))?;
        admission.target().notice(&ask, Happened::Began)
    };
    let ended = |client: &Arc<Client>| {
        let ask = admission.admitted(|admitted| admitted.end(client))?;
        let counters = &client.counters;
        let (bytes_in, bytes_out) = (get(&counters.bytes_in), get(&counters.bytes_out));
        admission.target().notice(&ask, Happened::Ended { at_ms: now_ms(), bytes_in, bytes_out })
    };
    let request = match event {
        Event::Published { stream, client, .. } => begun(Action::Publish, stream, client),
        Event::Joined { stream, client } => begun(Action::Read, stream, client),
        Event::Ended { client, .. } | Event::Left { client, .. } => ended(client),
        _ => None,
    };
    if let Some(request) = request
        && queue.try_send(request).is_err()
    {
        admission.log().warn(format_args!("admission: the back end is too slow; it is not told everything"));
    }
}

async fn send_all(admission: Admission, mut waiting: mpsc::Receiver<HttpRequest>) {
    while let Some(request) = waiting.recv().await {
        match admission.send(request).await {
            Ok(answer) if answer.status < 400 => {}
            Ok(answer) => {
                let status = answer.status;
                admission.log().debug(format_args!("admission: a notice was answered with HTTP {status}"));
            }
            Err(Silence(why)) => {
                admission.log().warn(format_args!("admission: the back end was not told of an end: {why}"));
            }
        }
    }
}
