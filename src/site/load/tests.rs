mod argocd;
mod home;
mod k3s;
mod secret;

use super::*;
use crate::site::name::ClusterName;
use crate::site::{Provider, RepositorySource, Role};

const SMALLEST: &str = "[hub.local]\n";

fn places() -> Places {
    Places {
        base: Some("/root/sites/x".into()),
        home: Some("/home/x".into()),
        is_folder: |path| !path.ends_with("absent"),
    }
}

fn read_text(text: &str) -> Result<Site, Findings> {
    read_with(text, "", &Overrides::default())
}

/// Reads a profile with an inventory beside it and options on the command line.
fn read_with(profile: &str, inventory: &str, overrides: &Overrides) -> Result<Site, Findings> {
    let texts = Texts {
        profile: ("profile.toml".to_owned(), profile),
        inventory: ("inventory.toml".to_owned(), inventory),
        overrides,
    };
    texts.read(&"x".parse().unwrap(), &places())
}

/// Every finding as `line:column message`.
fn found(text: &str) -> Vec<String> {
    rows(read_text(text))
}

fn rows(site: Result<Site, Findings>) -> Vec<String> {
    let findings = site.err();
    let rows = findings.iter().flat_map(Findings::rows);
    rows.map(|row| format!("{}:{} {}", row.line, row.column, row.message)).collect()
}

/// The help of the first finding.
fn help(text: &str) -> String {
    read_text(text).unwrap_err().rows()[0].help.unwrap_or_default().to_owned()
}

fn hub(below: &str) -> String {
    format!("[hub.local]\n{below}\n")
}

fn repository(keys: &str) -> String {
    hub(&format!("[repos.addons]\n{keys}"))
}

#[test]
fn the_smallest_profile_has_every_default() {
    let site = read_text(SMALLEST).unwrap();
    assert_eq!(site.hub.name.as_str(), "hub");
    assert_eq!(site.hub.environment, "control-plane");
    assert_eq!(site.hub.role, Role::Hub);
    assert_eq!(site.hub.provider, Provider::Local(crate::site::Local { nodes: 1 }));
    assert_eq!(site.hub.addons, [("argocd".parse().unwrap(), false)].into());
    assert_eq!(
        (site.argocd.version.as_str(), site.argocd.namespace.as_str()),
        (crate::site::ARGOCD_VERSION, "argocd")
    );
    assert!(!site.protect && site.spokes.is_empty() && site.repositories.is_empty());
}

#[test]
fn every_cluster_has_every_addon_that_any_names() {
    let text = "[hub.local]\n[hub.addons]\nargocd = true\na = false\n[spokes.dev.local]\n[spokes.dev.addons]\nb = true\n[addons]\na = true\n";
    let site = read_text(text).unwrap();
    let addons = |cluster: &crate::site::Cluster| {
        cluster.addons.iter().map(|(addon, on)| format!("{addon}={on}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(addons(&site.hub), "a=false argocd=true b=false");
    assert_eq!(addons(&site.spokes[0]), "a=true argocd=false b=true");
    assert_eq!(site.spokes[0].environment, "dev");
}

#[test]
fn what_is_misshapen_is_found() {
    let cases = [
        ("", "1:1 `hub` is missing"),
        ("[hub]\nnmae = \"h\"\n[hub.local]\n", "2:1 unknown key `hub.nmae`"),
        ("[hub]\n", "1:2 `hub` names no provider"),
        ("[hub.k3s]\n", "1:6 `hub.k3s.servers` is missing"),
        ("[hub.existing]\n", "1:6 `hub.existing.context` is missing"),
        ("[hub.local]\nnodes = \"3\"\n", "2:9 `hub.local.nodes` must be an integer, this is a string"),
        (
            "[hub.local]\nnodes = 99999999999999999999\n",
            "2:9 `hub.local.nodes` must be an integer, this is one that is too large",
        ),
        ("[[hub]]\n", "1:1 `hub` must be a table, this is an array"),
        ("hub = 3\n", "1:7 `hub` must be a table, this is an integer"),
        ("[hub.local]\n[spoke.dev.local]\n", "2:2 unknown key `spoke`"),
        (
            "[hub.local]\n[kube]\nkubeconfig = 3\n",
            "3:14 `kube.kubeconfig` must be a string, this is an integer",
        ),
        ("[hub.local]\n[registration]\nttl = \"1h\"\n", "2:2 `registration` is not built yet"),
        ("[hub.local]\n[argocd.ingress]\n", "2:9 `argocd.ingress.enabled` is missing"),
        ("[hub.local]\n[argocd]\nha = true\n", "3:1 `argocd.ha` is not built yet"),
        (
            "[hub.local]\n[argocd.repositories]\n",
            "2:1 `argocd.repositories` must be an array of tables, this is a table",
        ),
        ("[hub.local]\n[repos.addons]\n", "2:8 `repos.addons.url` is missing"),
        ("[hub.local]\n[hub.labels]\na.b = \"c\"\n", "3:1 `hub.labels.a` must be a string, this is a table"),
        (
            "[hub.local]\n[addons]\nx = \"true\"\n",
            "3:5 `addons.x` must be `true` or `false`, this is a string",
        ),
        (
            "[hub.local]\n[site]\nprotect = 1\n",
            "3:11 `site.protect` must be `true` or `false`, this is an integer",
        ),
    ];
    for (text, expected) in cases {
        assert!(found(text).iter().any(|found| found.starts_with(expected)), "{text}: {:?}", found(text));
    }
    assert_eq!(
        found("[hub.local]\n[hub.eks]\n"),
        ["2:6 `hub` has more than one provider: local, eks", "2:6 `hub.eks.region` is missing"]
    );
}

#[test]
fn what_breaks_a_rule_is_found() {
    let long = "x".repeat(64);
    let cases = [
        (format!("[hub]\nname = \"Hub\"\n{SMALLEST}"), "2:8 a cluster name is made of"),
        (format!("[hub]\nname = \"git\"\n{SMALLEST}"), "2:8 `git` is not free"),
        (hub("[spokes.hub.local]"), "2:9 a spoke and the hub are both called `hub`"),
        (hub("[spokes.in-cluster.local]"), "2:9 a spoke cannot be called `in-cluster`"),
        (hub("[spokes.Dev_1.local]"), "2:9 a cluster name is made of"),
        (
            hub("[spokes.dev]\nenvironment = \"control-plane\"\n[spokes.dev.local]"),
            "3:15 only the hub's environment is `control-plane`",
        ),
        (format!("[hub]\nenvironment = \"\"\n{SMALLEST}"), "2:15 an environment must not be empty"),
        (format!("[hub]\nenvironment = \"a b\"\n{SMALLEST}"), "2:15 a label's value is empty, or"),
        (hub("nodes = 0"), "2:9 a cluster has 1 to 16 simulated nodes"),
        (hub("nodes = 17"), "2:9 a cluster has 1 to 16 simulated nodes"),
        (hub("nodes = -70000"), "2:9 a cluster has 1 to 16 simulated nodes"),
        (hub("[addons]\nMetrics = true"), "3:1 an addon name is made of"),
        (hub("[addons]\nenable_x = true"), "3:1 an addon is named without `enable_`"),
        (hub("[hub.labels]\nenable_x = \"true\""), "3:1 `enable_x` is the label of an addon"),
        (hub("[hub.labels]\ncluster_name = \"x\""), "3:1 the label `cluster_name` is written by bridgehead"),
        (
            hub("[hub.labels]\n\"bridgehead/x\" = \"x\""),
            "3:1 the label `bridgehead/x` is written by bridgehead",
        ),
        (hub(&format!("[hub.labels]\nteam = \"{long}\"")), "3:8 a label's value is empty, or"),
        (hub(&format!("[hub.labels]\n{long} = \"x\"")), "3:1 the name in a label's or annotation's key"),
        (hub("[hub.labels]\n\"a_b/c\" = \"x\""), "3:1 the prefix of a label's or annotation's key"),
        (hub("[hub.annotations]\n\"a/b/c\" = \"x\""), "3:1 the name in a label's or annotation's key"),
        (hub("[hub.annotations]\nenvironment = \"x\""), "3:1 the annotation `environment` is written by"),
        (
            hub("[hub.annotations]\naddons_repo_url = \"x\"\n[repos.addons]\nurl = \"..\""),
            "3:1 the annotation `addons_repo_url` is written by bridgehead",
        ),
        (hub("[argocd]\nversion = \"v3.5.7\""), "3:11 no other Argo CD than v3.2.11 is built yet"),
        (hub("[argocd]\nnamespace = \"Argo\""), "3:13 a namespace has 1 to 63"),
        (hub("[repos.Addons]\nurl = \"..\""), "2:8 a repository name is made of"),
        (repository("url = \"../absent\""), "3:7 there is no folder `/root/sites/absent`"),
        (repository("url = \"addons\""), "3:7 this is neither the URL of a Git repository nor a path"),
        (repository("url = \"\""), "3:7 this is neither the URL of a Git repository nor a path"),
        (repository("url = \"https://x:y@git.example/a\""), "3:7 a profile holds no secrets"),
        (repository("url = \"..\"\nbasepath = \"/a\""), "4:12 this must be relative to the repository's top"),
        (repository("url = \"..\"\npath = \"../a\""), "4:8 this must be relative to the repository's top"),
        (repository("url = \"..\"\npath = \"\""), "4:8 a repository's path must not be empty"),
        (
            repository("url = \"..\"\nrevision = \"HEAD\""),
            "4:12 the revision of a folder is the name of a branch",
        ),
        (
            repository("url = \"..\"\nrevision = \"a..b\""),
            "4:12 the revision of a folder is the name of a branch",
        ),
        (
            repository("url = \"https://git.example/a\"\nrevision = \"\""),
            "4:12 a revision is a branch, a tag or",
        ),
    ];
    for (text, expected) in cases {
        let found = found(&text);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{text}: {found:?}");
    }
}

#[test]
fn findings_of_every_stage_come_at_once() {
    let text = "hub = { name = \"Hub\", local = { nodes = \"1\" } }\n[adons]\n[addons]\nenable_x = true\n[spokes.dev]\n";
    assert_eq!(found(text).len(), 5, "{:?}", found(text));
}

#[test]
fn syntax_errors_come_all_at_once_and_hide_guesses_about_their_lines() {
    let text = "[hub.local]\nnodes = \n[site]\nprotect = tru\nmode = 1\n";
    let found = found(text);
    assert!(found.iter().any(|found| found.starts_with("2:")), "{found:?}");
    assert!(found.iter().any(|found| found.starts_with("4:")), "{found:?}");
    assert!(found.contains(&"5:1 unknown key `site.mode`".to_owned()), "{found:?}");
    assert!(!found.iter().any(|found| found.contains("nodes") || found.contains("protect")), "{found:?}");
}

#[test]
fn help_says_what_to_write() {
    let cases = [
        ("[hub.local]\nnode = 1\n", "did you mean `nodes`?"),
        ("[hub.local]\n[zebra]\n", "known here: site, kube, hub, spokes, addons, repos, argocd, secrets"),
        ("[hub.local]\nnodes = \"3\"\n", "write it without quotes: 3"),
        ("[hub.local]\n[hub.labels]\na = 1\n", "write it in quotes"),
        ("[hub]\n", "add a table `[hub.local]`"),
        ("[hub.local]\n[addons]\nenable_x = true\n", "write `x`"),
    ];
    for (text, expected) in cases {
        assert_eq!(help(text), expected, "{text}");
    }
}

#[test]
fn repositories_are_urls_or_folders() {
    let source = |url: &str| {
        let site = read_text(&repository(&format!("url = \"{url}\""))).unwrap();
        site.repositories.into_values().next().unwrap().source
    };
    for url in ["https://git.example/a.git", "ssh://git@h/a", "git@h:a/b.git", "file:///a"] {
        assert_eq!(source(url), RepositorySource::Url(url.to_owned()));
    }
    for (path, folder) in [
        (".", "/root/sites/x"),
        ("..", "/root/sites"),
        ("../..", "/root"),
        ("./a/../b", "/root/sites/x/b"),
        ("/srv/./git", "/srv/git"),
        ("~/git", "/home/x/git"),
        ("~", "/home/x"),
    ] {
        assert_eq!(source(path), RepositorySource::Folder(folder.into()), "{path}");
    }
}

#[test]
fn basepaths_end_in_a_slash_or_are_empty() {
    for (typed, expected) in [("addons", "addons/"), ("addons/", "addons/"), ("", "")] {
        let site = read_text(&repository(&format!("url = \"..\"\nbasepath = \"{typed}\""))).unwrap();
        assert_eq!(site.repositories.into_values().next().unwrap().basepath, expected);
    }
}

#[test]
fn the_schema_knows_the_keys_that_the_types_hold() {
    let text = "[site]\nprotect = true\n[hub]\nname = \"h\"\nenvironment = \"control-plane\"\n[hub.local]\nnodes = 2\n\
        [hub.addons]\na = true\n[hub.labels]\nteam = \"t\"\n[hub.annotations]\n\"x/y\" = \"anything at all\"\n\
        [spokes.dev]\nenvironment = \"e\"\n[spokes.dev.local]\nnodes = 3\n[spokes.dev.addons]\n[spokes.dev.labels]\n\
        [spokes.dev.annotations]\n[addons]\n[repos.addons]\nurl = \"..\"\nbasepath = \"\"\npath = \".\"\nrevision = \"r\"\n\
        [argocd]\nversion = \"v3.2.11\"\nnamespace = \"n\"\n";
    let site = read_text(text).unwrap();
    assert!(site.protect);
    assert_eq!(site.cluster(&"dev".parse::<ClusterName>().unwrap()).unwrap().environment, "e");
    assert_eq!(site.hub.labels["team"], "t");
    assert_eq!(site.hub.annotations["x/y"], "anything at all");
    assert_eq!(site.argocd.namespace, "n");
}

#[test]
fn no_part_of_a_profile_makes_it_panic() {
    let text = format!("{DEFAULT}[hub.labels]\n\"größe\" = '''x\n'''\n[[a.b]]\nc = [1, {{ d = 2 }}]\n");
    for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
        let _ = found(&text[..end]);
        let _ = found(&text[end..]);
    }
    let findings = read_text("\u{feff}[hub\r\n\u{0}= \r").unwrap_err();
    assert!(!findings.render(false, 80).is_empty());
}

#[test]
fn the_built_in_profile_is_a_hub_and_two_spokes() {
    let root = tempfile::tempdir().unwrap();
    let site = load(Some(root.path()), &"local".parse().unwrap(), &Overrides::default()).unwrap();
    assert_eq!(site.profile, None);
    let clusters: Vec<_> = site.clusters().map(|cluster| cluster.name.as_str()).collect();
    assert_eq!(clusters, ["hub", "dev", "staging"]);
    let folder = RepositorySource::Folder(root.path().into());
    assert!(site.repositories.values().all(|repository| repository.source == folder));
}

#[test]
fn a_file_wins_over_the_built_in_profile() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("sites/local");
    crate::files::make_folder(&folder).unwrap();
    let name = "local".parse().unwrap();
    crate::files::replace(&folder.join("profile.toml"), SMALLEST.as_bytes(), 0o600).unwrap();
    let site = load(Some(root.path()), &name, &Overrides::default()).unwrap();
    assert_eq!(site.profile, Some(folder.join("profile.toml")));
    assert!(matches!(
        load(Some(root.path()), &"other".parse().unwrap(), &Overrides::default()),
        Err(LoadError::Absent(_))
    ));
    assert!(matches!(load(None, &"log".parse().unwrap(), &Overrides::default()), Err(LoadError::Taken(_))));
    assert!(matches!(
        load(None, &"other".parse().unwrap(), &Overrides::default()),
        Err(LoadError::NoRoot(_))
    ));
    let LoadError::Invalid(findings) = load(None, &name, &Overrides::default()).unwrap_err() else {
        panic!("it has a folder")
    };
    assert!(findings.rows().iter().all(|row| row.message.contains("relative")), "{findings:?}");
}
