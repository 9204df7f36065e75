//! BrainSTEM's writes, and what they do to the caches.

use std::{sync::Arc, time::Instant};

use super::{Plan, Sweep, SweepAtLast, WriteError};
use crate::{
    cache::{Answer, CachedBrainStem, Touched, Viewer},
    domain::{
        Id, Source, Subject, SubjectId,
        write::{AnimalInput, Purpose},
    },
    events::Change,
    sources::{
        SourceError,
        brainstem::BrainStem,
        write::{Attempt, Written},
    },
};

impl CachedBrainStem {
    /// Makes a subject.
    pub async fn create(
        &self,
        viewer: &Viewer,
        input: &AnimalInput,
        deadline: Instant,
    ) -> Result<Written<Subject>, WriteError> {
        let attempt = Arc::new(Attempt::default());
        let write = async {
            let wrong = self.source.problems(input, Purpose::Create);
            if !wrong.is_empty() {
                return Ok(Written::Rejected(wrong));
            }
            self.source.create(&viewer.credential, input, &attempt).await
        };
        let plan = plan(viewer, Change::Created, [], Sweep::AtOnce);
        self.stores.write(plan, deadline, Arc::clone(&attempt), write, |made| vec![made.id]).await
    }

    /// Changes a subject. `None`: it is changed, and has to be read again to see how.
    pub async fn update(
        &self,
        viewer: &Viewer,
        id: Id<Subject>,
        input: &AnimalInput,
        deadline: Instant,
    ) -> Result<Written<Option<Subject>>, WriteError> {
        let attempt = Arc::new(Attempt::default());
        let write = async {
            match self.check_update(viewer, id, input).await? {
                Written::Done(()) => self.source.update(&viewer.credential, id, input, &attempt).await,
                refused => Ok(refused.map(|()| None)),
            }
        };
        let plan = plan(viewer, Change::Updated, [id], Sweep::AtOnce);
        self.stores.write(plan, deadline, Arc::clone(&attempt), write, |_| vec![SubjectId::BrainStem(id)]).await
    }

    /// What can be told before sending; only a date of death or birth alone needs a look at the record.
    async fn check_update(
        &self,
        viewer: &Viewer,
        id: Id<Subject>,
        input: &AnimalInput,
    ) -> Result<Written<()>, SourceError> {
        let mut wrong = self.source.problems(input, Purpose::Update);
        if wrong.is_empty() && BrainStem::needs_the_record(input) {
            let answer = self.records(viewer, &[id]).pop().unwrap_or(Answer::Ready(Ok(None)));
            let Some(now) = answer.get().await? else {
                return Ok(Written::NotThere);
            };
            wrong = BrainStem::problems_with(input, &now);
        }
        Ok(if wrong.is_empty() { Written::Done(()) } else { Written::Rejected(wrong) })
    }

    /// Deletes a subject.
    pub async fn delete(
        &self,
        viewer: &Viewer,
        id: Id<Subject>,
        sweep: Sweep<'_>,
        deadline: Instant,
    ) -> Result<Written<()>, WriteError> {
        let attempt = Arc::new(Attempt::default());
        let write = self.source.delete(&viewer.credential, id, &attempt);
        let plan = plan(viewer, Change::Deleted, [id], sweep);
        self.stores.write(plan, deadline, Arc::clone(&attempt), write, |()| vec![SubjectId::BrainStem(id)]).await
    }

    /// For the deletion of many.
    pub fn sweep_at_last(&self, ids: &[Id<Subject>]) -> SweepAtLast {
        self.stores.sweep_at_last(touched(ids.iter().copied()))
    }
}

fn plan<'a>(viewer: &Viewer, change: Change, ids: impl IntoIterator<Item = Id<Subject>>, sweep: Sweep<'a>) -> Plan<'a> {
    Plan { change, touched: touched(ids), sweep, credential: viewer.credential.id }
}

fn touched(ids: impl IntoIterator<Item = Id<Subject>>) -> Touched {
    Touched::new(Source::BrainStem, ids.into_iter().map(SubjectId::BrainStem))
}
