//! The methods that several sockets share, each written once.
//!
//! A method is inherent, as std's is, so that `UdpSocket::read_timeout` is a path. Each macro takes the type and the lines that make one,
//! for the examples.

/// What every socket has.
macro_rules! every_socket {
    ($type:ident, $make:literal) => {
        impl $type {
            /// Another handle of the same socket: a descriptor of its own, and the same timeouts, deadlines and mode.
            ///
            /// # Errors
            /// If the process has no descriptor left.
            ///
            /// # Examples
            #[doc = concat!("```\nuse greenbridge_runtime::net::", stringify!($type), ";\n\n", $make)]
            /// let clone = socket.try_clone()?;
            /// drop(socket);
            /// assert!(clone.take_error()?.is_none());
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn try_clone(&self) -> io::Result<Self> {
                self.socket.try_clone().map(|socket| Self { socket })
            }

            /// Takes the error that is pending on the socket, if there is one.
            ///
            /// # Errors
            /// If the system does not tell.
            ///
            /// # Examples
            #[doc = concat!("```\nuse greenbridge_runtime::net::", stringify!($type), ";\n\n", $make)]
            /// assert!(socket.take_error()?.is_none());
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.socket.options().take_error()
            }

            /// Whether operations return [`WouldBlock`](io::ErrorKind::WouldBlock) where they would have to wait, on this socket and its clones.
            ///
            /// A green thread that waits holds nobody up, so there is seldom a reason. The descriptor is in non-blocking mode always; this
            /// is about what the methods of this type do. An operation that waits already goes on waiting.
            ///
            /// # Errors
            /// None; it returns a `Result` as std's does.
            ///
            /// # Examples
            #[doc = concat!("```\nuse greenbridge_runtime::net::", stringify!($type), ";\n\n", $make)]
            /// socket.set_nonblocking(true)?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.socket.limits().set_nonblocking(nonblocking);
                Ok(())
            }
        }
    };
}

/// What a socket has that data go through.
macro_rules! data_socket {
    ($type:ident, $make:literal) => {
        impl $type {
            /// Lets each read, receive and peek wait for no longer than `timeout`: it then returns [`TimedOut`](io::ErrorKind::TimedOut), where
            /// std's returns `WouldBlock`. None: as long as it takes.
            ///
            /// It is for operations that begin from now on, of this socket and its clones. What need not wait succeeds, however short the time.
            ///
            /// # Errors
            /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is zero.
            ///
            /// # Examples
            #[doc = concat!("```\nuse greenbridge_runtime::net::", stringify!($type), ";\nuse std::time::Duration;\n\n", $make)]
            /// socket.set_read_timeout(Some(Duration::from_secs(5)))?;
            /// assert_eq!(socket.read_timeout()?, Some(Duration::from_secs(5)));
            /// assert!(socket.set_read_timeout(Some(Duration::ZERO)).is_err());
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.socket.limits().read.set_timeout(timeout)
            }

            /// The timeout of reads.
            ///
            /// # Errors
            /// None; it returns a `Result` as std's does.
            pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.socket.limits().read.timeout())
            }

            /// Lets each write and send wait for no longer than `timeout`: as [`set_read_timeout`](Self::set_read_timeout).
            ///
            /// # Errors
            /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is zero.
            ///
            /// # Examples
            #[doc = concat!("```\nuse greenbridge_runtime::net::", stringify!($type), ";\nuse std::time::Duration;\n\n", $make)]
            /// socket.set_write_timeout(Some(Duration::from_secs(5)))?;
            /// assert_eq!(socket.write_timeout()?, Some(Duration::from_secs(5)));
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.socket.limits().write.set_timeout(timeout)
            }

            /// The timeout of writes.
            ///
            /// # Errors
            /// None; it returns a `Result` as std's does.
            pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.socket.limits().write.timeout())
            }

            /// Lets all reads, receives and peeks wait until `deadline` and no longer: [`TimedOut`](io::ErrorKind::TimedOut) then. None: as long
            /// as it takes.
            ///
            /// A timeout begins anew with each operation; a deadline is one for all, so a peer that sends a byte now and then does
            /// not move it. The earlier of the two ends an operation. It is for operations that begin from now on, of this socket and
            /// its clones; what need not wait succeeds also after it.
            ///
            /// # Examples
            #[doc = concat!("```\nuse greenbridge_runtime::net::", stringify!($type), ";\nuse std::time::{Duration, Instant};\n\n", $make)]
            /// let deadline = Instant::now() + Duration::from_secs(30);
            /// socket.set_read_deadline(Some(deadline));
            /// assert_eq!(socket.read_deadline(), Some(deadline));
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn set_read_deadline(&self, deadline: Option<Instant>) {
                self.socket.limits().read.set_deadline(deadline);
            }

            /// The deadline of reads.
            pub fn read_deadline(&self) -> Option<Instant> {
                self.socket.limits().read.deadline()
            }

            /// Lets all writes and sends wait until `deadline` and no longer: as [`set_read_deadline`](Self::set_read_deadline).
            pub fn set_write_deadline(&self, deadline: Option<Instant>) {
                self.socket.limits().write.set_deadline(deadline);
            }

            /// The deadline of writes.
            pub fn write_deadline(&self) -> Option<Instant> {
                self.socket.limits().write.deadline()
            }
        }
    };
}

/// What a socket of the internet has.
macro_rules! internet_socket {
    ($type:ident, $make:literal) => {
        impl $type {
            /// The address of this end.
            ///
            /// # Errors
            /// If the system does not tell.
            ///
            /// # Examples
            #[doc = concat!("```\nuse greenbridge_runtime::net::", stringify!($type), ";\n\n", $make)]
            /// assert!(socket.local_addr()?.ip().is_loopback());
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                internet_address(&self.socket.options().local_addr()?)
            }

            /// Sets how many routers each packet may pass, in IPv4.
            ///
            /// # Errors
            /// If the system refuses.
            ///
            /// # Examples
            #[doc = concat!("```\nuse greenbridge_runtime::net::", stringify!($type), ";\n\n", $make)]
            /// socket.set_ttl(100)?;
            /// assert_eq!(socket.ttl()?, 100);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
                self.socket.options().set_ttl_v4(ttl)
            }

            /// How many routers each packet may pass, in IPv4.
            ///
            /// # Errors
            /// If the system does not tell.
            pub fn ttl(&self) -> io::Result<u32> {
                self.socket.options().ttl_v4()
            }
        }
    };
}

/// What a connected stream has: reading and writing, of the stream and of a reference to it.
macro_rules! stream_socket {
    ($type:ident, $short_read:expr) => {
        impl $type {
            /// Ends reading, writing or both, on all handles of the socket.
            ///
            /// After an end of writing the peer reads to its end of file. Who waits in an operation that is ended returns: a read with 0.
            ///
            /// # Errors
            /// `NotConnected` if the peer has ended the connection already.
            ///
            /// # Examples
            /// ```
            /// use greenbridge_runtime::net::{Shutdown, UnixStream};
            /// use std::io::Read;
            ///
            /// let (one, mut other) = UnixStream::pair()?;
            /// one.shutdown(Shutdown::Write)?;
            /// assert_eq!(other.read(&mut [0; 8])?, 0);
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                self.socket.options().shutdown(how)
            }

            /// Lends both directions, for two green threads of a [`scope`](crate::scope()).
            ///
            /// # Examples
            /// ```
            /// use greenbridge_runtime::net::UnixStream;
            /// use std::io::{Read, Write};
            ///
            /// # // SAFETY: nothing here touches a thread-local across a wait.
            /// # unsafe { greenbridge_runtime::Builder::new().start()? };
            /// let (mut stream, mut peer) = UnixStream::pair()?;
            /// let mut heard = String::new();
            /// let (mut reader, mut writer) = stream.split();
            /// greenbridge_runtime::scope(|s| {
            ///     s.spawn(move || writer.write_all(b"question").and_then(|()| writer.shutdown()));
            ///     s.spawn(|| reader.read_to_string(&mut heard));
            ///     s.spawn(|| std::io::copy(&mut peer.try_clone()?, &mut peer).and_then(|_| peer.shutdown(std::net::Shutdown::Both)));
            /// });
            /// assert_eq!(heard, "question");
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn split(&mut self) -> (ReadHalf<'_, Self>, WriteHalf<'_, Self>) {
                split(self)
            }

            /// Splits it into two values, for two green threads.
            ///
            /// # Examples
            /// ```
            /// use greenbridge_runtime::net::UnixStream;
            /// use std::io::{Read, Write};
            ///
            /// # // SAFETY: nothing here touches a thread-local across a wait.
            /// # unsafe { greenbridge_runtime::Builder::new().start()? };
            /// let (stream, mut peer) = UnixStream::pair()?;
            /// let (mut reader, mut writer) = stream.into_split();
            /// let writes = greenbridge_runtime::spawn(move || writer.write_all(b"question").map(|()| writer));
            /// let mut question = [0; 8];
            /// peer.read_exact(&mut question)?;
            /// peer.write_all(b"answer")?;
            /// drop(peer);
            /// let mut answer = String::new();
            /// reader.read_to_string(&mut answer)?;
            /// assert_eq!((&question, answer.as_str()), (b"question", "answer"));
            ///
            /// let writer = writes.join().map_err(|_| "it panicked")??;
            /// let _stream: UnixStream = reader.reunite(writer)?;
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn into_split(self) -> (OwnedReadHalf<Self>, OwnedWriteHalf<Self>) {
                into_split(self)
            }
        }

        impl Read for $type {
            #[track_caller]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                (&*self).read(buffer)
            }

            #[track_caller]
            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&*self).read_vectored(buffers)
            }
        }

        impl Read for &$type {
            #[inline(never)]
            #[track_caller]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.socket.read(buffer, $short_read)
            }

            #[inline(never)]
            #[track_caller]
            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.socket.read_vectored(buffers, $short_read)
            }
        }

        impl Write for $type {
            #[track_caller]
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                (&*self).write(bytes)
            }

            #[track_caller]
            fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
                (&*self).write_vectored(buffers)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Write for &$type {
            #[inline(never)]
            #[track_caller]
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.socket.write(bytes)
            }

            #[inline(never)]
            #[track_caller]
            fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
                self.socket.write_vectored(buffers)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl sealed::Stream for $type {
            const SHORT_READ: ShortRead = $short_read;

            fn socket(&self) -> &Socket {
                &self.socket
            }
        }

        impl Stream for $type {}
    };
}

pub(super) use {data_socket, every_socket, internet_socket, stream_socket};
