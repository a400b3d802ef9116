//! Where heartbeats are pushed to.

use std::fmt;

use serde::Deserialize;

/// The address of a back-end, checked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Address {
    /// Whether it is `https://`.
    pub tls: bool,
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// As written between scheme and path.
    pub authority: String,
    /// Path and query.
    pub target: String,
}

impl TryFrom<String> for Address {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let wrong = |why: &str| {
            let shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
            format!(
                "`url` = \"{shown}\" {why}; write https://HOST/PATH or http://HOST:PORT/PATH, the key in a file (api_key_file)"
            )
        };
        let (tls, rest) = if let Some(rest) = text.strip_prefix("https://") {
            (true, rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            (false, rest)
        } else {
            return Err(wrong("has no scheme for a push"));
        };
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains('#') {
            return Err(wrong("has a character that no address has"));
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            // The text may hold a password: it is not shown.
            return Err(
                "`url` has a user in it; write https://HOST/PATH, the key in a file (api_key_file)"
                    .into(),
            );
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (
                    host,
                    port.ok_or_else(|| wrong("has no port after the colon"))?,
                )
            }
            _ => (authority, if tls { 443 } else { 80 }),
        };
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = match bare {
            Some(address) if address.parse::<std::net::Ipv6Addr>().is_ok() => address,
            None if !host.is_empty() && !host.contains(['[', ']', ':']) => host,
            _ => return Err(wrong("has no host")),
        };
        Ok(Self {
            tls,
            host: host.to_owned(),
            port,
            authority: authority.to_owned(),
            target: if target.starts_with('/') {
                target.to_owned()
            } else {
                format!("/{target}")
            },
        })
    }
}

/// Without the query: some back-ends want a secret there.
impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        let path = self.target.split('?').next().unwrap_or_default();
        write!(formatter, "{scheme}://{}{path}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |text: &str, tls, host: &str, port, target: &str, shown: &str| {
            let address = Address::try_from(text.to_owned()).unwrap();
            assert_eq!(
                (address.tls, address.host.as_str(), address.port),
                (tls, host, port)
            );
            assert_eq!(
                (address.target.as_str(), address.to_string().as_str()),
                (target, shown)
            );
        };
        check("https://a.b/x", true, "a.b", 443, "/x", "https://a.b/x");
        check("http://a", false, "a", 80, "/", "http://a/");
        check("http://a:81?k=s", false, "a", 81, "/?k=s", "http://a:81/");
        check(
            "https://[::1]:8443/p?k",
            true,
            "::1",
            8443,
            "/p?k",
            "https://[::1]:8443/p",
        );
        check("http://[::1]", false, "::1", 80, "/", "http://[::1]/");
    }

    #[test]
    fn what_is_no_address() {
        for (text, part) in [
            ("ws://a", "has no scheme for a push"),
            ("https://", "has no host"),
            ("https://:80/", "has no host"),
            ("https://a:0", "has no port"),
            ("https://a:http", "has no port"),
            ("https://a b", "has a character"),
            ("https://a/#x", "has a character"),
            ("https://[a]", "has no host"),
            ("https://::1/", "has no host"),
            ("https://a/\r\nX: y", "has a character"),
        ] {
            let error = Address::try_from(text.to_owned()).unwrap_err();
            assert!(
                error.contains(part) && error.contains("write https://"),
                "{error}"
            );
        }
        let error = Address::try_from("https://u:s3cret@a/".to_owned()).unwrap_err();
        assert!(
            error.contains("has a user in it") && !error.contains("s3cret"),
            "{error}"
        );
    }
}
