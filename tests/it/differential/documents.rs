//! Documents that a schema allows, drawn from a tape of bytes: the same tape gives the same document, and a shorter one a
//! smaller document, so that proptest finds the smallest that fails.

use std::collections::BTreeSet;

use apollo_compiler::{
    Schema,
    schema::{ExtendedType, FieldDefinition},
    validation::Valid,
};

/// Levels of selections below the root's fields.
const DEPTH: usize = 6;

/// What clients may draw arguments from.
pub(super) struct World {
    pub(super) schema: Valid<Schema>,
    /// Global ids of records of every type.
    pub(super) ids: Vec<String>,
}

pub(super) struct Drawing<'a> {
    world: &'a World,
    tape: &'a [u8],
    /// Names that were given so far, to fields and fragments.
    names: usize,
    fragments: Vec<String>,
    variables: BTreeSet<&'static str>,
    has_lists_below: bool,
}

/// Declarations of what documents may use, by name.
const VARIABLES: [(&str, &str); 4] = [
    ("yes", "$yes: Boolean! = true"),
    ("no", "$no: Boolean = false"),
    ("few", "$few: Int = 2"),
    ("absent", "$absent: Int"),
];

/// A document.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) text: String,
    /// Whether it has lists that are read beside each other: what one brings another may find, or not yet.
    pub(super) has_race: bool,
}

pub(super) fn document(world: &World, tape: &[u8]) -> Document {
    let mut drawing =
        Drawing { world, tape, names: 0, fragments: Vec::new(), variables: BTreeSet::new(), has_lists_below: false };
    let count = 1 + drawing.draw(8) / 6;
    let roots: Vec<_> = (0..count).map(|_| drawing.root()).collect();
    let declared = VARIABLES.iter().filter(|(name, _)| drawing.variables.contains(name)).map(|(_, text)| *text);
    let declared: Vec<_> = declared.collect();
    let head = if declared.is_empty() { "query".to_owned() } else { format!("query({})", declared.join(", ")) };
    let text = format!("{head} {{ {} }} {}", roots.join(" "), drawing.fragments.join(" "));
    Document { text, has_race: count > 1 || drawing.has_lists_below }
}

impl Drawing<'_> {
    /// One of so many choices; the first once the tape has ended.
    fn draw(&mut self, choices: usize) -> usize {
        let (byte, rest) = self.tape.split_first().map_or((0, self.tape), |(byte, rest)| (*byte, rest));
        self.tape = rest;
        usize::from(byte) % choices
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.draw(of.len())]
    }

    fn variable(&mut self, name: &'static str) -> String {
        self.variables.insert(name);
        format!("${name}")
    }

    /// A root field that leads to a list, most often the merged one.
    fn root(&mut self) -> String {
        const ROOTS: [&str; 12] = [
            "subjects",
            "subjects",
            "subjects",
            "subjects",
            "projects",
            "procedures",
            "logs",
            "strains",
            "species",
            "suppliers",
            "nodes",
            "subject",
        ];
        let name = self.pick(&ROOTS);
        let world = self.world;
        let ExtendedType::Object(query) = &world.schema.types["Query"] else { unreachable!() };
        self.field(&query.fields[name], DEPTH)
    }

    fn selection(&mut self, ty: &str, depth: usize) -> String {
        let count = 1 + self.draw(5);
        let parts: Vec<_> = (0..count).map(|_| self.part(ty, depth)).collect();
        parts.join(" ")
    }

    /// A field, or a fragment with some.
    fn part(&mut self, ty: &str, depth: usize) -> String {
        match self.draw(16) {
            0 => "__typename".to_owned(),
            1 => format!("again: __typename {}", self.any_field(ty, depth)),
            2 => format!("...{} {{ {} }}", self.directive(), self.selection(ty, depth)),
            3 => format!("... on {ty}{} {{ {} }}", self.directive(), self.selection(ty, depth)),
            4 => {
                self.names += 1;
                let (name, selection) = (format!("F{}", self.names), self.selection(ty, depth));
                self.fragments.push(format!("fragment {name} on {ty} {{ __typename {selection} }}"));
                format!("...{name}{}", self.directive())
            }
            5 if self.is_node(ty) => "... on Node { id node: __typename }".to_owned(),
            _ => self.any_field(ty, depth),
        }
    }

    fn is_node(&self, ty: &str) -> bool {
        matches!(&self.world.schema.types[ty], ExtendedType::Object(object) if object.implements_interfaces.contains("Node"))
    }

    fn is_leaf(&self, field: &FieldDefinition) -> bool {
        let inner = field.ty.inner_named_type().as_str();
        !matches!(&self.world.schema.types[inner], ExtendedType::Object(_) | ExtendedType::Interface(_))
    }

    fn directive(&mut self) -> String {
        match self.draw(24) {
            1 | 2 => format!(" @include(if: {})", self.variable("yes")),
            3 | 4 => format!(" @skip(if: {})", self.variable("no")),
            5 => " @skip(if: true)".to_owned(),
            _ => String::new(),
        }
    }

    fn any_field(&mut self, ty: &str, depth: usize) -> String {
        match &self.world.schema.types[ty] {
            ExtendedType::Object(object) => {
                // What leads on is drawn more often than it is there.
                let leads_on = depth > 0 && self.draw(5) < 3;
                let fields: Vec<_> = object
                    .fields
                    .values()
                    .filter(|field| !leads_on || !self.is_leaf(field) && field.name != "pageInfo")
                    .collect();
                if fields.is_empty() {
                    return "__typename".to_owned();
                }
                let field = (*self.pick(&fields)).clone();
                self.field(&field, depth)
            }
            // Types have fields of one name and several types: one of them at a time.
            ExtendedType::Interface(_) => {
                const TYPES: [&str; 6] = ["Subject", "Project", "Procedure", "Strain", "Cohort", "SubjectLog"];
                let ty = self.pick(&TYPES);
                format!("id ... on {ty} {{ {} }}", self.selection(ty, depth))
            }
            _ => "__typename".to_owned(),
        }
    }

    fn field(&mut self, field: &FieldDefinition, depth: usize) -> String {
        let inner = field.ty.inner_named_type().as_str();
        let is_leaf = self.is_leaf(field);
        if depth == 0 && !is_leaf {
            return "__typename".to_owned();
        }
        let arguments = self.arguments(field, depth);
        // The same name twice must mean the same field with the same arguments.
        let needs_alias = !field.arguments.is_empty() || self.draw(4) == 0;
        let alias = if needs_alias {
            self.names += 1;
            format!("a{}: ", self.names)
        } else {
            String::new()
        };
        let directive = if depth == DEPTH { String::new() } else { self.directive() };
        let selection = if is_leaf { String::new() } else { format!(" {{ {} }}", self.selection(inner, depth - 1)) };
        format!("{alias}{}{arguments}{directive}{selection}", field.name)
    }

    fn arguments(&mut self, field: &FieldDefinition, depth: usize) -> String {
        let mut written = Vec::new();
        for argument in &field.arguments {
            if let Some(value) = self.argument(&field.name, &argument.name, depth) {
                written.push(format!("{}: {value}", argument.name));
            }
        }
        self.has_lists_below |=
            depth < DEPTH && written.iter().any(|one| one.starts_with("filter") || one.starts_with("orderBy"));
        if written.is_empty() { String::new() } else { format!("({})", written.join(", ")) }
    }

    fn argument(&mut self, field: &str, name: &str, depth: usize) -> Option<String> {
        let often = |drawn: usize, text: &str| (drawn == 0).then(|| text.to_owned());
        match (field, name) {
            (_, "first") => Some(match self.draw(16) {
                0..6 => self.pick(if depth == DEPTH { &[20, 40, 5, 100] } else { &[2, 5, 1, 3] }).to_string(),
                6 => "0".to_owned(),
                7 => self.variable("few"),
                8 => self.variable("absent"),
                9 if self.draw(3) == 0 => "101".to_owned(),
                10 if self.draw(3) == 0 => "-1".to_owned(),
                _ => return None,
            }),
            (_, "last") => often(self.draw(12).abs_diff(7), "3"),
            (_, "after" | "before") => often(self.draw(32).abs_diff(7), "\"odd\""),
            // It depends on the day otherwise.
            ("age", "at") => Some(self.pick(&["\"2025-06-30\"", "\"never\""]).to_owned()),
            (_, "type") => {
                (self.draw(4) == 1).then(|| self.pick(&["\"Craniotomy\"", "\"Weighing\"", "\"\""]).to_owned())
            }
            (_, "search") => often(self.draw(4).abs_diff(1), "\"a\""),
            ("subjects", "filter") if depth == DEPTH => Some(
                self.pick(&[
                    "{sources: [BRAINSTEM]}",
                    "{sources: [BRAINSTEM]}",
                    "{sources: [HAUT_AI]}",
                    "{name: {contains: \"a\"}}",
                    "{sex: [FEMALE]}",
                    "null",
                ])
                .to_owned(),
            ),
            ("subjects", "filter") => often(self.draw(4).abs_diff(1), "{sex: [FEMALE]}"),
            ("subjects", "orderBy") => (self.draw(6) == 1)
                .then(|| self.pick(&["{field: NAME}", "{field: BIRTH_DATE, direction: DESC}"]).to_owned()),
            (_, "by") => Some(self.pick(&["{brainStemName: \"wt-0007\"}", "{brainStemName: \"nobody\"}"]).to_owned()),
            (_, "ids") => {
                let ids: Vec<_> = (0..6).map(|_| self.draw(self.world.ids.len())).collect();
                let ids: Vec<_> = ids.iter().map(|at| format!("\"{}\"", self.world.ids[*at])).collect();
                Some(format!("[{}]", ids.join(", ")))
            }
            _ => None,
        }
    }
}
