//! Where a request comes from, seen through trusted proxies.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use axum::http::HeaderMap;

/// The most entries of `X-Forwarded-For` that are looked at.
const MAX_HOPS: usize = 32;

/// One address or a range of them: `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether the address is in the range.
    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(one)) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.bits))
                    .unwrap_or_default();
                range.to_bits() & mask == one.to_bits() & mask
            }
            (IpAddr::V6(range), IpAddr::V6(one)) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.bits))
                    .unwrap_or_default();
                range.to_bits() & mask == one.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{}` is no address; write one such as 127.0.0.1, 10.0.0.0/8 or fd00::/8",
                text.escape_default()
            )
        };
        let (address, bits) = text
            .split_once('/')
            .map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let address = address.to_canonical();
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > most {
            return Err(wrong());
        }
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.bits)
    }
}

/// The address that a request counts for. `X-Forwarded-For` is read from its end, and only as far as the addresses before
/// are trusted: what a client writes into it itself never counts.
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut found = peer.to_canonical();
    let hops: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in hops.iter().rev().take(MAX_HOPS) {
        if !is_trusted(found) {
            break;
        }
        let Ok(address) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        found = address.to_canonical();
    }
    found
}

/// What failed logins are counted by: an IPv4 address, or the /64 that one IPv6 customer has at least.
pub fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, forwarded: &[&str], trusted: &[&str], expected: &str) {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let found = client(peer.parse().unwrap(), &headers, &trusted);
        assert_eq!(found.to_string(), expected);
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        check("192.0.2.1", &["1.1.1.1"], &[], "192.0.2.1");
        check("127.0.0.1", &["1.1.1.1"], &["127.0.0.1"], "1.1.1.1");
        check(
            "::ffff:127.0.0.1",
            &["1.1.1.1"],
            &["127.0.0.0/8"],
            "1.1.1.1",
        );
        check(
            "127.0.0.1",
            &["9.9.9.9, 1.1.1.1"],
            &["127.0.0.1"],
            "1.1.1.1",
        );
        check(
            "127.0.0.1",
            &["9.9.9.9", "1.1.1.1, 10.1.2.3"],
            &["127.0.0.1", "10.0.0.0/8"],
            "1.1.1.1",
        );
        check("127.0.0.1", &["nonsense"], &["127.0.0.1"], "127.0.0.1");
        check("fd00::1", &["2001:db8::7"], &["fd00::/8"], "2001:db8::7");
        check("127.0.0.1", &["1.1.1.1"], &["0.0.0.0/0"], "1.1.1.1");
    }

    #[test]
    fn networks_are_checked() {
        for bad in [
            "",
            "localhost",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "::/129",
            "10.0.0.0/8/8",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        assert_eq!(
            "10.0.0.1".parse::<Network>().unwrap().to_string(),
            "10.0.0.1/32"
        );
    }

    #[test]
    fn a_customer_of_ipv6_counts_once() {
        let of = |text: &str| counted(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:1.2.3.4"), "1.2.3.4");
    }
}
