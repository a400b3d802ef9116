//! The environment of earlier dashboards: what of it is not read any more, and what that means for who still sets it.

/// Variables that are not read, and what to do instead.
const NOT_READ: [(&str, &str); 4] = [
    (
        "NIXFLEET_PASSWORD_HASH",
        "use the setup link or `nixfleet-dashboard user create`",
    ),
    (
        "NIXFLEET_SESSION_SECRET",
        "sessions are kept in the store and need none",
    ),
    (
        "NIXFLEET_DB_PATH",
        "an earlier database is not read; the store is in `data_dir` (NIXFLEET_DATA_DIR)",
    ),
    (
        "NIXFLEET_ALLOWED_ORIGINS",
        "only this dashboard's own page is allowed; write `base_url` for how people reach it",
    ),
];
/// Who sets this believes that a password alone opens nothing.
const TOTP: &str = "NIXFLEET_TOTP_SECRET";

/// What to say of the variables that are set.
///
/// # Errors
/// One of them promises what is set up in another way here.
pub(super) fn of_earlier(is_set: impl Fn(&str) -> bool) -> anyhow::Result<Vec<String>> {
    anyhow::ensure!(
        !is_set(TOTP),
        "{TOTP} is set, and is not read: without more, a password alone would log in; write the secret into a file, run \
         `nixfleet-dashboard user totp admin --secret-file FILE` once the user is there, and unset it"
    );
    let set = NOT_READ.iter().filter(|(name, _)| is_set(name));
    Ok(set
        .map(|(name, instead)| {
            format!("{name} is of an earlier dashboard and is not read; {instead}")
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_is_said_and_a_second_factor_is_not_forgotten() {
        assert!(of_earlier(|_| false).unwrap().is_empty());
        let said = of_earlier(|name| name != TOTP).unwrap();
        assert_eq!(said.len(), NOT_READ.len());
        assert!(said[0].contains("NIXFLEET_PASSWORD_HASH") && said[0].contains("setup link"));
        let error = of_earlier(|name| name == TOTP).unwrap_err().to_string();
        assert!(error.contains("NIXFLEET_TOTP_SECRET"), "{error}");
    }
}
