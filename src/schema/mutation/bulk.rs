//! `subjectsDelete`: many at once, in as few requests as the upstreams let.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use async_graphql::{Context, ID, SimpleObject};
use futures::{StreamExt as _, stream};
use uuid::Uuid;

use super::{haut_ai, not_there, payloads::UserError, subject_id, writable_brainstem};
use crate::{
    cache::writes::{Sweep, SweepAtLast, WriteError},
    domain::{
        DatasetId, HautAiSubjectId, Id, Source, Subject, SubjectId,
        write::{FieldError, FieldErrorCode},
    },
    schema::{
        context::{RequestContext, add_error},
        error::Error,
        mutation::payloads::UserErrorCode,
    },
    sources::{haut_ai::MAX_BULK, write::Written},
};

/// Requests at the same time.
const AT_ONCE: usize = 8;

/// What became of each of many subjects.
#[derive(Clone, SimpleObject)]
pub struct SubjectsDeletePayload {
    /// One for each of the `ids`, in their order, also where one id is there twice.
    results: Vec<SubjectDeleteResult>,
    /// What is wrong with single ids: `field` is `["ids", position]`.
    user_errors: Vec<UserError>,
}

/// What became of one of many subjects.
#[derive(Clone, SimpleObject)]
pub struct SubjectDeleteResult {
    /// As it was given.
    id: ID,
    /// Whether the subject was there and is deleted now.
    deleted: bool,
    /// Why it is not: the code of a user error, such as `NOT_FOUND`; or of an error, such as `UPSTREAM_TIMEOUT`. With
    /// `WRITE_OUTCOME_UNKNOWN` it may be deleted all the same. Null: it is deleted.
    code: Option<String>,
}

/// What became of a subject; the code says why it is not deleted.
type Fate = Result<(), Code>;

#[derive(Clone, Copy)]
enum Code {
    OfInput(FieldErrorCode),
    OfError(&'static str),
}

/// One request to an upstream.
enum Job {
    People(DatasetId, Vec<Uuid>),
    Animal(Id<Subject>),
}

impl Job {
    fn source(&self) -> Source {
        match self {
            Self::People(..) => Source::HautAi,
            Self::Animal(_) => Source::BrainStem,
        }
    }

    fn animal(&self) -> Option<Id<Subject>> {
        if let Self::Animal(id) = self { Some(*id) } else { None }
    }
}

pub(super) async fn delete(ctx: &Context<'_>, ids: &[ID]) -> SubjectsDeletePayload {
    let read: Vec<_> = ids.iter().map(subject_id).collect();
    let subjects: BTreeSet<SubjectId> = read.iter().filter_map(|id| id.as_ref().ok().copied()).collect();
    let fates = delete_all(ctx, subjects).await;
    let mut user_errors = Vec::new();
    let mut results = Vec::with_capacity(ids.len());
    for (at, (id, read)) in ids.iter().zip(read).enumerate() {
        let (fate, said) = match read {
            Ok(subject) => (fates.get(&subject).copied().unwrap_or(Err(NOT_FOUND)), not_there()),
            Err(wrong) => (Err(Code::OfInput(wrong.code)), wrong),
        };
        if let Err(Code::OfInput(code)) = fate {
            user_errors.push(FieldError::within("ids", at.to_string(), code, said.message).into());
        }
        let code = fate.err().map(Code::text);
        results.push(SubjectDeleteResult { id: id.clone(), deleted: fate.is_ok(), code });
    }
    SubjectsDeletePayload { results, user_errors }
}

const NOT_FOUND: Code = Code::OfInput(FieldErrorCode::NotFound);

/// What became of each; one that is left out is not there.
async fn delete_all(ctx: &Context<'_>, subjects: BTreeSet<SubjectId>) -> HashMap<SubjectId, Fate> {
    let request = RequestContext::of(ctx);
    let mut people: BTreeMap<DatasetId, Vec<Uuid>> = BTreeMap::new();
    let mut animals = Vec::new();
    for subject in subjects {
        match subject {
            SubjectId::HautAi(id) => people.entry(id.dataset_id()).or_default().push(id.subject),
            SubjectId::BrainStem(id) => animals.push(id),
        }
    }
    let mut fates = HashMap::new();
    let mut jobs = Vec::new();
    for (dataset, people) in people.iter().filter(|_| haut_ai(request).is_some()) {
        jobs.extend(people.chunks(MAX_BULK).map(|chunk| Job::People(*dataset, chunk.to_vec())));
    }
    match writable_brainstem(request) {
        Ok(Some(_)) => jobs.extend(animals.into_iter().map(Job::Animal)),
        Err(error) if !animals.is_empty() => {
            let code = Code::OfError(error.code());
            fates.extend(animals.into_iter().map(|id| (SubjectId::BrainStem(id), Err(code))));
            add_error(ctx, error);
        }
        Ok(None) | Err(_) => {}
    }
    // The animals are deleted one by one; the caches are swept once for all of them.
    let alone: Vec<_> = jobs.iter().filter_map(Job::animal).collect();
    let swept = request.sources.brainstem.as_ref().map(|source| source.sweep_at_last(&alone));
    let refusals = Refusals::default();
    let done = stream::iter(jobs).map(|job| run(request, &refusals, swept.as_ref(), job)).buffer_unordered(AT_ONCE);
    let done: Vec<_> = done.collect().await;
    if let Some(swept) = swept {
        swept.end().await;
    }
    let mut told = BTreeSet::new();
    for (of_job, error) in done {
        fates.extend(of_job);
        // The same for many is told once.
        if let Some(error) = error.map(Error::from)
            && told.insert((error.source(), error.code()))
        {
            add_error(ctx, error);
        }
    }
    fates
}

/// Sources that refuse everything at the moment: what is left for them is not sent.
#[derive(Default)]
struct Refusals(Mutex<Vec<WriteError>>);

impl Refusals {
    fn of(&self, source: Source) -> Option<WriteError> {
        let refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.iter().find(|refusal| refusal.source() == source).cloned()
    }

    fn note(&self, error: &WriteError) {
        if let WriteError::Failed(refusal) = error
            && refusal.is_of_the_whole_source()
        {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(error.clone());
        }
    }
}

/// Every subject of the job with what became of it, and why the request failed if it did.
async fn run(
    request: &RequestContext,
    refusals: &Refusals,
    swept: Option<&SweepAtLast>,
    job: Job,
) -> (Vec<(SubjectId, Fate)>, Option<WriteError>) {
    let deadline = request.deadline.0;
    let refused = refusals.of(job.source());
    let (subjects, outcome) = match job {
        Job::People(dataset, people) => {
            let outcome = match haut_ai(request) {
                _ if refused.is_some() => refused.map_or(Ok(Written::NotThere), Err),
                Some((source, viewer)) => source.delete_many(viewer, dataset, &people, deadline).await,
                None => Ok(Written::NotThere),
            };
            let DatasetId { company, dataset } = dataset;
            let id = |subject| SubjectId::HautAi(HautAiSubjectId { company, dataset, subject });
            let outcome = outcome.map(|written| written.map(|deleted| deleted.into_iter().map(id).collect()));
            (people.into_iter().map(id).collect(), outcome)
        }
        Job::Animal(animal) => {
            let id = SubjectId::BrainStem(animal);
            let sweep = swept.map_or(Sweep::AtOnce, Sweep::AtLast);
            let outcome = match request.sources.brainstem.as_ref().zip(request.viewers.brainstem.as_ref()) {
                _ if refused.is_some() => refused.map_or(Ok(Written::NotThere), Err),
                Some((source, viewer)) => source.delete(viewer, animal, sweep, deadline).await,
                None => Ok(Written::NotThere),
            };
            (vec![id], outcome.map(|written| written.map(|()| vec![id])))
        }
    };
    if let Err(error) = &outcome {
        refusals.note(error);
    }
    sort(subjects, outcome)
}

fn sort(
    subjects: Vec<SubjectId>,
    outcome: Result<Written<Vec<SubjectId>>, WriteError>,
) -> (Vec<(SubjectId, Fate)>, Option<WriteError>) {
    let (deleted, otherwise, error) = match outcome {
        Ok(Written::Done(deleted)) => (deleted, NOT_FOUND, None),
        Ok(Written::NotThere | Written::Rejected(_)) => (Vec::new(), NOT_FOUND, None),
        Err(error) => (Vec::new(), Code::OfError(Error::from(error.clone()).code()), Some(error)),
    };
    let deleted: BTreeSet<_> = deleted.into_iter().collect();
    let fate = |id: SubjectId| (id, if deleted.contains(&id) { Ok(()) } else { Err(otherwise) });
    (subjects.into_iter().map(fate).collect(), error)
}

impl Code {
    fn text(self) -> String {
        match self {
            Self::OfInput(code) => {
                let item = async_graphql::resolver_utils::enum_value(UserErrorCode::from(code));
                if let async_graphql::Value::Enum(name) = item { name.to_string() } else { String::new() }
            }
            Self::OfError(code) => code.to_owned(),
        }
    }
}
