//! The files of a release: their names for each kind of processor, and their checksums.

use crate::provider::k3s::{BINARY, IMAGES};

/// A kind of processor that k3s is released for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::provider::k3s) enum Architecture {
    /// `x86_64`
    Amd64,
    /// `aarch64`
    Arm64,
    /// 32-bit ARM, version 7 or later.
    Arm,
}

impl Architecture {
    /// What `uname -m` says; `None` where there is no release.
    pub(in crate::provider::k3s) fn of_machine(machine: &str) -> Option<Self> {
        match machine {
            "x86_64" | "amd64" => Some(Self::Amd64),
            "aarch64" | "arm64" => Some(Self::Arm64),
            machine if machine.starts_with("armv7") || machine.starts_with("armv8") => Some(Self::Arm),
            _ => None,
        }
    }

    /// Its name in names of files.
    pub(in crate::provider::k3s) fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Arm => "arm",
        }
    }

    /// The file with the checksums of all the others.
    pub(in crate::provider::k3s) fn checksums(self) -> String {
        format!("sha256sum-{}.txt", self.name())
    }

    /// The file that is the binary.
    pub(in crate::provider::k3s) fn binary(self) -> &'static str {
        match self {
            Self::Amd64 => "k3s",
            Self::Arm64 => "k3s-arm64",
            Self::Arm => "k3s-armhf",
        }
    }

    /// The files that a host needs.
    pub(in crate::provider::k3s) fn artifacts(self, images: bool) -> Vec<Artifact> {
        let file = self.binary().to_owned();
        let mut all = vec![Artifact { file, path: BINARY.to_owned(), mode: 0o755 }];
        if images {
            let file = format!("k3s-airgap-images-{}.tar.zst", self.name());
            all.push(Artifact { path: format!("{IMAGES}/{file}"), file, mode: 0o600 });
        }
        all
    }
}

/// A file of a release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::provider::k3s) struct Artifact {
    /// Its name in the release.
    pub(in crate::provider::k3s) file: String,
    /// Where it goes on a host.
    pub(in crate::provider::k3s) path: String,
    /// Its mode there.
    pub(in crate::provider::k3s) mode: u32,
}

/// The checksum of a file, from the lines `<64 hexadecimal digits>  <name>`. The list has names that begin alike,
/// so the whole name counts. A `*` before it says that the file was read as binary (sha256sum(1)).
pub(super) fn checksum<'a>(list: &'a str, file: &str) -> Option<&'a str> {
    list.lines().find_map(|line| {
        let (sum, name) = line.split_once(' ')?;
        let name = name.strip_prefix([' ', '*']).unwrap_or(name).trim_end();
        let is_sum = sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_sum && name == file).then_some(sum)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_name_counts() {
        let sum = |digit: &str| digit.repeat(64);
        let list = format!(
            "{}  k3s-airgap-images-amd64.tar.zst\n{}  k3s-amd64\n{}  k3s\nshort  k3s-arm64\n{} *k3s-armhf\n",
            sum("a"),
            sum("b"),
            sum("c"),
            sum("d")
        );
        assert_eq!(checksum(&list, "k3s"), Some(sum("c").as_str()));
        assert_eq!(checksum(&list, "k3s-armhf"), Some(sum("d").as_str()));
        assert_eq!(checksum(&list, "k3s-arm64"), None);
        assert_eq!(checksum(&list, "images"), None);
    }

    #[test]
    fn files_are_named_after_the_processor() {
        let names = |machine| {
            let architecture = Architecture::of_machine(machine)?;
            let files = architecture.artifacts(true).into_iter().map(|artifact| artifact.file);
            Some(files.chain([architecture.checksums()]).collect::<Vec<_>>().join(" "))
        };
        let expected = "k3s-armhf k3s-airgap-images-arm.tar.zst sha256sum-arm.txt";
        assert_eq!(names("armv7l").as_deref(), Some(expected));
        let expected = "k3s k3s-airgap-images-amd64.tar.zst sha256sum-amd64.txt";
        assert_eq!(names("x86_64").as_deref(), Some(expected));
        assert_eq!(names("riscv64"), None);
    }
}
