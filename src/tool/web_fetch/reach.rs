//! Which hosts are reached, and how: public addresses, checked when the connection is made, so that a
//! name cannot mean one address when it is looked at and another when it is called.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, LazyLock};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect};

use crate::http;

/// Reaches public addresses alone.
static PUBLIC: LazyLock<Result<Client, String>> = LazyLock::new(|| {
    http::client(|builder| {
        builder.redirect(redirect::Policy::none()).no_proxy().dns_resolver(Arc::new(Public))
    })
});
/// Asks through the proxies of the environment: they, and not this machine, look names up.
static PROXIED: LazyLock<Result<Client, String>> =
    LazyLock::new(|| http::client(|builder| builder.redirect(redirect::Policy::none())));
/// Reaches this machine.
static LOCAL: LazyLock<Result<Client, String>> =
    LazyLock::new(|| http::client(|builder| builder.redirect(redirect::Policy::none()).no_proxy()));

/// Returns what may ask for `url`, when rules name these hosts.
///
/// # Errors
/// Why nothing may: a clause for the model.
pub(super) async fn client(url: &Url, named: &[String]) -> Result<&'static Client, String> {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let client = if named.iter().any(|name| name.eq_ignore_ascii_case(host)) {
        if http::is_local(url) { &*LOCAL } else { &*PROXIED }
    } else {
        let private = match host.parse::<IpAddr>() {
            Ok(address) => !is_public(address),
            Err(_) => host == "localhost" || (proxied() && leads_inside(host).await),
        };
        if private {
            return Err(format!(
                "`{host}` is a private address, which no rule of this agent names"
            ));
        }
        if proxied() { &*PROXIED } else { &*PUBLIC }
    };
    client.as_ref().map_err(|why| format!("cannot set up HTTP: {why}"))
}

/// Reports whether the environment names a proxy.
fn proxied() -> bool {
    ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Reports whether a name has an address and no public one; what only a proxy can look up has none.
async fn leads_inside(host: &str) -> bool {
    let Ok(addresses) = tokio::net::lookup_host((host, 0)).await else { return false };
    let addresses: Vec<_> = addresses.collect();
    !addresses.is_empty() && !addresses.iter().any(|address| is_public(address.ip()))
}

/// Looks names up, and leaves out what is not public.
struct Public;

impl Resolve for Public {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|found| is_public(found.ip())).collect();
            if public.is_empty() {
                let why = format!(
                    "`{}` has no public address, and no rule of this agent names it",
                    name.as_str()
                );
                return Err(why.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Reports whether an address is one of the internet's (IANA's special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast();
    !special
        && match address.octets() {
            [0 | 240.., ..] | [192, 0, 0, _] => false,
            [100, second, ..] => second & 0xC0 != 64,
            [198, second, ..] => second & 0xFE != 18,
            _ => true,
        }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let inner = |high: u16, low: u16| {
        let bits = u32::from(high) << 16 | u32::from(low);
        is_public_v4(Ipv4Addr::from_bits(bits))
    };
    match parts {
        // Addresses that carry an IPv4 one: mapped, translated, 6to4.
        [0, 0, 0, 0, 0, 0xFFFF, high, low] | [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => {
            inner(high, low)
        }
        [0x2002, high, low, ..] => inner(high, low),
        [0x2001, 0xDB8 | 0, ..] => false,
        // Only 2000::/3 is given out.
        [first, ..] => first & 0xE000 == 0x2000,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_the_internet_is_public() {
        for address in ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::7f00:1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn private_hosts_are_refused_in_every_spelling_unless_named() {
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://localhost/",
            "http://169.254.169.254/latest",
        ] {
            let url = Url::parse(url).unwrap();
            let why = client(&url, &[]).await.unwrap_err();
            assert!(why.contains("private address"), "{why}");
        }
        let url = Url::parse("http://127.0.0.1/").unwrap();
        assert!(client(&url, &["127.0.0.1".to_owned()]).await.is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_when_it_is_called() {
        // A name for this machine that no check of the text sees.
        let name: Name = "localhost".parse().unwrap();
        let why = Public.resolve(name).await.err().unwrap().to_string();
        assert!(why.contains("no public address"), "{why}");
    }
}
