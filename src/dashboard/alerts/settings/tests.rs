mod channels;

use super::*;
use crate::base::config_file;
use crate::dashboard::alerts::metric::Metric;
use crate::dashboard::alerts::rules::Bound;

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    alert: Vec<Rule>,
    channel: Vec<ChannelSettings>,
}

/// The settings, or `LINE: what is wrong`; as the dashboard reads them.
fn read(text: &str) -> Result<AlertSettings, String> {
    let written: Written =
        config_file::parse(text).map_err(|(line, message)| format!("{line}: {message}"))?;
    AlertSettings::check(written.alert, written.channel)
}

#[track_caller]
fn refused(text: &str, part: &str) {
    let error = read(text).unwrap_err();
    assert!(error.contains(part), "{error}\nis not\n{part}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

/// A rule with `more` in it, which begins on line 3.
fn rule(on: &str, more: &str) -> String {
    format!("\n\n[[alert]]\nname = \"r\"\non = \"{on}\"\n{more}\n")
}

fn channel(kind: &str, more: &str) -> String {
    format!("\n\n[[channel]]\nname = \"c\"\nkind = \"{kind}\"\n{more}\n")
}

#[test]
fn wrong_rules_say_line_key_and_what_to_write() {
    for (on, more, part) in [
        (
            "offlin",
            "",
            "5: unknown variant `offlin`, expected one of `offline`",
        ),
        (
            "offline",
            "servity = \"info\"",
            "6: unknown key `servity`; did you mean `severity`?",
        ),
        (
            "offline",
            "severity = \"bad\"",
            "6: unknown variant `bad`, expected one of `info`",
        ),
        (
            "offline",
            "for = \"5 minutes\"",
            "6: `5 minutes` is no length of time; write it such as",
        ),
        (
            "offline",
            "for = 5",
            "6: invalid type: integer `5`, expected a length of time",
        ),
        (
            "offline",
            "quiet = \"night\"",
            "6: quiet: `night` are no quiet hours; write them such as",
        ),
        (
            "offline",
            "quiet = \"22:00-07:00 Mars\"",
            "6: quiet: `Mars` is no time zone",
        ),
        (
            "offline",
            "over = 5.0",
            "3: alert `r`: over: it belongs to on = disk, memory or metric; leave it out",
        ),
        (
            "disk",
            "over = 120.0",
            "3: alert `r`: over: 120 is not a percentage from 0 to below 100",
        ),
        (
            "disk",
            "metric = \"cpu\"",
            "alert `r`: metric: it belongs to on = metric or unusual",
        ),
        (
            "metric",
            "",
            "alert `r`: metric: write which one: cpu, memory, swap",
        ),
        (
            "metric",
            "metric = \"cpu\"",
            "alert `r`: over: write a limit as over = NUMBER or under = NUMBER",
        ),
        (
            "metric",
            "metric = \"cpu\"\nover = 1.0\nunder = 2.0",
            "two limits are two alerts",
        ),
        (
            "metric",
            "metric = \"cpu\"\nover = nan",
            "over, under: NaN is no limit",
        ),
        (
            "metric",
            "metric = \"cpus\"\nover = 1.0",
            "6: unknown variant `cpus`",
        ),
        (
            "flapping",
            "times = 1",
            "times: 1 is not between 2 and 1000",
        ),
        (
            "flapping",
            "within = \"2d\"",
            "within: write a time between \"1m\" and \"24h\"",
        ),
        (
            "flapping",
            "for = \"5m\"",
            "for: flapping has no duration; leave the key out",
        ),
        (
            "run_failed",
            "for = \"5m\"",
            "for: run_failed has no duration",
        ),
        (
            "unusual",
            "metric = \"cpu\"\ndeviations = 0.5",
            "deviations: 0.5 is not between 1 and 100",
        ),
        (
            "unusual",
            "metric = \"cpu\"\nleast = -1.0",
            "least: -1 is no distance",
        ),
        ("disk", "least = 1.0", "least: it belongs to on = unusual"),
        (
            "offline",
            "channels = [\"pager\"]",
            "alert `r`: channels: there is no channel `pager`; write one as [[channel]]",
        ),
    ] {
        refused(&rule(on, more), part);
    }
    refused("[[alert]]\non = \"offline\"", "missing field `name`");
    refused(
        "[[alert]]\nname = \" x\"\non = \"offline\"",
        "name: write 1 to 64 characters without spaces around",
    );
    refused(
        "[[alert]]\nname = \"a/b\"\non = \"offline\"",
        "name: leave out control characters and /",
    );
    let twice = rule("offline", "");
    refused(
        &format!("{twice}{twice}"),
        "alert `r`: name: two alerts have it",
    );
    let other = format!(
        "{}{}",
        channel("slack", "url = \"https://a\""),
        rule("offline", "channels = [\"d\"]")
    );
    refused(&other, "there is no channel `d`; there are: c");
    let many = "[[alert]]\nname = \"NAME\"\non = \"offline\"\n";
    let many: String = (0..201)
        .map(|n| many.replace("NAME", &n.to_string()))
        .collect();
    refused(&many, "201 rules and 0 channels are more than 200 and 50");
}

#[test]
fn what_is_left_out_is_the_usual() {
    let settings = read("").unwrap();
    assert_eq!(settings, AlertSettings::default());
    assert!(settings.rules.iter().all(|rule| rule.is_told_on("any")));
    let one = |on: &str, more: &str| read(&rule(on, more)).unwrap().rules.remove(0);
    let offline = one("offline", "");
    assert_eq!(
        (offline.severity, offline.hold),
        (Severity::Critical, Duration::ZERO)
    );
    let disk = one("disk", "");
    assert_eq!(
        (disk.severity, disk.hold.as_secs()),
        (Severity::Warning, 300)
    );
    assert_eq!(
        disk.condition,
        Condition::Disk {
            over: 90.0,
            mounts: Vec::new()
        }
    );
    let silent = one("offline", "channels = []");
    assert!(!silent.is_told_on("any"));
    let metric = one(
        "metric",
        "metric = \"load_per_core\"\nunder = -1\nfor = \"2h\"",
    );
    assert_eq!(
        metric.condition,
        Condition::Metric {
            metric: Metric::LoadPerCore,
            bound: Bound::Under(-1.0)
        }
    );
    assert_eq!(metric.hold.as_secs(), 7200);
    let flaps = one("flapping", "times = 3\nwithin = \"10m\"");
    assert_eq!(
        flaps.condition,
        Condition::Flapping {
            times: 3,
            within: Duration::from_secs(600)
        }
    );
}
