//! Lists of subjects: the merged one, and those of a project or a cohort.

use async_graphql::{Context, InputObject, Lookahead};

use super::{
    connection::{Connection, Edge, PageInfo, Paging, Total, of_ids},
    context::{RequestContext, add_error},
    error::{Error, Result},
    subject::{Subject, SubjectSource},
};
use crate::{
    config::Generation,
    domain::{
        self, Id, NodeId, Source, SubjectId,
        cursor::{self, Fingerprint, SubjectPosition},
    },
};

/// Which subjects to list. What stands in it must all hold.
#[derive(Default, InputObject)]
pub struct SubjectFilter {
    /// Only subjects of these sources. Left out or null: of both.
    sources: Option<Vec<SubjectSource>>,
}

impl SubjectFilter {
    fn selected(&self) -> Vec<Source> {
        let given = self.sources.as_ref();
        let wanted = |source: &Source| given.is_none_or(|given| given.contains(&(*source).into()));
        [Source::HautAi, Source::BrainStem].into_iter().filter(wanted).collect()
    }
}

/// A page of the merged list.
pub(super) async fn merged(
    ctx: &Context<'_>,
    paging: Paging,
    filter: Option<SubjectFilter>,
) -> Result<Connection<Subject>> {
    let request = RequestContext::of(ctx);
    let selected = filter.unwrap_or_default().selected();
    let names: Vec<&str> = std::iter::once("subjects").chain(selected.iter().map(|source| source.code())).collect();
    let list = Fingerprint::of(&names);
    let (size, position) = (paging.size()?, paging.position(list)?);
    let include = if request.sources.sideload { sideloads(request, &ctx.look_ahead()) } else { Vec::new() };
    let walked = request.walk(selected.clone(), include).page(position.unwrap_or(SubjectPosition::START), size).await;

    for failure in walked.failures.into_iter().chain(walked.passed_over) {
        add_error(ctx, failure.into());
    }
    for (source, count) in walked.unreadable {
        add_error(ctx, Error::Unreadable(source, count));
    }
    let edge = |(behind, subject)| Edge { cursor: cursor::encode(list, &behind), node: Subject(subject) };
    let edges: Vec<_> = walked.subjects.into_iter().map(edge).collect();
    let moved = walked.position != position.unwrap_or(SubjectPosition::START);
    let end = if moved { Some(cursor::encode(list, &walked.position)) } else { paging.after.clone() };
    let page = PageInfo::new(&edges, paging.after.as_ref(), walked.has_more, end);
    Ok(Connection { edges, page, total: Total::Subjects(selected) })
}

/// A page of the subjects that another record lists.
pub(super) async fn of_subject_ids(
    ctx: &Context<'_>,
    owner: NodeId,
    ids: &[Id<domain::Subject>],
    paging: Paging,
) -> Result<Connection<Subject>> {
    let list = Fingerprint::of(&["subjects", &owner.to_string()]);
    of_ids(&RequestContext::of(ctx).loaders.animals, ids, list, paging, Subject).await
}

/// What the selection asks of each animal, as BrainSTEM calls it in `include[]`.
fn sideloads(request: &RequestContext, list: &Lookahead<'_>) -> Vec<&'static str> {
    let Some(brainstem) = &request.sources.brainstem else {
        return Vec::new();
    };
    let legacy = brainstem.source().generation() == Generation::Legacy;
    let selects = |path: &[&str]| {
        let of = |subject: Lookahead<'_>| path.iter().fold(subject, |at, field| at.field(field)).exists();
        of(list.field("nodes")) || of(list.field("edges").field("node"))
    };
    let regions_selected =
        selects(&["procedures", "nodes", "brainRegion"]) || selects(&["procedures", "edges", "node", "brainRegion"]);
    let species_selected = selects(&["species"]) || selects(&["strain", "species"]);
    let procedures = if legacy { "actions.*" } else { "procedures.*" };
    let regions = if legacy { "actions.brain_region.*" } else { "procedures.brain_region.*" };
    [
        (selects(&["projects"]), "projects.*"),
        (selects(&["procedures"]), procedures),
        (regions_selected, regions),
        (selects(&["logs"]) && !legacy, "subjectlogs.*"),
        (selects(&["licenses"]), "licenses.*"),
        (selects(&["strain"]) || species_selected, "strain.*"),
        (species_selected, "strain.species.*"),
        (selects(&["supplier"]), "supplier.*"),
        (selects(&["breeding"]), "breeding.*"),
    ]
    .into_iter()
    .filter_map(|(wanted, include)| wanted.then_some(include))
    .collect()
}

/// A subject by its typed id.
pub(super) async fn load(ctx: &Context<'_>, id: SubjectId) -> Result<Option<Subject>> {
    Ok(RequestContext::of(ctx).loaders.subjects.load(id).await?.map(Subject))
}
