//! Haut.AI's writes, and what they do to the caches. Outside of what the gateway serves nothing is there, and nothing is
//! sent.

use std::{sync::Arc, time::Instant};

use uuid::Uuid;

use super::{Plan, Sweep, WriteError};
use crate::{
    cache::{CachedHautAi, Touched, Viewer},
    domain::{
        BiologicalSex, DatasetId, HautAiSubjectId, Id, Sex, Source, Subject, SubjectId,
        write::{self, FieldError, FieldErrorCode, PersonInput, Purpose},
    },
    events::Change,
    sources::{
        SourceError,
        haut_ai::HautAi,
        write::{Attempt, Written},
    },
};

impl CachedHautAi {
    /// Makes a subject in a dataset.
    pub async fn create(
        &self,
        viewer: &Viewer,
        dataset: DatasetId,
        input: PersonInput,
        deadline: Instant,
    ) -> Result<Written<Subject>, WriteError> {
        let attempt = Arc::new(Attempt::default());
        let write = async {
            match self.check(viewer, dataset, input, Purpose::Create).await? {
                Written::Done((input, by_sex)) => {
                    self.source().create(&viewer.credential, dataset, &input, by_sex, &attempt).await
                }
                Written::NotThere => Ok(Written::NotThere),
                Written::Rejected(wrong) => Ok(Written::Rejected(wrong)),
            }
        };
        let plan = plan(viewer, Change::Created, []);
        self.0.stores.write(plan, deadline, Arc::clone(&attempt), write, |made| vec![made.id]).await
    }

    /// Changes a subject. `None`: it is changed, and has to be read again to see how.
    pub async fn update(
        &self,
        viewer: &Viewer,
        id: HautAiSubjectId,
        input: PersonInput,
        deadline: Instant,
    ) -> Result<Written<Option<Subject>>, WriteError> {
        let attempt = Arc::new(Attempt::default());
        let write = async {
            match self.check(viewer, id.dataset_id(), input, Purpose::Update).await? {
                Written::Done((input, by_sex)) => {
                    self.source().update(&viewer.credential, id, &input, by_sex, &attempt).await
                }
                Written::NotThere => Ok(Written::NotThere),
                Written::Rejected(wrong) => Ok(Written::Rejected(wrong)),
            }
        };
        let plan = plan(viewer, Change::Updated, [id]);
        self.0.stores.write(plan, deadline, Arc::clone(&attempt), write, |_| vec![SubjectId::HautAi(id)]).await
    }

    /// The input with the sex as an id, and whether it was given in another way.
    async fn check(
        &self,
        viewer: &Viewer,
        dataset: DatasetId,
        mut input: PersonInput,
        purpose: Purpose,
    ) -> Result<Written<(PersonInput, bool)>, SourceError> {
        if !self.source().covers(dataset).await? {
            return Ok(Written::NotThere);
        }
        let mut wrong = HautAi::problems(&input, purpose);
        let sex = std::mem::take(&mut input.sex);
        let by_sex = !sex.is_left();
        if wrong.is_empty() {
            match sex {
                write::Change::Leave => {}
                write::Change::Clear => input.biological_sex = write::Change::Clear,
                write::Change::To(sex) => match self.entry_of(viewer, sex).await? {
                    Some(entry) => input.biological_sex = write::Change::To(entry),
                    None => wrong.push(no_such_sex()),
                },
            }
        }
        Ok(if wrong.is_empty() { Written::Done((input, by_sex)) } else { Written::Rejected(wrong) })
    }

    /// The first entry of the dictionary that means this sex.
    async fn entry_of(&self, viewer: &Viewer, sex: Sex) -> Result<Option<Id<BiologicalSex>>, SourceError> {
        let dictionary = self.all_biological_sexes(viewer).await?;
        Ok(dictionary.iter().find(|entry| entry.stands_for(sex)).map(|entry| entry.id))
    }

    /// Deletes a subject.
    pub async fn delete(
        &self,
        viewer: &Viewer,
        id: HautAiSubjectId,
        deadline: Instant,
    ) -> Result<Written<()>, WriteError> {
        let attempt = Arc::new(Attempt::default());
        let write = self.if_covered(id.dataset_id(), self.source().delete(&viewer.credential, id, &attempt));
        let plan = plan(viewer, Change::Deleted, [id]);
        self.0.stores.write(plan, deadline, Arc::clone(&attempt), write, |()| vec![SubjectId::HautAi(id)]).await
    }

    /// Deletes the files of a subject's images.
    pub async fn clear_photos(
        &self,
        viewer: &Viewer,
        id: HautAiSubjectId,
        deadline: Instant,
    ) -> Result<Written<()>, WriteError> {
        let attempt = Arc::new(Attempt::default());
        let write = self.if_covered(id.dataset_id(), self.source().clear_photos(&viewer.credential, id, &attempt));
        let plan = plan(viewer, Change::Cleared, [id]);
        self.0.stores.write(plan, deadline, Arc::clone(&attempt), write, |()| vec![SubjectId::HautAi(id)]).await
    }

    /// Clears what is known about a subject beside its name and images.
    pub async fn clear_metadata(
        &self,
        viewer: &Viewer,
        id: HautAiSubjectId,
        deadline: Instant,
    ) -> Result<Written<()>, WriteError> {
        let attempt = Arc::new(Attempt::default());
        let write = self.if_covered(id.dataset_id(), self.source().clear_metadata(&viewer.credential, id, &attempt));
        let plan = plan(viewer, Change::Cleared, [id]);
        self.0.stores.write(plan, deadline, Arc::clone(&attempt), write, |()| vec![SubjectId::HautAi(id)]).await
    }

    /// Deletes at most [`MAX_BULK`](crate::sources::haut_ai::MAX_BULK) subjects of one dataset; gives those that were
    /// there.
    pub async fn delete_many(
        &self,
        viewer: &Viewer,
        dataset: DatasetId,
        subjects: &[Uuid],
        deadline: Instant,
    ) -> Result<Written<Vec<Uuid>>, WriteError> {
        let attempt = Arc::new(Attempt::default());
        let DatasetId { company, dataset: of } = dataset;
        let id = |subject: &Uuid| HautAiSubjectId { company, dataset: of, subject: *subject };
        let write =
            self.if_covered(dataset, self.source().delete_many(&viewer.credential, dataset, subjects, &attempt));
        let plan = plan(viewer, Change::Deleted, subjects.iter().map(id));
        let gone = |deleted: &Vec<Uuid>| deleted.iter().map(|subject| SubjectId::HautAi(id(subject))).collect();
        self.0.stores.write(plan, deadline, Arc::clone(&attempt), write, gone).await
    }

    async fn if_covered<T>(
        &self,
        dataset: DatasetId,
        write: impl Future<Output = Result<Written<T>, SourceError>>,
    ) -> Result<Written<T>, SourceError> {
        if self.source().covers(dataset).await? { write.await } else { Ok(Written::NotThere) }
    }
}

fn plan(viewer: &Viewer, change: Change, ids: impl IntoIterator<Item = HautAiSubjectId>) -> Plan<'static> {
    let touched = Touched::new(Source::HautAi, ids.into_iter().map(SubjectId::HautAi));
    Plan { change, touched, sweep: Sweep::AtOnce, credential: viewer.credential.id }
}

fn no_such_sex() -> FieldError {
    let message = "Haut.AI's dictionary has no entry for this `sex`: expected one of those that `biologicalSexes` has.";
    FieldError::of("sex", FieldErrorCode::NotSupported, message)
}
