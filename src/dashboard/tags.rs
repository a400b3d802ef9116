//! An operator's words for hosts.

/// The most tags of a host.
pub const MAX_TAGS: usize = 32;
/// The longest tag in characters.
pub const MAX_TAG: usize = 64;

/// Checked tags, sorted, each once.
///
/// # Errors
/// What is wrong, with the tag.
pub fn list<'a>(tags: impl Iterator<Item = &'a str>) -> Result<Vec<String>, String> {
    let mut list = Vec::new();
    for tag in tags {
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
        if tag.is_empty() || tag.len() > MAX_TAG || !tag.chars().all(letter) {
            let shown: String = tag
                .chars()
                .take(40)
                .flat_map(char::escape_default)
                .collect();
            return Err(format!(
                "`{shown}` is no tag; write 1 to {MAX_TAG} letters, digits, `-`, `_`, `.` or `:`"
            ));
        }
        list.push(tag.to_owned());
        if list.len() > MAX_TAGS {
            return Err(format!("more than {MAX_TAGS} tags"));
        }
    }
    list.sort();
    list.dedup();
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_words() {
        let check = |tags: &[&str]| list(tags.iter().copied());
        assert_eq!(
            check(&["gpu", "build", "gpu"]),
            Ok(vec!["build".into(), "gpu".into()])
        );
        assert_eq!(check(&["rack:2.b_c"]), Ok(vec!["rack:2.b_c".into()]));
        for bad in ["", "a b", "a,b", "é", "\u{1b}[2J", &"x".repeat(65)] {
            assert!(check(&[bad]).unwrap_err().contains("is no tag"), "{bad:?}");
        }
        let many: Vec<String> = (0..33).map(|n| n.to_string()).collect();
        let error = list(many.iter().map(String::as_str)).unwrap_err();
        assert!(error.contains("more than 32"), "{error}");
    }
}
