//! Who may see and change which records. Follows from the projects: their users and whether they are public.

use std::collections::HashSet;

use serde_json::Value;

use super::super::store::{Store, id_of, texts};

/// Whom a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Viewer {
    /// The token that sees everything.
    Main,
    /// The token that sees the projects of its user.
    Other,
    /// The public portal.
    Anyone,
}

impl Viewer {
    pub(super) fn email(self) -> Option<&'static str> {
        match self {
            Self::Main => Some(super::super::records::MAIN_EMAIL),
            Self::Other => Some(super::super::records::OTHER_EMAIL),
            Self::Anyone => None,
        }
    }
}

/// What one viewer sees of a store.
pub(super) struct Sight<'a> {
    store: &'a Store,
    viewer: Viewer,
    /// Ids of the projects that are visible; unused where everything is.
    projects: HashSet<&'a str>,
}

impl<'a> Sight<'a> {
    pub(super) fn new(store: &'a Store, viewer: Viewer) -> Self {
        let visible = |project: &&Value| match viewer {
            Viewer::Main => false,
            Viewer::Anyone => project["is_public"] == true,
            Viewer::Other => viewer.email().is_some_and(|email| !project["users"][email].is_null()),
        };
        let projects = store.rows("projects").iter().filter(visible);
        Self { store, viewer, projects: projects.filter_map(id_of).collect() }
    }

    /// Whether a record of the model with this plural is visible.
    pub(super) fn sees(&self, list: &str, record: &Value) -> bool {
        let project = |id: &Value| id.as_str().is_some_and(|id| self.projects.contains(id));
        if self.viewer == Viewer::Main {
            return true;
        }
        match list {
            "projects" => project(&record["id"]),
            "subjects" => texts(record.get("projects")).any(|id| self.projects.contains(id)),
            "breedings" | "cohorts" => project(&record["project"]),
            "procedures" | "subject_logs" | "actions" | "subject_state_changes" => {
                let subject = record["subject"].as_str();
                let subject = subject.and_then(|id| self.store.get("subjects", id));
                subject.is_some_and(|subject| self.sees("subjects", subject))
            }
            "licenses" => record["is_public"] == true,
            _ => true,
        }
    }

    /// The visible record with an id.
    pub(super) fn get(&self, list: &str, id: &str) -> Option<&'a Value> {
        self.store.get(list, id).filter(|record| self.sees(list, record))
    }

    /// Whether a visible record may be changed: some project of it lets its user, or it belongs to none.
    pub(super) fn may_change(&self, list: &str, record: &Value) -> bool {
        let Some(email) = self.viewer.email() else {
            return false;
        };
        let allows = |id: &str| {
            let project = self.store.get("projects", id);
            project.is_none_or(|project| project["users"][email]["can_change"] != false)
        };
        match list {
            "projects" => id_of(record).is_none_or(allows),
            "subjects" => {
                let mut projects = texts(record.get("projects")).peekable();
                projects.peek().is_none() || projects.any(allows)
            }
            "breedings" | "cohorts" => record["project"].as_str().is_none_or(allows),
            _ => {
                let subject = record.get("subject").and_then(Value::as_str);
                let subject = subject.and_then(|id| self.store.get("subjects", id));
                subject.is_none_or(|subject| self.may_change("subjects", subject))
            }
        }
    }
}
