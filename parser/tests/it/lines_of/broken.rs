//! Damaged lines.

use super::hostile::{FRAGMENTS, hostile_line};
use super::soup::TOKENS;
use super::well_formed::{aws_line, dialect_line};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A single damage.
#[derive(Clone, Debug)]
enum Accident {
    CutBehind(Index),
    CutBefore(Index),
    Overwrite(Index, u8),
    Insert(Index, Vec<u8>),
    DoubleSpace(Index),
    RemoveSpace(Index),
    SwapTokens(Index, Index),
    RepeatToken(Index),
    RemoveToken(Index),
    ReplaceToken(Index, Vec<u8>),
}

fn accident() -> impl Strategy<Value = Accident> {
    let at = any::<Index>;
    let byte =
        prop_oneof![select(b"\" -[]0.".to_vec()), any::<u8>().prop_map(|byte| if byte == b'\n' { b'"' } else { byte })];
    let fragment = select(FRAGMENTS.to_vec()).prop_map(<[u8]>::to_vec);
    let token = select(TOKENS.to_vec()).prop_map(<[u8]>::to_vec);
    prop_oneof![
        at().prop_map(Accident::CutBehind),
        at().prop_map(Accident::CutBefore),
        (at(), byte).prop_map(|(at, byte)| Accident::Overwrite(at, byte)),
        (at(), fragment).prop_map(|(at, text)| Accident::Insert(at, text)),
        at().prop_map(Accident::DoubleSpace),
        at().prop_map(Accident::RemoveSpace),
        (at(), at()).prop_map(|(one, other)| Accident::SwapTokens(one, other)),
        at().prop_map(Accident::RepeatToken),
        at().prop_map(Accident::RemoveToken),
        (at(), token).prop_map(|(at, token)| Accident::ReplaceToken(at, token)),
    ]
}

fn happen(accident: &Accident, line: &mut Vec<u8>) {
    if line.is_empty() {
        return;
    }
    let spaces: Vec<usize> = (0..line.len()).filter(|at| line[*at] == b' ').collect();
    let mut tokens: Vec<Vec<u8>> = line.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect();
    match accident {
        Accident::CutBehind(at) => line.truncate(at.index(line.len())),
        Accident::CutBefore(at) => drop(line.drain(..at.index(line.len()))),
        Accident::Overwrite(at, byte) => {
            let at = at.index(line.len());
            line[at] = *byte;
        }
        Accident::Insert(at, text) => {
            let at = at.index(line.len());
            line.splice(at..at, text.iter().copied());
        }
        Accident::DoubleSpace(at) if !spaces.is_empty() => line.insert(*at.get(&spaces), b' '),
        Accident::RemoveSpace(at) if !spaces.is_empty() => drop(line.remove(*at.get(&spaces))),
        Accident::DoubleSpace(_) | Accident::RemoveSpace(_) => {}
        Accident::SwapTokens(one, other) => {
            let (one, other) = (one.index(tokens.len()), other.index(tokens.len()));
            tokens.swap(one, other);
            *line = tokens.join(&b' ');
        }
        Accident::RepeatToken(at) => {
            let at = at.index(tokens.len());
            tokens.insert(at, tokens[at].clone());
            *line = tokens.join(&b' ');
        }
        Accident::RemoveToken(at) => {
            tokens.remove(at.index(tokens.len()));
            *line = tokens.join(&b' ');
        }
        Accident::ReplaceToken(at, token) => {
            let at = at.index(tokens.len());
            tokens[at] = token.clone();
            *line = tokens.join(&b' ');
        }
    }
}

/// A line of any kind with one to four damages.
pub(crate) fn mutated_line() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![3 => aws_line().prop_map(|line| line.bytes()), 2 => hostile_line(), 1 => dialect_line()];
    (line, vec(accident(), 1..5)).prop_map(|(mut line, accidents)| {
        for accident in &accidents {
            happen(accident, &mut line);
        }
        line
    })
}
