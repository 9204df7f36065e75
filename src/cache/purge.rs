//! Forgetting what changed in an upstream without this gateway, and telling those who listen.

use std::collections::{BTreeSet, HashSet};

use super::{RecordKey, Sources, Touched, keys::Subjects};
use crate::{
    domain::{NodeId, Source, SubjectId},
    events::{Change, Changed, Event},
};

/// What is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purge {
    /// These, all that is not a subject in their sources, and every list there: any of it may tell of them.
    Nodes(Vec<NodeId>),
    /// All that came from a source.
    Source(Source),
}

impl Sources {
    /// No read that begins afterwards is served from before it. Gives the number of records that were thrown out.
    pub fn purge(&self, what: &Purge) -> usize {
        match what {
            Purge::Source(source) => {
                let forgotten = self.forget(*source, Subjects::All);
                let known = subjects(forgotten.iter().map(|(_, node)| *node));
                self.announce(*source, Changed::AnyOf { source: *source, known });
                forgotten.len()
            }
            Purge::Nodes(nodes) => {
                let sources: BTreeSet<Source> = nodes.iter().map(|node| node.source()).collect();
                sources.into_iter().map(|source| self.purge_nodes(source, nodes)).sum()
            }
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

    fn forget(&self, source: Source, subjects: Subjects) -> Vec<RecordKey> {
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
