//! Embeds the playground: fetches `GraphiQL`'s files with npm and writes the table that `src/http/playground.rs` includes.
//!
//! A build must not need npm or a network. Without them, or without the feature `playground-embedded`, the table says
//! where a CDN has the same files, and the browser checks them against the hashes in `playground/integrity.json`.

use std::{
    collections::BTreeSet,
    error::Error,
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use sha2::{Digest, Sha384};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What npm may take at most. It took 11 s where this was written, and needs as long to give up without a network.
const NPM_TIMEOUT: Duration = Duration::from_secs(120);

const LICENSES: &str = "licenses.txt";

/// A file that the page loads, as `playground/integrity.json` lists it.
struct Asset {
    name: String,
    package: String,
    path: String,
    integrity: String,
}

fn main() -> Result<()> {
    for input in ["build.rs", "playground/integrity.json", "playground/package.json", "playground/package-lock.json"] {
        println!("cargo:rerun-if-changed={input}");
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("playground");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let assets = read_assets(&source)?;
    let embedded = out.join("playground");
    let is_embedded = cfg!(feature = "playground-embedded") && prepare(&source, &out, &embedded, &assets)?;
    fs::write(out.join("playground.rs"), table(&assets, is_embedded)?)?;
    Ok(())
}

fn read_assets(source: &Path) -> Result<Vec<Asset>> {
    let list: Value = serde_json::from_slice(&fs::read(source.join("integrity.json"))?)?;
    let list = list.as_array().ok_or("playground/integrity.json is not a list")?;
    list.iter()
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().map(str::to_owned).ok_or(format!("integrity.json: no {key}"));
            Ok(Asset {
                name: text("name")?,
                package: text("package")?,
                path: text("path")?,
                integrity: text("integrity")?,
            })
        })
        .collect()
}

/// Whether the files are in `embedded`, fetching them unless an earlier build did.
fn prepare(source: &Path, out: &Path, embedded: &Path, assets: &[Asset]) -> Result<bool> {
    if is_complete(embedded, assets) {
        return Ok(true);
    }
    let npm = out.join("npm");
    let modules = npm.join("node_modules");
    let installed = install(source, &npm);
    if let Err(reason) = &installed {
        println!(
            "cargo:warning=The playground is not embedded, browsers will load GraphiQL from a CDN: {reason}. \
             To try again: touch build.rs. To do without: --no-default-features."
        );
    } else {
        check(&modules, assets)?;
        collect(&modules, &out.join("playground.new"), assets)?;
        remove(embedded)?;
        // In one step, so that a build that was stopped leaves nothing that looks complete.
        fs::rename(out.join("playground.new"), embedded)?;
    }
    // A hundred megabytes, of which two were needed.
    remove(&npm)?;
    Ok(installed.is_ok())
}

fn is_complete(embedded: &Path, assets: &[Asset]) -> bool {
    embedded.join(LICENSES).exists()
        && assets.iter().all(|asset| integrity(&embedded.join(&asset.name)).is_ok_and(|found| found == asset.integrity))
}

fn install(source: &Path, npm: &Path) -> Result<()> {
    if std::env::var_os("DOCS_RS").is_some() {
        return Err("docs.rs builds without a network".into());
    }
    remove(npm)?;
    fs::create_dir_all(npm)?;
    for file in ["package.json", "package-lock.json", ".npmrc"] {
        fs::copy(source.join(file), npm.join(file))?;
    }
    let log = npm.join("npm.log");
    let mut child = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
        .args(["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--no-update-notifier"])
        .args(["--prefer-offline", "--loglevel=error", "--fetch-retries=1"])
        .args(["--fetch-retry-mintimeout=1000", "--fetch-timeout=20000"])
        .current_dir(npm)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // Not a pipe: nobody would read it while waiting.
        .stderr(File::create(&log)?)
        .spawn()
        .map_err(|error| format!("npm does not start ({error})"))?;
    let start = Instant::now();
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("npm failed, {status}{}", first_error(&log)).into()),
            None if start.elapsed() > NPM_TIMEOUT => {
                child.kill()?;
                child.wait()?;
                return Err(format!("npm took more than {} s", NPM_TIMEOUT.as_secs()).into());
            }
            None => thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// What npm said first, short enough for a warning.
fn first_error(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("npm error "));
    line.map(|line| format!(" ({line})")).unwrap_or_default()
}

/// The CDN's hashes must be those of the files that the lock file names, or one half of the page's users gets nothing.
fn check(modules: &Path, assets: &[Asset]) -> Result<()> {
    for asset in assets {
        let found = integrity(&installed_path(modules, asset))?;
        if found != asset.integrity {
            return Err(format!("playground/integrity.json is stale: {} is {found}", asset.name).into());
        }
    }
    Ok(())
}

fn collect(modules: &Path, target: &Path, assets: &[Asset]) -> Result<()> {
    remove(target)?;
    fs::create_dir_all(target)?;
    for asset in assets {
        let bytes = fs::read(installed_path(modules, asset))?;
        write_both(target, &asset.name, &bytes)?;
    }
    write_both(target, LICENSES, licenses(modules)?.as_bytes())
}

fn write_both(target: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    fs::write(target.join(name), bytes)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    fs::write(target.join(format!("{name}.gz")), gzip.finish()?)?;
    Ok(())
}

fn installed_path(modules: &Path, asset: &Asset) -> PathBuf {
    let package = asset.package.rsplit_once('@').map_or(asset.package.as_str(), |(name, _)| name);
    modules.join(package).join(&asset.path)
}

fn integrity(file: &Path) -> Result<String> {
    Ok(format!("sha384-{}", BASE64_STANDARD.encode(Sha384::digest(fs::read(file)?))))
}

/// The licences that the bundle's parts ask to be handed on with it: each text once.
fn licenses(modules: &Path) -> Result<String> {
    let mut texts = BTreeSet::new();
    let mut folders = vec![modules.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().to_lowercase();
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if name.starts_with("license") && !name.ends_with("js") {
                texts.insert(String::from_utf8_lossy(&fs::read(entry.path())?).trim().to_owned());
            }
        }
    }
    let texts: Vec<String> = texts.into_iter().collect();
    Ok(texts.join("\n\n----------------------------------------\n\n"))
}

/// The Rust expression that `src/http/playground.rs` includes.
fn table(assets: &[Asset], is_embedded: bool) -> Result<String> {
    let mut table = String::from("Table {\n    assets: &[\n");
    for asset in assets {
        let Asset { name, package, path, integrity } = asset;
        let bytes = embed(name, is_embedded);
        writeln!(
            table,
            "        Asset {{ name: {name:?}, source: \"{package}/{path}\", integrity: {integrity:?}, bytes: {bytes} }},"
        )?;
    }
    writeln!(table, "    ],\n    licenses: {},\n}}", embed(LICENSES, is_embedded))?;
    Ok(table)
}

fn embed(name: &str, is_embedded: bool) -> String {
    if !is_embedded {
        return "None".to_owned();
    }
    format!(
        "Some(Bytes {{ plain: include_bytes!(\"playground/{name}\"), gzip: include_bytes!(\"playground/{name}.gz\") }})"
    )
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}
