//! Creating, changing and deleting records; what points to them follows.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    super::{
        exchange::{Answer, Request},
        store::{Store, holds, id_of, texts},
    },
    models::{Generation, Kind, Model, Unsent},
    sight::{Sight, Viewer},
    validate, wrapped,
};

/// Which relation of a model fills which list of another, which can't be written itself.
const REVERSED: &[(&str, &str, &str, &str)] = &[
    ("subjects", "projects", "projects", "subjects"),
    ("cohorts", "project", "projects", "cohorts"),
    ("procedures", "subject", "subjects", "procedures"),
    ("subject_logs", "subject", "subjects", "subjectlogs"),
    ("actions", "subject", "subjects", "actions"),
    ("subject_state_changes", "subject", "subjects", "subjectstatechanges"),
];

/// What is written, and by whom.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) generation: Generation,
    pub(super) viewer: Viewer,
    pub(super) model: &'static Model,
}

pub(super) fn create(request: &Request, store: &mut Store, target: Target) -> Result<Answer, Answer> {
    let model = target.model;
    let sight = Sight::new(store, target.viewer);
    let sent = validate::fields(&sight, store, model, &request.object()?, None)?;
    let mut record = Map::from_iter([("id".to_owned(), json!(Uuid::new_v4()))]);
    for field in model.fields {
        let unsent = match field.unsent {
            Unsent::Absent => None,
            Unsent::Null => Some(Value::Null),
            Unsent::EmptyText => Some(json!("")),
            Unsent::EmptyList => Some(json!([])),
        };
        if let Some(value) = sent.get(field.name).cloned().or(unsent) {
            record.insert(field.name.to_owned(), value);
        }
    }
    if model.list == "procedures" {
        let now = json!(Timestamp::now().to_string());
        record.insert("type_schema_version".to_owned(), json!(1));
        record.insert("created_at".to_owned(), now.clone());
        record.insert("updated_at".to_owned(), now);
    }
    if let (Some(email), "projects") = (target.viewer.email(), model.list) {
        let rights = json!({ "can_change": true, "is_manager": true, "is_owner": true });
        record.insert("users".to_owned(), json!({ email: rights }));
        record.insert("groups".to_owned(), json!({}));
    }
    let record = Value::Object(record);
    if model.approval {
        let key = format!("{}_approval", model.singular);
        store.push(&key, record.clone());
        return Ok(Answer::json(201, &json!({ key: record })));
    }
    if !sight.may_change(model.list, &record) {
        return Err(Answer::forbidden());
    }
    store.push(model.list, record.clone());
    relate(store, model, None, Some(&record));
    Ok(show(store, target, 201, &record))
}

pub(super) fn change(request: &Request, store: &mut Store, target: Target, id: &str) -> Result<Answer, Answer> {
    let model = target.model;
    let old = changeable(store, target, id)?;
    let sight = Sight::new(store, target.viewer);
    let sent = validate::fields(&sight, store, model, &request.object()?, Some(id))?;
    let mut record = old.clone();
    for (name, value) in sent {
        record[name] = value;
    }
    if model.list == "procedures" {
        record["updated_at"] = json!(Timestamp::now().to_string());
    }
    if let Some(stored) = store.get_mut(model.list, id) {
        stored.clone_from(&record);
    }
    relate(store, model, Some(&old), Some(&record));
    Ok(show(store, target, 200, &record))
}

pub(super) fn delete(store: &mut Store, target: Target, id: &str) -> Result<Answer, Answer> {
    changeable(store, target, id)?;
    erase(store, target.generation, target.model, id);
    Ok(Answer::no_content())
}

/// DELETE of a list with a body: `[{"id": …}, …]` or `{"ids": […]}`.
pub(super) fn delete_many(request: &Request, store: &mut Store, target: Target) -> Result<Answer, Answer> {
    let body = request.json()?;
    let ids: Vec<String> = match &body {
        Value::Array(items) => items.iter().filter_map(id_of).map(str::to_owned).collect(),
        body => texts(body.get("ids")).map(str::to_owned).collect(),
    };
    for id in &ids {
        changeable(store, target, id)?;
    }
    for id in &ids {
        erase(store, target.generation, target.model, id);
    }
    Ok(Answer::no_content())
}

/// The record as stored, where it is visible and may be changed.
fn changeable(store: &Store, target: Target, id: &str) -> Result<Value, Answer> {
    let sight = Sight::new(store, target.viewer);
    let record = sight.get(target.model.list, id).ok_or_else(Answer::not_found)?;
    // What everybody shares is changed by its curators only.
    if target.model.approval || !sight.may_change(target.model.list, record) {
        return Err(Answer::forbidden());
    }
    Ok(record.clone())
}

fn show(store: &Store, target: Target, status: u16, record: &Value) -> Answer {
    let sight = Sight::new(store, target.viewer);
    let body = wrapped(&sight, target.generation, target.model, record);
    Answer::json(status, &Value::Object(body))
}

/// Brings the lists that mirror a record's relations up to date.
fn relate(store: &mut Store, model: &Model, old: Option<&Value>, new: Option<&Value>) {
    let Some(id) = old.or(new).and_then(id_of).map(str::to_owned) else {
        return;
    };
    for (_, field, target, mirror) in REVERSED.iter().filter(|(list, ..)| *list == model.list) {
        let related = |record: Option<&Value>| -> HashSet<String> {
            let value = record.and_then(|record| record.get(*field));
            let one = value.and_then(Value::as_str);
            texts(value).chain(one).map(str::to_owned).collect()
        };
        let (before, after) = (related(old), related(new));
        for gone in before.difference(&after) {
            if let Some(record) = store.get_mut(target, gone) {
                drop_id(&mut record[*mirror], &id);
            }
        }
        for added in after.difference(&before) {
            let Some(record) = store.get_mut(target, added) else {
                continue;
            };
            if !record[*mirror].is_array() {
                record[*mirror] = json!([]);
            }
            if let Some(ids) = record[*mirror].as_array_mut() {
                ids.push(json!(id));
            }
        }
    }
}

fn drop_id(list: &mut Value, id: &str) {
    if let Some(ids) = list.as_array_mut() {
        ids.retain(|item| item != id);
    }
}

/// Deletes a record: what can't be without it goes too, the rest forgets it.
fn erase(store: &mut Store, generation: Generation, model: &Model, id: &str) {
    let Some(record) = store.remove(model.list, id) else {
        return;
    };
    relate(store, model, Some(&record), None);
    for other in generation.models() {
        for field in other.fields.iter().filter(|field| field.kind.related() == Some(model.list)) {
            let pointing =
                store.rows(other.list).iter().filter(|row| row[field.name] == id || holds(row.get(field.name), id));
            let pointing: Vec<String> = pointing.filter_map(id_of).map(str::to_owned).collect();
            for pointer in pointing {
                let is_one = matches!(field.kind, Kind::One(_));
                if is_one && field.required {
                    erase(store, generation, other, &pointer);
                } else if let Some(row) = store.get_mut(other.list, &pointer) {
                    if is_one {
                        row[field.name] = Value::Null;
                    } else {
                        drop_id(&mut row[field.name], id);
                    }
                }
            }
        }
    }
}
