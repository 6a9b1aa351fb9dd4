//! What the standard streams are connected to: determined once, then passed on as plain values.

use std::io::{self, IsTerminal as _};

use crate::output::Paint;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR says otherwise or CLICOLOR_FORCE asks for them everywhere
    #[default]
    Auto,
    /// Also in files and pipes
    Always,
    /// Never
    Never,
}

/// Width of a terminal that does not report one.
const USUAL_WIDTH: usize = 80;

/// Width of the terminal on standard output, or `None` if it is not a terminal.
pub(crate) fn stdout_width() -> Option<usize> {
    let stdout = io::stdout();
    let width = || terminal_size::terminal_size_of(&stdout).map_or(USUAL_WIDTH, |(width, _)| usize::from(width.0));
    stdout.is_terminal().then(width)
}

pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether to use colours on a stream, given whether it is a terminal.
pub(crate) fn paint(choice: Colour, is_terminal: bool) -> Paint {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0");
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    Paint::new(colours(choice, is_terminal && !dumb, set("NO_COLOR"), forced))
}

/// The flag wins over the environment; NO_COLOR wins over CLICOLOR_FORCE.
fn colours(choice: Colour, able: bool, forbidden: bool, forced: bool) -> bool {
    match choice {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => !forbidden && (able || forced),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_then_no_color_then_force_then_the_terminal() {
        for (able, forbidden, forced) in [(true, true, true), (false, false, false)] {
            assert!(colours(Colour::Always, able, forbidden, forced));
            assert!(!colours(Colour::Never, able, forbidden, forced));
        }
        assert!(!colours(Colour::Auto, true, true, true));
        assert!(colours(Colour::Auto, false, false, true));
        assert!(colours(Colour::Auto, true, false, false));
        assert!(!colours(Colour::Auto, false, false, false));
    }
}
