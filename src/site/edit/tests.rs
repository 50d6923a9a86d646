use super::*;

fn addon(name: &str) -> AddonName {
    name.parse().unwrap()
}

fn set(text: &str, cluster: Option<(&str, Role)>, name: &str, on: bool) -> Result<String, EditError> {
    let cluster = cluster.map(|(name, role)| (name.parse::<ClusterName>().unwrap(), role));
    set_addon(text, cluster.as_ref().map(std::slice::from_ref), &addon(name), on)
}

const HUB: Option<(&str, Role)> = Some(("hub", Role::Hub));
const DEV: Option<(&str, Role)> = Some(("dev", Role::Spoke));

/// Profiles that are written in every way that TOML has.
const ODD: &[&str] = &[
    crate::site::load::DEFAULT,
    "[hub.local]\n[spokes.dev.local]\n",
    "[hub]\nlocal = {} # none\naddons.a = true # kept\n[spokes.dev]\nlocal.nodes = 1\n# end",
    "hub.local = {}\nspokes.dev.local.nodes = 1\nsite.protect=true\n",
    "hub = { local = {}, addons = { a = true } }\nspokes = { dev = { local = {} } }",
    "hub = { addons.a = true, local = {} }\nspokes = { dev = { local = {}, addons.a = false } }\n",
    "[hub]\nlocal = {\n  # none\n}\naddons = {\n  a = true, # one\n  b = false # two\n}\n[spokes]\ndev = {\n\tlocal = {},\n\taddons = { }, # none\n}\n",
    "[hub]\r\n# why\r\nlocal = {}\r\n\r\n[hub.addons]\r\na = true\r\n# c\r\n[spokes.dev.local]\r\n[addons]\r\na = false # off\r\n",
    "\u{feff}# bom\n[addons]\n[spokes.dev.addons]\na = false   # off\n[spokes.dev.local]\n[hub]\n[hub.local]\n",
    "[addons]\n\"a\" = false\n[hub.local]\n[spokes.\"dev\"]\n\"local\" = {}\n[spokes.dev.labels]\nx = '''\ny'''\n",
];

fn value(text: &str) -> toml::Table {
    toml::from_str(text.trim_start_matches('\u{feff}')).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What holds on a cluster: its own table, or else the site's.
fn holds(table: &toml::Table, path: &[&str], name: &str) -> bool {
    let mut cluster = table;
    for key in path {
        cluster = cluster[*key].as_table().unwrap();
    }
    let said = |table: &toml::Table| table.get("addons").and_then(|addons| addons.get(name)?.as_bool());
    said(cluster).or(said(table)).unwrap_or(false)
}

/// The profile without the addon, and without tables that are empty then.
fn rest(mut table: toml::Table, name: &str) -> toml::Table {
    for (_, value) in &mut table {
        if let toml::Value::Table(below) = value {
            *below = rest(std::mem::take(below), name);
        }
    }
    if let Some(toml::Value::Table(addons)) = table.get_mut("addons") {
        addons.remove(name);
        if addons.is_empty() {
            table.remove("addons");
        }
    }
    table
}

#[test]
fn it_holds_afterwards_and_everything_else_stays() {
    let paths: [&[&str]; 2] = [&["hub"], &["spokes", "dev"]];
    for text in ODD {
        for (cluster, changed) in [(HUB, &paths[..1]), (DEV, &paths[1..]), (None, &paths[..])] {
            for (name, on) in [("a", true), ("a", false), ("new", true), ("new", false)] {
                let edited = set(text, cluster, name, on).unwrap();
                let (before, after) = (value(text), value(&edited));
                for path in paths {
                    let expected = if changed.contains(&path) { on } else { holds(&before, path, name) };
                    assert_eq!(
                        holds(&after, path, name),
                        expected,
                        "{path:?} {name}={on}\n{text}\n---\n{edited}"
                    );
                }
                assert_eq!(rest(after, name), rest(before, name), "{edited}");
                assert_eq!(set(&edited, cluster, name, on).unwrap(), edited, "a second edit changes nothing");
                for comment in text.lines().filter_map(|line| line.split_once('#')) {
                    assert!(edited.contains(comment.1.trim_end()), "{comment:?}\n{edited}");
                }
                let crlf = |text: &str| text.matches("\r\n").count() == text.matches('\n').count();
                assert_eq!(crlf(&edited), crlf(text));
            }
        }
    }
}

#[test]
fn what_holds_already_is_left_alone() {
    for text in ODD {
        assert_eq!(set(text, HUB, "unheard_of", false).unwrap(), *text);
        assert_eq!(set(text, None, "unheard_of", false).unwrap(), *text);
    }
    let text = "[hub.local]\n[addons]\na=true\n";
    assert_eq!(set(text, HUB, "a", true).unwrap(), text);
}

#[test]
fn edits_look_as_if_a_person_had_made_them() {
    let cases = [
        (
            "[hub.local]\n# x\n[addons]\na = true\n",
            HUB,
            "[hub.local]\n[hub.addons]\nb = true\n# x\n[addons]\na = true\n",
        ),
        (
            "[argocd]\ntarget_name = \"x\" # the hub\n",
            HUB,
            "[argocd]\ntarget_name = \"x\" # the hub\n[hub.addons]\nb = true\n",
        ),
        (
            "[argocd]\ncluster_name = \"dev\"\n",
            DEV,
            "[argocd]\ncluster_name = \"dev\"\n[spokes.dev.addons]\nb = true\n",
        ),
        ("[argocd]\ntarget_name = \"x\"\n", None, "[argocd]\ntarget_name = \"x\"\n\n[addons]\nb = true\n"),
        ("[hub.local]\n", None, "[hub.local]\n\n[addons]\nb = true\n"),
        ("[hub.addons]\nb = false # no\n", HUB, "[hub.addons]\nb = true # no\n"),
        ("[hub]\naddons = { a = true }\n", HUB, "[hub]\naddons = { a = true, b = true }\n"),
        ("[hub]\naddons = {}\n", HUB, "[hub]\naddons = { b = true }\n"),
        ("[hub]\naddons.a = true\n", HUB, "[hub]\naddons.a = true\naddons.b = true\n"),
        (
            "[hub]\naddons = {\n  a = true, # a\n}\n",
            HUB,
            "[hub]\naddons = {\n  a = true, # a\n  b = true,\n}\n",
        ),
        (
            "[hub]\naddons = {\n  a = true # a\n}\n",
            HUB,
            "[hub]\naddons = {\n  a = true, # a\n  b = true\n}\n",
        ),
        (
            "[addons]\nb = false\n[hub.local]\n[spokes.dev.addons]\nb = false # why\n",
            None,
            "[addons]\nb = true\n[hub.local]\n[spokes.dev.addons]\nb = true # why\n",
        ),
    ];
    for (text, cluster, expected) in cases {
        assert_eq!(set(text, cluster, "b", true).unwrap(), expected);
    }
}

#[test]
fn what_cannot_be_edited_is_refused() {
    let error = |text, cluster| set(text, cluster, "a", true).unwrap_err().to_string();
    assert_eq!(error("hub = 1\n", HUB), "cannot switch the addon `a`: `hub` is not a table");
    assert_eq!(error("[hub]\naddons = 1\n", HUB), "cannot switch the addon `a`: `hub.addons` is not a table");
    assert!(matches!(set("[hub\n", HUB, "a", true), Err(EditError::Syntax { .. })));
}

#[test]
fn no_part_of_a_profile_makes_it_panic() {
    for text in ODD {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let _ = set(&text[..end], DEV, "a", true);
            let _ = set(&text[..end], None, "new", true);
        }
    }
}
