//! What real data has and examples have not: odd names, missing fields, values that nobody foresaw.

use serde_json::{Value, json};

use super::SUBJECT_WITH_UNICODE_NAME;

/// Names that are hard to sort, search, quote or show.
const NAMES: &[&str] = &[
    "wt-0007",
    "WT-0007",
    "Mäuschen Größe",
    "cafe\u{301} 1",
    "café 1",
    "ネズミ-12",
    "فأر-3",
    "мышь-5",
    "🐭 one",
    "  spaced  ",
    "O'Brien \"the rat\"",
    "<b>bold</b> & co",
    "100%_sure",
    "a+b=c",
    "back\\slash",
    "tab\there",
    "{braces}",
    "İstanbul",
    "ﬁnch",
    "0",
    "null",
    "zero\u{200b}width",
    "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
];

/// How many subjects have a field like nobody else.
const ODDITIES: usize = 22;

/// Fields that one subject each has like nobody else, counted from the last of [`NAMES`].
fn oddities() -> [Value; ODDITIES] {
    [
        json!({ "birth_date": "1900-02-28" }),
        json!({ "birth_date": "9999-12-31", "death_date": "9999-12-31" }),
        json!({ "birth_date": "0001-01-01" }),
        json!({ "birth_date": "2024-02-29" }),
        json!({ "birth_date": "2023-02-29" }),
        json!({ "birth_date": "2023-13-45", "death_date": "yesterday" }),
        json!({ "birth_date": "" , "death_date": "" }),
        json!({ "birth_date": "2023-03-22T00:00:00Z" }),
        json!({ "birth_date": "2022-05-01", "death_date": "2021-05-01", "status": "active" }),
        json!({ "status": "deceased", "death_date": null }),
        json!({ "status": "retired" }),
        json!({ "status": "" }),
        json!({ "status": null }),
        json!({ "sex": "H" }),
        json!({ "sex": "" }),
        json!({ "sex": null }),
        json!({ "strain": null, "supplier": null, "breeding": null }),
        json!({ "strain": "deadbeef-0000-4000-8000-000000000000" }),
        json!({ "extra_fields": { "count": 9_007_199_254_740_993_i64, "ratio": 1e-9, "text": "" } }),
        json!({ "tags": ["", "ünï", "cooling", "cooling"] }),
        json!({ "tags": null, "licenses": null, "extra_fields": null, "links": null }),
        json!({ "description": null, "genotype": null, "genetic_line": null, "subject_identifier": null }),
    ]
}

/// Fields that older records lack.
const LATER: &[&str] = &["licenses", "genotype", "breeding", "status", "links", "supplier", "tags", "extra_fields"];

/// Makes the subject with a number odd, if it is one of those. Numbers below `from` are odd by themselves.
pub(super) fn spoil(number: usize, from: usize, subject: &mut Value) {
    if subject["id"] == SUBJECT_WITH_UNICODE_NAME {
        subject["name"] = json!("Ωmega-Ратте 鼠 🐀");
        subject["description"] = json!("Zeile eins\nZeile zwei\t„zitiert“ – ½ µl");
        subject["genotype"] = json!("Δ/Δ");
        subject["tags"] = json!(["kühl", "冷却"]);
        subject["name_used_in_storage"] = json!("données/鼠");
    }
    let Some(odd) = number.checked_sub(from) else {
        return;
    };
    if let Some(name) = NAMES.get(odd) {
        subject["name"] = json!(name);
        return;
    }
    let odd = odd - NAMES.len();
    if odd < ODDITIES {
        merge(subject, &oddities()[odd]);
    } else if number.is_multiple_of(17)
        && let Some(fields) = subject.as_object_mut()
    {
        // Every so often a record is so old that it lacks what came later.
        fields.retain(|name, _| !LATER.contains(&name.as_str()));
    }
}

fn merge(subject: &mut Value, fields: &Value) {
    for (name, value) in fields.as_object().into_iter().flatten() {
        subject[name] = value.clone();
    }
}
