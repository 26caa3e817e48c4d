//! The documented ways from one release to another, and what each needs: one table, with the article each row comes from, since articles change.

use crate::desired::{BitsSource, Build, Target, Version};
use std::fmt;

/// One documented way from one release to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpgradePath {
    /// The release before.
    pub from: Version,
    /// The release after.
    pub to: Version,
    /// The least build a node must run before.
    pub least_source: LeastSource,
    /// Whether Windows Update offers it.
    pub windows_update: bool,
    /// The installation media it takes, in words.
    pub media: &'static str,
    /// What every node's registry must hold, effective since a restart, before any node is upgraded.
    pub registry: &'static [RegistryValue],
    /// What must be free on each node's system drive, in bytes.
    pub least_free_disk: u64,
    /// What a person makes sure of before the first node, in words; what Drydock can see are guards of the planner.
    pub checks: &'static [&'static str],
    /// What a person should know who asks for it.
    pub warnings: &'static [&'static str],
    /// Where it is documented.
    pub article: Article,
}

/// The least build a path starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeastSource {
    /// Any build of the release.
    Any,
    /// This build or a later one.
    AtLeast(Build),
    /// A later build than this one.
    Above(Build),
}

impl LeastSource {
    /// Whether `build`, of the right family, is new enough.
    pub fn allows(self, build: Build) -> bool {
        match self {
            LeastSource::Any => true,
            LeastSource::AtLeast(least) => build >= least,
            LeastSource::Above(bound) => build > bound,
        }
    }
}

impl fmt::Display for LeastSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LeastSource::Any => f.write_str("any build"),
            LeastSource::AtLeast(build) => write!(f, "{build} or later"),
            LeastSource::Above(build) => write!(f, "later than {build}"),
        }
    }
}

/// A registry value (DWORD) that an article asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistryValue {
    /// Under `HKEY_LOCAL_MACHINE`.
    pub key: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it must be.
    pub value: u32,
    /// Why.
    pub reason: &'static str,
}

/// A public article and the date of the revision that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Article {
    /// Its title.
    pub title: &'static str,
    /// The date it bears.
    pub date: &'static str,
}

impl fmt::Display for Article {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Microsoft: {} ({})", self.title, self.date)
    }
}

const REFS: RegistryValue = RegistryValue {
    key: r"SYSTEM\CurrentControlSet\Control\FileSystem",
    name: "RefsEnableMetadataValidation",
    value: 0,
    reason: "ReFS volumes come online during and after the upgrade",
};

const VID: RegistryValue = RegistryValue {
    key: r"SYSTEM\CurrentControlSet\Services\Vid\Parameters",
    name: "SkipSmallLocalAllocations",
    value: 0,
    reason: "virtual machines with dynamic memory migrate between nodes of both releases",
};

/// 30 GiB: what Microsoft's environment checker of 23H2 and later demands on C: (Azure Local Supportability: Test-SystemDrive-Free-Space).
const LEAST_FREE_DISK: u64 = 30 << 30;

const TO_23H2: Article = Article { title: "Upgrade Azure Stack HCI OS, version 22H2 to version 23H2 via PowerShell", date: "2025-11-25" };

const TO_24H2: Article = Article { title: "Upgrade Azure Stack HCI OS to version 24H2 via PowerShell", date: "2026-05-01" };

/// What a person should know who asks for 23H2 (Microsoft: Azure Local release information, 2025-10-22).
const OUT_OF_SUPPORT: &str = "builds 25398 (23H2) are out of support since April 2026, and Microsoft's current article no longer documents this upgrade; \
                              ask for 23H2 only as a step on the way";

/// Every way that is documented.
pub const PATHS: [UpgradePath; 3] = [
    UpgradePath {
        from: Version::V22H2,
        to: Version::V23H2,
        least_source: LeastSource::Any,
        windows_update: true,
        media: "the 2503 media of 23H2",
        registry: &[REFS, VID],
        least_free_disk: LEAST_FREE_DISK,
        checks: &[],
        warnings: &[OUT_OF_SUPPORT],
        article: TO_23H2,
    },
    UpgradePath {
        from: Version::V22H2,
        to: Version::V24H2,
        least_source: LeastSource::AtLeast(Build { family: 20_349, revision: 3_692 }),
        windows_update: false,
        media: "the latest Azure Local media (2505 or later) from the Azure portal",
        registry: &[REFS],
        least_free_disk: LEAST_FREE_DISK,
        checks: CHECKS_24H2,
        warnings: &[],
        article: TO_24H2,
    },
    UpgradePath {
        from: Version::V23H2,
        to: Version::V24H2,
        least_source: LeastSource::Above(Build { family: 25_398, revision: 1_611 }),
        windows_update: false,
        media: "the latest Azure Local media (2505 or later) from the Azure portal",
        registry: &[REFS],
        least_free_disk: LEAST_FREE_DISK,
        checks: CHECKS_24H2,
        warnings: &[],
        article: TO_24H2,
    },
];

/// Before an upgrade to 24H2.
const CHECKS_24H2: &[&str] = &[
    "drivers fit Windows Server 2025, network drivers newer than those in the box",
    "the group Cloud Management is empty, and the registration is repaired where it must be",
];

/// The way from one release to another, if one is documented.
pub fn path(from: Version, to: Version) -> Option<&'static UpgradePath> {
    PATHS.iter().find(|p| p.from == from && p.to == to)
}

/// Every way that ends on `to`.
pub fn paths_to(to: Version) -> impl Iterator<Item = &'static UpgradePath> {
    PATHS.iter().filter(move |p| p.to == to)
}

impl UpgradePath {
    /// Whether the bits for it may come from there.
    pub fn takes(&self, source: &BitsSource) -> bool {
        match source {
            BitsSource::WindowsUpdate => self.windows_update,
            BitsSource::Media { .. } => true,
        }
    }
}

/// The way a node that runs `build` takes to `target` with bits from `source`, or why there is none.
pub fn route(build: Build, target: Target, source: &BitsSource) -> Result<&'static UpgradePath, NoRoute> {
    let to = target.version;
    let from = Version::of_family(build.family).ok_or(NoRoute::UnknownFamily { build })?;
    if from == to {
        return Err(NoRoute::SameRelease { build, to });
    }
    let path = path(from, to).ok_or(NoRoute::NotDocumented { from, to })?;
    if !path.takes(source) {
        return Err(NoRoute::Source { to, media: path.media, article: path.article });
    }
    if !path.least_source.allows(build) {
        return Err(NoRoute::TooOld { build, least: path.least_source, to, article: path.article });
    }
    Ok(path)
}

/// Why no documented way leads from a build to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoute {
    /// A build of no release that Drydock knows.
    UnknownFamily {
        /// The build.
        build: Build,
    },
    /// The release is already there; a later build of it comes with ordinary updates.
    SameRelease {
        /// The build.
        build: Build,
        /// The release.
        to: Version,
    },
    /// No article describes it.
    NotDocumented {
        /// The release before.
        from: Version,
        /// The release after.
        to: Version,
    },
    /// The bits for it come from media only.
    Source {
        /// The release after.
        to: Version,
        /// The media it takes.
        media: &'static str,
        /// Where that is documented.
        article: Article,
    },
    /// The build is too old to start from.
    TooOld {
        /// The build.
        build: Build,
        /// What it takes.
        least: LeastSource,
        /// The release after.
        to: Version,
        /// Where that is documented.
        article: Article,
    },
}

impl fmt::Display for NoRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoRoute::UnknownFamily { build } => write!(f, "{build} is no build of 22H2, 23H2 or 24H2"),
            NoRoute::SameRelease { build, to } => {
                write!(f, "{build} is {to} already; a later build of a release comes with ordinary updates, which Drydock does not install")
            }
            NoRoute::NotDocumented { from, to } => write!(f, "no documented upgrade leads from {from} to {to}"),
            NoRoute::Source { to, media, article } => write!(f, "Windows Update does not offer {to}; it takes {media} ({article})"),
            NoRoute::TooOld { build, least, to, article } => {
                write!(f, "{build} is too old for {to}, which needs {least}; install current updates first ({article})")
            }
        }
    }
}

impl std::error::Error for NoRoute {}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(version: Version) -> Target {
        Target { version, revision: 0 }
    }

    fn media() -> BitsSource {
        BitsSource::Media { path: r"D:\Media".to_owned() }
    }

    #[test]
    fn a_path_is_found_only_where_one_is_documented() {
        for from in Version::ALL {
            for to in Version::ALL {
                assert_eq!(path(from, to).is_some(), from < to, "{from} to {to}");
            }
        }
    }

    #[test]
    fn the_least_build_counts_for_22h2_and_does_not_for_23h2() {
        let check =
            |build: &str, fits: bool| assert_eq!(route(build.parse().unwrap(), to(Version::V24H2), &media()).is_ok(), fits, "{build}");
        check("20349.3691", false);
        check("20349.3692", true);
        check("25398.1611", false);
        check("25398.1612", true);
    }

    #[test]
    fn windows_update_offers_23h2_only() {
        let build = Build { family: 20_349, revision: 3_700 };
        assert!(route(build, to(Version::V23H2), &BitsSource::WindowsUpdate).is_ok());
        let no = route(build, to(Version::V24H2), &BitsSource::WindowsUpdate).unwrap_err();
        assert!(no.to_string().starts_with("Windows Update does not offer 24H2"), "{no}");
    }

    #[test]
    fn nothing_leads_back_or_nowhere() {
        let build = |t: &str| t.parse::<Build>().unwrap();
        assert!(matches!(route(build("26100.1"), to(Version::V23H2), &media()), Err(NoRoute::NotDocumented { .. })));
        assert!(matches!(route(build("25398.1"), to(Version::V23H2), &media()), Err(NoRoute::SameRelease { .. })));
        assert!(matches!(route(build("20348.1"), to(Version::V23H2), &media()), Err(NoRoute::UnknownFamily { .. })));
    }

    #[test]
    fn every_row_names_its_article_and_starts_in_its_own_family() {
        for row in PATHS {
            assert!(row.from < row.to && !row.article.title.is_empty() && row.article.date.len() == 10);
            match row.least_source {
                LeastSource::Any => {}
                LeastSource::AtLeast(b) | LeastSource::Above(b) => assert_eq!(b.family, row.from.family()),
            }
        }
    }

    #[test]
    fn the_migration_key_belongs_to_23h2_alone() {
        let has = |from, to| path(from, to).unwrap().registry.iter().any(|v| v.name == "SkipSmallLocalAllocations");
        assert!(has(Version::V22H2, Version::V23H2));
        assert!(!has(Version::V22H2, Version::V24H2) && !has(Version::V23H2, Version::V24H2));
    }
}
