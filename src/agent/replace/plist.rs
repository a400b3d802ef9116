//! launchd: what a job's property list starts.

use std::path::PathBuf;

/// The agent's program in `ProgramArguments`, which nix-darwin hides in a shell's command line
/// (`/bin/wait4path /nix/store && exec /run/current-system/sw/bin/nixfleet-agent`): the first absolute path whose last
/// part is `name`.
pub(super) fn program(plist: &str, name: &str) -> Option<PathBuf> {
    let (_, rest) = plist.split_once("<key>ProgramArguments</key>")?;
    let (arguments, _) = rest.split_once("</array>")?;
    let mut strings = arguments.split("<string>").skip(1);
    strings.find_map(|string| {
        let text = unescaped(string.split_once("</string>")?.0);
        let mut words = text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';'));
        let found = words.find(|word| {
            word.starts_with('/') && word.rsplit('/').next().is_some_and(|last| last == name)
        });
        found.map(PathBuf::from)
    })
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    let text = text.replace("&quot;", "\"").replace("&apos;", "'");
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_job() {
        let check = |arguments: &[&str], expected: Option<&str>| {
            let strings = arguments.join("</string>\n<string>");
            let strings = match arguments {
                [] => String::new(),
                _ => format!("<string>{strings}</string>\n"),
            };
            let plist = format!(
                "<plist><dict><key>Label</key><string>x</string><key>ProgramArguments</key>\n<array>{strings}</array></dict></plist>"
            );
            let found = program(&plist, "nixfleet-agent");
            assert_eq!(found, expected.map(PathBuf::from), "{arguments:?}");
        };
        let path = "/run/current-system/sw/bin/nixfleet-agent";
        check(&[path, "--config", "/etc/a"], Some(path));
        let wrapped = format!("/bin/wait4path /nix/store &amp;&amp; exec {path} --config x");
        check(&["/bin/sh", "-c", &wrapped], Some(path));
        check(&["/bin/sh", "-c", "exec other"], None);
        check(&[], None);
        assert_eq!(program("no list", "nixfleet-agent"), None);
    }
}
