//! The same animals as BrainSTEM kept them before its renaming.

use serde_json::{Map, Value, json};

use super::{
    super::store::{Store, id_of},
    Dice, documents,
};

/// Models that were the same then.
const KEPT: &[&str] =
    &["projects", "breedings", "cohorts", "strains", "species", "brain_regions", "suppliers", "licenses"];
const STATE_CHANGES: &[&str] = &["Death", "Slice", "PerfusionFixation", "Craniotomy", "BrainLesion"];

pub(super) fn convert(current: &Store) -> Store {
    let mut legacy = Store::default();
    for list in KEPT {
        legacy.extend(list, current.rows(list).iter().cloned());
    }
    let documented = documents::legacy_subjects();
    for (number, subject) in current.rows("subjects").iter().enumerate() {
        let as_printed = documented.iter().find(|printed| printed["id"] == subject["id"]);
        let converted = as_printed.cloned().unwrap_or_else(|| convert_subject(current, number, subject));
        legacy.push("subjects", converted);
    }
    legacy.extend("actions", current.rows("procedures").iter().map(action));
    let changes = current.rows("subject_logs").iter().enumerate();
    legacy.extend("subject_state_changes", changes.map(|(number, log)| state_change(number, log)));
    legacy
}

fn convert_subject(current: &Store, number: usize, subject: &Value) -> Value {
    let supplier = subject["supplier"].as_str().and_then(|id| current.get("suppliers", id));
    let mut converted = Map::new();
    for (name, value) in subject.as_object().into_iter().flatten() {
        let (name, value) = match name.as_str() {
            "licenses" | "genotype" | "breeding" | "status" | "links" => continue,
            "procedures" => ("actions", value.clone()),
            "subjectlogs" => ("subjectstatechanges", value.clone()),
            "supplier" => ("source", supplier.map_or_else(|| json!(""), |supplier| supplier["name"].clone())),
            "name_used_in_storage" => ("name_used_in_repository", value.clone()),
            "extra_fields" => ("extra_fields", extra_fields(number, value)),
            name => (name, value.clone()),
        };
        converted.insert(name.to_owned(), value);
    }
    Value::Object(converted)
}

/// A list of names and values, an object or nothing.
fn extra_fields(number: usize, value: &Value) -> Value {
    match value {
        Value::Object(fields) if number.is_multiple_of(2) => {
            fields.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
        }
        value => value.clone(),
    }
}

fn action(procedure: &Value) -> Value {
    json!({
        "id": procedure["id"],
        "type": procedure["type"],
        "description": procedure["notes"],
        "subject": procedure["subject"],
        "date_time": procedure["date_time"],
        "consumable": procedure["consumablestock"],
        "hardwaredevice": procedure["equipment"].get(0),
        "brain_region": procedure["brain_region"],
        "details": procedure["details"],
        "coordinates_system": procedure["coordinates_system"],
        "coordinates_details": procedure["coordinates_details"],
    })
}

fn state_change(number: usize, log: &Value) -> Value {
    let mut dice = Dice::new("state change", number);
    let entry = &log["entries"][0];
    let date_time = entry.get("date_time").or_else(|| entry.get("start_date_time"));
    json!({
        "id": id_of(log),
        "type": dice.pick(STATE_CHANGES),
        "description": log["description"],
        "subject": log["subject"],
        "date_time": date_time,
        "consumable": null,
        "hardwaredevice": null,
        "brain_region": null,
        "details": {},
        "coordinates_system": "",
        "coordinates_details": null,
    })
}
