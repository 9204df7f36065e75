//! The committed schema is the one that the program prints.

use std::{fs, path::Path};

use subject_gateway::schema;

/// `UPDATE_DOCS=1 cargo test --test it sdl` rewrites it.
#[test]
fn schema_graphql_is_what_the_code_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let printed = schema::sdl(false);
    #[expect(clippy::disallowed_methods, reason = "asks for no configuration, but what the test is to do")]
    if std::env::var("UPDATE_DOCS").is_ok() {
        fs::write(&path, &printed).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(committed == printed, "out of date: run `UPDATE_DOCS=1 cargo test --test it sdl`");
}
