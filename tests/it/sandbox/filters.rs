//! BrainSTEM: `filter{…}`, `sort[]` and what is wrong with them.

use serde_json::{Value, json};
use subject_gateway::sandbox::{Collation, SUBJECT_WITH_130_PROCEDURES, SUBJECT_WITH_PARENTS, Sandbox};

use super::util::{Caller, start, start_legacy};

const SUBJECTS: &str = "/api/private/stem/subject/";
const FIRST: &str = "0cdaf69d-63cf-429f-b549-fc0cc163d046";
const SECOND: &str = "0f87c229-6769-4854-83a5-c71e154246b8";

/// How many stored subjects meet a condition.
fn count(sandbox: &Sandbox, condition: impl Fn(&Value) -> bool) -> usize {
    sandbox.brainstem().records("subjects").iter().filter(|subject| condition(subject)).count()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

#[tokio::test]
async fn operators_agree_with_the_records() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let project = "c4b8a90b-2963-4d13-aa07-b6f497252dde";
    let in_project = |subject: &Value| {
        let projects = subject["projects"].as_array().unwrap();
        projects.iter().any(|id| id == project)
    };
    let date = |subject: &Value| text(&subject["birth_date"]).parse::<jiff::civil::Date>().ok();
    let since = |subject: &Value| date(subject).is_some_and(|day| day >= jiff::civil::date(2022, 1, 1));
    for (query, expected) in [
        ("filter{sex}=F".to_owned(), count(&sandbox, |subject| subject["sex"] == "F")),
        ("filter{-sex}=F".to_owned(), count(&sandbox, |subject| subject["sex"] != "F")),
        ("filter%7Bsex%7D=F".to_owned(), count(&sandbox, |subject| subject["sex"] == "F")),
        (
            "filter{name.icontains}=wT-".to_owned(),
            count(&sandbox, |subject| text(&subject["name"]).to_lowercase().contains("wt-")),
        ),
        (
            "filter{name.startswith}=WT-".to_owned(),
            count(&sandbox, |subject| text(&subject["name"]).starts_with("WT-")),
        ),
        ("filter{name.iexact}=CAF%C3%89+1".to_owned(), 1),
        ("filter{name}=a%2Bb%3Dc".to_owned(), 1),
        ("filter{name}=a+b%3Dc".to_owned(), 0),
        (format!("filter{{projects.id}}={project}"), count(&sandbox, in_project)),
        (format!("filter{{-projects.id}}={project}"), count(&sandbox, |subject| !in_project(subject))),
        ("filter{birth_date.gte}=2022-01-01".to_owned(), count(&sandbox, since)),
        ("filter{birth_date.isnull}=true".to_owned(), count(&sandbox, |subject| subject["birth_date"].is_null())),
        (
            "filter{status.in}=active&filter{status.in}=retired".to_owned(),
            count(&sandbox, |subject| matches!(text(&subject["status"]), "active" | "retired")),
        ),
        // All operators but `in` and `range` read the first value only.
        (
            "filter{status}=active&filter{status}=retired".to_owned(),
            count(&sandbox, |subject| subject["status"] == "active"),
        ),
        (
            "filter{birth_date.range}=2024-02-29&filter{birth_date.range}=2024-02-29".to_owned(),
            count(&sandbox, |subject| subject["birth_date"] == "2024-02-29"),
        ),
        ("filter{birth_date.year}=1900".to_owned(), 1),
        ("filter{name.regex}=^subject[12]$".to_owned(), 2),
        // Parameters that mean nothing here are ignored in silence.
        ("q=zzz&page=9&sort=name&include=foo&search=x".to_owned(), 300),
    ] {
        let answer = caller.get(&format!("{SUBJECTS}?{query}")).await;
        assert_eq!((answer.status, &answer.body["count"]), (200, &json!(expected)), "{query}");
    }
}

#[tokio::test]
async fn relations_are_followed() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let mut species = std::collections::HashMap::new();
    for strain in sandbox.brainstem().records("strains") {
        species.insert(strain["id"].clone(), strain["species"].clone());
    }
    let mouse = sandbox.brainstem().records("species")[0]["id"].clone();
    let mice = count(&sandbox, |subject| species.get(&subject["strain"]) == Some(&mouse));
    for query in [
        "filter{strain.species.name}=House+mouse".to_owned(),
        format!("filter{{strain.species.id}}={}", text(&mouse)),
        format!("filter{{strain.species}}={}", text(&mouse)),
    ] {
        let answer = caller.get(&format!("{SUBJECTS}?{query}")).await;
        assert_eq!(answer.body["count"], mice, "{query}");
    }
    let target = format!("/api/private/modules/procedure/?filter{{subject.id}}={SUBJECT_WITH_130_PROCEDURES}");
    assert_eq!(caller.get(&target).await.body["count"], 130);
}

#[tokio::test]
async fn a_batch_is_repeated_ids() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let unknown = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
    // The order is the list's, not the query's; unknown ids are simply absent.
    let batch = format!("{SUBJECTS}?filter{{id.in}}={SECOND}&filter{{id.in}}={unknown}&filter{{id.in}}={FIRST}");
    assert_eq!(caller.get(&batch).await.ids("subjects"), [FIRST, SECOND]);
    let upper = format!("{SUBJECTS}?filter{{id.in}}={}", FIRST.to_uppercase());
    assert_eq!(caller.get(&upper).await.ids("subjects"), [FIRST]);
    for values in [format!("{FIRST},{SECOND}"), String::new(), "x".to_owned()] {
        let answer = caller.get(&format!("{batch}&filter{{id.in}}={values}")).await;
        let message = format!("“{values}” is not a valid UUID.");
        assert_eq!((answer.status, answer.body), (400, json!([message])));
    }
    // The default limit holds for a batch too.
    let ids: Vec<String> = sandbox.brainstem().records("subjects")[..50]
        .iter()
        .map(|subject| format!("filter%7Bid.in%7D={}", text(&subject["id"])))
        .collect();
    let batch = format!("{SUBJECTS}?{}", ids.join("&"));
    assert_eq!(caller.get(&batch).await.list("subjects").len(), 20);
    assert_eq!(caller.get(&format!("{batch}&limit=50")).await.list("subjects").len(), 50);
}

#[tokio::test]
async fn unknown_fields_are_400_with_a_list() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    for (query, field) in [
        ("filter{foo}=1", "foo"),
        ("filter{-foo.in}=1", "foo"),
        ("filter{projects.foo}=1", "foo"),
        ("filter{name.foo}=1", "name"),
        ("filter{species}=1", "species"),
        ("filter{}=1", ""),
        ("sort[]=foo", "foo"),
        ("sort[]=-strain.foo", "foo"),
    ] {
        let answer = caller.get(&format!("{SUBJECTS}?{query}")).await;
        let body = json!([format!("Invalid filter field: {field}")]);
        assert_eq!((answer.status, answer.body), (400, body), "{query}");
    }
    for query in ["filter{birth_date.gte}=soon", "filter{birth_date.year}=x", "filter{strain}=mouse"] {
        let answer = caller.get(&format!("{SUBJECTS}?{query}")).await;
        assert!(answer.status == 400 && answer.body.is_array(), "{query}");
    }
    let answer = caller.get(&format!("{SUBJECTS}?filter{{name.regex}}=(")).await;
    assert!(answer.status == 500 && answer.is_html());
}

#[tokio::test]
async fn order_follows_every_criterion() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let names = async |query: &str| -> Vec<String> {
        let answer = caller.get(&format!("{SUBJECTS}?limit=100&{query}")).await;
        let names = answer.list("subjects").iter();
        names.map(|subject| text(&subject["name"]).to_owned()).collect()
    };
    let mut expected: Vec<String> =
        sandbox.brainstem().records("subjects").iter().map(|subject| text(&subject["name"]).to_owned()).collect();
    expected.sort();
    assert_eq!(names("sort[]=name").await, expected[..100]);
    sandbox.brainstem().set_knobs(|knobs| knobs.collation = Collation::Reversed);
    assert_eq!(names("sort[]=-name&sort%5B%5D=id").await, expected[..100]);
    sandbox.brainstem().set_knobs(|knobs| knobs.collation = Collation::IgnoreCase);
    expected.sort_by_key(|name| name.to_lowercase());
    let ignoring_case: Vec<String> = expected.iter().map(|name| name.to_lowercase()).collect();
    let found: Vec<String> = names("sort[]=name").await.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(found, ignoring_case[..100]);
}

#[tokio::test]
async fn nulls_stand_last_unless_a_knob_says_so() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let first_is_null = async |query: &str| {
        let answer = caller.get(&format!("{SUBJECTS}?limit=1&{query}")).await;
        answer.list("subjects")[0]["birth_date"].is_null()
    };
    assert!(!first_is_null("sort[]=birth_date").await);
    assert!(first_is_null("sort[]=-birth_date").await);
    sandbox.brainstem().set_knobs(|knobs| knobs.nulls_first = true);
    assert!(first_is_null("sort[]=birth_date").await);
    assert!(!first_is_null("sort[]=-birth_date").await);
}

#[tokio::test]
async fn order_by_many_repeats_rows() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let subjects = sandbox.brainstem().records("subjects");
    let rows: usize = subjects.iter().map(|subject| subject["projects"].as_array().map_or(1, Vec::len)).sum();
    let answer = caller.get(&format!("{SUBJECTS}?sort[]=projects.name&limit=100")).await;
    assert_eq!(answer.body["count"], rows);
    assert!(rows > 300);
    let one = format!("{SUBJECTS}?filter{{id}}={SUBJECT_WITH_PARENTS}&sort[]=strain.name");
    assert_eq!(caller.get(&one).await.body["count"], 1);
}

/// What a list of subjects is narrowed by, in every shape that can be sent.
#[tokio::test]
async fn lists_are_narrowed_by_relations_and_by_what_is_missing() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let projects = ["c4b8a90b-2963-4d13-aa07-b6f497252dde", "e7475834-7733-48cf-9e3b-f4f2d2d0305a"];
    let in_projects = |subject: &Value| {
        let own = subject["projects"].as_array().unwrap();
        own.iter().any(|id| projects.iter().any(|project| id == project))
    };
    let species = sandbox.brainstem().records("species");
    let (mouse, rat) = (text(&species[0]["id"]), text(&species[1]["id"]));
    let strains = sandbox.brainstem().records("strains");
    let of_species = |subject: &Value| {
        let strain = strains.iter().find(|strain| strain["id"] == subject["strain"]);
        strain.is_some_and(|strain| strain["species"] == mouse || strain["species"] == rat)
    };
    let has_procedures =
        |subject: &Value| subject["procedures"].as_array().is_some_and(|procedures| !procedures.is_empty());
    let [first, second] = projects;
    for (query, expected) in [
        (format!("filter{{projects.id.in}}={first}&filter{{projects.id.in}}={second}"), count(&sandbox, in_projects)),
        (
            format!("filter{{strain.species.id.in}}={mouse}&filter{{strain.species.id.in}}={rat}"),
            count(&sandbox, of_species),
        ),
        ("filter{procedures.isnull}=false".to_owned(), count(&sandbox, has_procedures)),
        ("filter{procedures.isnull}=true".to_owned(), count(&sandbox, |subject| !has_procedures(subject))),
        // A negation holds for what is null, too.
        (
            "filter{-sex.in}=F&filter{-sex.in}=M".to_owned(),
            count(&sandbox, |subject| !matches!(text(&subject["sex"]), "F" | "M")),
        ),
        ("filter{birth_date.isnull}=0".to_owned(), count(&sandbox, |subject| !subject["birth_date"].is_null())),
        ("filter{name.in}=wt-0007&filter{name.in}=a%2Bb%3Dc&filter{name.in}=Wt-0007".to_owned(), 2),
        (format!("filter{{projects.id.in}}={first}&filter{{sex}}=M&filter{{projects.id}}={second}"), {
            let both = |subject: &Value| {
                projects.iter().all(|id| subject["projects"].as_array().unwrap().contains(&json!(id)))
            };
            count(&sandbox, |subject| both(subject) && subject["sex"] == "M")
        }),
    ] {
        let answer = caller.get(&format!("{SUBJECTS}?{query}&limit=1")).await;
        assert_eq!((answer.status, &answer.body["count"]), (200, &json!(expected)), "{query}");
    }
    let legacy = start_legacy().await;
    let caller = Caller::legacy(&legacy);
    let has_actions = |subject: &Value| subject["actions"].as_array().is_some_and(|actions| !actions.is_empty());
    let answer = caller.get(&format!("{SUBJECTS}?filter{{actions.isnull}}=false")).await;
    assert_eq!(answer.body["meta"]["total_results"], count(&legacy, has_actions));
    for field in ["status.in", "procedures.isnull"] {
        assert_eq!(caller.get(&format!("{SUBJECTS}?filter{{{field}}}=active")).await.status, 400, "{field}");
    }
}

/// Ids are no texts to the database: its collation says nothing about their order.
#[tokio::test]
async fn ids_are_sorted_by_their_bytes_under_any_collation() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let subjects = sandbox.brainstem().records("subjects");
    let mut expected: Vec<&str> = subjects.iter().map(|subject| text(&subject["id"])).collect();
    expected.sort_unstable();
    for collation in [Collation::CodePoint, Collation::IgnoreCase, Collation::Reversed] {
        sandbox.brainstem().set_knobs(|knobs| knobs.collation = collation);
        let answer = caller.get(&format!("{SUBJECTS}?limit=100&sort[]=id")).await;
        assert_eq!(answer.ids("subjects"), expected[..100], "{collation:?}");
        let answer = caller.get(&format!("{SUBJECTS}?limit=100&sort[]=-id")).await;
        assert!(answer.ids("subjects").iter().eq(expected.iter().rev().take(100)), "{collation:?}");
    }
    // Of equals by another field, too.
    let query = "limit=100&filter{sex.in}=F&filter{sex.in}=M&filter{birth_date.isnull}=1&sort[]=-sex&sort[]=id";
    let answer = caller.get(&format!("{SUBJECTS}?{query}")).await;
    let keys: Vec<_> = answer.list("subjects").iter().map(|one| (text(&one["sex"]), text(&one["id"]))).collect();
    // The collation is still the reversed one.
    assert!(keys.len() > 9 && keys.is_sorted(), "{keys:?}");
}

/// A record that is changed stays where it stands.
#[tokio::test]
async fn a_record_can_be_changed_in_its_place() {
    let sandbox = start().await;
    let before = sandbox.brainstem().records("subjects");
    assert!(sandbox.brainstem().change("subjects", FIRST, |subject| subject["name"] = json!("other")));
    assert!(!sandbox.brainstem().change("subjects", "nobody", |_| ()));
    assert!(!sandbox.brainstem().change("nothing", FIRST, |_| ()));
    let after = sandbox.brainstem().records("subjects");
    let changed: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
    assert_eq!((changed.len(), &changed[0].1["name"]), (1, &json!("other")));
}
