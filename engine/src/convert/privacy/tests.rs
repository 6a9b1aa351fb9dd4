use super::*;
use crate::decode::{Block, RecordsDecoder, RejectsDecoder};
use crate::schema::Table;
use crate::schema::TextLayout;
use arrow::array::{AsArray, ListArray, StringArray, StringViewArray};
use arrow::datatypes::DataType;
use proptest::prelude::*;

const DIGITS: &[u8] = b"0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301";

fn key() -> AddressKey {
    AddressKey::from_content(DIGITS).unwrap()
}

fn of_mode(redact_uri: bool, mode: AnonymizeIp) -> Privacy {
    let key = key();
    Privacy::new(redact_uri, mode, (mode == AnonymizeIp::Keyed).then_some(&key)).unwrap()
}

/// A log line; `extra` follows the last documented field.
fn log_line(ip: &str, uri: &str, referer: &str, extra: &str) -> String {
    format!(
        "79a5 photos [06/Feb/2019:00:00:38 +0000] {ip} 79a5 3E57427F3EXAMPLE REST.GET.OBJECT k \"{uri}\" 200 - 1 1 1 1 \
         \"{referer}\" \"curl/8\" - id= SigV4 TLS_AES_128_GCM_SHA256 QueryString h.example TLSv1.3 - - -{extra}\n"
    )
}

fn logs(layout: TextLayout, lines: &str) -> RecordBatch {
    let all: Vec<_> = (0..Table::Logs.schema(layout).fields().len()).collect();
    let block = Block::new("log", bytes::Bytes::from(lines.to_owned()));
    RecordsDecoder::new(Table::Logs, &all, layout).decode(&block).unwrap()
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let array = arrow::compute::cast(batch.column_by_name(column).unwrap(), &DataType::Utf8).unwrap();
    array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

fn example(layout: TextLayout) -> RecordBatch {
    let uri = "GET /photos/k?X-Amz-Signature=5f3a HTTP/1.1";
    let lines = [
        log_line("192.0.2.3", "GET /photos/k HTTP/1.1", "-", ""),
        log_line("192.0.2.3", uri, "https://ann:pw@a.example/?code=1", " 192.0.2.3 https://a.example/?token=1"),
        log_line("2001:db8:1:2::3", "GET /k?x=1&code=2 HTTP/1.1", "https://192.0.2.9/?token=1&x=2", ""),
        log_line("-", "-", "-", ""),
        log_line("nonsense", "GET /k?token=a HTTP/1.1", "-", ""),
    ];
    logs(layout, &lines.concat())
}

#[test]
fn logs_are_rewritten() {
    for layout in [TextLayout::Views, TextLayout::Plain] {
        let before = example(layout);
        assert_eq!(before.num_rows(), 5);
        let after = of_mode(true, AnonymizeIp::Truncate).apply(before.clone()).unwrap();
        assert_eq!(after.schema(), before.schema());
        let some = |texts: [Option<&str>; 5]| texts.map(|text| text.map(str::to_owned)).to_vec();
        assert_eq!(
            texts(&after, "request_uri"),
            some([
                Some("GET /photos/k HTTP/1.1"),
                Some("GET /photos/k?X-Amz-Signature=REDACTED HTTP/1.1"),
                Some("GET /k?x=1&code=2 HTTP/1.1"),
                None,
                Some("GET /k?token=REDACTED HTTP/1.1"),
            ])
        );
        assert_eq!(
            texts(&after, "referer"),
            some([
                None,
                Some("https://REDACTED@a.example/?code=REDACTED"),
                Some("https://192.0.2.9/?token=REDACTED&x=2"),
                None,
                None,
            ])
        );
        assert_eq!(
            texts(&after, "remote_ip"),
            some([Some("192.0.2.0"), Some("192.0.2.0"), Some("2001:db8:1::"), None, None])
        );
        let extra = after.column_by_name("extra_fields").unwrap();
        let shown = arrow::util::display::array_value_to_string(extra, 1).unwrap();
        assert_eq!(shown, "[192.0.2.0, https://a.example/?token=REDACTED]");
        for (field, (old, new)) in before.schema().fields().iter().zip(before.columns().iter().zip(after.columns())) {
            let rewritten = ["request_uri", "referer", "remote_ip", "extra_fields"].contains(&field.name().as_str());
            assert!(rewritten || Arc::ptr_eq(old, new), "{}", field.name());
        }
    }
}

#[test]
fn modes_of_addresses() {
    let remote_ip = |mode| texts(&of_mode(false, mode).apply(example(TextLayout::Views)).unwrap(), "remote_ip");
    assert_eq!(remote_ip(AnonymizeIp::Drop), vec![None; 5]);
    let keyed = remote_ip(AnonymizeIp::Keyed);
    assert_eq!(keyed[0], keyed[1]);
    assert_eq!(keyed.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, true, false, false]);
    assert_eq!(remote_ip(AnonymizeIp::None)[4].as_deref(), Some("nonsense"));
}

#[test]
fn rejects_are_rewritten() {
    let lines = "no record 192.0.2.3 \"GET /k?sig=a HTTP/1.1\" \"https://u:p@h/\"\nnor this\n";
    for layout in [TextLayout::Views, TextLayout::Plain] {
        let block = Block::new("log", bytes::Bytes::from_static(lines.as_bytes()));
        let batch = RejectsDecoder::new(&[0, 1, 2, 3, 4], layout).decode(&block).unwrap();
        let after = of_mode(true, AnonymizeIp::Drop).apply_to_rejects(batch).unwrap();
        assert_eq!(
            texts(&after, "line"),
            [
                Some("no record REDACTED \"GET /k?sig=REDACTED HTTP/1.1\" \"https://REDACTED@h/\"".to_owned()),
                Some("nor this".to_owned()),
            ]
        );
    }
}

#[test]
fn paths_lose_what_request_uris_lose() {
    let paths = ["/k#X-Amz-Signature=abcdef0123", "/app;jsessionid=1A2B", "/a;b=c/d#e"];
    for name in ["path", "cs_uri_stem"] {
        let column: ArrayRef = Arc::new(StringViewArray::from_iter_values(paths));
        let batch = RecordBatch::try_from_iter([(name, column)]).unwrap();
        let rewritten = of_mode(true, AnonymizeIp::None).apply(batch).unwrap();
        let expected = ["/k#X-Amz-Signature=REDACTED", "/app;jsessionid=REDACTED", "/a;b=c/d#e"];
        assert_eq!(texts(&rewritten, name), expected.map(|path| Some(path.to_owned())));
    }
}

#[test]
fn what_does_not_change_is_not_copied() {
    let plain = logs(
        TextLayout::Views,
        &log_line("192.0.2.3", "GET /a/b?x=1&y=%3D HTTP/1.1", "https://h.example/", " x").repeat(3),
    );
    let after = of_mode(true, AnonymizeIp::None).apply(plain.clone()).unwrap();
    assert!(plain.columns().iter().zip(after.columns()).all(|(old, new)| Arc::ptr_eq(old, new)));
    let after = of_mode(false, AnonymizeIp::None).apply(plain.clone()).unwrap();
    assert!(plain.columns().iter().zip(after.columns()).all(|(old, new)| Arc::ptr_eq(old, new)));

    // One row changes: the views of the others still point to the same text.
    let before = example(TextLayout::Views);
    let after = of_mode(true, AnonymizeIp::None).apply(before.clone()).unwrap();
    let column = |batch: &RecordBatch| batch.column_by_name("request_uri").unwrap().as_string_view().clone();
    let (before, after) = (column(&before), column(&after));
    assert_eq!(before.value(0).as_ptr(), after.value(0).as_ptr());
    assert_eq!(after.data_buffers().len(), before.data_buffers().len() + 1);
    assert_eq!(before.views()[2], after.views()[2]);
}

#[test]
fn some_columns_or_none_are_fine_too() {
    let privacy = of_mode(true, AnonymizeIp::Drop);
    let all = example(TextLayout::Views);
    let referer = all.schema().index_of("referer").unwrap();
    let after = privacy.apply(all.project(&[referer]).unwrap()).unwrap();
    assert_eq!(texts(&after, "referer")[1].as_deref(), Some("https://REDACTED@a.example/?code=REDACTED"));
    assert_eq!(privacy.apply(all.project(&[]).unwrap()).unwrap().num_rows(), 5);
    let numbers =
        RecordBatch::try_from_iter([("referer", Arc::new(arrow::array::Int64Array::from(vec![1])) as ArrayRef)]);
    let error = privacy.apply(numbers.unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "referer: a column of text is expected, this one is Int64");
}

#[test]
fn threads_share_it() {
    fn shared<T: Send + Sync>() {}
    shared::<Privacy>();
}

#[test]
fn keys_go_with_one_mode() {
    assert!(Privacy::new(true, AnonymizeIp::Keyed, None).is_err());
    assert!(Privacy::new(true, AnonymizeIp::Truncate, Some(&key())).is_err());
    assert!(Privacy::new(true, AnonymizeIp::None, Some(&key())).is_err());
    assert!(of_mode(false, AnonymizeIp::None).is_off());
}

#[test]
fn a_description_tells_the_key_from_others_and_does_not_show_it() {
    let keyed = of_mode(true, AnonymizeIp::Keyed).describe().clone();
    assert_eq!(keyed.to_string(), format!("redact-uri=yes anonymize-ip=keyed key={}", key().fingerprint()));
    assert!(!format!("{:?}", of_mode(true, AnonymizeIp::Keyed)).contains("0123456789abcdef"));
}

/// The texts in both layouts.
fn both(texts: &[Option<String>]) -> [ArrayRef; 2] {
    [Arc::new(StringViewArray::from_iter(texts)), Arc::new(StringArray::from_iter(texts))]
}

fn values(array: &ArrayRef) -> Vec<Option<String>> {
    let batch = RecordBatch::try_from_iter([("text", Arc::clone(array))]).unwrap();
    texts(&batch, "text")
}

proptest! {
    #[test]
    fn layouts_slices_and_lists_are_the_same(
        texts in proptest::collection::vec(proptest::option::of("[a-d]{0,20}"), 1..30), cut in 0..30_usize,
    ) {
        let rewrite = |text: &str, into: &mut String| {
            *into = text.replace('a', "AAA");
            text.contains('a')
        };
        let map = |text: &str| (!text.contains('b')).then(|| text.to_uppercase());
        let expected: Vec<_> = texts.iter().map(|text| text.as_ref().map(|text| text.replace('a', "AAA"))).collect();
        let mapped: Vec<_> = texts.iter().map(|text| map(text.as_deref()?)).collect();
        let cut = cut % texts.len();
        for array in both(&texts) {
            let rewritten = rewrite_texts(&array, rewrite).unwrap();
            prop_assert_eq!(values(&rewritten), expected.as_slice());
            rewritten.to_data().validate_full().unwrap();
            let part = array.slice(cut, texts.len() - cut);
            prop_assert_eq!(values(&rewrite_texts(&part, rewrite).unwrap()), &expected[cut..]);
            prop_assert_eq!(values(&map_texts(&array, map).unwrap()), mapped.as_slice());
            prop_assert_eq!(values(&map_texts(&part, map).unwrap()), &mapped[cut..]);

            let item = Arc::new(arrow::datatypes::Field::new_list_field(array.data_type().clone(), true));
            let offsets = arrow::buffer::OffsetBuffer::from_lengths([cut, 0, texts.len() - cut]);
            let nulls = Some(vec![true, false, true].into());
            let lists: ArrayRef = Arc::new(ListArray::new(item, offsets, Arc::clone(&array), nulls));
            let rewritten = rewrite_texts(&lists, rewrite).unwrap();
            prop_assert_eq!(values(&rewritten.as_list::<i32>().value(2)), &expected[cut..]);
            prop_assert_eq!(rewritten.nulls(), lists.nulls());
        }
    }
}
