//! Wildcard patterns for actions and resources in IAM policies.
//!
//! Wildcards: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>. Their
//! escapes: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>.

/// What stands for a wildcard or a `$` itself.
const ESCAPES: [&str; 3] = ["${*}", "${?}", "${$}"];

/// The escape that a text begins with, and the character that it stands for.
fn escape(text: &str) -> Option<(&'static str, char)> {
    let escape = ESCAPES.into_iter().find(|escape| text.starts_with(escape))?;
    Some((escape, escape.chars().nth(2)?))
}

/// Whether a policy pattern has a variable, such as `${aws:PrincipalAccount}`. [`matches`] does not know its value.
pub(crate) fn has_variable(pattern: &str) -> bool {
    pattern.match_indices("${").any(|(at, _)| pattern.get(at..).is_some_and(|rest| escape(rest).is_none()))
}

/// The beginning that all texts have that a policy pattern matches, and whether more may follow: a wildcard or a variable.
pub(crate) fn beginning(pattern: &str) -> (String, bool) {
    let mut beginning = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        let (letter, length) = match escape(rest) {
            Some((escape, letter)) => (letter, escape.len()),
            None if matches!(letter, '*' | '?') || rest.starts_with("${") => return (beginning, true),
            None => (letter, letter.len_utf8()),
        };
        beginning.push(letter);
        rest = rest.get(length..).unwrap_or_default();
    }
    (beginning, false)
}

/// Escapes `text` so that a policy sees no wildcards or variables in it.
pub(crate) fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '*' | '?' | '$' => literal.extend(['$', '{', letter, '}']),
            _ => literal.push(letter),
        }
    }
    literal
}

/// Whether a policy pattern matches `text`: `*` matches any string, `?` any character, and `${*}`, `${?}` and `${$}`
/// those characters literally.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum Part {
        Is(char),
        One,
        Any,
    }
    let mut parts = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        let (part, length) = match (escape(rest), letter) {
            (Some((escape, letter)), _) => (Part::Is(letter), escape.len()),
            (None, '*') => (Part::Any, 1),
            (None, '?') => (Part::One, 1),
            (None, letter) => (Part::Is(letter), letter.len_utf8()),
        };
        parts.push(part);
        rest = rest.get(length..).unwrap_or_default();
    }
    let text: Vec<char> = text.chars().collect();
    // Where to resume when the part after the last `*` does not match.
    let (mut at, mut part, mut retry) = (0, 0, None);
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                retry = Some((part + 1, at));
                part += 1;
            }
            Some(Part::One) => (at, part) = (at + 1, part + 1),
            Some(Part::Is(letter)) if text.get(at) == Some(letter) => (at, part) = (at + 1, part + 1),
            _ => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    (at, part) = (from + 1, after);
                }
                None => return false,
            },
        }
    }
    parts.iter().skip(part).all(|part| *part == Part::Any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_of_policies() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "a/b", true),
            ("a*", "a", true),
            ("a*", "b", false),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("a*b*c", "axbxbxc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a${*}c", "a*c", true),
            ("a${*}c", "abc", false),
            ("${$}{x}", "${x}", true),
            ("${?}", "?", true),
            ("${?}", "x", false),
            ("é?", "éé", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn beginnings_and_variables() {
        for (pattern, expected, more, variable) in [
            ("a/b", "a/b", false, false),
            ("a/*", "a/", true, false),
            ("a?b", "a", true, false),
            ("a${*}b${$}{c}", "a*b${c}", false, false),
            ("a${*}b?", "a*b", true, false),
            ("a/${aws:username}/*", "a/", true, true),
            ("${$}${x}", "$", true, true),
            ("$a{b}", "$a{b}", false, false),
        ] {
            assert_eq!(
                (beginning(pattern), has_variable(pattern)),
                ((expected.to_owned(), more), variable),
                "{pattern}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_a_pattern_matches_has_its_beginning(pattern in "[ab*?${}]{0,8}", text in "[ab*?$]{0,8}") {
            if matches(&pattern, &text) && !has_variable(&pattern) {
                prop_assert!(text.starts_with(&beginning(&pattern).0));
            }
        }

        /// Compared with an independent implementation.
        #[test]
        fn wildcards_are_those_of_expressions(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let expression = format!("^{}$", regex::escape(&pattern).replace("\\*", ".*").replace("\\?", "."));
            prop_assert_eq!(matches(&pattern, &text), regex::Regex::new(&expression).unwrap().is_match(&text));
        }

        #[test]
        fn a_literal_is_itself_and_a_beginning(text in "[a-c*?${}é/]{0,8}", more in "[a-c*?$/]{0,4}") {
            prop_assert!(matches(&literal(&text), &text));
            let beginning = format!("{}*", literal(&text));
            let longer = format!("{text}{more}");
            prop_assert!(matches(&beginning, &longer));
        }

        #[test]
        fn a_literal_is_nothing_else(text in "[ab*?$]{0,6}", other in "[ab*?$]{0,6}") {
            prop_assert_eq!(matches(&literal(&text), &other), text == other);
        }
    }
}
