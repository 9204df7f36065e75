//! `Subject`, and what only one of its sources has.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Pos, QueryPathNode};
use futures::{FutureExt as _, future::BoxFuture};

use super::super::{
    Record,
    out::Out,
    plan::{Loaded, Relation, Selected, Step},
    related::Found,
};
use crate::{
    domain::{self, Id, NodeId, subject::SexReference},
    loaders::{LoadError, Loaders},
    schema::{
        biological_sex::{Company, Dataset},
        breeding::Breeding,
        license::{License, Supplier},
        log::SubjectLog,
        procedure::{Procedure, SubjectStateChange},
        project::Project,
        subject::{BrainStemSubject, HautAiSubject, Sex, Subject, SubjectSource, SubjectStatus},
        taxonomy::{Species, Strain},
    },
};

// Left to resolvers: `biologicalSex`, of which records may carry the whole, and `age`, which depends on the day.
impl Record for Subject {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        related(field).or_else(|| plain(field.name()).map(Step::Plain))
    }
}

fn related(field: Selected<'_>) -> Option<Step<'_, Subject>> {
    match field.name() {
        "sex" => Some(Step::Related(Box::new(Sexes(field.field.pos)))),
        "projects" => field.many(
            |it: &Subject| it.0.brainstem().map(|_| &*it.0.projects),
            |all, keys| all.projects.load_each(keys).boxed(),
            Project,
        ),
        "licenses" => field.many(
            |it: &Subject| it.0.brainstem().map(|_| &*it.0.licenses),
            |all, keys| all.licenses.load_each(keys).boxed(),
            License,
        ),
        "procedures" => field.page(
            |it: &Subject| it.0.brainstem().map(|_| &*it.0.procedures),
            |it| it.list("procedures", None),
            |all, keys| all.procedures.load_each(keys).boxed(),
            Procedure,
        ),
        "logs" => field.page(
            |it: &Subject| it.0.brainstem().map(|_| &*it.0.logs),
            |it| it.list("logs", None),
            |all, keys| all.logs.load_each(keys).boxed(),
            SubjectLog,
        ),
        "strain" => field.one(|it: &Subject| it.0.strain, |all, keys| all.strains.load_each(keys).boxed(), Strain),
        "species" => field.one(|it: &Subject| it.0.strain, species, Species),
        "supplier" => {
            field.one(|it: &Subject| it.0.supplier, |all, keys| all.suppliers.load_each(keys).boxed(), Supplier)
        }
        "breeding" => {
            field.one(|it: &Subject| it.0.breeding, |all, keys| all.breedings.load_each(keys).boxed(), Breeding)
        }
        "dataset" => field.made(|it: &Subject| Dataset::of(&it.0)),
        "company" => field.made(|it: &Subject| Company::of(&it.0)),
        "hautAi" => field.made(|it: &Subject| HautAiSubject::of(&it.0)),
        "brainStem" => field.made(|it: &Subject| BrainStemSubject::of(&it.0)),
        _ => None,
    }
}

fn plain(name: &str) -> Option<fn(&Subject, &mut Out)> {
    Some(match name {
        "id" => |it, out| out.put(&NodeId::Subject(it.0.id)),
        "source" => |it, out| out.name(SubjectSource::from(it.0.source())),
        "sourceId" => |it, out| out.put(&it.0.source_id()),
        "name" => |it, out| out.put(&it.0.name),
        "identifier" => |it, out| out.put(&it.0.identifier),
        "description" => |it, out| out.put(&it.0.description),
        "birthDate" => |it, out| out.put(&it.0.birth_date.value),
        "deathDate" => |it, out| out.put(&it.0.death_date.value),
        "status" => |it, out| out.name_or_null(it.0.status.map(SubjectStatus::from)),
        "genotype" => |it, out| out.put(&it.0.genotype),
        "geneticLine" => |it, out| out.put(&it.0.genetic_line),
        "tags" => |it, out| out.put(&it.0.tags),
        "metadata" => |it, out| out.put(&it.0.metadata),
        "createdAt" => |it, out| out.put(&it.0.created_at.value),
        "projectIds" => |it, out| out.ids(&it.0.projects, NodeId::Project),
        "procedureIds" => |it, out| out.ids(&it.0.procedures, NodeId::Procedure),
        "logIds" => |it, out| out.ids(&it.0.logs, NodeId::SubjectLog),
        "licenseIds" => |it, out| out.ids(&it.0.licenses, NodeId::License),
        "strainId" => |it, out| out.put(&it.0.strain.map(NodeId::Strain)),
        "supplierId" => |it, out| out.put(&it.0.supplier.map(NodeId::Supplier)),
        "breedingId" => |it, out| out.put(&it.0.breeding.map(NodeId::Breeding)),
        _ => return None,
    })
}

/// BrainSTEM knows the species through the strain.
fn species(loaders: &Loaders, strains: Vec<Id<domain::Strain>>) -> BoxFuture<'_, Found<domain::Species>> {
    async move {
        let strains = loaders.strains.load_each(strains).await;
        let mut keys: Vec<_> = strains.iter().flatten().flatten().filter_map(|strain| strain.species).collect();
        keys.sort_unstable();
        keys.dedup();
        let found = loaders.species.load_each(keys.clone()).await;
        let of = |strain: Option<Arc<domain::Strain>>| {
            let place = strain.and_then(|strain| keys.binary_search(&strain.species?).ok());
            place.map_or(Ok(None), |place| found[place].clone())
        };
        strains.into_iter().map(|strain| strain.and_then(of)).collect()
    }
    .boxed()
}

/// `sex`: a person's may be given by an id alone, which the dictionary knows.
struct Sexes(Pos);

/// What came of the ids.
struct LoadedSexes {
    entries: HashMap<Id<domain::BiologicalSex>, Result<Option<Arc<domain::BiologicalSex>>, LoadError>>,
    pos: Pos,
}

impl Relation<Subject> for Sexes {
    fn load<'p>(&'p self, loaders: &'p Loaders, objects: &[&Subject]) -> BoxFuture<'p, Box<dyn Loaded<Subject> + 'p>> {
        let bare = |it: &&Subject| match it.0.haut_ai()?.biological_sex.as_ref()? {
            SexReference::Bare(id) if it.0.sex.is_none() => Some(*id),
            _ => None,
        };
        let mut ids: Vec<_> = objects.iter().filter_map(bare).collect();
        ids.sort_unstable();
        ids.dedup();
        async move {
            let entries = loaders.biological_sexes.load_each(ids.clone()).await;
            let entries = ids.into_iter().zip(entries).collect();
            Box::new(LoadedSexes { entries, pos: self.0 }) as Box<dyn Loaded<Subject>>
        }
        .boxed()
    }
}

impl Loaded<Subject> for LoadedSexes {
    fn write(&mut self, _: usize, it: &Subject, path: &QueryPathNode<'_>, out: &mut Out) {
        let reference = it.0.haut_ai().and_then(|own| own.biological_sex.as_ref());
        let sex = match (it.0.sex, reference) {
            (Some(sex), _) => Some(sex),
            (None, Some(SexReference::Whole(entry))) => Some(entry.sex()),
            (None, Some(SexReference::Bare(id))) => match self.entries.get(id) {
                Some(Ok(Some(entry))) => Some(entry.sex()),
                Some(Err(error)) => return out.failed(error.clone().into(), self.pos, path),
                // One that the dictionary lacks is still a sex that was given.
                Some(Ok(None)) | None => Some(domain::Sex::Unknown),
            },
            (None, Some(SexReference::Odd(_))) => Some(domain::Sex::Unknown),
            (None, None) => None,
        };
        out.name_or_null(sex.map(Sex::from));
    }
}

impl Record for HautAiSubject {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "authorId" => |it, out| out.put(&it.author_id.as_deref()),
            "promoteImageId" => |it, out| out.put(&it.promote_image_id.as_deref()),
            "rawSex" => |it, out| out.put(&it.raw_sex),
            "rawBirthDate" => |it, out| out.put(&it.raw_birth_date),
            "rawCreatedAt" => |it, out| out.put(&it.raw_created_at),
            _ => return None,
        }))
    }
}

impl Record for BrainStemSubject {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "nameUsedInStorage" => |it, out| out.put(&it.name_used_in_storage),
            "supplierText" => |it, out| out.put(&it.supplier_text),
            "rawSex" => |it, out| out.put(&it.raw_sex),
            "rawStatus" => |it, out| out.put(&it.raw_status),
            "rawBirthDate" => |it, out| out.put(&it.raw_birth_date),
            "rawDeathDate" => |it, out| out.put(&it.raw_death_date),
            "stateChanges" => {
                return field.page(
                    |it| Some(it.changes()),
                    Self::list,
                    |all, keys| all.state_changes.load_each(keys).boxed(),
                    SubjectStateChange,
                );
            }
            "stateChangeIds" => |it, out| out.ids(it.changes(), NodeId::StateChange),
            _ => return None,
        }))
    }
}
