//! Keys of the sources.

use super::{ONE_REQUEST, unset, value};
use crate::config::keys::{Key, Kind, Section};

pub(super) const KEYS: &[Key] = &[
    value(Section::HautAi, "url", Kind::Url, "https://saas.haut.ai", "The server, without the path of its API."),
    unset(
        Section::HautAi,
        "token",
        Kind::Token,
        "none",
        "A private token made in the portal; needs `company_id`. Configures the source.",
    ),
    unset(Section::HautAi, "token_file", Kind::SecretFile, "none", "A file that holds the token."),
    unset(
        Section::HautAi,
        "username",
        Kind::Secret,
        "none",
        "With `password`, instead of a token. Configures the source.",
    ),
    unset(Section::HautAi, "username_file", Kind::SecretFile, "none", "A file that holds the user name."),
    unset(Section::HautAi, "password", Kind::Secret, "none", "With `username`."),
    unset(Section::HautAi, "password_file", Kind::SecretFile, "none", "A file that holds the password."),
    unset(
        Section::HautAi,
        "company_id",
        Kind::Uuid,
        "from the login",
        "The company; required with a token, and with `GATEWAY_CREDENTIALS=forward`, where it configures the source.",
    ),
    unset(
        Section::HautAi,
        "dataset_ids",
        Kind::Uuids,
        "every dataset of the company",
        "The datasets to serve, and no other.",
    ),
    value(
        Section::HautAi,
        "biological_sexes_path",
        Kind::ApiPath,
        "api/v1/dicts/biological_sexes/",
        "Where the dictionary of biological sexes is; Haut.AI does not document it.",
    ),
    value(
        Section::HautAi,
        "q_covers_name",
        Kind::Switch,
        "true",
        "Trusts Haut.AI's search (`q`) to find every name that it should, which is not documented; off, names are compared \
         in the gateway alone.",
    ),
    value(
        Section::HautAi,
        "refresh_after_ms",
        Kind::Millis { min: 1_000, max: 86_400_000 },
        "3000000",
        "How long after a login its token is renewed. It lives about one hour, which is not documented exactly.",
    ),
    value(Section::HautAi, "timeout_ms", ONE_REQUEST, "10000", "One request, from connecting to the last byte."),
    value(
        Section::BrainStem,
        "url",
        Kind::Url,
        "https://www.brainstem.org",
        "The server, without the path of its API.",
    ),
    value(
        Section::BrainStem,
        "portal",
        Kind::Choice(&["private", "public", "super"]),
        "private",
        "`public` needs no token, configures the source by itself and reads only; `super` exists on legacy servers. With \
         `GATEWAY_CREDENTIALS=forward` each of them configures the source, once it is set.",
    ),
    unset(Section::BrainStem, "token", Kind::Token, "none", "A personal token. Configures the source."),
    unset(Section::BrainStem, "token_file", Kind::SecretFile, "none", "A file that holds the token."),
    value(
        Section::BrainStem,
        "auth_scheme",
        Kind::Choice(&["Bearer", "Token"]),
        "Bearer",
        "The word before the token; `Token` on older servers.",
    ),
    value(
        Section::BrainStem,
        "generation",
        Kind::Choice(&["current", "legacy"]),
        "current",
        "`legacy` reads and writes the shape from before the renaming.",
    ),
    value(
        Section::BrainStem,
        "sideload",
        Kind::Choice(&["auto", "true", "false"]),
        "auto",
        "Whether lists bring along the related records that a query selects (`include[]`): one round trip instead of one a \
         level. `auto`: where that is worth its while.",
    ),
    value(Section::BrainStem, "timeout_ms", ONE_REQUEST, "10000", "One request, from connecting to the last byte."),
];
