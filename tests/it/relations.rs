//! Relations: one request a level and fifty ids, counted in the sandbox's log.

use futures::future::join_all;

use crate::util::{TestApp, to_path};

const FIFTY: &str = "{ subjects(first: 50, filter: {sources: [BRAINSTEM]}) { nodes { \
    id projects { id name } procedures(first: 3) { nodes { id type } } strain { id name species { id name } } } } }";

#[tokio::test]
async fn fifty_subjects_cost_one_request_a_relation_and_fifty_ids() {
    let app = TestApp::new().await;
    let cold = app.query(FIFTY).await;
    let log = app.brainstem().take_log();
    let nodes = cold.data()["subjects"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 50);
    for (path, expected) in [("subject/", 1), ("strain/", 1), ("species/", 1)] {
        assert_eq!(to_path(&log, path).len(), expected, "{path}");
    }
    let distinct = |field: &str| {
        let ids = nodes.iter().flat_map(|node| match field {
            "projects" => node["projects"].as_array().unwrap().clone(),
            _ => node[field]["nodes"].as_array().unwrap().clone(),
        });
        ids.map(|record| record["id"].to_string()).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(to_path(&log, "project/").len(), distinct("projects").div_ceil(50));
    assert_eq!(to_path(&log, "procedure/").len(), distinct("procedures").div_ceil(50));
    assert!(distinct("procedures") > 50, "the test needs more than one batch");

    let warm = app.query(FIFTY).await;
    assert_eq!(warm.0, cold.0);
    assert_eq!(app.brainstem().take_log().len(), 0);
}

#[tokio::test]
async fn fifty_identical_cold_queries_cost_what_one_does() {
    let app = TestApp::new().await;
    app.query(FIFTY).await;
    let one = app.brainstem().take_log().len();
    let app = TestApp::new().await;
    let answers = join_all((0..50).map(|_| app.query(FIFTY))).await;
    assert!(answers.iter().all(|answer| answer.0 == answers[0].0));
    assert!(app.brainstem().take_log().len() <= one);
}
