//! What a key does.
//!
//! | key | does |
//! |---|---|
//! | `q`, Esc, Ctrl and `c` | ends |
//! | space | keeps what is shown, or goes on |
//! | up, down, page up, page down, home | moves through the dump |
//! | `f` | shows the runtime's own frames, or hides them |
//! | `+`, `-` | asks twice as often, or half as often |
//! | `?` | shows this |

use crate::state::State;
use ratatui::crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use std::time::Duration;

/// As the table, for the screen.
pub(crate) const HELP: &str =
    "q end   space pause   up down pgup pgdn home move   f all frames   + - faster, slower   ? help";

/// The lines of a page.
const PAGE: usize = 10;
const FASTEST: Duration = Duration::from_millis(50);
const SLOWEST: Duration = Duration::from_secs(60);

/// What follows.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    GoOn,
    End,
}

/// Does what the key asks for.
pub(crate) fn press(state: &mut State, event: &Event) -> Next {
    let Event::Key(key) = event else { return Next::GoOn };
    if key.kind == KeyEventKind::Release {
        return Next::GoOn;
    }
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return Next::End,
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Next::End,
        KeyCode::Char(' ') => state.is_paused = !state.is_paused,
        KeyCode::Char('f') => state.shows_all_frames = !state.shows_all_frames,
        KeyCode::Char('?') => state.shows_help = !state.shows_help,
        KeyCode::Char('+') => state.every = (state.every / 2).max(FASTEST),
        KeyCode::Char('-') => state.every = (state.every * 2).min(SLOWEST),
        KeyCode::Up => state.line = state.line.saturating_sub(1),
        KeyCode::Down => state.line += 1,
        KeyCode::PageUp => state.line = state.line.saturating_sub(PAGE),
        KeyCode::PageDown => state.line += PAGE,
        KeyCode::Home => state.line = 0,
        _ => {}
    }
    Next::GoOn
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::crossterm::event::KeyEvent;

    #[test]
    fn each_key_does_what_the_table_says() {
        let mut state = State::default();
        let mut hit = |code, modifiers| {
            let next = press(&mut state, &Event::Key(KeyEvent::new(code, modifiers)));
            (next, state.is_paused, state.shows_all_frames, state.line, state.every.as_millis())
        };
        let none = KeyModifiers::NONE;
        assert_eq!(hit(KeyCode::Char(' '), none), (Next::GoOn, true, false, 0, 1000));
        assert_eq!(hit(KeyCode::Char('f'), none), (Next::GoOn, true, true, 0, 1000));
        assert_eq!(hit(KeyCode::PageDown, none), (Next::GoOn, true, true, 10, 1000));
        assert_eq!(hit(KeyCode::Up, none), (Next::GoOn, true, true, 9, 1000));
        assert_eq!(hit(KeyCode::Char('+'), none), (Next::GoOn, true, true, 9, 500));
        assert_eq!(hit(KeyCode::Char('c'), none).0, Next::GoOn);
        assert_eq!(hit(KeyCode::Char('c'), KeyModifiers::CONTROL).0, Next::End);
        assert_eq!(hit(KeyCode::Esc, none).0, Next::End);
    }
}
