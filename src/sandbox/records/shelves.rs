//! BrainSTEM's shared records: taxonomies, brain regions, suppliers, licenses and projects.

use serde_json::{Value, json};

use super::{super::store::Store, MAIN_EMAIL, OTHER_EMAIL, PROJECT_WITHOUT_SUBJECTS, READ_ONLY_PROJECT, documents, id};

/// Name, description and rrid: some have the Latin name first, some the common one.
const SPECIES: &[(&str, &str, &str)] = &[
    ("House mouse", "Mus musculus", "NCBITaxon:10090"),
    ("Rattus norvegicus", "Brown rat", "NCBITaxon:10116"),
    ("Macaca mulatta", "Rhesus macaque", "NCBITaxon:9544"),
    ("Zebra finch", "Taeniopygia guttata", "NCBITaxon:59729"),
    ("Ferret", "", ""),
    ("Mus musculus", "", "NCBITaxon:10090"),
];

/// Name, which of [`SPECIES`], rrid. The first two have the ids that the old documentation prints.
const STRAINS: &[(&str, Option<usize>, &str)] = &[
    ("C57BL/6J", Some(0), "IMSR_JAX:000664"),
    ("Long-Evans", Some(1), "RRID:RGD_2308852"),
    ("BALB/cJ", Some(0), "IMSR_JAX:000651"),
    ("Sprague Dawley", Some(1), ""),
    ("B6;129S-Pvalb<tm1(cre)Arbr>", Some(0), "IMSR_JAX:008069"),
    ("Wistar", Some(1), "RRID:RGD_13508588"),
    ("Rhesus (Indian origin)", Some(2), ""),
    ("Wild type", Some(3), ""),
    ("FVB/NJ", Some(5), "IMSR_JAX:001800"),
    ("Sable", Some(4), ""),
    ("Ünbekannt / 不明", None, ""),
    ("Thy1-GCaMP6f", Some(0), "IMSR_JAX:024276"),
];

const BRAIN_REGIONS: &[(&str, &str)] = &[
    ("Hippocampus", "HPC"),
    ("CA1", "CA1"),
    ("CA3", "CA3"),
    ("Dentate gyrus", "DG"),
    ("Medial septum", "MS"),
    ("Primary visual cortex", "V1"),
    ("Prefrontal cortex", "PFC"),
    ("Entorhinal cortex", "EC"),
    ("Locus coeruleus", "LC"),
    ("Nucleus accumbens", "NAc"),
    ("Amygdala", ""),
    ("Olfactory bulb", "OB"),
];

const SUPPLIERS: &[(&str, &str, &str)] = &[
    ("The Jackson Laboratory", "", "https://www.jax.org"),
    ("Charles River", "Breeder", "https://www.criver.com"),
    ("Janvier Labs", "Éleveur en Mayenne", ""),
    ("Taconic", "", "not a web address"),
    ("In-house", "", ""),
    ("日本クレア", "CLEA Japan", "https://www.clea-japan.com"),
];

const LICENSES: &[(&str, &str, &str, Option<&str>, bool)] = &[
    ("Category A", "Animal experiments", "Denmark", Some("2027-12-31"), true),
    ("FELASA B", "Animal experiments", "Germany", Some("2024-02-29"), true),
    ("Personal licence PIL", "Animal experiments", "United Kingdom", None, false),
    ("IACUC 2021-0042", "Protocol", "United States", Some("9999-12-31"), true),
    ("", "", "", None, false),
];

const PROJECTS: &[&str] = &[
    "Memory consolidation during sleep",
    "Cooling of the medial septum",
    "Spatial coding in CA1",
    "Vocal learning",
    "Olfactory navigation",
    "Finished: do not touch",
    "Décision et récompense",
    "Vision in ferrets",
    "Stress & resilience <pilot>",
    "睡眠と記憶",
    "Theta sequences",
    "Nothing yet",
    "Grid cells",
    "Chronic probes",
];

/// Which of [`PROJECTS`] the other token's user takes part in, and whether with the right to change.
const OTHER_PROJECTS: [(usize, bool); 3] = [(2, true), (5, false), (7, false)];
const READ_ONLY: usize = 5;
const NO_SUBJECTS: usize = 11;

pub(super) fn strain(number: usize) -> String {
    match number % STRAINS.len() {
        0 => documents::FIRST_STRAIN.to_owned(),
        1 => documents::SECOND_STRAIN.to_owned(),
        number => id("strain", number),
    }
}

pub(super) fn brain_region(number: usize) -> String {
    id("brain region", number % BRAIN_REGIONS.len())
}

pub(super) fn supplier(number: usize) -> String {
    id("supplier", number % SUPPLIERS.len())
}

pub(super) fn license(number: usize) -> String {
    id("license", number % LICENSES.len())
}

/// Never the one without subjects.
pub(super) fn project(number: usize) -> String {
    match number % PROJECTS.len() {
        NO_SUBJECTS => project_id(0),
        number => project_id(number),
    }
}

fn project_id(number: usize) -> String {
    match number {
        0 => documents::FIRST_PROJECT.to_owned(),
        1 => documents::SECOND_PROJECT.to_owned(),
        READ_ONLY => READ_ONLY_PROJECT.to_owned(),
        NO_SUBJECTS => PROJECT_WITHOUT_SUBJECTS.to_owned(),
        number => id("project", number),
    }
}

/// Everything but projects.
pub(super) fn fill(store: &mut Store) {
    let species_id = |number| id("species", number);
    store.extend(
        "species",
        SPECIES.iter().enumerate().map(|(number, (name, description, rrid))| {
            json!({
                "id": species_id(number),
                "name": name,
                "description": description,
                "rrid": rrid,
                "rrid_url": "",
                "external_identifiers": null,
            })
        }),
    );
    store.extend(
        "strains",
        STRAINS.iter().enumerate().map(|(number, (name, species, rrid))| {
            json!({
                "id": strain(number),
                "name": name,
                "description": "",
                "species": species.map(species_id),
                "rrid": rrid,
                "rrid_url": if rrid.is_empty() { "" } else { "https://scicrunch.org/resolver/" },
                "external_identifiers": {},
            })
        }),
    );
    store.extend("brain_regions", BRAIN_REGIONS.iter().enumerate().map(|(number, (name, acronym))| {
        json!({ "id": brain_region(number), "name": name, "description": "", "acronym": acronym })
    }));
    store.extend("suppliers", SUPPLIERS.iter().enumerate().map(|(number, (name, description, website))| {
        json!({ "id": supplier(number), "name": name, "description": description, "website": website })
    }));
    store.extend(
        "licenses",
        LICENSES.iter().enumerate().map(|(number, license_)| {
            let (name, kind, country, valid_until, is_public) = license_;
            json!({
                "id": license(number),
                "name": name,
                "type": kind,
                "status": if valid_until.is_some() { "active" } else { "" },
                "description": "",
                "country": country,
                "license_number": format!("{country:.2}-{:05}", number * 7919),
                "valid_from": "2020-01-01",
                "valid_until": valid_until,
                "is_public": is_public,
            })
        }),
    );
}

pub(super) fn first_project() -> Value {
    project_record(0)
}

pub(super) fn projects() -> impl Iterator<Item = Value> {
    (0..PROJECTS.len()).map(project_record)
}

/// Its subjects and cohorts are filled in as these are made.
fn project_record(number: usize) -> Value {
    let rights = |can_change: bool, is_owner: bool| json!({ "can_change": can_change, "is_manager": is_owner, "is_owner": is_owner });
    let mut users = json!({ MAIN_EMAIL: rights(number != READ_ONLY, number.is_multiple_of(2)) });
    if let Some((_, can_change)) = OTHER_PROJECTS.iter().find(|(other, _)| *other == number) {
        users[OTHER_EMAIL] = rights(*can_change, false);
    }
    json!({
        "id": project_id(number),
        "name": PROJECTS[number],
        "description": if number % 4 == 3 { "" } else { "What a project is about, in a sentence or two." },
        "sessions": (0..number % 3).map(|session| id("session", number * 10 + session)).collect::<Vec<_>>(),
        "subjects": [],
        "publications": [],
        "collections": [],
        "cohorts": [],
        "extra_fields": if number.is_multiple_of(2) { json!({}) } else { Value::Null },
        "is_public": number.is_multiple_of(3),
        "tags": if number == 1 { json!(["cooling", "sleep"]) } else { json!([]) },
        "links": {},
        "users": users,
        "groups": { "Sleep lab": rights(true, false) },
    })
}
