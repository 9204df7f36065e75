//! Writing to BrainSTEM: only by the private portal. Nothing is sent twice.

use reqwest::Method;
use serde_json::{Value, json};

use super::{BrainStem, answer, error};
use crate::{
    config::Portal,
    domain::{
        Id, Source, Subject,
        write::{AnimalInput, FieldError, Purpose},
    },
    sources::{
        Credential, Fault, SourceError,
        client::Request,
        write::{Attempt, Reply, Written, refusal::field_errors, reply, without_body},
    },
};

mod fields;

impl BrainStem {
    /// Whether this portal takes writes.
    pub fn takes_writes(&self) -> bool {
        self.portal == Portal::Private
    }

    /// What is wrong with an input, as far as can be told without asking.
    pub fn problems(&self, input: &AnimalInput, purpose: Purpose) -> Vec<FieldError> {
        let mut errors = fields::body(self.generation, input, purpose).err().unwrap_or_default();
        let days = (input.birth_date.new_value(), input.death_date.new_value());
        if let (Some(birth), Some(death)) = days {
            errors.extend(fields::order(*birth, *death, "deathDate"));
        }
        errors
    }

    /// What is wrong with an input for a subject that is as `now`.
    pub fn problems_with(input: &AnimalInput, now: &Subject) -> Vec<FieldError> {
        let (birth, death) = (input.birth_date.new_value(), input.death_date.new_value());
        let wrong = match (birth, death, now.birth_date.value, now.death_date.value) {
            (Some(birth), None, _, Some(death)) if input.death_date.is_left() => {
                fields::order(*birth, death, "birthDate")
            }
            (None, Some(death), Some(birth), _) if input.birth_date.is_left() => {
                fields::order(birth, *death, "deathDate")
            }
            _ => None,
        };
        wrong.into_iter().collect()
    }

    /// Whether [`problems_with`](Self::problems_with) has something to look at.
    pub fn needs_the_record(input: &AnimalInput) -> bool {
        let (birth, death) = (&input.birth_date, &input.death_date);
        (birth.new_value().is_some() && death.is_left()) || (death.new_value().is_some() && birth.is_left())
    }

    /// Makes a subject.
    pub async fn create(
        &self,
        credential: &Credential,
        input: &AnimalInput,
        attempt: &Attempt,
    ) -> Result<Written<Subject>, SourceError> {
        match self.write_subject(credential, None, input, attempt).await? {
            // Without its id nobody can be told what was made.
            Written::Done(made) => Ok(Written::Done(
                made.ok_or_else(|| error(Fault::Invalid("the subject that it made has no readable id")))?,
            )),
            // There is no such list: the path is wrong.
            Written::NotThere => {
                attempt.not_executed();
                Err(error(Fault::Status(404)))
            }
            Written::Rejected(errors) => Ok(Written::Rejected(errors)),
        }
    }

    /// Changes a subject. `None`: it is changed, and the answer does not show it readably.
    pub async fn update(
        &self,
        credential: &Credential,
        id: Id<Subject>,
        input: &AnimalInput,
        attempt: &Attempt,
    ) -> Result<Written<Option<Subject>>, SourceError> {
        let written = self.write_subject(credential, Some(id), input, attempt).await?;
        Ok(written.map(|subject| subject.filter(|subject| subject.source_id() == id.uuid())))
    }

    /// Deletes a subject.
    pub async fn delete(
        &self,
        credential: &Credential,
        id: Id<Subject>,
        attempt: &Attempt,
    ) -> Result<Written<()>, SourceError> {
        // Never with a body, which may mean a deletion of many.
        let reply = self.write(credential, (Method::DELETE, Some(id)), None, attempt).await?;
        Ok(without_body(Source::BrainStem, reply).map(drop))
    }

    async fn write_subject(
        &self,
        credential: &Credential,
        id: Option<Id<Subject>>,
        input: &AnimalInput,
        attempt: &Attempt,
    ) -> Result<Written<Option<Subject>>, SourceError> {
        let (method, purpose) =
            if id.is_some() { (Method::PATCH, Purpose::Update) } else { (Method::POST, Purpose::Create) };
        let mut body = match fields::body(self.generation, input, purpose) {
            Ok(body) => body,
            Err(errors) => return Ok(Written::Rejected(errors)),
        };
        if purpose == Purpose::Create {
            // Servers fail where it is missing.
            body.entry("tags").or_insert_with(|| json!([]));
        }
        let sent = Value::Object(body);
        Ok(match self.write(credential, (method, id), Some(sent.to_string().into_bytes()), attempt).await? {
            Reply::Done(body) => Written::Done(self.written(&body)),
            Reply::NotThere => Written::NotThere,
            Reply::Refused(body) => {
                let known = |name: &str| fields::known(self.generation, name);
                Written::Rejected(field_errors(Source::BrainStem, &body, &sent, known))
            }
        })
    }

    fn written(&self, body: &[u8]) -> Option<Subject> {
        let (subject, _) = answer::one::<Subject>(body, self.generation).ok()?;
        Some((*subject.record).clone())
    }

    async fn write(
        &self,
        credential: &Credential,
        (method, id): (Method, Option<Id<Subject>>),
        body: Option<Vec<u8>>,
        attempt: &Attempt,
    ) -> Result<Reply, SourceError> {
        let request = Request { method, url: self.url(id)?, authorization: None, body };
        let sent = async {
            let answer = self.send_noting(credential, request, attempt).await?;
            reply(answer, attempt).map_err(error)
        };
        self.traffic.watch_write(Box::pin(sent)).await
    }
}
