//! Fragments at the root of a subscription: async-graphql checks them and then passes over them.

use std::collections::HashSet;

use async_graphql::{
    Positioned, Value as ConstValue, Variables,
    parser::types::{Directive, DocumentOperations, ExecutableDocument, OperationDefinition, Selection, SelectionSet},
};

/// Puts the fields of the root's fragments beside them, where they are executed. The fragments stay: what they use is in
/// use, and what is wrong with them is told.
pub(super) fn write_out(document: &mut ExecutableDocument, name: Option<&str>, variables: &Variables) {
    let ExecutableDocument { operations, fragments } = document;
    let operation = match operations {
        DocumentOperations::Single(operation) => Some(operation),
        DocumentOperations::Multiple(named) => match name {
            Some(name) => named.get_mut(name),
            None => named.values_mut().next(),
        },
    };
    let Some(OperationDefinition { selection_set, variable_definitions, .. }) = operation.map(|one| &mut one.node)
    else {
        return;
    };
    let default = |name: &str| {
        let definition = variable_definitions.iter().find(|definition| definition.node.name.node == name)?;
        definition.node.default_value.as_ref().map(|value| &value.node)
    };
    let value = |name: &str| variables.get(name).or_else(|| default(name));
    let is_included = |directives: &[Positioned<Directive>]| {
        directives.iter().all(|directive| {
            match (directive.node.name.node.as_str(), condition(&directive.node, value)) {
                ("skip", condition) => condition != Some(true),
                ("include", condition) => condition != Some(false),
                _ => true,
            }
        })
    };
    let (mut fields, mut followed) = (Vec::new(), HashSet::new());
    // Not by recursion: a request may have a long chain of fragments.
    let mut sets: Vec<(&SelectionSet, bool)> = vec![(&selection_set.node, true)];
    while let Some((set, is_root)) = sets.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(_) if is_root => {}
                Selection::Field(_) => fields.push(selection.clone()),
                Selection::InlineFragment(inline) if is_included(&inline.node.directives) => {
                    sets.push((&inline.node.selection_set.node, false));
                }
                Selection::FragmentSpread(spread) if is_included(&spread.node.directives) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = fragments.get(name)
                        && followed.insert(name)
                    {
                        sets.push((&fragment.node.selection_set.node, false));
                    }
                }
                Selection::InlineFragment(_) | Selection::FragmentSpread(_) => {}
            }
        }
    }
    selection_set.node.items.extend(fields);
}

/// The `if` of a directive; `None`: it has none that can be read.
fn condition<'a>(directive: &Directive, value: impl Fn(&str) -> Option<&'a ConstValue>) -> Option<bool> {
    let condition = directive.get_argument("if")?.node.clone();
    match condition.into_const_with(|name| value(&name).cloned().ok_or(())) {
        Ok(ConstValue::Boolean(condition)) => Some(condition),
        _ => None,
    }
}
