//! Records to a syslog receiver (RFC 5424): over TLS (RFC 5425) or TCP with counted octets (RFC 6587), or over UDP (RFC 5426).

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use super::config::{SyslogConfig, Transport};
use super::{Deliver, Delivered};
use crate::json;
use crate::record::Record;

/// Where messages go.
pub(super) struct Syslog {
    config: SyslogConfig,
    host: String,
    connection: Option<Connection>,
}

enum Connection {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// The longest message that a datagram takes.
const DATAGRAM: usize = 65_507;
/// RFC 5424 section 6.2.6: the longest name of a host.
const HOST: usize = 255;

impl Syslog {
    pub(super) fn new(config: SyslogConfig) -> Self {
        let name = rustix::system::uname();
        let is_fit = |c: &char| c.is_ascii_graphic();
        let host: String = name.nodename().to_string_lossy().chars().filter(is_fit).take(HOST).collect();
        Self { config, host: if host.is_empty() { "-".into() } else { host }, connection: None }
    }

    fn send(&mut self, records: &[Arc<Record>]) -> (usize, usize, io::Result<()>) {
        let kept = self.connection.take();
        let kept = kept.and_then(|mut kept| kept.is_open(self.config.timeout).then_some(kept));
        let mut connection = match kept {
            Some(connection) => connection,
            None => match Connection::open(&self.config) {
                Ok(connection) => connection,
                Err(error) => return (0, 0, Err(error)),
            },
        };
        let mut refused = 0;
        for (done, record) in records.iter().enumerate() {
            let message = self.message(record);
            match connection.send(&message) {
                // Another try would go the same way.
                Err(_) if message.len() > DATAGRAM && matches!(connection, Connection::Udp(_)) => {
                    refused += 1
                }
                Err(error) => return (done, refused, Err(error)),
                Ok(()) => {}
            }
        }
        match connection.flush() {
            Ok(()) => {
                self.connection = Some(connection);
                (records.len(), refused, Ok(()))
            }
            Err(error) => (0, 0, Err(error)),
        }
    }

    /// RFC 5424 section 6.
    fn message(&self, record: &Record) -> String {
        let priority = u32::from(self.config.facility) * 8 + severity(record.event);
        let process = record.process.as_deref().unwrap_or("-");
        let event: String = record.event.chars().take(32).collect();
        let (at, host, name) = (record.timestamp, &self.host, &self.config.app_name);
        let json = serde_json::Value::Object(json::object(record));
        format!("<{priority}>1 {at} {host} {name} {process} {event} - {json}")
    }
}

/// RFC 5424 section 6.2.1: what somebody may have to look at is a warning, all else informational.
fn severity(event: &str) -> u32 {
    match event {
        "audit.lost" => 3,
        "admission.refused" | "message.finding" | "session.kicked" | "message.captured"
        | "message.watched" | "credential.revoked" => 4,
        _ => 6,
    }
}

impl Deliver for Syslog {
    fn deliver(&mut self, records: &[Arc<Record>]) -> Delivered {
        let (done, refused, result) = self.send(records);
        let to = &self.config.host;
        Delivered { done, refused, fault: result.err().map(|error| format!("{to}: {error}")) }
    }
}

impl Connection {
    fn open(config: &SyslogConfig) -> io::Result<Self> {
        let unresolved = || io::Error::new(ErrorKind::NotFound, "the name has no address");
        let mut addresses = (config.host.as_str(), config.port).to_socket_addrs()?;
        if let Transport::Udp = config.transport {
            let address = addresses.next().ok_or_else(unresolved)?;
            let socket = UdpSocket::bind(if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
            socket.connect(address)?;
            return Ok(Self::Udp(socket));
        }
        let mut last = unresolved();
        for address in addresses {
            match TcpStream::connect_timeout(&address, config.timeout) {
                Ok(stream) => return Self::over(stream, config),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn over(mut stream: TcpStream, config: &SyslogConfig) -> io::Result<Self> {
        stream.set_read_timeout(Some(config.timeout))?;
        stream.set_write_timeout(Some(config.timeout))?;
        let Transport::Tls(tls) = &config.transport else { return Ok(Self::Tcp(stream)) };
        let name = ServerName::try_from(config.host.clone()).map_err(io::Error::other)?;
        let mut connection = ClientConnection::new(tls.clone(), name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, stream))))
    }

    fn send(&mut self, message: &str) -> io::Result<()> {
        let counted = || format!("{} {message}", message.len());
        match self {
            Self::Udp(socket) => socket.send(message.as_bytes()).map(drop),
            Self::Tcp(stream) => stream.write_all(counted().as_bytes()),
            Self::Tls(stream) => stream.write_all(counted().as_bytes()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Udp(_) | Self::Tcp(_) => Ok(()),
            Self::Tls(stream) => stream.flush(),
        }
    }

    /// Whether the receiver has not gone: it says nothing otherwise, and what is written to it after that would be lost.
    fn is_open(&mut self, timeout: Duration) -> bool {
        fn says_nothing(result: io::Result<usize>) -> bool {
            match result {
                Ok(read) => read > 0,
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            }
        }
        let socket = match self {
            Self::Udp(_) => return true,
            Self::Tcp(stream) => &*stream,
            Self::Tls(stream) => &stream.sock,
        };
        if socket.set_nonblocking(true).is_err() {
            return false;
        }
        let mut byte = [0];
        let is_open = match self {
            Self::Udp(_) => true,
            Self::Tcp(stream) => says_nothing(stream.read(&mut byte)),
            Self::Tls(stream) => says_nothing(stream.read(&mut byte)),
        };
        let socket = match self {
            Self::Udp(_) => return true,
            Self::Tcp(stream) => &*stream,
            Self::Tls(stream) => &stream.sock,
        };
        is_open && socket.set_nonblocking(false).is_ok() && socket.set_read_timeout(Some(timeout)).is_ok()
    }
}
