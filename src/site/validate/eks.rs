//! The provider `eks`: region, network, nodes, and who may come in.

mod nodes;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use toml::Spanned;

use super::Check;
use crate::site::finding::{Finding, nearest};
use crate::site::profile::{EksTable, Map, VpcTable};
use crate::site::{Eks, EksEndpoint, EksNetwork, Nat, Provider};

/// The network of a cluster whose profile says nothing of one.
const CIDR: &str = "10.0.0.0/16";
/// The logs that a control plane can keep (EKS API, `LogType`).
const LOGS: [&str; 5] = ["api", "audit", "authenticator", "controllerManager", "scheduler"];
/// What a public endpoint may be reached from, unless the profile says less.
const EVERYWHERE: &str = "0.0.0.0/0";

impl Check<'_> {
    pub(super) fn eks(&mut self, table: &EksTable) -> Option<Provider> {
        let region = table.region.as_ref().and_then(|typed| self.region(typed));
        let version = self.optional(table.version.as_ref(), Self::kubernetes_version);
        let account = self.optional(table.account_id.as_ref(), Self::account);
        let tags = self.tags(&table.tags);
        let network = self.network(table, region.as_deref());
        let endpoint = self.endpoint(table);
        let logging: Vec<_> = table.logging.iter().map(|typed| self.one_of(typed, &LOGS)).collect();
        let nodes = self.nodes(table);
        let admins: Vec<_> = table.admins.iter().map(|typed| self.principal(typed)).collect();
        let addon = |(name, version): (&Spanned<String>, &Spanned<String>)| {
            let version = Some(version.get_ref().clone()).filter(|version| version != "default");
            (name.get_ref().clone(), version)
        };
        Some(Provider::Eks(Eks {
            region: region?,
            account: account?,
            profile: table.profile.as_ref().map(|typed| typed.get_ref().clone()),
            version: version?,
            tags: tags?,
            network: network?,
            endpoint: endpoint?,
            logging: logging.into_iter().collect::<Option<_>>()?,
            nodes: nodes?,
            addons: table.addons.iter().map(addon).collect(),
            admins: admins.into_iter().collect::<Option<_>>()?,
        }))
    }

    /// What may be left out: `None` only where it is there and wrong.
    #[expect(
        clippy::option_option,
        reason = "the outer one is every rule's way to say that it has found something"
    )]
    fn optional<T>(
        &mut self,
        typed: Option<&Spanned<String>>,
        check: impl FnOnce(&mut Self, &Spanned<String>) -> Option<T>,
    ) -> Option<Option<T>> {
        match typed {
            Some(typed) => check(self, typed).map(Some),
            None => Some(None),
        }
    }

    fn one_of(&mut self, typed: &Spanned<String>, known: &[&str]) -> Option<String> {
        let text = typed.get_ref();
        if known.contains(&text.as_str()) {
            return Some(text.clone());
        }
        let help = match nearest(text, known.iter().copied()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        self.found(Finding::new(typed.span(), format!("`{text}` is none of them")).with_help(help))
    }

    fn region(&mut self, typed: &Spanned<String>) -> Option<String> {
        let parts: Vec<_> = typed.get_ref().split('-').collect();
        let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if let [words @ .., number] = &parts[..]
            && words.len() >= 2
            && words.iter().all(is_word)
            && is_number(number)
        {
            return Some(typed.get_ref().clone());
        }
        let finding = Finding::new(typed.span(), "this is no region of AWS");
        self.found(finding.with_help("a region is called like `eu-west-1`"))
    }

    fn kubernetes_version(&mut self, typed: &Spanned<String>) -> Option<String> {
        let minor = typed.get_ref().strip_prefix("1.").and_then(|minor| minor.parse::<u16>().ok());
        if minor.is_some_and(|minor| *typed.get_ref() == format!("1.{minor}")) {
            return Some(typed.get_ref().clone());
        }
        let finding = Finding::new(typed.span(), "EKS names no version of Kubernetes like this");
        self.found(finding.with_help("a version is written like `1.34`; EKS itself chooses the patch"))
    }

    fn account(&mut self, typed: &Spanned<String>) -> Option<String> {
        let id = typed.get_ref();
        if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(id.clone());
        }
        self.found(Finding::new(typed.span(), "an account of AWS is written as its twelve digits"))
    }

    /// The rules: <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>.
    fn tags(&mut self, table: &Map<Spanned<String>>) -> Option<BTreeMap<String, String>> {
        let mut is_valid = true;
        for (key, value) in table {
            let message = if ["aws:", "bridgehead:"].iter().any(|own| key.get_ref().starts_with(own)) {
                "tags that begin so are not a profile's to say"
            } else if key.get_ref().is_empty() || key.get_ref().chars().count() > 128 {
                "the key of a tag has 1 to 128 characters"
            } else if value.get_ref().chars().count() > 256 {
                "the value of a tag has up to 256 characters"
            } else {
                continue;
            };
            is_valid = false;
            self.found::<()>(Finding::new(key.span(), message));
        }
        let tags = table.iter().map(|(key, value)| (key.get_ref().clone(), value.get_ref().clone()));
        is_valid.then(|| tags.collect())
    }

    fn network(&mut self, table: &EksTable, region: Option<&str>) -> Option<EksNetwork> {
        let absent = VpcTable::default();
        match (&table.vpc, &table.subnet_ids) {
            (Some(_), Some(given)) => {
                let message = "a cluster is in subnets that are given, or in a network of its own";
                let help = "keep one of `vpc` and `subnet_ids`";
                self.found(Finding::new(given.span(), message).with_help(help))
            }
            (None, Some(given)) => self.given(given),
            (vpc, None) => self.own_network(vpc.as_ref().unwrap_or(&absent), region),
        }
    }

    fn given(&mut self, given: &Spanned<Vec<Spanned<String>>>) -> Option<EksNetwork> {
        if given.get_ref().len() < 2 {
            let message = "a cluster needs subnets in at least two zones";
            return self.found(Finding::new(given.span(), message));
        }
        let mut ids = Vec::new();
        for typed in given.get_ref() {
            if !typed.get_ref().starts_with("subnet-") {
                let finding = Finding::new(typed.span(), "this is not the id of a subnet");
                return self.found(finding.with_help("it is like `subnet-0123456789abcdef0`"));
            }
            ids.push(typed.get_ref().clone());
        }
        Some(EksNetwork::Given(ids))
    }

    fn own_network(&mut self, table: &VpcTable, region: Option<&str>) -> Option<EksNetwork> {
        let cidr = match &table.cidr {
            Some(typed) => self.vpc_cidr(typed),
            None => Some(CIDR.to_owned()),
        };
        let nat = match &table.nat {
            Some(typed) => match self.one_of(typed, &["single", "per-az", "none"])?.as_str() {
                "none" => Nat::None,
                "per-az" => Nat::PerZone,
                _ => Nat::Single,
            },
            None => Nat::Single,
        };
        let zones = match &table.azs {
            Some(typed) => self.zones(typed, region),
            None => Some(Vec::new()),
        };
        Some(EksNetwork::Own { cidr: cidr?, zones: zones?, nat })
    }

    fn zones(&mut self, typed: &Spanned<Vec<Spanned<String>>>, region: Option<&str>) -> Option<Vec<String>> {
        let zones: BTreeSet<_> = typed.get_ref().iter().map(|zone| zone.get_ref().clone()).collect();
        if !(2..=3).contains(&zones.len()) || zones.len() != typed.get_ref().len() {
            return self.found(Finding::new(typed.span(), "a network has two or three different zones"));
        }
        let elsewhere = |zone: &&Spanned<String>| {
            region.is_some_and(|region| {
                let letter = zone.get_ref().strip_prefix(region);
                !letter.is_some_and(|letter| {
                    letter.len() == 1 && letter.bytes().all(|byte| byte.is_ascii_lowercase())
                })
            })
        };
        if let Some(zone) = typed.get_ref().iter().find(elsewhere) {
            let message = format!("`{}` is no zone of {}", zone.get_ref(), region.unwrap_or_default());
            return self.found(Finding::new(zone.span(), message));
        }
        Some(zones.into_iter().collect())
    }

    /// Large enough for six subnets, and of the sizes that a VPC can have.
    fn vpc_cidr(&mut self, typed: &Spanned<String>) -> Option<String> {
        match cidr(typed.get_ref()) {
            Some(16..=22) => Some(typed.get_ref().clone()),
            Some(_) => self.found(Finding::new(typed.span(), "a network is from /16 to /22 in size")),
            None => self.no_cidr(typed),
        }
    }

    fn no_cidr<T>(&mut self, typed: &Spanned<String>) -> Option<T> {
        let finding = Finding::new(typed.span(), "this is no block of IPv4 addresses");
        self.found(finding.with_help(format!("a block is written like `{CIDR}`")))
    }

    fn endpoint(&mut self, table: &EksTable) -> Option<EksEndpoint> {
        let access = match &table.endpoint_access {
            Some(typed) => self.one_of(typed, &["public", "private", "public-and-private"])?,
            None => "public-and-private".to_owned(),
        };
        let private = access != "public";
        let cidrs = match &table.public_access_cidrs {
            Some(typed) if access == "private" => {
                let message = "an endpoint that is private is reached from no public address";
                let help = "take this out, or write `endpoint_access = \"public-and-private\"`";
                return self.found(Finding::new(typed.span(), message).with_help(help));
            }
            Some(typed) if typed.get_ref().is_empty() || typed.get_ref().len() > 40 => {
                return self.found(Finding::new(typed.span(), "EKS takes 1 to 40 blocks of addresses"));
            }
            Some(typed) => {
                let mut cidrs = BTreeSet::new();
                for block in typed.get_ref() {
                    if cidr(block.get_ref()).is_none() {
                        return self.no_cidr(block);
                    }
                    cidrs.insert(block.get_ref().clone());
                }
                cidrs.into_iter().collect()
            }
            None => vec![EVERYWHERE.to_owned()],
        };
        Some(EksEndpoint { public: (access != "private").then_some(cidrs), private })
    }

    fn principal(&mut self, typed: &Spanned<String>) -> Option<String> {
        let parts: Vec<_> = typed.get_ref().splitn(6, ':').collect();
        if let ["arn", _, "iam", "", _, resource] = parts[..]
            && ["role/", "user/"].iter().any(|kind| resource.starts_with(kind))
        {
            return Some(typed.get_ref().clone());
        }
        let finding = Finding::new(typed.span(), "this is not the ARN of a user or a role");
        self.found(finding.with_help("it is like `arn:aws:iam::111122223333:role/path/name`"))
    }
}

/// The length of the prefix of a block of IPv4 addresses; `None` if it is no such block.
fn cidr(text: &str) -> Option<u8> {
    let (address, length) = text.split_once('/')?;
    let (address, length) = (address.parse::<Ipv4Addr>().ok()?, length.parse::<u8>().ok()?);
    let mask = u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0);
    (length <= 32 && address.to_bits() & !mask == 0).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::cidr;

    #[test]
    fn a_block_begins_where_its_prefix_says() {
        assert_eq!(cidr("10.0.0.0/16"), Some(16));
        assert_eq!(cidr("0.0.0.0/0"), Some(0));
        assert_eq!(cidr("203.0.113.7/32"), Some(32));
        for other in ["10.0.1.0/16", "10.0.0.0", "10.0.0/8", "::/0", "10.0.0.0/33"] {
            assert_eq!(cidr(other), None, "{other}");
        }
    }
}
