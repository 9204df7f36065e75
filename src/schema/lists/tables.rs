//! How the fields of each type are written that need no resolver. A table says what the type's resolvers say, in their
//! order.

mod animals;
mod lists;
mod people;
mod procedures;
mod subject;
mod taxonomy;
