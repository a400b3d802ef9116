use std::path::Path;

use super::*;

/// Runs git with nobody's configuration.
fn git(dir: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    command.args([
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@t",
        "-c",
        "init.defaultBranch=main",
    ]);
    let status = command
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success(), "{args:?}");
}

/// An upstream repository with one commit.
fn upstream() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "-q"]);
    commit(dir.path(), "one");
    dir
}

fn commit(dir: &Path, text: &str) {
    std::fs::write(dir.join("flake.nix"), text).unwrap();
    git(dir, &["add", "-A"]);
    git(dir, &["commit", "-q", "-m", text]);
}

fn pull(url: Option<&Path>, dir: &Path) -> Pull {
    Pull {
        git: "git".into(),
        url: url.map(|url| url.display().to_string()),
        dir: dir.to_owned(),
        branch: "main".into(),
        ssh_command: None,
    }
}

fn content(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("flake.nix")).unwrap()
}

#[test]
fn an_own_clone_is_made_private_cleaned_and_made_anew_when_broken() {
    use std::os::unix::fs::PermissionsExt as _;
    let (upstream, state) = (upstream(), tempfile::tempdir().unwrap());
    let clone = state.path().join("repo");
    let pull = pull(Some(upstream.path()), &clone);
    pull.perform().unwrap();
    assert_eq!(content(&clone), "one");
    assert_eq!(
        std::fs::metadata(&clone).unwrap().permissions().mode() & 0o777,
        0o700
    );
    commit(upstream.path(), "two");
    std::fs::write(clone.join("flake.nix"), "dirt").unwrap();
    std::fs::write(clone.join("more"), "dirt").unwrap();
    pull.perform().unwrap();
    assert_eq!(
        (content(&clone).as_str(), clone.join("more").exists()),
        ("two", false)
    );
    for broken in ["HEAD", "objects"] {
        let path = clone.join(".git").join(broken);
        std::fs::rename(&path, state.path().join(broken)).unwrap();
        pull.perform().unwrap();
        assert_eq!(content(&clone), "two");
    }
}

#[test]
fn a_failed_fetch_keeps_a_sound_clone_and_fails() {
    let (upstream, state) = (upstream(), tempfile::tempdir().unwrap());
    let clone = state.path().join("repo");
    pull(Some(upstream.path()), &clone).perform().unwrap();
    let gone = Pull {
        branch: "gone".into(),
        ..pull(Some(upstream.path()), &clone)
    };
    assert!(gone.perform().is_err());
    assert_eq!(content(&clone), "one");
}

#[test]
fn what_is_no_clone_is_left_alone() {
    let (upstream, state) = (upstream(), tempfile::tempdir().unwrap());
    std::fs::write(state.path().join("precious"), "x").unwrap();
    let error = pull(Some(upstream.path()), state.path())
        .perform()
        .unwrap_err();
    assert!(error.message.unwrap().contains("neither empty nor a clone"));
    assert!(state.path().join("precious").exists());
    let other = self::upstream();
    let copy = state.path().join("copy");
    pull(Some(other.path()), &copy).perform().unwrap();
    let error = pull(Some(upstream.path()), &copy).perform().unwrap_err();
    assert!(error.message.unwrap().contains("is a clone of"));
}

#[test]
fn a_users_working_copy_is_only_fast_forwarded() {
    let (upstream, state) = (upstream(), tempfile::tempdir().unwrap());
    let copy = state.path().join("copy");
    git(
        state.path(),
        &[
            "clone",
            "-q",
            &upstream.path().display().to_string(),
            "copy",
        ],
    );
    std::fs::write(copy.join("notes"), "mine").unwrap();
    commit(upstream.path(), "two");
    pull(None, &copy).perform().unwrap();
    assert_eq!(
        (content(&copy).as_str(), copy.join("notes").exists()),
        ("two", true)
    );
}
