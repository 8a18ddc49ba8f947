//! What does the gate cost on more cores than there are at hand?
//!
//! ```text
//! cargo run --release -p greenbridge-record --bin gate_model            # tables, and the plot docs/plots/gate_model.svg
//! ```
//! First it measures, on two cores of this machine, what a transfer of a cache line costs and what a loop with either gate takes,
//! and sets the model's answer beside it. Then it lets the model run the program of Go issue 60961 on up to 128 cores, with the
//! mutex of Go's gate until 1.21, locked twice per callback, and with a load. `docs/scale.md` says what follows.

#[path = "../../curves.rs"]
mod curves;
mod here;
mod machine;
#[path = "../../numbers.rs"]
mod numbers;
mod simulation;

use curves::{Axes, draw_curves};
use machine::{EPYC, Machine, XEON};
use numbers::short;
use plotters::style::RGBColor;
use simulation::{Task, per_task};
use std::path::Path;
use std::process::ExitCode;

const TASKS: usize = 200_000;

/// The rounds of Go's mutex per callback: one at the gate, one as the callback's context is released.
const ROUNDS: usize = 2;

/// A task of Go's: what the program takes on one core, where nobody waits, less its locked instructions.
const GO: Task = Task { own: 320.0, gate_rounds: ROUNDS, channel: true };

/// A callback alone, from a loop in C, as in the row `c_par_callback`: all that there is beside the gate.
const CALLBACK: Task = Task { own: 40.0, gate_rounds: ROUNDS, channel: false };

fn main() -> ExitCode {
    check_here();
    for machine in [XEON, EPYC] {
        print_table(&machine, "the program of the issue, with the channel", GO);
        print_table(&machine, "callbacks alone", CALLBACK);
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plots/gate_model.svg");
    match draw(&file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gate_model: {}: {error}", file.display());
            ExitCode::FAILURE
        }
    }
}

/// The model beside this machine.
fn check_here() {
    let transfer = here::transfer();
    let own = ((here::per_task(1, 100, ROUNDS) - here::per_task(1, 100, 0)) / (2 * ROUNDS) as f64).max(0.1);
    println!(
        "here: a line goes from core to core in {} ns, a locked instruction takes {} ns\n",
        short(transfer),
        short(own)
    );
    println!("| work per task | threads | gate | here | model |\n|---|---|---|---|---|");
    let machine = Machine::of_two(own, transfer);
    for work in [100, 400] {
        let alone = here::per_task(1, work, 0);
        for threads in [1, 2] {
            for rounds in [0, ROUNDS] {
                let measured = here::per_task(threads, work, rounds);
                let task = Task { own: alone, gate_rounds: rounds, channel: false };
                let modelled = per_task(&machine, threads, task, TASKS);
                let gate = if rounds == 0 { "a load" } else { "a mutex, twice" };
                let (alone, measured, modelled) = (short(alone), short(measured), short(modelled));
                println!("| {alone} ns | {threads} | {gate} | {measured} ns | {modelled} ns |");
            }
        }
    }
}

fn cores(machine: &Machine) -> impl Iterator<Item = usize> {
    let most = machine.cores;
    [1, 2, 4, 8, 16, 32, 48, 64, 96, 128].into_iter().filter(move |&cores| cores <= most)
}

fn print_table(machine: &Machine, what: &str, task: Task) {
    println!("\n{}: {what}, ms for 10 million\n\n| cores | mutex | load | ratio |\n|---|---|---|---|", machine.name);
    for cores in cores(machine) {
        let [mutex, load] = both(machine, cores, task);
        println!("| {cores} | {} | {} | {} |", short(mutex * 10.0), short(load * 10.0), short(mutex / load));
    }
}

/// With the mutex, and with the load.
fn both(machine: &Machine, cores: usize, task: Task) -> [f64; 2] {
    [task.gate_rounds, 0].map(|gate_rounds| per_task(machine, cores, Task { gate_rounds, ..task }, TASKS))
}

fn draw(file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let curve = |machine: &Machine, gate: usize| {
        cores(machine).map(|cores| (cores as f64, both(machine, cores, GO)[gate] * 10.0)).collect::<Vec<_>>()
    };
    let curves = [
        (curve(&XEON, 0), "Xeon, mutex", RGBColor(0x00, 0x9a, 0xcf)),
        (curve(&EPYC, 0), "EPYC, mutex", RGBColor(0xb0, 0x3a, 0x5b)),
        (curve(&XEON, 1), "Xeon, load", RGBColor(0x1b, 0x7f, 0x3b)),
        (curve(&EPYC, 1), "EPYC, load", RGBColor(0xd9, 0x8e, 0x04)),
    ];
    let axes = Axes {
        title: "Model: the program of Go issue 60961 behind both gates",
        x: "cores",
        y: "ms for 10 million tasks",
    };
    draw_curves(file, &axes, &curves)
}
