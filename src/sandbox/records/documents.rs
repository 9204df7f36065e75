//! The records that the upstreams' documentation prints with real ids, as they stand there.

use serde_json::{Value, json};

pub(super) const FIRST_PROJECT: &str = "c4b8a90b-2963-4d13-aa07-b6f497252dde";
pub(super) const SECOND_PROJECT: &str = "e7475834-7733-48cf-9e3b-f4f2d2d0305a";
pub(super) const FIRST_STRAIN: &str = "deec9da3-ee26-4348-954e-484f62c463c8";
pub(super) const SECOND_STRAIN: &str = "7d056b05-ff2c-4dda-96f5-e34fe4dc3ac4";

/// BrainSTEM's subjects before the renaming, without the links that the server adds.
pub(super) fn legacy_subjects() -> [Value; 3] {
    [
        json!({
            "id": "0cdaf69d-63cf-429f-b549-fc0cc163d046",
            "name": "subject1",
            "description": "",
            "strain": FIRST_STRAIN,
            "sex": "M",
            "genetic_line": "",
            "projects": [FIRST_PROJECT],
            "birth_date": "2023-03-22",
            "death_date": null,
            "extra_fields": [],
            "actions": ["9542eb95-90b3-40c6-9e35-9eef01b3334a"],
            "subjectstatechanges": ["7791fcff-fcee-4c74-bfff-e2b3e4e38481"],
            "tags": [],
        }),
        json!({
            "id": "0f87c229-6769-4854-83a5-c71e154246b8",
            "name": "subject2",
            "description": "",
            "strain": SECOND_STRAIN,
            "sex": "M",
            "genetic_line": "",
            "projects": [SECOND_PROJECT],
            "birth_date": null,
            "death_date": null,
            "extra_fields": [],
            "actions": ["f79d84c8-6bec-40e3-b18a-5b25e57f4a09"],
            "subjectstatechanges": ["3d8ba812-2237-4811-875d-96cfdca66e18"],
            "tags": ["cooling"],
        }),
        json!({
            "id": "b4ae1f92-5260-4605-8d21-25ac5c3fce91",
            "name": "NewSubject",
            "description": "some text",
            "strain": FIRST_STRAIN,
            "sex": "U",
            "genetic_line": "",
            "projects": [FIRST_PROJECT],
            "birth_date": null,
            "death_date": null,
            "extra_fields": { "extra_property": "setting1", "another_property": 22 },
            "actions": [],
            "subjectstatechanges": [],
            "tags": [],
        }),
    ]
}

/// One of the same subjects in the fields of today's documentation.
pub(super) fn current_subject(number: usize) -> Option<Value> {
    if number > 2 {
        return None;
    }
    let legacy = legacy_subjects().into_iter().nth(number)?;
    let is_new = legacy["name"] == "NewSubject";
    let is_second = legacy["name"] == "subject2";
    Some(json!({
        "id": legacy["id"],
        "name": legacy["name"],
        "description": legacy["description"],
        "projects": legacy["projects"],
        "strain": legacy["strain"],
        "sex": legacy["sex"],
        "genetic_line": "",
        "subject_identifier": if is_new { "WF-123" } else { "" },
        "supplier": null,
        "birth_date": legacy["birth_date"],
        "death_date": null,
        "extra_fields": if is_new { legacy["extra_fields"].clone() } else { json!({}) },
        "procedures": legacy["actions"],
        "subjectlogs": legacy["subjectstatechanges"],
        "tags": legacy["tags"],
        "name_used_in_storage": if is_second { json!("subject2_local") } else { Value::Null },
    }))
}

/// The one subject that Haut.AI's documentation prints.
pub(super) fn haut_ai_subject() -> Value {
    let id = "123e4567-e89b-12d3-a456-426614174000";
    json!({
        "name": "text",
        "birth_date": null,
        "biological_sex": haut_ai_sex(),
        "meta": null,
        "id": id,
        "author_id": null,
        "creation_time": "2025-10-08T20:00:33.223Z",
        "company": { "id": id, "name": "text" },
        "dataset": { "id": id, "name": "text" },
        "promote_image_id": null,
    })
}

/// The biological sex within it.
pub(super) fn haut_ai_sex() -> Value {
    json!({ "id": "123e4567-e89b-12d3-a456-426614174000", "name": "text", "tech_name": "text" })
}
