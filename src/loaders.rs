//! A loader for each relation: the keys that one level of a query asks for go out together.
//!
//! The `dataloader` crate gathers the keys. It holds its lock while its batch function runs and panics waiters whose
//! leader was dropped within it, so the batch function here only looks up answers that are at hand or under way, begins
//! the missing ones and returns at once; they are awaited outside. Loaders live for one request and keep nothing: that
//! is the caches' work.

use std::{collections::HashMap, fmt::Debug, future::Future, hash::Hash, sync::Arc, time::Instant};

use dataloader::{BatchFn, non_cached::Loader};
use futures::{StreamExt as _, future::try_join_all, stream::FuturesUnordered};

use crate::{
    cache::{Answer, RecordKey, Sources},
    domain::{
        BiologicalSex, BrainRegion, Breeding, Cohort, HautAiSubjectId, Id, License, Procedure, Project, Source,
        Species, StateChange, Strain, Subject, SubjectId, SubjectLog, Supplier,
    },
    sources::{Denied, Fault, SourceError, brainstem::Model},
};

mod viewers;

pub use viewers::{CredentialIds, Credentials, Viewers};

/// Why a load failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    Source(SourceError),
    /// The request's time was over first.
    Deadline(Source),
    /// A list can't be sorted: the source has more records than may be read for it.
    TooMany(Source, u64),
    /// The loader gave no answer for a key: a fault of the gateway.
    Unanswered,
}

impl LoadError {
    /// Whether the same request again will fare no better, whenever it comes.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::TooMany(..) => true,
            Self::Source(error) => error.fault == Fault::Denied(Denied::Missing),
            Self::Deadline(_) | Self::Unanswered => false,
        }
    }
}

impl From<SourceError> for LoadError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

/// When a request's time is over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Instant);

impl Deadline {
    /// All but one of so many parts of the time that is left.
    #[must_use]
    pub fn all_but(self, part: u32) -> Self {
        let now = Instant::now();
        let left = self.0.saturating_duration_since(now);
        Self(now + left.saturating_sub(left / part))
    }

    /// Waits for an answer of `source`, at most until the deadline.
    pub async fn bound<T>(
        self,
        source: Source,
        answer: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, LoadError> {
        let Ok(answer) = tokio::time::timeout_at(self.0.into(), answer).await else {
            tracing::warn!(source = source.code(), "a request's time was over before its read had ended");
            return Err(LoadError::Deadline(source));
        };
        Ok(answer?)
    }
}

/// All loaders of one request.
pub struct Loaders {
    /// Subjects of both sources.
    pub subjects: Relation<SubjectId, Subject, BeginSubjects>,
    /// BrainSTEM's subjects, where it is known that they are.
    pub animals: ById<Subject>,
    pub projects: ById<Project>,
    pub procedures: ById<Procedure>,
    pub logs: ById<SubjectLog>,
    pub state_changes: ById<StateChange>,
    pub strains: ById<Strain>,
    pub species: ById<Species>,
    pub suppliers: ById<Supplier>,
    pub licenses: ById<License>,
    pub breedings: ById<Breeding>,
    pub cohorts: ById<Cohort>,
    pub brain_regions: ById<BrainRegion>,
    pub biological_sexes: Relation<Id<BiologicalSex>, BiologicalSex, BeginSexes>,
}

/// A relation to records that BrainSTEM serves by id.
pub type ById<T> = Relation<Id<T>, T, BeginBatches>;

impl Loaders {
    pub fn new(sources: &Arc<Sources>, viewers: &Viewers, deadline: Deadline) -> Self {
        let begin = || BeginBatches { sources: Arc::clone(sources), viewers: viewers.clone() };
        let (animals, people) = (Source::BrainStem, Source::HautAi);
        Self {
            subjects: Relation::new(BeginSubjects(begin()), animals, deadline),
            animals: Relation::new(begin(), animals, deadline),
            projects: Relation::new(begin(), animals, deadline),
            procedures: Relation::new(begin(), animals, deadline),
            logs: Relation::new(begin(), animals, deadline),
            state_changes: Relation::new(begin(), animals, deadline),
            strains: Relation::new(begin(), animals, deadline),
            species: Relation::new(begin(), animals, deadline),
            suppliers: Relation::new(begin(), animals, deadline),
            licenses: Relation::new(begin(), animals, deadline),
            breedings: Relation::new(begin(), animals, deadline),
            cohorts: Relation::new(begin(), animals, deadline),
            brain_regions: Relation::new(begin(), animals, deadline),
            biological_sexes: Relation::new(BeginSexes(begin()), people, deadline),
        }
    }
}

/// Begins the batches of one relation.
pub trait Begin<K, V>: BatchFn<K, Answer<RecordKey, V>> + Clone {
    /// What is kept of these records, in their order; `None`: it has to be asked for. Where most of a level is kept, to
    /// gather keys takes longer than all else.
    fn at_hand(&self, keys: &[K]) -> Vec<Option<Answer<RecordKey, V>>> {
        keys.iter().map(|_| None).collect()
    }
}

/// One relation of one request.
pub struct Relation<K, V, B>
where
    K: Eq + Hash + Clone + Debug,
    B: Begin<K, V>,
{
    loader: Loader<K, Answer<RecordKey, V>, B>,
    begin: B,
    source: Source,
    deadline: Deadline,
}

impl<K, V, B> Relation<K, V, B>
where
    K: Eq + Hash + Clone + Debug,
    V: Send + Sync + 'static,
    B: Begin<K, V>,
{
    fn new(begin: B, source: Source, deadline: Deadline) -> Self {
        // All keys of a level are there once its resolvers were polled: one turn. Chunks are cut further down, because
        // the loader would run its own one after the other.
        let loader = Loader::new(begin.clone()).with_yield_count(1).with_max_batch_size(usize::MAX);
        Self { loader, begin, source, deadline }
    }

    /// The record; `None`: not there, or not to be seen.
    pub async fn load(&self, key: K) -> Result<Option<Arc<V>>, LoadError> {
        // Unconstrained: otherwise tokio may suspend the loader's locking, while its batch is neither pending nor done.
        let answer = tokio::task::unconstrained(self.loader.try_load(key)).await;
        let answer = answer.map_err(|_| LoadError::Unanswered)?;
        self.deadline.bound(self.source, answer.get()).await
    }

    /// The records in the order of their keys, each with its place among them. What is not there, or not to be seen, is
    /// left out.
    pub async fn load_all(&self, keys: &[K]) -> Result<Vec<(usize, Arc<V>)>, LoadError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let answers = tokio::task::unconstrained(self.loader.try_load_many(keys.to_vec())).await;
        let answers = answers.map_err(|_| LoadError::Unanswered)?;
        let in_order = keys.iter().map(|key| answers.get(key).cloned().ok_or(LoadError::Unanswered));
        let in_order = in_order.collect::<Result<Vec<_>, _>>()?;
        let records = try_join_all(in_order.into_iter().map(Answer::get));
        let records = self.deadline.bound(self.source, records).await?;
        Ok(records.into_iter().enumerate().filter_map(|(at, record)| Some((at, record?))).collect())
    }

    /// What came of each key of a level, in the order of the keys; each key is there once. One that fails, or comes too
    /// late, leaves the others.
    pub async fn load_each(&self, keys: Vec<K>) -> Vec<Result<Option<Arc<V>>, LoadError>> {
        if keys.is_empty() {
            return Vec::new();
        }
        let mut answers = self.begin.at_hand(&keys);
        let missing: Vec<_> = keys.iter().zip(&answers).filter(|(_, answer)| answer.is_none()).collect();
        if !missing.is_empty() {
            let missing = missing.into_iter().map(|(key, _)| key.clone()).collect();
            let begun = tokio::task::unconstrained(self.loader.try_load_many(missing)).await;
            let mut begun = begun.unwrap_or_default();
            for (key, answer) in keys.iter().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
                *answer = begun.remove(key);
            }
        }
        let mut flying = FuturesUnordered::new();
        let mut found = Vec::with_capacity(keys.len());
        for (at, answer) in answers.into_iter().enumerate() {
            found.push(match answer {
                Some(Answer::Ready(answer)) => answer.map_err(LoadError::from),
                Some(answer) => {
                    flying.push(async move { (at, answer.get().await) });
                    Err(LoadError::Deadline(self.source))
                }
                None => Err(LoadError::Unanswered),
            });
        }
        let landing = async {
            while let Some((at, answer)) = flying.next().await {
                found[at] = answer.map_err(LoadError::from);
            }
            Ok(())
        };
        // Being late is told by what did not land.
        let _ = self.deadline.bound(self.source, landing).await;
        found
    }
}

/// Begins batches of BrainSTEM records.
#[derive(Clone)]
pub struct BeginBatches {
    sources: Arc<Sources>,
    viewers: Viewers,
}

impl BeginBatches {
    /// In the order of the ids. What is of a source that is not configured is not there.
    fn records<T: Model>(&self, ids: &[Id<T>]) -> Vec<Answer<RecordKey, T>> {
        match (&self.sources.brainstem, &self.viewers.brainstem) {
            (Some(source), Some(viewer)) => source.records(viewer, ids),
            _ => not_there(ids),
        }
    }
}

impl<T: Model> Begin<Id<T>, T> for BeginBatches {
    fn at_hand(&self, keys: &[Id<T>]) -> Vec<Option<Answer<RecordKey, T>>> {
        match (&self.sources.brainstem, &self.viewers.brainstem) {
            (Some(source), Some(viewer)) => source.at_hand(viewer, keys),
            _ => keys.iter().map(|_| None).collect(),
        }
    }
}

impl<T: Model> BatchFn<Id<T>, Answer<RecordKey, T>> for BeginBatches {
    async fn load(&mut self, ids: &[Id<T>]) -> HashMap<Id<T>, Answer<RecordKey, T>> {
        ids.iter().copied().zip(self.records(ids)).collect()
    }
}

/// Begins batches of subjects of both sources.
#[derive(Clone)]
pub struct BeginSubjects(BeginBatches);

impl Begin<SubjectId, Subject> for BeginSubjects {}

impl BatchFn<SubjectId, Answer<RecordKey, Subject>> for BeginSubjects {
    async fn load(&mut self, ids: &[SubjectId]) -> HashMap<SubjectId, Answer<RecordKey, Subject>> {
        let mut animals: Vec<Id<Subject>> = Vec::new();
        let mut people: Vec<HautAiSubjectId> = Vec::new();
        for id in ids {
            match id {
                SubjectId::BrainStem(id) => animals.push(*id),
                SubjectId::HautAi(id) => people.push(*id),
            }
        }
        let found_people = match (&self.0.sources.haut_ai, &self.0.viewers.haut_ai) {
            (Some(source), Some(viewer)) => source.subjects(viewer, &people),
            _ => not_there(&people),
        };
        let found_animals = self.0.records(&animals);
        let people = people.into_iter().map(SubjectId::HautAi).zip(found_people);
        animals.into_iter().map(SubjectId::BrainStem).zip(found_animals).chain(people).collect()
    }
}

/// Begins the look-up in the dictionary of sexes.
#[derive(Clone)]
pub struct BeginSexes(BeginBatches);

impl Begin<Id<BiologicalSex>, BiologicalSex> for BeginSexes {}

impl BatchFn<Id<BiologicalSex>, Answer<RecordKey, BiologicalSex>> for BeginSexes {
    async fn load(
        &mut self,
        ids: &[Id<BiologicalSex>],
    ) -> HashMap<Id<BiologicalSex>, Answer<RecordKey, BiologicalSex>> {
        let answers = match (&self.0.sources.haut_ai, &self.0.viewers.haut_ai) {
            (Some(source), Some(viewer)) => source.biological_sexes(viewer, ids),
            _ => not_there(ids),
        };
        ids.iter().copied().zip(answers).collect()
    }
}

/// The loader must get an answer for every key.
fn not_there<I, V>(ids: &[I]) -> Vec<Answer<RecordKey, V>> {
    ids.iter().map(|_| Answer::Ready(Ok(None))).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::{Context, Waker},
        time::Duration,
    };

    use futures::{FutureExt as _, future::join_all};

    use super::*;

    #[derive(Clone)]
    struct Tenfold(Arc<AtomicUsize>);

    impl Begin<u64, u64> for Tenfold {}

    impl BatchFn<u64, Answer<RecordKey, u64>> for Tenfold {
        async fn load(&mut self, keys: &[u64]) -> HashMap<u64, Answer<RecordKey, u64>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let answer = |key: &u64| (*key, Answer::Ready(Ok(key.is_multiple_of(2).then(|| Arc::new(key * 10)))));
            keys.iter().map(answer).collect()
        }
    }

    fn relation() -> (Relation<u64, u64, Tenfold>, Arc<AtomicUsize>) {
        let batches = Arc::new(AtomicUsize::new(0));
        let deadline = Deadline(Instant::now() + Duration::from_secs(60));
        (Relation::new(Tenfold(Arc::clone(&batches)), Source::BrainStem, deadline), batches)
    }

    #[tokio::test]
    async fn a_level_is_one_batch() {
        let (relation, batches) = relation();
        // More keys than tokio lets a task lock in one go.
        let loads = (0..1_000).map(|key| relation.load(key));
        let got = join_all(loads).await;
        assert!(got.iter().enumerate().all(|(key, value)| {
            let expected = (key % 2 == 0).then_some(key as u64 * 10);
            value.as_ref().unwrap().as_deref().copied() == expected
        }));
        assert_eq!(batches.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn many_keys_keep_their_order_and_leave_out_what_is_not_there() {
        let (relation, _) = relation();
        let got = relation.load_all(&[4, 3, 2, 4]).await.unwrap();
        let got: Vec<_> = got.into_iter().map(|(at, value)| (at, *value)).collect();
        assert_eq!(got, [(0, 40), (2, 20), (3, 40)]);
    }

    #[tokio::test]
    async fn a_dropped_leader_harms_nobody() {
        let (relation, batches) = relation();
        let mut leader = relation.load(2).boxed_local();
        let mut waiter = relation.load(4).boxed_local();
        let mut context = Context::from_waker(Waker::noop());
        assert!(leader.poll_unpin(&mut context).is_pending());
        assert!(waiter.poll_unpin(&mut context).is_pending());
        drop(leader);
        assert_eq!(waiter.await.unwrap().as_deref(), Some(&40));
        assert_eq!(batches.load(Ordering::SeqCst), 1);
    }
}
