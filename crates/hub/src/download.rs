//! Downloads one file into the cache: locked, resumed, checked, and only then renamed to its final name.

use crate::cache::{Cache, make_folder_of, unfinished, write};
use crate::http::{Client, header};
use crate::{HubError, Repository};
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// Progress of a model's download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownloadProgress<'a> {
    /// The download of a file starts.
    File {
        /// Its path within the repository.
        name: &'a str,
        /// Its size in bytes.
        size: u64,
    },
    /// Another process is downloading the same file; waits for it.
    Waiting {
        /// Its path within the repository.
        name: &'a str,
    },
    /// This many more bytes of the file were received.
    Bytes(u64),
    /// The connection broke or the content was wrong: the file's byte count restarts at 0.
    Again,
}

/// What the hub's headers say about a file.
struct Facts {
    url: String,
    /// Names the content: its SHA-256 if it is large (LFS), its git hash otherwise.
    etag: String,
    size: u64,
}

/// Downloads one file of a repository's commit into the cache, unless its content is there already.
pub(crate) fn download(
    client: &Client,
    cache: &Cache,
    repository: &Repository,
    commit: &str,
    file: &str,
    listed: Option<u64>,
    progress: &mut dyn FnMut(DownloadProgress<'_>),
) -> Result<(), HubError> {
    let facts = facts(client, repository, commit, file, listed)?;
    progress(DownloadProgress::File { name: file, size: facts.size });
    let blob = cache.blob(repository, &facts.etag);
    make_folder_of(&blob)?;
    let (lock_path, lock) = cache.lock_file(repository, &facts.etag)?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => {
            progress(DownloadProgress::Waiting { name: file });
            lock.lock().map_err(write(&lock_path))?;
        }
        // A file system without locks: two processes then write the same bytes, and the hash is checked.
        Err(TryLockError::Error(_)) | Ok(()) => {}
    }
    let whole = fs::metadata(&blob).is_ok_and(|found| found.is_file() && found.len() == facts.size);
    if whole {
        progress(DownloadProgress::Bytes(facts.size));
    } else {
        let part = unfinished(&blob);
        receive(client, &facts, &part, progress)?;
        fs::rename(&part, &blob).map_err(write(&blob))?;
    }
    cache.place(repository, commit, file, &facts.etag, !whole)
}

/// Requests the facts about a file.
fn facts(
    client: &Client,
    repository: &Repository,
    commit: &str,
    file: &str,
    listed: Option<u64>,
) -> Result<Facts, HubError> {
    let url = address(client, repository, commit, file);
    let response = client.head(&url)?;
    let nonsense = |reason: &str| HubError::Nonsense { url: url.clone(), reason: reason.to_owned() };
    let etag = header(&response, "x-linked-etag").or_else(|| header(&response, "etag"));
    let etag = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_owned());
    // It becomes a file name.
    let name = |etag: &String| {
        !etag.is_empty() && etag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let etag = etag.filter(name).ok_or_else(|| nonsense("it has no usable `ETag`"))?;
    let redirected = response.status().is_redirection();
    let length = || header(&response, "content-length").filter(|_| !redirected);
    let size = header(&response, "x-linked-size").or_else(length).and_then(|size| size.parse::<u64>().ok());
    let size = size.or(listed).ok_or_else(|| nonsense("it gives no size"))?;
    match listed {
        Some(listed) if listed != size => {
            Err(nonsense(&format!("it gives {size} bytes, but the repository's file list gives {listed}")))
        }
        _ => Ok(Facts { url, etag, size }),
    }
}

pub(crate) fn address(client: &Client, repository: &Repository, commit: &str, file: &str) -> String {
    format!("{}/{}/resolve/{commit}/{file}", client.endpoint(), repository.name())
}

/// Downloads to `part` until it is complete, resuming where a connection broke, and checks it.
fn receive(
    client: &Client,
    facts: &Facts,
    part: &Path,
    progress: &mut dyn FnMut(DownloadProgress<'_>),
) -> Result<(), HubError> {
    let Facts { url, etag, size } = facts;
    let mut resumed = false;
    let mut tries = 0;
    loop {
        let had = fs::metadata(part).map_or(0, |found| found.len());
        let outcome = match had {
            had if had > *size => Err(HubError::WrongSize { url: url.clone(), size: *size, found: had }),
            had if had == *size && *size > 0 => Ok(()),
            had => {
                resumed |= had > 0;
                append(client, facts, part, had, progress)
            }
        };
        let outcome = outcome.and_then(|()| check(etag, url, part));
        match outcome {
            Ok(()) => return Ok(()),
            Err(
                error @ (HubError::WrongSize { .. }
                | HubError::WrongContent { .. }
                | HubError::Status { status: 416, .. }),
            ) => {
                let _ = fs::remove_file(part);
                // The first bytes may be from another process or an older version: retry once from the start.
                if !std::mem::take(&mut resumed) {
                    return Err(error);
                }
                progress(DownloadProgress::Again);
            }
            Err(error) if error.is_transient() => {
                // Retries are unlimited as long as each one makes progress.
                if fs::metadata(part).is_ok_and(|found| found.len() > had) {
                    tries = 0;
                }
                if !Client::may_try_again(tries) {
                    return Err(error);
                }
                client.wait(&mut tries);
                progress(DownloadProgress::Again);
            }
            Err(error) => return Err(error),
        }
    }
}

/// One connection: appends what is received to the `had` bytes of `part`, up to the file's size.
fn append(
    client: &Client,
    facts: &Facts,
    part: &Path,
    had: u64,
    progress: &mut dyn FnMut(DownloadProgress<'_>),
) -> Result<(), HubError> {
    let Facts { url, size, .. } = facts;
    let response = client.body(url, had)?;
    let resumes = response.status().as_u16() == 206
        && header(&response, "content-range")
            .is_some_and(|range| range.starts_with(&format!("bytes {had}-")));
    // A server without range requests sends everything.
    let start = if resumes { had } else { 0 };
    if let Some(length) = header(&response, "content-length").and_then(|length| length.parse::<u64>().ok())
        && start + length != *size
    {
        return Err(HubError::WrongSize { url: url.clone(), size: *size, found: start + length });
    }
    let mut file =
        File::options().create(true).truncate(false).write(true).open(part).map_err(write(part))?;
    file.set_len(start).map_err(write(part))?;
    file.seek(std::io::SeekFrom::End(0)).map_err(write(part))?;
    progress(DownloadProgress::Bytes(start));
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 18];
    let mut at = start;
    loop {
        match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                at += count as u64;
                if at > *size {
                    return Err(HubError::WrongSize { url: url.clone(), size: *size, found: at });
                }
                file.write_all(&buffer[..count]).map_err(write(part))?;
                progress(DownloadProgress::Bytes(count as u64));
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    if at < *size {
        return Err(HubError::Cut { url: url.clone(), had: at, size: *size });
    }
    // After the rename the name must guarantee the content, even after a power cut.
    file.sync_all().map_err(write(part))
}

/// Compares the content with its ETag if that is a SHA-256.
fn check(etag: &str, url: &str, part: &Path) -> Result<(), HubError> {
    if etag.len() != 64 || !etag.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(());
    }
    let mut file = File::open(part).map_err(write(part))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(write(part))? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    match found.eq_ignore_ascii_case(etag) {
        true => Ok(()),
        false => Err(HubError::WrongContent { url: url.to_owned(), announced: etag.to_owned(), found }),
    }
}
