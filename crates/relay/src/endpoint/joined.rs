//! Small writes that go with the next: a frame's header becomes no record of TLS of its own.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The longest write that waits for the next or for a flush, in bytes: some headers of yamux, of 12 bytes each.
const SMALL: usize = 64;

/// A stream whose small writes are put in front of the next one, without copying that.
#[derive(Debug)]
pub(super) struct Joined<S> {
    stream: S,
    held: [u8; SMALL],
    length: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Joined<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, held: [0; SMALL], length: 0 }
    }

    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.length > 0 {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.held[..self.length]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what was written off what is held; gives how much of the next was written too.
    fn written(&mut self, count: usize) -> usize {
        let held = count.min(self.length);
        self.held.copy_within(held..self.length, 0);
        self.length -= held;
        count - held
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Joined<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, out)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Joined<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            if let Some(room) = this.held.get_mut(this.length..this.length + data.len()) {
                room.copy_from_slice(data);
                this.length += data.len();
                return Poll::Ready(Ok(data.len()));
            }
            let both = [IoSlice::new(&this.held[..this.length]), IoSlice::new(data)];
            let written = ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, &both))?;
            match this.written(written) {
                // Only what was held, or a part of it.
                0 if written > 0 => {}
                more => return Poll::Ready(Ok(more)),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_held(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_held(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Notes each write, and takes at most so much of it.
    struct Noted {
        writes: Vec<Vec<u8>>,
        most: usize,
    }

    impl AsyncWrite for Noted {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
            let taken = data.len().min(self.most);
            self.writes.push(data[..taken].to_vec());
            Poll::Ready(Ok(taken))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            self.poll_write(cx, &all)
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncRead for Noted {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_header_goes_with_its_body() {
        let mut stream = Joined::new(Noted { writes: Vec::new(), most: 1 << 20 });
        stream.write_all(&[1; 12]).await.unwrap();
        stream.write_all(&[2; 1000]).await.unwrap();
        stream.write_all(&[3; 12]).await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
        let want = [[&[1; 12][..], &[2; 1000]].concat(), vec![3; 12]];
        assert_eq!(stream.stream.writes, want);
    }

    #[tokio::test]
    async fn no_byte_is_lost_however_little_is_taken() {
        for most in [1, 5, 12, 13, 63, 64, 65, 100] {
            let mut stream = Joined::new(Noted { writes: Vec::new(), most });
            let mut want = Vec::new();
            for length in [12, 0, 64, 300, 1, 63, 2, 12, 70] {
                let piece: Vec<u8> = (0..length).map(|at| (want.len() + at) as u8).collect();
                stream.write_all(&piece).await.unwrap();
                want.extend(piece);
            }
            stream.shutdown().await.unwrap();
            assert_eq!(stream.stream.writes.concat(), want, "{most}");
        }
    }
}
