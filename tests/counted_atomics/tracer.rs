//! Steps two OS threads of a child process through marked stretches, and decodes each instruction.
//!
//! A thread asks to be traced by the thread that made its process, and marks with a breakpoint where a turn begins and where it ends.
//! When both have come to their first mark, all other threads of the process are stopped until the last turn is over.

#![allow(clippy::disallowed_methods, reason = "the test waits for a child process, on an OS thread")]

use iced_x86::{Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};
use libc::{c_int, c_void, pid_t, user_regs_struct};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::ptr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Some seconds are enough on a machine at rest.
const DEADLINE: Duration = Duration::from_secs(120);

/// One stretch from mark to mark.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// How many there were, of any kind; those of the marks are among them.
    pub(crate) instructions: usize,
    /// The line of each locked instruction.
    pub(crate) locked: Vec<u64>,
    /// The line of each instruction that writes, locked or not.
    pub(crate) stored: Vec<u64>,
    /// All lines read or written.
    pub(crate) touched: HashSet<u64>,
}

/// What was seen of two OS threads.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) turns: [Vec<Turn>; 2],
}

/// The calling OS thread is traced from here on by the one that made its process. Whether that is allowed.
pub(crate) fn ask_to_be_traced() -> bool {
    // SAFETY: no memory is involved.
    unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, ptr::null_mut::<c_void>(), ptr::null_mut::<c_void>()) == 0 }
}

impl Traced {
    /// Runs the `#[ignore]`d test `name` of this binary, in which two OS threads ask to be traced and mark `turns` stretches each. `None`
    /// if it ended well without a mark: it could not be traced.
    pub(crate) fn child(name: &str, turns: usize) -> Option<Self> {
        let own = std::env::current_exe().expect("this test binary has a path");
        let mut child = Command::new(own)
            .args(["--ignored", "--exact", name, "--nocapture", "--test-threads=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the child starts");
        let process = child.id() as pid_t;
        let (over, is_over) = channel();
        let watchdog = thread::spawn(move || kill_at_deadline(process, &is_over));
        let mut tracer = Tracer { process, memory: None, info: InstructionInfoFactory::new(), decoded: HashMap::new() };
        let traced = tracer.both_at_a_mark(&mut child).map(|sides| tracer.run(sides, turns));
        // What is detached goes on by itself. A child that was never traced has ended, and was waited for.
        if traced.is_some() {
            tracer.wait_for_end();
        }
        drop(over);
        watchdog.join().expect("it only waits and kills");
        traced
    }
}

/// Ends a child that hangs: whoever waits for its next event then panics.
fn kill_at_deadline(process: pid_t, is_over: &Receiver<()>) {
    if is_over.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout) {
        // SAFETY: no memory is involved. The process has not been waited for to its end, so the number is its own.
        unsafe { libc::kill(process, libc::SIGKILL) };
    }
}

struct Tracer {
    process: pid_t,
    memory: Option<File>,
    info: InstructionInfoFactory,
    /// By address.
    decoded: HashMap<u64, Instruction>,
}

impl Tracer {
    /// Waits until two threads stand at their first mark; `None` if the child ends well before.
    fn both_at_a_mark(&mut self, child: &mut Child) -> Option<[pid_t; 2]> {
        let mut stopped = Vec::new();
        while stopped.len() < 2 {
            let (thread, status) = self.next_event(-1);
            if libc::WIFSTOPPED(status) {
                assert_eq!(libc::WSTOPSIG(status), libc::SIGTRAP, "a signal before the first mark");
                stopped.push(thread);
            } else {
                let exited_well = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
                assert!(exited_well, "the child ended with status {status:#x}");
                // It has been waited for already, which `Child` does not know; so it is not to signal anybody.
                _ = child.try_wait();
                return None;
            }
        }
        self.memory = Some(File::open(format!("/proc/{}/mem", self.process)).expect("a tracer reads the memory"));
        Some([stopped[0], stopped[1]])
    }

    /// Takes both through all their turns, alternately, and lets everybody go.
    fn run(&mut self, sides: [pid_t; 2], turns: usize) -> Traced {
        let others = self.stop_others(&sides);
        let mut traced = Traced { turns: [Vec::new(), Vec::new()] };
        for turn in 0..turns {
            for (side, &thread) in sides.iter().enumerate() {
                traced.turns[side].push(self.step_through(thread));
                // Over the mark at the end, and on to that where the next turn begins.
                self.go_on_to_mark(thread);
                if turn + 1 < turns {
                    self.go_on_to_mark(thread);
                }
            }
        }
        for thread in others.into_iter().chain(sides) {
            self.request(libc::PTRACE_DETACH, thread, 0);
        }
        traced
    }

    /// Stops all threads of the process but the two.
    fn stop_others(&self, sides: &[pid_t; 2]) -> Vec<pid_t> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process)).expect("the child is there");
        let others = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok());
        let others: Vec<pid_t> = others.filter(|thread| !sides.contains(thread)).collect();
        for &thread in &others {
            self.request(libc::PTRACE_SEIZE, thread, 0);
            self.request(libc::PTRACE_INTERRUPT, thread, 0);
            let (_, status) = self.next_event(thread);
            assert!(libc::WIFSTOPPED(status), "an OS thread ended while it was to stop");
        }
        others
    }

    /// Runs a thread that stands at a mark to its next one.
    fn go_on_to_mark(&self, thread: pid_t) {
        self.request(libc::PTRACE_CONT, thread, 0);
        self.trapped(thread);
    }

    /// Steps a thread from behind a mark to just before the next.
    fn step_through(&mut self, thread: pid_t) -> Turn {
        let mut turn = Turn::default();
        loop {
            let registers = self.registers(thread);
            let instruction = self.instruction(registers.rip);
            if instruction.mnemonic() == Mnemonic::Int3 {
                return turn;
            }
            turn.instructions += 1;
            self.note(&instruction, &registers, &mut turn);
            self.request(libc::PTRACE_SINGLESTEP, thread, 0);
            self.trapped(thread);
        }
    }

    /// Counts what the instruction is about to do.
    fn note(&mut self, instruction: &Instruction, registers: &user_regs_struct, turn: &mut Turn) {
        let locks = is_locked(instruction);
        let mut is_noted = false;
        for memory in self.info.info(instruction).used_memory() {
            let address = memory.virtual_address(0, |register, _, _| value(register, registers));
            let Some(address) = address else { panic!("no address for {instruction:?}") };
            let (reads, writes) = match memory.access() {
                OpAccess::NoMemAccess | OpAccess::None => continue,
                OpAccess::Read | OpAccess::CondRead => (true, false),
                OpAccess::Write | OpAccess::CondWrite => (false, true),
                _ => (true, true),
            };
            let line = address / 64;
            turn.touched.insert(line);
            if writes {
                turn.stored.push(line);
            }
            if locks && reads && writes && !is_noted {
                is_noted = true;
                turn.locked.push(line);
            }
        }
        if locks && !is_noted {
            // A fence: it locks no line of memory, but costs as much.
            turn.locked.push(0);
        }
    }

    fn registers(&self, thread: pid_t) -> user_regs_struct {
        // SAFETY: all fields are numbers, for which zero is a value.
        let mut registers: user_regs_struct = unsafe { std::mem::zeroed() };
        let data = (&raw mut registers).cast::<c_void>();
        // SAFETY: the thread is stopped and traced, and `data` has room for its registers.
        let rc = unsafe { libc::ptrace(libc::PTRACE_GETREGS, thread, ptr::null_mut::<c_void>(), data) };
        assert_eq!(rc, 0, "registers: {}", std::io::Error::last_os_error());
        registers
    }

    /// The instruction at `address`.
    fn instruction(&mut self, address: u64) -> Instruction {
        let memory = self.memory.as_ref().expect("it is opened at the first mark");
        *self.decoded.entry(address).or_insert_with(|| {
            // As many bytes as the longest instruction has; fewer are read at the end of a mapping.
            let mut code = [0; 15];
            let read = memory.read_at(&mut code, address).expect("an instruction pointer points to memory");
            let instruction = Decoder::with_ip(64, &code[..read], address, DecoderOptions::NONE).decode();
            assert!(!instruction.is_invalid(), "no instruction at {address:#x}: {code:x?}");
            instruction
        })
    }

    /// Waits until the thread has stopped by a step or at a mark.
    fn trapped(&self, thread: pid_t) {
        let (_, status) = self.next_event(thread);
        assert!(libc::WIFSTOPPED(status), "the thread ended: status {status:#x}");
        assert_eq!(libc::WSTOPSIG(status), libc::SIGTRAP, "a signal came while it was stepped");
    }

    /// Waits until the process has ended, and ended well.
    fn wait_for_end(&self) {
        loop {
            let (of, status) = self.next_event(-1);
            if of == self.process && !libc::WIFSTOPPED(status) {
                assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "the child ended: {status:#x}");
                return;
            }
        }
    }

    /// Waits for the next event of this thread, or of any with -1.
    fn next_event(&self, thread: pid_t) -> (pid_t, c_int) {
        let mut status = 0;
        // Only what this very thread has made or traces: other tests run beside it.
        // SAFETY: `status` may be written.
        let found = unsafe { libc::waitpid(thread, &mut status, libc::__WALL | libc::__WNOTHREAD) };
        assert!(found > 0, "waitpid: {}", std::io::Error::last_os_error());
        (found, status)
    }

    fn request(&self, request: libc::c_uint, thread: pid_t, data: usize) {
        let data = ptr::without_provenance_mut::<c_void>(data);
        // SAFETY: none of the requests made here reads or writes memory of this process.
        let rc = unsafe { libc::ptrace(request, thread, ptr::null_mut::<c_void>(), data) };
        assert_eq!(rc, 0, "ptrace request {request} on {thread}: {}", std::io::Error::last_os_error());
    }
}

/// Whether it is an atomic read-modify-write, or a full fence.
fn is_locked(instruction: &Instruction) -> bool {
    let in_memory = instruction.op0_kind() == OpKind::Memory || instruction.op1_kind() == OpKind::Memory;
    instruction.has_lock_prefix()
        || (instruction.mnemonic() == Mnemonic::Xchg && in_memory)
        || instruction.mnemonic() == Mnemonic::Mfence
}

/// The value of a register that an address is made of; of a segment, its base.
fn value(register: Register, registers: &user_regs_struct) -> Option<u64> {
    let full = match register.full_register() {
        Register::RAX => registers.rax,
        Register::RBX => registers.rbx,
        Register::RCX => registers.rcx,
        Register::RDX => registers.rdx,
        Register::RSI => registers.rsi,
        Register::RDI => registers.rdi,
        Register::RBP => registers.rbp,
        Register::RSP => registers.rsp,
        Register::R8 => registers.r8,
        Register::R9 => registers.r9,
        Register::R10 => registers.r10,
        Register::R11 => registers.r11,
        Register::R12 => registers.r12,
        Register::R13 => registers.r13,
        Register::R14 => registers.r14,
        Register::R15 => registers.r15,
        Register::FS => registers.fs_base,
        Register::GS => registers.gs_base,
        Register::CS | Register::DS | Register::ES | Register::SS => 0,
        _ => return None,
    };
    Some(if register.size() == 4 { full & 0xFFFF_FFFF } else { full })
}
