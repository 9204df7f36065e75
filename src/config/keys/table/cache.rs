//! Keys of what is kept.

use super::{KEPT_FOR, bytes, value};
use crate::config::keys::{Key, Section};

pub(super) const KEYS: &[Key] = &[
    value(
        Section::Cache,
        "max_bytes",
        bytes(0, 1 << 40),
        "134217728",
        "Memory for what the upstreams answered: half of it for records, a quarter for stretches of lists, a quarter for \
         whole answers.",
    ),
    value(
        Section::Cache,
        "fresh_ms",
        KEPT_FOR,
        "10000",
        "How long a record is served without asking again; 0 turns all of the cache off.",
    ),
    value(
        Section::Cache,
        "stale_ms",
        KEPT_FOR,
        "30000",
        "How long after that a record is still served, while it is read anew.",
    ),
    value(
        Section::Cache,
        "stale_if_error_ms",
        KEPT_FOR,
        "600000",
        "How long after `fresh_ms` a record stands in where its source is out of order.",
    ),
    value(
        Section::Cache,
        "lists_fresh_ms",
        KEPT_FOR,
        "10000",
        "As `fresh_ms`, of lists of subjects and of what changes along with them.",
    ),
    value(Section::Cache, "lists_stale_ms", KEPT_FOR, "30000", "As `stale_ms`, of such lists."),
    value(Section::Cache, "lists_stale_if_error_ms", KEPT_FOR, "600000", "As `stale_if_error_ms`, of such lists."),
    value(
        Section::Cache,
        "reference_fresh_ms",
        KEPT_FOR,
        "300000",
        "As `fresh_ms`, of what changes rarely, and lists of it: strains, species, suppliers, licences, brain regions, datasets, the \
         dictionary of sexes.",
    ),
    value(Section::Cache, "reference_stale_ms", KEPT_FOR, "3600000", "As `stale_ms`, of what changes rarely."),
    value(
        Section::Cache,
        "reference_stale_if_error_ms",
        KEPT_FOR,
        "86400000",
        "As `stale_if_error_ms`, of what changes rarely.",
    ),
    value(Section::Cache, "absent_ms", KEPT_FOR, "2000", "How long “not there” is served without asking again."),
    value(
        Section::Cache,
        "persisted_bytes",
        bytes(65_536, 1 << 30),
        "8388608",
        "Memory for the queries that clients registered by automatic persisted queries.",
    ),
];
