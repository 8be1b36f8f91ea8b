//! The payload of a command: a file, or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The payload, no longer than the daemon would take it: `limit` bytes.
///
/// # Errors
/// One sentence with the cure.
pub fn body(path: &Path, limit: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let read = if path.as_os_str() == "-" {
        bounded(io::stdin().lock(), limit, &mut body)
    } else {
        File::open(path).and_then(|file| bounded(file, limit, &mut body))
    };
    let name = name_of(path);
    match read {
        Ok(()) if body.len() > limit => {
            Err(format!("{name} is larger than server.body_limit, {limit} bytes; the relay would answer 413"))
        }
        Ok(()) => Ok(body),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(format!(
            "{name} does not exist; name the file that holds the payload, or - for standard input"
        )),
        Err(error) => Err(format!("{name} cannot be read: {error}")),
    }
}

/// What to call it.
pub fn name_of(payload: &Path) -> String {
    match payload.to_str() {
        Some("-") => "standard input".to_owned(),
        _ => payload.display().to_string(),
    }
}

fn bounded(from: impl Read, limit: usize, into: &mut Vec<u8>) -> io::Result<()> {
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    from.take(one_more).read_to_end(into).map(|_| ())
}
