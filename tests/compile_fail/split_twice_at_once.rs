//! Two green threads that read one stream need to say so: a stream is split once at a time.
//! error: error[E0499]: cannot borrow `stream` as mutable more than once at a time

fn main() -> std::io::Result<()> {
    let (mut stream, _peer) = greenbridge::net::UnixStream::pair()?;
    let (reader, _) = stream.split();
    let (another, _) = stream.split();
    drop((reader, another));
    Ok(())
}
