//! Writes with what the caller brings, and what they do to what others are shown.

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::{
    ALL, By, FEW, MIXED, Tenant, ask, query,
    tenants::{Seen, alone, patient, queries},
};
use crate::{
    util::TestApp,
    writes::{animal_id, person_id},
};

fn mutation(id: &str, input: &str) -> String {
    format!(
        "mutation {{ subjectUpdate(id: \"{id}\", input: {{{input}}}) {{ subject {{ id }} userErrors {{ code }} }} }}"
    )
}

#[tokio::test]
async fn a_write_is_its_callers_own() {
    let app = TestApp::builder().forward().build().await;
    let seen = Seen::of(&app).await;
    let shared = animal_id(&seen.in_projects_of_both);
    let hidden = animal_id(&seen.hidden[0]);
    let person = person_id(&seen.hidden_person.0, &seen.hidden_person.1);
    for (tenant, id, input, is_done) in [
        (FEW, &shared, "brainStem: {tags: [\"few\"]}", true),
        (ALL, &shared, "brainStem: {tags: [\"all\"]}", true),
        (FEW, &hidden, "brainStem: {tags: [\"few\"]}", false),
        (FEW, &person, "hautAi: {name: \"few\"}", false),
        (MIXED, &person, "hautAi: {name: \"mixed\"}", true),
    ] {
        app.clear_logs();
        let answer = query(&app.app, tenant, &mutation(id, input)).await;
        let payload = &answer["data"]["subjectUpdate"];
        let expected = if is_done { json!([]) } else { json!([{"code": "NOT_FOUND"}]) };
        assert_eq!((&payload["userErrors"], payload["subject"].is_object()), (&expected, is_done), "{answer}");
        let log = [app.haut_ai().log(), app.brainstem().log()].concat();
        let written = log.iter().find(|asked| asked.method == "PATCH").unwrap();
        let token = if id == &person { tenant.haut_ai } else { tenant.brainstem };
        assert_eq!(written.authorization, token.map(|token| format!("Bearer {token}")));
    }
}

/// Readers of all tenants go on while others write; what is answered after a write shows it, as far as each may see.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_write_of_one_each_reads_anew_what_it_may_see() {
    let app = patient(TestApp::builder()).build().await;
    let seen = Seen::of(&app).await;
    // Each second one is enough of all kinds.
    let queries: Vec<Value> = queries(&app).await.into_iter().step_by(2).collect();
    let (shared, hidden) = (animal_id(&seen.in_projects_of_both), animal_id(&seen.hidden[0]));
    app.brainstem().set_knobs(|knobs| knobs.latency = std::time::Duration::from_millis(2));
    let ask_all = async |tenant: Tenant| {
        for body in &queries {
            ask(&app.app, tenant, By::Post, body).await;
        }
    };
    for (number, (writer, id)) in
        [(ALL, &hidden), (FEW, &shared), (MIXED, &shared), (ALL, &shared)].into_iter().enumerate()
    {
        let write = async {
            let input = format!("brainStem: {{tags: [\"{number}\"], description: \"of {number}\"}}");
            let answer = query(&app.app, writer, &mutation(id, &input)).await;
            assert_eq!(answer["data"]["subjectUpdate"]["userErrors"], json!([]), "{answer}");
            let text = json!({"query": "query($id: ID!) { subject(by: {id: $id}) { tags } }", "variables": {"id": id}});
            for tenant in [ALL, FEW, MIXED] {
                let tags = ask(&app.app, tenant, By::Post, &text).await["data"]["subject"]["tags"].clone();
                let is_seen = tenant == ALL || id == &shared;
                assert_eq!(tags, if is_seen { json!([number.to_string()]) } else { Value::Null }, "{tenant:?}");
            }
        };
        tokio::join!(ask_all(ALL), ask_all(FEW), ask_all(MIXED), write);
        for tenant in [ALL, FEW, MIXED] {
            let answers = stream::iter(&queries).map(async |body| {
                let (shared, alone) = (ask(&app.app, tenant, By::Post, body).await, alone(&app, tenant, body).await);
                assert_eq!(shared, alone, "{tenant:?}: {body}");
            });
            answers.buffered(4).collect::<()>().await;
        }
    }
}
