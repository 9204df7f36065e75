//! BrainSTEM: what happens before a query is read: lengths, slashes, tokens and media types.

use reqwest::Method;
use serde_json::json;
use subject_gateway::sandbox::BRAINSTEM_TOKEN;

use super::util::{Caller, start, start_legacy};

const SUBJECTS: &str = "/api/private/stem/subject/";

#[tokio::test]
async fn a_request_line_has_4094_bytes() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let line = |target: &str| format!("GET {target} HTTP/1.1\r\n").len();
    let target = |filling: usize| format!("{SUBJECTS}?q={}", "x".repeat(filling));
    let filling = 4094 - line(&target(0));
    assert_eq!(caller.get(&target(filling)).await.status, 200);
    let answer = caller.get(&target(filling + 1)).await;
    assert!(answer.status == 414 && answer.is_html());
    assert_eq!(caller.get(SUBJECTS).await.status, 200);
    let connections = sandbox.brainstem().log().iter().map(|request| request.connection).collect::<Vec<_>>();
    assert_eq!(connections, [1, 1, 2]);

    let many = "a&".repeat(1000);
    assert_eq!(caller.get(&format!("{SUBJECTS}?{many}")).await.status, 200);
    let answer = caller.get(&format!("{SUBJECTS}?{many}a")).await;
    assert!(answer.status == 400 && answer.is_html());
}

#[tokio::test]
async fn a_missing_slash_is_301_before_authentication() {
    let sandbox = start().await;
    let anyone = Caller::new(sandbox.brainstem(), None);
    for (method, target) in [
        (Method::GET, "/api/private/stem/subject?limit=1"),
        (Method::POST, "/api/private/stem/subject"),
        (Method::GET, "/api/private/stem/subject/0cdaf69d-63cf-429f-b549-fc0cc163d046"),
    ] {
        let answer = anyone.send(method, target, None).await;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mark = if query.is_empty() { "" } else { "?" };
        assert_eq!(answer.status, 301);
        assert_eq!(answer.headers["location"], format!("{path}/{mark}{query}").as_str());
    }
}

#[tokio::test]
async fn tokens_come_before_404_and_400() {
    let sandbox = start().await;
    let anyone = Caller::new(sandbox.brainstem(), None);
    let legacy = format!("Token {BRAINSTEM_TOKEN}");
    let missing = "Authentication credentials were not provided.";
    for (authorization, message) in
        [(None, missing), (Some(legacy.as_str()), missing), (Some("Bearer wrong"), "Invalid token.")]
    {
        let caller = anyone.with(authorization);
        for target in [SUBJECTS.to_owned(), format!("{SUBJECTS}?filter{{foo}}=1"), format!("{SUBJECTS}none/")] {
            let answer = caller.get(&target).await;
            assert_eq!((answer.status, answer.body), (401, json!({ "detail": message })));
        }
    }
    let older = start_legacy().await;
    assert_eq!(Caller::brainstem(&older).get(SUBJECTS).await.status, 401);
    assert_eq!(Caller::legacy(&older).get(SUBJECTS).await.status, 200);
}

#[tokio::test]
async fn html_comes_to_those_who_do_not_ask_for_json() {
    let sandbox = start().await;
    for (accept, target, status, is_html) in [
        ("application/json", SUBJECTS, 200, false),
        ("*/*", SUBJECTS, 200, false),
        ("text/html", SUBJECTS, 200, true),
        ("text/html, application/json", SUBJECTS, 200, false),
        ("application/json", "/api/private/stem/unknown/", 404, false),
        ("*/*", "/api/private/stem/unknown/", 404, true),
        ("*/*", "/api/super/stem/subject/", 404, true),
        ("application/json", "/api/private/stem/subject/malformed/", 404, false),
    ] {
        let answer = Caller::brainstem(&sandbox).accepting(accept).get(target).await;
        assert_eq!((answer.status, answer.is_html()), (status, is_html), "{accept} {target}");
    }
}

#[tokio::test]
async fn every_model_is_served_under_its_own_keys() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    for (path, list, singular) in [
        ("stem/subject", "subjects", "subject"),
        ("stem/project", "projects", "project"),
        ("stem/breeding", "breedings", "breeding"),
        ("stem/cohort", "cohorts", "cohort"),
        ("modules/procedure", "procedures", "procedure"),
        ("modules/subjectlog", "subject_logs", "subject_log"),
        ("taxonomies/strain", "strains", "strain"),
        ("taxonomies/species", "species", "species"),
        ("taxonomies/brainregion", "brain_regions", "brain_region"),
        ("resources/supplier", "suppliers", "supplier"),
        ("personal_attributes/license", "licenses", "license"),
    ] {
        let answer = caller.get(&format!("/api/private/{path}/?limit=1")).await;
        assert_eq!(answer.body["count"], sandbox.brainstem().records(list).len(), "{list}");
        let one = caller.get(&format!("/api/private/{path}/{}/", answer.ids(list)[0])).await;
        assert_eq!(one.body, json!({ singular: answer.list(list)[0] }));
    }
}
