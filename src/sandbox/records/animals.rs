//! BrainSTEM's animals and what was done with them: subjects, breedings, cohorts, procedures and logs.

use jiff::civil::{Date, date};
use serde_json::{Value, json};

use super::{
    super::store::{Store, texts},
    Dice, SUBJECT_WITH_130_PROCEDURES, SUBJECT_WITH_PARENTS, SUBJECT_WITH_UNICODE_NAME, SUBJECT_WITHOUT_PROCEDURES,
    add_to, awkward, documents, id,
    shelves::{brain_region, license, project, projects, strain, supplier},
};

const SUBJECTS: usize = 300;
const BREEDINGS: usize = 9;
const COHORTS: usize = 8;

const MANY_PROCEDURES: usize = 3;
const NO_PROCEDURES: usize = 4;
const UNICODE_NAME: usize = 5;
const WITH_PARENTS: usize = 6;
/// Subjects before this number are spelled out one by one.
const ORDINARY_FROM: usize = 7;

const FIRST_DAY: Date = date(2019, 1, 1);
const PREFIXES: &[&str] = &["WT", "KO", "PV-Cre", "R", "Thy1", "MS"];
const STATUSES: &[&str] = &["active", "active", "deceased", "inactive", "planned", "transferred", "unknown"];
const PROCEDURES: &[&str] = &[
    "Craniotomy",
    "SiliconProbeImplant",
    "TetrodeWireElectrodeImplant",
    "OpticFiberImplant",
    "VirusInjection",
    "HeadPostImplant",
    "PerfusionFixation",
    "Anesthesia",
];
const LOGS: &[&str] = &["Weighing", "WaterDeprivation", "FoodDeprivation", "Housing", "Handling"];

pub(super) fn fill(store: &mut Store) {
    store.extend("projects", projects());
    for number in 0..SUBJECTS {
        add_subject(store, number);
    }
    store.extend("breedings", (0..BREEDINGS).map(breeding));
    for number in 0..COHORTS {
        add_cohort(store, number);
    }
}

fn subject_id(number: usize) -> String {
    match number {
        MANY_PROCEDURES => SUBJECT_WITH_130_PROCEDURES.to_owned(),
        NO_PROCEDURES => SUBJECT_WITHOUT_PROCEDURES.to_owned(),
        UNICODE_NAME => SUBJECT_WITH_UNICODE_NAME.to_owned(),
        WITH_PARENTS => SUBJECT_WITH_PARENTS.to_owned(),
        number => id("subject", number),
    }
}

fn add_subject(store: &mut Store, number: usize) {
    let documented = documents::current_subject(number);
    let is_documented = documented.is_some();
    let mut subject = documented.unwrap_or_else(|| made_up(number));
    if is_documented {
        for procedure in texts(subject.get("procedures")) {
            store.push("procedures", procedure_record(number, procedure, &subject["id"]));
        }
        for log in texts(subject.get("subjectlogs")) {
            store.push("subject_logs", log_record(number, log, &subject["id"]));
        }
    } else {
        add_history(store, number, &mut subject);
    }
    awkward::spoil(number, ORDINARY_FROM, &mut subject);
    if let Some(id) = subject["id"].as_str() {
        for project in texts(subject.get("projects")) {
            if let Some(project) = store.get_mut("projects", project) {
                add_to(project, "subjects", id);
            }
        }
    }
    store.push("subjects", subject);
}

fn made_up(number: usize) -> Value {
    let mut dice = Dice::new("subject", number);
    let born = dice.day(FIRST_DAY, 2200);
    let died = dice.day(born, 700);
    let status = *dice.pick(STATUSES);
    let mut projects = vec![project(dice.below(64))];
    for _ in 0..dice.below(3) {
        let another = project(dice.below(64));
        if !projects.contains(&another) {
            projects.push(another);
        }
    }
    let breeding = (number == WITH_PARENTS || dice.once_in(4)).then(|| {
        let breeding = if number == WITH_PARENTS { 0 } else { dice.below(BREEDINGS) };
        id("breeding", breeding)
    });
    json!({
        "id": subject_id(number),
        "name": format!("{}-{number:04}", dice.pick(PREFIXES)),
        "description": if dice.once_in(3) { "Calm. Eats well; weigh before noon." } else { "" },
        "projects": projects,
        "licenses": (0..dice.below(3)).map(license).collect::<Vec<_>>(),
        "strain": strain(dice.below(64)),
        "sex": dice.pick(&["F", "M", "F", "M", "U"]),
        "genetic_line": dice.pick(&["", "", "Pvalb-IRES-Cre", "Ai32"]),
        "genotype": dice.pick(&["", "+/+", "+/-", "-/-", "wt/tg"]),
        "subject_identifier": if dice.once_in(2) { format!("TAG{:05}", number * 37) } else { String::new() },
        "supplier": (!dice.once_in(3)).then(|| supplier(dice.below(64))),
        "breeding": breeding,
        "birth_date": (!dice.once_in(6)).then(|| born.to_string()),
        // Some are deceased on a day that nobody wrote down.
        "death_date": (status == "deceased" && !dice.once_in(3)).then(|| died.to_string()),
        "status": status,
        "extra_fields": extra_fields(&mut dice),
        "procedures": [],
        "subjectlogs": [],
        "name_used_in_storage": dice.once_in(2).then(|| format!("animal_{number:04}")),
        "tags": tags(&mut dice),
        "links": links(number),
    })
}

fn extra_fields(dice: &mut Dice) -> Value {
    match dice.below(4) {
        0 => Value::Null,
        1 => json!({}),
        2 => json!({ "cage": format!("A{}", dice.below(40)), "weight_g": 21.5 }),
        _ => json!({ "ear_mark": dice.below(99), "handler": "J. Ångström" }),
    }
}

fn tags(dice: &mut Dice) -> Value {
    match dice.below(4) {
        0 => json!(["cooling"]),
        1 => json!(["pilot", "sleep"]),
        _ => json!([]),
    }
}

/// Whole, in part or not at all.
fn links(number: usize) -> Value {
    match number % 3 {
        0 => {
            json!({ "projects": "projects/", "procedures": "procedures/", "subjectlogs": "subjectlogs/" })
        }
        1 => json!({ "projects": "projects/" }),
        _ => json!({}),
    }
}

/// Procedures and logs of a subject.
fn add_history(store: &mut Store, number: usize, subject: &mut Value) {
    let mut dice = Dice::new("history", number);
    let (procedures, logs) = match number {
        MANY_PROCEDURES => (130, 2),
        NO_PROCEDURES => (0, 0),
        _ => (dice.below(6), dice.below(3)),
    };
    for count in 0..procedures {
        let procedure = id("procedure", number * 1000 + count);
        store.push("procedures", procedure_record(number * 1000 + count, &procedure, &subject["id"]));
        add_to(subject, "procedures", &procedure);
    }
    for count in 0..logs {
        let log = id("subject log", number * 1000 + count);
        store.push("subject_logs", log_record(number * 1000 + count, &log, &subject["id"]));
        add_to(subject, "subjectlogs", &log);
    }
}

fn procedure_record(number: usize, id_: &str, subject: &Value) -> Value {
    let mut dice = Dice::new("procedure details", number);
    let day = dice.day(FIRST_DAY, 2400);
    let (hour, minute) = (dice.below(24), dice.below(60));
    let date_time = match dice.below(4) {
        0 => Value::Null,
        1 => json!(format!("{day}T{hour:02}:{minute:02}:00.123456Z")),
        _ => json!(format!("{day}T{hour:02}:{minute:02}:00Z")),
    };
    let stereotaxic = dice.once_in(2);
    json!({
        "id": id_,
        "type": dice.pick(PROCEDURES),
        "notes": dice.pick(&["", "", "Went well.", "Zweiter Versuch – Blutung gestillt."]),
        "subject": subject,
        "date_time": date_time,
        "consumablestock": dice.once_in(3).then(|| id("consumable", dice.below(9))),
        "equipment": (0..dice.below(3)).map(|count| id("equipment", count)).collect::<Vec<_>>(),
        "brain_region": (!dice.once_in(3)).then(|| brain_region(dice.below(64))),
        "licenses": [license(dice.below(64))],
        "details": if dice.once_in(2) { json!({ "depth_um": 1200, "hemisphere": "left" }) } else { json!({}) },
        "type_schema_version": 2,
        "coordinates_system": if stereotaxic { "stereotaxic" } else { "" },
        "coordinates_details": if stereotaxic { json!({ "ap": -2.0, "ml": 1.5, "dv": -1.25 }) } else { Value::Null },
        "coordinates_schema_version": 1,
        "created_at": format!("{day}T23:59:59.999999Z"),
        "updated_at": format!("{day}T23:59:59.999999Z"),
    })
}

fn log_record(number: usize, id_: &str, subject: &Value) -> Value {
    let mut dice = Dice::new("log details", number);
    let kind = *dice.pick(LOGS);
    let first = dice.day(FIRST_DAY, 2400);
    let entries = (0..dice.below(4)).map(|count| {
        let day = dice.day(first, 30);
        if kind == "Weighing" || kind == "Handling" {
            json!({ "date_time": format!("{day}T09:30:00Z"), "notes": "", "details": { "weight": 20 + count } })
        } else {
            let end = (count > 0).then(|| format!("{day}T18:00:00Z"));
            json!({
                "start_date_time": format!("{day}T08:00:00Z"),
                "end_date_time": end,
                "notes": null,
                "details": {},
            })
        }
    });
    let entries: Vec<Value> = entries.collect();
    json!({
        "id": id_,
        "type": kind,
        "description": dice.pick(&["", "Weekly, before feeding"]),
        "subject": subject,
        "user": id("user", dice.below(3)),
        "entries": entries,
    })
}

fn breeding(number: usize) -> Value {
    let mut dice = Dice::new("breeding details", number);
    let start = dice.day(FIRST_DAY, 1500);
    let mut parent = || subject_id(ORDINARY_FROM + 40 + dice.below(SUBJECTS - ORDINARY_FROM - 40));
    // The first has both, then one is missing now and then.
    let (mother, father) = (parent(), parent());
    json!({
        "id": id("breeding", number),
        "name": format!("Breeding {}", char::from(b'A' + u8::try_from(number).unwrap_or(0))),
        "project": project(number),
        "mother": (number % 4 != 1).then_some(mother),
        "father": (number % 4 < 2).then_some(father),
        "description": "",
        "tags": [],
        "birth_date": start.saturating_add(jiff::Span::new().days(21)).to_string(),
        "start_date": start.to_string(),
        "end_date": null,
        "weaning_date": (number.is_multiple_of(2)).then(|| start.saturating_add(jiff::Span::new().days(42)).to_string()),
        "litter_size": if number == 2 { json!(0) } else { json!(number + 3) },
        "expected_genotype": "wt/tg",
    })
}

fn add_cohort(store: &mut Store, number: usize) {
    let (cohort, project) = (id("cohort", number), project(number));
    let members = store.get("projects", &project).map(|project| project["subjects"].clone());
    let mut members = members.unwrap_or_else(|| json!([]));
    if let Some(members) = members.as_array_mut() {
        members.truncate(number * 5);
    }
    if let Some(project) = store.get_mut("projects", &project) {
        add_to(project, "cohorts", &cohort);
    }
    store.push(
        "cohorts",
        json!({
            "id": cohort,
            "name": format!("Cohort {}", number + 1),
            "description": if number == 0 { "Empty so far" } else { "" },
            "project": project,
            "subjects": members,
            "tags": [],
        }),
    );
}
