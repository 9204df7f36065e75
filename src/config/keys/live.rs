//! Which keys may change while the gateway runs. What takes them over is `App::reload`.

use super::Key;

/// By `section.key`. All other keys count at the start alone: what they make is built once, or belongs to connections that exist.
const LIVE: [&str; 22] = [
    "limits.deadline_ms",
    "limits.body_bytes",
    "limits.body_ms",
    "limits.operations",
    "limits.rate",
    "limits.burst",
    "limits.connections",
    "limits.subscriptions",
    "limits.init_ms",
    "limits.batch",
    "limits.document_bytes",
    "limits.tokens",
    "limits.depth",
    "limits.introspection_depth",
    "limits.aliases",
    "limits.directives",
    "limits.root_fields",
    "limits.fields",
    "limits.variables_bytes",
    "limits.variables_depth",
    "limits.cost",
    "limits.max_cost",
];

impl Key {
    /// Whether a changed value counts from a reload on, without a restart.
    pub fn is_live(&self) -> bool {
        LIVE.contains(&self.path().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::key, LIVE};

    #[test]
    fn they_are_keys() {
        assert!(LIVE.into_iter().all(|path| key(path).is_live()));
        assert!(!key("gateway.listen").is_live());
    }
}
