//! An error in a part of a rule file, before its file and line are known.

use crate::Error;

/// An error in a text: line, message and hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Line in the text, from 0.
    line: usize,
    message: String,
    hint: Option<String>,
}

impl Problem {
    /// A problem on the first line of the text.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { line: 0, message: message.into(), hint: None }
    }

    /// Adds a hint.
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Moves the problem down by this number of lines.
    pub(super) fn below(mut self, lines: usize) -> Self {
        self.line += lines;
        self
    }

    /// Converts to an error, given the file and the line, from 1, on which the text begins.
    pub(super) fn in_file(self, file: &str, first_line: usize) -> Error {
        self.without_place().in_object(format!("{file}:{}", first_line + self.line))
    }

    /// Converts to an error without a position.
    pub(super) fn without_place(&self) -> Error {
        let error = Error::invalid(self.message.clone());
        match &self.hint {
            Some(hint) => error.with_hint(hint.clone()),
            None => error,
        }
    }
}

/// `did you mean …` if a name is similar, otherwise a list of all names.
pub(super) fn hint_of_names<'a>(name: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    did_you_mean(name, names.clone()).unwrap_or_else(|| {
        let list = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        if list.is_empty() { "there is none".to_owned() } else { format!("there are: {list}") }
    })
}

/// `did you mean …` if a name is similar.
pub(super) fn did_you_mean<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    closest(name, names).map(|near| format!("did you mean `{near}`?"))
}

/// The name that was probably meant: at most a few typing errors away.
pub(super) fn closest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let far = |other: &str| strsim::damerau_levenshtein(&name, &other.to_lowercase());
    let (distance, near) = names.map(|other| (far(other), other)).min()?;
    let limit = (name.chars().count() / 3).max(1);
    (distance <= limit && distance < near.chars().count()).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_near_and_far() {
        let names = ["min_good", "c1", "c2"];
        for (name, hint) in [
            ("min_god", "did you mean `min_good`?"),
            ("C1", "did you mean `c1`?"),
            ("threshold", "there are: `min_good`, `c1`, `c2`"),
        ] {
            assert_eq!(hint_of_names(name, names.into_iter()), hint, "{name}");
        }
        assert_eq!(hint_of_names("x", std::iter::empty()), "there is none");
    }

    #[test]
    fn lines_are_counted_from_the_texts_own() {
        let error = Problem::new("wrong").below(2).with_hint("do it right").in_file("a.toml", 10);
        assert_eq!((error.to_string().as_str(), error.hint()), ("a.toml:12: wrong", Some("do it right")));
    }
}
