//! Which cloud the settings name: one of Microsoft's whole, or none of it.

use url::{Host, Url};

/// Domains of Microsoft's: the global cloud, the national ones, and who signs notifications.
const MICROSOFT: [&str; 10] = [
    "microsoft.com",
    "microsoft.us",
    "microsoftonline.com",
    "microsoftonline.us",
    "microsoftonline.cn",
    "chinacloudapi.cn",
    "botframework.com",
    "skype.com",
    "azure.us",
    "azure.cn",
];

/// Two addresses that can't be of the same cloud.
#[derive(Debug, thiserror::Error)]
#[error(
    "{real} is Microsoft's and {other} isn't ({at}): whoever is there would be trusted with the \
     tenant's calls or secret. Name one cloud in graph.base, graph.authority and \
     graph.openid_configuration: Microsoft's are the defaults, an emulator has all three"
)]
pub(crate) struct MixedClouds {
    real: &'static str,
    other: &'static str,
    at: String,
}

/// Refuses addresses of which some are Microsoft's and some are not.
pub(super) fn check(addresses: [(&'static str, &str); 3]) -> Result<(), MixedClouds> {
    let is_real = |(_, address): &&(&str, &str)| is_microsofts(address);
    let real = addresses.iter().find(is_real);
    let other = addresses.iter().find(|one| !is_real(one));
    match (real, other) {
        (Some(&(real, _)), Some(&(other, address))) => Err(MixedClouds {
            real,
            other,
            at: host_of(address).unwrap_or_default(),
        }),
        _ => Ok(()),
    }
}

/// The host alone: an address may hold a password.
fn host_of(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    url.host().map(|host| host.to_string())
}

fn is_microsofts(address: &str) -> bool {
    let url = Url::parse(address);
    let Some(Host::Domain(name)) = url.as_ref().ok().and_then(Url::host) else {
        return false;
    };
    let name = name.trim_end_matches('.');
    let within = |domain: &str| {
        let before = name.strip_suffix(domain);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    MICROSOFT.iter().any(|domain| within(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: [&str; 3] = [
        "https://graph.microsoft.com/v1.0",
        "https://login.microsoftonline.com",
        "https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration",
    ];
    const EMULATOR: [&str; 3] = [
        "http://127.0.0.1:8480/v1.0",
        "http://127.0.0.1:8480",
        "http://127.0.0.1:8480/v1/.well-known/OpenIdConfiguration",
    ];

    fn checked([base, authority, keys]: [&str; 3]) -> Result<(), String> {
        let checked = check([
            ("graph.base", base),
            ("graph.authority", authority),
            ("graph.openid_configuration", keys),
        ]);
        checked.map_err(|error| error.to_string())
    }

    #[test]
    fn a_cloud_is_microsofts_or_not() {
        assert_eq!(checked(REAL), Ok(()));
        assert_eq!(checked(EMULATOR), Ok(()));
        assert_eq!(
            checked([
                "https://microsoftgraph.chinacloudapi.cn/v1.0",
                "https://login.partner.microsoftonline.cn",
                "https://api.aps.skype.com./v1/.well-known/OpenIdConfiguration",
            ]),
            Ok(())
        );
    }

    #[test]
    fn no_part_of_one_cloud_is_taken_with_parts_of_another() {
        // Each mixture of the two.
        for mask in 1..7_usize {
            let mixed: [&str; 3] = std::array::from_fn(|part| match (mask >> part) & 1 {
                0 => REAL[part],
                _ => EMULATOR[part],
            });
            let told = checked(mixed).unwrap_err();
            assert!(told.contains("(127.0.0.1)"), "{told}");
        }
        let told = checked([REAL[0], REAL[1], EMULATOR[2]]).unwrap_err();
        let wanted = "graph.base is Microsoft's and graph.openid_configuration isn't (127.0.0.1)";
        assert!(told.contains(wanted), "{told}");
    }

    #[test]
    fn a_name_that_only_looks_like_microsofts_is_not() {
        for keys in [
            "https://api.aps.skype.com.example/keys",
            "https://notskype.com/keys",
            "https://me:hunter2@localhost/skype.com",
            "https://[::1]/keys",
            "nothing",
        ] {
            let told = checked([REAL[0], REAL[1], keys]).unwrap_err();
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
