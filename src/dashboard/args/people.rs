//! `token` and `user`: on the database itself, also while the dashboard runs.

use std::path::Path;

use anyhow::Context as _;

use super::{Token, User};
use crate::base::clock::{Millis, now, rfc3339};
use crate::base::secret::Secret;
use crate::dashboard::access::digest::{API_TOKEN_PREFIX, digest, new_token};
use crate::dashboard::access::password::{self, Passwords};
use crate::dashboard::access::{Role, check_name, totp};
use crate::dashboard::alerts::settings::time::Length;
use crate::dashboard::config::Settings;
use crate::dashboard::store::Store;
use crate::dashboard::store::access::Entry;

/// Runs `work` on the store of the data directory.
pub(super) fn with_store<T>(
    settings: &Settings,
    work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    super::start::make_data_dir(&settings.data_dir)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?
        .block_on(async {
            let store = super::start::open_store(&settings.data_dir).await?;
            let done = work(&store).await;
            store.close().await;
            done
        })
}

pub(super) fn token(settings: &Settings, command: Token) -> anyhow::Result<()> {
    with_store(settings, async |store| match command {
        Token::Create {
            name,
            role,
            expires,
        } => {
            let token = create_token(store, &name, role, expires).await?;
            println!("{}", token.expose());
            Ok(())
        }
        Token::List => {
            list(&store.tokens().await?, true);
            Ok(())
        }
        Token::Revoke { name } => {
            anyhow::ensure!(
                store.revoke_token(&name).await?,
                "there is no token `{}`; `token list` shows the ones there are",
                name.escape_default()
            );
            Ok(())
        }
    })
}

/// Makes an API token; only its digest is kept.
pub(super) async fn create_token(
    store: &Store,
    name: &str,
    role: Role,
    expires: Option<Length>,
) -> anyhow::Result<Secret> {
    let after = expires.map(|length| length.0.as_millis() as Millis);
    anyhow::ensure!(
        after != Some(0),
        "`--expires` is no time at all; write it such as 90d"
    );
    let expires_at = after.map(|after| now().saturating_add(after));
    check_name(name).map_err(anyhow::Error::msg)?;
    let token = new_token(API_TOKEN_PREFIX)?;
    anyhow::ensure!(
        store
            .create_token(name, role, &digest(&token), expires_at)
            .await?,
        "there is a token `{name}` already; revoke it first or choose another name"
    );
    Ok(Secret::new(token))
}

pub(super) fn user(settings: &Settings, command: User) -> anyhow::Result<()> {
    with_store(settings, async |store| match command {
        User::Create {
            name,
            role,
            password_file,
        } => {
            check_name(&name).map_err(anyhow::Error::msg)?;
            let password = Secret::read(&password_file)?;
            password::check_new(password.expose())
                .map_err(|why| anyhow::anyhow!("{}: {why}", password_file.display()))?;
            let hash = Passwords::default().hash(&password).await?;
            anyhow::ensure!(
                store.create_user(&name, role, &hash).await?,
                "there is a user `{name}` already; delete it first or choose another name"
            );
            Ok(())
        }
        User::List => {
            list(&store.users().await?, false);
            Ok(())
        }
        User::Totp {
            name, off: true, ..
        } => {
            anyhow::ensure!(
                store.remove_totp(&name).await?,
                "`{}` is asked for no one-time codes; `user list` shows who is",
                name.escape_default()
            );
            Ok(())
        }
        User::Totp {
            name, secret_file, ..
        } => {
            if let Some(shown) = set_totp(store, &name, secret_file.as_deref()).await? {
                println!("{shown}");
            }
            Ok(())
        }
        User::Delete { name } => {
            anyhow::ensure!(
                store.delete_user(&name).await?,
                "there is no user `{}`; `user list` shows the ones there are",
                name.escape_default()
            );
            Ok(())
        }
    })
}

/// Asks a user for codes from now on. Answers what an authenticator has to be told, if the secret is new.
pub(super) async fn set_totp(
    store: &Store,
    name: &str,
    secret_file: Option<&Path>,
) -> anyhow::Result<Option<String>> {
    let secret = match secret_file {
        None => totp::new_secret()?,
        Some(path) => {
            totp::read_secret(&Secret::read(path)?).with_context(|| path.display().to_string())?
        }
    };
    anyhow::ensure!(
        store.set_totp(name, &secret).await?,
        "there is no user `{}`; `user list` shows the ones there are",
        name.escape_default()
    );
    Ok(secret_file.is_none().then(|| totp::uri(name, &secret)))
}

fn list(entries: &[Entry], tokens: bool) {
    let width = entries
        .iter()
        .map(|entry| entry.name.len())
        .max()
        .unwrap_or(0);
    for entry in entries {
        let used = match entry.last_used_at {
            Some(at) => format!("  last used {}", rfc3339(at)),
            None if tokens => String::from("  never used"),
            None => String::new(),
        };
        let ends = match entry.expires_at.map(rfc3339) {
            Some(at) if entry.has_expired() => format!("  expired {at}"),
            Some(at) => format!("  expires {at}"),
            None => String::new(),
        };
        let codes = if entry.has_totp {
            "  one-time codes"
        } else {
            ""
        };
        println!(
            "{:width$}  {:8}  created {}{used}{ends}{codes}",
            entry.name,
            entry.role.name(),
            rfc3339(entry.created_at)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tokens_are_made_beside_a_running_dashboard() {
        let dir = tempfile::tempdir().unwrap();
        let running = Store::open(dir.path()).await.unwrap();
        let beside = Store::open(dir.path()).await.unwrap();
        let token = create_token(&beside, "ci", Role::Operator, None)
            .await
            .unwrap();
        assert!(token.expose().starts_with("nf_") && token.expose().len() == 46);
        let found = running
            .token(&digest(token.expose()))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((found.name.as_str(), found.role), ("ci", Role::Operator));
        let error = create_token(&beside, "ci", Role::Viewer, None)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("already"), "{error}");
        assert!(
            create_token(&beside, "a b", Role::Viewer, None)
                .await
                .is_err()
        );
        let short = Some(Length::parse("0d").unwrap());
        let error = create_token(&beside, "short", Role::Viewer, short).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("`--expires` is no time"), "{error}");
        let year = Some(Length::parse("365d").unwrap());
        create_token(&beside, "long", Role::Viewer, year)
            .await
            .unwrap();
        let ends = running.token_ends().await.unwrap();
        let [(name, end)] = &ends[..] else {
            panic!("{ends:?}")
        };
        assert_eq!(name, "long");
        let left = end - now();
        assert!(
            (364 * 86_400_000..=365 * 86_400_000).contains(&left),
            "{left}"
        );
    }

    #[tokio::test]
    async fn codes_are_asked_for_with_a_new_secret_or_one_from_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let error = set_totp(&store, "ann", None).await.unwrap_err().to_string();
        assert!(error.contains("there is no user `ann`"), "{error}");
        store.create_user("ann", Role::Admin, "h").await.unwrap();
        let shown = set_totp(&store, "ann", None).await.unwrap().unwrap();
        assert!(
            shown.starts_with("otpauth://totp/NixFleet:ann?secret="),
            "{shown}"
        );
        assert!(store.users().await.unwrap()[0].has_totp);
        let file = dir.path().join("secret");
        std::fs::write(&file, "jbsw y3dp ehpk 3pxp\n").unwrap();
        assert_eq!(set_totp(&store, "ann", Some(&file)).await.unwrap(), None);
        let known = store.totp("ann").await.unwrap().unwrap();
        assert_eq!(known.secret.expose(), "JBSWY3DPEHPK3PXP");
        std::fs::write(&file, "s3cr3t!").unwrap();
        let error = set_totp(&store, "ann", Some(&file)).await.unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("secret: the secret is not base32") && !error.contains("s3cr3t"),
            "{error}"
        );
    }
}
