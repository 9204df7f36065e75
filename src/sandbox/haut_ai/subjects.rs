//! The subjects of one dataset: list with search, one, create, change, delete and the two clearings.

use jiff::{Timestamp, civil::Date};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    super::{
        Knobs,
        exchange::{Answer, Request},
        store::Store,
    },
    SubjectRoute, Viewer, paginate,
};

const NAME_LENGTH: usize = 512;

/// Who asks, and in which dataset.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) viewer: Viewer,
    pub(super) dataset: &'a str,
}

pub(super) fn answer(
    request: &Request,
    knobs: &Knobs,
    store: &mut Store,
    place: Place<'_>,
    route: SubjectRoute<'_>,
) -> Answer {
    match (route, request.method.as_str()) {
        (SubjectRoute::List, "GET") => list(request, knobs, store, place),
        (SubjectRoute::List, "POST") => create(request, store, place),
        (SubjectRoute::DeleteMany, "DELETE") => delete_many(request, store, place),
        (SubjectRoute::One(_), "GET") if knobs.detail_405 => Answer::method_not_allowed("GET"),
        (SubjectRoute::One(id), "GET") => match find(store, place, id) {
            Some(subject) => Answer::json(200, subject),
            None => Answer::not_found(),
        },
        (SubjectRoute::One(id), "PATCH") => change(request, store, place, id),
        (SubjectRoute::One(id), "DELETE") => match canonical(store, place, id) {
            Some(id) => {
                store.remove("subjects", &id);
                Answer::no_content()
            }
            None => Answer::not_found(),
        },
        (SubjectRoute::Storage(id), "DELETE") => match find(store, place, id) {
            Some(_) => Answer::json(200, &json!({ "status": "images deleted" })),
            None => Answer::not_found(),
        },
        (SubjectRoute::Metadata(id), "DELETE") => clear_metadata(store, place, id),
        (_, method) => Answer::method_not_allowed(method),
    }
}

fn find<'a>(store: &'a Store, place: Place<'_>, id: &str) -> Option<&'a Value> {
    let id = Uuid::parse_str(id).ok()?.to_string();
    store.get("subjects", &id).filter(|subject| subject["dataset"]["id"] == place.dataset)
}

/// The id as stored, of a subject that is there.
fn canonical(store: &Store, place: Place<'_>, id: &str) -> Option<String> {
    let subject = find(store, place, id)?;
    subject["id"].as_str().map(str::to_owned)
}

fn list(request: &Request, knobs: &Knobs, store: &Store, place: Place<'_>) -> Answer {
    let pairs = request.pairs();
    let query = pairs.iter().rev().find(|(key, _)| key == "q");
    let terms = query.map(|(_, query)| search_terms(query)).unwrap_or_default();
    let found = store.rows("subjects").iter().filter(|subject| {
        let name = subject["name"].as_str().unwrap_or("").to_lowercase();
        subject["dataset"]["id"] == place.dataset && terms.iter().all(|term| name.contains(term))
    });
    paginate(request, knobs, &found.collect::<Vec<_>>())
}

/// Words, and phrases in single or double quotes, in lower case.
fn search_terms(query: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        let quoted = matches!(first, '"' | '\'').then(|| rest[1..].split_once(first)).flatten();
        let (term, after) = quoted.unwrap_or_else(|| rest.split_once(char::is_whitespace).unwrap_or((rest, "")));
        if !term.is_empty() {
            terms.push(term.to_lowercase());
        }
        rest = after.trim_start();
    }
    terms
}

fn create(request: &Request, store: &mut Store, place: Place<'_>) -> Answer {
    let fields = match request.object().and_then(|body| validate(store, &body, true)) {
        Ok(fields) => fields,
        Err(refusal) => return refusal,
    };
    let field = |name: &str| fields.get(name).cloned().unwrap_or(Value::Null);
    let dataset = store.get("datasets", place.dataset).cloned().unwrap_or_default();
    let company = dataset["company_id"].as_str().and_then(|id| store.get("companies", id));
    let company = company.cloned().unwrap_or_default();
    let subject = json!({
        "name": field("name"),
        "birth_date": field("birth_date"),
        "biological_sex": field("biological_sex"),
        "meta": field("meta"),
        "id": Uuid::new_v4(),
        "author_id": place.viewer.author(),
        "creation_time": format!("{:.3}", Timestamp::now()),
        "company": { "id": company["id"], "name": company["name"] },
        "dataset": { "id": dataset["id"], "name": dataset["name"] },
        "promote_image_id": null,
    });
    store.push("subjects", subject.clone());
    Answer::json(201, &subject)
}

fn change(request: &Request, store: &mut Store, place: Place<'_>, id: &str) -> Answer {
    let Some(id) = canonical(store, place, id) else {
        return Answer::not_found();
    };
    let fields = match request.object().and_then(|body| validate(store, &body, false)) {
        Ok(fields) => fields,
        Err(refusal) => return refusal,
    };
    let Some(subject) = store.get_mut("subjects", &id) else {
        return Answer::not_found();
    };
    for (name, value) in fields {
        subject[name] = value;
    }
    Answer::json(200, subject)
}

fn clear_metadata(store: &mut Store, place: Place<'_>, id: &str) -> Answer {
    let Some(id) = canonical(store, place, id) else {
        return Answer::not_found();
    };
    if let Some(subject) = store.get_mut("subjects", &id) {
        for field in ["meta", "biological_sex", "birth_date"] {
            subject[field] = Value::Null;
        }
    }
    Answer::json(200, &json!({ "status": "metadata cleared" }))
}

fn delete_many(request: &Request, store: &mut Store, place: Place<'_>) -> Answer {
    let pairs = request.pairs();
    let given = pairs.iter().filter(|(key, _)| key == "subjects_ids");
    let given: Vec<&str> = given.map(|(_, id)| id.as_str()).collect();
    if given.is_empty() {
        return Answer::field_error("subjects_ids", "This field is required.");
    }
    let malformed = given.iter().position(|id| Uuid::parse_str(id).is_err());
    if let Some(position) = malformed {
        let errors = json!({ position.to_string(): ["Must be a valid UUID."] });
        return Answer::json(400, &json!({ "subjects_ids": errors }));
    }
    let mut deleted = Vec::new();
    for id in given {
        if let Some(id) = canonical(store, place, id) {
            store.remove("subjects", &id);
            deleted.push(id);
        }
    }
    Answer::json(200, &json!({ "deleted": deleted }))
}

/// The writable fields as they will be stored, or what is wrong with each.
fn validate(store: &Store, body: &Map<String, Value>, creating: bool) -> Result<Map<String, Value>, Answer> {
    let checks = [
        ("name", name as fn(&Store, &Value) -> Result<Value, String>),
        ("birth_date", birth_date),
        ("biological_sex", biological_sex),
        ("meta", |_, meta| Ok(meta.clone())),
    ];
    let mut fields = Map::new();
    let mut errors = Map::new();
    for (field, check) in checks {
        match body.get(field).map(|value| check(store, value)) {
            Some(Ok(value)) => _ = fields.insert(field.to_owned(), value),
            Some(Err(message)) => _ = errors.insert(field.to_owned(), json!([message])),
            None if creating && field == "name" => {
                errors.insert(field.to_owned(), json!(["This field is required."]));
            }
            None => {}
        }
    }
    if errors.is_empty() { Ok(fields) } else { Err(Answer::json(400, &Value::Object(errors))) }
}

fn name(_: &Store, value: &Value) -> Result<Value, String> {
    let name = match value {
        Value::Null => return Err("This field may not be null.".to_owned()),
        Value::String(name) => name.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return Err("Not a valid string.".to_owned()),
    };
    if name.is_empty() {
        return Err("This field may not be blank.".to_owned());
    }
    if name.chars().count() > NAME_LENGTH {
        return Err(format!("Ensure this field has no more than {NAME_LENGTH} characters."));
    }
    Ok(Value::String(name))
}

fn birth_date(_: &Store, value: &Value) -> Result<Value, String> {
    let readable = match value {
        Value::Null => true,
        Value::String(date) => date.len() == 10 && date.parse::<Date>().is_ok(),
        _ => false,
    };
    if readable {
        Ok(value.clone())
    } else {
        let message = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.";
        Err(message.to_owned())
    }
}

/// Written as an id, read as an object.
fn biological_sex(store: &Store, value: &Value) -> Result<Value, String> {
    let Value::String(given) = value else {
        return match value {
            Value::Null => Ok(Value::Null),
            _ => Err("Incorrect type. Expected pk value.".to_owned()),
        };
    };
    let id = Uuid::parse_str(given).map_err(|_| format!("“{given}” is not a valid UUID."))?;
    let sex = store.get("biological_sexes", &id.to_string());
    sex.cloned().ok_or_else(|| format!("Invalid pk \"{given}\" - object does not exist."))
}
