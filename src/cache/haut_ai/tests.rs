//! What subjects teach, and when it is too late for it.

use uuid::Uuid;

use super::*;
use crate::{
    cache::{Purge, Sources, Touched},
    config::Config,
    domain::subject::{Own, bare},
};

fn sources() -> Arc<Sources> {
    let variables = [
        ("HAUT_AI_URL", "http://localhost"),
        ("HAUT_AI_TOKEN", "t"),
        ("HAUT_AI_COMPANY_ID", "00000000-0000-4000-8000-000000000001"),
    ];
    Sources::new(&Config::from_variables(variables).unwrap()).unwrap()
}

/// A subject whose record says what its sex is called.
fn subject(name: &str) -> Subject {
    let [company, dataset, subject] = [1, 2, 3].map(Uuid::from_u128);
    let mut subject = bare(SubjectId::HautAi(HautAiSubjectId { company, dataset, subject }));
    if let Own::HautAi(own) = &mut subject.own {
        let entry = BiologicalSex { id: Id::new(Uuid::from_u128(4)), name: Some(name.to_owned()), tech_name: None };
        own.biological_sex = Some(SexReference::Whole(entry));
    }
    subject
}

#[test]
fn what_was_read_before_a_purge_teaches_nothing_after_it() {
    let sources = sources();
    let shared = &sources.haut_ai.as_ref().unwrap().0;
    let credential = shared.source.credential().id;
    let taught = shared.taught.of(credential);
    let names = || lock(&taught).values().filter_map(|entry| entry.name.clone()).collect::<Vec<_>>();
    let began = shared.stores.records.moment();
    shared.learn(began, credential, [&subject("old")]);
    assert_eq!(names(), ["old"]);
    // No write changes the dictionary, and no purge of the other source.
    let written = Touched::new(Source::HautAi, []);
    shared.stores.records.advance(&written, false);
    shared.stores.sweep(&written);
    sources.purge(&Purge::Source(Source::BrainStem)).now_or_never();
    shared.learn(began, credential, [&subject("new")]);
    assert_eq!(names(), ["new"]);
    for purge in [Purge::Source(Source::HautAi), Purge::Nodes(vec![NodeId::Subject(subject("").id)])] {
        let began = shared.stores.records.moment();
        sources.purge(&purge).now_or_never();
        assert!(names().is_empty());
        shared.learn(began, credential, [&subject("late")]);
        assert!(names().is_empty(), "{purge:?}");
    }
    shared.learn(shared.stores.records.moment(), credential, [&subject("later")]);
    assert_eq!(names(), ["later"]);
}
