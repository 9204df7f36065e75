//! What one replica changed, all know.

use super::*;

#[tokio::test]
async fn a_write_is_seen_through_every_replica() {
    let fleet = Fleet::of(3).await;
    for replica in &fleet.replicas {
        replica.query(&subject(ANIMAL)).await;
    }
    for (number, writer) in fleet.replicas.iter().enumerate() {
        let text = format!("written through {number}");
        let answer = writer.post(&update(ANIMAL, &text)).await;
        assert_eq!(answer["data"]["subjectUpdate"]["userErrors"], json!([]), "{answer}");
        for reader in &fleet.replicas {
            fleet::eventually(async || (description(&reader.query(&subject(ANIMAL)).await) == text).then_some(()))
                .await;
        }
    }
}
