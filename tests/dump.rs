//! scratch
mod support;
use greenbridge::channel::bounded;
use std::ffi::{c_int, c_long, c_void};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use support::*;
const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();
unsafe extern "C" {
    fn dump_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    fn dump_reads(fd: c_int) -> c_long;
    fn dump_computes(end: *const AtomicI32) -> c_long;
}
#[greenbridge::export]
extern "C" fn waits_in_callback(r: &greenbridge::channel::Receiver<i32>, _: c_long) -> c_long {
    r.recv().unwrap_or(1).into()
}
#[test]
#[ignore]
fn scratch() {
    start_with(greenbridge::Builder::new().processors(2));
    let (tx, rx) = bounded::<i32>(0);
    static END: AtomicI32 = AtomicI32::new(0);
    let rx2 = rx.clone();
    let a = greenbridge::ThreadBuilder::new().name("waiter").spawn(move || {
        let (f, c) = for_c(waits_in_callback, &rx2);
        greenbridge::call(|| unsafe { dump_enter(f, c, 0) })
    });
    let more: Vec<_> = (0..100).map(|_| { let rx = rx.clone(); greenbridge::spawn(move || rx.recv().is_ok()) }).collect();
    let mut fds = [0; 2];
    unsafe { libc::pipe(fds.as_mut_ptr()) };
    let b = greenbridge::spawn(move || greenbridge::call_blocking(|| unsafe { dump_reads(fds[0]) }));
    let c = greenbridge::spawn(move || greenbridge::call(|| unsafe { dump_computes(&END) }));
    let d = greenbridge::spawn(move || greenbridge::call_on_thread_stack(|| unsafe { dump_reads(fds[0]) }));
    std::thread::sleep(std::time::Duration::from_millis(300));
    println!("{}", greenbridge::dump());
    let t = std::time::Instant::now();
    let dump = greenbridge::dump();
    println!("{:?}\n{dump:#}", t.elapsed());
    END.store(1, Ordering::Release);
    unsafe { libc::write(fds[1], b"xx".as_ptr().cast(), 2) };
    drop(tx);
    a.join().unwrap(); println!("{}", b.join().unwrap()); c.join().unwrap(); d.join().unwrap();
    for m in more { m.join().unwrap(); }
}
