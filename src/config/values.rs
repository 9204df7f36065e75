//! How the text of a setting becomes a value. `None` always means: not what the key's kind expects.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    str::FromStr as _,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::SecretString;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use url::{Host, Url};
use uuid::Uuid;

use super::{CorsOrigins, keys::Kind};

pub(super) fn listen(_: Kind, text: &str) -> Option<SocketAddr> {
    let port = text.strip_prefix("localhost:");
    port.map_or_else(|| text.parse().ok(), |port| Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?))))
}

pub(super) fn switch(_: Kind, text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// The word as the table writes it; case does not matter.
pub(super) fn choice(kind: Kind, text: &str) -> Option<&'static str> {
    let Kind::Choice(words) = kind else {
        return None;
    };
    words.iter().find(|word| word.eq_ignore_ascii_case(text)).copied()
}

/// Each word as the table writes it, and once.
pub(super) fn choices(kind: Kind, text: &str) -> Option<Vec<&'static str>> {
    let Kind::Choices(words) = kind else {
        return None;
    };
    let mut chosen: Vec<&'static str> =
        items(text).map(|item| choice(Kind::Choice(words), item)).collect::<Option<_>>()?;
    let mut seen = HashSet::new();
    chosen.retain(|word| seen.insert(*word));
    (!chosen.is_empty()).then_some(chosen)
}

pub(super) fn text(_: Kind, text: &str) -> Option<String> {
    is_one_word(text).then(|| text.to_owned())
}

pub(super) fn texts(_: Kind, text: &str) -> Option<Vec<String>> {
    let texts: Vec<String> = items(text).filter(|item| is_one_word(item)).map(str::to_owned).collect();
    (!texts.is_empty() && texts.len() == items(text).count()).then_some(texts)
}

fn is_one_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace) && !text.contains(char::is_control)
}

pub(super) fn millis(kind: Kind, text: &str) -> Option<Duration> {
    let Kind::Millis { min, max } = kind else {
        return None;
    };
    whole_number(text, min, max).map(Duration::from_millis)
}

pub(super) fn seconds(kind: Kind, text: &str) -> Option<Duration> {
    count(kind, text).map(Duration::from_secs)
}

pub(super) fn count(kind: Kind, text: &str) -> Option<u64> {
    let Kind::Count { min, max, .. } = kind else {
        return None;
    };
    whole_number(text, min, max)
}

/// As [`count`], on machines whose memory may be smaller than the number.
pub(super) fn size(kind: Kind, text: &str) -> Option<usize> {
    usize::try_from(count(kind, text)?).ok()
}

/// As [`count`], of a number whose bounds leave room for a smaller type.
pub(super) fn small<T: TryFrom<u64>>(kind: Kind, text: &str) -> Option<T> {
    T::try_from(count(kind, text)?).ok()
}

/// As [`small`], of a number whose bounds leave out 0.
pub(super) fn one_or_more(kind: Kind, text: &str) -> Option<NonZeroU32> {
    NonZeroU32::new(small(kind, text)?)
}

fn whole_number(text: &str, min: u64, max: u64) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && (min..=max).contains(number))
}

/// An upstream's base, which always ends with `/` so that paths can be joined to it.
pub(super) fn url(_: Kind, text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !bare || !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return None;
    }
    // The most likely slip: the documentation's addresses have the API's path in them, which the sources add themselves.
    if url.path_segments()?.any(|segment| segment == "api") {
        return None;
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Some(url)
}

/// The keys decide who is let in: nobody on the way may change them.
pub(super) fn jwks_url(_: Kind, text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    (is_bare && is_safe).then_some(url)
}

pub(super) fn uuid(_: Kind, text: &str) -> Option<Uuid> {
    text.parse().ok()
}

pub(super) fn uuids(kind: Kind, text: &str) -> Option<Vec<Uuid>> {
    let mut ids: Vec<Uuid> = items(text).map(|item| uuid(kind, item)).collect::<Option<_>>()?;
    // Once is enough: what goes through them in turn would come back to the first.
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(*id));
    (!ids.is_empty()).then_some(ids)
}

/// So many series are bearable; every name has several.
pub const MOST_NAMES: usize = 500;

pub(super) fn names(_: Kind, text: &str) -> Option<Vec<String>> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name = |name: &str| name.bytes().all(word) && !name.starts_with(|first: char| first.is_ascii_digit());
    let names: Vec<String> = items(text).map(|name| is_name(name).then(|| name.to_owned())).collect::<Option<_>>()?;
    (names.len() <= MOST_NAMES).then_some(names)
}

pub(super) fn api_path(_: Kind, text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let sound = !text.is_empty() && !text.starts_with('/') && !text.contains("//") && text.bytes().all(plain);
    let climbs = text.split('/').any(|segment| matches!(segment, "." | ".."));
    (sound && !climbs).then(|| text.to_owned())
}

pub(super) fn hosts(_: Kind, text: &str) -> Option<Vec<String>> {
    items(text).map(host).collect()
}

fn host(text: &str) -> Option<String> {
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Some(address.to_string());
    }
    let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let sound = text.bytes().all(name) && matches!(Host::parse(text), Ok(Host::Domain(_)));
    sound.then(|| text.trim_end_matches('.').to_ascii_lowercase())
}

pub(super) fn origins(_: Kind, text: &str) -> Option<CorsOrigins> {
    let mut origins = CorsOrigins::default();
    for item in items(text) {
        if item == "localhost" {
            origins.localhost = true;
        } else {
            origins.exact.push(origin(item)?);
        }
    }
    Some(origins)
}

/// As a browser writes it: lower case, no default port, no path.
fn origin(text: &str) -> Option<String> {
    let url = url(Kind::Url, text)?;
    (url.path() == "/").then(|| url.origin().ascii_serialization())
}

pub(super) fn log_filter(_: Kind, text: &str) -> Option<String> {
    EnvFilter::builder().parse(text).ok()?;
    // A word alone would be taken for a module's name: `inof` would turn the log off without a word.
    let level = |word: &str| LevelFilter::from_str(word).is_ok();
    let clear = items(text).all(|directive| directive.contains(['=', '[']) || level(directive));
    (clear && items(text).next().is_some()).then(|| text.to_owned())
}

pub(super) fn secret(kind: Kind, text: &str) -> Option<SecretString> {
    let sound = match kind {
        // Anything else could not be sent in a header.
        Kind::Token => text.bytes().all(|byte| byte.is_ascii_graphic()),
        Kind::RedisUrls => items(text).next().is_some() && items(text).all(is_redis),
        Kind::EncryptionKey => encryption_key(text).is_some(),
        _ => true,
    };
    (sound && !text.is_empty()).then(|| text.into())
}

fn is_redis(text: &str) -> bool {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "redis" | "rediss"));
    url.is_some_and(|url| url.has_host() && url.query().is_none() && url.fragment().is_none())
}

/// The bytes of a key that a setting writes down.
pub(super) fn encryption_key(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}
