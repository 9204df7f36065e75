//! Whatever the server sends: nothing panics, and one odd field spoils nothing but itself.

use proptest::prelude::*;

use super::*;
use crate::{
    domain::subject::HautAiOwn,
    sources::odd::{any_json, with_field},
};

const ID: &str = "\"0cdaf69d-63cf-429f-b549-fc0cc163d046\"";
const SEX: &str = "{\"id\":\"1cdaf69d-63cf-429f-b549-fc0cc163d046\",\"name\":\"Female\",\"tech_name\":\"female\"}";
const WITHIN: DatasetId = DatasetId { company: Uuid::from_u128(1), dataset: Uuid::from_u128(2) };

/// A field on the wire, a value, and what of the subject it decides.
type Part = (&'static str, &'static str, fn(&Subject) -> String);

fn own(subject: &Subject) -> &HautAiOwn {
    subject.haut_ai().unwrap()
}

fn parts() -> Vec<Part> {
    vec![
        ("name", "\"Ada\"", |s| s.name.clone()),
        ("birth_date", "\"1990-01-02\"", |s| format!("{:?}", s.birth_date)),
        ("biological_sex", SEX, |s| format!("{:?} {:?}", s.sex, own(s).biological_sex)),
        ("meta", "{\"a\":[1]}", |s| format!("{:?}", s.metadata)),
        ("author_id", ID, |s| format!("{:?}", own(s).author_id)),
        ("creation_time", "\"2024-01-02T03:04:05Z\"", |s| format!("{:?}", s.created_at)),
        ("company", "{\"id\":1,\"name\":\"C\"}", |s| format!("{:?}", own(s).company)),
        ("dataset", "{\"id\":2,\"name\":\"D\"}", |s| format!("{:?}", own(s).dataset)),
        ("promote_image_id", ID, |s| format!("{:?}", own(s).promote_image_id)),
    ]
}

fn read_subject(odd: &str, value: &str) -> Option<Subject> {
    let parts = parts();
    let mut fields = vec![("id", ID)];
    fields.extend(parts.iter().map(|(wire, value, _)| (*wire, *value)));
    wire::subject(record(&with_field(&fields, odd, value)).ok()?, WITHIN)
}

proptest! {
    #[test]
    fn one_odd_field_of_a_subject_spoils_no_other(at in 0..9usize, value in any_json()) {
        let parts = parts();
        let expected = read_subject("unknown", "1").unwrap();
        let read = read_subject(parts[at].0, &value).unwrap();
        prop_assert_eq!(read.id, expected.id);
        for (wire, _, decides) in parts.iter().filter(|(wire, ..)| *wire != parts[at].0) {
            prop_assert_eq!(decides(&read), decides(&expected), "{} spoils {}", parts[at].0, wire);
        }
    }

    #[test]
    fn datasets_and_sexes_survive_an_odd_field(value in any_json()) {
        for field in ["name", "tech_name", "unknown"] {
            let json = with_field(&[("id", ID)], field, &value);
            prop_assert!(wire::dataset(record(&json).unwrap(), WITHIN.company).is_some());
            prop_assert!(wire::biological_sex(record(&json).unwrap()).is_some());
        }
    }

    #[test]
    fn no_answer_panics(count in any_json(), next in any_json(), results in any_json(), bytes in any::<Vec<u8>>()) {
        let envelope = format!("{{\"count\":{count},\"next\":{next},\"results\":{results}}}");
        for body in [envelope.as_bytes(), results.as_bytes(), &bytes] {
            read_anything(body);
        }
    }
}

#[test]
fn a_missing_next_is_not_an_end() {
    let next =
        |json: &str| serde_json::from_str::<ListAnswer<'_>>(json).unwrap().next.map(|next| next.get().to_owned());
    assert_eq!(next("{\"results\":[]}"), None);
    assert_eq!(next("{\"results\":[],\"next\":null}").as_deref(), Some("null"));
    assert_eq!(next("{\"results\":[],\"next\":\"x\"}").as_deref(), Some("\"x\""));
}
