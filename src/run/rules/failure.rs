//! What the text of an error says of a build that failed.

/// A build that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::run) struct BuildFailure {
    /// Its derivation's store path.
    pub(in crate::run) drv: String,
    /// Its name.
    pub(in crate::run) name: String,
    /// Why, in the shortest true sentence, without its full stop.
    pub(in crate::run) cause: String,
    /// It failed itself, not through a dependency.
    pub(in crate::run) itself: bool,
}

/// Reads the text of an error, without `error:` and without colours.
pub(in crate::run) fn failure(text: &str) -> Option<BuildFailure> {
    let text = text.trim_start().trim_start_matches("error:").trim_start();
    let rest = text
        .strip_prefix("builder for '")
        .or_else(|| text.strip_prefix("Cannot build '"))?;
    let (drv, rest) = rest.split_once('\'')?;
    let name = drv.rsplit('/').next()?.split_once('-')?.1;
    let name = name.strip_suffix(".drv").unwrap_or(name);
    let cause = match rest.split_once("Reason:") {
        Some((_, reason)) => reason.lines().next()?.trim().to_owned(),
        None => format!("builder {}", rest.lines().next()?.trim()),
    };
    let cause = cause.trim_end_matches([';', '.', ',']).to_owned();
    Some(BuildFailure {
        itself: !cause.contains("dependenc"),
        drv: drv.to_owned(),
        name: name.to_owned(),
        cause,
    })
}

/// Lines without colours.
pub(in crate::run) fn plain_lines(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| super::plain(line.as_bytes()))
        .collect();
    lines.join("\n")
}
