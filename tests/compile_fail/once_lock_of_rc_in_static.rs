//! Everybody shares what is in a static.
//! error: `Rc<()>` cannot be shared between threads safely

use greenbridge::sync::OnceLock;
use std::rc::Rc;

static PLACE: OnceLock<Rc<()>> = OnceLock::new();

fn main() {
    PLACE.get();
}
