//! Forgetting what changed in an upstream without this gateway, and telling those who listen.

use std::collections::HashSet;

use super::{Sources, Touched, keys::Subjects};
use crate::{
    domain::{NodeId, Source, SubjectId},
    events::{Change, Changed, Event},
    sources::CredentialId,
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
            Purge::Source(source) => self.forget(*source, Subjects::All),
            Purge::Nodes(nodes) => {
                let sources: HashSet<Source> = nodes.iter().map(|node| node.source()).collect();
                sources.into_iter().map(|source| self.forget(source, Subjects::These(subjects(nodes, source)))).sum()
            }
        }
    }

    fn forget(&self, source: Source, subjects: Subjects) -> usize {
        let touched = Touched::purge(source, subjects);
        self.stores.records.advance(&touched, true);
        let swept = self.stores.sweep(&touched);
        let changed = match touched.subjects {
            Subjects::These(subjects) if subjects.is_empty() => return swept.len(),
            Subjects::These(subjects) => Changed::These(subjects.into_iter().collect()),
            Subjects::All => {
                let known: HashSet<SubjectId> = swept.iter().filter_map(|(_, node)| subject(*node)).collect();
                Changed::AnyOf { source, known: known.into_iter().collect() }
            }
        };
        self.stores.events.publish(Event::now(Change::Unknown, changed, self.credential(source)));
        swept.len()
    }

    /// The gateway's own.
    fn credential(&self, source: Source) -> Option<CredentialId> {
        match source {
            Source::HautAi => self.haut_ai.as_ref().map(|source| source.source().credential()),
            Source::BrainStem => self.brainstem.as_ref().map(|source| source.source().credential()),
        }
    }
}

fn subjects(nodes: &[NodeId], source: Source) -> HashSet<SubjectId> {
    nodes.iter().filter_map(|node| subject(*node)).filter(|subject| subject.source() == source).collect()
}

fn subject(node: NodeId) -> Option<SubjectId> {
    if let NodeId::Subject(id) = node { Some(id) } else { None }
}
