//! An HTTP server of a test's own.
//!
//! It listens in the network of the thread that started it: the operator's, if that thread has
//! [`Hosts`](super::hosts::Hosts). It has a thread of its own, so that a test may wait for commands.

use std::convert::Infallible;
use std::error::Error;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// Serves until it is closed or dropped.
pub(crate) struct Server {
    /// `http://<address>:<port>`, or with `https`.
    pub(crate) url: String,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Server {
    /// Listens on a port that is free, and answers every request.
    pub(crate) fn start<A, F, B>(address: Ipv4Addr, answer: A) -> Self
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        Self::on(address, None, answer)
    }

    /// The same by HTTPS. Returns its certificate, in PEM, for which nobody vouches.
    pub(crate) fn start_secured<A, F, B>(address: Ipv4Addr, answer: A) -> (Self, String)
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let own = rcgen::generate_simple_self_signed([address.to_string()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key.into())
            .unwrap();
        (Self::on(address, Some(Arc::new(config).into()), answer), own.cert.pem())
    }

    fn on<A, F, B>(address: Ipv4Addr, tls: Option<TlsAcceptor>, answer: A) -> Self
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let listener = TcpListener::bind((address, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! { () = serve(listener, tls, answer) => {}, _ = stopped => {} }
            });
        });
        Self { url, running: Some((stop, thread)) }
    }

    /// Refuses connections from now on.
    pub(crate) fn close(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

async fn serve<A, F, B>(listener: TcpListener, tls: Option<TlsAcceptor>, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let answer = answer.clone();
        let answer = service_fn(move |request| {
            let answer = answer(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let Some(tls) = tls.clone() else {
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            continue;
        };
        tokio::spawn(async move {
            if let Ok(stream) = tls.accept(stream).await {
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
            }
        });
    }
}
