//! Whatever a server sends: nothing panics, and one odd field spoils nothing but itself.

use proptest::prelude::*;

use super::{answer, model::Model, *};
use crate::{
    domain::{
        BrainRegion, Breeding, Cohort, License, Procedure, Project, Species, StateChange, Strain, Subject, SubjectLog,
        Supplier,
    },
    sources::odd::{any_json, with_field},
};

const ID: &str = "\"0cdaf69d-63cf-429f-b549-fc0cc163d046\"";
const LIST: &str = "[\"1cdaf69d-63cf-429f-b549-fc0cc163d046\"]";
const CURRENT: Generation = Generation::Current;

/// A field on the wire, a value, and what of the subject it decides.
type Part = (&'static str, &'static str, fn(&Subject) -> String);

fn own(subject: &Subject) -> &crate::domain::subject::BrainStemOwn {
    subject.brainstem().unwrap()
}

fn parts() -> Vec<Part> {
    vec![
        ("name", "\"wt-1\"", |s| format!("{:?}", s.name)),
        ("description", "\"d\"", |s| format!("{:?}", s.description)),
        ("projects", LIST, |s| format!("{:?}", s.projects)),
        ("licenses", LIST, |s| format!("{:?}", s.licenses)),
        ("strain", ID, |s| format!("{:?}", s.strain)),
        ("sex", "\"F\"", |s| format!("{:?}", (s.sex, &own(s).raw_sex))),
        ("genetic_line", "\"g\"", |s| format!("{:?}", s.genetic_line)),
        ("genotype", "\"t\"", |s| format!("{:?}", s.genotype)),
        ("subject_identifier", "\"i\"", |s| format!("{:?}", s.identifier)),
        ("supplier", ID, |s| format!("{:?}", s.supplier)),
        ("breeding", ID, |s| format!("{:?}", s.breeding)),
        ("birth_date", "\"2021-02-03\"", |s| format!("{:?}", s.birth_date)),
        ("death_date", "\"2022-02-03\"", |s| format!("{:?}", s.death_date)),
        ("status", "\"active\"", |s| format!("{:?}", (s.status, &own(s).raw_status))),
        ("extra_fields", "{\"a\":1}", |s| format!("{:?}", s.metadata)),
        ("procedures", LIST, |s| format!("{:?}", s.procedures)),
        ("subjectlogs", LIST, |s| format!("{:?}", s.logs)),
        ("name_used_in_storage", "\"n\"", |s| format!("{:?}", own(s).name_used_in_storage)),
        ("tags", "[\"a\"]", |s| format!("{:?}", s.tags)),
        ("subjectstatechanges", LIST, |s| format!("{:?}", own(s).state_changes)),
        ("source", "\"Jackson\"", |s| format!("{:?}", own(s).supplier_text)),
    ]
}

fn read_subject(odd: &str, value: &str) -> Option<Subject> {
    let parts = parts();
    let mut fields = vec![("id", ID)];
    fields.extend(parts.iter().map(|(wire, value, _)| (*wire, *value)));
    Subject::from_json(&with_field(&fields, odd, value), &mut Related::default())
}

fn survives<T: Model>(odd: &str, value: &str) {
    let json = with_field(&[("id", ID), ("name", "\"n\"")], odd, value);
    let read = T::from_json(&json, &mut Related::default());
    assert!(read.is_some_and(|record| record.id().uuid().to_string() == ID.trim_matches('"')), "{} {json}", T::NAME);
}

fn any_envelope() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("subjects"),
        Just("+subjects"),
        Just("subject"),
        Just("projects"),
        Just("results"),
        Just("count"),
        Just("next"),
        Just("meta"),
        Just("id"),
    ];
    let meta = (any_json(), any_json()).prop_map(|(page, size)| format!("{{\"page\":{page},\"per_page\":{size}}}"));
    proptest::collection::vec((key, prop_oneof![any_json(), meta]), 0..6).prop_map(|fields| {
        let fields: Vec<String> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    })
}

proptest! {
    #[test]
    fn one_odd_field_of_a_subject_spoils_no_other(at in 0..21usize, value in any_json()) {
        let parts = parts();
        let expected = read_subject("unknown", "1").unwrap();
        let read = read_subject(parts[at].0, &value).unwrap();
        prop_assert_eq!(read.id, expected.id);
        for (wire, _, decides) in parts.iter().filter(|(wire, ..)| *wire != parts[at].0) {
            prop_assert_eq!(decides(&read), decides(&expected), "{} spoils {}", parts[at].0, wire);
        }
    }

    #[test]
    fn a_record_of_any_kind_survives_an_odd_field(
        field in prop_oneof![
            Just("name"), Just("description"), Just("type"), Just("subject"), Just("subjects"), Just("species"),
            Just("entries"), Just("details"), Just("date_time"), Just("brain_region"), Just("licenses"),
            Just("equipment"), Just("hardwaredevice"), Just("coordinates_details"), Just("extra_fields"),
            Just("is_public"), Just("tags"), Just("litter_size"), Just("mother"), Just("project"), Just("cohorts"),
            Just("sessions"), Just("external_identifiers"), Just("valid_from"), Just("unknown"),
        ],
        value in any_json(),
    ) {
        survives::<Project>(field, &value);
        survives::<Procedure>(field, &value);
        survives::<StateChange>(field, &value);
        survives::<SubjectLog>(field, &value);
        survives::<Strain>(field, &value);
        survives::<Species>(field, &value);
        survives::<BrainRegion>(field, &value);
        survives::<Supplier>(field, &value);
        survives::<License>(field, &value);
        survives::<Breeding>(field, &value);
        survives::<Cohort>(field, &value);
    }

    #[test]
    fn no_answer_panics(json in any_json(), envelope in any_envelope(), bytes in any::<Vec<u8>>()) {
        answer::read_anything(json.as_bytes());
        answer::read_anything(envelope.as_bytes());
        answer::read_anything(&bytes);
    }

    #[test]
    fn no_position_panics(at in any::<u64>(), count in any::<u64>(), cap in any::<u64>()) {
        let (page, size) = covering_page(at, count, cap.min(crate::sources::paging::MAX_PAGE));
        prop_assert!((page - 1) * size <= at);
    }
}

fn list(body: &str, offset: u64, limit: u64) -> Result<Page<Subject>, &'static str> {
    answer::list::<Subject>(body.as_bytes(), CURRENT, offset, limit).map(|list| list.listed.page)
}

fn records(count: usize) -> String {
    let record = |n: usize| format!("{{\"id\":\"{}\"}}", uuid::Uuid::from_u128(n as u128));
    (0..count).map(record).collect::<Vec<_>>().join(",")
}

/// Where the page starts, what the total is, and whether something follows.
fn check(body: &str, offset: u64, limit: u64, start: u64, total: Option<u64>, follows: Option<bool>) {
    let page = list(body, offset, limit).unwrap();
    assert_eq!((page.start, page.total, page.follows), (start, total, follows), "{body}");
}

#[test]
fn totals_stand_in_three_places_or_nowhere() {
    let two = records(2);
    check(&format!("{{\"subjects\":[{two}],\"count\":9}}"), 4, 2, 4, Some(9), Some(true));
    check(&format!("{{\"subjects\":[{two}],\"count\":\"6\"}}"), 4, 2, 4, Some(6), Some(false));
    check(&format!("{{\"subjects\":[{two}],\"meta\":{{\"count\":9}}}}"), 4, 2, 4, Some(9), Some(true));
    check(&format!("{{\"meta\":{{\"total_results\":9}},\"subjects\":[{two}]}}"), 4, 2, 4, Some(9), Some(true));
    check(&format!("{{\"subjects\":[{two}]}}"), 4, 2, 4, None, None);
    check(&format!("{{\"subjects\":[{two}]}}"), 4, 3, 4, None, Some(false));
    check(&format!("{{\"subjects\":[{two}],\"next\":null}}"), 4, 2, 4, None, Some(false));
    check(&format!("{{\"subjects\":[{two}],\"next\":\"https://elsewhere.example/\"}}"), 4, 2, 4, None, Some(true));
    check(&format!("{{\"subjects\":[{two}],\"count\":null,\"meta\":[]}}"), 4, 2, 4, None, None);
    check("{\"subjects\":[],\"count\":1000000000}", 4, 2, 4, Some(1_000_000_000), Some(false));
}

#[test]
fn a_named_page_counts_more_than_the_offset() {
    let body = format!("{{\"subjects\":[{}],\"meta\":{{\"page\":3,\"per_page\":2,\"total_results\":9}}}}", records(2));
    check(&body, 100, 100, 4, Some(9), Some(true));
    let body =
        format!("{{\"subjects\":[{}],\"meta\":{{\"page\":{max},\"per_page\":{max}}}}}", records(1), max = i64::MAX);
    assert_eq!(list(&body, 0, 20).unwrap().start, u64::MAX);
}

#[test]
fn a_server_without_pages_gives_the_whole_list_at_once() {
    check(&format!("{{\"subjects\":[{}]}}", records(5)), 2, 2, 0, Some(5), Some(false));
    check(&format!("{{\"subjects\":[{}],\"count\":5}}", records(5)), 2, 2, 0, Some(5), Some(false));
    check(&format!("{{\"subjects\":[{}],\"count\":50}}", records(5)), 2, 2, 2, Some(50), Some(true));
}

#[test]
fn the_list_is_found_under_any_key() {
    let one = records(1);
    for body in [
        format!("{{\"results\":[{one}]}}"),
        format!("{{\"projects\":[{{}}],\"animals\":[{one}],\"+subjects\":[]}}"),
        format!("{{\"strains\":[],\"+subjects\":[],\"subjects\":[{one}]}}"),
        format!("{{\"subject\":[{one}],\"meta\":{{}},\"projects\":[]}}"),
    ] {
        assert_eq!(list(&body, 0, 20).unwrap().items.len(), 1, "{body}");
    }
    for body in ["{}", "[]", "null", "{\"a\":[],\"b\":[]}", "{\"subjects\":{}}", "<html>", ""] {
        assert!(list(body, 0, 20).is_err(), "{body}");
    }
}

#[test]
fn one_record_is_wrapped_or_bare() {
    let subject = format!("{{\"id\":{ID},\"name\":\"wt-1\",\"projects\":{LIST},\"extra_fields\":{{\"a\":1}}}}");
    for body in [
        format!("{{\"subject\":{subject}}}"),
        format!("{{\"animal\":{subject},\"projects\":[]}}"),
        format!("{{\"projects\":[{{}}],\"meta\":{{}},\"animal\":{subject}}}"),
        subject.clone(),
    ] {
        let (record, related) = answer::one::<Subject>(body.as_bytes(), CURRENT).unwrap();
        assert_eq!(record.record.name, "wt-1", "{body}");
        assert!(related.projects.is_empty());
    }
    for body in ["{}", "[]", "{\"subject\":{}}", "{\"subject\":null}", "{\"detail\":\"x\"}", ""] {
        assert!(answer::one::<Subject>(body.as_bytes(), CURRENT).is_err(), "{body}");
    }
}

#[test]
fn records_without_a_readable_id_keep_their_place() {
    let page = list(&format!("{{\"subjects\":[{},{{\"id\":5}},null,[],\"x\",{{}}]}}", records(1)), 0, 20).unwrap();
    let readable: Vec<bool> = page.items.iter().map(Option::is_some).collect();
    assert_eq!(readable, [true, false, false, false, false, false]);
}

fn client(url: &str) -> BrainStem {
    let config = config::Config::from_variables([("BRAINSTEM_URL", url), ("BRAINSTEM_TOKEN", "t")]).unwrap();
    BrainStem::new(&config.brainstem.unwrap(), &config.limits, &UpstreamMetrics::default()).unwrap()
}

proptest! {
    #[test]
    fn a_batch_fits_into_the_request_line(path in 0..6_000usize, ids in 0..200usize) {
        let client = client(&format!("http://localhost/{}", "p".repeat(path)));
        let ids: Vec<Id<Procedure>> = (0..ids).map(|n| Id::new(uuid::Uuid::from_u128(n as u128))).collect();
        let batches = client.batches(&ids);
        prop_assert_eq!(batches.concat(), ids);
        for batch in batches {
            prop_assert!((1..=MAX_BATCH).contains(&batch.len()));
            let filters = batch.iter().map(|id| ("filter{id.in}", id.uuid().to_string())).collect();
            let query = ListQuery { filters, ..ListQuery::default() };
            let url = client.page_url::<Procedure>(&query, (40, 10), 100).unwrap().0;
            let line = format!("GET {}?{} HTTP/1.1\r\n", url.path(), url.query().unwrap()).len();
            // One id is asked for by its own URL.
            prop_assert!(line <= REQUEST_LINE || batch.len() == 1, "{}", line);
        }
    }
}
