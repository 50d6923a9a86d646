//! The Ingress of Argo CD's API server.

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
    IngressSpec, IngressTLS, ServiceBackendPort,
};

use super::server::SERVICE;
use crate::gitops::part;
use crate::k8s::Object;
use crate::site;
use crate::site::name::SiteName;

/// The Secret with the certificate: the name under which Argo CD itself would look for one, too.
const CERTIFICATE: &str = "argocd-server-tls";

/// The object for what the profile says.
pub(super) fn object(site: &SiteName, namespace: &str, ingress: &site::Ingress) -> Object {
    let port =
        ServiceBackendPort { number: Some(ingress.service_port.into()), ..ServiceBackendPort::default() };
    let service = IngressServiceBackend { name: SERVICE.to_owned(), port: Some(port) };
    let path = HTTPIngressPath {
        path: Some("/".to_owned()),
        path_type: "Prefix".to_owned(),
        backend: IngressBackend { service: Some(service), ..IngressBackend::default() },
    };
    let certificate =
        IngressTLS { hosts: Some(vec![ingress.host.clone()]), secret_name: Some(CERTIFICATE.to_owned()) };
    let mut object = Ingress::default();
    object.metadata.name = Some(SERVICE.to_owned());
    object.metadata.namespace = Some(namespace.to_owned());
    object.spec = Some(IngressSpec {
        ingress_class_name: ingress.class_name.clone(),
        rules: Some(vec![IngressRule {
            host: Some(ingress.host.clone()),
            http: Some(HTTPIngressRuleValue { paths: vec![path] }),
        }]),
        tls: ingress.tls.then(|| vec![certificate]),
        ..IngressSpec::default()
    });
    let mut object = Object::of(&object);
    object.mark_as_made(site, part::ARGOCD);
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_ingress_leads_to_the_server() {
        let profile = site::Ingress {
            class_name: Some("traefik".to_owned()),
            host: "gitops.example".to_owned(),
            service_port: 80,
            tls: false,
        };
        let name = "home".parse().expect("valid");
        let plain = object(&name, "argocd", &profile);
        assert_eq!(plain.to_string(), "Ingress argocd/argocd-server");
        let backend = json!({ "service": { "name": "argocd-server", "port": { "number": 80 } } });
        let path = json!({ "path": "/", "pathType": "Prefix", "backend": backend });
        let rule = json!({ "host": "gitops.example", "http": { "paths": [path] } });
        assert_eq!(plain.get(&["spec"]), Some(&json!({ "ingressClassName": "traefik", "rules": [rule] })));
        let secured = object(&name, "argocd", &site::Ingress { class_name: None, tls: true, ..profile });
        let tls = json!([{ "hosts": ["gitops.example"], "secretName": "argocd-server-tls" }]);
        assert_eq!(secured.get(&["spec"]), Some(&json!({ "rules": [rule], "tls": tls })));
    }
}
