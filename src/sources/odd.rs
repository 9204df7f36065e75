//! Odd JSON for property tests: as text, because much of it is no value of `serde_json`.

use proptest::prelude::*;

/// Any one JSON value, as a server may write it: well-formed, but too deep, too large or not Unicode where it may be.
pub(super) fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>()
            .prop_filter("JSON has no such number", |value| value.is_finite())
            .prop_map(|value| value.to_string()),
        prop_oneof![Just("1e999"), Just("-0"), Just("18446744073709551616"), Just("1.0"), Just("1E2")]
            .prop_map(str::to_owned),
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        any::<u128>().prop_map(|id| format!("\"{}\"", uuid::Uuid::from_u128(id))),
        prop_oneof![Just("\"\\ud800\""), Just("\"\\u0000\""), Just("\"2021-02-30\""), Just("\"\"")]
            .prop_map(str::to_owned),
        (1..300usize).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
        (1..300usize).prop_map(|depth| format!("{}1{}", "{\"id\":".repeat(depth), "}".repeat(depth))),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let key = prop_oneof![Just("id"), Just("name"), Just("value"), Just("details"), Just("")];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec((key, inner), 0..5).prop_map(|fields| {
                let fields: Vec<String> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

/// An object of these fields, the one at `odd` holding `value`.
pub(super) fn with_field(fields: &[(&str, &str)], odd: &str, value: &str) -> String {
    let mut fields: Vec<(&str, &str)> = fields.iter().copied().filter(|(name, _)| *name != odd).collect();
    fields.push((odd, value));
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}
