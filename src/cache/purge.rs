//! Forgetting what changed in an upstream without this gateway, and telling those who listen.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use super::{RecordKey, Sources, Touched, keys::Subjects};
use crate::{
    domain::{NodeId, Source, SubjectId},
    events::{Change, Changed, Event},
};

/// What is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Purge {
    /// These, all that is not a subject in their sources, and every list there: any of it may tell of them.
    Nodes(Vec<NodeId>),
    /// All that came from a source.
    Source(Source),
}

impl Purge {
    /// Those that it is about.
    pub(super) fn sources(&self) -> BTreeSet<Source> {
        match self {
            Self::Nodes(nodes) => nodes.iter().map(|node| node.source()).collect(),
            Self::Source(source) => BTreeSet::from([*source]),
        }
    }
}

impl Sources {
    /// No read that begins afterwards is served from before it, by whatever replica, where they can be told. Gives the number of
    /// records that were thrown out here.
    pub async fn purge(&self, what: &Purge) -> usize {
        let untold = self.stores.untold();
        let forgotten = self.purge_here(what);
        self.stores.tell_purged(what, untold).wait().await;
        forgotten
    }

    pub(super) fn purge_here(&self, what: &Purge) -> usize {
        match what {
            Purge::Source(source) => {
                let forgotten = self.forget(*source, Subjects::All);
                let known = subjects(forgotten.iter().map(|(_, node)| *node));
                self.announce(*source, Changed::AnyOf { source: *source, known });
                forgotten.len()
            }
            Purge::Nodes(nodes) => what.sources().into_iter().map(|source| self.purge_nodes(source, nodes)).sum(),
        }
    }

    fn purge_nodes(&self, source: Source, nodes: &[NodeId]) -> usize {
        let subjects = subjects(nodes.iter().copied().filter(|node| node.source() == source));
        let forgotten = self.forget(source, Subjects::These(subjects.iter().copied().collect()));
        if !subjects.is_empty() {
            self.announce(source, Changed::These(subjects));
        }
        forgotten.len()
    }

    pub(super) fn forget(&self, source: Source, subjects: Subjects) -> Vec<RecordKey> {
        let touched = Touched::purge(source, subjects);
        self.stores.records.advance(&touched, true);
        if let (Source::HautAi, Some(haut_ai)) = (source, &self.haut_ai) {
            haut_ai.0.forget_taught();
        }
        self.stores.sweep(&touched)
    }

    fn announce(&self, source: Source, changed: Changed) {
        // Where callers bring their own credentials, none is known to see these.
        let seen_by = self.credential(source).filter(|credential| !credential.is_missing()).map(|own| own.id);
        self.stores.events.publish(Event::now(Change::Unknown, changed, seen_by));
    }
}

/// The subjects among them, each once, in their order.
fn subjects(nodes: impl Iterator<Item = NodeId>) -> Vec<SubjectId> {
    let mut told = HashSet::new();
    let subject = |node| if let NodeId::Subject(id) = node { Some(id) } else { None };
    nodes.filter_map(subject).filter(|id| told.insert(*id)).collect()
}
