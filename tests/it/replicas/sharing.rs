//! What one replica read, the others need not read.

use super::*;

#[tokio::test]
async fn one_cold_query_makes_the_requests_of_one_for_all_replicas() {
    let fleet = Fleet::of(3).await;
    let [first, second, third] = &fleet.replicas[..] else { panic!("three") };
    let answer = first.query(LIST).await;
    assert!(fleet.requests() > 0);
    first.shared(1).await;
    // The answer itself, and what it was made from for a question that nobody asked yet.
    eventually_shared(&fleet).await;
    assert_eq!(second.query(LIST).await, answer);
    let another = LIST.replace("nodes { id name", "nodes { name identifier");
    assert!(third.query(&another).await["data"]["subjects"]["nodes"][0]["projects"][0]["name"].is_string());
    assert_eq!(fleet.requests(), 0);
}

/// Until nothing more comes to Redis.
async fn eventually_shared(fleet: &Fleet) {
    let mut before = 0;
    fleet::eventually(async || {
        let now = fleet.replicas[0].metric("fills_total{outcome=\"kept\"}").await;
        let is_over = now > 0 && now == before;
        before = now;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        is_over.then_some(())
    })
    .await;
}
