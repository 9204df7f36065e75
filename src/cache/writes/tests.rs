//! The end of a write, looked at from inside both halves.

use std::{collections::HashSet, time::Duration};

use futures::{FutureExt as _, executor::block_on};
use uuid::Uuid;

use super::*;
use crate::{
    cache::{Generations, ListKind, metrics::CacheMetrics, store::tests::lifetimes},
    domain::{
        DatasetId, HautAiSubjectId, Id, NodeId, Subject, SubjectId,
        subject::bare,
        write::{FieldError, FieldErrorCode},
    },
    events::Listener,
    sources::{
        CredentialId,
        paging::{Page, Weighed},
    },
};

const LONG: Duration = Duration::from_secs(3_600);

struct Caches {
    stores: Stores,
    generations: Arc<Generations>,
}

fn animal(number: u128) -> SubjectId {
    SubjectId::BrainStem(Id::new(Uuid::from_u128(number)))
}

fn person(number: u128) -> SubjectId {
    let [company, dataset, subject] = [1, 2, number].map(Uuid::from_u128);
    SubjectId::HautAi(HautAiSubjectId { company, dataset, subject })
}

fn weighed(subject: SubjectId) -> Weighed<Subject> {
    Weighed::new(bare(subject), 100)
}

impl Caches {
    /// Two credentials, each with the same records and pages of both sources.
    fn full() -> Self {
        let generations = Arc::new(Generations::new(LONG));
        let lifetimes = lifetimes(LONG, Duration::ZERO, Duration::ZERO);
        let counts = || CacheMetrics::default().level("records");
        let records =
            Store::new(1 << 20, lifetimes.clone(), &generations, crate::cache::store::Share::default(), counts());
        let pages = Store::new(1 << 20, lifetimes, &generations, crate::cache::store::Share::default(), counts());
        let caches = Self { stores: Stores { records, pages, events: Arc::default(), fleet: None }, generations };
        let began = caches.stores.records.moment();
        for credential in [credential("a"), credential("b")] {
            for subject in [animal(1), animal(2), person(1), person(2)] {
                caches.stores.records.keep(began, (credential, NodeId::Subject(subject)), &weighed(subject));
            }
            for node in around() {
                caches.stores.records.keep(began, (credential, node), &Weighed::new((), 1));
            }
            for (list, name) in lists() {
                let key = PageKey { credential, list, stretch: name.to_owned() };
                let items = [animal(1), person(1)].map(|subject| Some(weighed(subject)));
                let page = Page { start: 0, items: items.into(), total: Some(2), follows: Some(false) };
                caches.stores.pages.keep(began, key, &Weighed::new(page, 100));
            }
        }
        caches
    }

    /// What is left, by whatever credential; both have the same.
    fn left(&self) -> (HashSet<NodeId>, HashSet<String>) {
        let records: Vec<NodeId> = self.stores.records.kept_keys().into_iter().map(|(_, node)| node).collect();
        let pages: Vec<String> = self.stores.pages.kept_keys().into_iter().map(|key| key.stretch).collect();
        let (nodes, lists): (HashSet<_>, HashSet<_>) =
            (records.iter().copied().collect(), pages.iter().cloned().collect());
        assert_eq!((records.len(), pages.len()), (2 * nodes.len(), 2 * lists.len()), "the same for both credentials");
        (nodes, lists)
    }
}

fn credential(secret: &str) -> CredentialId {
    CredentialId::of(Source::BrainStem, &[secret])
}

fn around() -> [NodeId; 8] {
    let id = Uuid::from_u128(9);
    [
        NodeId::Project(Id::new(id)),
        NodeId::Procedure(Id::new(id)),
        NodeId::SubjectLog(Id::new(id)),
        NodeId::StateChange(Id::new(id)),
        NodeId::Breeding(Id::new(id)),
        NodeId::Cohort(Id::new(id)),
        NodeId::Strain(Id::new(id)),
        NodeId::Dataset(DatasetId { company: id, dataset: id }),
    ]
}

fn lists() -> [(ListKind, &'static str); 4] {
    [
        (ListKind::of::<Subject>(), "animals"),
        (ListKind::of::<crate::domain::Project>(), "projects"),
        (ListKind::of::<crate::domain::Strain>(), "strains"),
        (ListKind::Written(Source::HautAi), "people"),
    ]
}

fn deletion(source: Source, subject: Option<SubjectId>) -> Plan<'static> {
    let touched = Touched::new(source, subject);
    Plan { change: Change::Deleted, touched, sweep: Sweep::AtOnce, credential: credential("a") }
}

/// The next event, as far as there is one already.
fn told(listener: &mut Listener) -> Option<(Change, Changed)> {
    let event = listener.next().now_or_never()??.unwrap();
    assert_eq!(event.seen_by, Some(credential("a")));
    Some((event.change, event.changed.clone()))
}

/// A write of one subject that ends so.
fn write(
    caches: &Caches,
    subject: SubjectId,
    end: impl FnOnce(&Attempt) -> Result<Written<()>, SourceError>,
) -> Result<Written<()>, WriteError> {
    let source = if matches!(subject, SubjectId::HautAi(_)) { Source::HautAi } else { Source::BrainStem };
    let attempt = Arc::new(Attempt::default());
    let executed = async {
        attempt.sent();
        end(&attempt)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let deadline = Instant::now() + LONG;
    runtime.block_on(caches.stores.write(
        deletion(source, Some(subject)),
        deadline,
        Arc::clone(&attempt),
        executed,
        |()| vec![subject],
    ))
}

#[test]
fn what_is_erased_is_in_no_kept_copy() {
    let caches = Caches::full();
    let all = caches.left();
    assert_eq!((all.0.len(), all.1.len()), (12, 4));
    let mut listener = caches.stores.events.listen();
    assert_eq!(write(&caches, animal(1), |_| Ok(Written::Done(()))), Ok(Written::Done(())));
    assert_eq!(told(&mut listener), Some((Change::Deleted, Changed::These(vec![animal(1)]))));
    let (records, pages) = caches.left();
    let [.., strain, dataset] = around();
    let expected = [animal(2), person(1), person(2)].map(NodeId::Subject).into_iter().chain([strain, dataset]);
    assert_eq!(records, expected.collect());
    assert_eq!(pages, HashSet::from(["strains".to_owned(), "people".to_owned()]));

    write(&caches, person(1), |_| Ok(Written::NotThere)).unwrap();
    assert_eq!(told(&mut listener), None);
    let (records, pages) = caches.left();
    assert!(!records.contains(&NodeId::Subject(person(1))) && records.contains(&NodeId::Subject(person(2))));
    assert_eq!(pages, HashSet::from(["strains".to_owned()]));
}

#[test]
fn what_was_not_carried_out_touches_nothing() {
    let caches = Caches::full();
    let all = caches.left();
    let began = caches.stores.records.moment();
    let mut listener = caches.stores.events.listen();
    let error = || SourceError { of: Source::BrainStem, fault: Fault::Timeout };
    let rejected = || Written::Rejected(vec![FieldError::of("name", FieldErrorCode::Required, "")]);
    let end = |attempt: &Attempt| {
        attempt.not_executed();
        Err(error())
    };
    assert_eq!(write(&caches, animal(1), end), Err(WriteError::Failed(error())));
    let end = |attempt: &Attempt| {
        attempt.not_executed();
        Ok(rejected())
    };
    assert_eq!(write(&caches, animal(1), end), Ok(rejected()));
    assert_eq!(caches.left(), all);
    let mut now = caches.stores.records.moment();
    now.at = began.at;
    assert_eq!(now, began, "no write is counted");
    assert_eq!(told(&mut listener), None);
}

/// Whether the caches behave as after a write of which nobody knows.
fn is_wary(caches: &Caches) -> bool {
    let key = (credential("a"), NodeId::Subject(animal(1)));
    let gone = caches.stores.records.kept_now::<Subject>(&key).is_none();
    caches.stores.records.keep(caches.stores.records.moment(), key, &weighed(animal(1)));
    let other = (credential("a"), NodeId::Subject(animal(2)));
    gone && caches.stores.records.kept_now::<Subject>(&key).is_none()
        && caches.stores.records.kept_now::<Subject>(&other).is_some()
}

#[test]
fn an_error_after_sending_leaves_the_outcome_unknown() {
    let caches = Caches::full();
    assert!(!is_wary(&caches));
    let error = SourceError { of: Source::BrainStem, fault: Fault::Timeout };
    assert_eq!(write(&caches, animal(1), |_| Err(error.clone())), Err(WriteError::Unknown(error)));
    assert!(is_wary(&caches));
}

#[test]
fn what_was_asked_for_while_a_write_could_still_come_is_never_kept() {
    let caches = Caches::full();
    let error = SourceError { of: Source::BrainStem, fault: Fault::Timeout };
    write(&caches, animal(1), |_| Err(error)).unwrap_err();
    let left = caches.left();
    let keep_all = |began| {
        for credential in [credential("a"), credential("b")] {
            for node in [animal(1), animal(2)].map(NodeId::Subject).into_iter().chain(around()) {
                caches.stores.records.keep(began, (credential, node), &Weighed::new((), 1));
            }
            for (list, name) in lists() {
                let key = PageKey { credential, list, stretch: name.to_owned() };
                caches.stores.pages.keep(began, key, &Weighed::new((), 1));
            }
        }
    };
    let began = caches.stores.records.moment();
    caches.generations.end_suspicion();
    keep_all(began);
    assert_eq!(caches.left(), left);
    keep_all(caches.stores.records.moment());
    let (records, pages) = caches.left();
    assert!(records.contains(&NodeId::Subject(animal(1))) && around().iter().all(|node| records.contains(node)));
    assert_eq!(pages.len(), lists().len());
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_any_longer_counts_as_one_of_which_nobody_knows() {
    for is_sent in [true, false] {
        let caches = Caches::full();
        let attempt = Arc::new(Attempt::default());
        let hanging = async {
            if is_sent {
                attempt.sent();
            }
            std::future::pending::<Result<Written<()>, SourceError>>().await
        };
        let mut listener = caches.stores.events.listen();
        let plan = deletion(Source::BrainStem, Some(animal(1)));
        let mut write = caches
            .stores
            .write(plan, Instant::now() + LONG, Arc::clone(&attempt), hanging, |()| vec![animal(1)])
            .boxed();
        assert!((&mut write).now_or_never().is_none());
        drop(write);
        let unknown = (Change::Unknown, Changed::These(vec![animal(1)]));
        assert_eq!(told(&mut listener), is_sent.then_some(unknown));
        assert_eq!(is_wary(&caches), is_sent);
    }
}

#[tokio::test]
async fn at_the_deadline_it_depends_on_whether_it_was_sent() {
    for is_sent in [true, false] {
        let caches = Caches::full();
        let attempt = Arc::new(Attempt::default());
        let hanging = async {
            if is_sent {
                attempt.sent();
            }
            std::future::pending::<Result<Written<()>, SourceError>>().await
        };
        let plan = deletion(Source::BrainStem, Some(animal(1)));
        let deadline = Instant::now() + Duration::from_millis(20);
        let affected = |(): &()| vec![animal(1)];
        let outcome = caches.stores.write(plan, deadline, Arc::clone(&attempt), hanging, affected).await;
        match outcome {
            Err(WriteError::Unknown(error)) => assert!(is_sent && error.fault == Fault::Timeout),
            other => assert!(!is_sent && other == Err(WriteError::Late(Source::BrainStem))),
        }
        assert_eq!(is_wary(&caches), is_sent);
    }
}

#[test]
fn past_the_deadline_nothing_is_begun() {
    let caches = Caches::full();
    let attempt = Arc::new(Attempt::default());
    let never = async { panic!("it was begun") };
    let plan = deletion(Source::HautAi, None);
    let outcome = block_on(caches.stores.write::<()>(plan, Instant::now(), attempt, never, |()| Vec::new()));
    assert_eq!(outcome, Err(WriteError::Late(Source::HautAi)));
}
