//! Where replicas share what they keep, and what that needs.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretBox};

use super::{Reader, values};
use crate::config::{Redis, fault::Fault};

pub(super) fn redis(reader: &mut Reader) -> Option<Redis> {
    let urls = reader.secret("redis.url");
    let key = reader.secret("redis.encryption_key");
    let timeout = reader.value("redis.timeout_ms", values::millis);
    if !reader.is_any_set(&["redis.url"]) {
        if reader.is_any_set(&["redis.encryption_key"]) {
            reader.fault(Fault::of("REDIS_URL", "is missing; needed beside REDIS_ENCRYPTION_KEY"));
        }
        return None;
    }
    if !reader.is_any_set(&["redis.encryption_key"]) {
        let problem = "is missing; required with REDIS_URL, because what is shared are personal data and tokens (`openssl rand \
                       -base64 32` makes one)";
        reader.fault(Fault::of("REDIS_ENCRYPTION_KEY", problem));
    }
    let key = values::encryption_key(key?.expose_secret())?;
    let urls = urls?.expose_secret().split(',').map(|url| url.trim().into()).collect();
    Some(Redis { urls, key: Arc::new(SecretBox::new(Box::new(key))), timeout })
}
