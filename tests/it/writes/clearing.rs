//! The two clearings that data protection law asks for.

use serde_json::{Value, json};

use super::{ANIMAL, a_person, animal_id, asked, by_id, create, new_person, stored, user_errors};
use crate::util::TestApp;

#[tokio::test]
async fn photos_go_and_the_record_stays() {
    let app = TestApp::new().await;
    let (id, source_id) = a_person(&app);
    let before = stored(app.haut_ai(), "subjects", &source_id);
    app.clear_logs();
    let query = "mutation($id: ID!) { subjectPhotosClear(id: $id) { subject { sourceId } userErrors { code } } }";
    let answer = app.query_with(query, json!({"id": id})).await;
    let expected = json!({"subject": {"sourceId": source_id}, "userErrors": []});
    assert_eq!(answer.data()["subjectPhotosClear"], expected);
    let log = app.haut_ai().take_log();
    assert!(log[0].method == "DELETE" && log[0].path.ends_with(&format!("/subjects/{source_id}/storage/")));
    assert!(log[0].body.is_empty());
    // The subject was selected, so it is read behind the write.
    assert_eq!((log.len(), log[1].method.as_str()), (2, "GET"));
    assert_eq!(stored(app.haut_ai(), "subjects", &source_id), before);
}

#[tokio::test]
async fn metadata_goes_and_the_name_stays() {
    let app = TestApp::new().await;
    let input = json!({"sex": "MALE", "birthDate": "1990-02-28", "metadata": {"skin": "dry"}});
    let subject = create(&app, new_person(&input)).await;
    let fields = "{ name sex birthDate metadata }";
    let read = format!("query($id: ID!) {{ node(id: $id) {{ ... on Subject {fields} }} }}");
    let warm = app.query_with(&read, json!({"id": subject["id"]})).await;
    assert_eq!(warm.data()["node"]["metadata"], json!({"skin": "dry"}));
    app.clear_logs();
    let query = format!("mutation($id: ID!) {{ subjectMetadataClear(id: $id) {{ subject {fields} }} }}");
    let answer = app.query_with(&query, json!({"id": subject["id"]})).await;
    let expected = json!({"name": "A New One", "sex": null, "birthDate": null, "metadata": null});
    assert_eq!(answer.data()["subjectMetadataClear"]["subject"], expected);
    let log = app.haut_ai().take_log();
    assert!(log[0].path.ends_with("/metadata/") && log[0].method == "DELETE");
    let record = stored(app.haut_ai(), "subjects", subject["sourceId"].as_str().unwrap());
    assert_eq!((&record["meta"], &record["biological_sex"]), (&Value::Null, &Value::Null));
    assert_eq!(app.query_with(&read, json!({"id": subject["id"]})).await.data()["node"], expected);
}

#[tokio::test]
async fn the_subject_is_read_only_where_it_is_selected() {
    let app = TestApp::new().await;
    let (id, _) = a_person(&app);
    app.clear_logs();
    let query = "mutation($id: ID!) { subjectMetadataClear(id: $id) { userErrors { code } } }";
    app.query_with(query, json!({"id": id})).await.data();
    assert_eq!(asked(&app), 1);
}

#[tokio::test]
async fn animals_have_nothing_of_the_kind() {
    let app = TestApp::new().await;
    app.clear_logs();
    for mutation in ["subjectPhotosClear", "subjectMetadataClear"] {
        let answer = by_id(&app, mutation, &animal_id(ANIMAL)).await;
        assert_eq!(user_errors(&answer), [("NOT_SUPPORTED".to_owned(), json!(["id"]))]);
    }
    assert_eq!(asked(&app), 0);
}
