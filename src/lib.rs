//! Bridgehead takes a Kubernetes fleet from a site profile to a running GitOps Bridge, and takes it away again.
//!
//! # Words
//! A *site* is a folder under `sites/`; its *profile* is TOML. A *cluster* is the hub or a spoke; a *provider*
//! makes clusters. A *step* is one thing that must be true; a *flow* is an ordered tree of steps. *Facts* are
//! what looking at the world revealed; a *change* is one difference that a step would remove; a *finding* is
//! something wrong in a profile; a *mark* is how we recognise what is ours; an *addon* is a label `enable_<name>`.
//!
//! # Layers
//! ```text
//! cli -> flow, aws, components, engine, site, report, env, files, template
//! flow -> provider, gitops, components, engine, site, env, k8s, files
//! provider -> node, aws, components, engine, site, env, k8s, ssh, template, files   (never gitops, cli, flow or report)
//! gitops -> engine, site, env, k8s, template, files                    (never provider, cli, flow or report)
//! node -> k8s, engine, site::secret, files                             (it knows no site and no profile)
//! components -> engine, site, env, files        env -> aws, k8s, ssh, site::{name, secret}
//! k8s -> engine, site::{name, secret}, files     ssh -> engine, files, site::inventory, site::secret
//! aws -> engine, site::secret      template -> files
//! report -> engine, site::name      engine -> site::name, site::secret      site, files -> nothing of ours
//! ```
//! A test checks these arrows.
//!
//! # Limits
//! So that a fleet of hundreds fits a laptop, its line and its API servers, this much happens at once and the rest waits:
//!
//! | what | how much | where |
//! |---|---|---|
//! | steps that look or change something, about one a cluster | 64, or `--concurrency` | [`engine::run::AT_ONCE`] |
//! | requests to one API server | 16 | [`k8s::REQUESTS`] |
//! | credential plugins | 8 | [`k8s::PLUGINS`] |
//! | logins to hosts | 30 | [`ssh::LOGINS`] |
//! | files on their way to hosts | 5 | [`ssh::UPLOADS`] |
//! | asking again what a server refuses for now | 30 s | [`k8s::PATIENCE`] |
//!
//! The process may have as many files open as the system lets anybody, and at most 65536. Where those are few for the clusters
//! of the site, fewer are worked on at once and no connection outlives its request. One look of a step comes to an end within
//! 5 minutes.
//!
//! # A new provider
//! 1. Its table: the variant, its fields and its name in `site/provider.rs`, what may be typed in `site/profile.rs` and
//!    `site/profile/schema.rs`, and the way from the one to the other in `site/validate/cluster.rs`, with rules of its
//!    own in a file beside it.
//! 2. Its folder `provider/<name>`: steps, and one type that implements [`provider::Lifecycle`]. The last step of
//!    [`provision`](provider::Lifecycle::provision) yields the cluster's facts, by which everybody else goes.
//! 3. Its arm in [`provider::of`], the only place outside of `site` where the choice is matched, which a test checks.
//! 4. An example under `sites/`, tests in a folder of its name, a section of the README.
//!
//! If another file has to change, a question is missing: one that the profile answers is a method of
//! [`site::Cluster`], one that takes a look or a deed is a method of [`provider::Lifecycle`].

pub mod aws;
pub mod cli;
pub mod components;
pub mod engine;
pub mod env;
pub mod files;
pub mod flow;
pub mod gitops;
pub mod k8s;
pub mod node;
pub mod provider;
pub mod report;
pub mod site;
pub mod ssh;
pub mod template;
