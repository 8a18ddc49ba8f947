//! A half that is lent does not outlive its stream.
//! error: error[E0505]: cannot move out of `stream` because it is borrowed

fn main() -> std::io::Result<()> {
    let (mut stream, _peer) = greenbridge::net::UnixStream::pair()?;
    let (reader, _) = stream.split();
    drop(stream);
    drop(reader);
    Ok(())
}
