//! A select has one default, without an argument, and is not empty.
//! error: a `select!` has one `default` branch at most
//! error: to wait for a while first, write `after(duration) => ...`
//! error: `select!` needs a branch

fn main() {
    greenbridge::select! {
        default => {}
        default => {}
    }
    greenbridge::select! {
        default(std::time::Duration::ZERO) => {}
    }
    greenbridge::select! {}
}
