//! Bodies as they are sent: plain or compressed, and never larger than they may become.

use std::borrow::Cow;
use std::io::{self, Read};

use crate::dashboard::http::error::HttpError;
use crate::wire::push::MAX_JSON;

/// The codings that are taken, for `Accept-Encoding`.
pub(super) const CODINGS: &str = "gzip, zstd";
/// The largest window of a zstd frame, as a power of two: 1 MiB.
const MAX_WINDOW: u32 = 20;

/// The JSON in a body.
pub(super) fn decoded<'a>(
    coding: Option<&str>,
    bytes: &'a [u8],
) -> Result<Cow<'a, [u8]>, HttpError> {
    let json = match coding.map(str::trim) {
        None | Some("" | "identity") => return Ok(Cow::Borrowed(bytes)),
        Some("gzip" | "x-gzip") => limited(flate2::read::GzDecoder::new(bytes)),
        Some("zstd") => zstd::stream::read::Decoder::with_buffer(bytes).and_then(|mut decoder| {
            decoder.window_log_max(MAX_WINDOW)?;
            limited(decoder)
        }),
        Some(other) => {
            let shown: String = other
                .chars()
                .take(40)
                .flat_map(char::escape_default)
                .collect();
            return Err(HttpError::UnknownCoding(format!(
                "the Content-Encoding `{shown}` is not known"
            )));
        }
    };
    match json {
        Ok(json) if json.len() > MAX_JSON => Err(too_large(MAX_JSON)),
        Ok(json) => Ok(Cow::Owned(json)),
        Err(error) => Err(HttpError::Invalid {
            message: format!(
                "the body is not compressed as its Content-Encoding says, or needs more than 1 MiB to be unpacked: {error}"
            ),
            hint: "send it plain, without a Content-Encoding".into(),
        }),
    }
}

/// All that comes, and one byte more than may come at most.
fn limited(decoder: impl Read) -> io::Result<Vec<u8>> {
    let mut json = Vec::new();
    decoder.take(MAX_JSON as u64 + 1).read_to_end(&mut json)?;
    Ok(json)
}

/// A body of more bytes than `most`.
pub(super) fn too_large(most: usize) -> HttpError {
    HttpError::TooLarge {
        message: format!("the heartbeat has more than {most} bytes"),
        hint: "send less: a heartbeat has a few hundred bytes".into(),
    }
}
