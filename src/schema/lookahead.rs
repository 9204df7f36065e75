//! What a selection needs of the records of a list, so that the list brings it along (`include[]`): one round trip in place
//! of one a level.
//!
//! Only records count: ids and counts come with the record that refers to them. Knows the relations of the schema and what
//! BrainSTEM calls them; what came along is found by the loaders, and what did not is loaded by them.

use async_graphql::{Context, Lookahead, SelectionField, Value};

use super::{connection::DEFAULT_PAGE, context::RequestContext};
use crate::{
    cache::Viewer,
    config::{Generation, Sideload},
    sources::brainstem::{BrainStem, Model},
};

/// More records of one kind than this come sooner in batches, which a server works on side by side.
const MOST: f64 = 1_000.0;
/// Records that nobody asked for cost less than a round trip up to here, and up to as many as were asked for.
const SURPLUS: f64 = 100.0;
/// How far ahead: list, relation, its relation, and one more.
const DEPTH: usize = 3;

/// What the current field's list of such records should bring along, as BrainSTEM calls it in `include[]`. `count`: the
/// records on its page.
pub(super) fn sideloads<T: Model>(ctx: &Context<'_>, count: u64) -> Vec<String> {
    let request = RequestContext::of(ctx);
    let mode = request.sources.sideload;
    let brainstem = request.sources.brainstem.as_ref().zip(request.viewers.brainstem.as_ref());
    let Some((brainstem, viewer)) = brainstem.filter(|_| mode != Sideload::Never) else {
        return Vec::new();
    };
    let (source, brings_all) = (brainstem.source(), mode == Sideload::Always);
    let mut plan = Plan { source, viewer, brings_all, include: Vec::new() };
    let count = u32::try_from(count).map_or(f64::INFINITY, f64::from);
    let expected = Expected { come: count, shown: count };
    let page = Level { prefix: "", depth: DEPTH, expected, is_plural: false, back: None };
    plan.visit(T::NAME, of_page(&ctx.look_ahead()), &page);
    plan.include
}

/// The paths that are worth their while.
struct Plan<'a> {
    source: &'a BrainStem,
    viewer: &'a Viewer,
    /// Whatever it costs.
    brings_all: bool,
    include: Vec<String>,
}

/// Where the plan has come to.
struct Level<'a> {
    prefix: &'a str,
    depth: usize,
    expected: Expected,
    /// Whether a list lies between here and the page.
    is_plural: bool,
    /// The schema's field that leads back to the owner, which is there already.
    back: Option<&'static str>,
}

/// Records that come along, and those of them that the selection shows.
#[derive(Clone, Copy)]
struct Expected {
    come: f64,
    shown: f64,
}

impl Plan<'_> {
    fn visit(&mut self, model: &'static str, mut owners: Vec<Lookahead<'_>>, level: &Level<'_>) {
        let relations = relations(model, self.source.generation());
        and_those_led_back_to(&mut owners, relations);
        let leads_on = |relation: &&Relation| level.back.is_none_or(|back| relation.path != [back]);
        for relation in relations.iter().filter(leads_on) {
            let Some(need) = Need::of(relation, &owners) else { continue };
            let Some(expected) = self.expected(model, &need, level) else { continue };
            let mut prefix = level.prefix.to_owned();
            for field in relation.field.split('.') {
                prefix.push_str(field);
                prefix.push('.');
                let path = format!("{prefix}*");
                if !self.include.contains(&path) {
                    self.include.push(path);
                }
            }
            if level.depth > 1 {
                let is_plural = level.is_plural || relation.form != Form::One;
                let next = Level { prefix: &prefix, depth: level.depth - 1, expected, is_plural, back: relation.back };
                self.visit(relation.to, need.inner, &next);
            }
        }
    }

    /// `None`: it comes sooner by itself.
    fn expected(&self, model: &'static str, need: &Need<'_>, level: &Level<'_>) -> Option<Expected> {
        let Expected { come, shown } = level.expected;
        let size = match need.relation.form {
            Form::One => Some(1.0),
            Form::All | Form::Paged => self.source.mean_size(&self.viewer.credential, model, need.relation.field),
        };
        let expected = match size {
            Some(size) => {
                let shown_of_each = need.shown.map_or(size, |shown| shown.min(size));
                Expected { come: come * size, shown: shown * shown_of_each }
            }
            // Only a first look tells; but not where nobody knows how often.
            None => Expected { come: if level.is_plural { f64::INFINITY } else { come }, shown },
        };
        let surplus = expected.come - expected.shown;
        let is_worth_it = expected.come <= MOST && surplus <= expected.shown.max(SURPLUS);
        (self.brings_all || is_worth_it).then_some(expected)
    }
}

/// A relation whose records the selection needs.
struct Need<'a> {
    relation: &'static Relation,
    /// How many records of each owner are shown; `None`: all.
    shown: Option<f64>,
    /// What is selected of its records.
    inner: Vec<Lookahead<'a>>,
}

impl<'a> Need<'a> {
    /// `None`: no records of it are needed.
    fn of(relation: &'static Relation, owners: &[Lookahead<'a>]) -> Option<Self> {
        let selected = owners.iter().map(|owner| follow(owner, relation.path)).filter(Lookahead::exists);
        if relation.form != Form::Paged {
            let inner: Vec<_> = selected.collect();
            return (!inner.is_empty()).then_some(Self { relation, shown: None, inner });
        }
        let (mut shown, mut inner) = (Some(0.0), Vec::new());
        for list in selected.flat_map(|list| list.selection_fields()) {
            shown = shown.zip(shown_of(&list)).map(|(one, other): (f64, f64)| one.max(other));
            if shown_of(&list) != Some(0.0) {
                inner.extend(of_page(&list.into()));
            }
        }
        (shown != Some(0.0)).then_some(Self { relation, shown, inner })
    }
}

/// How many records of a paged relation a field shows; `None`: all have to be there.
fn shown_of(list: &SelectionField<'_>) -> Option<f64> {
    let arguments = list.arguments().unwrap_or_default();
    let given = |name| arguments.iter().find(|(given, value)| given == name && *value != Value::Null);
    if given("filter").is_some() || given("orderBy").is_some() {
        // Another list, which BrainSTEM is asked for.
        return Some(0.0);
    }
    if given("type").is_some() {
        return None;
    }
    let shows_records = list.selection_set().any(|field| matches!(field.name(), "nodes" | "edges"));
    let size = given("first").or_else(|| given("last")).map(|(_, size)| size);
    let size = match size {
        Some(Value::Number(size)) => size.as_u64().unwrap_or_default(),
        _ => DEFAULT_PAGE,
    };
    Some(if shows_records { f64::from(u32::try_from(size).unwrap_or(u32::MAX)) } else { 0.0 })
}

/// What is selected of the records on a page.
fn of_page<'a>(list: &Lookahead<'a>) -> Vec<Lookahead<'a>> {
    [list.field("nodes"), list.field("edges").field("node")].into_iter().filter(Lookahead::exists).collect()
}

fn follow<'a>(record: &Lookahead<'a>, path: &[&str]) -> Lookahead<'a> {
    let (first, rest) = path.split_first().map_or(("", path), |(first, rest)| (*first, rest));
    rest.iter().fold(record.field(first), |at, field| at.field(field))
}

/// What is selected of a record behind a relation that leads back to it counts for the record itself.
fn and_those_led_back_to(owners: &mut Vec<Lookahead<'_>>, relations: &[Relation]) {
    let mut at = 0;
    while at < owners.len() {
        for relation in relations {
            let Some(back) = relation.back else { continue };
            let related = follow(&owners[at], relation.path);
            let led_back = of_page(&related).into_iter().map(|record| record.field(back)).filter(Lookahead::exists);
            let led_back: Vec<_> = led_back.collect();
            owners.extend(led_back);
        }
        at += 1;
    }
}

/// How many records a field refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    One,
    /// A list that is shown as a whole.
    All,
    /// A list that is shown a page at a time.
    Paged,
}

/// A relation between records that the upstream can bring along.
#[derive(Clone, Copy)]
struct Relation {
    /// Where it stands in the schema, from the record that has it.
    path: &'static [&'static str],
    /// BrainSTEM's field, or its path to it.
    field: &'static str,
    /// The model that it leads to, by [`Model::NAME`].
    to: &'static str,
    form: Form,
    /// The schema's field that leads back to the record that has it.
    back: Option<&'static str>,
}

const fn one(path: &'static [&'static str], field: &'static str, to: &'static str) -> Relation {
    Relation { path, field, to, form: Form::One, back: None }
}

const fn all(path: &'static [&'static str], field: &'static str, to: &'static str) -> Relation {
    Relation { path, field, to, form: Form::All, back: None }
}

const fn paged(path: &'static [&'static str], field: &'static str, to: &'static str) -> Relation {
    Relation { path, field, to, form: Form::Paged, back: None }
}

const fn owned(relation: Relation, back: &'static str) -> Relation {
    Relation { back: Some(back), ..relation }
}

const STRAIN: Relation = one(&["strain"], "strain", "strain");
/// Of a subject, which has it by its strain.
const SPECIES: Relation = one(&["species"], "strain.species", "species");
const PROJECTS: Relation = all(&["projects"], "projects", "project");
const BRAIN_REGION: Relation = one(&["brainRegion"], "brain_region", "brainregion");
const SUBJECT: Relation = one(&["subject"], "subject", "subject");

/// The relations of a model, by [`Model::NAME`], as servers of a generation have them.
fn relations(model: &str, generation: Generation) -> &'static [Relation] {
    match (model, generation) {
        ("subject", Generation::Current) => {
            const {
                &[
                    PROJECTS,
                    owned(paged(&["procedures"], "procedures", "procedure"), "subject"),
                    owned(paged(&["logs"], "subjectlogs", "subjectlog"), "subject"),
                    all(&["licenses"], "licenses", "license"),
                    STRAIN,
                    SPECIES,
                    one(&["supplier"], "supplier", "supplier"),
                    one(&["breeding"], "breeding", "breeding"),
                ]
            }
        }
        ("subject", Generation::Legacy) => {
            const {
                &[
                    PROJECTS,
                    owned(paged(&["procedures"], "actions", "procedure"), "subject"),
                    owned(
                        paged(&["brainStem", "stateChanges"], "subjectstatechanges", "subjectstatechange"),
                        "subject",
                    ),
                    STRAIN,
                    SPECIES,
                ]
            }
        }
        ("project", _) => {
            const {
                &[
                    paged(&["subjects"], "subjects", "subject"),
                    owned(paged(&["cohorts"], "cohorts", "cohort"), "project"),
                ]
            }
        }
        ("cohort", _) => {
            const { &[one(&["project"], "project", "project"), paged(&["subjects"], "subjects", "subject")] }
        }
        ("breeding", _) => {
            const {
                &[
                    one(&["project"], "project", "project"),
                    one(&["mother"], "mother", "subject"),
                    one(&["father"], "father", "subject"),
                ]
            }
        }
        ("procedure", Generation::Current) => {
            const { &[SUBJECT, BRAIN_REGION, all(&["licenses"], "licenses", "license")] }
        }
        ("procedure" | "subjectstatechange", _) => const { &[SUBJECT, BRAIN_REGION] },
        ("subjectlog", _) => const { &[SUBJECT] },
        ("strain", _) => const { &[one(&["species"], "species", "species")] },
        _ => &[],
    }
}
