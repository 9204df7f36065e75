//! Values in a document, from apollo-compiler's types to async-graphql's.

use apollo_compiler::ast::Value;
use async_graphql::{Name, Number, Value as ConstValue};
use async_graphql_value::Value as InputValue;

/// A value without variables; `None` where there is one, or a number that no machine can hold.
pub(super) fn constant(value: &Value) -> Option<ConstValue> {
    input(value)?.into_const()
}

/// A value with something of any type in place of each variable.
pub(super) fn with_holes(value: &Value) -> Option<ConstValue> {
    input(value)?.into_const_with(|_| Ok::<_, ()>(ConstValue::Binary(bytes::Bytes::new()))).ok()
}

/// Any value; `None`: it holds a number that no machine can hold.
pub(super) fn input(value: &Value) -> Option<InputValue> {
    Some(match value {
        Value::Null => InputValue::Null,
        Value::Variable(name) => InputValue::Variable(Name::new(name)),
        Value::Boolean(value) => InputValue::Boolean(*value),
        Value::String(text) => InputValue::String(text.clone()),
        Value::Enum(name) => InputValue::Enum(Name::new(name)),
        Value::Int(number) => InputValue::Number(self::number(number.as_str())?),
        Value::Float(number) => InputValue::Number(self::number(number.as_str())?),
        Value::List(items) => InputValue::List(items.iter().map(|item| input(item)).collect::<Option<_>>()?),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| Some((Name::new(name), input(value)?)));
            InputValue::Object(fields.collect::<Option<_>>()?)
        }
    })
}

fn number(digits: &str) -> Option<Number> {
    digits.parse().ok()
}
