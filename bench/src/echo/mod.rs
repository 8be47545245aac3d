//! The backend behind every proxy: a WebSocket echo that costs as little as a server can.

mod session;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::thread;

use anyhow::{Context, Result};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use socket2::{Domain, Protocol, Socket, Type};

use session::{Session, Step};

const LISTENER: Token = Token(usize::MAX);
const BACKLOG: i32 = 4096;
const READ_AT_MOST: usize = 256 * 1024;

/// Serves on `threads` threads until standard input ends, so that it never outlives its parent.
/// The bound address is the first line of standard output.
pub(crate) fn serve(bind: SocketAddr, threads: usize) -> Result<()> {
    let first = listen(bind)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..threads {
        listeners.push(listen(address)?);
    }
    for listener in listeners {
        let mut worker = Worker::new(listener)?;
        thread::spawn(move || {
            if let Err(error) = worker.run() {
                eprintln!("echo: {error}");
                std::process::exit(1);
            }
        });
    }
    println!("{address}");
    io::stdout().flush()?;
    io::copy(&mut io::stdin(), &mut io::sink()).context("standard input")?;
    Ok(())
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

struct Worker {
    poll: Poll,
    listener: TcpListener,
    sessions: Slab<Session>,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Worker {
    fn new(mut listener: TcpListener) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let (input, output) = (vec![0; READ_AT_MOST], Vec::with_capacity(READ_AT_MOST));
        Ok(Self { poll, listener, sessions: Slab::new(), input, output })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(512);
        loop {
            self.poll.poll(&mut events, None).or_else(unless_interrupted)?;
            for event in &events {
                if event.token() == LISTENER {
                    self.accept()?;
                    continue;
                }
                let Some(session) = self.sessions.get_mut(event.token().0) else { continue };
                let step = session.advance(&mut self.input, &mut self.output, event.is_read_closed());
                // A session that fails is its client's business: the load generator sees and reports it.
                if !matches!(step, Ok(Step::Open)) {
                    self.sessions.remove(event.token().0);
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let slot = self.sessions.vacant_entry();
            let token = Token(slot.key());
            self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            slot.insert(Session::new(stream));
        }
    }
}

fn unless_interrupted(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}
