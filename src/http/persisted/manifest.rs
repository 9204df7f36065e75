//! The file of trusted documents, in the formats of the tools that write one. Pure: from a text to documents.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, from_str};

/// What Apollo's tool writes into `format`.
const APOLLO: &str = "apollo-persisted-query-manifest";

/// A document that clients may name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) id: String,
    /// Of its operation, where the manifest gives one.
    pub(super) name: Option<String>,
    pub(super) text: String,
}

/// As an operator finds it.
impl fmt::Display for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(formatter, "the operation `{name}` (`{}`)", self.id),
            None => write!(formatter, "the document `{}`", self.id),
        }
    }
}

/// The documents of a manifest; an error says in words for the operator what is wrong with it.
///
/// Apollo's format is told by its key `format`. Relay and GraphQL Code Generator write one object, from ids to texts.
pub(super) fn read(text: &str) -> Result<Vec<Document>, String> {
    let Entries(entries) = from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("expected a manifest, a JSON object (line {line}, column {column})")
    })?;
    if entries.iter().any(|(key, _)| key == "format") { apollo(&entries) } else { flat(entries) }
}

fn apollo(entries: &[(String, Value)]) -> Result<Vec<Document>, String> {
    let field = |name: &str| entries.iter().find(|(key, _)| key == name).map_or(&Value::Null, |(_, value)| value);
    let (format, version) = (field("format"), field("version"));
    if format != APOLLO || *version != 1 {
        return Err(format!(
            "the format `{format}` in version `{version}` is not known: expected \"{APOLLO}\" in version 1, or an object \
             from ids to documents"
        ));
    }
    let operations = field("operations").as_array().ok_or("expected an array in `operations`")?;
    let read = |(index, operation): (usize, &Value)| {
        let text = |name: &str| operation[name].as_str().map(str::to_owned);
        let missing = |name: &str| format!("operation {}: expected a string in `{name}`", index + 1);
        Ok(Document {
            id: text("id").ok_or_else(|| missing("id"))?,
            name: text("name"),
            text: text("body").ok_or_else(|| missing("body"))?,
        })
    };
    operations.iter().enumerate().map(read).collect()
}

fn flat(entries: Vec<(String, Value)>) -> Result<Vec<Document>, String> {
    let read = |(id, value)| match value {
        Value::String(text) => Ok(Document { id, name: None, text }),
        _ => Err(format!("the document `{id}`: expected its text, a string")),
    };
    entries.into_iter().map(read).collect()
}

/// An object's entries as they were written: a map would keep one of two that have the same key.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Entries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = object.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, read};

    fn document(id: &str, name: Option<&str>, text: &str) -> Document {
        Document { id: id.into(), name: name.map(Into::into), text: text.into() }
    }

    #[test]
    fn both_formats_are_read() {
        let apollo = r#"{"format":"apollo-persisted-query-manifest","version":1,"operations":[
            {"id":"a","name":"A","type":"query","body":"query A { a }"},
            {"id":"b","body":"{ b }","clientName":"web"}]}"#;
        let expected = [document("a", Some("A"), "query A { a }"), document("b", None, "{ b }")];
        assert_eq!(read(apollo).unwrap(), expected);

        let relay = r#"{"a":"query A { a }","a":"{ b }"}"#;
        assert_eq!(read(relay).unwrap(), [document("a", None, "query A { a }"), document("a", None, "{ b }")]);
        assert_eq!(read("{}").unwrap(), []);
    }

    #[test]
    fn what_is_no_manifest_is_told_with_the_place() {
        let table = [
            ("{\n\"a\": }", "expected a manifest, a JSON object (line 2, column 6)"),
            ("[]", "expected a manifest, a JSON object (line 1, column 0)"),
            (r#"{"a":{}}"#, "the document `a`: expected its text, a string"),
            (
                r#"{"format":"other","version":1}"#,
                "the format `\"other\"` in version `1` is not known: expected \"apollo-persisted-query-manifest\" in \
                 version 1, or an object from ids to documents",
            ),
            (
                r#"{"format":"apollo-persisted-query-manifest","version":2}"#,
                "the format `\"apollo-persisted-query-manifest\"` in version `2` is not known: expected \
                 \"apollo-persisted-query-manifest\" in version 1, or an object from ids to documents",
            ),
            (r#"{"format":"apollo-persisted-query-manifest","version":1}"#, "expected an array in `operations`"),
            (
                r#"{"format":"apollo-persisted-query-manifest","version":1,"operations":[{"id":"a","body":""},{"id":"b"}]}"#,
                "operation 2: expected a string in `body`",
            ),
        ];
        for (text, problem) in table {
            assert_eq!(read(text).unwrap_err(), problem, "{text}");
        }
    }
}
