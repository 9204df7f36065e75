//! What a list brought along that was read before a write or purge is not kept after it.

use std::{future::IntoFuture as _, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Method, header::CONTENT_TYPE},
};
use serde_json::json;
use tokio::{net::TcpListener, sync::Notify};

use super::{ANIMAL, PROJECT, animal_id, project_id, update};
use crate::{http, util::TestApp};

/// An upstream that reads its list and the projects along with it at once, and answers when it may.
async fn upstream(began: &Arc<Notify>, may_answer: &Arc<Notify>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (began, may_answer) = (Arc::clone(began), Arc::clone(may_answer));
    let answer = move |request: Request| async move {
        let subject = json!({"id": ANIMAL, "name": "one", "projects": [PROJECT]});
        let project = |name| json!({"id": PROJECT, "name": name, "tags": []});
        let query = request.uri().query().unwrap_or_default();
        let answer = if query.contains("include") {
            began.notify_one();
            may_answer.notified().await;
            json!({"count": 1, "subjects": [subject], "projects": [project("before")]})
        } else if request.uri().path().contains("/project/") {
            json!({"project": project("after")})
        } else {
            json!({"subject": subject})
        };
        answer.to_string()
    };
    tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
    url
}

#[tokio::test]
async fn records_that_came_along_are_from_before_the_write_or_purge() {
    for is_purge in [false, true] {
        let [began, may_answer] = std::array::from_fn(|_| Arc::new(Notify::new()));
        let url = upstream(&began, &may_answer).await;
        let app = TestApp::builder().without_haut_ai().set("BRAINSTEM_URL", url).build().await;
        let list = app.query("{ subjects(first: 5) { nodes { projects { name } } } }");
        let end = async {
            began.notified().await;
            if is_purge {
                let request = http::request(Method::POST, "/admin/purge").header(CONTENT_TYPE, "application/json");
                let request = request.body(Body::from(json!({"source": "BRAINSTEM"}).to_string())).unwrap();
                assert_eq!(http::send(app.app.front(), request).await.status, 200);
            } else {
                update(&app, &animal_id(ANIMAL), json!({"brainStem": {"description": "x"}})).await;
            }
            may_answer.notify_one();
        };
        let (list, ()) = tokio::join!(list, end);
        let subjects = &list.data()["subjects"]["nodes"];
        assert!(subjects[0]["projects"].is_array(), "{subjects}");
        let query = "query($id: ID!) { project(id: $id) { name } }";
        let project = app.query_with(query, json!({"id": project_id(PROJECT)})).await;
        assert_eq!(project.data()["project"]["name"], "after", "purge: {is_purge}");
    }
}
