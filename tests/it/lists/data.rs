//! Made-up records with ties, nulls and names that are hard to sort, and random filters over them.

use serde_json::{Value, json};
use subject_gateway::sandbox::{COMPANY_ID, DATASET_IDS};

use super::record::{dataset_id, project_id, species_id, strain_id};
use crate::util::TestApp;

const PROJECTS: [&str; 3] = [
    "10000000-0000-4000-8000-000000000001",
    "10000000-0000-4000-8000-000000000002",
    "10000000-0000-4000-8000-000000000003",
];

const NAMES: &[&str] = &[
    "Ångström",
    "A\u{30a}ngstro\u{308}m",
    "angstrom",
    "Angstrom",
    "émile",
    "Émile",
    "emile",
    "Zoë",
    "Zoe\u{308}",
    "zoe",
    "ZOE 2",
    "ß",
    "ss",
    "straße",
    "🐭",
    "🧴 two",
    "Ωmega",
    "ωmega",
    "a",
    "A",
    "a-b",
    "a b",
    "ab",
    "_x",
    "10",
    "9",
    "0x",
    "鼠",
    "нет",
    "z'z",
    "q\"q",
    "c, d",
    "back\\slash",
    "%",
    "a+b=c&d",
];
const PARTS: &[&str] = &["an", "É", "zo", "ß", "🐭", "a", "A B", "+b=", "q\"", "s", "\\", "%", "no such", "'"];
const DATES: &[&str] =
    &["0001-01-01", "1999-12-31", "2020-02-29", "2020-03-01", "2020-03-02", "2023-07-14", "9999-12-31"];
/// The first two are the same moment.
const MOMENTS: &[&str] = &[
    "2024-03-01T12:00:00Z",
    "2024-03-01T14:00:00.000+02:00",
    "2024-03-01T12:00:00.5Z",
    "2023-12-31T23:59:59.999999Z",
    "2025-10-08T20:00:33.223Z",
];
const WORDS: &[&str] = &["zo", "an", "tag", "CALM", "eats", "7", "a", "é"];

/// Numbers that look random and are the same every time (splitmix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // Neighbouring seeds must not give the same numbers, one step apart.
        let first = Self(seed).next();
        Self(first)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub(super) fn uuid(&mut self) -> String {
        let bytes = [self.next().to_be_bytes(), self.next().to_be_bytes()].concat();
        uuid::Builder::from_random_bytes(bytes.try_into().unwrap()).into_uuid().to_string()
    }

    /// One to three of them.
    fn some(&mut self, from: &[String]) -> Value {
        (0..=self.below(3)).map(|_| self.pick(from).clone()).collect()
    }
}

/// A person as Haut.AI keeps it.
pub(super) fn person(id: &str, dataset: &str, name: &str) -> Value {
    json!({
        "id": id, "name": name, "birth_date": null, "biological_sex": null, "meta": null, "author_id": null,
        "creation_time": null, "company": {"id": COMPANY_ID, "name": "text"}, "dataset": {"id": dataset, "name": "d"},
        "promote_image_id": null,
    })
}

/// An animal as BrainSTEM keeps it.
pub(super) fn animal(id: &str, name: &str) -> Value {
    json!({
        "id": id, "name": name, "description": "", "projects": [PROJECTS[0]], "sex": "U", "subject_identifier": "",
        "birth_date": null, "procedures": [], "tags": [],
    })
}

/// A second dataset beside the one that an empty Haut.AI has.
pub(super) fn add_dataset(app: &TestApp) {
    app.haut_ai().insert("datasets", json!({"id": DATASET_IDS[1], "company_id": COMPANY_ID, "name": "two"}));
}

/// This many people in the first dataset, `p000` and so on.
pub(super) fn add_people(app: &TestApp, count: usize) {
    let mut dice = Dice::new(900);
    for number in 0..count {
        app.haut_ai().insert("subjects", person(&dice.uuid(), DATASET_IDS[0], &format!("p{number:03}")));
    }
}

/// This many animals, `a000` and so on.
pub(super) fn add_animals(app: &TestApp, count: usize) {
    let mut dice = Dice::new(901);
    for number in 0..count {
        app.brainstem().insert("subjects", animal(&dice.uuid(), &format!("a{number:03}")));
    }
}

/// Random records in both sources, of two datasets.
pub(super) fn fill(app: &TestApp, dice: &mut Dice, legacy: bool) {
    add_dataset(app);
    let sexes = app.haut_ai().records("biological_sexes");
    let strains = app.brainstem().records("strains");
    for _ in 0..dice.below(36) {
        let mut one = person(&dice.uuid(), DATASET_IDS[dice.below(2)], dice.pick::<&str>(NAMES));
        one["birth_date"] = maybe(dice, DATES);
        one["creation_time"] = maybe(dice, MOMENTS);
        one["biological_sex"] = if dice.once_in(5) { Value::Null } else { dice.pick(&sexes).clone() };
        app.haut_ai().insert("subjects", one);
    }
    // BrainSTEM's names are unique.
    let mut names = NAMES.to_vec();
    for number in 0..dice.below(40) {
        let name = match names.len() {
            0 => format!("a{}", 40 - number),
            left => names.swap_remove(dice.below(left)).to_owned(),
        };
        let mut one = animal(&dice.uuid(), &name);
        one["birth_date"] = maybe(dice, DATES);
        one["sex"] = json!(dice.pick(&["F", "M", "U"]));
        one["strain"] = dice.pick(&strains)["id"].clone();
        one["projects"] = (0..dice.below(3)).map(|number| PROJECTS[number]).collect();
        one["tags"] = dice.pick(&[json!([]), json!(["pilot"]), json!(["pilot", "Pilot", "ünï"])]).clone();
        one["subject_identifier"] = json!(dice.pick(&["", "TAG7", "tag 70"]));
        one["description"] = json!(dice.pick(&["", "Calm. Eats well", "Zoë's"]));
        let procedures = (0..dice.below(3)).map(|_| json!(dice.uuid())).collect();
        one[if legacy { "actions" } else { "procedures" }] = procedures;
        if legacy {
            one.as_object_mut().unwrap().remove("procedures");
        } else {
            one["status"] = json!(dice.pick(&["active", "active", "planned", "deceased", "unknown"]));
        }
        app.brainstem().insert("subjects", one);
    }
}

fn maybe(dice: &mut Dice, from: &[&str]) -> Value {
    if dice.once_in(4) { Value::Null } else { json!(dice.pick(from)) }
}

/// None, one or two random filters.
pub(super) fn random_filter(app: &TestApp, dice: &mut Dice) -> Value {
    let mut filter = json!({});
    let count = if dice.once_in(5) { 0 } else { 1 + dice.below(2) };
    for _ in 0..count {
        let (field, value) = one_filter(app, dice);
        filter[field] = value;
    }
    filter
}

fn one_filter(app: &TestApp, dice: &mut Dice) -> (&'static str, Value) {
    let ids = |model: &str, of: fn(&str) -> String| -> Vec<String> {
        app.brainstem().records(model).iter().map(|record| of(record["id"].as_str().unwrap())).collect()
    };
    let texts = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    match dice.below(12) {
        0 => ("sources", dice.some(&texts(&["HAUT_AI", "BRAINSTEM"]))),
        1 => ("name", json!({"eq": dice.pick(NAMES)})),
        2 => ("name", json!({"in": dice.some(&texts(NAMES))})),
        3 => ("name", json!({(*dice.pick(&["contains", "startsWith"])): dice.pick(PARTS)})),
        4 => ("search", json!(format!("{} {}", dice.pick(WORDS), dice.pick(&["", "", "a", "tag"])))),
        5 => ("sex", dice.some(&texts(&["FEMALE", "MALE", "OTHER", "UNKNOWN"]))),
        6 => {
            let (one, other) = (*dice.pick(DATES), *dice.pick(DATES));
            let (from, to) = (one.min(other), one.max(other));
            (
                "birthDate",
                dice.pick(&[json!({"from": from, "to": to}), json!({"from": from}), json!({"to": to})]).clone(),
            )
        }
        7 => ("datasetId", dice.some(&DATASET_IDS.map(|dataset| dataset_id(COMPANY_ID, dataset)))),
        8 => ("projectId", dice.some(&PROJECTS.map(project_id))),
        9 if dice.once_in(2) => ("strainId", dice.some(&ids("strains", strain_id))),
        9 => ("speciesId", dice.some(&ids("species", species_id))),
        10 if dice.once_in(2) => ("status", dice.some(&texts(&["ACTIVE", "PLANNED", "UNKNOWN", "TRANSFERRED"]))),
        10 => ("tag", dice.some(&texts(&["pilot", "ünï", "none"]))),
        _ => ("hasProcedures", json!(dice.once_in(2))),
    }
}
