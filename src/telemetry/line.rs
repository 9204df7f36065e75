//! A log line as JSON, one object: what `tracing_subscriber` writes with its fields flattened, but put together in bytes. Its
//! own formatter looks at every piece between two quotation marks anew for whether it is UTF-8, and at every name of a field
//! for what needs an escape, which was 40 % of the instructions that a whole answer took.

use std::{error::Error, fmt, str};

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer},
    registry::LookupSpan,
};

/// To the microsecond.
const TIME: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
/// Bytes that the line of a request rarely passes.
const LENGTH: usize = 768;

/// Time, level, message, fields, target, and the span that it was written in. Needs fields of spans to be kept as JSON.
pub(super) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Line(Vec::with_capacity(LENGTH));
        line.0.extend_from_slice(b"{\"timestamp\":\"");
        TIME.print_timestamp(&Timestamp::now(), &mut line.0).map_err(|_| fmt::Error)?;
        line.0.extend_from_slice(b"\"");
        let metadata = event.metadata();
        line.plain("level", level(*metadata.level()));
        event.record(&mut line);
        line.plain("target", metadata.target());
        if let Some(span) = event.parent().and_then(|id| context.span(id)).or_else(|| context.lookup_current()) {
            let extensions = span.extensions();
            let fields = extensions.get().map_or("", |fields: &FormattedFields<N>| fields.as_str());
            let mut fields: Map<String, Value> = serde_json::from_str(fields).unwrap_or_default();
            fields.insert("name".to_owned(), span.name().into());
            line.put("span", &fields);
        }
        line.0.extend_from_slice(b"}\n");
        writer.write_str(str::from_utf8(&line.0).map_err(|_| fmt::Error)?)
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

/// An object in the making, of which something is there already.
struct Line(Vec<u8>);

impl Line {
    /// Names are of this program and its crates: identifiers, which need no escapes.
    fn name(&mut self, name: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn put(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.name(name);
        // Memory takes what is written to it, and nothing here has other keys than texts.
        let _ = serde_json::to_writer(&mut self.0, value);
    }

    /// A text that needs no escapes either.
    fn plain(&mut self, name: &str, text: &str) {
        self.name(name);
        self.0.extend_from_slice(b"\"");
        self.0.extend_from_slice(text.as_bytes());
        self.0.extend_from_slice(b"\"");
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field.name(), &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), &format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use serde_json::Value;
    use tracing::{Dispatch, debug, dispatcher, error, field, info, info_span, warn};
    use tracing_subscriber::fmt::format::JsonFields;

    use super::JsonLine;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        /// The lines, without their times, which are checked to be times.
        fn lines(&self) -> Vec<Value> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            let line = |line| {
                let mut line: Value = serde_json::from_str(line).unwrap();
                let time = line.as_object_mut().unwrap().remove("timestamp").unwrap();
                let time = time.as_str().unwrap();
                assert_eq!((time.len(), time.parse::<jiff::Timestamp>().is_ok()), (27, true), "{time}");
                line
            };
            text.lines().map(line).collect()
        }
    }

    fn happen() {
        let name: Option<&str> = None;
        info!(method = "POST", status = 200_u16, duration_ms = 0.25, name, cache = Some("hit"), "answered");
        warn!(why = %io::Error::other("\"no\"\n\u{1}\\ ü 🐭"), ids = ?["a", "b"], is_on = true, delta = -3_i64);
        error!(failure = &io::Error::other("all") as &(dyn std::error::Error + 'static), "{} of {}", 1, 2);
        info!(not_a_number = f64::NAN, large = u64::MAX, larger = u128::MAX);
        let outer = info_span!("request", request_id = %"r-\"1\"", late = field::Empty);
        outer.record("late", 7);
        outer.in_scope(|| {
            debug!(count = 1, "within");
            info_span!("bare").in_scope(|| info!("within both"));
        });
        info!(parent: &outer, "beside");
    }

    #[test]
    fn lines_are_those_of_tracing_subscriber() {
        let (own, other) = (Kept::default(), Kept::default());
        let log = |kept: &Kept| {
            let kept = kept.clone();
            tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(move || kept.clone())
        };
        let stock = log(&other).json().flatten_event(true).with_current_span(true).with_span_list(false).finish();
        dispatcher::with_default(&Dispatch::new(stock), happen);
        let own_log = log(&own).event_format(JsonLine).fmt_fields(JsonFields::new()).finish();
        dispatcher::with_default(&Dispatch::new(own_log), happen);
        assert_eq!(own.lines().len(), 7);
        assert_eq!(own.lines(), other.lines());
    }
}
