//! The file of API keys: named, with scopes, and only hashes of the keys. It is read anew when it changes.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::{Context as _, bail, ensure};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

use super::{Caller, Identity, Scope, Scopes, Stay, file, is_name};
use crate::config::TextFile;

/// Random bytes of a key: nobody guesses one, so that a plain hash keeps it safe.
const KEY_BYTES: usize = 32;

/// What a key begins with, for those who look for leaked ones.
const PREFIX: &str = "sgw_";

const HASH_BYTES: usize = 32;

/// A key's SHA-256.
pub type KeyHash = [u8; HASH_BYTES];

/// The keys, as they are now.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    read: RwLock<Read>,
    changed: watch::Sender<()>,
}

#[derive(Clone, Debug)]
struct Read {
    text: Arc<str>,
    keys: Arc<[ApiKey]>,
}

#[derive(Debug)]
struct ApiKey {
    name: Arc<str>,
    identity: Identity,
    hash: KeyHash,
    scopes: Scopes,
}

/// The file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    key: Vec<Entry>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    /// In hexadecimal digits.
    sha256: String,
    scopes: Vec<String>,
}

impl KeyFile {
    /// An error names the key and what is wrong with it.
    pub fn new(file: &TextFile) -> anyhow::Result<Self> {
        let read = Read::of(&file.text).with_context(|| format!("API_KEYS_FILE `{}`", file.path))?;
        Ok(Self { path: file.path.clone().into(), read: RwLock::new(read), changed: watch::Sender::new(()) })
    }

    /// Whose key it is.
    pub(super) fn find(&self, key: &[u8]) -> Option<Caller> {
        let hash: KeyHash = Sha256::digest(key).into();
        let keys = self.keys();
        // All are compared, each in the same time, so that the time tells nothing.
        let mut found = None;
        for known in &*keys {
            if known.hash.ct_eq(&hash).into() {
                let stay = Stay::WhileKnown(known.hash);
                found = Some(Caller {
                    scopes: known.scopes,
                    name: Some(Arc::clone(&known.name)),
                    identity: Some(known.identity),
                    stay,
                });
            }
        }
        found
    }

    /// Takes another text of the same file. An error names what is wrong, and changes nothing.
    pub(super) fn reload(&self, file: &TextFile) -> anyhow::Result<()> {
        if self.path == Path::new(&file.path)
            && let Some(keys) = self.take(&file.text).with_context(|| format!("API_KEYS_FILE `{}`", file.path))?
        {
            file::tell("API_KEYS_FILE", keys);
        }
        Ok(())
    }

    /// Reads the file when its text has changed. One that is missing or faulty changes nothing: the log tells, once.
    pub(super) async fn keep_up(&self) {
        file::follow("API_KEYS_FILE", &self.path, |text| self.take(text)).await;
    }

    /// Ends when the key is not in the file any more, or not with these scopes.
    pub(super) async fn taken_out(&self, hash: KeyHash, scopes: Scopes) {
        let mut changes = self.changed.subscribe();
        while self.keys().iter().any(|key| key.hash == hash && key.scopes == scopes) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn keys(&self) -> Arc<[ApiKey]> {
        Arc::clone(&self.read.read().unwrap_or_else(PoisonError::into_inner).keys)
    }

    /// Takes the keys of another text; gives their number.
    fn take(&self, text: &str) -> anyhow::Result<Option<usize>> {
        let is_same = *self.read.read().unwrap_or_else(PoisonError::into_inner).text == *text;
        if is_same {
            return Ok(None);
        }
        let read = Read::of(text)?;
        let number = read.keys.len();
        *self.read.write().unwrap_or_else(PoisonError::into_inner) = read;
        self.changed.send_replace(());
        Ok(Some(number))
    }
}

impl Read {
    fn of(text: &str) -> anyhow::Result<Self> {
        // The place alone: the parser's words quote the file, which may have a key in it by mistake.
        let document: Document = toml::from_str(text).map_err(|error| {
            let line =
                error.span().map_or(1, |span| 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count());
            anyhow::anyhow!("line {line}: expected `[[key]]` with `name`, `sha256` and `scopes`")
        })?;
        let keys: Vec<ApiKey> = document.key.iter().map(Entry::read).collect::<anyhow::Result<_>>()?;
        ensure!(!keys.is_empty(), "there is no key in it: `subject-gateway key new` makes one");
        let mut names = HashSet::new();
        if let Some(twice) = keys.iter().find(|key| !names.insert(&*key.name)) {
            bail!("the name `{}` is there twice", twice.name);
        }
        let mut hashes = HashSet::new();
        if let Some(twice) = keys.iter().find(|key| !hashes.insert(key.hash)) {
            bail!("the key `{}` is there under another name, too", twice.name);
        }
        Ok(Self { text: text.into(), keys: keys.into() })
    }
}

impl Entry {
    fn read(&self) -> anyhow::Result<ApiKey> {
        let Self { name, sha256, scopes } = self;
        ensure!(is_name(name), "`name` has to be of 1 to 64 letters, digits, `-`, `_` or `.`");
        let hash = hash_of_hex(sha256);
        let hash = hash.with_context(|| format!("key `{name}`: expected 64 hexadecimal digits in `sha256`"))?;
        let known = |scope: &String| {
            let all = Scope::ALL.map(Scope::name).join(", ");
            Scope::named(scope).with_context(|| format!("key `{name}`: expected each of `scopes` to be one of {all}"))
        };
        let scopes: Vec<Scope> = scopes.iter().map(known).collect::<anyhow::Result<_>>()?;
        ensure!(!scopes.is_empty(), "key `{name}`: it has no scope");
        let identity = Identity::of([Some(name.as_str())]);
        Ok(ApiKey { name: name.as_str().into(), identity, hash, scopes: scopes.into_iter().collect() })
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn hash_of_hex(text: &str) -> Option<KeyHash> {
    let digits = text.as_bytes();
    let is_hex = digits.len() == 2 * HASH_BYTES && digits.iter().all(u8::is_ascii_hexdigit);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    bytes.filter(|_| is_hex)?.try_into().ok()
}

/// A new key and the entry that lets it in.
pub struct NewKey {
    /// For the caller. Nobody can find it out from the entry.
    pub key: String,
    /// To be added to the file.
    pub entry: String,
}

impl NewKey {
    /// # Errors
    ///
    /// For a name that is none, no scope, or a system without random numbers.
    pub fn make(name: &str, scopes: &[Scope]) -> anyhow::Result<Self> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).context("the system has no random numbers")?;
        let key = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
        let sha256 = hex(&Sha256::digest(&key));
        let scopes = scopes.iter().map(|scope| scope.name().to_owned()).collect();
        let entry = Entry { name: name.to_owned(), sha256, scopes };
        entry.read()?;
        let Entry { name, sha256, scopes } = entry;
        let scopes: Vec<String> = scopes.iter().map(|scope| format!("\"{scope}\"")).collect();
        let entry = format!("[[key]]\nname = \"{name}\"\nsha256 = \"{sha256}\"\nscopes = [{}]\n", scopes.join(", "));
        Ok(Self { key, entry })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> anyhow::Result<KeyFile> {
        KeyFile::new(&TextFile { path: "keys.toml".into(), text: text.into() })
    }

    #[test]
    fn a_new_key_is_let_in_with_its_scopes_and_no_other_is() {
        let web = NewKey::make("web", &[Scope::Read]).unwrap();
        let lab = NewKey::make("lab", &[Scope::Read, Scope::Write]).unwrap();
        assert_ne!(web.key, lab.key);
        let keys = file(&format!("{}\n{}", web.entry, lab.entry)).unwrap();
        let caller = keys.find(web.key.as_bytes()).unwrap();
        assert_eq!((caller.name.as_deref(), caller.scopes), (Some("web"), [Scope::Read].into_iter().collect()));
        assert!(keys.find(lab.key.as_bytes()).unwrap().scopes.contains(Scope::Write));
        for stranger in ["", "sgw_", &web.key[1..], &web.key.to_uppercase()] {
            assert!(keys.find(stranger.as_bytes()).is_none());
        }
        assert!(!web.entry.contains(&web.key[4..]));
    }

    #[test]
    fn a_changed_file_counts_and_a_faulty_one_does_not() {
        let web = NewKey::make("web", &[Scope::Read]).unwrap();
        let lab = NewKey::make("lab", &[Scope::Read]).unwrap();
        let keys = file(&web.entry).unwrap();
        assert_eq!(keys.take(&web.entry).unwrap(), None);
        assert!(keys.take("").is_err() && keys.take("[[key]]").is_err());
        assert!(keys.find(web.key.as_bytes()).is_some());
        assert_eq!(keys.take(&lab.entry).unwrap(), Some(1));
        assert!(keys.find(web.key.as_bytes()).is_none() && keys.find(lab.key.as_bytes()).is_some());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let hash = "0".repeat(64);
        let entry = |name: &str, hash: &str, scopes: &str| {
            format!("[[key]]\nname = \"{name}\"\nsha256 = \"{hash}\"\nscopes = [{scopes}]\n")
        };
        let read = "\"subjects:read\"";
        let table = [
            (String::new(), "no key"),
            ("[[key]]\nname = 1".into(), "line 2: expected `[[key]]`"),
            ("key = \"sgw_secret\"".into(), "line 1: expected `[[key]]`"),
            (entry("two words", &hash, read), "`name`"),
            (entry("web", "00", read), "64 hexadecimal digits"),
            (entry("web", &"+f".repeat(32), read), "64 hexadecimal digits"),
            (entry("web", &hash, ""), "no scope"),
            (entry("web", &hash, "\"read\""), "expected each of `scopes` to be one of subjects:read"),
            (entry("web", &hash, read) + &entry("web", &"1".repeat(64), read), "twice"),
            (entry("web", &hash, read) + &entry("lab", &hash, read), "another name"),
            (entry("web", &hash, read) + "extra = 1", "line 5: expected"),
        ];
        for (text, expected) in table {
            let error = format!("{:#}", file(&text).unwrap_err());
            assert!(error.contains(expected) && error.contains("keys.toml"), "{error}");
            assert!(!error.contains("sgw_secret"), "{error}");
        }
    }
}
