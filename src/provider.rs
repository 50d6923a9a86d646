//! Providers: what makes a cluster. The only place where a site's choice of provider is matched.

pub mod local;
