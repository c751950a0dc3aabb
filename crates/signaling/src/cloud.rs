//! Where Graph and its identity service are: the global cloud and the national ones.
//!
//! Source: "Microsoft Graph national cloud deployments". Not every calling operation is
//! offered everywhere: each page of the API reference tells.

use std::fmt;
use std::str::FromStr;

/// A cloud with its own Graph, identity service and tenants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cloud {
    /// The global service, Microsoft 365 GCC included.
    #[default]
    Global,
    /// Microsoft 365 GCC High (US Government L4).
    UsGovernment,
    /// Microsoft 365 DoD (US Government L5).
    UsDod,
    /// Microsoft 365 operated by 21Vianet in China.
    China,
}

/// Which of Graph's versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// `v1.0`
    #[default]
    V1,
    /// `beta`, which may change at any time.
    Beta,
}

impl Cloud {
    /// Every cloud.
    pub const ALL: [Self; 4] = [Self::Global, Self::UsGovernment, Self::UsDod, Self::China];

    /// The cloud's name: `global`, `us-gov`, `us-dod`, `china`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::UsGovernment => "us-gov",
            Self::UsDod => "us-dod",
            Self::China => "china",
        }
    }

    /// The root of Graph.
    pub fn graph(self) -> &'static str {
        match self {
            Self::Global => "https://graph.microsoft.com",
            Self::UsGovernment => "https://graph.microsoft.us",
            Self::UsDod => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }

    /// The identity service.
    pub fn authority(self) -> &'static str {
        match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::UsGovernment | Self::UsDod => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }

    /// Graph's base address, for [`GraphConfig::base_url`](crate::client::GraphConfig).
    pub fn base_url(self, version: Version) -> String {
        format!("{}/{version}", self.graph())
    }

    /// What an application's token is for, for
    /// [`TokenConfig::scope`](crate::token::TokenConfig).
    pub fn scope(self) -> String {
        format!("{}/.default", self.graph())
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1.0",
            Self::Beta => "beta",
        })
    }
}

/// A text that names no cloud.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a cloud: global, us-gov, us-dod or china is needed")]
pub struct UnknownCloud;

impl FromStr for Cloud {
    type Err = UnknownCloud;

    fn from_str(text: &str) -> Result<Self, UnknownCloud> {
        let mut all = Self::ALL.into_iter();
        all.find(|cloud| cloud.name() == text).ok_or(UnknownCloud)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cloud_has_its_own_addresses() {
        let shown = Cloud::ALL.map(|cloud| {
            let base = cloud.base_url(Version::V1);
            format!("{cloud} {base} {} {}", cloud.authority(), cloud.scope())
        });
        let expected = [
            "global https://graph.microsoft.com/v1.0 https://login.microsoftonline.com https://graph.microsoft.com/.default",
            "us-gov https://graph.microsoft.us/v1.0 https://login.microsoftonline.us https://graph.microsoft.us/.default",
            "us-dod https://dod-graph.microsoft.us/v1.0 https://login.microsoftonline.us https://dod-graph.microsoft.us/.default",
            "china https://microsoftgraph.chinacloudapi.cn/v1.0 https://login.chinacloudapi.cn https://microsoftgraph.chinacloudapi.cn/.default",
        ];
        assert_eq!(shown, expected);
        let beta = Cloud::Global.base_url(Version::Beta);
        assert_eq!(beta, "https://graph.microsoft.com/beta");
    }

    #[test]
    fn names_are_read_back() {
        for cloud in Cloud::ALL {
            assert_eq!(cloud.name().parse(), Ok(cloud));
        }
        assert_eq!("moon".parse::<Cloud>(), Err(UnknownCloud));
    }
}
