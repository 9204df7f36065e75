//! From Django REST framework's field errors to ours. Their words are never passed on: they quote what was sent.

use serde_json::Value;

use super::fields::message;
use crate::domain::{
    Source,
    write::{FieldError, FieldErrorCode},
};

/// Errors that are passed on at most.
const MAX_ERRORS: usize = 100;
/// How deep errors nest: a field, a part of it, and one more for good measure.
const MAX_DEPTH: usize = 4;
/// Where the framework puts errors of no one field.
const OF_NO_FIELD: [&str; 3] = ["non_field_errors", "detail", "__all__"];

/// A field that the caller knows.
pub(in crate::sources) struct Known {
    /// Its name in the input.
    pub(in crate::sources) input: &'static str,
    pub(in crate::sources) expected: &'static str,
}

/// Reads the body of a 400 to what was `sent`; `known` finds the field behind a name of the server's.
pub(in crate::sources) fn field_errors(
    of: Source,
    body: &[u8],
    sent: &Value,
    known: impl Fn(&str) -> Option<Known>,
) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = Vec::new();
    if let Ok(Value::Object(fields)) = serde_json::from_slice(body) {
        for (name, wrong) in fields {
            let mut found = Vec::new();
            let field = known(&name);
            gather(&wrong, &mut Vec::new(), &mut found);
            let is_of_no_field = OF_NO_FIELD.contains(&name.as_str());
            for (part, words) in found {
                let error = match &field {
                    Some(field) => of_field(field, parts_of(&sent[&name], part), code_of(words)),
                    None if is_of_no_field => of_no_field(of, code_of(words)),
                    None => of_no_field(of, FieldErrorCode::Invalid),
                };
                if errors.len() < MAX_ERRORS && !errors.contains(&error) {
                    errors.push(error);
                }
            }
        }
    }
    if errors.is_empty() {
        errors.push(of_no_field(of, FieldErrorCode::Invalid));
    }
    errors
}

/// As much of a path as is positions and keys that were sent. Other keys are the server's own words.
fn parts_of(mut value: &Value, mut path: Vec<String>) -> Vec<String> {
    let mut is_known = |part: &String| {
        let within = match part.parse::<u16>() {
            Ok(position) => value.get(usize::from(position)).or(Some(&Value::Null)),
            Err(_) => value.get(part),
        };
        value = within.unwrap_or(&Value::Null);
        within.is_some()
    };
    let known = path.iter().map_while(|part| is_known(part).then_some(())).count();
    path.truncate(known);
    path
}

fn of_field(field: &Known, part: Vec<String>, code: FieldErrorCode) -> FieldError {
    let mut path = vec![field.input.to_owned()];
    path.extend(part);
    FieldError { code, message: message(&path.join("."), code, field.expected), path }
}

fn of_no_field(of: Source, code: FieldErrorCode) -> FieldError {
    let name = of.title();
    let (code, message) = match code {
        FieldErrorCode::NotUnique => (code, format!("{name} has such a record already.")),
        _ => (
            FieldErrorCode::Invalid,
            format!("{name} refuses this input as a whole and does not say which field is wrong."),
        ),
    };
    FieldError { code, path: Vec::new(), message }
}

/// The messages and where within the field each stands: under a position or a key of what was sent.
fn gather<'a>(wrong: &'a Value, part: &mut Vec<String>, found: &mut Vec<(Vec<String>, &'a str)>) {
    if part.len() > MAX_DEPTH || found.len() > MAX_ERRORS {
        return;
    }
    match wrong {
        Value::String(words) => found.push((part.clone(), words)),
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                if item.is_string() {
                    gather(item, part, found);
                } else {
                    // One of a list: those that are right have an empty object.
                    part.push(position.to_string());
                    gather(item, part, found);
                    part.pop();
                }
            }
        }
        Value::Object(fields) => {
            for (name, wrong) in fields {
                if OF_NO_FIELD.contains(&name.as_str()) {
                    gather(wrong, part, found);
                } else {
                    part.push(name.clone());
                    gather(wrong, part, found);
                    part.pop();
                }
            }
        }
        _ => {}
    }
}

/// The framework tells what kind of error it is by its words alone.
fn code_of(words: &str) -> FieldErrorCode {
    let words = words.to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    if says(&["already exists", "must be unique", "unique set"]) {
        FieldErrorCode::NotUnique
    } else if says(&["does not exist"]) {
        FieldErrorCode::NotFound
    } else if says(&["no more than", "at most"]) && says(&["character"]) {
        FieldErrorCode::TooLong
    } else if says(&["is required", "not be null", "not be blank", "not be empty"]) {
        FieldErrorCode::Required
    } else {
        FieldErrorCode::Invalid
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(body: &str, expected: &[(FieldErrorCode, &[&str])]) {
        let known = |name: &str| match name {
            "name" => Some(Known { input: "name", expected: "a name" }),
            "birth_date" => Some(Known { input: "birthDate", expected: "a date" }),
            "tags" => Some(Known { input: "tags", expected: "tags" }),
            _ => None,
        };
        let sent = json!({"name": "n", "tags": ["a", {"name": 1}, "c", "d"]});
        let errors = field_errors(Source::BrainStem, body.as_bytes(), &sent, known);
        let got: Vec<_> = errors.iter().map(|error| (error.code, error.path.clone())).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(code, path)| (*code, path.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>()))
            .collect();
        assert_eq!(got, expected, "{body}");
        assert!(!format!("{errors:?}").contains("SECRET"), "{errors:?}");
    }

    #[test]
    fn shapes_of_the_framework() {
        use FieldErrorCode::{Invalid, NotFound, NotUnique, Required, TooLong};
        for (body, expected) in [
            (json!({"name": ["This field is required."]}), vec![(Required, &["name"][..])]),
            (json!({"name": ["This field may not be null."]}), vec![(Required, &["name"])]),
            (json!({"name": ["This field may not be blank."]}), vec![(Required, &["name"])]),
            (json!({"name": ["This list may not be empty."]}), vec![(Required, &["name"])]),
            (json!({"name": "Ensure this field has no more than 100 characters."}), vec![(TooLong, &["name"])]),
            (json!({"name": ["subject with this name already exists."]}), vec![(NotUnique, &["name"])]),
            (json!({"name": ["This field must be unique."]}), vec![(NotUnique, &["name"])]),
            (json!({"name": ["Invalid pk \"SECRET\" - object does not exist."]}), vec![(NotFound, &["name"])]),
            (json!({"birth_date": ["Date has wrong format: SECRET"]}), vec![(Invalid, &["birthDate"])]),
            (json!({"name": ["SECRET is odd", "so is SECRET"]}), vec![(Invalid, &["name"])]),
            (
                json!({"tags": {"1": ["This field may not be blank."], "3": ["SECRET"]}, "name": ["?"]}),
                vec![(Required, &["tags", "1"]), (Invalid, &["tags", "3"]), (Invalid, &["name"])],
            ),
            (json!({"tags": [{}, {"name": ["SECRET"]}]}), vec![(Invalid, &["tags", "1", "name"])]),
            (json!({"tags": {"non_field_errors": ["SECRET"]}}), vec![(Invalid, &["tags"])]),
            (json!({"tags": {"SECRET": ["x"]}}), vec![(Invalid, &["tags"])]),
            (json!({"name": [{"message": "SECRET", "SECRET": "x"}]}), vec![(Invalid, &["name", "0"])]),
            (json!({"non_field_errors": ["The fields a, b must make a unique set."]}), vec![(NotUnique, &[])]),
            (json!({"detail": "SECRET"}), vec![(Invalid, &[])]),
            (json!({"unheard_of": ["This field is required."]}), vec![(Invalid, &[])]),
            (json!(["SECRET"]), vec![(Invalid, &[])]),
            (json!({}), vec![(Invalid, &[])]),
            (json!({"name": 5}), vec![(Invalid, &[])]),
        ] {
            check(&body.to_string(), &expected);
        }
        check("<html>SECRET</html>", &[(Invalid, &[])]);
        let deep = format!("{{\"name\":{}\"SECRET\"{}}}", "[".repeat(90), "]".repeat(90));
        check(&deep, &[(Invalid, &[])]);
        let many: Vec<_> = (0..1_000).map(|number| json!({ "x": [format!("SECRET {number}")] })).collect();
        let body = json!({ "tags": many }).to_string();
        let known = |_: &str| Some(Known { input: "tags", expected: "tags" });
        let sent = json!({ "tags": vec![json!({"x": 1}); 1_000] });
        assert_eq!(field_errors(Source::HautAi, body.as_bytes(), &sent, known).len(), MAX_ERRORS);
    }
}
