//! Connections to ports of a pod over one WebSocket, as the API server asks a kubelet for them.
//!
//! A binary message begins with the number of its channel. Every port has two: an even one for its bytes, and the
//! next one for what went wrong. The first message on each is the port, two bytes, the low one first (as in
//! Kubernetes' `k8s.io/kubelet/pkg/cri/streaming/portforward`).

use std::io;
use std::net::Ipv4Addr;

use futures::future::join_all;
use futures::{SinkExt, StreamExt};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};
use hyper::upgrade::Upgraded;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::worker::Worker;

/// The one protocol that is spoken here.
const PROTOCOL: &str = "v4.channel.k8s.io";

/// How many messages wait for whoever is slower.
const QUEUE: usize = 16;

/// How much is sent at once, in bytes.
const CHUNK: usize = 32 * 1024;

/// A port of a pod, and where that is on this machine.
#[derive(Debug, Clone, Copy)]
struct Port {
    number: u16,
    target: Option<u16>,
}

/// Accepts a request, and serves it as long as the node and both ends want. Yields the status and headers to
/// answer with.
pub(super) fn accept(
    worker: &Worker,
    request: Request<Incoming>,
) -> Result<(StatusCode, HeaderMap), &'static str> {
    let headers = handshake(request.headers()).ok_or("ports are forwarded over WebSocket here")?;
    let numbers = ports(request.uri().query().unwrap_or_default()).ok_or("which ports?")?;
    let services = &worker.node.host.services;
    let target = |number| Port { number, target: services.pod_port(&worker.uid, number) };
    let ports = numbers.into_iter().map(target).collect::<Vec<_>>();
    let stopped = worker.node.stopped.clone();
    tokio::spawn(stopped.run_until_cancelled_owned(async move {
        // Whoever asked may have gone again.
        if let Ok(connection) = hyper::upgrade::on(request).await {
            let connection = TokioIo::new(connection);
            forward(WebSocketStream::from_raw_socket(connection, Role::Server, None).await, &ports).await;
        }
    }));
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers))
}

/// The answer to a handshake, if it is one for the protocol.
fn handshake(headers: &HeaderMap) -> Option<HeaderMap> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let is_websocket = text(UPGRADE)?.eq_ignore_ascii_case("websocket");
    let is_spoken = text(SEC_WEBSOCKET_PROTOCOL)?.split(',').any(|offered| offered.trim() == PROTOCOL);
    let key = derive_accept_key(headers.get(SEC_WEBSOCKET_KEY)?.as_bytes());
    let answer = [
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL)),
        (SEC_WEBSOCKET_ACCEPT, key.parse().ok()?),
    ];
    (is_websocket && is_spoken).then(|| answer.into_iter().collect())
}

/// The ports of a query: `port=80,443`, or `port=80&port=443`. There are channels for 128.
fn ports(query: &str) -> Option<Vec<u16>> {
    let values = query.split('&').filter_map(|pair| pair.strip_prefix("port="));
    let values = values.map(|value| value.replace("%2C", ",")).collect::<Vec<_>>().join(",");
    let ports = values.split(',').map(str::parse).collect::<Result<Vec<_>, _>>().ok()?;
    (ports.len() <= 128).then_some(ports)
}

/// Carries bytes until the WebSocket closes or every port has.
async fn forward(socket: WebSocketStream<TokioIo<Upgraded>>, ports: &[Port]) {
    let (mut sink, mut messages) = socket.split();
    let (frames, mut outgoing) = mpsc::channel(QUEUE);
    let (inputs, connections): (Vec<_>, Vec<_>) = (0..)
        .step_by(2)
        .zip(ports)
        .map(|(channel, port)| {
            let (input, incoming) = mpsc::channel(QUEUE);
            (input, connect(channel, *port, incoming, frames.clone()))
        })
        .unzip();
    drop(frames);
    let receive = async {
        while let Some(Ok(message)) = messages.next().await {
            let Message::Binary(bytes) = message else { continue };
            let Some(channel) = bytes.first().filter(|channel| **channel % 2 == 0) else { continue };
            if let Some(input) = inputs.get(usize::from(*channel) / 2) {
                // A port that has closed wants no more.
                let _ = input.send(bytes.slice(1..)).await;
            }
        }
    };
    let send = async {
        while let Some(frame) = outgoing.recv().await {
            if sink.send(frame).await.is_err() {
                return;
            }
        }
        let _ = sink.close().await;
    };
    tokio::select! {
        () = receive => {}
        _ = async { tokio::join!(join_all(connections), send) } => {}
    }
}

/// One port's connection, from its first messages to its end.
async fn connect(
    channel: u8,
    port: Port,
    mut incoming: mpsc::Receiver<Bytes>,
    frames: mpsc::Sender<Message>,
) {
    let send = async |channel, bytes: &[u8]| frames.send(frame(channel, bytes)).await;
    for channel in [channel, channel + 1] {
        let _ = send(channel, &port.number.to_le_bytes()).await;
    }
    let stream = match port.target {
        Some(target) => TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await,
        None => Err(io::Error::other("no program of the pod listens there")),
    };
    let mut stream = match stream {
        Ok(stream) => stream,
        Err(error) => {
            let _ = send(channel + 1, format!("cannot connect to port {}: {error}", port.number).as_bytes())
                .await;
            return;
        }
    };
    let _ = stream.set_nodelay(true);
    let (mut from_pod, mut to_pod) = stream.split();
    let read = async {
        let mut bytes = vec![0; CHUNK];
        while let Ok(length @ 1..) = from_pod.read(&mut bytes).await {
            if send(channel, &bytes[..length]).await.is_err() {
                return;
            }
        }
    };
    let write = async {
        while let Some(bytes) = incoming.recv().await {
            if to_pod.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
}

fn frame(channel: u8, bytes: &[u8]) -> Message {
    Message::binary([&[channel], bytes].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_from_a_query() {
        assert_eq!(ports("port=80%2C443&port=8080"), Some(vec![80, 443, 8080]));
        assert_eq!(ports(""), None);
        assert_eq!(ports("port=http"), None);
        assert_eq!(ports("port=65536"), None);
    }

    #[test]
    fn only_the_one_protocol_is_spoken() {
        let headers = |protocol| {
            let headers = [
                (UPGRADE, "WebSocket"),
                (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
                (SEC_WEBSOCKET_PROTOCOL, protocol),
            ];
            headers.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().collect()
        };
        let answer = handshake(&headers("v5.channel.k8s.io, v4.channel.k8s.io")).expect("it is offered");
        assert_eq!(answer[SEC_WEBSOCKET_PROTOCOL], PROTOCOL);
        // The example of RFC 6455.
        assert_eq!(answer[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(handshake(&headers("SPDY/3.1+portforward.k8s.io")), None);
        assert_eq!(handshake(&HeaderMap::new()), None);
    }
}
