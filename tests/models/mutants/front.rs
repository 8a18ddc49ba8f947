//! The mutants of `runtime/src/wait/queue.rs`, where a waiter comes back to the front.

use super::Mutant;

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "second_does_not_know_the_first",
        wrong: "when the second one gives up, it takes itself for the first, and the one before it is lost",
        text: "(*inner).before = Some(node)",
        becomes: "(*inner).before = None",
        model: "one_that_comes_back_is_first",
        panics_with: "not the one that came back",
    },
    Mutant {
        name: "only_one_is_not_the_last",
        wrong: "the next one that comes is linked to nobody, and the one that was alone is lost",
        text: "None => self.tail = Some(node),",
        becomes: "None => {}",
        model: "one_that_comes_back_is_first",
        panics_with: "not the one that came back",
    },
    Mutant {
        name: "comes_back_behind_the_first",
        wrong: "those that came later are served before it",
        text: "        self.head = Some(node);\n",
        becomes: "        self.head = self.head.or(Some(node));\n",
        model: "one_that_comes_back_is_first",
        panics_with: "not the one that came back",
    },
];
