//! Keys of what replicas share.

use super::{unset, value};
use crate::config::keys::{Key, Kind, Section};

pub(super) const KEYS: &[Key] = &[
    unset(
        Section::Redis,
        "url",
        Kind::RedisUrls,
        "none: this gateway shares nothing",
        "A Redis (7.0 or newer), a Valkey, or nodes of a Cluster, through which replicas share what they keep and tell each \
         other what changed. Needs `encryption_key`.",
    ),
    unset(Section::Redis, "url_file", Kind::SecretFile, "none", "A file that holds the URL."),
    unset(
        Section::Redis,
        "encryption_key",
        Kind::EncryptionKey,
        "none",
        "With what is shared is encrypted before it is sent there: the same on all replicas. Required with `url`.",
    ),
    unset(Section::Redis, "encryption_key_file", Kind::SecretFile, "none", "A file that holds the key."),
    value(
        Section::Redis,
        "timeout_ms",
        Kind::Millis { min: 1, max: 10_000 },
        "150",
        "How long a request waits for Redis before it goes on without. After three such waits in a row it is not asked for 5 s.",
    ),
];
