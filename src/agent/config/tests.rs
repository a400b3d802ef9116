use super::*;
use crate::base::config_file::parse;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    Environment::read(|name| {
        pairs
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

fn load_text(text: &str, pairs: &[(&str, &str)]) -> Result<Config, String> {
    let raw = parse::<ConfigFile>(text).map_err(|(_, message)| message)?;
    check(raw, environment(pairs)).map_err(|error| match error {
        CheckError::Key(message) => message,
        CheckError::Variable(name, message) => format!("{name}: {message}"),
    })
}

const LEAST: &str = "url = \"ws://a\"\ntoken_file = \"/t\"\n";

#[test]
fn the_environment_overrides_the_file() {
    let config = load_text(
        "url = \"ws://file\"\ntoken_file = \"/t\"\ninterval = 7\nlocation = \"attic\"",
        &[
            ("NIXFLEET_URL", "https://env/ws"),
            ("NIXFLEET_INTERVAL", "1"),
            ("NIXFLEET_REPO_DIR", "/etc/nixos"),
            ("NIXFLEET_HOSTNAME", "web1"),
        ],
    )
    .unwrap();
    assert_eq!(config.url, "wss://env/ws");
    assert_eq!(config.interval, Duration::from_secs(1));
    assert_eq!(config.labels.location, "attic");
    assert_eq!(config.hostname.unwrap().as_str(), "web1");
    let repo = config.execution.repo.unwrap();
    assert_eq!((repo.branch.as_str(), repo.url), ("main", None));
}

#[test]
fn defaults() {
    let config = load_text(
        "",
        &[("NIXFLEET_URL", "ws://a"), ("NIXFLEET_TOKEN", "t0ken")],
    )
    .unwrap();
    assert_eq!(config.interval, Duration::from_secs(30));
    assert_eq!(config.offline_after, None);
    assert_eq!(config.log_level, "info");
    assert_eq!(
        config.credential.show().unwrap().authorization,
        "Bearer t0ken"
    );
    assert_eq!(config.credential.place(), "NIXFLEET_TOKEN");
    assert!(config.execution.repo.is_none() && config.max_attempts.is_none());
    assert!(!format!("{config:?}").contains("t0ken"));
}

#[track_caller]
fn check_error(text: &str, pairs: &[(&str, &str)], part: &str) {
    let error = load_text(text, pairs).unwrap_err();
    assert!(error.contains(part) && !error.contains('\n'), "{error}");
}

#[test]
fn errors_name_key_or_variable_and_fix() {
    check_error("", &[], "`url` is missing; write url = ");
    check_error(
        "url = \"ws://a\"",
        &[],
        "`token_file` is missing; write the agent token into a file",
    );
    check_error(
        LEAST,
        &[("NIXFLEET_INTERVAL", "soon")],
        "NIXFLEET_INTERVAL: \"soon\" is no number",
    );
    check_error(
        LEAST,
        &[("NIXFLEET_INTERVAL", "0")],
        "NIXFLEET_INTERVAL: `interval` = 0",
    );
    check_error(
        LEAST,
        &[("NIXFLEET_URL", "dash")],
        "NIXFLEET_URL: `url` = \"dash\" has no scheme",
    );
    check_error(
        LEAST,
        &[("NIXFLEET_HOSTNAME", "../x")],
        "NIXFLEET_HOSTNAME: host name",
    );
    check_error(
        &format!("{LEAST}[commands.switch]\nargv = [\"x\"]"),
        &[],
        "`commands.switch` has the name of a built-in command",
    );
    check_error(
        &format!("{LEAST}[repo]\ndir = \"cfg\""),
        &[],
        "write an absolute path",
    );
    check_error(
        &format!("{LEAST}[repo]\nurl = \"--upload-pack=x\""),
        &[],
        "begins with `-`",
    );
    check_error(
        &format!("{LEAST}[commands.x]\nargv = [\"x\"]\nallow_args = true\nargs = [\"host\"]"),
        &[],
        "both `allow_args` and `args`",
    );
}

#[test]
fn with_a_helper_the_agent_does_not_say_what_is_executed() {
    let helper = format!("{LEAST}helper = \"/run/nixfleet/helper.sock\"\n");
    let config = load_text(&helper, &[]).unwrap();
    assert!(config.helper.is_some() && config.execution.commands.is_empty());
    for (section, key) in [
        ("allowed_commands = []", "allowed_commands"),
        ("[rebuild]", "rebuild"),
        ("[repo]", "repo"),
        ("[commands.x]\nargv = [\"x\"]", "commands"),
        ("[tests]", "tests"),
        ("[stop]", "stop"),
        ("[limits]", "limits"),
    ] {
        check_error(
            &format!("{helper}{section}"),
            &[],
            &format!("move `{key}` to /etc/nixfleet/helper.toml"),
        );
    }
    check_error(
        &helper,
        &[("NIXFLEET_REPO_URL", "https://git/x")],
        "NIXFLEET_REPO_URL: is set beside `helper`",
    );
    check_error(
        &format!("{LEAST}helper = \"helper.sock\""),
        &[],
        "write the absolute path",
    );
}

#[test]
fn limits_have_defaults() {
    let text = format!("{LEAST}[limits]\nmemory_max = \"50%\"\njournal_max = 1\ntimeout = 9");
    let limits = load_text(&text, &[]).unwrap().execution.limits;
    assert_eq!(
        (
            limits.memory_max.as_deref(),
            limits.journal_max,
            limits.timeout_s
        ),
        (Some("50%"), 1024 * 1024, Some(9))
    );
    assert_eq!(limits.journals_max, 2048 * 1024 * 1024);
    assert_eq!(limits.journal_keep, Duration::from_secs(24 * 3600));
}

#[test]
fn a_file_is_named_in_every_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.toml");
    std::fs::write(&path, "\nintervall = 3\n").unwrap();
    let error = load(Some(&path), Environment::default())
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        format!(
            "{}:2: unknown key `intervall`; did you mean `interval`?",
            path.display()
        )
    );
    std::fs::write(&path, "interval = 3\n").unwrap();
    let error = load(Some(&path), Environment::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!("{}: the key `url` is missing", path.display())),
        "{error}"
    );
}

#[test]
fn where_resources_are_read() {
    let root =
        |more: &str| load_text(&format!("{LEAST}{more}"), &[]).map(|config| config.resources);
    assert_eq!(root(""), Ok(Some("/".into())));
    assert_eq!(
        root("[metrics]\nroot = \"/host\"\n"),
        Ok(Some("/host".into()))
    );
    assert_eq!(root("[metrics]\nresources = false\n"), Ok(None));
    let error = root("[metrics]\nroot = \"host\"\n").unwrap_err();
    assert!(
        error.contains("`metrics.root` = \"host\" is relative"),
        "{error}"
    );
}

#[test]
fn whom_to_tell() {
    let text = format!(
        "{LEAST}interval = 5\n[local_api]\nlisten = \"127.0.0.1:9470\"\n[heartbeat_log]\ndir = \"/l\"\n\
         [[push]]\nurl = \"https://a/x\"\n[[push]]\nurl = \"http://b\"\ninterval = 60\ncompression = \"none\"\n"
    );
    let tell = load_text(&text, &[]).unwrap().tell;
    assert_eq!(tell.log.unwrap().keep_days, 7);
    let pushes: Vec<_> = tell
        .pushes
        .iter()
        .map(|push| (push.interval.as_secs(), push.compression))
        .collect();
    assert_eq!(pushes, [(5, Compression::Auto), (60, Compression::None)]);
    for (listen, local) in [
        ("[::1]:1", true),
        ("127.9.9.9:1", true),
        ("/run/x.sock", true),
        ("0.0.0.0:9470", false),
        ("192.168.1.2:9470", false),
        ("[::]:9470", false),
    ] {
        let text = format!("{LEAST}[local_api]\nlisten = \"{listen}\"\n");
        assert_eq!(load_text(&text, &[]).is_ok(), local, "{listen}");
        let text = format!("{text}token_file = \"/t\"\n");
        assert!(load_text(&text, &[]).is_ok(), "{listen}");
    }
    let open = format!("{LEAST}[local_api]\nlisten = \"0.0.0.0:9470\"\n");
    check_error(&open, &[], "can be reached by other hosts");
    let relative = format!("{LEAST}[heartbeat_log]\ndir = \"l\"\n");
    check_error(&relative, &[], "is relative; write an absolute path");
    let many = "[[push]]\nurl = \"http://a\"\n".repeat(MAX_PUSHES + 1);
    check_error(&format!("{LEAST}{many}"), &[], "write at most 8");
}
