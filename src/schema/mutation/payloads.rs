//! What mutations answer.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, ID, SimpleObject};

use crate::{
    domain::{self, SubjectId, write::FieldError},
    schema::{
        context::{RequestContext, may_read},
        error::Result,
        subject::Subject,
    },
};

/// What is wrong with a part of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::domain::write::FieldErrorCode")]
pub enum UserErrorCode {
    /// It has to be given, and must not be null, blank or empty.
    Required,
    /// It has more characters than the source takes.
    TooLong,
    /// It is not what the source takes.
    Invalid,
    /// Another record has it already.
    NotUnique,
    /// It names a record that is not there, may not be seen, or lies outside of what this gateway serves.
    NotFound,
    /// The source, or this version of it, can't do that.
    NotSupported,
}

/// What is wrong with an input, for the form that it came from.
#[derive(Clone, SimpleObject)]
pub struct UserError {
    /// The kind of mistake, for programs.
    code: UserErrorCode,
    /// What is wrong and what was expected, for developers.
    message: String,
    /// Where: the names of fields within `input.hautAi` or `input.brainStem` from the outermost, such as `["name"]`,
    /// `["tags", "1"]` or `["metadata", "key"]`; or the argument, `["id"]` or `["ids", "3"]`. Null: no one field.
    field: Option<Vec<String>>,
}

impl From<FieldError> for UserError {
    fn from(error: FieldError) -> Self {
        let FieldError { code, path, message } = error;
        Self { code: code.into(), message, field: Some(path).filter(|path| !path.is_empty()) }
    }
}

/// Which subject a payload shows.
#[derive(Clone)]
pub(super) enum Affected {
    /// As the upstream answered with.
    Record(Arc<domain::Subject>),
    ToBeRead(SubjectId),
    Nothing,
}

/// What became of a write of one subject.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct SubjectPayload {
    /// What is wrong with the input. Empty: the write was carried out.
    user_errors: Vec<UserError>,
    #[graphql(skip)]
    affected: Affected,
}

impl SubjectPayload {
    pub(super) fn done(affected: Affected) -> Self {
        Self { user_errors: Vec::new(), affected }
    }

    pub(super) fn refused(wrong: Vec<FieldError>) -> Self {
        Self { user_errors: user_errors(wrong), affected: Affected::Nothing }
    }
}

#[ComplexObject]
impl SubjectPayload {
    /// The subject as it is after the write. Null where `userErrors` says why not.
    async fn subject(&self, ctx: &Context<'_>) -> Option<Result<Subject>> {
        if let Err(refusal) = may_read(ctx) {
            return Some(Err(refusal));
        }
        match &self.affected {
            Affected::Record(subject) => Some(Ok(Subject(Arc::clone(subject)))),
            Affected::ToBeRead(id) => {
                let subject = RequestContext::of(ctx).loaders.subjects.load(*id).await.transpose()?;
                Some(subject.map(Subject).map_err(Into::into))
            }
            Affected::Nothing => None,
        }
    }
}

/// What became of a deletion.
#[derive(Clone, SimpleObject)]
pub struct SubjectDeletePayload {
    /// The `id` of the subject that is deleted now. Null where `userErrors` says why not.
    deleted_id: Option<ID>,
    /// What is wrong with the argument. Empty: the subject was deleted.
    user_errors: Vec<UserError>,
}

impl SubjectDeletePayload {
    pub(super) fn done(id: ID) -> Self {
        Self { deleted_id: Some(id), user_errors: Vec::new() }
    }

    pub(super) fn refused(wrong: Vec<FieldError>) -> Self {
        Self { deleted_id: None, user_errors: user_errors(wrong) }
    }
}

fn user_errors(wrong: Vec<FieldError>) -> Vec<UserError> {
    wrong.into_iter().map(UserError::from).collect()
}
