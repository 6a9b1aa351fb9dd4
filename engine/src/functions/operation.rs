//! The function `operation_part`.

use super::text_function::{Row, TextFunction};
use super::{Documented, FunctionDoc};

const OPERATION_PART: FunctionDoc = FunctionDoc {
    group: "Operation",
    name: "operation_part",
    signature: "operation_part(operation, n) -> text",
    description: "The `n`th part of an operation between its dots, counted from 1: of `REST.GET.OBJECT` the first is \
                  the interface, the second the method, the third the resource. NULL if there are fewer parts.",
    arguments: &[
        ("operation", "The column `operation`: `REST.GET.OBJECT`, `S3.EXPIRE.OBJECT`, `S3.COMPUTE.OBJECT.CHECKSUM`."),
        ("n", "Which part; 1 is the first. A constant below 1 is an error, one from a column gives NULL."),
    ],
    example_sql: "SELECT operation_part('REST.GET.OBJECT', 3)",
    example_result: "OBJECT",
};

pub(super) fn functions() -> Vec<Documented> {
    vec![TextFunction::documented(
        &OPERATION_PART,
        Row::TextByInt(1..=i64::MAX, |operation, n, _| operation_part(operation, n)),
    )]
}

fn operation_part(operation: &str, n: i64) -> Option<&str> {
    let skip = usize::try_from(n.checked_sub(1)?).ok()?;
    operation.split('.').nth(skip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_count_from_one() {
        for (operation, n, expected) in [
            ("REST.GET.OBJECT", 1, Some("REST")),
            ("REST.GET.OBJECT", 2, Some("GET")),
            ("REST.GET.OBJECT", 3, Some("OBJECT")),
            ("REST.GET.OBJECT", 4, None),
            ("REST.GET.OBJECT", i64::MAX, None),
            ("REST.GET.OBJECT", 0, None),
            ("REST.GET.OBJECT", -1, None),
            ("REST.GET.OBJECT", i64::MIN, None),
            ("S3.COMPUTE.OBJECT.CHECKSUM", 4, Some("CHECKSUM")),
            ("WEBSITE.INVALIDOPERATION", 3, None),
            ("no dots", 1, Some("no dots")),
            ("a..é.", 2, Some("")),
            ("a..é.", 3, Some("é")),
            ("a..é.", 4, Some("")),
            ("", 1, Some("")),
            ("", 2, None),
        ] {
            assert_eq!(operation_part(operation, n), expected, "{operation} {n}");
        }
    }
}
