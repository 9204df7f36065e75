//! BrainSTEM: what each portal and token sees and may change.

use serde_json::{Value, json};
use subject_gateway::sandbox::{BRAINSTEM_OTHER_TOKEN, READ_ONLY_PROJECT};

use super::util::{Answer, Caller, start, start_legacy};

async fn count(caller: &Caller, path: &str) -> u64 {
    caller.get(&format!("{path}?limit=1")).await.body["count"].as_u64().unwrap()
}

fn in_project(answer: &Answer, project: &str) -> bool {
    let subjects = answer.list("subjects").iter();
    let mut lists = subjects.map(|subject| subject["projects"].as_array().unwrap());
    lists.all(|projects| projects.iter().any(|id| id == project))
}

#[tokio::test]
async fn the_public_portal_is_read_only_and_shows_public_projects() {
    let sandbox = start().await;
    let anyone = Caller::new(sandbox.brainstem(), None);
    let private = Caller::brainstem(&sandbox);
    for (model, all) in [("stem/subject", 300), ("stem/project", 14), ("personal_attributes/license", 5)] {
        let public = count(&anyone, &format!("/api/public/{model}/")).await;
        assert!(0 < public && public < all, "{model}: {public}");
        assert_eq!(count(&private, &format!("/api/private/{model}/")).await, all);
    }
    let projects = anyone.get("/api/public/stem/project/").await;
    assert!(projects.list("projects").iter().all(|project| project["is_public"] == true));
    let path = "/api/public/stem/subject/";
    assert_eq!(anyone.post(path, &json!({ "name": "no" })).await.status, 403);
    assert_eq!(private.delete(&format!("{path}0cdaf69d-63cf-429f-b549-fc0cc163d046/")).await.status, 403);

    // A public record may point to records that are not: those are not sideloaded.
    let answer = anyone.get(&format!("{path}?limit=100&include[]=projects.*")).await;
    assert!(answer.list("projects").iter().all(|project| project["is_public"] == true));
    let hidden = sandbox.brainstem().records("subjects").into_iter().find(|subject| {
        let projects = subject["projects"].as_array().unwrap();
        let public = projects.iter().any(|id| projects_public(&sandbox.brainstem().records("projects"), id));
        !public
    });
    let hidden = hidden.unwrap();
    let target = format!("{path}{}/", hidden["id"].as_str().unwrap());
    assert_eq!(anyone.get(&target).await.status, 404);
}

fn projects_public(projects: &[Value], id: &Value) -> bool {
    projects.iter().any(|project| project["id"] == *id && project["is_public"] == true)
}

#[tokio::test]
async fn another_token_sees_its_own_projects() {
    let sandbox = start().await;
    let other = Caller::new(sandbox.brainstem(), Some(format!("Bearer {BRAINSTEM_OTHER_TOKEN}")));
    let path = "/api/private/stem/subject/";
    let seen = count(&other, path).await;
    assert!(0 < seen && seen < 150, "{seen}");
    assert_eq!(count(&other, "/api/private/stem/project/").await, 3);
    let first = format!("{path}0cdaf69d-63cf-429f-b549-fc0cc163d046/");
    assert_eq!(other.get(&first).await.status, 404);
    assert_eq!(other.patch(&first, &json!({ "description": "mine" })).await.status, 404);
    let procedures = other.get("/api/private/modules/procedure/?limit=100&include[]=subject.*").await;
    assert!(
        procedures.list("procedures").iter().all(|procedure| {
            procedures.list("subjects").iter().any(|subject| subject["id"] == procedure["subject"])
        })
    );
    // What it may not see it can't refer to either.
    let body = json!({ "name": "x", "sex": "F", "projects": ["c4b8a90b-2963-4d13-aa07-b6f497252dde"] });
    let answer = other.post(path, &body).await;
    assert!(answer.status == 400 && answer.body["projects"].is_array());
}

#[tokio::test]
async fn some_may_look_but_not_touch() {
    let sandbox = start().await;
    let path = "/api/private/stem/subject/";
    for token in [None, Some(format!("Bearer {BRAINSTEM_OTHER_TOKEN}"))] {
        let caller = match &token {
            Some(token) => Caller::new(sandbox.brainstem(), Some(token.clone())),
            None => Caller::brainstem(&sandbox),
        };
        let answer = caller.get(&format!("{path}?filter{{projects.id}}={READ_ONLY_PROJECT}")).await;
        assert!(in_project(&answer, READ_ONLY_PROJECT));
        let only = answer.list("subjects").iter().find(|subject| subject["projects"] == json!([READ_ONLY_PROJECT]));
        let target = format!("{path}{}/", only.unwrap()["id"].as_str().unwrap());
        assert_eq!(caller.patch(&target, &json!({ "description": "x" })).await.status, 403);
        assert_eq!(caller.delete(&target).await.status, 403);
    }
}

#[tokio::test]
async fn older_servers_have_a_super_portal() {
    let sandbox = start_legacy().await;
    let path = "/api/super/stem/subject/";
    assert_eq!(Caller::legacy(&sandbox).get(path).await.status, 200);
    let other = Caller::new(sandbox.brainstem(), Some(format!("Token {BRAINSTEM_OTHER_TOKEN}")));
    assert_eq!(other.get(path).await.status, 403);
    assert_eq!(Caller::new(sandbox.brainstem(), None).get(path).await.status, 401);
}
