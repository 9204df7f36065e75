//! Reading JSON that may be odd: whatever stands in one field, the record survives it.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};
use uuid::Uuid;

/// A text. Numbers and booleans count as their text, a list or an object as its JSON, null and `""` as not given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Text(pub(super) Option<String>);

/// An id, or the record that it stands for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Reference {
    /// Null, `""`, or missing.
    #[default]
    Nothing,
    Id(Uuid),
    /// Some servers embed the record in place of its id.
    Embedded(Value),
    /// Neither.
    Odd(String),
}

/// A list of references; one alone counts as a list of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct References(pub(super) Vec<Reference>);

/// Any JSON as it stands there. `serde_json`'s own reading would take an object with a certain key for a text to be parsed
/// again.
struct Plain(Value);

/// Any JSON, null being not given. What is nested deeper than can be read is not given either, where [`record`] reads it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct AnyJson(pub(super) Option<Value>);

/// A list of texts; one alone counts as a list of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Texts(pub(super) Vec<String>);

/// true or false; anything else counts as not given.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Flag(pub(super) Option<bool>);

/// A whole number, also as text; anything else counts as not given.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Whole(pub(super) Option<i64>);

/// Reads one record. Where that fails as a whole, field by field: of a key that stands there twice the last one counts,
/// and a field that can't be read at all (nested too deep) is left out.
pub(super) fn record<T: DeserializeOwned>(json: &str) -> serde_json::Result<T> {
    serde_json::from_str(json).or_else(|_| {
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json)?;
        let readable = fields.into_iter().filter_map(|(key, raw)| {
            let Plain(value) = serde_json::from_str(raw.get()).ok()?;
            Some((key, value))
        });
        serde_json::from_value(Value::Object(readable.collect()))
    })
}

impl Reference {
    fn from_text(text: &str) -> Self {
        if text.is_empty() {
            return Self::Nothing;
        }
        Uuid::try_parse(text).map_or_else(|_| Self::Odd(text.to_owned()), Self::Id)
    }

    /// The id, be it alone or in the embedded record.
    pub(super) fn uuid(&self) -> Option<Uuid> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Embedded(record) => Uuid::try_parse(record.get("id")?.as_str()?).ok(),
            Self::Nothing | Self::Odd(_) => None,
        }
    }

    /// The id as the upstream wrote it, for records that the gateway does not serve.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Odd(text) => Some(text.clone()),
            _ => self.uuid().map(|id| id.to_string()),
        }
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Plain, E> {
        Ok(Plain(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Plain, E> {
        Ok(Plain(text.into()))
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Plain, A::Error> {
        let mut items = Vec::new();
        while let Some(Plain(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Plain(Value::Array(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain, A::Error> {
        let mut fields = Map::new();
        while let Some((key, Plain(value))) = map.next_entry()? {
            fields.insert(key, value);
        }
        Ok(Plain(Value::Object(fields)))
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text((!text.is_empty()).then(|| text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Text, E> {
        Ok(Text((!text.is_empty()).then_some(text)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Text, E> {
        Ok(Text(Some(value.to_string())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Text, E> {
        Ok(Text(Some(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Text, E> {
        Ok(Text(Some(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Text, E> {
        Ok(Text(Some(value.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text, A::Error> {
        let mut items = Vec::new();
        while let Some(Plain(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Text(Some(Value::Array(items).to_string())))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text, A::Error> {
        let Plain(value) = PlainVisitor.visit_map(map)?;
        Ok(Text(Some(value.to_string())))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct ReferenceVisitor;

impl<'de> Visitor<'de> for ReferenceVisitor {
    type Value = Reference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id or a record")
    }

    fn visit_str<E>(self, text: &str) -> Result<Reference, E> {
        Ok(Reference::from_text(text))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Reference, E> {
        Ok(Reference::Odd(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Reference, E> {
        Ok(Reference::Odd(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Reference, E> {
        Ok(Reference::Odd(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Reference, E> {
        Ok(Reference::Odd(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Reference, E> {
        Ok(Reference::Nothing)
    }

    /// A list where one id belongs: its first.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Reference, A::Error> {
        let first = seq.next_element::<Reference>()?.unwrap_or_default();
        while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
        Ok(first)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Reference, A::Error> {
        PlainVisitor.visit_map(map).map(|Plain(value)| Reference::Embedded(value))
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReferenceVisitor)
    }
}

struct ReferencesVisitor;

impl<'de> Visitor<'de> for ReferencesVisitor {
    type Value = References;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of ids or records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<References, A::Error> {
        let mut items = Vec::with_capacity(seq.size_hint().unwrap_or(0));
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(References(items))
    }

    fn visit_unit<E>(self) -> Result<References, E> {
        Ok(References::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<References, E> {
        Ok(References(vec![Reference::from_text(text)]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<References, A::Error> {
        Ok(References(vec![ReferenceVisitor.visit_map(map)?]))
    }

    fn visit_bool<E>(self, _: bool) -> Result<References, E> {
        Ok(References::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<References, E> {
        Ok(References::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<References, E> {
        Ok(References::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<References, E> {
        Ok(References::default())
    }
}

impl<'de> Deserialize<'de> for References {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReferencesVisitor)
    }
}

impl<'de> Deserialize<'de> for AnyJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Plain(value) = Plain::deserialize(deserializer)?;
        Ok(Self(Some(value).filter(|value| !value.is_null())))
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let AnyJson(value) = AnyJson::deserialize(deserializer)?;
        let items = match value {
            Some(Value::Array(items)) => items,
            other => Vec::from_iter(other),
        };
        Ok(Self(items.into_iter().filter_map(into_text).collect()))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AnyJson::deserialize(deserializer).map(|AnyJson(value)| Self(value.and_then(|value| value.as_bool())))
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        Ok(Self(text.and_then(|text| text.parse().ok())))
    }
}

fn into_text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then_some(text),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check<T: DeserializeOwned + PartialEq + fmt::Debug>(json: &Value, expected: &T) {
        assert_eq!(&serde_json::from_str::<T>(&json.to_string()).unwrap(), expected, "{json}");
    }

    #[test]
    fn texts() {
        let text = |text: &str| Text(Some(text.to_owned()));
        check(&json!("a"), &text("a"));
        check(&json!(""), &Text(None));
        check(&json!(null), &Text(None));
        check(&json!(5), &text("5"));
        check(&json!(-5), &text("-5"));
        check(&json!(1.5), &text("1.5"));
        check(&json!(true), &text("true"));
        check(&json!(["a", 1]), &text(r#"["a",1]"#));
        check(&json!({"a": 1}), &text(r#"{"a":1}"#));
    }

    #[test]
    fn references() {
        let id = Uuid::from_u128(7);
        check(&json!(id), &Reference::Id(id));
        check(&json!(null), &Reference::Nothing);
        check(&json!(""), &Reference::Nothing);
        check(&json!("x"), &Reference::Odd("x".to_owned()));
        check(&json!(5), &Reference::Odd("5".to_owned()));
        check(&json!([id, "x"]), &Reference::Id(id));
        check(&json!({"id": id}), &Reference::Embedded(json!({"id": id})));
        check(
            &json!([id, {"id": id}, null]),
            &References(vec![Reference::Id(id), Reference::Embedded(json!({"id": id})), Reference::Nothing]),
        );
        check(&json!(id), &References(vec![Reference::Id(id)]));
        check(&json!(null), &References::default());
        check(&json!(5), &References::default());
    }

    #[test]
    fn lists_flags_and_numbers() {
        check(&json!(["a", "", null, 5]), &Texts(vec!["a".to_owned(), "5".to_owned()]));
        check(&json!("a"), &Texts(vec!["a".to_owned()]));
        check(&json!(null), &Texts::default());
        check(&json!(true), &Flag(Some(true)));
        check(&json!("yes"), &Flag(None));
        check(&json!("12"), &Whole(Some(12)));
        check(&json!(12), &Whole(Some(12)));
        check(&json!([]), &Whole(None));
    }

    #[test]
    fn too_deep_a_value_is_lost_alone() {
        #[derive(Debug, Default, Deserialize, PartialEq)]
        #[serde(default)]
        struct Record {
            name: Text,
            details: AnyJson,
        }
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let read: Record = record(&format!("{{\"details\": {deep}, \"name\": \"a\"}}")).unwrap();
        assert_eq!(read, Record { name: Text(Some("a".to_owned())), details: AnyJson(None) });
    }

    #[test]
    fn a_text_in_a_value_is_a_text_under_any_key() {
        let nesting = json!({"$serde_json::private::RawValue": "[1, 2]"});
        check(&json!([nesting]), &AnyJson(Some(json!([nesting]))));
        check(&nesting, &Reference::Embedded(nesting.clone()));
        check(&nesting, &Text(Some(nesting.to_string())));
    }
}
