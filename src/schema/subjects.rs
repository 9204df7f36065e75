//! Lists of subjects: the merged one, and those of a project or a cohort.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Lookahead, Object, SimpleObject};
use futures::future::join;
use tokio::sync::OnceCell;

use super::{
    connection::{Connection, Cursor, Edge, PageInfo, Paging, of_ids},
    context::{RequestContext, add_error},
    error::{Error, Result},
    filter::{SubjectFilter, SubjectOrder},
    lists::Records,
    lookahead::sideloads,
    sources::SourceState,
    subject::{Subject, SubjectSource},
};
use crate::{
    domain::{
        self, Id, NodeId, Source, SubjectId,
        cursor::{Fingerprint, SubjectPosition},
    },
    listing::{Count, Reading, Walked, parts::Direction},
};

/// One page of a list of subjects.
pub struct SubjectConnection {
    connection: Connection<Subject>,
    sources: Vec<SubjectConnectionSource>,
    counts: Arc<Counts>,
}

/// One page of a list of subjects.
#[Object]
impl SubjectConnection {
    /// The subjects of the page with their cursors.
    async fn edges(&self) -> Records<'_, Edge<Subject>> {
        Records(self.connection.edges.iter().collect())
    }

    /// The subjects of the page, for those who need no cursor for each.
    async fn nodes(&self) -> Records<'_, Subject> {
        Records(self.connection.edges.iter().map(|edge| &edge.node).collect())
    }

    /// Where the page stands in the list.
    async fn page_info(&self) -> &PageInfo {
        &self.connection.page
    }

    /// How many subjects the whole list has. Null where a source does not count them, or the gateway itself applies a part
    /// of the filter, so that only reading everything would tell.
    async fn total_count(&self, ctx: &Context<'_>) -> Option<Result<u64>> {
        let mut sum = Some(0);
        for (_, count) in self.counts.get(ctx).await {
            match count {
                Ok(count) => sum = sum.zip(*count).map(|(sum, count)| sum + count),
                Err(error) => return Some(Err(error.clone().into())),
            }
        }
        sum.map(Ok)
    }

    /// How the sources fared that the list is made of. Those that the filter excludes are left out.
    async fn sources(&self, ctx: &Context<'_>) -> &[SubjectConnectionSource] {
        RequestContext::of(ctx).provenance.mark_unrepeatable();
        &self.sources
    }
}

/// How a source fared on one page of a list.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct SubjectConnectionSource {
    /// Which source.
    source: SubjectSource,
    /// `AVAILABLE`: its subjects are on the page, as far as they belong there. `FAILING`: they are left for later; `errors` says
    /// why. `UNKNOWN`: this page did not need it.
    status: SourceState,
    /// How it failed: a code as in `errors[].extensions.code`.
    code: Option<&'static str>,
    #[graphql(skip)]
    counts: Arc<Counts>,
}

#[ComplexObject]
impl SubjectConnectionSource {
    /// How many of the source's subjects the whole list has. Null where the source does not count them, or the gateway
    /// itself applies a part of the filter.
    async fn total_count(&self, ctx: &Context<'_>) -> Option<Result<u64>> {
        let counts = self.counts.get(ctx).await;
        let (_, count) = counts.iter().find(|(source, _)| SubjectSource::from(*source) == self.source)?;
        count.clone().map_err(Error::from).transpose()
    }
}

/// How many subjects each source has, asked for once and only when somebody wants to know.
struct Counts {
    filter: domain::SubjectFilter,
    counted: OnceCell<Vec<(Source, Count)>>,
}

impl Counts {
    fn of(filter: domain::SubjectFilter) -> Arc<Self> {
        Arc::new(Self { filter, counted: OnceCell::new() })
    }

    /// Those of a list of animals whose length is known.
    fn known(animals: u64) -> Arc<Self> {
        let counted = OnceCell::new_with(Some(vec![(Source::BrainStem, Ok(Some(animals)))]));
        Arc::new(Self { filter: domain::SubjectFilter::default(), counted })
    }

    async fn get(&self, ctx: &Context<'_>) -> &[(Source, Count)] {
        let request = RequestContext::of(ctx);
        let count = || async {
            let mut walk = request.walk(self.filter.clone(), None, Vec::new());
            // Counted beside the page: what is behind the page needs time, too.
            walk.deadline = walk.deadline.all_but(2);
            walk.counts().await
        };
        self.counted.get_or_init(count).await
    }
}

/// A page of the merged list.
pub(super) async fn merged(
    ctx: &Context<'_>,
    paging: Paging,
    filter: Option<SubjectFilter>,
    order: Option<SubjectOrder>,
) -> Result<SubjectConnection> {
    let filter = filter.unwrap_or_default().read()?;
    // Apart: the futures of all fields of a type are as large as the largest of them, and moved several times.
    Box::pin(filtered(ctx, "subjects", paging, filter, order)).await
}

async fn filtered(
    ctx: &Context<'_>,
    field: &str,
    paging: Paging,
    filter: domain::SubjectFilter,
    order: Option<SubjectOrder>,
) -> Result<SubjectConnection> {
    let request = RequestContext::of(ctx);
    let order = order.map(|order| order.read());
    let list = Fingerprint::of(&(field, &filter, order));
    let slice = paging.read::<SubjectPosition>(list)?;
    let from = match (slice.position.clone(), slice.direction) {
        (None, Direction::Forwards) => SubjectPosition::START,
        (None, Direction::Backwards) => SubjectPosition::END,
        (Some(position), Direction::Forwards) => position,
        (Some(position), Direction::Backwards) => position.before_its_record(),
    };
    let include = sideloads::<domain::Subject>(ctx, slice.size);
    let walk = request.walk(filter.clone(), order, include);
    let counts = Counts::of(filter);
    let counting = async {
        if selects_counts(&ctx.look_ahead()) {
            counts.get(ctx).await;
        }
    };
    let (walked, ()) = join(walk.page(slice.direction, from.clone(), slice.size), counting).await;
    report(ctx, &walked);

    let sources = walked.readings.iter().map(|(source, reading)| status(*source, reading, &counts)).collect();
    // The walk may have come further than to the last record of its page.
    let furthest = match slice.direction {
        Direction::Forwards => walked.subjects.last(),
        Direction::Backwards => walked.subjects.first(),
    };
    let is_full = walked.subjects.len() as u64 == slice.size;
    let touches = |at: &SubjectPosition| at.touches(&walked.position, slice.direction == Direction::Forwards);
    let is_short = !is_full && !furthest.is_some_and(|(cursor, _)| touches(cursor));
    let reached = (is_short && walked.has_more && walked.position != from)
        .then(|| Cursor::Subjects(list, Arc::from([walked.position]), 0));
    let (positions, subjects): (Vec<_>, Vec<_>) = walked.subjects.into_iter().unzip();
    let positions: Arc<[_]> = positions.into();
    let cursor = |at| Cursor::Subjects(list, Arc::clone(&positions), at);
    let edge = |(at, subject)| Edge { cursor: cursor(at), node: Subject(subject) };
    let edges: Vec<_> = subjects.into_iter().enumerate().map(edge).collect();
    let page = slice.page_info(&edges, walked.has_more, reached);
    Ok(SubjectConnection { connection: Connection { edges, page, total: None }, sources, counts })
}

fn selects_counts(list: &Lookahead<'_>) -> bool {
    list.field("totalCount").exists() || list.field("sources").field("totalCount").exists()
}

fn report(ctx: &Context<'_>, walked: &Walked) {
    for (_, reading) in &walked.readings {
        if let Reading::Failed(error) = reading {
            add_error(ctx, Error::LeftForLater(error.clone()));
        }
    }
    for error in &walked.passed_over {
        add_error(ctx, Error::PassedOver(error.clone()));
    }
    for (source, count) in &walked.unreadable {
        add_error(ctx, Error::Unreadable(*source, *count));
    }
}

fn status(source: Source, reading: &Reading, counts: &Arc<Counts>) -> SubjectConnectionSource {
    let (status, code) = match reading {
        Reading::NotConfigured => (SourceState::NotConfigured, None),
        Reading::NotAsked => (SourceState::Unknown, None),
        Reading::Answered => (SourceState::Available, None),
        Reading::Failed(error) => (SourceState::Failing, Some(Error::Load(error.clone()).code())),
    };
    SubjectConnectionSource { source: source.into(), status, code, counts: Arc::clone(counts) }
}

/// A page of the subjects that another record lists.
pub(super) async fn of_subject_ids(
    ctx: &Context<'_>,
    owner: NodeId,
    ids: &[Id<domain::Subject>],
    paging: Paging,
) -> Result<SubjectConnection> {
    let list = Fingerprint::of(&("subjects", owner.to_string()));
    let connection = of_ids(ctx, &RequestContext::of(ctx).loaders.animals, ids, list, paging, Subject).await?;
    let counts = Counts::known(ids.len() as u64);
    let sources = vec![status(Source::BrainStem, &Reading::Answered, &counts)];
    Ok(SubjectConnection { connection, sources, counts })
}

/// A page of a project's subjects: as its record lists them, or filtered and ordered.
pub(super) async fn of_project(
    ctx: &Context<'_>,
    project: &domain::Project,
    paging: Paging,
    filter: Option<SubjectFilter>,
    order: Option<SubjectOrder>,
) -> Result<SubjectConnection> {
    let owner = NodeId::Project(project.id);
    if filter.is_none() && order.is_none() {
        return of_subject_ids(ctx, owner, &project.subjects, paging).await;
    }
    let mut filter = filter.unwrap_or_default().read()?;
    let projects = filter.projects.get_or_insert_with(|| vec![project.id]);
    // Of this project and of one of those that the filter names: BrainSTEM can do that only where this is one of those.
    if projects.contains(&project.id) {
        *projects = vec![project.id];
    } else if !projects.is_empty() {
        return Err(Error::BadUserInput(
            "`filter.projectId` names other projects: expected none here, where the project is given.".to_owned(),
        ));
    }
    Box::pin(filtered(ctx, "project.subjects", paging, filter, order)).await
}

/// A subject by its typed id.
pub(super) async fn load(ctx: &Context<'_>, id: SubjectId) -> Result<Option<Subject>> {
    Ok(RequestContext::of(ctx).loaders.subjects.load(id).await?.map(Subject))
}
