//! Haut.AI: authentication, paging, search, field errors and bulk deletes.

use serde_json::{Value, json};
use subject_gateway::sandbox::{
    COMPANY_ID, DATASET_IDS, Dictionary, FOREIGN_COMPANY_ID, FOREIGN_DATASET_ID, HAUT_AI_MFA_USERNAME,
    HAUT_AI_OTHER_TOKEN, HAUT_AI_PASSWORD, HAUT_AI_TOKEN, HAUT_AI_USERNAME,
};

use super::util::{Caller, start};

const LOGIN: &str = "/api/v1/auth/login/";
const REFRESH: &str = "/api/v1/auth/refresh/";

fn subjects(dataset: &str) -> String {
    format!("/api/v1/companies/{COMPANY_ID}/datasets/{dataset}/subjects/")
}

#[tokio::test]
async fn a_login_gives_tokens_that_expire_and_refresh() {
    let sandbox = start().await;
    let anyone = Caller::new(sandbox.haut_ai(), None);
    let body = json!({ "username": HAUT_AI_USERNAME, "password": HAUT_AI_PASSWORD });
    let login = anyone.post(LOGIN, &body).await;
    assert_eq!(login.status, 200);
    assert_eq!(login.body["company_id"], COMPANY_ID);
    assert_eq!(login.body["token_access"], login.body["access_token"]);

    let list = subjects(DATASET_IDS[2]);
    let bearer = format!("Bearer {}", login.body["access_token"].as_str().unwrap());
    let user = anyone.with(Some(&bearer));
    assert_eq!(user.get(&list).await.status, 200);
    let created = user.post(&list, &json!({ "name": "by a user" })).await;
    assert_eq!(created.body["author_id"], login.body["id"]);

    sandbox.haut_ai().expire_logins();
    assert_eq!(user.get(&list).await.status, 401);
    let refresh = json!({ "refresh_token": login.body["refresh_token"] });
    let fresh = anyone.post(REFRESH, &refresh).await;
    let bearer = format!("Bearer {}", fresh.body["access_token"].as_str().unwrap());
    assert_eq!(anyone.with(Some(&bearer)).get(&list).await.status, 200);

    sandbox.haut_ai().revoke_logins();
    assert_eq!(anyone.post(REFRESH, &refresh).await.status, 401);
}

#[tokio::test]
async fn logins_fail_as_documented() {
    let sandbox = start().await;
    let anyone = Caller::new(sandbox.haut_ai(), None);
    let login = |username: &str, password: &str| json!({ "username": username, "password": password });
    for (body, status) in [
        (login(HAUT_AI_USERNAME, "wrong"), 401),
        (login("nobody", HAUT_AI_PASSWORD), 401),
        (login(HAUT_AI_MFA_USERNAME, HAUT_AI_PASSWORD), 400),
        (json!({ "username": HAUT_AI_USERNAME }), 400),
    ] {
        assert_eq!(anyone.post(LOGIN, &body).await.status, status, "{body}");
    }
    sandbox.haut_ai().set_knobs(|knobs| knobs.login_limit = Some(4));
    let limited = anyone.post(LOGIN, &login(HAUT_AI_USERNAME, HAUT_AI_PASSWORD)).await;
    assert_eq!(limited.status, 429);
    assert!(limited.headers.contains_key("retry-after"));
    assert!(limited.body["detail"].is_string());
}

#[tokio::test]
async fn tokens_come_before_everything_but_the_slash() {
    let sandbox = start().await;
    let anyone = Caller::new(sandbox.haut_ai(), None);
    let list = subjects(DATASET_IDS[0]);
    for (authorization, message) in [
        (None, "Authentication credentials were not provided."),
        (Some("Token abc"), "Authentication credentials were not provided."),
        (Some("Bearer abc"), "Invalid token."),
    ] {
        let caller = anyone.with(authorization);
        for target in [&list, &format!("{list}?page=99"), &format!("{list}no-such-id/")] {
            let answer = caller.get(target).await;
            assert_eq!((answer.status, answer.body), (401, json!({ "detail": message })));
        }
    }
    let answer = anyone.post(&list[..list.len() - 1], &json!({ "name": "lost" })).await;
    assert_eq!((answer.status, answer.headers["location"].to_str().unwrap()), (301, list.as_str()));
    let answer = Caller::haut_ai(&sandbox).get("/api/v2/").await;
    assert!(answer.status == 404 && answer.is_html());
}

#[tokio::test]
async fn tenants_are_apart() {
    let sandbox = start().await;
    let private = Caller::haut_ai(&sandbox);
    let other = private.with(Some(&format!("Bearer {HAUT_AI_OTHER_TOKEN}")));
    let foreign = format!("/api/v1/companies/{FOREIGN_COMPANY_ID}/datasets/{FOREIGN_DATASET_ID}/subjects/");
    let datasets = format!("/api/v1/companies/{COMPANY_ID}/datasets/");
    for (caller, target, status) in [
        (&private, foreign.as_str(), 403),
        (&private, &subjects(FOREIGN_DATASET_ID), 404),
        (&private, &subjects("malformed"), 404),
        (&private, &subjects(DATASET_IDS[0]), 200),
        (&other, &subjects(DATASET_IDS[0]), 404),
        (&other, &subjects(DATASET_IDS[1]), 200),
    ] {
        assert_eq!(caller.get(target).await.status, status, "{target}");
    }
    assert_eq!(private.get(&datasets).await.ids("results"), DATASET_IDS);
    assert_eq!(other.get(&datasets).await.ids("results"), [DATASET_IDS[1]]);
    let elsewhere = format!("{}{}/", subjects(DATASET_IDS[0]), DATASET_IDS[1]);
    assert_eq!(private.get(&elsewhere).await.status, 404);
}

#[tokio::test]
async fn pages_are_numbered_capped_and_end_in_404() {
    let sandbox = start().await;
    let caller = Caller::haut_ai(&sandbox);
    let list = subjects(DATASET_IDS[0]);
    for (query, length) in [("", 20), ("?page_size=150", 100), ("?page_size=7&page=26", 5), ("?page_size=0", 20)] {
        let answer = caller.get(&format!("{list}{query}")).await;
        assert_eq!((&answer.body["count"], answer.list("results").len()), (&json!(180), length), "{query}");
    }
    let host = sandbox.haut_ai().url();
    let answer = caller.get(&format!("{list}?page_size=50&page=2&q=")).await;
    assert_eq!(answer.body["next"], format!("{host}{list}?page=3&page_size=50&q="));
    assert_eq!(answer.body["previous"], format!("{host}{list}?page_size=50&q="));
    for page in ["10", "0", "-1", "x"] {
        let answer = caller.get(&format!("{list}?page={page}")).await;
        assert_eq!((answer.status, answer.body), (404, json!({ "detail": "Invalid page." })));
    }
    let empty = caller.get(&subjects(DATASET_IDS[2])).await;
    let page = json!({ "count": 0, "next": null, "previous": null, "results": [] });
    assert_eq!((empty.status, empty.body), (200, page));

    sandbox.haut_ai().set_knobs(|knobs| knobs.page_cap = 3);
    assert_eq!(caller.get(&format!("{list}?page_size=50")).await.list("results").len(), 3);
}

#[tokio::test]
async fn a_search_ands_its_words() {
    let sandbox = start().await;
    let caller = Caller::haut_ai(&sandbox);
    let list = subjects(DATASET_IDS[2]);
    for name in ["Anna Maria Berg", "Maria Anna Berg", "BERG, anna", "Ünal Berg"] {
        assert_eq!(caller.post(&list, &json!({ "name": name })).await.status, 201);
    }
    for (query, expected) in [
        ("anna", 3),
        ("berg+ANNA", 3),
        ("%22maria+anna%22", 1),
        ("%22anna+maria%22+berg", 1),
        ("%C3%BCNAL", 1),
        ("anna+zzz", 0),
        ("%22unclosed", 0),
        ("", 4),
    ] {
        let answer = caller.get(&format!("{list}?q={query}")).await;
        assert_eq!(answer.body["count"], expected, "{query}");
    }
}

#[tokio::test]
async fn fields_are_checked() {
    let sandbox = start().await;
    let caller = Caller::haut_ai(&sandbox);
    let list = subjects(DATASET_IDS[0]);
    let wrong_date = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.";
    let unknown = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
    for (body, error) in [
        (json!({}), json!({ "name": ["This field is required."] })),
        (json!({ "name": null }), json!({ "name": ["This field may not be null."] })),
        (json!({ "name": " " }), json!({ "name": ["This field may not be blank."] })),
        (json!({ "name": [] }), json!({ "name": ["Not a valid string."] })),
        (json!({ "name": "ä".repeat(513) }), json!({ "name": ["Ensure this field has no more than 512 characters."] })),
        (json!({ "name": "n", "birth_date": "1.2.2003" }), json!({ "birth_date": [wrong_date] })),
        (
            json!({ "name": "n", "biological_sex": "male" }),
            json!({ "biological_sex": ["“male” is not a valid UUID."] }),
        ),
        (
            json!({ "name": "n", "biological_sex": unknown }),
            json!({ "biological_sex": [format!("Invalid pk \"{unknown}\" - object does not exist.")] }),
        ),
        (json!([]), json!({ "non_field_errors": ["Invalid data. Expected a dictionary, but got list."] })),
    ] {
        let answer = caller.post(&list, &body).await;
        assert_eq!((answer.status, answer.body), (400, error));
    }
    let longest = json!({ "name": "ä".repeat(512), "meta": [1, { "deep": null }], "unknown": 1 });
    let created = caller.post(&list, &longest).await;
    assert_eq!((created.status, &created.body["meta"]), (201, &longest["meta"]));
    let one = format!("{list}{}/", created.body["id"].as_str().unwrap());
    let changed = caller.patch(&one, &json!({ "birth_date": "2000-02-29", "id": "ignored" })).await;
    assert_eq!((changed.status, &changed.body["birth_date"]), (200, &json!("2000-02-29")));
    assert_eq!(changed.body["meta"], longest["meta"]);
    let cleared = caller.patch(&one, &json!({ "birth_date": null })).await;
    assert_eq!(cleared.body["birth_date"], Value::Null);
}

#[tokio::test]
async fn a_malformed_id_spares_all() {
    let sandbox = start().await;
    let caller = Caller::haut_ai(&sandbox);
    let list = subjects(DATASET_IDS[0]);
    let page = caller.get(&list).await;
    let ids = page.ids("results");
    let unknown = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
    let malformed = format!("{list}delete/?subjects_ids={}&subjects_ids=x", ids[0]);
    assert_eq!(caller.delete(&malformed).await.status, 400);
    assert_eq!(caller.delete(&format!("{list}delete/")).await.status, 400);
    let target = format!("{list}delete/?subjects_ids={}&subjects_ids={unknown}&subjects_ids={}", ids[0], ids[3]);
    let answer = caller.delete(&target).await;
    assert_eq!((answer.status, answer.body), (200, json!({ "deleted": [ids[0], ids[3]] })));
    assert_eq!(caller.get(&list).await.body["count"], 178);
    assert_eq!(caller.delete(&list).await.status, 405);
}

#[tokio::test]
async fn metadata_is_cleared() {
    let sandbox = start().await;
    let caller = Caller::haut_ai(&sandbox);
    let list = subjects(DATASET_IDS[0]);
    let body = json!({ "name": "known", "birth_date": "1990-01-01", "meta": { "a": 1 } });
    let created = caller.post(&list, &body).await;
    let one = format!("{list}{}/", created.body["id"].as_str().unwrap());
    assert_eq!(caller.delete(&format!("{one}metadata/")).await.status, 200);
    let after = caller.get(&one).await.body;
    assert_eq!((&after["name"], &after["birth_date"], &after["meta"]), (&json!("known"), &Value::Null, &Value::Null));
    assert_eq!(caller.delete(&one).await.status, 204);
    for clearing in ["metadata", "storage"] {
        assert_eq!(caller.delete(&format!("{one}{clearing}/")).await.status, 404);
    }
}

#[tokio::test]
async fn detail_and_dictionary_have_knobs() {
    let sandbox = start().await;
    let caller = Caller::haut_ai(&sandbox);
    let one = format!("{}{}/", subjects(DATASET_IDS[1]), DATASET_IDS[1]);
    let dictionary = "/api/v1/dicts/biological_sexes/";
    assert_eq!(caller.get(&one).await.status, 200);
    let bare = caller.get(dictionary).await.body;
    assert!(bare.as_array().is_some_and(|sexes| sexes.len() == 4));
    let set = |dictionary| {
        sandbox.haut_ai().set_knobs(|knobs| {
            knobs.detail_405 = true;
            knobs.dictionary = dictionary;
        });
    };
    set(Dictionary::Results);
    assert_eq!(caller.get(&one).await.status, 405);
    assert_eq!(caller.get(dictionary).await.body["results"], bare);
    set(Dictionary::Missing);
    assert_eq!(caller.get(dictionary).await.status, 404);
    let token = format!("Bearer {HAUT_AI_TOKEN}");
    assert_eq!(sandbox.haut_ai().log()[0].authorization.as_ref(), Some(&token));
}
