use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::site::name::SiteName;
use crate::site::secret::Secret;

const OURS: [&str; 2] = ["home/hub", "home/dev"];

fn home() -> SiteName {
    "home".parse().expect("valid")
}

/// What the site would merge, its tokens ending in `generation`.
fn document(generation: u8) -> Value {
    let access = |number| {
        let token = Credentials::Token(Secret::new(format!("token-{number}-{generation}")));
        Access::new(format!("https://10.0.0.{number}:6443"), "ca", token)
    };
    let accesses = [access(1), access(2)];
    of(OURS.iter().copied().zip(&accesses))
}

fn file(text: &str) -> KubeconfigFile {
    KubeconfigFile::parse(Path::new("/home/me/.kube/config"), text)
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn refused(text: &str) -> String {
    let error =
        KubeconfigFile::parse(Path::new("config"), text).map(|_| ()).expect_err("it is no kubeconfig");
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {source}")
}

fn merged(file: &KubeconfigFile) -> KubeconfigFile {
    file.merged(&home(), &document(1)).expect("no names are taken")
}

fn json(file: &KubeconfigFile) -> Value {
    file.document.as_ref().map_or(Value::Null, Node::to_json)
}

/// A kubeconfig as people have them.
const ODD: &str = "\u{feff}# mine
apiVersion: v1
kind: Config
preferences: {colors: true}
current-context: work
colours: [red,   'green']
clusters:
- name: work
  cluster: &work
    server: https://work.example:6443   # by hand
    insecure-skip-tls-verify: no
    x-team: 0x1F
- {name: again, cluster: *work}
- name: work
  cluster: {server: https://shadowed.example}
contexts:
- context: {cluster: work, user: aws, namespace: 1e3, extensions: [{name: theirs, extension: {a: 1}}]}
  name: work
users:
- name: aws
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: aws
      args: [eks, get-token, \"--cluster-name=\\u00fc\"]
      env:
      - {name: NOTE, value: |-
          two
          lines}
      interactiveMode: Never
";

fn odd() -> String {
    // A block scalar cannot stand in braces.
    ODD.replace(
        "- {name: NOTE, value: |-\n          two\n          lines}",
        "- name: NOTE\n        value: |-\n          two\n          lines",
    )
}

#[test]
fn everything_that_is_not_ours_stays() {
    let before = file(&odd());
    let after = file(&merged(&before).text());
    for list in ["clusters", "contexts", "users"] {
        let entries = before.entries(list);
        assert!(after.entries(list)[..entries.len()] == *entries, "{}", after.text());
        assert_eq!(after.entries(list).len(), entries.len() + 2);
    }
    let (before, after) = (json(&before), json(&after));
    for key in ["apiVersion", "kind", "preferences", "current-context", "colours"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    let text = merged(&file(&odd())).text();
    for kept in ["insecure-skip-tls-verify: no\n", "x-team: 0x1F\n", "namespace: 1e3\n", "\"two\\nlines\"\n"]
    {
        assert!(text.contains(kept), "{kept} in {text}");
    }
    assert!(text.find("colours").expect("kept") < text.find("clusters").expect("kept"), "{text}");
}

#[test]
fn what_is_merged_is_taken_out_again() {
    let before = file(&odd());
    let after = merged(&before);
    assert!(after.without(&home(), |_| false) == before);
    assert!(after.without(&"other".parse().expect("valid"), |_| false) == after);
    assert_eq!(after.contexts_of(&home()), OURS);
    assert_eq!(after.without(&home(), |name| name == OURS[1]).contexts_of(&home()), [OURS[1]]);
    let current = after.using(OURS[0]);
    assert_eq!(json(&current)["current-context"], OURS[0]);
    assert_eq!(json(&current.without(&home(), |_| false))["current-context"], "");
}

#[test]
fn a_file_that_holds_only_the_sites_entries_is_told_from_others() {
    let other = "other".parse().expect("valid");
    assert!(merged(&file("")).holds_only(&home()) && !merged(&file("")).holds_only(&other));
    assert!(!merged(&file(&odd())).holds_only(&home()));
    assert!(file("users: []\n").holds_only(&home()));
}

#[test]
fn a_second_merge_changes_nothing_and_a_newer_one_replaces_in_place() {
    let first = file(&merged(&file(&odd())).text());
    assert!(merged(&first) == first);
    let renewed = first.merged(&home(), &document(2)).expect("the names are ours");
    let tokens = json(&renewed)["users"].to_string();
    assert!(tokens.contains("token-2-2") && !tokens.contains("token-2-1"), "{tokens}");
    assert_eq!(renewed.entries("users").len(), first.entries("users").len());
}

#[test]
fn an_entry_of_somebody_else_is_not_replaced() {
    let theirs = file("users: [{name: home/dev, user: {token: theirs}}]");
    let Err(error) = theirs.merged(&home(), &document(1)) else { panic!("it was replaced") };
    assert!(error.to_string().contains("`home/dev` under `users`"), "{error}");
}

#[test]
fn line_ends_stay_and_nothing_becomes_a_kubeconfig() {
    let windows = file("apiVersion: v1\r\nkind: Config\r\nclusters:\r\n");
    let text = merged(&windows).text();
    assert_eq!(text.matches("\r\n").count(), text.matches('\n').count());
    for nothing in ["", "---\n", "# only a comment\n", "null"] {
        let made = merged(&file(nothing));
        assert_eq!(json(&made)["kind"], "Config");
        assert_eq!(json(&made)["current-context"], "");
        assert_eq!(made.contexts_of(&home()), OURS);
    }
}

#[test]
fn what_is_no_kubeconfig_is_refused_without_quoting_it() {
    for (text, place) in [
        ("users: [\n  {secret: }}", "it is not YAML"),
        ("secret", "is not a map"),
        ("- secret", "is not a map"),
        ("users: secret", "its `users` are not a list"),
        ("a: !secret x", "line 1: it has a tag"),
        ("a: {<<: secret}", "it has a key `<<` that leads to no map"),
        ("? [secret]\n: 1", "it has a key that is not a text"),
        ("a: &a [*a]", "an alias of itself"),
    ] {
        let told = refused(text);
        assert!(told.contains(place), "{text}: {told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

#[test]
fn aliases_cannot_blow_a_document_up() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(refused(&text).contains("too many entries"));
    assert!(refused(&"[".repeat(100_000)).contains("line 1"));
}

#[test]
fn a_context_is_an_access() {
    let files = [file(&odd())];
    let path = Path::new("config");
    let found = access(path, &files, "work").expect("it is there");
    assert_eq!(found.server, "https://work.example:6443");
    assert_eq!(found.authority, None);
    assert!(!format!("{found:?}").contains("get-token"), "{found:?}");
    let shown = of([("a", &found)]);
    assert_eq!(shown["users"][0]["user"]["exec"]["args"][2], "--cluster-name=\u{fc}");
    assert_eq!(shown["users"][0]["user"]["exec"]["env"][0]["value"], "two\nlines");
    let told = |text: &str, context: &str| {
        access(path, &[file(text)], context).expect_err("it cannot be used").to_string()
    };
    assert!(told(&odd(), "w").contains("has no context `w`; it has work"));
    assert!(
        access(path, &[], "w").expect_err("no file").to_string().contains("there is no kubeconfig `config`")
    );
    for (cluster, user, what) in [
        ("{server: a, insecure-skip-tls-verify: true}", "{}", "`insecure-skip-tls-verify`"),
        ("{server: a, insecure-skip-tls-verify: yes}", "{}", "`insecure-skip-tls-verify`"),
        ("{}", "{}", "without `server`"),
        ("{server: a, certificate-authority-data: '?'}", "{}", "not base64"),
        ("{server: a}", "{auth-provider: {name: gcp}}", "the `auth-provider` `gcp`"),
        ("{server: a}", "{token: [x]}", "malformed"),
        ("{server: a}", "{client-key-data: '?'}", "`client-key-data` is not base64"),
        ("{server: 'ftp://a'}", "{}", "no URL of http or https"),
        ("{server: 'https://a', proxy-url: 'a:1'}", "{}", "whose `proxy-url` is no URL"),
    ] {
        let text = format!(
            "clusters: [{{name: c, cluster: {cluster}}}]\nusers: [{{name: u, user: {user}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}, {{name: y, context: {{cluster: c, user: gone}}}}]"
        );
        let error = told(&text, "x");
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn the_file_of_a_token_goes_before_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let token = |user: &str| {
        let text = format!(
            "clusters: [{{name: c, cluster: {{server: 'https://a'}}}}]\nusers: [{{name: u, user: {user}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]"
        );
        let file = KubeconfigFile::parse(&folder.path().join("config"), &text).expect("a kubeconfig");
        let found =
            access(file.path(), std::slice::from_ref(&file), "x").map_err(|error| error.to_string())?;
        Ok::<_, String>(
            of([("x", &found)])["users"][0]["user"]["token"].as_str().unwrap_or_default().to_owned(),
        )
    };
    crate::files::replace(&folder.path().join("me"), b"abc\n", 0o600).expect("written");
    assert_eq!(token("{tokenFile: me}").as_deref(), Ok("abc"));
    assert_eq!(token("{tokenFile: me, token: old}").as_deref(), Ok("abc"));
    assert_eq!(token("{tokenFile: gone, token: old}").as_deref(), Ok("old"));
    assert!(
        token("{tokenFile: gone}").expect_err("there is none").contains("`tokenFile` `gone` cannot be read")
    );
}

#[test]
fn a_document_that_nobody_reads_is_not_lost() {
    let two = file("users: []\n---\nb: secret\n");
    let error = two.editable().expect_err("it would be lost");
    assert!(
        std::error::Error::source(&error)
            .expect("a place")
            .to_string()
            .contains("line 2: it has a second document")
    );
    assert!(file(&odd()).editable().is_ok());
}

/// It is merged again and again; what somebody adds to the site's entries meanwhile stays.
#[test]
fn what_a_person_adds_to_our_entries_stays() {
    let text = merged(&file("")).text();
    let ours = "extensions:\n    - extension:\n        site: home\n";
    let added = [
        ("    cluster: home/hub\n", "    cluster: home/hub\n    namespace: team\n"),
        (
            "    server: https://10.0.0.1:6443\n",
            "    proxy-url: http://proxy.example:3128\n    server: https://10.0.0.1:6443\n",
        ),
        ("    token: token-1-1\n", "    as: jane\n    token: token-1-1\n"),
        (
            ours,
            "extensions:\n    - name: theirs\n      extension: {}\n    - extension:\n        site: home\n",
        ),
    ];
    let text = added.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from} in {text}");
        text.replacen(from, to, 1)
    });
    let theirs = file(&text);
    assert!(merged(&theirs) == theirs, "no change: {}", merged(&theirs).text());
    let renewed = theirs.merged(&home(), &document(2)).expect("the names are ours").text();
    for kept in ["namespace: team", "proxy-url: http", "as: jane", "name: theirs"] {
        assert!(renewed.contains(kept), "{kept} in {renewed}");
    }
    assert!(renewed.contains("token-1-2") && !renewed.contains("token-1-1"), "{renewed}");
    let certificate = json!({ "users": [{ "name": OURS[0], "user": { "client-key-data": "a" } }], "clusters": [], "contexts": [] });
    let other = json(&theirs.merged(&home(), &certificate).expect("ours"))["users"][0]["user"].clone();
    assert!(other["token"].is_null() && other["as"] == "jane", "another way to log in: {other}");
}

#[test]
fn files_are_relative_to_the_kubeconfig_that_names_them() {
    let text = "clusters: [{name: c, cluster: {server: 'https://a/'}}]
users: [{name: u, user: {client-certificate: me.pem, client-key: /keys/me, tokenFile: '', token: 0123, exec: {command: ./bin/login}}}]
contexts: [{name: x, context: {cluster: c, user: u}}]";
    let found = access(Path::new("config"), &[file(text)], "x").expect("it is there");
    assert_eq!(found.server, "https://a");
    let user = &of([("x", &found)])["users"][0]["user"];
    assert_eq!(user["client-certificate"], "/home/me/.kube/me.pem");
    assert_eq!(user["client-key"], "/keys/me");
    assert_eq!(user["exec"]["command"], "/home/me/.kube/bin/login");
    assert_eq!(user["token"], "0123");
}

/// Any text that YAML may have, often one that readers take for something else.
fn texts() -> impl Strategy<Value = String> {
    const ODD: &[&str] = &[
        "yes",
        "~",
        "1e3",
        "0x1F",
        "- a",
        "a: b",
        "a #b",
        "",
        "'",
        "\"",
        "{}",
        "*a",
        "&a",
        "!t",
        "%",
        "\u{fc}",
        "a\nb",
        " a ",
        "\u{2028}",
        "\t",
        "null",
        "2001-01-01",
        "@",
        "|",
        "#",
        "? x",
        "\u{1}",
    ];
    prop_oneof![
        proptest::sample::select(ODD).prop_map(ToOwned::to_owned),
        "[ -~]{0,12}",
        any::<String>().prop_map(|text| text.chars().filter(|each| *each != '\0').collect()),
    ]
}

fn content() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![texts().prop_map(Value::from), any::<bool>().prop_map(Value::from), Just(Value::Null)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(texts(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Somebody's kubeconfig: lists absent, empty or full, names twice, content of any kind; written as JSON, which is
/// YAML too, or as we write it.
fn kubeconfigs() -> impl Strategy<Value = String> {
    let list = |key: &'static str| {
        let entry =
            ("[a-c]", content()).prop_map(move |(name, content)| json!({ "name": name, key: content }));
        proptest::option::of(proptest::collection::vec(entry, 0..4))
    };
    let lists = (list("cluster"), list("context"), list("user"));
    (lists, proptest::option::of("[a-c]"), content(), any::<bool>()).prop_map(
        |(lists, current, other, as_json)| {
            let mut document = json!({ "other": other });
            let (clusters, contexts, users) = lists;
            for (key, list) in [("clusters", clusters), ("contexts", contexts), ("users", users)] {
                if let Some(list) = list {
                    document[key] = list.into();
                }
            }
            if let Some(current) = current {
                document["current-context"] = current.into();
            }
            if as_json { document.to_string() } else { to_yaml(&document) }
        },
    )
}

proptest! {
    #[test]
    fn any_document_is_read_as_it_was_written(document in content()) {
        let text = to_yaml(&json!({ "a": document }));
        prop_assert_eq!(json(&file(&text)), json!({ "a": document }), "{}", text);
    }

    #[test]
    fn any_file_keeps_what_it_had(text in kubeconfigs()) {
        let before = file(&text);
        let after = file(&merged(&before).text());
        prop_assert!(merged(&after) == after, "a second merge changes nothing");
        for list in ["clusters", "contexts", "users"] {
            let entries: Vec<_> = before.entries(list).iter().map(Node::to_json).collect();
            let kept: Vec<_> = after.entries(list).iter().take(entries.len()).map(Node::to_json).collect();
            prop_assert_eq!(entries, kept);
            for name in OURS {
                prop_assert!(after.find(list, name).is_some());
            }
        }
        let (old, new) = (json(&before), json(&after));
        prop_assert_eq!(&old["other"], &new["other"]);
        prop_assert_eq!(old["current-context"].as_str().unwrap_or_default(), &new["current-context"]);
        let left = after.without(&home(), |_| false);
        for list in ["clusters", "contexts", "users"] {
            let (entries, left) = (before.entries(list), left.entries(list));
            let json = |entries: &[Node]| entries.iter().map(Node::to_json).collect::<Vec<_>>();
            prop_assert_eq!(json(entries), json(left));
        }
    }
}
