//! `CollectFields` (section 6.3.2), for all levels at once: from a valid document to one that holds what is to be executed
//! and nothing else. Fields of one name in the answer become one, with what is selected of them put together, fragments
//! are written out where their type is sure to apply, and `@skip` and `@include` are decided.
//!
//! async-graphql would resolve each place where a field stands. That also makes what a document costs plain: it is counted
//! here, before anything is executed.

use std::collections::{HashMap, HashSet};

use apollo_compiler::{
    ExecutableDocument, Name,
    ast::{DirectiveList, Type, Value},
    executable::{Field, Operation, Selection, SelectionSet},
    schema::{ExtendedType, InputValueDefinition},
};
use async_graphql::{
    Pos, Positioned, Value as ConstValue, Variables,
    parser::types::{self as executed, OperationType, TypeCondition},
};
use async_graphql_value::Value as InputValue;

use super::{
    Specification,
    errors::refusal,
    limits::{Limit, Refused},
    positions::Positions,
    values::input,
};
use crate::{config::DocumentLimits, schema::code};

/// Values within variables, counted wherever a variable is used: each use is a copy.
const MAX_VALUES: usize = 200_000;

type Result<T> = std::result::Result<T, Refused>;

/// A field of the answer.
struct Collected<'a> {
    /// The types that its object must be of, where its place does not say so. Empty: any.
    conditions: Vec<&'a Name>,
    field: &'a Field,
    at: Pos,
    /// What is selected of it, in every place where it stands.
    selections: Vec<&'a SelectionSet>,
}

/// The fields of one level.
#[derive(Default)]
struct Level<'a> {
    fields: Vec<Collected<'a>>,
    /// By conditions and name in the answer.
    places: HashMap<(Vec<&'a Name>, &'a Name), usize>,
    /// Fragments that stand here already, by the conditions they stand under.
    spread: HashSet<(Vec<&'a Name>, &'a Name)>,
}

struct Collector<'a> {
    specification: &'a Specification,
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    positions: &'a Positions,
    limits: &'a DocumentLimits,
    /// Of `LIMITS_FIELDS`: what the request may hold once its fragments are written out.
    left: usize,
    /// Of [`MAX_VALUES`].
    values_left: usize,
    /// Of the variables that were used so far.
    sizes: HashMap<&'a Name, usize>,
}

impl Specification {
    /// What is to be executed of the document, its variables' values being as given.
    pub(super) fn collect(
        &self,
        document: &ExecutableDocument,
        operation: &Operation,
        variables: &Variables,
        positions: &Positions,
        limits: &DocumentLimits,
    ) -> Result<Positioned<executed::OperationDefinition>> {
        let mut collector = Collector {
            specification: self,
            document,
            variables,
            positions,
            limits,
            left: limits.fields,
            values_left: MAX_VALUES,
            sizes: HashMap::new(),
        };
        let selected = collector.root(operation)?;
        let names = operation.variables.iter().map(|variable| (&variable.name, variable.ty.to_string()));
        Ok(placed(executed::OperationDefinition {
            ty: operation_type(operation),
            // Without defaults: those are among the values.
            variable_definitions: names.filter_map(|(name, ty)| variable_definition(name, &ty)).collect(),
            directives: Vec::new(),
            selection_set: placed(executed::SelectionSet { items: selected }),
        }))
    }
}

/// The type of an operation, in async-graphql's words.
pub(super) fn operation_type(operation: &Operation) -> OperationType {
    match operation.operation_type {
        apollo_compiler::ast::OperationType::Query => OperationType::Query,
        apollo_compiler::ast::OperationType::Mutation => OperationType::Mutation,
        apollo_compiler::ast::OperationType::Subscription => OperationType::Subscription,
    }
}

impl<'a> Collector<'a> {
    fn root(&mut self, operation: &'a Operation) -> Result<Vec<Positioned<executed::Selection>>> {
        let level = self.level(operation.object_type(), &[&operation.selection_set])?;
        let (found, most) = (level.fields.len(), self.limits.root_fields);
        if found > most {
            let message = format!(
                "The operation has {found} fields at its root: expected at most {most}, the gateway's LIMITS_ROOT_FIELDS."
            );
            return Err(Refused::past(Limit::RootFields, message, None));
        }
        if !self.specification.introspection {
            let is_introspection = |one: &&Collected<'_>| matches!(one.field.name.as_str(), "__schema" | "__type");
            if let Some(field) = level.fields.iter().find(is_introspection) {
                let name = &field.field.name;
                let message = format!("`{name}` is not served: introspection is off here. `__typename` is.");
                return Err(refusal(code::GRAPHQL_VALIDATION_FAILED, message, Some(field.at)).into());
            }
        }
        self.written(level)
    }

    /// The fields of an object of the type, or of one of the types it can be.
    fn level(&mut self, parent: &'a Name, sets: &[&'a SelectionSet]) -> Result<Level<'a>> {
        let mut level = Level::default();
        for set in sets {
            self.gather(&mut level, parent, &[], set)?;
        }
        Ok(level)
    }

    fn gather(
        &mut self,
        level: &mut Level<'a>,
        parent: &'a Name,
        conditions: &[&'a Name],
        set: &'a SelectionSet,
    ) -> Result<()> {
        for selection in &set.selections {
            self.spend(1)?;
            if !self.is_included(selection.directives())? {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    let place = (conditions.to_vec(), field.response_name());
                    let at = *level.places.entry(place).or_insert(level.fields.len());
                    if at == level.fields.len() {
                        level.fields.push(Collected {
                            conditions: conditions.to_vec(),
                            field,
                            at: self.positions.of_span(field.location()),
                            selections: Vec::new(),
                        });
                    }
                    level.fields[at].selections.extend(&field.selection_set);
                }
                Selection::InlineFragment(fragment) => {
                    if let Some(conditions) = self.narrowed(parent, conditions, fragment.type_condition.as_ref()) {
                        self.gather(level, parent, &conditions, &fragment.selection_set)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let Some(fragment) = self.document.fragments.get(&spread.fragment_name) else { continue };
                    let condition = Some(fragment.type_condition());
                    if let Some(conditions) = self.narrowed(parent, conditions, condition)
                        && level.spread.insert((conditions.clone(), &spread.fragment_name))
                    {
                        self.gather(level, parent, &conditions, &fragment.selection_set)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The conditions with one more, where it is one; `None`: no object fulfils them all.
    fn narrowed(&self, parent: &'a Name, conditions: &[&'a Name], more: Option<&'a Name>) -> Option<Vec<&'a Name>> {
        let mut conditions = conditions.to_vec();
        let possible = |name: &Name| self.specification.possible.get(name);
        let here = *conditions.last().unwrap_or(&parent);
        let Some(((more, allowed), current)) = more.and_then(|more| Some((more, possible(more)?))).zip(possible(here))
        else {
            return Some(conditions);
        };
        if current.is_disjoint(allowed) {
            return None;
        }
        // A union, or another interface, has not the fields that are selected under the condition, be it ever so sure.
        let is_object = matches!(self.specification.schema.types.get(here), Some(ExtendedType::Object(_)));
        if here != more && !is_object {
            if allowed.is_subset(current) {
                conditions.pop();
            }
            conditions.push(more);
        }
        Some(conditions)
    }

    /// Section 3.13.1 and 3.13.2.
    fn is_included(&self, directives: &DirectiveList) -> Result<bool> {
        for directive in directives {
            let included_if = match directive.name.as_str() {
                "include" => true,
                "skip" => false,
                _ => continue,
            };
            let Some(condition) = directive.specified_argument_by_name("if") else { continue };
            let value = match &**condition {
                Value::Boolean(value) => *value,
                Value::Variable(name) => match self.variables.get(name.as_str()) {
                    Some(ConstValue::Boolean(value)) => *value,
                    _ => return Err(self.is_null(name, "if", "Boolean!", condition.location())),
                },
                _ => continue,
            };
            if value != included_if {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The fields as async-graphql executes them.
    fn written(&mut self, level: Level<'a>) -> Result<Vec<Positioned<executed::Selection>>> {
        let mut written = Vec::with_capacity(level.fields.len());
        // Fields that follow each other under the same conditions stay together.
        let mut fields = level.fields.into_iter().peekable();
        while let Some(first) = fields.next() {
            let conditions = first.conditions.clone();
            let mut run = vec![self.field(first)?];
            while let Some(next) = fields.next_if(|next| !conditions.is_empty() && next.conditions == conditions) {
                run.push(self.field(next)?);
            }
            written.extend(conditions.iter().rev().fold(run, |items, condition| vec![on(condition, items)]));
        }
        Ok(written)
    }

    fn field(&mut self, collected: Collected<'a>) -> Result<Positioned<executed::Selection>> {
        let Collected { field, at, selections, .. } = collected;
        let mut arguments = Vec::with_capacity(field.arguments.len());
        for argument in &field.arguments {
            // Without a value it counts as not given, so that the schema's default stands.
            if let Value::Variable(name) = &*argument.value
                && !self.variables.contains_key(name.as_str())
            {
                continue;
            }
            let place = self.positions.of_span(argument.location());
            let definition = field.definition.argument_by_name(&argument.name);
            let value = self.argument(&argument.value, definition, place)?;
            arguments.push((
                Positioned::new(async_graphql::Name::new(&argument.name), place),
                Positioned::new(value, self.positions.of_span(argument.value.location())),
            ));
        }
        let items = match selections.as_slice() {
            [] => Vec::new(),
            sets @ [first, ..] => {
                let level = self.level(&first.ty, sets)?;
                self.written(level)?
            }
        };
        let name = |name: &Name| Positioned::new(async_graphql::Name::new(name), at);
        let field = executed::Field {
            alias: field.alias.as_ref().map(name),
            name: name(&field.name),
            arguments,
            directives: Vec::new(),
            selection_set: placed(executed::SelectionSet { items }),
        };
        Ok(Positioned::new(executed::Selection::Field(Positioned::new(field, at)), at))
    }

    fn argument(
        &mut self,
        value: &'a Value,
        definition: Option<&apollo_compiler::Node<InputValueDefinition>>,
        at: Pos,
    ) -> Result<InputValue> {
        self.count_variables(value)?;
        if let Some(definition) = definition {
            self.check_nulls(value, &definition.ty, &definition.name, at)?;
        }
        input(value).ok_or_else(|| {
            let message = "A number in the document is larger than any that can be held.";
            refusal(code::BAD_USER_INPUT, message, Some(at)).into()
        })
    }

    /// Counts what the variables in a value hold.
    fn count_variables(&mut self, value: &'a Value) -> Result<()> {
        match value {
            Value::Variable(name) => {
                let variables = self.variables;
                let size = *self.sizes.entry(name).or_insert_with(|| variables.get(name.as_str()).map_or(0, size));
                self.values_left = self.values_left.checked_sub(size).ok_or_else(|| {
                    let message = format!(
                        "The request's variables hold too much: expected at most {MAX_VALUES} values, each counted wherever \
                         its variable is used."
                    );
                    Refused::past(Limit::Values, message, None)
                })?;
                Ok(())
            }
            Value::List(items) => items.iter().try_for_each(|item| self.count_variables(item)),
            Value::Object(fields) => fields.iter().try_for_each(|(_, value)| self.count_variables(value)),
            _ => Ok(()),
        }
    }

    /// A variable that may be null stands where null may not, since it or its place has a default value; and is null.
    fn check_nulls(&mut self, value: &Value, ty: &Type, name: &str, at: Pos) -> Result<()> {
        self.spend(1)?;
        match value {
            Value::Variable(variable)
                if ty.is_non_null() && self.variables.get(variable.as_str()) == Some(&ConstValue::Null) =>
            {
                let message = format!("`${variable}` is null: expected a value, since `{name}` is of type `{ty}`.");
                Err(refusal(code::BAD_USER_INPUT, message, Some(at)).into())
            }
            Value::List(items) => items.iter().try_for_each(|item| self.check_nulls(item, ty.item_type(), name, at)),
            Value::Object(fields) => {
                let of = self.specification.schema.types.get(ty.inner_named_type());
                let Some(ExtendedType::InputObject(object)) = of else { return self.spend(fields.len()) };
                for (name, value) in fields {
                    if let Some(field) = object.fields.get(name) {
                        self.check_nulls(value, &field.ty, name, at)?;
                    }
                }
                Ok(())
            }
            // Long texts count for more.
            Value::String(text) => self.spend(text.len() / 1_000),
            _ => Ok(()),
        }
    }

    fn is_null(
        &self,
        variable: &Name,
        argument: &str,
        ty: &str,
        span: Option<apollo_compiler::parser::SourceSpan>,
    ) -> Refused {
        let message = format!("`${variable}` is null: expected a value, since `{argument}` is of type `{ty}`.");
        refusal(code::BAD_USER_INPUT, message, Some(self.positions.of_span(span))).into()
    }

    fn spend(&mut self, parts: usize) -> Result<()> {
        self.left = self.left.checked_sub(parts).ok_or_else(|| {
            let most = self.limits.fields;
            let message = format!(
                "The request selects too much: expected at most {most} fields, fragments and values, each counted wherever it is \
                 used, the gateway's LIMITS_FIELDS."
            );
            Refused::past(Limit::Fields, message, None)
        })?;
        Ok(())
    }
}

/// How many values a value holds; long texts count for more. JSON's parser bounds the nesting.
fn size(value: &ConstValue) -> usize {
    1 + match value {
        ConstValue::List(items) => items.iter().map(size).sum(),
        ConstValue::Object(fields) => fields.values().map(size).sum(),
        ConstValue::String(text) => text.len() / 100,
        _ => 0,
    }
}

/// Selections under a condition.
fn on(condition: &Name, items: Vec<Positioned<executed::Selection>>) -> Positioned<executed::Selection> {
    let fragment = executed::InlineFragment {
        type_condition: Some(placed(TypeCondition { on: placed(async_graphql::Name::new(condition)) })),
        directives: Vec::new(),
        selection_set: placed(executed::SelectionSet { items }),
    };
    placed(executed::Selection::InlineFragment(placed(fragment)))
}

fn variable_definition(name: &Name, ty: &str) -> Option<Positioned<executed::VariableDefinition>> {
    Some(placed(executed::VariableDefinition {
        name: placed(async_graphql::Name::new(name)),
        var_type: placed(executed::Type::new(ty)?),
        directives: Vec::new(),
        default_value: None,
    }))
}

/// What no error points to.
fn placed<T>(node: T) -> Positioned<T> {
    Positioned::new(node, Pos::default())
}
