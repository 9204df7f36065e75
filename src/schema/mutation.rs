//! `Mutation`: writes, one after the other. What is wrong with an input is data, `userErrors`; what went wrong on the way
//! is an error.

use async_graphql::{Context, ID, Object};

use self::{
    bulk::SubjectsDeletePayload,
    inputs::{
        BrainStemSubjectInput, HautAiSubjectCreateInput, HautAiSubjectUpdateInput, Read, SubjectCreateInput,
        SubjectUpdateInput,
    },
    payloads::{Affected, SubjectDeletePayload, SubjectPayload},
};
use super::{
    context::RequestContext,
    error::{Error, Result},
};
use crate::{
    access::Scope,
    cache::{CachedBrainStem, CachedHautAi, Viewer, writes::Sweep},
    domain::{
        HautAiSubjectId, Id, NodeId, Source, Subject, SubjectId,
        write::{FieldError, FieldErrorCode, Purpose},
    },
    sources::{haut_ai::HautAi, write::Written},
};

pub mod bulk;
pub mod inputs;
pub mod payloads;

/// The root of all writes. The fields of one request are carried out one after the other.
pub struct Mutation;

/// The root of all writes. The fields of one request are carried out one after the other.
///
/// No write is repeated by the gateway. Whoever reads after a write was answered sees it.
#[Object]
impl Mutation {
    /// Makes a subject. What is wrong with the input stands in `userErrors`; nothing is made then.
    async fn subject_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Exactly one of the sources, and what to write there.")] input: SubjectCreateInput,
    ) -> Option<Result<SubjectPayload>> {
        granted(ctx, Scope::Write, async {
            match input {
                SubjectCreateInput::HautAi(input) => create_person(ctx, input).await,
                SubjectCreateInput::BrainStem(input) => create_animal(ctx, *input).await,
            }
        })
        .await
    }

    /// Changes a subject. A field that is left out stays as it is, null clears it. What is wrong with the input stands in
    /// `userErrors`; nothing is changed then. Without any field nothing is sent, and the subject comes back as it is.
    async fn subject_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The `id` of a subject.")] id: ID,
        #[graphql(desc = "Exactly one of the sources, the subject's own, and what to change.")]
        input: SubjectUpdateInput,
    ) -> Option<Result<SubjectPayload>> {
        granted(ctx, Scope::Write, async {
            match (subject_id(&id), input) {
                (Ok(SubjectId::HautAi(id)), SubjectUpdateInput::HautAi(input)) => update_person(ctx, id, input).await,
                (Ok(SubjectId::BrainStem(id)), SubjectUpdateInput::BrainStem(input)) => {
                    update_animal(ctx, id, *input).await
                }
                (Ok(_), _) => Ok(refused("`id` is a subject of the other source: expected one of the input's source.")),
                (Err(wrong), _) => Ok(SubjectPayload::refused(vec![wrong])),
            }
        })
        .await
    }

    /// Deletes a subject for good. In BrainSTEM the records that can't be without it, such as its procedures and logs, go
    /// with it. In Haut.AI no images can be uploaded to it any more.
    async fn subject_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The `id` of a subject.")] id: ID,
    ) -> Option<Result<SubjectDeletePayload>> {
        granted(ctx, Scope::Erase, async { delete(ctx, &id).await }).await
    }

    /// Deletes many subjects of both sources for good, each as `subjectDelete` does. One that can't be deleted does not
    /// keep the others from it: `results` says what became of each.
    async fn subjects_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`id`s of subjects, any number, of both sources.")] ids: Vec<ID>,
    ) -> Option<Result<SubjectsDeletePayload>> {
        granted(ctx, Scope::Erase, async { Ok(bulk::delete(ctx, &ids).await) }).await
    }

    /// Deletes the *files* of a person's images in Haut.AI, as data protection law may ask for. The records of the images,
    /// their metrics and their masks stay. Haut.AI only.
    async fn subject_photos_clear(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The `id` of a Haut.AI subject.")] id: ID,
    ) -> Option<Result<SubjectPayload>> {
        granted(ctx, Scope::Erase, async { clear(ctx, &id, Clearing::Photos).await }).await
    }

    /// Clears a person's metadata in Haut.AI, as data protection law may ask for: metadata, biological sex, birth date,
    /// phenotype, metrics and submetrics. The name stays, and so do the images. Haut.AI only.
    async fn subject_metadata_clear(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The `id` of a Haut.AI subject.")] id: ID,
    ) -> Option<Result<SubjectPayload>> {
        granted(ctx, Scope::Erase, async { clear(ctx, &id, Clearing::Metadata).await }).await
    }
}

/// Carries out a field where its caller may.
async fn granted<T>(ctx: &Context<'_>, scope: Scope, write: impl Future<Output = Result<T>>) -> Option<Result<T>> {
    Some(match RequestContext::of(ctx).require(scope) {
        Ok(()) => write.await,
        Err(refusal) => Err(refusal),
    })
}

/// Which of the two clearings.
#[derive(Clone, Copy)]
enum Clearing {
    Photos,
    Metadata,
}

async fn create_person(ctx: &Context<'_>, input: HautAiSubjectCreateInput) -> Result<SubjectPayload> {
    let request = RequestContext::of(ctx);
    let Some((source, viewer)) = haut_ai(request) else {
        return Ok(not_configured(Source::HautAi));
    };
    let Read { input: (dataset, input), wrong } = input.read();
    let input = input.of_new();
    let (Some(dataset), []) = (dataset, wrong.as_slice()) else {
        return Ok(SubjectPayload::refused(with_problems(wrong, HautAi::problems(&input, Purpose::Create))));
    };
    let written = source.create(viewer, dataset, input, request.deadline.0).await?;
    Ok(payload(written.map(Some), None, no_such_dataset))
}

async fn create_animal(ctx: &Context<'_>, input: BrainStemSubjectInput) -> Result<SubjectPayload> {
    let request = RequestContext::of(ctx);
    let Some((source, viewer)) = writable_brainstem(request)? else {
        return Ok(not_configured(Source::BrainStem));
    };
    let Read { input, wrong } = input.read();
    let input = input.of_new();
    if !wrong.is_empty() {
        let problems = source.source().problems(&input, Purpose::Create);
        return Ok(SubjectPayload::refused(with_problems(wrong, problems)));
    }
    let written = source.create(viewer, &input, request.deadline.0).await?;
    Ok(payload(written.map(Some), None, not_there))
}

async fn update_person(
    ctx: &Context<'_>,
    id: HautAiSubjectId,
    input: HautAiSubjectUpdateInput,
) -> Result<SubjectPayload> {
    let request = RequestContext::of(ctx);
    let Some((source, viewer)) = haut_ai(request) else {
        return Ok(SubjectPayload::refused(vec![not_there()]));
    };
    let Read { input, wrong } = input.read();
    if !wrong.is_empty() {
        let problems = HautAi::problems(&input, Purpose::Update);
        return Ok(SubjectPayload::refused(with_problems(wrong, problems)));
    }
    if input.is_empty() {
        return unchanged(request, SubjectId::HautAi(id)).await;
    }
    let written = source.update(viewer, id, input, request.deadline.0).await?;
    Ok(payload(written, Some(SubjectId::HautAi(id)), not_there))
}

async fn update_animal(ctx: &Context<'_>, id: Id<Subject>, input: BrainStemSubjectInput) -> Result<SubjectPayload> {
    let request = RequestContext::of(ctx);
    let Some((source, viewer)) = writable_brainstem(request)? else {
        return Ok(SubjectPayload::refused(vec![not_there()]));
    };
    let Read { input, wrong } = input.read();
    if !wrong.is_empty() {
        let problems = source.source().problems(&input, Purpose::Update);
        return Ok(SubjectPayload::refused(with_problems(wrong, problems)));
    }
    if input.is_empty() {
        return unchanged(request, SubjectId::BrainStem(id)).await;
    }
    let written = source.update(viewer, id, &input, request.deadline.0).await?;
    Ok(payload(written, Some(SubjectId::BrainStem(id)), not_there))
}

/// An update with nothing in it.
async fn unchanged(request: &RequestContext, id: SubjectId) -> Result<SubjectPayload> {
    Ok(match request.loaders.subjects.load(id).await? {
        Some(subject) => SubjectPayload::done(Affected::Record(subject)),
        None => SubjectPayload::refused(vec![not_there()]),
    })
}

async fn delete(ctx: &Context<'_>, id: &ID) -> Result<SubjectDeletePayload> {
    let request = RequestContext::of(ctx);
    let written = match subject_id(id) {
        Ok(SubjectId::HautAi(id)) => match haut_ai(request) {
            Some((source, viewer)) => source.delete(viewer, id, request.deadline.0).await?,
            None => Written::NotThere,
        },
        Ok(SubjectId::BrainStem(id)) => match writable_brainstem(request)? {
            Some((source, viewer)) => source.delete(viewer, id, Sweep::AtOnce, request.deadline.0).await?,
            None => Written::NotThere,
        },
        Err(wrong) => Written::Rejected(vec![wrong]),
    };
    Ok(match written {
        Written::Done(()) => SubjectDeletePayload::done(id.clone()),
        Written::NotThere => SubjectDeletePayload::refused(vec![not_there()]),
        Written::Rejected(wrong) => SubjectDeletePayload::refused(wrong),
    })
}

async fn clear(ctx: &Context<'_>, id: &ID, what: Clearing) -> Result<SubjectPayload> {
    let request = RequestContext::of(ctx);
    let id = match subject_id(id) {
        Ok(SubjectId::HautAi(id)) => id,
        Ok(SubjectId::BrainStem(_)) => {
            let message = "BrainSTEM can't do this: expected the `id` of a Haut.AI subject.";
            return Ok(SubjectPayload::refused(vec![FieldError::of("id", FieldErrorCode::NotSupported, message)]));
        }
        Err(wrong) => return Ok(SubjectPayload::refused(vec![wrong])),
    };
    let Some((source, viewer)) = haut_ai(request) else {
        return Ok(SubjectPayload::refused(vec![not_there()]));
    };
    let written = match what {
        Clearing::Photos => source.clear_photos(viewer, id, request.deadline.0).await?,
        Clearing::Metadata => source.clear_metadata(viewer, id, request.deadline.0).await?,
    };
    Ok(payload(written.map(|()| None), Some(SubjectId::HautAi(id)), not_there))
}

/// `at`: where the subject can be read, should the upstream not have shown it.
fn payload(
    written: Written<Option<Subject>>,
    at: Option<SubjectId>,
    not_there: impl FnOnce() -> FieldError,
) -> SubjectPayload {
    match written {
        Written::Done(Some(subject)) => SubjectPayload::done(Affected::Record(subject.into())),
        Written::Done(None) => SubjectPayload::done(at.map_or(Affected::Nothing, Affected::ToBeRead)),
        Written::NotThere => SubjectPayload::refused(vec![not_there()]),
        Written::Rejected(wrong) => SubjectPayload::refused(wrong),
    }
}

/// What the input itself got wrong comes first. Of a field that could not be read nothing else is said.
fn with_problems(mut wrong: Vec<FieldError>, problems: Vec<FieldError>) -> Vec<FieldError> {
    let is_new = |problem: &FieldError| wrong.iter().all(|known| known.path.first() != problem.path.first());
    let more: Vec<_> = problems.into_iter().filter(is_new).collect();
    wrong.extend(more);
    wrong
}

fn haut_ai(request: &RequestContext) -> Option<(&CachedHautAi, &Viewer)> {
    request.sources.haut_ai.as_ref().zip(request.viewers.haut_ai.as_ref())
}

/// BrainSTEM, unless its portal takes no writes.
fn writable_brainstem(request: &RequestContext) -> Result<Option<(&CachedBrainStem, &Viewer)>> {
    match request.sources.brainstem.as_ref().zip(request.viewers.brainstem.as_ref()) {
        Some((source, _)) if !source.source().takes_writes() => Err(Error::ReadOnly(Source::BrainStem)),
        configured => Ok(configured),
    }
}

/// The subject that the argument `id` names.
fn subject_id(id: &ID) -> std::result::Result<SubjectId, FieldError> {
    if let Ok(NodeId::Subject(id)) = NodeId::decode(id) {
        return Ok(id);
    }
    let message = "`id` is not the id of a subject: expected the `id` of a subject that this gateway returned.";
    Err(FieldError::of("id", FieldErrorCode::Invalid, message))
}

fn not_there() -> FieldError {
    let message = "There is no such subject, or it may not be seen: expected the `id` of one that is there.";
    FieldError::of("id", FieldErrorCode::NotFound, message)
}

fn no_such_dataset() -> FieldError {
    let message = "`datasetId` names what is not there, or is not served here: expected the `id` of one of `datasets`.";
    FieldError::of("datasetId", FieldErrorCode::NotFound, message)
}

fn refused(message: &str) -> SubjectPayload {
    SubjectPayload::refused(vec![FieldError::of("id", FieldErrorCode::Invalid, message)])
}

fn not_configured(source: Source) -> SubjectPayload {
    let message = format!("{} is not configured here: expected the other source.", source.title());
    SubjectPayload::refused(vec![FieldError { code: FieldErrorCode::NotSupported, path: Vec::new(), message }])
}
