use super::*;

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dashboard.toml");
    std::fs::write(&path, text).unwrap();
    let variable = |name: &str| {
        environment
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Settings::load(Some(&path), variable).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(text: &str, environment: &[(&str, &str)], part: &str) {
    let home = [environment, &[("HOME", "/home/u")]].concat();
    let error = load(text, &home).unwrap_err();
    assert!(error.contains(part), "{error}");
    assert!(error.contains("dashboard.toml"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn wrong_settings_say_what_to_write() {
    refused(
        "listne = \"x\"",
        &[],
        "dashboard.toml:1: unknown key `listne`; did you mean `listen`?",
    );
    refused(
        "\ndatabase_url = \"postgres://x\"",
        &[],
        "dashboard.toml:2: unknown key `database_url`",
    );
    refused(
        "listen = \"8000\"",
        &[],
        "listen: `8000` is no address to listen on; write ADDRESS:PORT",
    );
    refused(
        "listen = \"fleet.example.org:80\"",
        &[],
        "is no address to listen on",
    );
    refused("listen = \":99999\"", &[], "is no address to listen on");
    refused("", &[("NIXFLEET_LISTEN", "x")], "NIXFLEET_LISTEN: `x`");
    refused(
        "tls_cert_file = \"/c\"",
        &[],
        "tls_cert_file without tls_key_file",
    );
    refused(
        "tls_key_file = \"/k\"",
        &[],
        "tls_key_file without tls_cert_file",
    );
    refused(
        "base_url = \"fleet.example.org\"",
        &[],
        "write it such as https://",
    );
    refused(
        "base_url = \"https://a/b\"",
        &[],
        "write it such as https://",
    );
    refused(
        "trusted_proxies = [\"proxy\"]",
        &[],
        "trusted_proxies: `proxy` is no address",
    );
    refused("session_hours = 0", &[], "session_hours: 0 is not between");
    refused("session_hours = \"x\"", &[], "invalid type");
    refused(
        "metrics_days = 0",
        &[],
        "metrics_days: 0 is not between 1 and 366; leave it out",
    );
    refused(
        "retention_days = 40000",
        &[],
        "write 0 to keep runs for ever",
    );
    refused("max_store_gb = 0.01", &[], "is not between 0.1 and 1000000");
    refused("max_store_gb = -1.0", &[], "max_store_gb: -1 is not");
    refused("max_store_gb = nan", &[], "max_store_gb: NaN is not");
    refused("offline_after = 0", &[], "offline_after: 0 is not between");
    refused(
        "",
        &[("NIXFLEET_SESSION_DURATION", "soon")],
        "NIXFLEET_SESSION_DURATION: `soon`",
    );
}

#[test]
fn what_is_kept() {
    let home = [("HOME", "/home/u")];
    let keep = |text| load(text, &home).unwrap().keep;
    assert_eq!(keep(""), Keep::default());
    assert_eq!(
        keep("retention_days = 0\nmax_store_gb = 0"),
        Keep::default()
    );
    let both = keep("retention_days = 30\nmax_store_gb = 1.5");
    assert_eq!(both.age, Some(Duration::from_secs(30 * 86_400)));
    assert_eq!(both.bytes, Some(1_500_000_000));
    assert_eq!(keep("max_store_gb = 20").bytes, Some(20_000_000_000));
    let metrics = |text| load(text, &home).unwrap().keep_metrics.as_secs() / 86_400;
    assert_eq!((metrics(""), metrics("metrics_days = 30")), (366, 30));
}

#[test]
fn defaults() {
    let settings = load("", &[("HOME", "/home/u")]).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(
        settings.data_dir,
        Path::new("/home/u/.local/state/nixfleet-dashboard")
    );
    assert_eq!(settings.session, Duration::from_secs(86_400));
    assert_eq!((settings.offline_after, settings.https()), (3, false));
    assert!(settings.agent_token.is_none() && settings.tls.is_none());
    assert_eq!(settings.link_base(settings.listen), "http://127.0.0.1:8000");
    let root = load("", &[("HOME", "/root")]).unwrap();
    assert_eq!(root.data_dir, Path::new(SYSTEM_DATA_DIR));
    let service = load("", &[("HOME", "/root"), ("STATE_DIRECTORY", "/var/lib/x")]).unwrap();
    assert_eq!(service.data_dir, Path::new("/var/lib/x"));
    assert!(load("", &[]).unwrap_err().contains("data_dir"));
}

#[test]
fn the_earlier_environment_works_and_counts_more_than_the_file() {
    let environment = [
        ("NIXFLEET_LISTEN", ":9000"),
        ("NIXFLEET_DATA_DIR", "/data"),
        ("NIXFLEET_AGENT_TOKEN", "s3cret"),
        ("NIXFLEET_SESSION_DURATION", "12h"),
    ];
    let settings = load("", &environment).unwrap();
    assert_eq!(settings.listen.to_string(), "[::]:9000");
    assert_eq!(settings.link_base(settings.listen), "http://localhost:9000");
    assert_eq!(settings.data_dir, Path::new("/data"));
    assert_eq!(settings.session, Duration::from_secs(12 * 3600));
    assert!(!format!("{settings:?}").contains("s3cret"));
    let file = "listen = \"localhost:1\"\ndata_dir = \"/file\"\nagent_token_file = \"/t\"\nsession_hours = 1\nlog_level = \"warn\"\nbase_url = \"https://fleet.example.org/\"";
    let level = [&environment[..], &[("NIXFLEET_LOG_LEVEL", "debug")]].concat();
    let settings = load(file, &level).unwrap();
    assert_eq!(settings.listen.to_string(), "[::]:9000");
    assert_eq!(settings.data_dir, Path::new("/data"));
    assert!(matches!(settings.agent_token, Some(AgentToken::Given(_))));
    assert_eq!(settings.session, Duration::from_secs(12 * 3600));
    assert_eq!(settings.log_level, "debug");
    assert!(settings.https());
    assert_eq!(
        settings.link_base(settings.listen),
        "https://fleet.example.org"
    );
    // What is set to nothing is not set.
    let empty = environment.map(|(name, _)| (name, ""));
    let settings = load(file, &empty).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:1");
    assert_eq!(settings.data_dir, Path::new("/file"));
    assert!(matches!(settings.agent_token, Some(AgentToken::File(_))));
    assert_eq!(settings.session, Duration::from_secs(3600));
    assert_eq!(settings.log_level, "warn");
}
