//! Validates the places of the dataset and of rejects, and the log objects.
//!
//! A place with a dataset is read as a dataset, so log objects in it would no longer be found. Therefore [`places_of`]
//! always rejects a place at or above a source, and [`check_free`] a new dataset in a place that contains log objects
//! of the sources. A dataset may be located below its log objects.

use super::options::ConvertOptions;
#[cfg(feature = "cluster")]
use super::parts;
use super::selection::check_name;
use crate::dataset::{Place, is_of_dataset};
use crate::error::{Error, ErrorKind};
use crate::schema::Table;
use crate::session::Session;
use crate::store::{ListStart, Location};
use crate::table::{FullNames, Listing};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Resolves and checks the places of the dataset and of rejects.
pub(super) async fn places_of(
    session: &Session,
    dest: &str,
    options: &ConvertOptions,
) -> Result<(Place, Option<Place>), Error> {
    options.check_table()?;
    options.check_bloom()?;
    #[cfg(feature = "cluster")]
    if session.runs_remotely() {
        parts::check(options)?;
    }
    if let Some(name) = session.dataset_names().into_iter().next() {
        return Err(Error::new(ErrorKind::Unsupported, "it is already a dataset").in_object(name));
    }
    let listing = session.log_table(Table::Logs).sources().listing;
    listing.objects.iter().try_for_each(check_name)?;
    let place = Place::resolve(dest, session.stores()).await?;
    check_apart(&listing, &place)?;
    let Some(rejects) = &options.rejects else { return Ok((place, None)) };
    let rejects = Place::resolve(rejects, session.stores()).await?;
    if rejects.full_name() == place.full_name() {
        return Err(Error::invalid("rejects cannot go where the dataset is").in_object(rejects.name()));
    }
    Ok((place, Some(rejects)))
}

/// Checks that no source is the place, or within it.
fn check_apart(listing: &Listing, place: &Place) -> Result<(), Error> {
    if let Some((bucket, root)) = place.bucket() {
        for location in listing.locations().iter().filter(|location| location.bucket() == bucket.name()) {
            let prefix = location.prefix().trim_end_matches('/');
            if prefix == root.trim_end_matches('/') {
                return Err(is_there(place));
            }
            if format!("{prefix}/").starts_with(root) {
                return Err(is_above(place, &location.to_string()));
            }
        }
    }
    let Some(root) = full_directory(place) else { return Ok(()) };
    let mut last: Option<&Arc<str>> = None;
    for listed in &listing.objects {
        if last.replace(&listed.source).is_some_and(|last| Arc::ptr_eq(last, &listed.source)) {
            continue;
        }
        match folder_of(&listed.source) {
            Some(folder) if folder == root => return Err(is_there(place)),
            Some(folder) if folder.starts_with(&root) => return Err(is_above(place, &listed.source)),
            _ => {}
        }
    }
    Ok(())
}

/// Checks that no log object is in a place that is not a dataset yet.
pub(super) async fn check_free(session: &Session, place: &Place, rejects: Option<&Place>) -> Result<(), Error> {
    let listing = session.log_table(Table::Logs).sources().listing;
    let is_own = own_files(place, rejects);
    if let Some((bucket, root)) = place.bucket() {
        let holds = |location: &Location| location.bucket() == bucket.name() && root.starts_with(location.prefix());
        if !listing.locations().iter().any(holds) {
            return Ok(());
        }
        // Lists only the place: listing all log objects could take a thousand times as long.
        let mut start = ListStart::First;
        loop {
            let page = bucket.list(root, &start, None).await?;
            for meta in page.objects {
                let name = bucket.name_of(meta.location.as_ref());
                // Some tools create folders as empty objects.
                if meta.size > 0 && !is_of_dataset(meta.location.as_ref()) && !is_own(&name) {
                    return Err(is_above(place, &name));
                }
            }
            match page.next {
                Some(token) => start = ListStart::Token(token),
                None => return Ok(()),
            }
        }
    }
    let Some(root) = full_directory(place) else { return Ok(()) };
    let mut names = FullNames::default();
    for listed in listing.objects.iter().filter(|listed| listed.size > 0) {
        let Some(path) = &listed.path else { continue };
        let full = names.of(path);
        if full.starts_with(&root) && !is_own(&full.display().to_string()) {
            return Err(is_above(place, listed.object.name()));
        }
    }
    Ok(())
}

fn is_there(place: &Place) -> Error {
    Error::invalid("a dataset cannot be where its log objects are").in_object(place.name()).with_hint(OF_ITS_OWN)
}

fn is_above(place: &Place, name: &str) -> Error {
    Error::invalid(format!("a dataset cannot be above its log objects, which would no longer be found: {name}"))
        .in_object(place.name())
        .with_hint(OF_ITS_OWN)
}

const OF_ITS_OWN: &str = "choose a location of its own for --to; it may be below the log objects";

/// The canonical path of the file or folder that a source names, or of the folder that a glob starts in.
fn folder_of(source: &str) -> Option<PathBuf> {
    let path = source.strip_prefix("file://").unwrap_or(source);
    if let Ok(full) = Path::new(path).canonicalize() {
        return Some(full);
    }
    let fixed = path.split(['*', '?', '[']).next()?;
    let folder = fixed.rfind('/').and_then(|end| fixed.get(..=end)).unwrap_or(".");
    Path::new(folder).canonicalize().ok()
}

/// The canonical path of the directory of a place, if it exists.
fn full_directory(place: &Place) -> Option<PathBuf> {
    place.directory().and_then(|directory| directory.canonicalize().ok())
}

/// A predicate for files written by a conversion. They are not read: a dataset may be below its log objects.
pub(super) fn own_files(place: &Place, rejects: Option<&Place>) -> impl Fn(&str) -> bool + Send + Sync + use<> {
    let of_dataset: Vec<String> =
        full_names(place).flat_map(|name| [format!("{name}/_s3log/"), format!("{name}/day=")]).collect();
    let of_rejects: Vec<String> = rejects.into_iter().flat_map(full_names).map(|name| format!("{name}/")).collect();
    move |name| {
        of_dataset.iter().any(|start| name.starts_with(start))
            || name.ends_with(".parquet") && of_rejects.iter().any(|start| name.starts_with(start))
    }
}

/// The name of a place and, for directories, its canonical path.
fn full_names(place: &Place) -> impl Iterator<Item = String> + use<> {
    [Some(place.name()), full_directory(place).map(|full| full.display().to_string())].into_iter().flatten()
}
