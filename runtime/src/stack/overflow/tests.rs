//! An overflow ends the process with a message, and any other fault ends it, or not, as it would without us. Each test
//! runs its child, which breaks itself in the way that its name says.

use core::hint::black_box;
use core::{mem, ptr};
use std::thread;

use corosensei::Coroutine;
use corosensei::stack::Stack as _;
use libc::{c_int, c_void, siginfo_t};

use super::super::child::{End, run};
use super::super::guard;
use super::super::{AlternateStack, Owner, Stack, StackPool, install_handler};

const USABLE: usize = 64 << 10;

/// Runs the child `$child` and checks how it ended, and that each of the words is (or, after `no`, is not) on its
/// stderr.
macro_rules! ends {
    ($child:ident, $end:expr $(, $words:literal)* $(; no $absent:literal)?) => {{
        let (end, stderr) = run(module_path!(), stringify!($child));
        assert_eq!(end, $end);
        $(assert!(stderr.contains($words), "{:?} is missing", $words);)*
        $(assert!(!stderr.contains($absent), "{:?} was not expected", $absent);)?
    }};
}

/// A new stack, with the handler in force and an alternate stack for this thread.
fn prepare() -> (Stack, AlternateStack) {
    install_handler().expect("a handler");
    install_handler().expect("nothing to do");
    let stack = StackPool::new(USABLE).allocate().expect("a stack");
    (stack, AlternateStack::install().expect("an alternate stack"))
}

/// Runs `body` on `stack` as the green thread `owner`.
fn run_as(owner: Owner, stack: Stack, body: impl FnOnce() + 'static) {
    let owner = Box::leak(Box::new(owner));
    // SAFETY: the owner is leaked.
    unsafe { stack.set_owner(owner) };
    Coroutine::<(), (), (), Stack>::with_stack(stack, |_, ()| body()).resume(());
}

/// Calls itself until there is no stack left. Each frame is smaller than a page.
#[expect(unconditional_recursion, reason = "that is the point")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    recurse(depth + 1) + frame[(depth % 16) as usize]
}

/// Reads from an address where nothing is.
fn touch_nothing() {
    // SAFETY: none: the process ends here.
    unsafe { black_box(ptr::without_provenance::<u8>(0x10).read_volatile()) };
}

#[test]
fn an_overflow_names_the_green_thread_its_stack_size_and_the_knob() {
    ends!(
        overflow_with_a_name,
        End::Signal(libc::SIGABRT),
        "greenbridge: green thread 'größer' (#12) overflowed its stack of 64 KiB; \
         raise Builder::stack_size or GREENBRIDGE_STACK_SIZE\n"
    );
}

#[test]
#[ignore = "overflows its stack"]
fn overflow_with_a_name() {
    let (stack, _alternate) = prepare();
    run_as(Owner::new(12, Some("größer".into())), stack, || _ = recurse(0));
}

#[test]
fn an_overflow_without_a_name_gives_the_number() {
    ends!(
        overflow_without_a_name,
        End::Signal(libc::SIGABRT),
        "greenbridge: green thread #1234567890 overflowed its stack"
    );
}

#[test]
#[ignore = "overflows its stack"]
fn overflow_without_a_name() {
    let (stack, _alternate) = prepare();
    run_as(Owner::new(1_234_567_890, None), stack, || _ = recurse(0));
}

#[test]
fn an_overflow_of_a_stack_without_an_owner_is_told_too() {
    ends!(
        overflow_without_an_owner,
        End::Signal(libc::SIGABRT),
        "greenbridge: a green thread overflowed its stack of 64 KiB"
    );
}

#[test]
#[ignore = "overflows its stack"]
fn overflow_without_an_owner() {
    let (stack, _alternate) = prepare();
    Coroutine::<(), (), (), Stack>::with_stack(stack, |_, ()| _ = recurse(0)).resume(());
}

#[test]
fn a_name_too_long_for_the_message_is_cut_and_the_knob_stays() {
    ends!(
        overflow_with_a_long_name,
        End::Signal(libc::SIGABRT),
        "'äää",
        "ä' (#3) overflowed",
        "GREENBRIDGE_STACK_SIZE\n"
    );
}

#[test]
#[ignore = "overflows its stack"]
fn overflow_with_a_long_name() {
    let (stack, _alternate) = prepare();
    run_as(Owner::new(3, Some("ä".repeat(1000).into())), stack, || _ = recurse(0));
}

#[test]
fn a_frame_that_skips_pages_is_caught_by_the_last_page_of_the_guard() {
    ends!(
        skip_most_of_the_guard,
        End::Signal(libc::SIGABRT),
        "green thread #4 overflowed its stack of 64 KiB, of which only ",
        " KiB were ever touched: one frame is larger than the rest; raise Builder::stack_size"
    );
}

#[test]
#[ignore = "overflows its stack"]
fn skip_most_of_the_guard() {
    let (stack, _alternate) = prepare();
    let lowest = stack.limit().get() as *mut u8;
    // SAFETY: none: the process ends here.
    run_as(Owner::new(4, None), stack, move || unsafe { lowest.write_volatile(1) });
}

#[test]
fn guards_made_by_mprotect_catch_an_overflow_too() {
    ends!(overflow_into_mprotect, End::Signal(libc::SIGABRT), "green thread #5 overflowed its stack");
}

#[test]
#[ignore = "overflows its stack"]
fn overflow_into_mprotect() {
    guard::refuse_advice();
    let (stack, _alternate) = prepare();
    run_as(Owner::new(5, None), stack, || _ = recurse(0));
}

#[test]
fn it_works_where_nobody_has_set_up_anything_as_when_c_owns_main() {
    ends!(overflow_where_c_owns_main, End::Signal(libc::SIGABRT), "green thread #6 overflowed its stack");
    ends!(touch_nothing_where_c_owns_main, End::Signal(libc::SIGSEGV); no "greenbridge");
}

/// Undoes what std has set up for this thread and this process.
fn forget_std() {
    let none = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: libc::SIGSTKSZ };
    // SAFETY: nothing runs on the alternate stack; the default action is always valid.
    unsafe {
        assert_eq!(libc::sigaltstack(&raw const none, ptr::null_mut()), 0);
        assert_ne!(libc::signal(libc::SIGSEGV, libc::SIG_DFL), libc::SIG_ERR);
        assert_ne!(libc::signal(libc::SIGBUS, libc::SIG_DFL), libc::SIG_ERR);
    }
}

#[test]
#[ignore = "overflows its stack"]
fn overflow_where_c_owns_main() {
    forget_std();
    let (stack, _alternate) = prepare();
    run_as(Owner::new(6, None), stack, || _ = recurse(0));
}

#[test]
#[ignore = "touches an address where nothing is"]
fn touch_nothing_where_c_owns_main() {
    forget_std();
    let _prepared = prepare();
    touch_nothing();
}

#[test]
fn a_fault_that_is_no_overflow_ends_the_process_as_ever() {
    ends!(touch_nothing_on_a_stack, End::Signal(libc::SIGSEGV); no "greenbridge");
}

#[test]
#[ignore = "touches an address where nothing is"]
fn touch_nothing_on_a_stack() {
    let (stack, _alternate) = prepare();
    run_as(Owner::new(7, None), stack, touch_nothing);
}

#[test]
fn a_stray_pointer_into_the_guard_of_somebody_else_is_no_overflow() {
    ends!(touch_the_guard_of_somebody_else, End::Signal(libc::SIGSEGV); no "greenbridge");
}

#[test]
#[ignore = "touches a guard"]
fn touch_the_guard_of_somebody_else() {
    let (stack, _alternate) = prepare();
    let owner = Owner::new(8, None);
    // SAFETY: the owner outlives the stack.
    unsafe { stack.set_owner(&raw const owner) };
    // SAFETY: none: the process ends here.
    unsafe { (stack.limit().get() as *mut u8).write_volatile(1) };
}

#[test]
fn the_overflow_of_an_os_thread_is_still_told_by_std() {
    ends!(overflow_an_os_thread, End::Signal(libc::SIGABRT), "has overflowed its stack"; no "greenbridge");
}

#[test]
#[ignore = "overflows its stack"]
fn overflow_an_os_thread() {
    let _prepared = prepare();
    thread::spawn(|| recurse(0)).join().expect("the process ends before that");
}

#[test]
fn a_signal_that_somebody_sent_takes_its_default_action() {
    ends!(send_the_signal, End::Signal(libc::SIGSEGV); no "greenbridge");
}

#[test]
#[ignore = "sends itself a signal"]
fn send_the_signal() {
    // std's handler would take it for a fault that comes again, and lose it.
    forget_std();
    let _prepared = prepare();
    // SAFETY: raise only sends.
    unsafe { libc::raise(libc::SIGSEGV) };
    unreachable!("the default action ends the process");
}

#[test]
fn where_the_signal_was_ignored_it_is_ignored_and_a_true_fault_is_not() {
    ends!(ignore_the_signal, End::Signal(libc::SIGSEGV), "still here");
}

#[test]
#[ignore = "touches an address where nothing is"]
fn ignore_the_signal() {
    // SAFETY: ignoring a signal is always valid.
    unsafe { libc::signal(libc::SIGSEGV, libc::SIG_IGN) };
    let _prepared = prepare();
    // SAFETY: raise only sends.
    unsafe { libc::raise(libc::SIGSEGV) };
    eprintln!("still here");
    touch_nothing();
}

/// Puts `handler` in force as a host program would.
fn handle_with(handler: usize, flags: c_int, blocked: c_int) {
    // SAFETY: zero is a value of each field.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the pointers are valid, and the handler has the signature that goes with the flags.
    unsafe {
        libc::sigaddset(&raw mut action.sa_mask, blocked);
        assert_eq!(libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()), 0);
    }
}

/// Whether this thread blocks `signal`.
fn is_blocked(signal: c_int) -> bool {
    // SAFETY: zero is an empty set; pthread_sigmask writes the one in force.
    unsafe {
        let mut blocked: libc::sigset_t = mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &raw mut blocked);
        libc::sigismember(&raw const blocked, signal) == 1
    }
}

#[test]
fn the_handler_before_ours_gets_the_fault_as_from_the_kernel() {
    ends!(fault_with_a_handler_before_ours, End::Exit(42); no "greenbridge");
}

#[test]
#[ignore = "touches an address where nothing is"]
fn fault_with_a_handler_before_ours() {
    unsafe extern "C" fn before(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: the kernel gave `info`.
        let address = unsafe { (*info).si_addr() }.addr();
        let is_right = signal == libc::SIGSEGV && address == 0x10 && !context.is_null();
        let is_masked = is_blocked(libc::SIGSEGV) && is_blocked(libc::SIGUSR1);
        // SAFETY: _exit may be called from a handler.
        unsafe { libc::_exit(if is_right && is_masked { 42 } else { 1 }) };
    }
    handle_with(before as *const () as usize, libc::SA_SIGINFO, libc::SIGUSR1);
    let _prepared = prepare();
    touch_nothing();
}

#[test]
fn a_plain_handler_before_ours_is_called_once_if_it_asked_for_that() {
    ends!(fault_with_a_plain_handler_before_ours, End::Signal(libc::SIGSEGV), "called: true false\n"; no "greenbridge");
}

#[test]
#[ignore = "touches an address where nothing is"]
fn fault_with_a_plain_handler_before_ours() {
    unsafe extern "C" fn before(signal: c_int) {
        eprintln!("called: {} {}", signal == libc::SIGSEGV, is_blocked(libc::SIGSEGV));
    }
    handle_with(before as *const () as usize, libc::SA_RESETHAND | libc::SA_NODEFER, libc::SIGUSR1);
    let _prepared = prepare();
    touch_nothing();
}
