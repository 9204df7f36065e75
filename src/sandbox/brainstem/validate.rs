//! What may be written into each kind of field, with REST framework's messages.

use jiff::civil::Date;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    super::{
        exchange::{Answer, python_type},
        store::{Store, id_of},
    },
    models::{Field, Kind, Model},
    sight::Sight,
};

const NULL: &str = "This field may not be null.";
const BLANK: &str = "This field may not be blank.";

/// The fields to store, or a 400 with what is wrong with each. `changing` is the id of the record that is there.
pub(super) fn fields(
    sight: &Sight<'_>,
    store: &Store,
    model: &'static Model,
    sent: &Map<String, Value>,
    changing: Option<&str>,
) -> Result<Map<String, Value>, Answer> {
    let mut fields = Map::new();
    let mut errors = Map::new();
    for field in model.fields.iter().filter(|field| !field.read_only) {
        let Some(value) = sent.get(field.name) else {
            if field.required && changing.is_none() {
                errors.insert(field.name.to_owned(), json!(["This field is required."]));
            }
            continue;
        };
        // A list or text that may be empty says so itself: null says nothing.
        if value.is_null() && !field.required && !takes_null(field.kind) {
            continue;
        }
        match check(sight, field, value).and_then(|value| unique(store, model, field, value, changing)) {
            Ok(value) => _ = fields.insert(field.name.to_owned(), value),
            Err(error) => _ = errors.insert(field.name.to_owned(), error),
        }
    }
    if errors.is_empty() { Ok(fields) } else { Err(Answer::json(400, &Value::Object(errors))) }
}

fn takes_null(kind: Kind) -> bool {
    !matches!(kind, Kind::Text(_) | Kind::Choice(_) | Kind::Tags | Kind::Many(_))
}

/// The value to store, or the field's error as it stands in the answer.
fn check(sight: &Sight<'_>, field: &Field, value: &Value) -> Result<Value, Value> {
    if value.is_null() {
        let refused = field.required || !takes_null(field.kind);
        return if refused { Err(json!([NULL])) } else { Ok(Value::Null) };
    }
    match field.kind {
        Kind::Text(length) => text(value, length, field.required),
        Kind::Choice(choices) => match value.as_str() {
            Some(choice) if choices.contains(&choice) => Ok(value.clone()),
            _ => {
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Err(json!([format!("\"{shown}\" is not a valid choice.")]))
            }
        },
        Kind::Date => match value.as_str() {
            Some(date) if date.len() == 10 && date.parse::<Date>().is_ok() => Ok(value.clone()),
            _ => Err(json!(["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."])),
        },
        Kind::DateTime => match value.as_str().and_then(|text| text.get(..10)) {
            Some(date) if date.parse::<Date>().is_ok() => Ok(value.clone()),
            _ => Err(json!(["Datetime has wrong format. Use one of these formats instead: \
                 YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."])),
        },
        Kind::Integer if !value.is_i64() => Err(json!(["A valid integer is required."])),
        Kind::Bool if !value.is_boolean() => Err(json!(["Must be a valid boolean."])),
        Kind::ExtraFields { listed } => extra_fields(value, listed),
        Kind::Tags => tags(value),
        Kind::One(list) => related(sight, list, value).map_err(|message| json!([message])),
        Kind::Many(list) => many(sight, list, value, field.required),
        Kind::Id | Kind::Integer | Kind::Bool | Kind::Json => Ok(value.clone()),
    }
}

fn text(value: &Value, length: usize, required: bool) -> Result<Value, Value> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return Err(json!(["Not a valid string."])),
    };
    if text.is_empty() && required {
        return Err(json!([BLANK]));
    }
    if length > 0 && text.chars().count() > length {
        return Err(json!([format!("Ensure this field has no more than {length} characters.")]));
    }
    Ok(Value::String(text))
}

fn not_a_list(value: &Value) -> Value {
    json!([format!("Expected a list of items but got type \"{}\".", python_type(value))])
}

/// Each tag's error stands under its position.
fn tags(value: &Value) -> Result<Value, Value> {
    let items = value.as_array().ok_or_else(|| not_a_list(value))?;
    let errors = items.iter().enumerate().filter_map(|(position, item)| {
        let message = match item {
            Value::Null => NULL,
            Value::String(tag) if tag.trim().is_empty() => BLANK,
            Value::String(_) => return None,
            _ => "Not a valid string.",
        };
        Some((position.to_string(), json!([message])))
    });
    let errors: Map<String, Value> = errors.collect();
    if errors.is_empty() { Ok(value.clone()) } else { Err(Value::Object(errors)) }
}

fn many(sight: &Sight<'_>, list: &str, value: &Value, required: bool) -> Result<Value, Value> {
    let items = value.as_array().ok_or_else(|| not_a_list(value))?;
    if items.is_empty() && required {
        return Err(json!(["This list may not be empty."]));
    }
    let mut ids: Vec<Value> = Vec::new();
    for item in items {
        let id = related(sight, list, item).map_err(|message| json!([message]))?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(Value::Array(ids))
}

fn related(sight: &Sight<'_>, list: &str, value: &Value) -> Result<Value, String> {
    let Value::String(given) = value else {
        return Err(format!("Incorrect type. Expected pk value, received {}.", python_type(value)));
    };
    let id = Uuid::parse_str(given).map_err(|_| format!("“{given}” is not a valid UUID."))?;
    let record = sight.get(list, &id.to_string());
    match record.and_then(id_of) {
        Some(id) => Ok(json!(id)),
        None => Err(format!("Invalid pk \"{given}\" - object does not exist.")),
    }
}

/// Names begin with a letter, go on with letters, digits and underscores, and stand for texts or numbers.
fn extra_fields(value: &Value, listed: bool) -> Result<Value, Value> {
    let pairs: Vec<(&str, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(name, value)| (name.as_str(), value)).collect(),
        Value::Array(items) if listed => {
            items.iter().map(|item| (item["name"].as_str().unwrap_or(""), &item["value"])).collect()
        }
        _ => return Err(json!(["Value must be valid JSON."])),
    };
    for (name, value) in pairs {
        let plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
        if !name.starts_with(|first: char| first.is_ascii_alphabetic()) || !name.chars().all(plain) {
            return Err(json!([format!("\"{name}\" is not a valid name.")]));
        }
        if !value.is_string() && !value.is_number() {
            return Err(json!([format!("The value of \"{name}\" must be a string or a number.")]));
        }
    }
    Ok(value.clone())
}

/// Names are unique among all records, visible or not.
fn unique(store: &Store, model: &Model, field: &Field, value: Value, changing: Option<&str>) -> Result<Value, Value> {
    let taken = |row: &&Value| row[field.name] == value && id_of(row) != changing;
    if field.unique && store.rows(model.list).iter().any(|row| taken(&row)) {
        let message = format!("{} with this {} already exists.", model.name, field.name);
        return Err(json!([message]));
    }
    Ok(value)
}
