//! Where traces go, by OpenTelemetry's own variables. They are not ours to rename, so that they are not in the table of keys:
//! neither the file nor flags have them. What they say beyond this (headers, resource, queue) is read by OpenTelemetry itself.

use std::{ffi::OsString, time::Duration};

use url::Url;

use super::fault::{Fault, Origin};

/// Where spans are sent, and which.
#[derive(Clone, Debug, PartialEq)]
pub struct Traces {
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, or `OTEL_EXPORTER_OTLP_ENDPOINT` with `v1/traces`.
    pub endpoint: Url,
    /// `OTEL_EXPORTER_OTLP_TRACES_TIMEOUT`, `OTEL_EXPORTER_OTLP_TIMEOUT`, in milliseconds, default 10,000: one export.
    pub timeout: Duration,
    /// `OTEL_TRACES_SAMPLER`, default `parentbased_always_on`.
    pub sampler: Sampler,
    /// `OTEL_SERVICE_NAME`, or `service.name` in `OTEL_RESOURCE_ATTRIBUTES`, default `subject-gateway`.
    pub service: String,
}

/// Which traces are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// Where the caller has a trace, it decides.
    pub follows_callers: bool,
    /// The share of the others, from 0 to 1.
    pub share: f64,
}

/// The name of the service where nobody gives one.
const SERVICE: &str = "subject-gateway";
/// What OpenTelemetry waits for one export.
const TIMEOUT_MS: &str = "10000";

/// `None`: traces are off.
pub(super) fn read(environment: &[(OsString, OsString)]) -> Result<Option<Traces>, Vec<Fault>> {
    let variables = Variables(environment);
    let Some((variable, endpoint)) = variables.first_of(ENDPOINTS).filter(|_| !variables.are_off()) else {
        return Ok(None);
    };
    let mut faults = Vec::new();
    let mut or_fault = |variable: &str, problem: &str| {
        faults.push(Fault::at(variable, &Origin::Environment, problem));
    };
    let endpoint = endpoint_of(variable, endpoint);
    if endpoint.is_none() {
        or_fault(variable, "expected an http or https URL");
    }
    if let Some((variable, protocol)) = variables.first_of(PROTOCOLS)
        && protocol != "http/protobuf"
    {
        or_fault(variable, "expected `http/protobuf`, which is all that this gateway speaks (the usual port is 4318)");
    }
    if variables.get("OTEL_TRACES_EXPORTER").is_some_and(|exporter| exporter != "otlp") {
        or_fault("OTEL_TRACES_EXPORTER", "expected `otlp` or `none`");
    }
    let (variable, timeout) = variables.first_of(TIMEOUTS).unwrap_or((TIMEOUTS[0], TIMEOUT_MS));
    let timeout = timeout.parse().ok().filter(|timeout| (1..=600_000).contains(timeout)).map(Duration::from_millis);
    if timeout.is_none() {
        or_fault(variable, "expected a whole number of milliseconds from 1 to 600000");
    }
    let sampler = sampler(&variables).map_err(|(variable, problem)| or_fault(variable, problem)).ok();
    let service = variables.get("OTEL_SERVICE_NAME").or_else(|| service_of(&variables)).unwrap_or(SERVICE).to_owned();
    match (endpoint, timeout, sampler) {
        (Some(endpoint), Some(timeout), Some(sampler)) if faults.is_empty() => {
            Ok(Some(Traces { endpoint, timeout, sampler, service }))
        }
        _ => Err(faults),
    }
}

/// The first is for traces alone.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const TIMEOUTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];

fn endpoint_of(variable: &str, text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    if variable != ENDPOINTS[0] {
        url.path_segments_mut().ok()?.pop_if_empty().extend(["v1", "traces"]);
    }
    Some(url)
}

/// The variable that is wrong, and how.
fn sampler(variables: &Variables<'_>) -> Result<Sampler, (&'static str, &'static str)> {
    let name = variables.get("OTEL_TRACES_SAMPLER").unwrap_or("parentbased_always_on");
    let (follows_callers, own) = name.strip_prefix("parentbased_").map_or((false, name), |own| (true, own));
    let share = match own {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => {
            let share = variables.get("OTEL_TRACES_SAMPLER_ARG").unwrap_or("1").parse().ok();
            let share = share.filter(|share| (0.0..=1.0).contains(share));
            share.ok_or(("OTEL_TRACES_SAMPLER_ARG", "expected a number from 0 to 1"))?
        }
        _ => {
            let expected = "expected `always_on`, `always_off` or `traceidratio`, or one of them after `parentbased_`";
            return Err(("OTEL_TRACES_SAMPLER", expected));
        }
    };
    Ok(Sampler { follows_callers, share })
}

fn service_of<'a>(variables: &Variables<'a>) -> Option<&'a str> {
    let attributes = variables.get("OTEL_RESOURCE_ATTRIBUTES")?.split(',');
    let mut named = attributes.filter_map(|attribute| attribute.split_once('='));
    named.find(|(name, _)| name.trim() == "service.name").map(|(_, value)| value.trim())
}

struct Variables<'a>(&'a [(OsString, OsString)]);

impl<'a> Variables<'a> {
    /// An empty one counts as not set, by the standard.
    fn get(&self, variable: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(name, _)| name == variable)?;
        value.to_str().map(str::trim).filter(|value| !value.is_empty())
    }

    fn first_of(&self, variables: [&'static str; 2]) -> Option<(&'static str, &'a str)> {
        variables.into_iter().find_map(|variable| Some((variable, self.get(variable)?)))
    }

    fn are_off(&self) -> bool {
        self.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
            || self.get("OTEL_TRACES_EXPORTER") == Some("none")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Traces>, Vec<String>> {
        let environment: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        super::read(&environment).map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    const COLLECTOR: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");

    #[test]
    fn they_are_off_until_there_is_an_endpoint() {
        for off in [
            &[("OTEL_SERVICE_NAME", "x"), ("OTEL_TRACES_SAMPLER", "nonsense")][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[COLLECTOR, ("OTEL_SDK_DISABLED", "TRUE")],
            &[COLLECTOR, ("OTEL_TRACES_EXPORTER", "none")],
        ] {
            assert_eq!(read(off), Ok(None), "{off:?}");
        }
        let traces = read(&[COLLECTOR]).unwrap().unwrap();
        let sampler = Sampler { follows_callers: true, share: 1.0 };
        assert_eq!((traces.endpoint.as_str(), traces.sampler), ("http://collector:4318/v1/traces", sampler));
        assert_eq!((traces.timeout, traces.service.as_str()), (Duration::from_secs(10), "subject-gateway"));
        let more = [
            COLLECTOR,
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://other/spans"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test, service.name=mine"),
        ];
        let traces = read(&more).unwrap().unwrap();
        let sampler = Sampler { follows_callers: false, share: 0.25 };
        assert_eq!((traces.endpoint.as_str(), traces.sampler), ("https://other/spans", sampler));
        assert_eq!(traces.service, "mine");
    }

    #[test]
    fn what_is_not_understood_is_told_and_never_shown() {
        let faults = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "hunter2"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ]);
        let faults = faults.unwrap_err();
        assert_eq!(faults.len(), 5, "{faults:?}");
        for (fault, variable) in faults.iter().zip([
            "OTEL_EXPORTER_OTLP_ENDPOINT (environment): expected an http",
            "OTEL_EXPORTER_OTLP_PROTOCOL (environment): expected `http/protobuf`",
            "OTEL_TRACES_EXPORTER (environment): expected `otlp`",
            "OTEL_EXPORTER_OTLP_TIMEOUT (environment): expected a whole",
            "OTEL_TRACES_SAMPLER_ARG (environment): expected a number",
        ]) {
            assert!(fault.starts_with(variable) && !fault.contains("hunter2"), "{fault}");
        }
    }
}
