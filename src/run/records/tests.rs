use super::line::json;
use super::*;

fn read(json: &str) -> Option<Record<'_>> {
    parse(json.as_bytes())
}

#[test]
fn counters_read_the_same_both_ways() {
    for (fast, slow) in [
        (
            r#"{"action":"result","fields":[1,10,1,0],"id":40935333298201,"type":105}"#,
            r#"{"type":105, "id":"40935333298201","fields":[1,10,1,0],"action":"result","new":{}}"#,
        ),
        (
            r#"{"action":"result","fields":[101,18446744073709551615],"id":7,"type":106}"#,
            r#"{"type":106,"id":7,"fields":[101,18446744073709551615],"action":"result"}"#,
        ),
        (
            r#"{"action":"stop","id":3}"#,
            r#"{"id": 3, "action":"stop"}"#,
        ),
    ] {
        assert!(fast::parse(fast.as_bytes()).is_some(), "{fast}");
        assert!(fast::parse(slow.as_bytes()).is_none(), "{slow}");
        assert_eq!(read(fast), read(slow));
    }
}

#[test]
fn what_is_no_record_is_none_and_what_is_new_is_kept() {
    for none in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"action":"sing"}"#,
        r#"{"action":"stop","id":01}"#,
        r#"{"action":"stop","id":3} "x""#,
        r#"{"action":"result","fields":[1,10,1,0],"id":1,"type":105"#,
    ] {
        assert_eq!(read(none), None, "{none}");
    }
    for unknown in [
        r#"{"action":"result","fields":["x"],"id":2,"type":105}"#,
        r#"{"action":"result","fields":[1,2,3],"id":2,"type":105}"#,
        r#"{"action":"result","fields":[99999999999999999999,2,3,4],"id":2,"type":105}"#,
        r#"{"action":"result","fields":[1,2],"id":2,"type":999}"#,
        r#"{"action":"result","payload":{"hash":"x"},"id":2,"type":110}"#,
    ] {
        assert_eq!(read(unknown), Some(Record::Unknown), "{unknown}");
    }
    for other in [
        r#"{"action":"result","fields":["/nix/store/a-b"],"id":2,"type":109}"#,
        r#"{"action":"result","payload":{"hash":"x"},"id":2,"type":109}"#,
        r#"{"action":"setPhase","phase":"buildPhase"}"#,
    ] {
        assert_eq!(read(other), Some(Record::Other), "{other}");
    }
    let long = format!(
        r#"{{"action":"msg","level":0,"msg":"{}"}}"#,
        "x".repeat(MAX_RECORD)
    );
    assert_eq!(read(&long), None);
}

#[test]
fn activities_and_their_results() {
    let start = read(
        r#"{"action":"start","fields":["/nix/store/h-a.drv","ssh://b",1,1],"id":5,"level":3,"parent":4,"text":"building '/nix/store/h-a.drv'","type":105}"#,
    );
    assert_eq!(
        start,
        Some(Record::Start(Start {
            id: 5,
            parent: 4,
            kind: kind::BUILD,
            level: 3,
            text: "building '/nix/store/h-a.drv'".into(),
            fields: [Some("/nix/store/h-a.drv".into()), Some("ssh://b".into())],
        }))
    );
    let log = |text: &'static str| {
        Some(Record::Log {
            id: 5,
            line: text.into(),
        })
    };
    assert_eq!(
        read(r#"{"action":"result","fields":["\u001b[32mok"],"id":5,"type":101}"#),
        log("\u{1b}[32mok")
    );
    assert_eq!(
        read(r#"{"action":"result","fields":["uploading"],"id":5,"type":107}"#),
        log("uploading")
    );
    assert_eq!(
        read(r#"{"action":"result","fields":["buildPhase"],"id":5,"type":104}"#),
        Some(Record::Phase {
            id: 5,
            phase: "buildPhase".into()
        })
    );
}

#[test]
fn results_of_determinate_nix_are_told_by_their_shape() {
    let built = |drv: &str, success, cause: Option<&str>| {
        Some(Record::Built {
            drv: drv.to_owned(),
            success,
            cause: cause.map(str::to_owned),
        })
    };
    assert_eq!(
        read(
            r#"{"action":"result","id":1,"type":110,"payload":{"path":{"drvPath":"/nix/store/h-a.drv"},"success":true,"status":"Built"}}"#
        ),
        built("/nix/store/h-a.drv", true, None)
    );
    assert_eq!(
        read(
            r#"{"action":"result","id":1,"type":110,"payload":{"drvPath":"/nix/store/h-a.drv","status":"PermanentFailure","errorMsg":"exit code 2"}}"#
        ),
        built("/nix/store/h-a.drv", false, Some("exit code 2"))
    );
    assert_eq!(
        read(r#"{"action":"result","id":1,"type":110,"fields":["x"]}"#),
        Some(Record::Unknown)
    );
}

#[test]
fn lines_for_people() {
    let shown = |text: &str| String::from_utf8(line(text.as_bytes()).into_owned()).unwrap();
    let silent = |text: &str| is_silent(&parse(json(text.as_bytes()).unwrap()).unwrap());
    for (record, text, is_silent) in [
        (
            r#"@nix {"action":"msg","level":1,"msg":"\u001b[35;1mwarning:\u001b[0m x"}"#,
            "\u{1b}[35;1mwarning:\u{1b}[0m x",
            false,
        ),
        (
            "\u{1b}[K@nix {\"action\":\"start\",\"id\":1,\"level\":3,\"text\":\"building 'x'\",\"type\":105}\r",
            "building 'x'...",
            false,
        ),
        (
            r#"@nix {"action":"result","fields":["make: done"],"id":5,"type":101}"#,
            "make: done",
            false,
        ),
        (
            r#"@nix {"action":"start","id":1,"level":4,"text":"querying","type":0}"#,
            "querying...",
            true,
        ),
    ] {
        assert_eq!((shown(record).as_str(), silent(record)), (text, is_silent));
    }
    assert!(silent(r#"@nix {"action":"stop","id":1}"#));
    for plain in [
        "@nix",
        "@nix {",
        "x @nix {}",
        "@nix {\"action\":\"sing\"}",
        "",
    ] {
        assert_eq!(shown(plain), plain);
    }
}
