use super::*;

#[test]
fn wrong_channels_say_line_key_and_what_to_write_and_quote_no_address() {
    let url = "url = \"https://example.org/hook\"";
    for (kind, more, part) in [
        (
            "pager",
            "",
            "5: unknown variant `pager`, expected one of `webhook`",
        ),
        (
            "webhook",
            "",
            "3: channel `c`: url: write the address, or url_file",
        ),
        (
            "webhook",
            "url = \"example.org\"",
            "url: write an address that begins with https:// or http://",
        ),
        (
            "webhook",
            "url = \"https://u:p@example.org\"",
            "leave out the name and password before `@`",
        ),
        (
            "webhook",
            "url = \"https://a\"\nurl_file = \"/f\"",
            "url, url_file: write one of them",
        ),
        (
            "webhook",
            "url = \"https://a\"\nroom = \"!x:y\"",
            "room: it belongs to kind = \"matrix\"",
        ),
        (
            "slack",
            "url = \"https://a\"\nsecret_file = \"/f\"",
            "here the address is the secret, write url_file",
        ),
        (
            "slack",
            "url = \"https://a\"\nbody = \"x\"",
            "body: it belongs to kind = \"webhook\"",
        ),
        (
            "webhook",
            "url = \"https://a\"\ncontent_type = \"text/plain\"",
            "content_type: it belongs to a `body`",
        ),
        (
            "ntfy",
            "url = \"https://ntfy.sh/\"",
            "url: write the topic behind the server",
        ),
        (
            "matrix",
            "url = \"https://m\"\nroom = \"#room:m\"",
            "room: `#room:m` is no room's id",
        ),
        (
            "matrix",
            "url = \"https://m\"\nroom = \"!r:m\"",
            "secret_file: write the file with the access token",
        ),
        (
            "email",
            url,
            "url: it belongs to every kind but email, which has server",
        ),
        (
            "email",
            "server = \"\"",
            "server: `` is no mail server; write it such as",
        ),
        (
            "email",
            "server = \"m:x\"\nto = [\"a@b\"]\nfrom = \"a@b\"",
            "server: `m:x` is no mail server",
        ),
        (
            "email",
            "server = \"m\"\nfrom = \"a@b.c\"",
            "to: write who gets it",
        ),
        (
            "email",
            "server = \"m\"\nfrom = \"ann\"\nto = [\"a@b.c\"]",
            "from: `ann` is no mail address",
        ),
        (
            "email",
            "server = \"m\"\nfrom = \"a@b.c\"\nto = [\"bob\"]",
            "to: `bob` is no mail address",
        ),
        (
            "email",
            "server = \"m\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\nusername = \"u\"",
            "username, secret_file: write both or none",
        ),
        (
            "email",
            "server = \"m\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\nusername = \"u\"\nsecret_file = \"/p\"\nencryption = \"none\"",
            "encryption: a password is not sent without",
        ),
        (
            "webhook",
            "url = \"https://a\"\ntitle = \"{{ hots }}\"",
            "title: the template does not work: undefined value",
        ),
        (
            "webhook",
            "url = \"https://a\"\nbody = \"{{ host\"",
            "body: the template does not work: syntax error",
        ),
    ] {
        refused(&channel(kind, more), part);
    }
    let twice = channel("webhook", url);
    refused(
        &format!("{twice}{twice}"),
        "channel `c`: name: two channels have it",
    );
    let error = read(&channel(
        "webhook",
        "url = \"ftp://s3cret.example.org/s3cret\"",
    ))
    .unwrap_err();
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn channels_of_each_kind() {
    for (kind, more) in [
        (
            "webhook",
            "url = \"http://127.0.0.1:9/hook\"\nsecret_file = \"/s\"\nquiet = \"22:00-07:00 UTC\"",
        ),
        ("ntfy", "url = \"https://ntfy.sh/fleet\""),
        ("slack", "url_file = \"/s\""),
        ("discord", "url_file = \"/s\"\ntitle = \"{{ host }}\""),
        (
            "matrix",
            "url = \"https://m.org\"\nroom = \"!r:m.org\"\nsecret_file = \"/s\"",
        ),
        (
            "email",
            "server = \"m.org\"\nfrom = \"Fleet <f@m.org>\"\nto = [\"a@m.org\"]",
        ),
    ] {
        let settings = read(&channel(kind, more)).unwrap();
        assert_eq!(settings.channels[0].kind.name(), kind);
    }
}
