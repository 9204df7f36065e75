//! What is wrong with the values in a document, or missing, in the words that variables have: the argument, the path within it, and
//! what was expected. Looks only at documents that were refused for it.

use apollo_compiler::{
    ExecutableDocument, Node,
    ast::{Argument, DirectiveList},
    executable::{Selection, SelectionSet},
    schema::InputValueDefinition,
};
use async_graphql::{Pos, ServerError};

use super::{
    Specification,
    errors::{MAX_ERRORS, refusal},
    positions::Positions,
    values::with_holes,
    variables::Reading,
};
use crate::schema::code;

impl Specification {
    pub(super) fn wrong_values(&self, document: &ExecutableDocument, positions: &Positions) -> Vec<ServerError> {
        let mut reading = Reading::new(self, true);
        let mut sets: Vec<&SelectionSet> = Vec::new();
        for operation in document.operations.iter() {
            for variable in &operation.variables {
                if let Some(default) = variable.default_value.as_ref().and_then(|value| with_holes(value)) {
                    reading.path = format!("${}", variable.name);
                    reading.at = positions.of_span(variable.location());
                    reading.value(default, &variable.ty);
                }
            }
            sets.push(&operation.selection_set);
        }
        sets.extend(document.fragments.values().map(|fragment| &fragment.selection_set));
        while let Some(set) = sets.pop() {
            for selection in &set.selections {
                self.in_directives(&mut reading, selection.directives(), positions);
                match selection {
                    Selection::Field(field) => {
                        let at = positions.of_span(field.location());
                        reading.missing(&field.name, at, &field.arguments, &field.definition.arguments);
                        in_arguments(&mut reading, &field.arguments, &field.definition.arguments, positions);
                        sets.extend(&field.selection_set);
                    }
                    Selection::InlineFragment(fragment) => sets.push(&fragment.selection_set),
                    Selection::FragmentSpread(_) => {}
                }
            }
        }
        reading.wrong
    }

    fn in_directives(&self, reading: &mut Reading<'_>, directives: &DirectiveList, positions: &Positions) {
        for directive in directives {
            if let Some(definition) = self.schema.directive_definitions.get(&directive.name) {
                let at = positions.of_span(directive.location());
                reading.missing(&directive.name, at, &directive.arguments, &definition.arguments);
                in_arguments(reading, &directive.arguments, &definition.arguments, positions);
            }
        }
    }
}

impl Reading<'_> {
    /// Tells which of a field's or directive's arguments should be there.
    fn missing(&mut self, of: &str, at: Pos, arguments: &[Node<Argument>], definitions: &[Node<InputValueDefinition>]) {
        let is_given = |name: &str| arguments.iter().any(|argument| argument.name == name);
        for definition in definitions.iter().filter(|one| one.is_required() && !is_given(&one.name)) {
            if self.wrong.len() < MAX_ERRORS {
                let message = format!("`{of}` has no `{}`: expected one of type `{}`.", definition.name, definition.ty);
                self.wrong.push(refusal(code::GRAPHQL_VALIDATION_FAILED, message, Some(at)));
            }
        }
    }
}

fn in_arguments(
    reading: &mut Reading<'_>,
    arguments: &[Node<Argument>],
    definitions: &[Node<InputValueDefinition>],
    positions: &Positions,
) {
    for argument in arguments {
        let definition = definitions.iter().find(|definition| definition.name == argument.name);
        if let Some((definition, value)) = definition.zip(with_holes(&argument.value)) {
            reading.path = argument.name.to_string();
            reading.at = positions.of_span(argument.value.location());
            reading.value(value, &definition.ty);
        }
    }
}
