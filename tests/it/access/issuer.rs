//! An issuer of tokens: its keys, what it signs with them, and where it publishes them.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{
        self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
        KeyPair as _, RsaEncoding, RsaKeyPair,
    },
};
use serde_json::{Value, json};
use subject_gateway::http::server;
use tokio::net::TcpListener;

use crate::util::{Builder, TestApp};

pub(crate) const ISSUER: &str = "https://issuer.example/";
pub(crate) const AUDIENCE: &str = "subject-gateway";
/// 2100-01-01.
pub(crate) const FAR: u64 = 4_102_444_800;

/// A key of the issuer's.
pub(crate) struct Key {
    pub(crate) id: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec { curve: &'static str, pair: EcdsaKeyPair },
    Ed(Ed25519KeyPair),
}

impl Key {
    /// The only RSA key there is.
    pub(crate) fn rsa(id: &'static str) -> Self {
        let pair = RsaKeyPair::from_pkcs8(include_bytes!("../../fixtures/jwt/rsa.der")).unwrap();
        Self { id, pair: Pair::Rsa(pair) }
    }

    /// A new key.
    pub(crate) fn p256(id: &'static str) -> Self {
        Self::ec(id, "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    pub(crate) fn p384(id: &'static str) -> Self {
        Self::ec(id, "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING)
    }

    pub(crate) fn ed25519(id: &'static str) -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { id, pair: Pair::Ed(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap()) }
    }

    fn ec(id: &'static str, curve: &'static str, algorithm: &'static signature::EcdsaSigningAlgorithm) -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).unwrap();
        Self { id, pair: Pair::Ec { curve, pair } }
    }

    /// Its public half as a JWK.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let PublicKeyComponents::<Vec<u8>> { n, e } = pair.public().into();
                json!({"kty": "RSA", "n": text(&n), "e": text(&e)})
            }
            Pair::Ec { curve, pair } => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y)})
            }
            Pair::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())}),
        };
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The algorithm that it is usually used with.
    fn algorithm(&self) -> &'static str {
        match &self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ec { curve: "P-256", .. } => "ES256",
            Pair::Ec { .. } => "ES384",
            Pair::Ed(_) => "EdDSA",
        }
    }

    /// A token with these claims beside those that every good one has.
    pub(crate) fn token(&self, claims: Value) -> String {
        self.token_as(json!({"alg": self.algorithm()}), claims)
    }

    /// The same with a header's own members; null takes a member or claim away.
    pub(crate) fn token_as(&self, header: Value, claims: Value) -> String {
        let usual = json!({"typ": "JWT", "kid": self.id, "alg": self.algorithm()});
        let header = with(usual, header);
        let algorithm = header["alg"].as_str().unwrap_or_default().to_owned();
        let message = message(&header, &with(usual_claims(), claims));
        let signature = self.sign(&algorithm, message.as_bytes());
        format!("{message}.{}", text(&signature))
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding(algorithm), &random, message, &mut signature).unwrap();
                signature
            }
            Pair::Ec { pair, .. } => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

fn padding(algorithm: &str) -> &'static dyn RsaEncoding {
    match algorithm {
        "RS384" => &signature::RSA_PKCS1_SHA384,
        "RS512" => &signature::RSA_PKCS1_SHA512,
        "PS256" => &signature::RSA_PSS_SHA256,
        "PS384" => &signature::RSA_PSS_SHA384,
        "PS512" => &signature::RSA_PSS_SHA512,
        _ => &signature::RSA_PKCS1_SHA256,
    }
}

fn usual_claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "exp": FAR, "sub": "ada@example.org", "scope": "openid subjects:read"})
}

fn with(mut usual: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("expected members: {more}") };
    let members = usual.as_object_mut().unwrap();
    for (name, value) in more {
        if value.is_null() {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
    }
    usual
}

/// What is signed.
fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()))
}

/// A token that is signed by no key: with what comes out of `sign`.
pub(crate) fn forged(header: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = message(header, &usual_claims());
    let signature = sign(message.as_bytes());
    format!("{message}.{}", text(&signature))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn set(keys: &[&Key]) -> Value {
    json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()})
}

/// How the issuer answers who asks for its keys.
#[derive(Clone)]
pub(crate) enum Answer {
    Text(String),
    Status(u16),
    /// To this address.
    Redirect(String),
}

/// A server of keys on loopback.
pub(crate) struct Jwks {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    asked: AtomicUsize,
    answer: Mutex<Answer>,
}

impl Jwks {
    pub(crate) async fn start(keys: &[&Key]) -> Self {
        let answer = Mutex::new(Answer::Text(set(keys).to_string()));
        let state = Arc::new(State { asked: AtomicUsize::new(0), answer });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys?tenant=lab", listener.local_addr().unwrap());
        let shared = Arc::clone(&state);
        let router = Router::new().fallback(async move || shared.respond());
        tokio::spawn(server::serve(listener, router, std::future::pending(), server::Terms::default()));
        Self { url, state }
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn publish(&self, keys: &[&Key]) {
        self.answer(Answer::Text(set(keys).to_string()));
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.state.answer.lock().unwrap() = answer;
    }

    pub(crate) fn builder(&self) -> Builder {
        builder().set("JWT_JWKS_URL", &self.url)
    }
}

/// A gateway for the issuer's tokens that is still to be told of its keys.
pub(crate) fn builder() -> Builder {
    TestApp::builder()
        .set("GATEWAY_AUTH", "jwt")
        .set("JWT_ISSUER", ISSUER)
        .set("JWT_AUDIENCE", format!("somebody-else,{AUDIENCE}"))
}

impl State {
    fn respond(&self) -> Response {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.answer.lock().unwrap().clone() {
            Answer::Text(text) => text.into_response(),
            Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
            Answer::Redirect(address) => (StatusCode::FOUND, [(LOCATION, address)]).into_response(),
        }
    }
}
