//! Haut.AI's company, datasets, dictionaries and people. All of them are made up.

use jiff::civil::date;
use serde_json::{Value, json};

use super::{
    super::{COMPANY_ID, DATASET_IDS, FOREIGN_COMPANY_ID, FOREIGN_DATASET_ID, Records, store::Store},
    Dice, documents, id,
};

const DATASETS: [(&str, usize); 3] = [("Spring study – cheeks & forehead", 180), ("text", 37), ("Empty", 0)];

const GIVEN: &[&str] = &[
    "Anna",
    "Björn",
    "Chloé",
    "Dmitrij",
    "Έλενα",
    "Fátima",
    "Giulia",
    "Hans-Jürgen",
    "Ivana",
    "João",
    "Kofi",
    "Łukasz",
    "María José",
    "Nguyễn",
    "O’Connor",
    "Παύλος",
    "Quentin",
    "Renée",
    "Søren",
    "Ольга",
    "山田",
    "陳",
    "김",
    "محمد",
    "יעל",
    "अनीता",
];
const FAMILY: &[&str] = &[
    "Müller",
    "de la Cruz",
    "Jansen",
    "Kowalski",
    "Šimić",
    "Öztürk",
    "Smith",
    "smith",
    "Иванова",
    "花子",
    "大文",
    "민준",
    "علي",
    "כהן",
    "शर्मा",
    "D'Angelo",
    "Þórsson",
    "van 't Hof",
];

/// Names that only one person each has.
const ODD_NAMES: &[&str] = &[
    "user1",
    "USER1",
    "  leading space",
    "\"quoted\" name",
    "semi;colon, comma",
    "emoji 🧴✨",
    "Zoe\u{308} Decomposed",
    "Zoë Composed",
    "e-mail+tag@shop.example",
    "123e4567-e89b-12d3-a456-426614174000",
    "<script>alert(1)</script>",
    "100% organic_1",
    "null",
    "line\nbreak",
];

const ODD_DATES: &[&str] = &[
    "1900-02-28",
    "9999-12-31",
    "2000-02-29",
    "0001-01-01",
    "1999-12-31",
    "31.12.1999",
    "",
    "1985-06-15T00:00:00Z",
    "2023-02-29",
    "2031-01-01",
];

pub(super) fn store(records: Records) -> Store {
    let mut store = Store::default();
    store.extend(
        "companies",
        [json!({ "id": COMPANY_ID, "name": "text" }), json!({ "id": FOREIGN_COMPANY_ID, "name": "Somebody else" })],
    );
    store.extend("biological_sexes", sexes());
    store.extend("image_types", [json!({ "id": 10, "name": "Front", "tech_name": "front_image" })]);
    store.extend("algorithms", [json!({ "id": 3, "name": "Redness", "tech_name": "redness", "version": "1.0" })]);
    let datasets = match records {
        Records::Full => DATASETS.len(),
        Records::Empty => 1,
    };
    store.extend(
        "datasets",
        (0..datasets).map(|number| {
            json!({
                "id": DATASET_IDS[number],
                "company_id": COMPANY_ID,
                "name": DATASETS[number].0,
                "description": null,
                "creation_time": "2024-01-15T08:30:00Z",
            })
        }),
    );
    if records == Records::Full {
        store.push(
            "datasets",
            json!({ "id": FOREIGN_DATASET_ID, "company_id": FOREIGN_COMPANY_ID, "name": "Not yours" }),
        );
        store.push("subjects", foreign());
        for (dataset, (_, size)) in DATASETS.iter().enumerate() {
            store.extend("subjects", (0..*size).map(|number| person(dataset, number)));
        }
    }
    store
}

fn sexes() -> [Value; 4] {
    [
        json!({ "id": id("sex", 0), "name": "Female", "tech_name": "female" }),
        json!({ "id": id("sex", 1), "name": "Male", "tech_name": "male" }),
        json!({ "id": id("sex", 2), "name": "Other / prefer not to say", "tech_name": "other" }),
        documents::haut_ai_sex(),
    ]
}

fn person(dataset: usize, number: usize) -> Value {
    if dataset == 1 && number == 0 {
        return documents::haut_ai_subject();
    }
    let mut dice = Dice::new("person", dataset * 1000 + number);
    let odd = (dataset == 0).then(|| number.checked_sub(5)).flatten();
    let name = match odd.and_then(|odd| ODD_NAMES.get(odd)) {
        Some(name) => (*name).to_owned(),
        None if number % 50 == 49 => "long name ".repeat(51) + "xy",
        None => format!("{} {}", dice.pick(GIVEN), dice.pick(FAMILY)),
    };
    let born = match odd.and_then(|odd| ODD_DATES.get(odd.checked_sub(ODD_NAMES.len())?)) {
        Some(born) => json!(born),
        None if dice.once_in(5) => Value::Null,
        None => json!(dice.day(date(1935, 1, 1), 27_000).to_string()),
    };
    let created = dice.day(date(2022, 1, 1), 1300);
    let created = match number % 4 {
        0 => format!("{created}T12:00:00Z"),
        1 => format!("{created}T23:59:59.999999Z"),
        2 => format!("{created}T01:30:00.5+02:00"),
        _ => format!("{created}T20:00:33.223Z"),
    };
    json!({
        "name": name,
        "birth_date": born,
        "biological_sex": sex(number, &mut dice),
        "meta": meta(number),
        "id": id("person", dataset * 1000 + number),
        "author_id": dice.once_in(2).then(|| id("author", dice.below(3))),
        "creation_time": created,
        "company": { "id": COMPANY_ID, "name": "text" },
        "dataset": { "id": DATASET_IDS[dataset], "name": DATASETS[dataset].0 },
        "promote_image_id": dice.once_in(3).then(|| id("image", number)),
    })
}

/// Mostly from the dictionary; one has left it, and one lacks its name.
fn sex(number: usize, dice: &mut Dice) -> Value {
    match number {
        30 => {
            json!({ "id": id("sex", 9), "name": "Unspecified (old)", "tech_name": "unspecified" })
        }
        31 => json!({ "id": id("sex", 2), "name": null, "tech_name": "other" }),
        _ if dice.once_in(6) => Value::Null,
        _ => sexes()[dice.below(3)].clone(),
    }
}

fn meta(number: usize) -> Value {
    match number % 12 {
        0 => {
            json!({ "skin_type": 3, "consent": { "at": "2024-05-01", "version": "2.1" }, "notes": "" })
        }
        1 => json!({}),
        2 => json!(42),
        3 => json!(["a", 1, null, { "nested": [true] }]),
        4 => json!("free text – ünïcode"),
        5 => json!(false),
        6 => {
            json!({ "external_id": format!("CRM-{number}"), "big": 9_007_199_254_740_993_i64, "rate": 0.1 })
        }
        7 => json!([]),
        8 => json!(""),
        _ => Value::Null,
    }
}

/// Must never be seen.
fn foreign() -> Value {
    json!({
        "name": "Foreign person",
        "birth_date": null,
        "biological_sex": null,
        "meta": { "secret": true },
        "id": id("foreign", 0),
        "author_id": null,
        "creation_time": "2024-01-15T08:30:00Z",
        "company": { "id": FOREIGN_COMPANY_ID, "name": "Somebody else" },
        "dataset": { "id": FOREIGN_DATASET_ID, "name": "Not yours" },
        "promote_image_id": null,
    })
}
