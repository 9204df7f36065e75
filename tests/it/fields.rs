//! Every field of every subject equals what its source stores, by rules written out here and not taken from the gateway.

use std::collections::HashMap;

use jiff::{Timestamp, Unit, civil::Date};
use serde_json::{Map, Value, json};
use subject_gateway::sandbox::{COMPANY_ID, DATASET_IDS, Dictionary, Upstream};

use crate::{
    util::TestApp,
    walk::{all_subjects, animals, people},
};

const SUBJECT: &str = "__typename id source sourceId name identifier description sex \
    biologicalSex { __typename source sourceId name techName sex } birthDate deathDate age(at: \"2025-06-30\") status \
    species { sourceId name } strain { id sourceId name species { sourceId } } genotype geneticLine tags metadata createdAt \
    projects { id sourceId name } procedures(first: 100) { totalCount nodes { id sourceId } } \
    logs(first: 100) { totalCount nodes { id sourceId } } licenses { id sourceId name } supplier { id sourceId name } \
    breeding { id sourceId mother { sourceId } father { sourceId } } \
    projectIds procedureIds logIds licenseIds strainId supplierId breedingId \
    dataset { __typename source sourceId name companySourceId } company { sourceId name } \
    hautAi { authorId promoteImageId rawSex rawBirthDate } \
    brainStem { nameUsedInStorage supplierText rawSex rawStatus rawBirthDate rawDeathDate stateChangeIds \
        stateChanges(first: 100) { totalCount nodes { id sourceId } } }";

/// A text as Django keeps it: `""` is not given.
pub(crate) fn text(value: &Value) -> Value {
    if value == "" { Value::Null } else { value.clone() }
}

/// The day, where the text is one; frameworks append a midnight.
pub(crate) fn day(value: &Value) -> Option<Date> {
    let text = value.as_str()?;
    let day = text.strip_suffix("T00:00:00Z").unwrap_or(text);
    let is_iso = day.len() == 10 && day.as_bytes()[4] == b'-' && day.as_bytes()[7] == b'-';
    is_iso.then(|| day.parse().ok()).flatten()
}

pub(crate) fn date(value: &Value) -> Value {
    day(value).map_or(Value::Null, |day| json!(day.to_string()))
}

/// The same instant in UTC.
pub(crate) fn instant(value: &Value) -> Value {
    let instant = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    instant.map_or(Value::Null, |instant| json!(instant.to_string()))
}

/// An object that says something.
pub(crate) fn filled(value: &Value) -> Value {
    if value == &json!({}) { Value::Null } else { value.clone() }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// The records of a model by id.
struct Shelf(HashMap<String, Value>);

impl Shelf {
    fn of(upstream: &Upstream, model: &str) -> Self {
        let records = upstream.records(model).into_iter();
        Self(records.map(|record| (record["id"].as_str().unwrap().to_owned(), record)).collect())
    }

    fn get(&self, id: &Value) -> &Value {
        id.as_str().and_then(|id| self.0.get(id)).unwrap_or(&Value::Null)
    }

    /// `{sourceId, name}` of the record with this id; null where it is not there.
    fn named(&self, id: &Value) -> Value {
        match self.get(id) {
            Value::Null => Value::Null,
            record => json!({"sourceId": id, "name": record["name"]}),
        }
    }

    fn all_named(&self, ids: &Value) -> Value {
        list(ids).iter().map(|id| self.named(id)).collect()
    }
}

/// Takes every `id` out of what was loaded and checks that the ids beside it are those, in order.
fn check_ids(subject: &mut Value) {
    let mut take = |pointer: &str| {
        let loaded = subject.pointer_mut(pointer).map(Value::take).unwrap_or_default();
        let mut ids = Vec::new();
        let stripped = match loaded {
            Value::Array(records) => records.into_iter().map(|record| strip(record, &mut ids)).collect(),
            Value::Object(_) => strip(loaded, &mut ids),
            other => other,
        };
        if let Some(place) = subject.pointer_mut(pointer) {
            *place = stripped;
        }
        ids
    };
    let loaded = ["/projects", "/procedures/nodes", "/logs/nodes", "/licenses", "/brainStem/stateChanges/nodes"];
    let loaded = loaded.map(&mut take);
    let single = ["/strain", "/supplier", "/breeding"].map(&mut take);
    let beside = ["/projectIds", "/procedureIds", "/logIds", "/licenseIds", "/brainStem/stateChangeIds"];
    for (ids, pointer) in loaded.iter().zip(beside) {
        let listed = subject.pointer(pointer).map(list).unwrap_or_default();
        // A page holds a hundred.
        assert_eq!(ids[..], listed[..listed.len().min(100)], "{pointer} of {}", subject["name"]);
    }
    for (ids, pointer) in single.iter().zip(["/strainId", "/supplierId", "/breedingId"]) {
        if let Some(id) = ids.first() {
            assert_eq!(subject.pointer(pointer), Some(id), "{pointer}");
        }
    }
    let fields = subject.as_object_mut().unwrap();
    for name in ["strainId", "supplierId", "breedingId"] {
        let is_given = !fields[name].is_null();
        fields.insert(name.to_owned(), json!(is_given));
    }
    for name in ["projectIds", "procedureIds", "logIds", "licenseIds"] {
        let count = fields[name].as_array().unwrap().len();
        fields.insert(name.to_owned(), json!(count));
    }
    if let Some(own) = fields["brainStem"].as_object_mut() {
        own.remove("stateChangeIds");
    }
}

fn strip(mut record: Value, ids: &mut Vec<Value>) -> Value {
    ids.extend(record.as_object_mut().unwrap().remove("id"));
    record
}

/// A page of a hundred of the records that a subject lists.
fn page_of(ids: &Value) -> Value {
    let ids = list(ids);
    let nodes: Vec<_> = ids.iter().take(100).map(|id| json!({"sourceId": id})).collect();
    json!({"totalCount": ids.len(), "nodes": nodes})
}

fn person(record: &Value) -> Value {
    let sex = &record["biological_sex"];
    let merged = match sex["tech_name"].as_str() {
        None => Value::Null,
        Some(name @ ("female" | "male" | "other")) => json!(name.to_uppercase()),
        Some(_) => json!("UNKNOWN"),
    };
    let entry = json!({"__typename": "BiologicalSex", "source": "HAUT_AI", "sourceId": sex["id"], "name": sex["name"],
        "techName": sex["tech_name"], "sex": merged});
    let today: Date = "2025-06-30".parse().unwrap();
    let age = day(&record["birth_date"]).filter(|born| *born <= today);
    let age = age.map(|born| format!("P{}Y", born.until((Unit::Year, today)).unwrap().get_years()));
    let dataset = json!({"__typename": "Dataset", "source": "HAUT_AI", "sourceId": record["dataset"]["id"],
        "name": record["dataset"]["name"], "companySourceId": COMPANY_ID});
    let own = json!({"authorId": record["author_id"], "promoteImageId": record["promote_image_id"],
        "rawSex": sex["tech_name"], "rawBirthDate": text(&record["birth_date"])});
    let mut person = json!({
        "__typename": "Subject", "source": "HAUT_AI", "sourceId": record["id"], "name": record["name"],
        "sex": merged, "biologicalSex": if sex.is_null() { Value::Null } else { entry },
        "birthDate": date(&record["birth_date"]), "age": age, "metadata": record["meta"],
        "createdAt": instant(&record["creation_time"]), "dataset": dataset,
        "company": {"sourceId": COMPANY_ID, "name": record["company"]["name"]}, "hautAi": own,
    });
    let mut others = json!({
        "identifier": null, "description": null, "deathDate": null, "status": null, "species": null, "strain": null,
        "genotype": null, "geneticLine": null, "tags": [], "projects": null, "procedures": null, "logs": null,
        "licenses": null, "supplier": null, "breeding": null, "projectIds": 0, "procedureIds": 0, "logIds": 0,
        "licenseIds": 0, "strainId": false, "supplierId": false, "breedingId": false, "brainStem": null,
    });
    person.as_object_mut().unwrap().append(others.as_object_mut().unwrap());
    person
}

/// BrainSTEM's other records, of one generation.
struct Laboratory {
    shelves: HashMap<&'static str, Shelf>,
    legacy: bool,
}

impl Laboratory {
    fn of(upstream: &Upstream, legacy: bool) -> Self {
        let models = ["projects", "strains", "species", "suppliers", "licenses", "breedings"];
        Self { shelves: models.map(|model| (model, Shelf::of(upstream, model))).into(), legacy }
    }

    fn animal(&self, record: &Value) -> Value {
        let mut animal = self.own_fields(record);
        animal.as_object_mut().unwrap().append(self.relations(record).as_object_mut().unwrap());
        animal
    }

    /// The field that had another name before the renaming.
    fn renamed<'a>(&self, record: &'a Value, today: &str, before: &str) -> &'a Value {
        &record[if self.legacy { before } else { today }]
    }

    fn own_fields(&self, record: &Value) -> Value {
        let storage = self.renamed(record, "name_used_in_storage", "name_used_in_repository");
        let own = json!({
            "nameUsedInStorage": text(storage), "supplierText": text(&record["source"]),
            "rawSex": text(&record["sex"]), "rawStatus": text(&record["status"]),
            "rawBirthDate": text(&record["birth_date"]), "rawDeathDate": text(&record["death_date"]),
            "stateChanges": page_of(&record["subjectstatechanges"]),
        });
        let tags: Vec<_> = list(&record["tags"]).into_iter().filter(|tag| tag != "").collect();
        json!({
            "__typename": "Subject", "source": "BRAINSTEM", "sourceId": record["id"], "name": record["name"],
            "identifier": text(&record["subject_identifier"]), "description": text(&record["description"]),
            "sex": sex(&record["sex"]), "biologicalSex": null, "birthDate": date(&record["birth_date"]),
            "deathDate": date(&record["death_date"]), "age": days(record), "status": status(&record["status"]),
            "genotype": text(&record["genotype"]), "geneticLine": text(&record["genetic_line"]), "tags": tags,
            "metadata": extra_fields(&record["extra_fields"]), "createdAt": null, "dataset": null, "company": null,
            "hautAi": null, "brainStem": own,
        })
    }

    fn relations(&self, record: &Value) -> Value {
        let of = |model: &str| &self.shelves[model];
        let record_of = |id: &Value| if id.is_null() { Value::Null } else { json!({"sourceId": id}) };
        let strain = match of("strains").get(&record["strain"]) {
            Value::Null => Value::Null,
            strain => {
                json!({"sourceId": strain["id"], "name": strain["name"], "species": record_of(&strain["species"])})
            }
        };
        let breeding = match of("breedings").get(&record["breeding"]) {
            Value::Null => Value::Null,
            breeding => json!({"sourceId": breeding["id"], "mother": record_of(&breeding["mother"]),
                "father": record_of(&breeding["father"])}),
        };
        let procedures = self.renamed(record, "procedures", "actions");
        json!({
            "species": of("species").named(&strain["species"]["sourceId"]), "strain": strain,
            "projects": of("projects").all_named(&record["projects"]), "procedures": page_of(procedures),
            "logs": page_of(&record["subjectlogs"]), "licenses": of("licenses").all_named(&record["licenses"]),
            "supplier": of("suppliers").named(&record["supplier"]), "breeding": breeding,
            "projectIds": list(&record["projects"]).len(), "procedureIds": list(procedures).len(),
            "logIds": list(&record["subjectlogs"]).len(), "licenseIds": list(&record["licenses"]).len(),
            "strainId": record["strain"].is_string(), "supplierId": record["supplier"].is_string(),
            "breedingId": record["breeding"].is_string(),
        })
    }
}

fn sex(code: &Value) -> Value {
    match code.as_str() {
        None | Some("") => Value::Null,
        Some("F") => json!("FEMALE"),
        Some("M") => json!("MALE"),
        Some(_) => json!("UNKNOWN"),
    }
}

fn status(word: &Value) -> Value {
    const KNOWN: [&str; 6] = ["planned", "active", "inactive", "transferred", "deceased", "unknown"];
    match word.as_str() {
        None | Some("") => Value::Null,
        Some(word) if KNOWN.contains(&word) => json!(word.to_uppercase()),
        Some(_) => json!("UNKNOWN"),
    }
}

/// An object or a list of names and values; nothing in it is null.
fn extra_fields(given: &Value) -> Value {
    let fields: Map<String, Value> = match given {
        Value::Object(fields) => fields.clone(),
        Value::Array(pairs) => {
            pairs.iter().map(|pair| (pair["name"].as_str().unwrap().to_owned(), pair["value"].clone())).collect()
        }
        _ => Map::new(),
    };
    if fields.is_empty() { Value::Null } else { Value::Object(fields) }
}

/// Whole days to the day of death or else to the day that was asked for.
fn days(record: &Value) -> Value {
    let asked: Date = "2025-06-30".parse().unwrap();
    let until = day(&record["death_date"]).map_or(asked, |died| died.min(asked));
    let born = day(&record["birth_date"]).filter(|born| *born <= until);
    let days = born.map(|born| born.until((Unit::Day, until)).unwrap().get_days());
    days.map_or(Value::Null, |days| json!(format!("P{days}D")))
}

fn assert_same(got: Vec<Value>, expected: &[Value]) {
    assert_eq!(got.len(), expected.len());
    for (mut got, expected) in got.into_iter().zip(expected) {
        assert!(got.as_object_mut().unwrap().remove("id").is_some_and(|id| id.is_string()));
        check_ids(&mut got);
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(got[field], *value, "`{field}` of {} {}", expected["sourceId"], expected["name"]);
        }
        assert_eq!(got, *expected);
    }
}

#[tokio::test]
async fn every_subject_reads_as_it_is_stored() {
    let app = TestApp::new().await;
    let got = all_subjects(&app, SUBJECT).await;
    let laboratory = Laboratory::of(app.brainstem(), false);
    let people = people(app.haut_ai());
    let expected = people.iter().map(person);
    let animals = animals(app.brainstem());
    let expected: Vec<_> = expected.chain(animals.iter().map(|record| laboratory.animal(record))).collect();
    assert_same(got, &expected);
}

#[tokio::test]
async fn every_subject_of_an_older_server_reads_as_it_is_stored() {
    let app = TestApp::builder().legacy().without_haut_ai().build().await;
    let got = all_subjects(&app, SUBJECT).await;
    let laboratory = Laboratory::of(app.brainstem(), true);
    let animals = animals(app.brainstem());
    let expected: Vec<_> = animals.iter().map(|record| laboratory.animal(record)).collect();
    assert_same(got, &expected);
}

/// A code that the dictionary does not know is no missing value.
#[tokio::test]
async fn sexes_in_other_shapes() {
    const QUERY: &str = "query($id: ID!) { subject(by: {hautAi: {subjectId: $id}}) { sex biologicalSex { name } \
        hautAi { rawSex } } }";
    let app = TestApp::builder().empty().set("CACHE_FRESH_MS", "0").build().await;
    let male = app.haut_ai().records("biological_sexes")[1].clone();
    let stranger = "00000000-0000-4000-8000-0000000000ff";
    let cases = [
        (male["id"].clone(), json!("MALE"), json!("Male"), male["id"].clone()),
        (json!({"id": male["id"]}), json!("MALE"), json!("Male"), male["id"].clone()),
        (json!({"id": male["id"], "name": "Man"}), json!("MALE"), json!("Man"), json!("Man")),
        (json!(stranger), json!("UNKNOWN"), Value::Null, json!(stranger)),
        (json!("female"), json!("UNKNOWN"), Value::Null, json!("female")),
        (json!(7), json!("UNKNOWN"), Value::Null, json!("7")),
        (json!(""), Value::Null, Value::Null, Value::Null),
        (Value::Null, Value::Null, Value::Null, Value::Null),
    ];
    for (at, (sex, ..)) in cases.iter().enumerate() {
        let id = format!("00000000-0000-4000-8000-00000000000{at}");
        let person = json!({"id": id, "name": "p", "biological_sex": sex, "dataset": {"id": DATASET_IDS[0]}});
        app.haut_ai().insert("subjects", person);
    }
    for (at, (given, sex, name, raw)) in cases.iter().enumerate() {
        let id = format!("00000000-0000-4000-8000-00000000000{at}");
        let answer = app.query_with(QUERY, json!({"id": id})).await;
        let got = &answer.data()["subject"];
        assert_eq!((&got["sex"], &got["hautAi"]["rawSex"]), (sex, raw), "{given}");
        assert_eq!(got["biologicalSex"].get("name").unwrap_or(&Value::Null), name, "{given}");
    }
    // Without a dictionary a bare id is as good as unknown.
    let app = TestApp::builder().empty().build().await;
    app.haut_ai().set_knobs(|knobs| knobs.dictionary = Dictionary::Missing);
    let person = json!({"id": stranger, "name": "p", "biological_sex": male["id"], "dataset": {"id": DATASET_IDS[0]}});
    app.haut_ai().insert("subjects", person);
    let answer = app.query_with(QUERY, json!({"id": stranger})).await;
    let expected = json!({"sex": "UNKNOWN", "biologicalSex": null, "hautAi": {"rawSex": male["id"]}});
    assert_eq!(answer.data()["subject"], expected);
}
