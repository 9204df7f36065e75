//! Keys of what is counted, and where that is served.

use super::{unset, value};
use crate::config::keys::{Key, Kind, Section};

pub(super) const KEYS: &[Key] = &[
    unset(
        Section::Metrics,
        "listen",
        Kind::Listen,
        "`/metrics` is served where GraphQL is, to the scope `admin`",
        "Where `/metrics` and `/health/*` are served by themselves; nobody has to say who it is there, and `/metrics` is not \
         served where GraphQL is any more. Port 0 takes a free one.",
    ),
    value(
        Section::Metrics,
        "anywhere",
        Kind::Switch,
        "false",
        "Allows `METRICS_LISTEN` on an address that is not loopback: everybody who reaches it reads the metrics.",
    ),
    value(
        Section::Metrics,
        "operations",
        Kind::Names,
        "",
        "Operations that are counted by their names, beside those in the manifest of trusted documents; of all others the \
         metrics say `other`.",
    ),
];
