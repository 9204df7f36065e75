//! Writing to Haut.AI: bodies, and what the answers mean. Nothing is sent twice.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use super::{HautAi, error, wire};
use crate::{
    domain::{
        DatasetId, HautAiSubjectId, Source, Subject,
        write::{FieldError, FieldErrorCode, PersonInput, Purpose},
    },
    sources::{
        Credential, Fault, SourceError,
        client::Request,
        wire::record,
        write::{
            Attempt, Reply, Written,
            fields::{self, Clear, Field},
            refusal::{Known, field_errors},
            reply, without_body,
        },
    },
};

/// Ids in one bulk deletion.
pub const MAX_BULK: usize = 50;

const NAME: Field<PersonInput, ()> = Field {
    input: "name",
    expected: "a text of 1 to 512 characters that is not blank",
    clear: Clear::Required,
    read: |input, ()| input.name.as_ref().map(|name| fields::name(name, 512)),
};

/// All fields of an input, and their names in Haut.AI.
const FIELDS: &[(Field<PersonInput, ()>, &str)] = &[
    (NAME, "name"),
    (
        Field {
            input: "birthDate",
            expected: "a date, as YYYY-MM-DD",
            clear: Clear::Null,
            read: |input, ()| input.birth_date.as_ref().map(|date| Ok(fields::day(*date))),
        },
        "birth_date",
    ),
    (
        Field {
            input: "biologicalSexId",
            expected: "the `id` of an entry of `biologicalSexes`",
            clear: Clear::Null,
            read: |input, ()| input.biological_sex.as_ref().map(|id| Ok(fields::id(id.uuid()))),
        },
        BIOLOGICAL_SEX,
    ),
    (
        Field {
            input: "metadata",
            expected: "any JSON value",
            clear: Clear::Null,
            read: |input, ()| input.metadata.as_ref().map(|value| Ok(value.clone())),
        },
        "meta",
    ),
];

const BIOLOGICAL_SEX: &str = "biological_sex";

#[derive(Default, Deserialize)]
struct BulkAnswer {
    deleted: Vec<Uuid>,
}

impl HautAi {
    /// What is wrong with an input, as far as can be told without asking.
    pub fn problems(input: &PersonInput, purpose: Purpose) -> Vec<FieldError> {
        let mut errors = body(input, purpose).err().unwrap_or_default();
        let both = !input.sex.is_left() && !input.biological_sex.is_left();
        if both && (input.sex.new_value().is_some() || input.biological_sex.new_value().is_some()) {
            let message = "`sex` and `biologicalSexId` say the same thing: expected one of them.";
            errors.push(FieldError::of("sex", FieldErrorCode::Invalid, message));
        }
        errors
    }

    /// Makes a subject. `input` says its sex by the dictionary's id; `by_sex`: the caller said it in another way.
    pub async fn create(
        &self,
        credential: &Credential,
        dataset: DatasetId,
        input: &PersonInput,
        by_sex: bool,
        attempt: &Attempt,
    ) -> Result<Written<Subject>, SourceError> {
        let url = self.subjects_url(dataset, None);
        let written =
            self.write_subject(credential, (Method::POST, url), (input, Purpose::Create), by_sex, attempt).await?;
        // Without its id nobody can be told what was made.
        let unreadable = || error(Fault::Invalid("the subject that it made has no readable id"));
        match written.map(|body| subject(&body, dataset)) {
            Written::Done(subject) => Ok(Written::Done(subject.ok_or_else(unreadable)?)),
            Written::NotThere => Ok(Written::NotThere),
            Written::Rejected(errors) => Ok(Written::Rejected(errors)),
        }
    }

    /// Changes a subject. `None`: it is changed, and the answer does not show it readably.
    pub async fn update(
        &self,
        credential: &Credential,
        id: HautAiSubjectId,
        input: &PersonInput,
        by_sex: bool,
        attempt: &Attempt,
    ) -> Result<Written<Option<Subject>>, SourceError> {
        let url = self.subjects_url(id.dataset_id(), Some(id.subject));
        let written =
            self.write_subject(credential, (Method::PATCH, url), (input, Purpose::Update), by_sex, attempt).await?;
        let of_id = |subject: &Subject| subject.source_id() == id.subject;
        Ok(written.map(|body| subject(&body, id.dataset_id()).filter(of_id)))
    }

    async fn write_subject(
        &self,
        credential: &Credential,
        to: (Method, Url),
        (input, purpose): (&PersonInput, Purpose),
        by_sex: bool,
        attempt: &Attempt,
    ) -> Result<Written<bytes::Bytes>, SourceError> {
        let sent = match body(input, purpose) {
            Ok(body) => Value::Object(body),
            Err(errors) => return Ok(Written::Rejected(errors)),
        };
        Ok(match self.write(credential, to, Some(sent.to_string().into_bytes()), attempt).await? {
            Reply::Done(body) => Written::Done(body),
            Reply::NotThere => Written::NotThere,
            Reply::Refused(body) => {
                Written::Rejected(field_errors(Source::HautAi, &body, &sent, |name| known(name, by_sex)))
            }
        })
    }

    /// Deletes a subject.
    pub async fn delete(
        &self,
        credential: &Credential,
        id: HautAiSubjectId,
        attempt: &Attempt,
    ) -> Result<Written<()>, SourceError> {
        self.delete_at(credential, self.subjects_url(id.dataset_id(), Some(id.subject)), attempt).await
    }

    /// Deletes the files of a subject's images.
    pub async fn clear_photos(
        &self,
        credential: &Credential,
        id: HautAiSubjectId,
        attempt: &Attempt,
    ) -> Result<Written<()>, SourceError> {
        self.delete_at(credential, self.below(id, "storage"), attempt).await
    }

    /// Clears what is known about a subject beside its name and images.
    pub async fn clear_metadata(
        &self,
        credential: &Credential,
        id: HautAiSubjectId,
        attempt: &Attempt,
    ) -> Result<Written<()>, SourceError> {
        self.delete_at(credential, self.below(id, "metadata"), attempt).await
    }

    /// Deletes at most [`MAX_BULK`] subjects of one dataset; gives those that were there.
    pub async fn delete_many(
        &self,
        credential: &Credential,
        dataset: DatasetId,
        subjects: &[Uuid],
        attempt: &Attempt,
    ) -> Result<Written<Vec<Uuid>>, SourceError> {
        // Without any id the request would mean something else.
        if subjects.is_empty() {
            return Ok(Written::Done(Vec::new()));
        }
        let mut url = self.subjects_url(dataset, None);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["delete", ""]);
        }
        for subject in subjects {
            url.query_pairs_mut().append_pair("subjects_ids", &subject.to_string());
        }
        let reply = self.write(credential, (Method::DELETE, url), None, attempt).await?;
        let body = match without_body(Source::HautAi, reply) {
            Written::Done(body) => body,
            refused => return Ok(refused.map(|_| Vec::new())),
        };
        let answer: BulkAnswer = serde_json::from_slice(&body)
            .map_err(|_| error(Fault::Invalid("it does not say which subjects it deleted")))?;
        Ok(Written::Done(answer.deleted))
    }

    async fn delete_at(
        &self,
        credential: &Credential,
        url: Url,
        attempt: &Attempt,
    ) -> Result<Written<()>, SourceError> {
        let reply = self.write(credential, (Method::DELETE, url), None, attempt).await?;
        Ok(without_body(Source::HautAi, reply).map(drop))
    }

    async fn write(
        &self,
        credential: &Credential,
        (method, url): (Method, Url),
        body: Option<Vec<u8>>,
        attempt: &Attempt,
    ) -> Result<Reply, SourceError> {
        let request = Request { method, url, authorization: None, body };
        let sent = async {
            let answer = self.access.send_noting(self, credential, request, attempt).await?;
            reply(answer, attempt).map_err(error)
        };
        self.traffic.watch_write(Box::pin(sent)).await
    }

    /// What lies below a subject's own URL.
    fn below(&self, id: HautAiSubjectId, what: &str) -> Url {
        let mut url = self.subjects_url(id.dataset_id(), Some(id.subject));
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend([what, ""]);
        }
        url
    }
}

fn body(input: &PersonInput, purpose: Purpose) -> Result<Map<String, Value>, Vec<FieldError>> {
    let fields = FIELDS.iter().map(|(field, name)| (field, Some(*name)));
    fields::fill(Source::HautAi, fields, input, (), purpose)
}

fn known(name: &str, by_sex: bool) -> Option<Known> {
    if by_sex && name == BIOLOGICAL_SEX {
        return Some(Known { input: "sex", expected: "a sex that Haut.AI's dictionary has" });
    }
    let (field, _) = FIELDS.iter().find(|(_, upstream)| *upstream == name)?;
    Some(Known { input: field.input, expected: field.expected })
}

fn subject(body: &[u8], dataset: DatasetId) -> Option<Subject> {
    let text = std::str::from_utf8(body).ok()?;
    wire::subject(record(text).ok()?, dataset)
}
