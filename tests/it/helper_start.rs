//! How a helper starts: on the socket that it is handed, and not at all on a file that cannot be believed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use nixfleet::run::id::RunId;

use crate::support::helper::{NOBODY, Privileged, can_change_users};
use crate::support::process::{Process, wait_until};

/// One request and its answer.
fn ask(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.write_all(b"\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_helper_serves_the_socket_that_it_is_handed() {
    let activate = Path::new("/usr/bin/systemd-socket-activate");
    if !can_change_users("socket activation") {
        return;
    }
    if !activate.exists() {
        println!("skipped: socket activation: no {}", activate.display());
        return;
    }
    let host = Privileged::prepare(
        "[commands.wait]\nargv = [\"sh\", \"-c\", \"echo ${LISTEN_FDS-none}; ls /proc/self/fd; exec sleep 600\"]",
    );
    let mut helper = Process::start(
        "helper",
        Command::new(activate)
            .arg("--listen")
            .arg(host.socket())
            .arg(host.helper_command().get_program())
            .args(host.helper_command().get_args()),
    );
    helper.wait_for("Listening on");
    // The first knock starts it.
    let offer = ask(&host.socket(), "{\"request\":\"offer\"}");
    assert!(offer.contains("\"wait\""), "{offer}");
    let run = RunId::new();
    let start = format!(
        "{{\"request\":\"start\",\"run\":{{\"run\":\"{run}\",\"command\":\"wait\",\"args\":[],\"requested_by\":\"ann\"}}}}"
    );
    assert_eq!(ask(&host.socket(), &start), "{\"answer\":\"done\"}\n");
    let run = run.to_string();
    wait_until("the supervisor", || {
        host.run_dir(&run).join("pid").exists().then_some(())
    });
    // It has its own sockets; the helper's, which has an address, is not among them.
    let pid = host.supervisor(&run);
    let listening = fs::read_to_string("/proc/net/unix").unwrap();
    let socket = host.socket();
    let inodes: Vec<&str> = listening
        .lines()
        .filter(|line| line.ends_with(socket.to_str().unwrap()))
        .map(|line| line.split_whitespace().nth(6).unwrap())
        .collect();
    assert!(!inodes.is_empty(), "{listening}");
    for fd in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
        let link = fs::read_link(fd.unwrap().path()).unwrap_or_default();
        let link = link.display().to_string();
        assert!(
            !inodes
                .iter()
                .any(|inode| link == format!("socket:[{inode}]")),
            "the supervisor has {link}"
        );
    }
    let list = ask(&host.socket(), "{\"request\":\"list\"}");
    assert!(list.contains("\"alive\":true"), "{list}");
    let stop = format!("{{\"request\":\"stop\",\"run\":\"{run}\",\"by\":\"ann\",\"force\":true}}");
    assert!(ask(&host.socket(), &stop).contains("\"asked\":true"));
    wait_until("the end of the supervisor", || {
        let list = ask(&host.socket(), "{\"request\":\"list\"}");
        list.contains("\"alive\":false").then_some(())
    });
}

#[test]
fn a_plain_users_agent_says_what_it_cannot_do_and_works_without_it() {
    let host = Privileged::prepare("");
    let config = host.fleet.agent_config(
        "web1",
        "[commands.whoami]\nargv = [\"sh\", \"-c\", \"id -u\"]",
    );
    let mut agent = host.start_agent_of(&config);
    let said = agent.wait_for("not root and without a root helper");
    assert!(
        said.contains(
            "commands run with this user's rights; switching a system, reboot and the like fail"
        ),
        "{said}"
    );
    let offered = host.offered();
    assert!(!offered.iter().any(|name| name == "reboot"), "{offered:?}");
    let run = host.fleet.run("web1", "whoami");
    assert_eq!(host.fleet.finished(&run)["state"], "succeeded");
    assert_ne!(host.fleet.log(&run), b"0\n");
}

/// A helper with that file does not start, and says why in one line.
#[track_caller]
fn refused(host: &Privileged, part: &str) {
    let output = host
        .helper_command()
        .arg("--socket")
        .arg(host.socket())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(part), "{said}");
    assert!(!host.socket().exists(), "{said}");
}

#[test]
fn a_file_that_cannot_be_believed_is_refused_in_one_line() {
    if !can_change_users("files of other users") {
        return;
    }
    let host = Privileged::prepare("");
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for bits in [0o666, 0o664, 0o646] {
        mode(&host.config(), bits);
        refused(&host, "may be written by others");
    }
    mode(&host.config(), 0o644);
    chown(host.config(), Some(NOBODY), None).unwrap();
    refused(&host, "belongs to user 65534");
    chown(host.config(), Some(0), None).unwrap();
    mode(host.fleet.dir.path(), 0o777);
    refused(&host, "may be written by others");
    mode(host.fleet.dir.path(), 0o755);

    let script = host.fleet.script("agents-own", "#!/bin/sh\n");
    chown(&script, Some(NOBODY), None).unwrap();
    let script = script.display();
    for (text, part) in [
        ("client_usr = \"x\"", "did you mean `client_user`"),
        (
            "[commands.x]\nargv = [\"a\"]\nshell = true",
            "unknown key `shell`",
        ),
        (
            "client_group = \"no such group\"",
            "is no group of this host",
        ),
        (
            "allowed_commands = [\"fly\"]",
            "`allowed_commands` names `fly`",
        ),
        ("[commands.x]\nargv = [\"sh\"]\nargs = [\"path\"]", "`path`"),
        ("[commands.switch]\nargv = [\"sh\"]", "built-in"),
        ("token_file = \"/x\"", "unknown key `token_file`"),
        (
            &format!("[commands.x]\nargv = [\"{script}\"]"),
            "`commands.x.argv`",
        ),
        (
            &format!("[rebuild]\nprogram = \"{script}\""),
            "`rebuild.program`",
        ),
    ] {
        host.configure(text);
        refused(&host, part);
    }
    for (text, part) in [
        ("", "missing field `client_user`"),
        ("client_user = \"no such user\"", "is no user of this host"),
        (
            "client_user = \"nobody\"\nstate_dir = \"state\"",
            "is relative",
        ),
    ] {
        fs::write(host.config(), text).unwrap();
        refused(&host, part);
    }
    // The agent has made the directory in which root is to write.
    host.configure("");
    fs::create_dir(host.state_dir()).unwrap();
    chown(host.state_dir(), Some(NOBODY), None).unwrap();
    refused(&host, "no directory of root's");
    chown(host.state_dir(), Some(0), None).unwrap();
    std::os::unix::fs::symlink("/etc", host.state_dir().join("runs")).unwrap();
    refused(&host, "no directory of root's");
}
