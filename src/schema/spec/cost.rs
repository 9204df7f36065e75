//! What an operation is estimated to cost, by `schema/cost.rs`: a pass over what is to be executed, in time that grows with that
//! alone. Variables have their values by then, so that `first: $n` is known, and what is skipped is gone.

use std::{collections::HashMap, fmt::Write as _};

use ahash::RandomState;
use apollo_compiler::{
    Schema,
    ast::Type,
    schema::{ExtendedType, FieldDefinition},
};
use async_graphql::{
    ErrorExtensionValues, Positioned, ServerError, Value as ConstValue, Variables,
    parser::types::{Field, Selection, SelectionSet},
};
use async_graphql_value::Value;

use super::{
    limits::{Limit, Refused},
    variables::quoted,
};
use crate::{
    schema::{connection::DEFAULT_PAGE, cost},
    sources::paging::MAX_PAGE,
};

/// What an operation is estimated to cost, and what one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub estimated: u64,
    pub limit: u64,
}

type Map<V> = HashMap<String, V, RandomState>;

/// What the fields of all types cost.
pub(super) struct Costs {
    types: Vec<TypeCosts>,
    /// Where a type stands among them.
    places: Map<usize>,
    max_entities: u64,
}

#[derive(Default)]
struct TypeCosts {
    /// Those that cost anything.
    fields: Map<FieldCost>,
    /// The object types that it can be, where it is none.
    possible: Vec<usize>,
    /// Of an object: itself and what it belongs to.
    is: Vec<usize>,
}

struct FieldCost {
    /// Counts once for each object that the field belongs to.
    weight: u64,
    /// The type of its objects.
    leads_to: Option<usize>,
    size: Size,
}

/// How many objects a field brings.
enum Size {
    One,
    /// A list that comes whole.
    Assumed(u64),
    /// A page: `edges` and `nodes` have as many as its arguments say.
    Page,
    /// `edges` and `nodes` themselves.
    OfPage,
    /// As many as the argument has.
    Given(&'static str),
}

impl Costs {
    pub(super) fn of(schema: &Schema, possible: impl Fn(&str) -> Vec<String>, max_entities: u64) -> Self {
        let composite = |ty: &&ExtendedType| ty.is_object() || ty.is_interface() || ty.is_union();
        let names = schema.types.values().filter(composite).map(|ty| ty.name().to_string());
        let places: Map<usize> = names.enumerate().map(|(at, name)| (name, at)).collect();
        let mut types: Vec<TypeCosts> = Vec::new();
        types.resize_with(places.len(), TypeCosts::default);
        for (name, at) in &places {
            let fields = match &schema.types[name.as_str()] {
                ExtendedType::Object(object) => Some(&object.fields),
                ExtendedType::Interface(interface) => Some(&interface.fields),
                _ => None,
            };
            let fields = fields.into_iter().flat_map(|fields| fields.values());
            let costs = fields.filter_map(|field| Some((field.name.to_string(), field_cost(name, field, &places)?)));
            types[*at].fields = costs.collect();
            for object in possible(name).iter().filter_map(|object| places.get(object)) {
                types[*object].is.push(*at);
                if object != at {
                    types[*at].possible.push(*object);
                }
            }
        }
        Self { types, places, max_entities }
    }

    /// What a selection at the root of this type costs; and which of its fields costs most, and how much.
    pub(super) fn estimate<'a>(
        &self,
        root: &str,
        selected: &'a SelectionSet,
        variables: &Variables,
    ) -> (u64, Option<(&'a Positioned<Field>, u64)>) {
        let estimate = Estimate { costs: self, variables };
        let Some(root) = self.places.get(root) else { return (0, None) };
        let (mut total, mut most) = (0_u64, None);
        for item in &selected.items {
            let Selection::Field(field) = &item.node else { continue };
            let cost = estimate.field(&field.node, *root, DEFAULT_PAGE);
            total = total.saturating_add(cost);
            if most.is_none_or(|(_, most)| cost > most) {
                most = Some((field, cost));
            }
        }
        (total, most)
    }
}

/// `None`: it costs nothing.
fn field_cost(of: &str, field: &FieldDefinition, places: &Map<usize>) -> Option<FieldCost> {
    let leads_to = places.get(field.ty.inner_named_type().as_str()).copied();
    let is_list = matches!(field.ty, Type::List(_) | Type::NonNullList(_));
    let is_page = |name: &str| name.ends_with("Connection");
    let size = match cost::sized_by(of, &field.name) {
        Some(argument) => Size::Given(argument),
        None if leads_to.is_none() || !is_list && !is_page(field.ty.inner_named_type()) => Size::One,
        None if !is_list => Size::Page,
        None if is_page(of) && matches!(field.name.as_str(), "edges" | "nodes") => Size::OfPage,
        None => Size::Assumed(cost::estimated_size(of, &field.name).map_or(DEFAULT_PAGE, u64::from)),
    };
    // The objects of a list count each for itself.
    let without = u64::from(leads_to.is_some() && !is_list);
    let weight = cost::estimated_weight(of, &field.name).map_or(without, u64::from);
    (weight > 0 || leads_to.is_some()).then_some(FieldCost { weight, leads_to, size })
}

struct Estimate<'e> {
    costs: &'e Costs,
    variables: &'e Variables,
}

impl Estimate<'_> {
    /// What is selected of one object costs, without the object; of an abstract type, what is selected of the most expensive of the
    /// types that it can be. `page` is how many objects `edges` and `nodes` have.
    fn object(&self, set: &SelectionSet, ty: usize, page: u64) -> u64 {
        let mut conditional = Vec::new();
        let always = self.gather(set, ty, page, &[], &mut conditional);
        if conditional.is_empty() {
            return always;
        }
        let of = |object: &usize| {
            let is = &self.costs.types[*object].is;
            let applies = |(conditions, _): &&(Vec<usize>, u64)| conditions.iter().all(|one| is.contains(one));
            conditional.iter().filter(applies).fold(0_u64, |sum, (_, cost)| sum.saturating_add(*cost))
        };
        let most = self.costs.types[ty].possible.iter().map(of).max().unwrap_or_default();
        always.saturating_add(most)
    }

    /// What is selected without a condition; what has some goes into `conditional`, with them.
    fn gather(
        &self,
        set: &SelectionSet,
        ty: usize,
        page: u64,
        conditions: &[usize],
        conditional: &mut Vec<(Vec<usize>, u64)>,
    ) -> u64 {
        let mut sum = 0_u64;
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => sum = sum.saturating_add(self.field(&field.node, ty, page)),
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref().map(|condition| &condition.node.on.node);
                    let ty = condition.and_then(|name| self.costs.places.get(name.as_str())).copied().unwrap_or(ty);
                    let conditions: Vec<usize> = conditions.iter().copied().chain([ty]).collect();
                    let cost = self.gather(&fragment.node.selection_set.node, ty, page, &conditions, conditional);
                    conditional.push((conditions, cost));
                }
                // They were written out.
                Selection::FragmentSpread(_) => {}
            }
        }
        sum
    }

    fn field(&self, field: &Field, of: usize, page: u64) -> u64 {
        let selected = &field.selection_set.node;
        let Some(FieldCost { weight, leads_to, size }) = self.costs.types[of].fields.get(field.name.node.as_str())
        else {
            // The roots of introspection are no fields of the schema's.
            let told = match field.name.node.as_str() {
                "__schema" => self.costs.places.get("__Schema"),
                "__type" => self.costs.places.get("__Type"),
                _ => None,
            };
            return told.map_or(0, |ty| self.object(selected, *ty, DEFAULT_PAGE).saturating_add(1));
        };
        let Some(ty) = *leads_to else { return *weight };
        let (number, each) = match size {
            Size::One => (1, 0),
            Size::Page => return weight.saturating_add(self.object(selected, ty, self.page(field))),
            Size::Assumed(number) => (*number, 1),
            Size::OfPage => (page, 1),
            Size::Given(argument) => (self.given(field, argument), u64::from(cost::BATCHED)),
        };
        let each = self.object(selected, ty, DEFAULT_PAGE).saturating_add(each);
        weight.saturating_add(number.saturating_mul(each))
    }

    /// How many objects a page has at most. Numbers that no page takes are refused when it is read.
    fn page(&self, field: &Field) -> u64 {
        let given = ["first", "last"].into_iter().filter_map(|name| self.number(field, name));
        given.max().map_or(DEFAULT_PAGE, |number| number.min(MAX_PAGE))
    }

    /// How many values an argument has; more than may be asked for are refused when they are read.
    fn given(&self, field: &Field, name: &str) -> u64 {
        let most = self.costs.max_entities.max(MAX_PAGE);
        let items = match field.get_argument(name).map(|value| &value.node) {
            Some(Value::List(items)) => items.len(),
            Some(Value::Variable(variable)) => match self.variables.get(variable) {
                Some(ConstValue::List(items)) => items.len(),
                _ => 1,
            },
            _ => 1,
        };
        u64::try_from(items).unwrap_or(u64::MAX).min(most)
    }

    /// A number that an argument has; one below zero counts as that.
    fn number(&self, field: &Field, name: &str) -> Option<u64> {
        let number = match &field.get_argument(name)?.node {
            Value::Number(number) => number,
            Value::Variable(variable) => match self.variables.get(variable)? {
                ConstValue::Number(number) => number,
                _ => return None,
            },
            _ => return None,
        };
        Some(number.as_u64().unwrap_or_default())
    }
}

/// An operation that costs more than it may.
pub(super) fn too_much(cost: Cost, most: Option<(&Positioned<Field>, u64)>) -> Refused {
    let Cost { estimated, limit } = cost;
    let mut message = format!(
        "The operation is estimated to cost {estimated}: expected at most {limit}, the gateway's LIMITS_MAX_COST."
    );
    if let Some((field, of_field)) = most {
        let name = quoted(&field.node.response_key().node);
        let _ = write!(
            message,
            " Of these, `{name}` costs {of_field}: ask for fewer objects with `first`, or for fewer lists within lists."
        );
    }
    let mut refused = Refused::past(Limit::Cost, message, most.map(|(field, _)| field.pos));
    refused.errors.iter_mut().for_each(|error| tell(error, cost));
    refused
}

fn tell(error: &mut ServerError, cost: Cost) {
    let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
    extensions.set("cost", cost.estimated);
    extensions.set("maxCost", cost.limit);
}
