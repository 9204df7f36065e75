//! Random lists, walked in both directions: the pages put together are the whole, filtered and sorted.

use serde_json::{Value, json};
use subject_gateway::sandbox::{Collation, Knobs, Paging, Totals};

use super::{
    ask::{List, ids},
    data::{Dice, fill, random_filter},
    whole::Whole,
};
use crate::util::TestApp;

struct Server {
    seed: u64,
    legacy: bool,
    people: fn(&mut Knobs),
    animals: fn(&mut Knobs),
}

/// One scenario: its records, its list and what that holds.
struct Scenario {
    app: TestApp,
    list: List,
    expected: Vec<String>,
    size: usize,
    dice: Dice,
    about: String,
}

fn nothing(_: &mut Knobs) {}

impl Server {
    /// Some lists over the same kind of server; no two have the same records.
    async fn walk(&self) {
        for seed in self.seed..self.seed + 12 {
            let mut scenario = Scenario::new(self, seed).await;
            scenario.totals(self.legacy).await;
            let mut cursors = scenario.forwards().await;
            let again = scenario.backwards().await;
            assert_eq!(cursors.len(), again.len());
            for index in 0..cursors.len() {
                if scenario.dice.once_in(2) {
                    cursors[index] = again[index].clone();
                }
            }
            scenario.resume(&cursors).await;
        }
    }
}

impl Scenario {
    async fn new(server: &Server, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let builder = TestApp::builder().empty();
        let builder = if server.legacy { builder.legacy() } else { builder };
        let fresh = if dice.once_in(3) { "0" } else { "10000" };
        let app = builder.set("CACHE_FRESH_MS", fresh).build().await;
        app.haut_ai().set_knobs(server.people);
        app.brainstem().set_knobs(server.animals);
        fill(&app, &mut dice, server.legacy);
        // Every order has its turn.
        let order = match (seed - server.seed) % 9 {
            0 => json!({"field": "NAME"}),
            1 => json!({"field": "NAME", "direction": "DESC"}),
            2 => json!({"field": "BIRTH_DATE", "direction": "ASC"}),
            3 => json!({"field": "BIRTH_DATE", "direction": "DESC"}),
            4 => json!({"field": "CREATED_AT"}),
            5 => json!({"field": "CREATED_AT", "direction": "DESC"}),
            _ => Value::Null,
        };
        let whole = Whole::of(&app);
        // Mostly one that finds something.
        let mut filter = random_filter(&app, &mut dice);
        for _ in 0..dice.below(9) {
            if whole.list(&filter, &order).len() < 6 {
                filter = random_filter(&app, &mut dice);
            }
        }
        let expected = ids(&whole.list(&filter, &order));
        let size = *dice.pick(&[1, 2, 3, 5, 8, 13, 100]);
        let about = format!("seed {seed}, {size} a page, {filter}, {order}");
        Self { app, list: List { filter, order }, expected, size, dice, about }
    }

    async fn totals(&self, legacy: bool) {
        let whole = Whole::of(&self.app);
        let whole = if legacy { whole.legacy() } else { whole };
        let told = self.list.totals(&self.app).await;
        let is_ordered = !self.list.order.is_null();
        whole.total(&self.list.filter, is_ordered).check(&told["totalCount"], &self.about);
        let sources: Vec<_> = told["sources"].as_array().unwrap().iter().map(|one| one["source"].clone()).collect();
        assert_eq!(sources, Whole::sources(&self.list.filter), "{}", self.about);
        for one in told["sources"].as_array().unwrap() {
            let source = one["source"].as_str().unwrap();
            let expected = whole.total_of(source, &self.list.filter, is_ordered);
            expected.check(&one["totalCount"], &format!("{source}, {}", self.about));
        }
    }

    /// Returns every edge's cursor.
    async fn forwards(&mut self) -> Vec<Value> {
        let (mut cursors, mut after, mut at) = (Vec::new(), Value::Null, 0);
        loop {
            let page = self.list.page(&self.app, json!({"first": self.size, "after": after})).await;
            let end = self.expected.len().min(at + self.size);
            assert_eq!(page.ids, self.expected[at..end], "from {at}, {}", self.about);
            assert_eq!((page.has_previous, page.has_next), (at > 0, end < self.expected.len()), "{at}, {}", self.about);
            assert_eq!(page.cursors.first(), (at < end).then_some(&page.start), "{}", self.about);
            at = end;
            cursors.extend(page.cursors);
            if !page.has_next {
                return cursors;
            }
            after = page.end;
            self.sometimes_restart();
        }
    }

    /// Returns every edge's cursor, in the order of the list.
    async fn backwards(&mut self) -> Vec<Value> {
        let (mut cursors, mut before, mut at) = (Vec::new(), Value::Null, self.expected.len());
        loop {
            let page = self.list.page(&self.app, json!({"last": self.size, "before": before})).await;
            let start = at.saturating_sub(self.size);
            assert_eq!(page.ids, self.expected[start..at], "back from {at}, {}", self.about);
            let has_next = at < self.expected.len();
            assert_eq!((page.has_previous, page.has_next), (start > 0, has_next), "back from {at}, {}", self.about);
            assert_eq!(page.cursors.last(), (start < at).then_some(&page.end), "{}", self.about);
            at = start;
            cursors.splice(0..0, page.cursors);
            if !page.has_previous {
                return cursors;
            }
            before = page.start;
            self.sometimes_restart();
        }
    }

    /// From any edge, in both directions.
    async fn resume(&mut self, cursors: &[Value]) {
        for (at, cursor) in cursors.iter().enumerate() {
            if self.dice.below(cursors.len()) > 6 {
                continue;
            }
            let size = self.dice.below(4);
            let page = self.list.page(&self.app, json!({"first": size, "after": cursor})).await;
            let end = self.expected.len().min(at + 1 + size);
            assert_eq!(page.ids, self.expected[at + 1..end], "{size} behind {at}, {}", self.about);
            assert_eq!((page.has_previous, page.has_next), (true, end < self.expected.len()), "{at}, {}", self.about);
            let page = self.list.page(&self.app, json!({"last": size, "before": cursor})).await;
            let start = at.saturating_sub(size);
            assert_eq!(page.ids, self.expected[start..at], "{size} before {at}, {}", self.about);
            assert_eq!((page.has_previous, page.has_next), (start > 0, true), "{at}, {}", self.about);
        }
    }

    fn sometimes_restart(&mut self) {
        if self.dice.once_in(8) {
            self.app.restart();
        }
    }
}

#[tokio::test]
async fn any_list_over_the_documented_servers() {
    Server { seed: 100, legacy: false, people: nothing, animals: nothing }.walk().await;
}

#[tokio::test]
async fn any_list_over_a_database_that_sorts_like_nobody_else() {
    let animals = |knobs: &mut Knobs| (knobs.collation, knobs.nulls_first) = (Collation::Reversed, true);
    Server { seed: 200, legacy: false, people: nothing, animals }.walk().await;
}

#[tokio::test]
async fn any_list_over_servers_that_ignore_case_and_cut_pages() {
    let people = |knobs: &mut Knobs| knobs.page_cap = 7;
    let animals = |knobs: &mut Knobs| {
        (knobs.collation, knobs.page_cap, knobs.totals) = (Collation::IgnoreCase, 7, Totals::MetaCount);
    };
    Server { seed: 300, legacy: false, people, animals }.walk().await;
}

#[tokio::test]
async fn any_list_over_a_server_that_does_not_count() {
    let animals = |knobs: &mut Knobs| {
        (knobs.totals, knobs.nulls_first, knobs.collation) = (Totals::Nowhere, true, Collation::IgnoreCase);
    };
    Server { seed: 400, legacy: false, people: nothing, animals }.walk().await;
}

#[tokio::test]
async fn any_list_over_a_server_from_before_the_renaming() {
    let animals = |knobs: &mut Knobs| (knobs.collation, knobs.page_cap) = (Collation::Reversed, 7);
    Server { seed: 500, legacy: true, people: nothing, animals }.walk().await;
    let animals = |knobs: &mut Knobs| (knobs.paging, knobs.totals) = (Paging::PagePerPage, Totals::Nowhere);
    Server { seed: 600, legacy: true, people: nothing, animals }.walk().await;
}

/// Dates that no database's date column holds stand where the server sorts them; none is lost for that.
#[tokio::test]
async fn unreadable_dates_cost_no_record() {
    let app = TestApp::new().await;
    let every = Whole::of(&app);
    for (field, size) in [("BIRTH_DATE", 13), ("CREATED_AT", 100), ("NAME", 47)] {
        for direction in ["ASC", "DESC"] {
            let list = List::ordered(field, direction);
            let expected = ids(&every.list(&Value::Null, &list.order));
            let seen = list.all(&app, size).await;
            if field == "BIRTH_DATE" {
                assert_eq!(super::ask::sorted(seen), super::ask::sorted(expected), "{field} {direction}");
            } else {
                assert_eq!(seen, expected, "{field} {direction}");
            }
        }
    }
}

#[tokio::test]
async fn names_are_sorted_as_people_do_and_not_as_databases_do() {
    let app = TestApp::builder().empty().build().await;
    app.brainstem().set_knobs(|knobs| knobs.collation = Collation::Reversed);
    let expected =
        ["_x", "🐭", "9", "angstrom", "Ångström", "émile", "Emily", "ss", "ß", "Zoe\u{308}", "Zoë", "ω", "нет", "鼠"];
    let mut dice = Dice::new(7);
    for name in ["ω", "ß", "Zoë", "9", "Ångström", "Emily", "鼠"] {
        app.brainstem().insert("subjects", super::data::animal(&dice.uuid(), name));
    }
    for name in ["Zoe\u{308}", "нет", "angstrom", "🐭", "émile", "_x", "ss"] {
        let dataset = subject_gateway::sandbox::DATASET_IDS[0];
        app.haut_ai().insert("subjects", super::data::person(&dice.uuid(), dataset, name));
    }
    let query = "query($order: SubjectOrder) { subjects(orderBy: $order) { nodes { name } } }";
    let names = async |order: Value| -> Vec<String> {
        let answer = app.query_with(query, json!({"order": order})).await;
        let nodes = answer.data()["subjects"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(json!({"field": "NAME"})).await, expected);
    // Both ways to write Zoë are one name: a tie, in which Haut.AI stands first under any direction.
    let mut reversed: Vec<_> = expected.into_iter().rev().collect();
    reversed.swap(3, 4);
    assert_eq!(names(json!({"field": "NAME", "direction": "DESC"})).await, reversed);
}
