//! What the stock server reads from the upstreams, and keeps: records by id, list pages by URL.

use std::{fmt, sync::Arc};

use anyhow::Context as _;
use async_graphql::{Json, SimpleObject};
use futures::future::try_join_all;
use moka::sync::Cache;
use reqwest::{Client, header::AUTHORIZATION};
use serde::{Deserialize, de::DeserializeOwned};
use subject_gateway::sandbox::{BRAINSTEM_TOKEN, COMPANY_ID, DATASET_IDS, HAUT_AI_TOKEN};

use super::Options;

/// Ids in one request: more would not fit into a request line everywhere.
const BATCH: usize = 50;
const PAGE: usize = 100;
const KEPT: u64 = 100_000;

#[derive(Debug, Deserialize, SimpleObject)]
#[graphql(complex)]
pub(super) struct Animal {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) sex: Option<String>,
    pub(super) birth_date: Option<String>,
    #[graphql(skip)]
    #[serde(rename = "projects")]
    pub(super) project_ids: Vec<String>,
    #[graphql(skip)]
    #[serde(rename = "procedures")]
    pub(super) procedure_ids: Vec<String>,
}

#[derive(Debug, Deserialize, SimpleObject)]
pub(super) struct Project {
    pub(super) id: String,
    name: String,
}

#[derive(Debug, Deserialize, SimpleObject)]
#[graphql(complex)]
pub(super) struct Procedure {
    pub(super) id: String,
    #[serde(rename = "type")]
    r#type: String,
    date_time: Option<String>,
    #[graphql(skip)]
    #[serde(rename = "subject")]
    pub(super) subject_id: String,
}

#[derive(Debug, Deserialize, SimpleObject)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) name: String,
    #[graphql(skip)]
    pub(super) biological_sex: Option<Sex>,
    sex: Option<String>,
    pub(super) birth_date: Option<String>,
    #[graphql(name = "createdAt")]
    creation_time: String,
    #[graphql(name = "metadata")]
    meta: Json<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sex {
    pub(super) tech_name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct List<T> {
    #[serde(alias = "subjects", alias = "projects", alias = "procedures", alias = "results")]
    records: Vec<T>,
    count: usize,
}

/// Some records of a list, and how many it has.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) records: Vec<Arc<T>>,
    total: usize,
}

/// An upstream did not answer as it should.
#[derive(Clone, Debug)]
pub(super) struct Failed(Arc<anyhow::Error>);

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#}", self.0)
    }
}

/// Both upstreams and what they said.
pub(super) struct Upstreams {
    options: Options,
    client: Client,
    animals: Cache<String, Arc<Animal>>,
    projects: Cache<String, Arc<Project>>,
    procedures: Cache<String, Arc<Procedure>>,
    animal_pages: Cache<String, Arc<Page<Animal>>>,
    people_pages: Cache<String, Arc<Page<Person>>>,
}

impl Upstreams {
    pub(super) fn new(options: Options) -> anyhow::Result<Self> {
        // An error is that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kept = if options.is_caching { KEPT } else { 0 };
        Ok(Self {
            options,
            client: Client::builder().build()?,
            animals: Cache::new(kept),
            projects: Cache::new(kept),
            procedures: Cache::new(kept),
            animal_pages: Cache::new(kept),
            people_pages: Cache::new(kept),
        })
    }

    pub(super) async fn animals(&self, offset: usize, limit: usize) -> anyhow::Result<Arc<Page<Animal>>> {
        let url = format!("{}?limit={limit}&offset={offset}&sort[]=name&sort[]=id", self.brainstem("stem/subject"));
        if let Some(page) = self.animal_pages.get(&url) {
            return Ok(page);
        }
        let page = Arc::new(self.page::<Animal>(&url, BRAINSTEM_TOKEN).await?);
        for animal in &page.records {
            self.animals.insert(animal.id.clone(), Arc::clone(animal));
        }
        self.animal_pages.insert(url, Arc::clone(&page));
        Ok(page)
    }

    pub(super) async fn people(&self, dataset: usize, page: usize, size: usize) -> anyhow::Result<Arc<Page<Person>>> {
        let (base, dataset) = (&self.options.haut_ai, DATASET_IDS[dataset]);
        let url =
            format!("{base}/api/v1/companies/{COMPANY_ID}/datasets/{dataset}/subjects/?page={page}&page_size={size}");
        if let Some(page) = self.people_pages.get(&url) {
            return Ok(page);
        }
        let page = Arc::new(self.page::<Person>(&url, HAUT_AI_TOKEN).await?);
        self.people_pages.insert(url, Arc::clone(&page));
        Ok(page)
    }

    /// Every animal and every person.
    pub(super) async fn everybody(&self) -> anyhow::Result<(Vec<Arc<Animal>>, Vec<Arc<Person>>)> {
        let animals = async {
            let first = self.animals(0, PAGE).await?;
            let offsets = (PAGE..first.total).step_by(PAGE);
            let others = try_join_all(offsets.map(|offset| self.animals(offset, PAGE))).await?;
            anyhow::Ok([first].into_iter().chain(others).flat_map(|page| page.records.clone()).collect())
        };
        let people = try_join_all((0..DATASET_IDS.len()).map(|dataset| async move {
            let first = self.people(dataset, 1, PAGE).await?;
            let numbers = 2..=first.total.div_ceil(PAGE);
            let others = try_join_all(numbers.map(|number| self.people(dataset, number, PAGE))).await?;
            anyhow::Ok([first].into_iter().chain(others).flat_map(|page| page.records.clone()).collect::<Vec<_>>())
        }));
        let (animals, people) = futures::try_join!(animals, people)?;
        Ok((animals, people.concat()))
    }

    pub(super) async fn animals_by_id(&self, ids: impl Iterator<Item = &str>) -> anyhow::Result<Vec<Arc<Animal>>> {
        self.by_id("stem/subject", &self.animals, ids, |animal| &animal.id).await
    }

    pub(super) async fn projects_by_id(&self, ids: impl Iterator<Item = &str>) -> anyhow::Result<Vec<Arc<Project>>> {
        self.by_id("stem/project", &self.projects, ids, |project| &project.id).await
    }

    pub(super) async fn procedures_by_id(
        &self,
        ids: impl Iterator<Item = &str>,
    ) -> anyhow::Result<Vec<Arc<Procedure>>> {
        self.by_id("modules/procedure", &self.procedures, ids, |procedure| &procedure.id).await
    }

    /// From the cache, and what is not there in batches side by side.
    async fn by_id<T: DeserializeOwned + Send + Sync + 'static>(
        &self,
        path: &str,
        cache: &Cache<String, Arc<T>>,
        ids: impl Iterator<Item = &str>,
        id_of: fn(&T) -> &String,
    ) -> anyhow::Result<Vec<Arc<T>>> {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for id in ids {
            match cache.get(id) {
                Some(record) => found.push(record),
                None => missing.push(id),
            }
        }
        let batches = missing.chunks(BATCH).map(|ids| async move {
            let mut url = format!("{}?limit={BATCH}", self.brainstem(path));
            for id in ids {
                url.push_str("&filter{id.in}=");
                url.push_str(id);
            }
            self.page::<T>(&url, BRAINSTEM_TOKEN).await
        });
        for record in try_join_all(batches).await?.into_iter().flat_map(|page| page.records) {
            cache.insert(id_of(&record).clone(), Arc::clone(&record));
            found.push(record);
        }
        Ok(found)
    }

    fn brainstem(&self, path: &str) -> String {
        format!("{}/api/private/{path}/", self.options.brainstem)
    }

    async fn page<T: DeserializeOwned>(&self, url: &str, token: &str) -> anyhow::Result<Page<T>> {
        let request = self.client.get(url).header(AUTHORIZATION, format!("Bearer {token}"));
        let answer = request.send().await?.error_for_status()?.bytes().await?;
        let list: List<T> = serde_json::from_slice(&answer).context("an answer cannot be read")?;
        Ok(Page { records: list.records.into_iter().map(Arc::new).collect(), total: list.count })
    }
}
