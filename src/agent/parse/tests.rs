use super::*;

#[test]
#[ignore = "by hand"]
fn all() {
    let mut files: Vec<_> = fs::read_dir("/work/shared/transcripts")
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "raw"))
        .collect();
    files.sort();
    for file in files {
        let meta = fs::read_to_string(file.with_extension("meta")).unwrap_or("{}".into());
        let exit = serde_json::from_str::<Value>(&meta)
            .unwrap()
            .get("exit")
            .and_then(Value::as_i64)
            .map(|c| c as i32);
        let mut out = Vec::new();
        run(&file, exit, None, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        println!(
            "{} {exit:?} {}",
            file.file_stem().unwrap().to_str().unwrap(),
            text.lines().last().unwrap()
        );
    }
}
