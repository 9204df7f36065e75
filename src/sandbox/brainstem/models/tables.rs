//! The models of both generations, field by field.

use super::{Field, Kind, Model, Unsent};

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false, unique: false, read_only: false, unsent: Unsent::Absent }
}

const fn id() -> Field {
    field("id", Kind::Id).read_only()
}

const fn text(name: &'static str, length: usize) -> Field {
    field(name, Kind::Text(length))
}

const fn one(name: &'static str, list: &'static str) -> Field {
    field(name, Kind::One(list))
}

const fn many(name: &'static str, list: &'static str) -> Field {
    field(name, Kind::Many(list))
}

impl Field {
    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    const fn unsent(mut self, unsent: Unsent) -> Self {
        self.unsent = unsent;
        self
    }
}

const SEXES: &[&str] = &["F", "M", "U"];
const STATUSES: &[&str] = &["planned", "active", "inactive", "transferred", "deceased", "unknown"];

const SUBJECT: Model = Model {
    name: "subject",
    app: "stem",
    list: "subjects",
    singular: "subject",
    approval: false,
    fields: &[
        id(),
        text("name", 100).required().unique(),
        text("description", 0).unsent(Unsent::EmptyText),
        many("projects", "projects").required(),
        many("licenses", "licenses"),
        one("strain", "strains").required(),
        field("sex", Kind::Choice(SEXES)).required(),
        text("genetic_line", 100).unsent(Unsent::EmptyText),
        text("genotype", 200),
        text("subject_identifier", 100).unsent(Unsent::EmptyText),
        one("supplier", "suppliers").unsent(Unsent::Null),
        one("breeding", "breedings"),
        field("birth_date", Kind::Date).unsent(Unsent::Null),
        field("death_date", Kind::Date).unsent(Unsent::Null),
        field("status", Kind::Choice(STATUSES)),
        field("extra_fields", Kind::ExtraFields { listed: false }).unsent(Unsent::Null),
        many("procedures", "procedures").read_only().unsent(Unsent::EmptyList),
        many("subjectlogs", "subject_logs").read_only().unsent(Unsent::EmptyList),
        field("tags", Kind::Tags).unsent(Unsent::EmptyList),
        text("name_used_in_storage", 200).unsent(Unsent::Null),
    ],
};

const LEGACY_SUBJECT: Model = Model {
    fields: &[
        id(),
        text("name", 100).required().unique(),
        text("description", 0).unsent(Unsent::EmptyText),
        one("strain", "strains").required(),
        field("sex", Kind::Choice(SEXES)).required(),
        text("genetic_line", 100).unsent(Unsent::EmptyText),
        text("subject_identifier", 100),
        text("source", 100),
        many("projects", "projects").required(),
        field("birth_date", Kind::Date).unsent(Unsent::Null),
        field("death_date", Kind::Date).unsent(Unsent::Null),
        field("extra_fields", Kind::ExtraFields { listed: true }).unsent(Unsent::Null),
        many("actions", "actions").read_only().unsent(Unsent::EmptyList),
        many("subjectstatechanges", "subject_state_changes").read_only().unsent(Unsent::EmptyList),
        text("name_used_in_repository", 200),
        field("tags", Kind::Tags).unsent(Unsent::EmptyList),
    ],
    ..SUBJECT
};

const PROJECT: Model = Model {
    name: "project",
    app: "stem",
    list: "projects",
    singular: "project",
    approval: false,
    fields: &[
        id(),
        text("name", 200).required().unique(),
        text("description", 0).unsent(Unsent::EmptyText),
        many("sessions", "sessions").read_only().unsent(Unsent::EmptyList),
        many("subjects", "subjects").read_only().unsent(Unsent::EmptyList),
        many("publications", "publications").read_only().unsent(Unsent::EmptyList),
        many("collections", "collections").read_only().unsent(Unsent::EmptyList),
        many("cohorts", "cohorts").read_only().unsent(Unsent::EmptyList),
        field("extra_fields", Kind::ExtraFields { listed: false }).unsent(Unsent::Null),
        field("is_public", Kind::Bool),
        field("tags", Kind::Tags).unsent(Unsent::EmptyList),
        field("users", Kind::Json).read_only(),
        field("groups", Kind::Json).read_only(),
    ],
};

const BREEDING: Model = Model {
    name: "breeding",
    app: "stem",
    list: "breedings",
    singular: "breeding",
    approval: false,
    fields: &[
        id(),
        text("name", 200).required(),
        one("project", "projects").required(),
        one("mother", "subjects").unsent(Unsent::Null),
        one("father", "subjects").unsent(Unsent::Null),
        text("description", 0).unsent(Unsent::EmptyText),
        field("tags", Kind::Tags).unsent(Unsent::EmptyList),
        field("birth_date", Kind::Date).unsent(Unsent::Null),
        field("start_date", Kind::Date).unsent(Unsent::Null),
        field("end_date", Kind::Date).unsent(Unsent::Null),
        field("weaning_date", Kind::Date).unsent(Unsent::Null),
        field("litter_size", Kind::Integer).unsent(Unsent::Null),
        text("expected_genotype", 200).unsent(Unsent::EmptyText),
    ],
};

const COHORT: Model = Model {
    name: "cohort",
    app: "stem",
    list: "cohorts",
    singular: "cohort",
    approval: false,
    fields: &[
        id(),
        text("name", 200).required(),
        text("description", 0).unsent(Unsent::EmptyText),
        one("project", "projects").required(),
        many("subjects", "subjects").unsent(Unsent::EmptyList),
        field("tags", Kind::Tags).unsent(Unsent::EmptyList),
    ],
};

const PROCEDURE: Model = Model {
    name: "procedure",
    app: "modules",
    list: "procedures",
    singular: "procedure",
    approval: false,
    fields: &[
        id(),
        text("type", 100).required(),
        text("notes", 0).unsent(Unsent::EmptyText),
        one("subject", "subjects").required(),
        field("date_time", Kind::DateTime).unsent(Unsent::Null),
        one("consumablestock", "consumable_stocks").unsent(Unsent::Null),
        many("equipment", "equipment").unsent(Unsent::EmptyList),
        one("brain_region", "brain_regions").unsent(Unsent::Null),
        many("licenses", "licenses").unsent(Unsent::EmptyList),
        field("details", Kind::Json).unsent(Unsent::Null),
        field("type_schema_version", Kind::Integer).read_only(),
        text("coordinates_system", 100).unsent(Unsent::EmptyText),
        field("coordinates_details", Kind::Json).unsent(Unsent::Null),
        field("coordinates_schema_version", Kind::Integer).read_only(),
        field("created_at", Kind::DateTime).read_only(),
        field("updated_at", Kind::DateTime).read_only(),
    ],
};

const SUBJECT_LOG: Model = Model {
    name: "subjectlog",
    app: "modules",
    list: "subject_logs",
    singular: "subject_log",
    approval: false,
    fields: &[
        id(),
        text("type", 100).required(),
        text("description", 0).unsent(Unsent::EmptyText),
        one("subject", "subjects").required(),
        one("user", "users").unsent(Unsent::Null),
        field("entries", Kind::Json).unsent(Unsent::EmptyList),
    ],
};

const ACTION: Model = Model {
    name: "action",
    app: "modules",
    list: "actions",
    singular: "action",
    approval: false,
    fields: &[
        id(),
        text("type", 100).required(),
        text("description", 0).unsent(Unsent::EmptyText),
        one("subject", "subjects").required(),
        field("date_time", Kind::DateTime).unsent(Unsent::Null),
        one("consumable", "consumables").unsent(Unsent::Null),
        one("hardwaredevice", "hardware_devices").unsent(Unsent::Null),
        one("brain_region", "brain_regions").unsent(Unsent::Null),
        field("details", Kind::Json).unsent(Unsent::Null),
        text("coordinates_system", 100).unsent(Unsent::EmptyText),
        field("coordinates_details", Kind::Json).unsent(Unsent::Null),
    ],
};

const SUBJECT_STATE_CHANGE: Model =
    Model { name: "subjectstatechange", list: "subject_state_changes", singular: "subject_state_change", ..ACTION };

const STRAIN: Model = Model {
    name: "strain",
    app: "taxonomies",
    list: "strains",
    singular: "strain",
    approval: true,
    fields: &[
        id(),
        text("name", 200).required(),
        text("description", 0).unsent(Unsent::EmptyText),
        one("species", "species").required(),
        text("rrid", 100).unsent(Unsent::EmptyText),
        text("rrid_url", 200).unsent(Unsent::EmptyText),
        field("external_identifiers", Kind::Json),
    ],
};

const SPECIES: Model = Model {
    name: "species",
    app: "taxonomies",
    list: "species",
    singular: "species",
    approval: true,
    fields: &[
        id(),
        text("name", 200).required(),
        text("description", 0).unsent(Unsent::EmptyText),
        text("rrid", 100).unsent(Unsent::EmptyText),
        text("rrid_url", 200).unsent(Unsent::EmptyText),
        field("external_identifiers", Kind::Json),
    ],
};

const BRAIN_REGION: Model = Model {
    name: "brainregion",
    list: "brain_regions",
    singular: "brain_region",
    fields: &[
        id(),
        text("name", 200).required(),
        text("description", 0).unsent(Unsent::EmptyText),
        text("acronym", 50),
    ],
    ..SPECIES
};

const SUPPLIER: Model = Model {
    name: "supplier",
    app: "resources",
    list: "suppliers",
    singular: "supplier",
    approval: true,
    fields: &[
        id(),
        text("name", 200).required(),
        text("description", 0).unsent(Unsent::EmptyText),
        text("website", 200).unsent(Unsent::EmptyText),
    ],
};

const LICENSE: Model = Model {
    name: "license",
    app: "personal_attributes",
    list: "licenses",
    singular: "license",
    approval: false,
    fields: &[
        id(),
        text("name", 200).required(),
        text("type", 100).unsent(Unsent::EmptyText),
        text("status", 100).unsent(Unsent::EmptyText),
        text("description", 0).unsent(Unsent::EmptyText),
        text("country", 100).unsent(Unsent::EmptyText),
        text("license_number", 100).unsent(Unsent::EmptyText),
        field("valid_from", Kind::Date).unsent(Unsent::Null),
        field("valid_until", Kind::Date).unsent(Unsent::Null),
        field("is_public", Kind::Bool),
    ],
};

pub(super) static CURRENT: &[Model] =
    &[SUBJECT, PROJECT, BREEDING, COHORT, PROCEDURE, SUBJECT_LOG, STRAIN, SPECIES, BRAIN_REGION, SUPPLIER, LICENSE];

pub(super) static LEGACY: &[Model] = &[
    LEGACY_SUBJECT,
    PROJECT,
    BREEDING,
    COHORT,
    ACTION,
    SUBJECT_STATE_CHANGE,
    STRAIN,
    SPECIES,
    BRAIN_REGION,
    SUPPLIER,
    LICENSE,
];
