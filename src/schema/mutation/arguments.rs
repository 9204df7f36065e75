//! Arguments of mutations: one that can't be read fails its own field and no other.

use std::borrow::Cow;

use async_graphql::{InputType, InputValueResult, Value, registry::Registry};

use crate::schema::error::{Error, Result};

/// An argument as it was given, readable or not.
///
/// async-graphql answers `data: null` where an argument can't be read while the fields are carried out, and so would hide
/// what the fields before it have written. This one is refused by its own field.
pub(in crate::schema) struct Given<T>(Option<T>);

impl<T: InputType> Given<T> {
    /// The value; an error names the argument and what was expected.
    pub(in crate::schema) fn read(self, argument: &str) -> Result<T> {
        self.0.ok_or_else(|| {
            let expected = T::qualified_type_name();
            Error::BadUserInput(format!(
                "`{argument}` can't be read: expected {expected}, with exactly one of its fields where it is `@oneOf`."
            ))
        })
    }
}

impl<T: InputType> InputType for Given<T> {
    type RawValueType = T::RawValueType;

    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        Ok(Self(T::parse(value).ok()))
    }

    fn to_value(&self) -> Value {
        self.0.as_ref().map_or(Value::Null, T::to_value)
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        self.0.as_ref().and_then(T::as_raw_value)
    }
}
