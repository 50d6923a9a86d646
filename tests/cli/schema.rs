//! The schema of profiles, held against every profile of the repository, and against `check`.

use std::path::Path;

use boon::{Compiler, Schemas};
use bridgehead::files;
use bridgehead::site::load::{LoadError, Overrides, load};
use bridgehead::site::schema;
use serde_json::{Value, json};

use crate::kit::Lab;
use crate::kit::lab::REPOSITORY;

fn accepts(schema: &Value, document: &Value) -> Result<(), String> {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("schema.json", schema.clone()).unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    schemas.validate(document, index).map_err(|error| error.to_string())
}

fn document(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
}

#[test]
fn every_profile_of_the_repository_fits_the_schema() {
    let lab = Lab::new();
    let printed = lab.ok(&["schema"]).document();
    assert_eq!(printed, schema::profile());
    assert_eq!(lab.ok(&["schema", "--inventory"]).document(), schema::inventory());
    let mut profiles = 0;
    for entry in Path::new(REPOSITORY).join("sites").read_dir().unwrap() {
        let folder = entry.unwrap().path();
        let fits = |name: &str, schema: &Value| {
            let text = files::read_if_present(&folder.join(name)).unwrap();
            text.is_some_and(|text| {
                assert_eq!(accepts(schema, &document(&text)), Ok(()), "{}/{name}", folder.display());
                true
            })
        };
        profiles += usize::from(fits("profile.toml", &printed));
        fits("inventory.toml", &schema::inventory());
    }
    assert!(profiles >= 2, "{profiles}");
    for provider in ["local", "k3s", "eks", "existing"] {
        lab.ok(&["init", provider, "--provider", provider]);
        let text = files::read(&lab.profile(provider)).unwrap();
        assert_eq!(accepts(&printed, &document(&text)), Ok(()), "{provider}");
    }
}

/// A profile, and whether the schema takes it. What it refuses, `check` has to refuse; it need not see all that `check` sees.
const CASES: [(&str, bool); 16] = [
    ("[hub.local]\n", true),
    ("[hub.local]\nnodes = 2\n[spokes.dev.local]\n", true),
    ("[argocd]\ntarget_name = \"a\"\n", true),
    ("", false),
    ("[hub]\n", false),
    ("[hub.local]\n[hub.existing]\ncontext = \"a\"\n", false),
    ("[hub.k3s]\n", false),
    ("[hub.eks]\n", false),
    ("[hub.local]\nnode = 1\n", false),
    ("[hub.local]\nnodes = \"1\"\n", false),
    ("[hub.local]\n[spokes.dev.local]\n[spokes.dev.k3s]\nservers = [\"a\"]\n", false),
    ("[hub.local]\n[addons]\na = 1\n", false),
    ("[hub.local]\n[repos.addons]\npath = \".\"\n", false),
    ("[hub.local]\n[secrets.a]\ndata = { a = \"literal\" }\n", false),
    ("[hub.local]\n[secrets.a]\ndata = { a = { env = \"A\", file = \"b\" } }\n", false),
    ("[hub.local]\n[argocd]\nha = true\n", false),
];

#[test]
fn what_the_schema_refuses_check_refuses() {
    let lab = Lab::new();
    let name = "x".parse().unwrap();
    for (text, is_taken) in CASES {
        assert_eq!(accepts(&schema::profile(), &document(text)).is_ok(), is_taken, "{text}");
        lab.write_profile("x", text);
        let checked = load(Some(&lab.path("root")), &name, &Overrides::default());
        assert!(is_taken || matches!(checked, Err(LoadError::Invalid(_))), "{text}");
    }
    let host = json!({ "vms": { "a": { "ansible_host": "b", "ansible_port": 22 } } });
    assert_eq!(accepts(&schema::inventory(), &host), Ok(()));
    assert!(accepts(&schema::inventory(), &json!({ "vms": { "a": { "ansible_port": 22 } } })).is_err());
}
