//! `graph`: a site as a picture.

use std::collections::BTreeMap;
use std::io::Write;

use clap::{Args, ValueEnum};

use super::Global;
use super::environment::SITE;
use super::error::CommandError;
use super::exit::Exit;
use super::session::{Session, Show};
use crate::engine::Tree;
use crate::flow;
use crate::report::picture::{Form, Picture};
use crate::site::name::SiteName;
use crate::site::{RepositorySource, Site};

/// Draw the fleet, or what `up` does in its order; nothing is looked at
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bridgehead graph local                          for a README: Mermaid
  bridgehead graph local --format svg > fleet.svg
  bridgehead graph local --steps --format dot > steps.dot")]
pub(super) struct Graph {
    /// The site: a folder under sites/
    #[arg(env = SITE, hide_env_values = true)]
    site: SiteName,
    /// The steps of `up` instead of the fleet
    #[arg(long)]
    steps: bool,
    /// The language of the picture
    #[arg(long, value_name = "FORM", default_value = "mermaid")]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Mermaid, which Git hosts show
    Mermaid,
    /// The language of Graphviz
    Dot,
    /// A picture by itself
    Svg,
}

impl Graph {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        Session::run(global, &self.site.clone(), Show::Nothing, async |session| {
            let picture = if self.steps {
                steps(&flow::up::tree(&session.site, &session.env))
            } else {
                fleet(&session.site)
            };
            let form = match self.format {
                Format::Mermaid => Form::Mermaid,
                Format::Dot => Form::Dot,
                Format::Svg => Form::Svg,
            };
            let _ = write!(std::io::stdout().lock(), "{}", picture.draw(form));
            Ok(Exit::Done)
        })
    }
}

/// The repositories, the hub that reads them, and the clusters that it deploys to.
fn fleet(site: &Site) -> Picture {
    let mut picture = Picture::new(site.name.as_str());
    let label = |cluster: &crate::site::Cluster| {
        let on = cluster.addons.iter().filter(|(_, on)| **on).map(|(name, _)| name.as_str());
        let mut lines =
            vec![cluster.name.to_string(), format!("{}, {}", cluster.provider.name(), cluster.environment)];
        let on: Vec<_> = on.collect();
        if !on.is_empty() {
            lines.push(format!("addons: {}", on.join(", ")));
        }
        lines
    };
    let hub = picture.node(label(&site.hub));
    for (name, repository) in &site.repositories {
        let place = match &repository.source {
            RepositorySource::Url(url) => url.clone(),
            RepositorySource::Folder(path) => path.display().to_string(),
        };
        let path = format!("{}{} at {}", repository.basepath, repository.path, repository.revision);
        let node = picture.node(vec![format!("repository {name}"), place, path]);
        picture.edge(node, hub);
    }
    for spoke in &site.spokes {
        let node = picture.node(label(spoke));
        picture.edge(hub, node);
    }
    picture
}

fn steps(tree: &Tree) -> Picture {
    let mut picture = Picture::new("up");
    let order = tree.order();
    let nodes: BTreeMap<_, _> =
        order.iter().map(|(step, _)| (step, picture.node(vec![step.to_string()]))).collect();
    for (step, before) in &order {
        for before in before {
            picture.edge(nodes[before], nodes[step]);
        }
    }
    picture
}
