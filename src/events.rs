//! What happened to subjects, told to whoever listens: the one place where events come in, be it from a write of this
//! gateway, from a purge, or from another replica.
//!
//! Knows no GraphQL and no transport. An event says which subjects and how they changed, never what is in them: each
//! listener reads that with its own credential.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{
    domain::{Source, SubjectId},
    sources::CredentialId,
};

/// Events that a listener may fall behind before it is cut off.
pub const MAX_BEHIND: usize = 1_024;

/// How subjects changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Change {
    Created,
    Updated,
    /// Personal data were removed; the subject is still there.
    Cleared,
    Deleted,
    /// They may have changed in any way, or be gone: a look at them will tell.
    Unknown,
}

/// Which subjects changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Changed {
    These(Vec<SubjectId>),
    /// Any of a source's. `known` are those that callers may have been shown lately.
    AnyOf {
        source: Source,
        known: Vec<SubjectId>,
    },
}

/// Something that happened to subjects.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Event {
    pub change: Change,
    pub changed: Changed,
    /// The credential that is known to see these subjects: who can't read one (any more) is told of it only if it reads with
    /// this one.
    pub seen_by: Option<CredentialId>,
    /// By this gateway's clock.
    pub at: Timestamp,
}

impl Event {
    /// An event of this moment.
    pub fn now(change: Change, changed: Changed, seen_by: Option<CredentialId>) -> Self {
        Self { change, changed, seen_by, at: Timestamp::now() }
    }
}

/// Where events come in and go out.
#[derive(Debug)]
pub struct Events {
    sender: broadcast::Sender<Arc<Event>>,
}

impl Default for Events {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(MAX_BEHIND) }
    }
}

impl Events {
    /// Tells everybody who listens. Never waits: who can't keep up falls behind.
    pub fn publish(&self, event: Event) {
        // Without listeners there is nobody to tell.
        let _ = self.sender.send(Arc::new(event));
    }

    /// Everything that is published from now on.
    pub fn listen(&self) -> Listener {
        Listener { receiver: self.sender.subscribe() }
    }
}

/// One who listens.
#[derive(Debug)]
pub struct Listener {
    receiver: broadcast::Receiver<Arc<Event>>,
}

/// The listener was too slow: events were dropped before it took them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FellBehind;

impl Listener {
    /// The next event; `None`: the gateway ends.
    pub async fn next(&mut self) -> Option<Result<Arc<Event>, FellBehind>> {
        match self.receiver.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Lagged(_)) => Some(Err(FellBehind)),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    fn event() -> Event {
        Event::now(Change::Updated, Changed::AnyOf { source: Source::HautAi, known: Vec::new() }, None)
    }

    #[test]
    fn a_listener_hears_what_comes_after_it_began() {
        let events = Events::default();
        events.publish(event());
        let mut listener = events.listen();
        let told = event();
        events.publish(told.clone());
        assert_eq!(block_on(listener.next()).unwrap().as_deref(), Ok(&told));
        drop(events);
        assert_eq!(block_on(listener.next()), None);
    }

    #[test]
    fn one_who_falls_behind_is_told_so() {
        let events = Events::default();
        let mut listener = events.listen();
        for _ in 0..=MAX_BEHIND {
            events.publish(event());
        }
        assert_eq!(block_on(listener.next()), Some(Err(FellBehind)));
    }
}
