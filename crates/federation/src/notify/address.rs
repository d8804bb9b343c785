//! Where a subscriber may point this node.
//!
//! An endpoint is `https` and leads to a public address, unless the operator's list names its
//! host or its network. A host name is judged again by every address that it resolves to, at
//! every delivery, so that a name which changes its mind gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// Longest endpoint in bytes.
const MAX_URL: usize = 2_000;

/// Hosts and networks that the operator allows beyond public `https` addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    hosts: Vec<String>,
    networks: Vec<(IpAddr, u8)>,
}

/// An entry of the operator's list that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a host name, an address nor a network such as `10.1.0.0/16`")]
pub struct AllowedError(String);

/// Why nothing is sent to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an absolute `http` or `https` address.
    #[error("the endpoint must be an absolute `https` address")]
    Invalid,
    /// `http` to a host that is not on the operator's list.
    #[error("the endpoint must use `https`; the operator may allow `http` for hosts of their own")]
    Plain,
    /// User name or password in the address.
    #[error("the endpoint must not hold a user name or password; use `channel.header`")]
    Credentials,
    /// A private, local or otherwise special address.
    #[error("the endpoint leads to a private or local address, which the operator has not allowed")]
    Private,
}

impl Allowed {
    /// Reads the operator's list: host names, addresses and networks in CIDR notation.
    pub fn new(entries: &[String]) -> Result<Self, AllowedError> {
        let mut allowed = Self::default();
        for entry in entries {
            let (address, bits) = match entry.split_once('/') {
                Some((address, bits)) => (address, Some(bits)),
                None => (entry.as_str(), None),
            };
            let bad = || AllowedError(entry.chars().take(80).collect());
            match (address.parse::<IpAddr>(), bits) {
                (Ok(address), bits) => {
                    let most = if address.is_ipv4() { 32 } else { 128 };
                    let bits = bits.map_or(Ok(most), str::parse::<u8>).map_err(|_| bad())?;
                    if bits > most {
                        return Err(bad());
                    }
                    allowed.networks.push((address, bits));
                }
                (Err(_), None) if is_host(address) => {
                    allowed.hosts.push(address.to_ascii_lowercase());
                }
                _ => return Err(bad()),
            }
        }
        Ok(allowed)
    }

    /// Checks an endpoint as it is written; names are judged again when they are resolved.
    pub fn check(&self, endpoint: &str) -> Result<(), EndpointError> {
        self.parse(endpoint).map(drop)
    }

    /// The same, returning the address to send to.
    pub(crate) fn parse(&self, endpoint: &str) -> Result<Url, EndpointError> {
        if endpoint.len() > MAX_URL {
            return Err(EndpointError::Invalid);
        }
        let url = Url::parse(endpoint).map_err(|_| EndpointError::Invalid)?;
        let host = url.host_str().ok_or(EndpointError::Invalid)?.to_ascii_lowercase();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::Credentials);
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let named = self.hosts.contains(&host);
        let listed = named || literal.is_some_and(|address| self.lists(address));
        match url.scheme() {
            "https" => {}
            "http" if listed => {}
            "http" => return Err(EndpointError::Plain),
            _ => return Err(EndpointError::Invalid),
        }
        let local_name = host == "localhost" || host.ends_with(".localhost");
        if !listed && (local_name || literal.is_some_and(is_special)) {
            return Err(EndpointError::Private);
        }
        Ok(url)
    }

    /// Whether the address that `host` resolved to may be spoken to.
    pub(super) fn admits(&self, host: &str, address: IpAddr) -> bool {
        let named = self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
        named || self.lists(address) || !is_special(address)
    }

    /// Whether the list names this address, or a network that it is in.
    pub fn lists(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|(network, bits)| match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*bits)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(*bits)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        })
    }
}

fn is_host(name: &str) -> bool {
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    (1..=253).contains(&name.len()) && name.bytes().all(valid)
}

/// Addresses that are not ordinary public unicast (IANA special-purpose registries, RFC 6890).
fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_special_v4(address),
        IpAddr::V6(address) => is_special_v6(address),
    }
}

fn is_special_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
}

fn is_special_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_special_v4(inner);
    }
    let [first, second, ..] = address.segments();
    // Only 2000::/3 is given out as public unicast. 6to4 and Teredo carry an IPv4 address that
    // would have to be judged as well; nobody serves there.
    first & 0xe000 != 0x2000
        || first == 0x2002
        || (first == 0x2001 && (second < 0x0200 || second == 0x0db8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allowed: &[&str], endpoint: &str, expected: Result<(), EndpointError>) {
        let entries: Vec<String> = allowed.iter().map(|e| (*e).to_owned()).collect();
        assert_eq!(Allowed::new(&entries).unwrap().check(endpoint), expected, "{endpoint}");
    }

    #[test]
    fn public_https_addresses_are_accepted_and_private_ones_refused() {
        check(&[], "https://hooks.example.org/fhir", Ok(()));
        check(&[], "https://93.184.216.34/", Ok(()));
        check(&[], "http://hooks.example.org/", Err(EndpointError::Plain));
        check(&[], "ftp://hooks.example.org/", Err(EndpointError::Invalid));
        check(&[], "hooks.example.org", Err(EndpointError::Invalid));
        check(&[], "https://u:p@hooks.example.org/", Err(EndpointError::Credentials));
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "[::1]",
            "[fe80::1]",
            "[fd00::1]",
            "[::ffff:127.0.0.1]",
            "localhost",
            "2130706433",
            "0x7f.1",
            "[2002:7f00:1::]",
        ] {
            check(&[], &format!("https://{private}/"), Err(EndpointError::Private));
        }
    }

    #[test]
    fn the_operators_list_opens_hosts_and_networks() {
        check(&["127.0.0.0/8"], "http://127.0.0.1:9000/hook", Ok(()));
        check(&["127.0.0.0/8"], "http://10.0.0.1/hook", Err(EndpointError::Plain));
        check(&["10.0.0.0/8"], "https://10.9.9.9/hook", Ok(()));
        check(&["fd00::/8"], "https://[fd12::1]/hook", Ok(()));
        check(&["Hooks.Internal"], "http://hooks.internal/x", Ok(()));
        check(&["0.0.0.0/0"], "http://192.168.1.1/x", Ok(()));
        for bad in ["10.0.0.0/33", "a b", "host/8", ""] {
            assert!(Allowed::new(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_judged_by_where_it_leads() {
        let allowed = Allowed::new(&["inside.example".to_owned()]).unwrap();
        let private = IpAddr::from([10, 0, 0, 1]);
        assert!(!allowed.admits("outside.example", private));
        assert!(allowed.admits("inside.example", private));
        assert!(allowed.admits("outside.example", IpAddr::from([93, 184, 216, 34])));
    }
}
