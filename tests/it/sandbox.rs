//! The sandbox keeps to the upstreams' documentation: every trap that a client can step into is there.

mod util;

use serde_json::json;
use subject_gateway::sandbox::{
    BRAINSTEM_TOKEN, COMPANY_ID, DATASET_IDS, HAUT_AI_TOKEN, Options, SUBJECT_WITH_130_PROCEDURES, Sandbox,
};

use self::util::{Caller, start};

#[tokio::test]
async fn both_upstreams_answer_with_full_records() {
    let sandbox = start().await;
    for (dataset, count) in DATASET_IDS.iter().zip([180, 37, 0]) {
        let path = format!("/api/v1/companies/{COMPANY_ID}/datasets/{dataset}/subjects/");
        let answer = Caller::haut_ai(&sandbox).get(&path).await;
        assert_eq!((answer.status, &answer.body["count"]), (200, &json!(count)));
    }
    let brainstem = Caller::brainstem(&sandbox);
    let answer = brainstem.get("/api/private/stem/subject/?limit=1").await;
    assert_eq!((answer.status, &answer.body["count"]), (200, &json!(300)));
    let path = format!("/api/private/stem/subject/{SUBJECT_WITH_130_PROCEDURES}/procedures/");
    let answer = brainstem.get(&path).await;
    assert_eq!(answer.list("procedures").len(), 130);
}
