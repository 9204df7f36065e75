//! Every record of every other type, read by its global id and from its list, equals what its source stores.

use serde_json::{Value, json};
use subject_gateway::{
    domain::{Id, NodeId, SubjectId},
    sandbox::COMPANY_ID,
};
use uuid::Uuid;

use crate::{
    fields::{date, filled, instant, text},
    util::TestApp,
};

/// A model: the sandbox's name, the GraphQL type, what to select, how an id is written, what must come.
struct Kind {
    model: &'static str,
    name: &'static str,
    fields: &'static str,
    id: fn(Uuid) -> NodeId,
    expected: fn(&Value) -> Value,
}

fn one(id: &Value) -> Value {
    if id.is_null() { Value::Null } else { json!({"sourceId": id}) }
}

fn many(ids: &Value) -> Value {
    ids.as_array().into_iter().flatten().map(one).collect()
}

fn connection(ids: &Value) -> Value {
    json!({"totalCount": ids.as_array().map_or(0, Vec::len), "nodes": many(ids)})
}

fn list(value: &Value) -> Value {
    value.as_array().cloned().unwrap_or_default().into()
}

fn number(value: &Value) -> Value {
    value.as_i64().map_or(Value::Null, |number| json!(number.to_string()))
}

fn procedure(record: &Value) -> Value {
    let equipment = match &record["hardwaredevice"] {
        Value::Null => list(&record["equipment"]),
        device => json!([device]),
    };
    let before = |today: &str, before: &str| text(record.get(today).unwrap_or(&record[before]));
    json!({
        "type": text(&record["type"]), "notes": before("notes", "description"), "subject": one(&record["subject"]),
        "dateTime": instant(&record["date_time"]), "rawDateTime": text(&record["date_time"]),
        "brainRegion": one(&record["brain_region"]), "licenses": many(&record["licenses"]),
        "details": filled(&record["details"]), "typeSchemaVersion": number(&record["type_schema_version"]),
        "coordinatesSystem": text(&record["coordinates_system"]),
        "coordinatesDetails": filled(&record["coordinates_details"]),
        "coordinatesSchemaVersion": number(&record["coordinates_schema_version"]),
        "consumableStockSourceId": before("consumablestock", "consumable"), "equipmentSourceIds": equipment,
        "createdAt": instant(&record["created_at"]), "updatedAt": instant(&record["updated_at"]),
    })
}

fn state_change(record: &Value) -> Value {
    json!({
        "type": text(&record["type"]), "description": text(&record["description"]),
        "subject": one(&record["subject"]), "dateTime": instant(&record["date_time"]),
        "rawDateTime": text(&record["date_time"]), "brainRegion": one(&record["brain_region"]),
        "details": filled(&record["details"]), "coordinatesSystem": text(&record["coordinates_system"]),
        "coordinatesDetails": filled(&record["coordinates_details"]),
    })
}

fn log(record: &Value) -> Value {
    let entry = |entry: &Value| {
        json!({
            "dateTime": instant(&entry["date_time"]), "rawDateTime": text(&entry["date_time"]),
            "startDateTime": instant(&entry["start_date_time"]), "rawStartDateTime": text(&entry["start_date_time"]),
            "endDateTime": instant(&entry["end_date_time"]), "rawEndDateTime": text(&entry["end_date_time"]),
            "notes": text(&entry["notes"]), "details": filled(&entry["details"]),
        })
    };
    let entries: Vec<_> = record["entries"].as_array().unwrap().iter().map(entry).collect();
    json!({
        "type": text(&record["type"]), "description": text(&record["description"]),
        "subject": one(&record["subject"]), "entries": entries,
    })
}

fn project(record: &Value) -> Value {
    json!({
        "name": record["name"], "description": text(&record["description"]),
        "subjects": connection(&record["subjects"]), "cohorts": connection(&record["cohorts"]),
        "sessionSourceIds": record["sessions"], "publicationSourceIds": record["publications"],
        "collectionSourceIds": record["collections"], "metadata": filled(&record["extra_fields"]),
        "isPublic": record["is_public"], "tags": record["tags"],
    })
}

fn breeding(record: &Value) -> Value {
    json!({
        "name": record["name"], "description": text(&record["description"]), "project": one(&record["project"]),
        "mother": one(&record["mother"]), "father": one(&record["father"]), "tags": record["tags"],
        "birthDate": date(&record["birth_date"]), "rawBirthDate": text(&record["birth_date"]),
        "startDate": date(&record["start_date"]), "rawStartDate": text(&record["start_date"]),
        "endDate": date(&record["end_date"]), "rawEndDate": text(&record["end_date"]),
        "weaningDate": date(&record["weaning_date"]), "rawWeaningDate": text(&record["weaning_date"]),
        "litterSize": record["litter_size"], "expectedGenotype": text(&record["expected_genotype"]),
    })
}

fn license(record: &Value) -> Value {
    json!({
        "name": record["name"], "type": text(&record["type"]), "status": text(&record["status"]),
        "description": text(&record["description"]), "country": text(&record["country"]),
        "licenseNumber": text(&record["license_number"]), "validFrom": date(&record["valid_from"]),
        "rawValidFrom": text(&record["valid_from"]), "validUntil": date(&record["valid_until"]),
        "rawValidUntil": text(&record["valid_until"]), "isPublic": record["is_public"],
    })
}

fn strain(record: &Value) -> Value {
    json!({
        "name": record["name"], "description": text(&record["description"]), "species": one(&record["species"]),
        "rrid": text(&record["rrid"]), "rridUrl": text(&record["rrid_url"]),
        "externalIdentifiers": filled(&record["external_identifiers"]),
    })
}

fn species(record: &Value) -> Value {
    json!({
        "name": record["name"], "description": text(&record["description"]), "rrid": text(&record["rrid"]),
        "rridUrl": text(&record["rrid_url"]), "externalIdentifiers": filled(&record["external_identifiers"]),
    })
}

fn supplier(record: &Value) -> Value {
    json!({"name": record["name"], "description": text(&record["description"]), "website": text(&record["website"])})
}

fn cohort(record: &Value) -> Value {
    json!({
        "name": record["name"], "description": text(&record["description"]), "project": one(&record["project"]),
        "subjects": connection(&record["subjects"]), "tags": record["tags"],
    })
}

fn region(record: &Value) -> Value {
    json!({"name": record["name"], "description": text(&record["description"])})
}

const PROCEDURE: &str = "type notes subject { sourceId } dateTime rawDateTime brainRegion { sourceId } \
    licenses { sourceId } details typeSchemaVersion coordinatesSystem coordinatesDetails coordinatesSchemaVersion \
    consumableStockSourceId equipmentSourceIds createdAt updatedAt";

/// What both generations serve.
const KINDS: [Kind; 8] = [
    Kind {
        model: "projects",
        name: "Project",
        fields: "name description subjects(first: 100) { totalCount nodes { sourceId } } \
            cohorts { totalCount nodes { sourceId } } sessionSourceIds publicationSourceIds collectionSourceIds \
            metadata isPublic tags",
        id: |id| NodeId::Project(Id::new(id)),
        expected: project,
    },
    Kind {
        model: "breedings",
        name: "Breeding",
        fields: "name description project { sourceId } mother { sourceId } father { sourceId } tags birthDate \
            rawBirthDate startDate rawStartDate endDate rawEndDate weaningDate rawWeaningDate litterSize expectedGenotype",
        id: |id| NodeId::Breeding(Id::new(id)),
        expected: breeding,
    },
    Kind {
        model: "cohorts",
        name: "Cohort",
        fields: "name description project { sourceId } subjects(first: 100) { totalCount nodes { sourceId } } tags",
        id: |id| NodeId::Cohort(Id::new(id)),
        expected: cohort,
    },
    Kind {
        model: "strains",
        name: "Strain",
        fields: "name description species { sourceId } rrid rridUrl externalIdentifiers",
        id: |id| NodeId::Strain(Id::new(id)),
        expected: strain,
    },
    Kind {
        model: "species",
        name: "Species",
        fields: "name description rrid rridUrl externalIdentifiers",
        id: |id| NodeId::Species(Id::new(id)),
        expected: species,
    },
    Kind {
        model: "brain_regions",
        name: "BrainRegion",
        fields: "name description",
        id: |id| NodeId::BrainRegion(Id::new(id)),
        expected: region,
    },
    Kind {
        model: "suppliers",
        name: "Supplier",
        fields: "name description website",
        id: |id| NodeId::Supplier(Id::new(id)),
        expected: supplier,
    },
    Kind {
        model: "licenses",
        name: "License",
        fields: "name type status description country licenseNumber validFrom rawValidFrom validUntil rawValidUntil \
            isPublic",
        id: |id| NodeId::License(Id::new(id)),
        expected: license,
    },
];

const CURRENT: [Kind; 2] = [
    Kind {
        model: "procedures",
        name: "Procedure",
        fields: PROCEDURE,
        id: |id| NodeId::Procedure(Id::new(id)),
        expected: procedure,
    },
    Kind {
        model: "subject_logs",
        name: "SubjectLog",
        fields: "type description subject { sourceId } entries { dateTime rawDateTime startDateTime rawStartDateTime \
            endDateTime rawEndDateTime notes details }",
        id: |id| NodeId::SubjectLog(Id::new(id)),
        expected: log,
    },
];

const LEGACY: [Kind; 2] = [
    Kind {
        model: "actions",
        name: "Procedure",
        fields: PROCEDURE,
        id: |id| NodeId::Procedure(Id::new(id)),
        expected: procedure,
    },
    Kind {
        model: "subject_state_changes",
        name: "SubjectStateChange",
        fields: "type description subject { sourceId } dateTime rawDateTime brainRegion { sourceId } details \
            coordinatesSystem coordinatesDetails",
        id: |id| NodeId::StateChange(Id::new(id)),
        expected: state_change,
    },
];

fn whole(kind: &Kind, record: &Value) -> Value {
    let id = Uuid::try_parse(record["id"].as_str().unwrap()).unwrap();
    let mut whole = (kind.expected)(record);
    whole["__typename"] = json!(kind.name);
    whole["id"] = json!((kind.id)(id).to_string());
    whole["source"] = json!("BRAINSTEM");
    whole["sourceId"] = json!(id);
    whole
}

async fn by_id(app: &TestApp, kind: &Kind) {
    let records = app.brainstem().records(kind.model);
    assert!(!records.is_empty(), "{}", kind.model);
    let Kind { name, fields, .. } = kind;
    let query = format!(
        "query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {name} {{ __typename id source sourceId {fields} }} }} }}"
    );
    for records in records.chunks(100) {
        let expected: Vec<_> = records.iter().map(|record| whole(kind, record)).collect();
        let ids: Vec<_> = expected.iter().map(|node| &node["id"]).collect();
        let answer = app.query_with(&query, json!({"ids": ids})).await;
        let nodes = answer.data()["nodes"].as_array().unwrap();
        for (node, expected) in nodes.iter().zip(&expected) {
            assert_eq!(node, expected);
        }
        assert_eq!(nodes.len(), expected.len());
    }
}

/// Reads a whole list in pages of 40.
async fn by_list(app: &TestApp, kind: &Kind, list: &str) {
    let fields = kind.fields;
    let query = format!(
        "query($after: String) {{ {list}(first: 40, after: $after) {{ totalCount nodes {{ __typename id source sourceId \
         {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    let records = app.brainstem().records(kind.model);
    let mut expected: Vec<_> = records.iter().map(|record| (sort_key(kind, record), whole(kind, record))).collect();
    expected.sort_by(|(one, _), (other, _)| one.cmp(other));
    let expected: Vec<_> = expected.into_iter().map(|(_, whole)| whole).collect();
    let (mut got, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = app.query_with(&query, json!({"after": after})).await;
        let page = &answer.data()[list];
        assert_eq!(page["totalCount"], expected.len());
        got.extend(page["nodes"].as_array().unwrap().iter().cloned());
        assert_eq!(page["pageInfo"]["hasNextPage"], got.len() < expected.len());
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(got, expected, "{list}");
}

/// By name, or what has none by date with what has no date at the end.
fn sort_key(kind: &Kind, record: &Value) -> (bool, String, String) {
    let by = &record[if kind.name == "Procedure" { "date_time" } else { "name" }];
    (by.is_null(), by.as_str().unwrap_or_default().to_owned(), record["id"].to_string())
}

async fn check(app: &TestApp, own: &[Kind]) {
    for kind in KINDS.iter().chain(own) {
        by_id(app, kind).await;
        match kind.name {
            "Project" => by_list(app, kind, "projects").await,
            "Procedure" => by_list(app, kind, "procedures").await,
            "Strain" => by_list(app, kind, "strains").await,
            "Species" => by_list(app, kind, "species").await,
            "Supplier" => by_list(app, kind, "suppliers").await,
            _ => {}
        }
    }
}

#[tokio::test]
async fn every_record_reads_as_it_is_stored() {
    let app = TestApp::new().await;
    check(&app, &CURRENT).await;
}

#[tokio::test]
async fn every_record_of_an_older_server_reads_as_it_is_stored() {
    let app = TestApp::builder().legacy().without_haut_ai().build().await;
    check(&app, &LEGACY).await;
    // What this generation has no address for is not there, and nothing is asked.
    app.clear_logs();
    let log = NodeId::SubjectLog(Id::new(Uuid::from_u128(1))).to_string();
    let gone = app.query_with("query($id: ID!) { node(id: $id) { id } }", json!({"id": log})).await;
    assert_eq!(gone.data(), &json!({"node": null}));
    assert_eq!(app.brainstem().log().len(), 0);
}

#[tokio::test]
async fn the_dictionary_and_the_datasets_read_as_they_are_stored() {
    let app = TestApp::new().await;
    let query = "{ biologicalSexes { __typename id source sourceId name techName } \
        datasets { __typename id source sourceId name companySourceId } }";
    let answer = app.query(query).await;
    let data = answer.data();
    let sexes = app.haut_ai().records("biological_sexes");
    let uuid = |record: &Value| Uuid::try_parse(record["id"].as_str().unwrap()).unwrap();
    let expected = sexes.iter().map(|sex| {
        let id = NodeId::BiologicalSex(Id::new(uuid(sex))).to_string();
        json!({"__typename": "BiologicalSex", "id": id, "source": "HAUT_AI", "sourceId": sex["id"],
            "name": sex["name"], "techName": sex["tech_name"]})
    });
    assert_eq!(data["biologicalSexes"], expected.collect::<Value>());
    let datasets = app.haut_ai().records("datasets").into_iter().filter(|dataset| dataset["company_id"] == COMPANY_ID);
    let company = Uuid::try_parse(COMPANY_ID).unwrap();
    let expected = datasets.map(|record| {
        let id = NodeId::Dataset(subject_gateway::domain::DatasetId { company, dataset: uuid(&record) }).to_string();
        json!({"__typename": "Dataset", "id": id, "source": "HAUT_AI", "sourceId": record["id"],
            "name": record["name"], "companySourceId": COMPANY_ID})
    });
    assert_eq!(data["datasets"], expected.collect::<Value>());
    let names = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let subject = NodeId::from(SubjectId::BrainStem(Id::new(Uuid::from_u128(1)))).to_string();
    let ids: Vec<_> = ["biologicalSexes", "datasets"].iter().flat_map(|list| data[list].as_array().unwrap()).collect();
    let mut expected: Vec<_> = ids.iter().map(|o| json!({"__typename": o["__typename"], "id": o["id"]})).collect();
    let mut ids: Vec<_> = ids.iter().map(|object| object["id"].clone()).collect();
    ids.push(json!(subject));
    expected.push(Value::Null);
    assert_eq!(app.query_with(names, json!({"ids": ids})).await.data()["nodes"], json!(expected));
}
