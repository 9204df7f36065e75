//! A JWK set: which of its keys verifies what. Pure.

use anyhow::{Context as _, ensure};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

/// More than any issuer has; tokens make the gateway look through them.
const MOST: usize = 100;

/// The keys of a set that can be used here.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<PublicKey>,
}

#[derive(Debug)]
struct PublicKey {
    id: Option<String>,
    /// Never none.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// Why no key was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    /// There is no key of that id: there may be by now.
    Unknown,
    /// The key is not made for the algorithm, or none is named and more than one may be meant.
    Unfit,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a set. Keys that can't be used with one of these algorithms are passed over: a set may also have keys for
    /// encryption, and such as are not known here.
    pub(super) fn read(text: &[u8], allowed: &[Algorithm]) -> anyhow::Result<Self> {
        // The parser's words quote what it found.
        let document: Option<Document> = serde_json::from_slice(text).ok();
        let Document { keys } = document.context("it is no JWK set: expected an object with a list in `keys`")?;
        ensure!(keys.len() <= MOST, "it has more than {MOST} keys");
        let keys: Vec<_> = keys.into_iter().filter_map(|key| PublicKey::read(key, allowed)).collect();
        ensure!(!keys.is_empty(), "it has no public key for the algorithms in JWT_ALGORITHMS");
        Ok(Self { keys })
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key of that id, if it is made for the algorithm. A token that names none is taken to mean the only one that is.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&DecodingKey, Missed> {
        let is_meant = |key: &&PublicKey| id.is_none() || key.id.as_deref() == id;
        if !self.keys.iter().any(|key| is_meant(&key)) {
            return Err(Missed::Unknown);
        }
        let mut fit = self.keys.iter().filter(is_meant).filter(|key| key.algorithms.contains(&algorithm));
        match (fit.next(), fit.next()) {
            (Some(only), None) => Ok(&only.key),
            _ => Err(Missed::Unfit),
        }
    }
}

impl PublicKey {
    fn read(key: Value, allowed: &[Algorithm]) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(key).ok()?;
        let algorithms: Vec<_> = allowed.iter().copied().filter(|algorithm| fits(&jwk, *algorithm)).collect();
        if algorithms.is_empty() {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { id: jwk.common.key_id, algorithms, key })
    }
}

/// Whether the key's kind and everything it says of itself are for this algorithm.
fn fits(jwk: &Jwk, algorithm: Algorithm) -> bool {
    let is_of_kind = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => algorithm.family() == AlgorithmFamily::Rsa,
        AlgorithmParameters::EllipticCurve(key) => match algorithm {
            Algorithm::ES256 => key.curve == EllipticCurve::P256,
            Algorithm::ES384 => key.curve == EllipticCurve::P384,
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(key) => algorithm == Algorithm::EdDSA && key.curve == EllipticCurve::Ed25519,
        _ => false,
    };
    let common = &jwk.common;
    let is_for_it = common.key_algorithm.is_none_or(|named| named == algorithm.into());
    let is_for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let may_verify = common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    is_of_kind && is_for_it && is_for_signatures && may_verify
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALL: [Algorithm; 4] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

    fn read(keys: &Value) -> anyhow::Result<KeySet> {
        KeySet::read(json!({ "keys": keys }).to_string().as_bytes(), &ALL)
    }

    /// The algorithms of a key with these members.
    fn algorithms(key: &Value) -> Vec<Algorithm> {
        read(&json!([key])).map(|set| set.keys[0].algorithms.clone()).unwrap_or_default()
    }

    #[test]
    fn a_key_is_for_what_its_kind_and_its_words_say() {
        use Algorithm::{ES256, EdDSA, PS256, RS256};
        let rsa = |more: Value| {
            let mut key = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
            key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            algorithms(&key)
        };
        assert_eq!(rsa(json!({})), [RS256, PS256]);
        assert_eq!(rsa(json!({"alg": "RS256", "use": "sig", "key_ops": ["verify"], "x5c": ["MII"]})), [RS256]);
        for unfit in [
            json!({"use": "enc"}),
            json!({"alg": "RSA-OAEP"}),
            json!({"alg": "HS256"}),
            json!({"alg": "none"}),
            json!({"key_ops": ["encrypt"]}),
            json!({"use": "sig", "key_ops": ["sign"]}),
            json!({"n": "*"}),
            json!({"n": 7}),
        ] {
            assert_eq!(rsa(unfit.clone()), [], "{unfit}");
        }
        assert_eq!(algorithms(&json!({"kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB"})), [ES256]);
        assert_eq!(algorithms(&json!({"kty": "OKP", "crv": "Ed25519", "x": "AQAB"})), [EdDSA]);
        for unfit in [
            json!({"kty": "EC", "crv": "P-384", "x": "AQAB", "y": "AQAB"}),
            json!({"kty": "EC", "crv": "secp256k1", "x": "AQAB", "y": "AQAB"}),
            json!({"kty": "OKP", "crv": "X25519", "x": "AQAB"}),
            json!({"kty": "oct", "k": "AQAB"}),
            json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AQAB"}),
            json!("RSA"),
        ] {
            assert_eq!(algorithms(&unfit), [], "{unfit}");
        }
    }

    #[test]
    fn a_key_is_found_by_its_id_and_one_that_is_not_clear_is_not() {
        let key = |id: Value, kind: &str| match kind {
            "RSA" => json!({"kid": id, "kty": "RSA", "n": "AQAB", "e": "AQAB"}),
            _ => json!({"kid": id, "kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB"}),
        };
        let found = |set: &KeySet, id: Option<&str>, algorithm| set.find(id, algorithm).map(DecodingKey::family);
        let set = read(&json!([key(json!("a"), "RSA"), key(json!("b"), "EC"), key(json!(null), "EC")])).unwrap();
        assert_eq!(found(&set, Some("a"), Algorithm::RS256), Ok(AlgorithmFamily::Rsa));
        assert_eq!(found(&set, Some("b"), Algorithm::ES256), Ok(AlgorithmFamily::Ec));
        assert_eq!(found(&set, Some("b"), Algorithm::RS256), Err(Missed::Unfit));
        assert_eq!(found(&set, Some("c"), Algorithm::RS256), Err(Missed::Unknown));
        assert_eq!(found(&set, None, Algorithm::RS256), Ok(AlgorithmFamily::Rsa));
        assert_eq!(found(&set, None, Algorithm::ES256), Err(Missed::Unfit));
        // An id that is used twice is only good for keys of different kinds.
        let set = read(&json!([key(json!("a"), "RSA"), key(json!("a"), "EC"), key(json!("a"), "EC")])).unwrap();
        assert_eq!(found(&set, Some("a"), Algorithm::RS256), Ok(AlgorithmFamily::Rsa));
        assert_eq!(found(&set, Some("a"), Algorithm::ES256), Err(Missed::Unfit));
    }

    #[test]
    fn what_is_no_set_is_refused_and_not_quoted() {
        let rsa = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
        assert_eq!(read(&json!(vec![rsa.clone(); MOST])).unwrap().len(), MOST);
        let many = json!({"keys": vec![rsa; MOST + 1]}).to_string();
        let table = [
            ("", "no JWK set"),
            ("<html>secret</html>", "no JWK set"),
            ("{\"keys\": {\"secret\": 1}}", "no JWK set"),
            ("{\"keys\": []}", "no public key"),
            ("{\"keys\": [{\"kty\": \"oct\", \"k\": \"secret\"}]}", "no public key"),
            (many.as_str(), "more than 100 keys"),
        ];
        for (text, expected) in table {
            let error = format!("{:#}", KeySet::read(text.as_bytes(), &ALL).unwrap_err());
            assert!(error.contains(expected) && !error.contains("secret"), "{error}");
        }
    }
}
