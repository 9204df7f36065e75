//! The fields of BrainSTEM's subjects that can be written, in both generations: one table for bodies and for errors.

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use crate::{
    config::Generation,
    domain::{
        Sex, Source, Status,
        write::{AnimalInput, FieldError, FieldErrorCode, Purpose},
    },
    sources::write::{
        fields::{self, Checked, Clear, Field, Wrong},
        refusal::Known,
    },
};

type AnimalField = Field<AnimalInput, Generation>;

/// A field, its name today, and its name before the renaming; `None`: servers of that generation have no such field.
type Named = (AnimalField, Option<&'static str>, Option<&'static str>);

const FIELDS: &[Named] = &[
    (
        Field {
            input: "name",
            expected: "a text of 1 to 100 characters that is not blank and that no other subject has",
            clear: Clear::Required,
            read: |input, _| input.name.as_ref().map(|name| fields::name(name, 100)),
        },
        Some("name"),
        Some("name"),
    ),
    (
        Field {
            input: "description",
            expected: "a text",
            clear: Clear::EmptyText,
            read: |input, _| input.description.as_ref().map(|text| fields::text(text, usize::MAX)),
        },
        Some("description"),
        Some("description"),
    ),
    (
        Field {
            input: "projectIds",
            expected: "the `id`s of at least one project",
            clear: Clear::Required,
            read: |input, _| {
                input.projects.as_ref().map(|projects| {
                    if projects.is_empty() {
                        return Err(Wrong::whole(FieldErrorCode::Required));
                    }
                    Ok(fields::ids(projects.iter().map(|id| id.uuid())))
                })
            },
        },
        Some("projects"),
        Some("projects"),
    ),
    (
        Field {
            input: "strainId",
            expected: "the `id` of a strain",
            clear: Clear::Required,
            read: |input, _| input.strain.as_ref().map(|id| Ok(fields::id(id.uuid()))),
        },
        Some("strain"),
        Some("strain"),
    ),
    (
        Field {
            input: "sex",
            expected: "FEMALE, MALE or UNKNOWN",
            clear: Clear::Required,
            read: |input, _| input.sex.as_ref().map(|sex| sex_code(*sex)),
        },
        Some("sex"),
        Some("sex"),
    ),
    (
        Field {
            input: "birthDate",
            expected: "a date, as YYYY-MM-DD",
            clear: Clear::Null,
            read: |input, _| input.birth_date.as_ref().map(|date| Ok(fields::day(*date))),
        },
        Some("birth_date"),
        Some("birth_date"),
    ),
    (
        Field {
            input: "deathDate",
            expected: "a date, as YYYY-MM-DD, not before the birth date",
            clear: Clear::Null,
            read: |input, _| input.death_date.as_ref().map(|date| Ok(fields::day(*date))),
        },
        Some("death_date"),
        Some("death_date"),
    ),
    (
        Field {
            input: "status",
            expected: "PLANNED, ACTIVE, INACTIVE, TRANSFERRED, DECEASED or UNKNOWN",
            clear: Clear::Never,
            read: |input, _| input.status.as_ref().map(|status| Ok(json!(status_word(*status)))),
        },
        Some("status"),
        None,
    ),
    (
        Field {
            input: "genotype",
            expected: "a text of at most 200 characters",
            clear: Clear::EmptyText,
            read: |input, _| input.genotype.as_ref().map(|text| fields::text(text, 200)),
        },
        Some("genotype"),
        None,
    ),
    (
        Field {
            input: "geneticLine",
            expected: "a text of at most 100 characters",
            clear: Clear::EmptyText,
            read: |input, _| input.genetic_line.as_ref().map(|text| fields::text(text, 100)),
        },
        Some("genetic_line"),
        Some("genetic_line"),
    ),
    (
        Field {
            input: "identifier",
            expected: "a text of at most 100 characters",
            clear: Clear::EmptyText,
            read: |input, _| input.identifier.as_ref().map(|text| fields::text(text, 100)),
        },
        Some("subject_identifier"),
        Some("subject_identifier"),
    ),
    (
        Field {
            input: "supplierId",
            expected: "the `id` of a supplier",
            clear: Clear::Null,
            read: |input, _| input.supplier.as_ref().map(|id| Ok(fields::id(id.uuid()))),
        },
        Some("supplier"),
        None,
    ),
    (
        Field {
            input: "breedingId",
            expected: "the `id` of a breeding",
            clear: Clear::Null,
            read: |input, _| input.breeding.as_ref().map(|id| Ok(fields::id(id.uuid()))),
        },
        Some("breeding"),
        None,
    ),
    (
        Field {
            input: "licenseIds",
            expected: "the `id`s of licences",
            clear: Clear::EmptyList,
            read: |input, _| input.licenses.as_ref().map(|ids| Ok(fields::ids(ids.iter().map(|id| id.uuid())))),
        },
        Some("licenses"),
        None,
    ),
    (
        Field {
            input: "nameUsedInStorage",
            expected: "a text of at most 200 characters",
            clear: Clear::EmptyText,
            read: |input, _| input.name_used_in_storage.as_ref().map(|text| fields::text(text, 200)),
        },
        Some("name_used_in_storage"),
        Some("name_used_in_repository"),
    ),
    (
        Field {
            input: "tags",
            expected: "texts that are not blank",
            clear: Clear::EmptyList,
            read: |input, _| input.tags.as_ref().map(|tags| no_blanks(tags)),
        },
        Some("tags"),
        Some("tags"),
    ),
    (
        Field {
            input: "metadata",
            expected: "an object whose keys are a letter and then letters, digits and underscores, and whose values are \
                       texts or numbers",
            clear: Clear::EmptyObject,
            read: |input, generation| input.metadata.as_ref().map(|value| extra_fields(value, generation)),
        },
        Some(EXTRA_FIELDS),
        Some(EXTRA_FIELDS),
    ),
    (
        Field {
            input: "supplierText",
            expected: "a text of at most 100 characters",
            clear: Clear::EmptyText,
            read: |input, _| input.supplier_text.as_ref().map(|text| fields::text(text, 100)),
        },
        None,
        Some("source"),
    ),
];

const EXTRA_FIELDS: &str = "extra_fields";

fn name((_, today, before): &Named, generation: Generation) -> Option<&'static str> {
    match generation {
        Generation::Current => *today,
        Generation::Legacy => *before,
    }
}

/// The body of a write, or all that is wrong with its input.
pub(super) fn body(
    generation: Generation,
    input: &AnimalInput,
    purpose: Purpose,
) -> Result<Map<String, Value>, Vec<FieldError>> {
    let fields = FIELDS.iter().map(|named| (&named.0, name(named, generation)));
    let mut body = fields::fill(Source::BrainStem, fields, input, generation, purpose)?;
    // What is an object today was a list.
    if let (Generation::Legacy, Some(cleared @ Value::Object(_))) = (generation, body.get_mut(EXTRA_FIELDS)) {
        *cleared = json!([]);
    }
    Ok(body)
}

/// The input's field behind a name of the server's.
pub(super) fn known(generation: Generation, upstream: &str) -> Option<Known> {
    let (field, ..) = FIELDS.iter().find(|named| name(named, generation) == Some(upstream))?;
    Some(Known { input: field.input, expected: field.expected })
}

/// Nothing dies before it is born. The error is about the date that is given.
pub(super) fn order(birth: Date, death: Date, given: &str) -> Option<FieldError> {
    let message = "The date of death would lie before the date of birth: expected the same day or a later one.";
    (death < birth).then(|| FieldError::of(given, FieldErrorCode::Invalid, message))
}

fn sex_code(sex: Sex) -> Checked {
    match sex {
        Sex::Female => Ok(json!("F")),
        Sex::Male => Ok(json!("M")),
        Sex::Unknown => Ok(json!("U")),
        Sex::Other => Err(Wrong::whole(FieldErrorCode::NotSupported)),
    }
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Planned => "planned",
        Status::Active => "active",
        Status::Inactive => "inactive",
        Status::Transferred => "transferred",
        Status::Deceased => "deceased",
        Status::Unknown => "unknown",
    }
}

fn no_blanks(tags: &[String]) -> Checked {
    let blank = tags.iter().enumerate().filter(|(_, tag)| tag.trim().is_empty());
    let wrong: Vec<_> = blank.map(|(at, _)| Wrong::part(&at, FieldErrorCode::Required)).collect();
    if wrong.is_empty() { Ok(json!(tags)) } else { Err(wrong) }
}

/// Servers from before the renaming take a list of names and values.
fn extra_fields(value: &Value, generation: Generation) -> Checked {
    let Value::Object(given) = value else {
        return Err(Wrong::whole(FieldErrorCode::Invalid));
    };
    let wrong = given.iter().filter(|(key, value)| !is_key(key) || !(value.is_string() || value.is_number()));
    let wrong: Vec<_> = wrong.map(|(key, _)| Wrong::part(key, FieldErrorCode::Invalid)).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(match generation {
        Generation::Current => value.clone(),
        Generation::Legacy => given.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect(),
    })
}

fn is_key(key: &str) -> bool {
    key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}
