//! What fields cost, in the unit of `@cost`: an object of the answer costs 1, a scalar nothing.
//!
//! A weight counts once for every object that the field belongs to, in place of the 1.

/// A read of its own from an upstream.
const REQUEST: u32 = 10;
/// A record by its id: read together with up to 49 others.
const BATCHED: u32 = 2;
/// A write: it is never batched, and what it touches leaves the caches.
const WRITE: u32 = 20;

/// Fields that make the gateway ask its upstreams; a page of records that are read by their ids is a batch.
const WEIGHTS: &[(&str, &str, u32)] = &[
    ("BrainStemSubject", "stateChanges", REQUEST),
    ("Breeding", "father", BATCHED),
    ("Breeding", "mother", BATCHED),
    ("Breeding", "project", BATCHED),
    ("Cohort", "project", BATCHED),
    ("Cohort", "subjects", REQUEST),
    ("Mutation", "subjectCreate", WRITE),
    ("Mutation", "subjectDelete", WRITE),
    ("Mutation", "subjectMetadataClear", WRITE),
    ("Mutation", "subjectPhotosClear", WRITE),
    ("Mutation", "subjectUpdate", WRITE),
    // One request an animal, and one for 50 people.
    ("Mutation", "subjectsDelete", 5 * WRITE),
    ("Procedure", "brainRegion", BATCHED),
    ("Procedure", "licenses", BATCHED),
    ("Procedure", "subject", BATCHED),
    ("Project", "cohorts", REQUEST),
    ("Project", "subjects", REQUEST),
    ("Query", "biologicalSexes", REQUEST),
    ("Query", "datasets", REQUEST),
    ("Query", "logs", REQUEST),
    ("Query", "procedure", REQUEST),
    ("Query", "procedures", REQUEST),
    ("Query", "project", REQUEST),
    ("Query", "projects", REQUEST),
    ("Query", "species", REQUEST),
    ("Query", "strains", REQUEST),
    ("Query", "subject", REQUEST),
    // Both sources, and a page of one may take several requests.
    ("Query", "subjects", 3 * REQUEST),
    ("Query", "suppliers", REQUEST),
    ("Strain", "species", BATCHED),
    ("Subject", "biologicalSex", BATCHED),
    ("Subject", "breeding", BATCHED),
    ("Subject", "licenses", BATCHED),
    ("Subject", "logs", BATCHED),
    ("Subject", "procedures", BATCHED),
    ("Subject", "projects", BATCHED),
    // By way of the strain.
    ("Subject", "species", 2 * BATCHED),
    ("Subject", "strain", BATCHED),
    ("Subject", "supplier", BATCHED),
    // Each source and dataset is asked for its own.
    ("SubjectConnection", "totalCount", REQUEST),
    ("SubjectLog", "subject", BATCHED),
    ("SubjectPayload", "subject", BATCHED),
    ("SubjectStateChange", "brainRegion", BATCHED),
    ("SubjectStateChange", "subject", BATCHED),
];

/// Lists that come whole, and how long they usually are.
const SIZES: &[(&str, &str, u32)] = &[
    ("Procedure", "licenses", 3),
    ("Query", "biologicalSexes", 10),
    ("Query", "datasets", 10),
    ("Query", "sources", 2),
    ("Subject", "licenses", 3),
    ("Subject", "projects", 3),
    ("SubjectConnection", "sources", 2),
    ("SubjectDeletePayload", "userErrors", 2),
    ("SubjectLog", "entries", 20),
    ("SubjectPayload", "userErrors", 2),
    ("SubjectsDeletePayload", "results", 50),
    ("SubjectsDeletePayload", "userErrors", 2),
];

/// The weight of a field of a type; `None`: what its own type costs.
pub(super) fn weight(of: &str, field: &str) -> Option<u32> {
    find(WEIGHTS, of, field)
}

/// How long to take a list for that comes whole; `None`: the field is none.
pub(super) fn assumed_size(of: &str, field: &str) -> Option<u32> {
    find(SIZES, of, field)
}

fn find(rows: &[(&str, &str, u32)], of: &str, field: &str) -> Option<u32> {
    rows.iter().find(|row| (row.0, row.1) == (of, field)).map(|row| row.2)
}
