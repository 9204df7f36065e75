//! `docs/queries.md`: every query on the page runs, and answers what the page says.
//!
//! A `graphql` block begins a recipe. A `json` block with `data` or `errors` in it is an answer, any other the variables
//! for the answer that follows; a query may be asked again with other variables. In the variables,
//! `"$Name/subjects/nodes/0/id"` stands for what the last answer to the query `Name` has there, below `data`. The recipes
//! run from the first to the last over one sandbox, so what one creates the next may change.
//!
//! Ids of what a recipe created, and times within the last hour, are the run's own: they need not be those of the page.

use std::{collections::HashMap, fmt::Write as _, fs};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use subject_gateway::sandbox::{Fault, FaultKind};

use crate::util::TestApp;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/queries.md");
/// Right before a query: BrainSTEM answers nothing while it runs.
const DOWN: &str = "<!-- BrainSTEM is down -->";
/// Longer lines of an answer are broken.
const WIDTH: usize = 116;

/// `UPDATE_DOCS=1 cargo test --test it cookbook` writes the answers anew.
#[tokio::test]
async fn every_query_on_the_page_answers_what_the_page_says() {
    let page = fs::read_to_string(PAGE).unwrap();
    let mut kitchen = Kitchen::open().await;
    let (answers, mut faults) = kitchen.cook(&page).await;
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(PAGE, rewritten(&page, &answers)).unwrap();
    } else {
        faults.extend(answers.iter().filter_map(Answer::difference));
    }
    assert!(faults.is_empty(), "docs/queries.md (UPDATE_DOCS=1 writes the answers anew):\n{}", faults.join("\n"));
    assert!(answers.len() > 20, "only {} answers were found", answers.len());
}

#[tokio::test]
async fn a_page_that_is_wrong_is_noticed() {
    let query = "```graphql\n{ __typename }\n```\n";
    let answer = |name: &str| format!("```json\n{{ \"data\": {{ \"__typename\": \"{name}\" }} }}\n```\n");
    for (page, wrong) in [
        (format!("{query}{}", answer("Query")), None),
        (
            format!("{query}{}", answer("Mutation")),
            Some("line 5: the answer is\n{ \"data\": { \"__typename\": \"Query\" } }"),
        ),
        (format!("{query}text\n{query}{}", answer("Query")), Some("line 2: the query has no answer")),
        (query.to_owned(), Some("line 2: the query has no answer")),
        (format!("{query}{}```json\n{{}}\n```\n", answer("Query")), Some("line 8: the variables have no answer")),
        (answer("Query"), Some("line 2: the block belongs to no query")),
    ] {
        let (answers, mut faults) = Kitchen::open().await.cook(&page).await;
        faults.extend(answers.iter().filter_map(Answer::difference));
        assert_eq!(faults.first().map(String::as_str), wrong, "{page}");
    }
}

/// A fenced block of the page.
struct Block<'p> {
    language: &'p str,
    text: &'p str,
    /// Where its text begins.
    start: usize,
    /// The number of its first line.
    line: usize,
    is_down: bool,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    let (mut offset, mut before) = (0, "");
    for (number, line) in (1..).zip(page.split_inclusive('\n')) {
        let next = offset + line.len();
        if let Some(fence) = line.strip_prefix("```") {
            if let Some(block) = open.take() {
                blocks.push(Block { text: &page[block.start..offset], ..block });
            } else {
                let (language, is_down) = (fence.trim(), before == DOWN);
                open = Some(Block { language, text: "", start: next, line: number + 1, is_down });
            }
        }
        if !line.trim().is_empty() {
            before = line.trim();
        }
        offset = next;
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// An answer on the page, and the one that came.
struct Answer {
    line: usize,
    /// Where it stands on the page.
    start: usize,
    end: usize,
    pasted: Value,
    /// With the page's own ids and times where a run's differ each time.
    came: Value,
}

impl Answer {
    fn difference(&self) -> Option<String> {
        (self.came != self.pasted).then(|| format!("line {}: the answer is\n{}", self.line, layout(&self.came, 0)))
    }
}

/// Where recipes are tried.
struct Kitchen {
    app: TestApp,
    /// The last answer to each query that has a name.
    answers: HashMap<String, Value>,
    /// Ids that this run made, and those that the page has in their place.
    made: HashMap<String, String>,
}

impl Kitchen {
    async fn open() -> Self {
        // An answer must not depend on how long ago another one was read.
        let app = TestApp::builder().set("CACHE_FRESH_MS", "0").build().await;
        Self { app, answers: HashMap::new(), made: HashMap::new() }
    }

    /// Runs a page; gives its answers, and what is wrong with its shape.
    async fn cook(&mut self, page: &str) -> (Vec<Answer>, Vec<String>) {
        let (mut answers, mut faults) = (Vec::new(), Vec::new());
        let mut query: Option<Block<'_>> = None;
        let mut waiting: Option<(usize, &str)> = None;
        let mut variables = None;
        for block in blocks(page) {
            if block.language == "graphql" {
                faults.extend(waiting.replace((block.line, "query")).map(unanswered));
                (query, variables) = (Some(block), None);
                continue;
            }
            if block.language != "json" {
                continue;
            }
            let Some(asked) = &query else {
                faults.push(format!("line {}: the block belongs to no query", block.line));
                continue;
            };
            let value: Value =
                serde_json::from_str(block.text).unwrap_or_else(|error| panic!("line {}: {error}", block.line));
            if value.get("data").is_none() && value.get("errors").is_none() {
                faults.extend(waiting.filter(|(_, what)| *what != "query").map(unanswered));
                (waiting, variables) = (Some((block.line, "variables")), Some(value));
                continue;
            }
            let came = self.ask(asked, variables.take().unwrap_or_else(|| json!({}))).await;
            let came = self.settled(&came, &value);
            let (line, start) = (block.line, block.start);
            answers.push(Answer { line, start, end: start + block.text.len(), pasted: value, came });
            waiting = None;
        }
        faults.extend(waiting.map(unanswered));
        (answers, faults)
    }

    async fn ask(&mut self, query: &Block<'_>, mut variables: Value) -> Value {
        self.fill_in(&mut variables);
        if query.is_down {
            self.app.brainstem().set_knobs(|knobs| knobs.faults.push(Fault::new(FaultKind::Reset)));
        }
        let answer = self.app.query_with(query.text, variables).await.0;
        self.app.brainstem().set_knobs(|knobs| knobs.faults.clear());
        let words = query.text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
        let mut words = words.skip_while(|word| !["query", "mutation"].contains(word));
        if let (Some(_), Some(name)) = (words.next(), words.next()) {
            self.answers.insert(name.to_owned(), answer.clone());
        }
        answer
    }

    /// Puts values of earlier answers in place of their names.
    fn fill_in(&self, variables: &mut Value) {
        match variables {
            Value::String(text) => {
                if let Some((name, path)) = text.strip_prefix('$').and_then(|place| place.split_once('/')) {
                    let answer = self.answers.get(name).and_then(|answer| answer["data"].pointer(&format!("/{path}")));
                    *variables = answer.unwrap_or_else(|| panic!("{text} is in no answer so far")).clone();
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill_in(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.fill_in(field)),
            _ => {}
        }
    }

    /// The answer with the page's own ids and times where those of a run differ each time.
    fn settled(&mut self, came: &Value, pasted: &Value) -> Value {
        for (field, payload) in came["data"].as_object().into_iter().flatten() {
            for id in ["/subject/id", "/subject/sourceId"].into_iter().filter(|_| field.ends_with("Create")) {
                let of_page = pasted["data"][field].pointer(id).and_then(Value::as_str);
                if let Some(made) = payload.pointer(id).and_then(Value::as_str) {
                    self.made.insert(made.to_owned(), of_page.unwrap_or(made).to_owned());
                }
            }
        }
        self.replaced(came, pasted)
    }

    fn replaced(&self, came: &Value, pasted: &Value) -> Value {
        match came {
            Value::String(text) => match self.made.get(text) {
                Some(of_page) => json!(of_page),
                None if is_recent(text) && instant(pasted).is_some() => pasted.clone(),
                None => came.clone(),
            },
            Value::Array(items) => {
                (0..).zip(items).map(|(at, item): (usize, _)| self.replaced(item, &pasted[at])).collect()
            }
            Value::Object(fields) => {
                let field = |(name, value): (&String, &Value)| (name.clone(), self.replaced(value, &pasted[name]));
                Value::Object(fields.iter().map(field).collect())
            }
            _ => came.clone(),
        }
    }
}

fn unanswered((line, what): (usize, &str)) -> String {
    let verb = if what == "query" { "has" } else { "have" };
    format!("line {line}: the {what} {verb} no answer")
}

fn instant(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn is_recent(text: &str) -> bool {
    let age = text.parse::<Timestamp>().map(|instant| Timestamp::now().duration_since(instant));
    age.is_ok_and(|age| age.abs() < SignedDuration::from_hours(1))
}

fn rewritten(page: &str, answers: &[Answer]) -> String {
    let (mut text, mut done) = (String::new(), 0);
    for answer in answers {
        text.push_str(&page[done..answer.start]);
        writeln!(text, "{}", layout(&answer.came, 0)).unwrap();
        done = answer.end;
    }
    text + &page[done..]
}

/// JSON as people write it: on one line what fits there.
fn layout(value: &Value, indent: usize) -> String {
    let line = on_one_line(value);
    if indent + line.chars().count() < WIDTH {
        return line;
    }
    let inner = " ".repeat(indent + 2);
    let (open, lines, close): (_, Vec<String>, _) = match value {
        Value::Array(items) => ('[', items.iter().map(|item| layout(item, indent + 2)).collect(), ']'),
        Value::Object(fields) => {
            let field = |(name, value)| format!("{}: {}", json!(name), layout(value, indent + 2));
            ('{', fields.iter().map(field).collect(), '}')
        }
        _ => return line,
    };
    format!("{open}\n{inner}{}\n{}{close}", lines.join(&format!(",\n{inner}")), " ".repeat(indent))
}

fn on_one_line(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(on_one_line).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) if !fields.is_empty() => {
            let field = |(name, value)| format!("{}: {}", json!(name), on_one_line(value));
            format!("{{ {} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}
