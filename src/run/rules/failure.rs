//! What the text of an error says of a build that failed.
//!
//! The wordings: Nix src/libstore/build and src/libstore/unix/build (`builder for` until 2.28 and in Lix to 2.96, `Cannot build`
//! since 2.29), src/build-remote/build-remote.cc.

use crate::run::rules::store_name;

/// A build that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::run) struct BuildFailure {
    /// Its derivation's store path, where the text has it.
    pub(in crate::run) drv: Option<String>,
    /// Its name.
    pub(in crate::run) name: String,
    /// The remote builder.
    pub(in crate::run) host: Option<String>,
    /// Why, in the shortest true sentence, without its full stop.
    pub(in crate::run) cause: String,
    /// It failed itself, not through a dependency.
    pub(in crate::run) itself: bool,
}

impl BuildFailure {
    /// Of a store path: a derivation's, or that of one of its outputs.
    fn of(path: &str, cause: String) -> Self {
        // `….drv^out`
        let path = path.split('^').next().unwrap_or(path);
        Self {
            drv: path.strip_suffix(".drv").map(|_| path.to_owned()),
            name: store_name(path).to_owned(),
            host: None,
            itself: !["dependency failed", "dependencies failed"]
                .iter()
                .any(|end| cause.ends_with(end)),
            cause,
        }
    }
}

/// Reads the text of an error, without colours. Its first line and those that explain it; the log may be missing.
pub(in crate::run) fn failure(text: &str) -> Option<BuildFailure> {
    let text = without_error(text);
    let mut found = failed_builder(text)
        .or_else(|| not_built(text))
        .or_else(|| remote(text))
        .or_else(|| wrong_output(text))
        .or_else(|| killed(text))
        .or_else(|| no_machine(text))
        .or_else(|| of_dependencies(text))?;
    // decideWhetherDiskFull: Nix looks at the disk after a build has failed. A builder's lines begin with `> `.
    let note = "note: build failure may have been caused by lack of free disk space";
    if text.lines().any(|line| line.trim_start().starts_with(note)) {
        found.cause.push_str("; the disk may be full");
    }
    Some(found)
}

/// Without `error:`, however often it stands there.
fn without_error(text: &str) -> &str {
    let mut text = text.trim_start();
    while let Some(rest) = text.strip_prefix("error:") {
        text = rest.trim_start();
    }
    text
}

/// The quoted path after `before`, and what follows.
fn quoted<'a>(text: &'a str, before: &str) -> Option<(&'a str, &'a str)> {
    let (path, rest) = text.strip_prefix(before)?.split_once('\'')?;
    path.starts_with('/').then_some((path, rest))
}

/// The first line of it, without what ends a sentence.
fn sentence_of(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    line.trim()
        .trim_end_matches([';', '.', ',', ':'])
        .to_owned()
}

/// `builder for '….drv' failed with exit code 2;`, `… failed due to signal 9 (Killed)`, `… failed to produce output path for …`
fn failed_builder(text: &str) -> Option<BuildFailure> {
    let (path, rest) = quoted(text, "builder for '")?;
    Some(BuildFailure::of(
        path,
        format!("builder {}", sentence_of(rest)),
    ))
}

/// `Cannot build '….drv'.`, then `Reason: …`, then what it needs and what there is.
fn not_built(text: &str) -> Option<BuildFailure> {
    let (path, rest) = quoted(text, "Cannot build '")?;
    let (_, reason) = rest.split_once("Reason:")?;
    let mut cause = sentence_of(reason);
    let needed = reason
        .lines()
        .find_map(|line| line.trim().strip_prefix("Required "));
    if let Some(needed) = needed {
        let needed = needed.trim().trim_end_matches(" with features {}");
        cause = format!("{cause} (required {needed})");
    }
    Some(BuildFailure::of(path, cause))
}

/// `build of '….drv' on 'ssh://box' failed: builder for '….drv' failed with exit code 1`
fn remote(text: &str) -> Option<BuildFailure> {
    let (path, rest) = quoted(text, "build of '")?;
    let (host, rest) = rest.strip_prefix(" on '")?.split_once('\'')?;
    let why = without_error(rest.strip_prefix(" failed:")?);
    let inner = failed_builder(why).or_else(|| not_built(why));
    let cause = inner.map_or_else(|| sentence_of(why), |inner| inner.cause);
    Some(BuildFailure {
        host: Some(host.to_owned()),
        ..BuildFailure::of(path, cause)
    })
}

/// What Nix finds in an output that was built.
fn wrong_output(text: &str) -> Option<BuildFailure> {
    let value = |name: &str| {
        let (_, rest) = text.split_once(name)?;
        rest.split_whitespace().next()
    };
    if let Some((path, _)) = quoted(text, "hash mismatch in fixed-output derivation '") {
        let cause = match (value("specified:"), value("got:")) {
            (Some(specified), Some(got)) => {
                format!("hash mismatch: specified {specified}, got {got}")
            }
            _ => "hash mismatch".to_owned(),
        };
        return Some(BuildFailure::of(path, cause));
    }
    if let Some((path, rest)) = quoted(text, "output '")
        && let Some((_, paths)) = rest.split_once("is not allowed to refer to the following paths:")
    {
        let cause = match paths.split_whitespace().next() {
            Some(other) => format!("its output may not refer to {}", store_name(other)),
            None => "its output refers to what it may not".to_owned(),
        };
        return Some(BuildFailure::of(path, cause));
    }
    let (path, rest) = quoted(text, "cycle detected in build of '")?;
    Some(BuildFailure::of(
        path,
        format!("cycle detected{}", within(rest)),
    ))
}

fn within(rest: &str) -> String {
    let rest = sentence_of(rest);
    if rest.is_empty() {
        rest
    } else {
        format!(" {rest}")
    }
}

/// `building of '….drv^out' from .drv file timed out after 5 seconds of silence`, `… killed after writing more than …`
fn killed(text: &str) -> Option<BuildFailure> {
    let (path, rest) =
        quoted(text, "building of '").or_else(|| quoted(text, "building derivation '"))?;
    let at = ["timed out after ", "killed after writing "]
        .iter()
        .find_map(|what| rest.find(what))?;
    Some(BuildFailure::of(path, sentence_of(&rest[at..])))
}

/// `a 'aarch64-linux' with features {} is required to build '….drv', but I am a 'x86_64-linux' with features {…}`, until 2.28
fn no_machine(text: &str) -> Option<BuildFailure> {
    let (needed, rest) = text.split_once(" is required to build '")?;
    let system = needed
        .strip_prefix("a ")
        .filter(|system| system.starts_with('\''))?;
    let (path, _) = rest.split_once('\'')?;
    let system = system.trim_end_matches(" with features {}");
    Some(BuildFailure::of(
        path,
        format!("it needs a {system} to be built on"),
    ))
}

/// `2 dependencies of derivation '….drv' failed to build`, until 2.28 and in Lix
fn of_dependencies(text: &str) -> Option<BuildFailure> {
    let (count, rest) = text.split_once(" dependencies of derivation '")?;
    let (path, _) = rest.split_once('\'')?;
    count.parse::<u64>().ok()?;
    Some(BuildFailure::of(
        path,
        format!("{count} dependencies failed"),
    ))
}

/// Lines without colours.
pub(in crate::run) fn plain_lines(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| super::plain(line.as_bytes()))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
