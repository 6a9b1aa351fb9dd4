//! Properties of log objects of any kind: detected by content, each line in one table.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;
use s3log_engine::decode::{Block, BufferPool, Counts, LARGEST_BLOCK, LineBlocks, RecordsDecoder, RejectsDecoder};
use s3log_engine::schema::{Table, TextLayout};
use s3log_parser::Lines;

const MAX_LINE: usize = 900;
const TABLES: [Table; 3] = [Table::Logs, Table::Cdn, Table::Requests];

fn cdn_line(number: usize) -> String {
    let address = ["192.0.2.3", "2001:DB8::3", "-", "***", "198.51.100.007"][number % 5];
    let stem = ["/a%2520b.jpg", "/", "/caf%C3%A9", "/x%09y", "plain"][number / 5 % 5];
    let status = ["200", "403", "000", "-", "304"][number % 5];
    let agent = ["Mozilla/5.0%20(X11)", "Mozilla/5.0%2520(X11)", "-", "curl/8%09x"][number % 4];
    let result = ["Hit", "Miss", "Error", "RefreshHit"][number % 4];
    let host = ["media.fra1.cdn.digitaloceanspaces.com", "d111111abcdef8.cloudfront.net"][number % 2];
    let taken = ["0.358", "2", "-", "12.0005"][number % 4];
    format!(
        "2026-01-{:02}\t10:{:02}:41\tAMS1-C1\t{number}\t{address}\tGET\t{host}\t{stem}\t{status}\t-\t{agent}\tq=1%2526\t-\t{result}\tID{number}==\tCDN.example.com\thttps\t80\t{taken}",
        number % 28 + 1,
        number % 60,
    )
}

fn json_line(number: usize) -> String {
    match number % 3 {
        0 => format!(
            r#"{{"bucket_name":"photos","request_time":"2026-01-15T10:{:02}:41.5Z","operation":"REST.GET.OBJECT","remote_ip":"192.0.2.3","key_name":"k{number}","http_status":{},"user_agent":"a \"b\" \u00e9","new":{number}}}"#,
            number % 60,
            200 + number % 300,
        ),
        1 => format!(
            r#"{{"date":"2026-01-15","time":"10:22:41","c-ip":"192.0.2.3","cs-uri-stem":"/k{number}","sc-status":"200","cs(User-Agent)":"x\ty"}}"#
        ),
        _ => format!(
            r#"2026-01-15T10:23:00.000Z {{"bucket":"photos","time":"[15/Jan/2026:10:22:41 +0000]","operation":"x","requester":null,"bytes_sent":{number}}}"#
        ),
    }
}

/// Any contents of a log object, of one kind or accidentally of several.
fn object() -> impl Strategy<Value = Vec<u8>> {
    let text = |text: &'static str| Just(text.to_owned());
    let origin = (0_usize..5000).prop_map(crate::logs::line);
    let cdn = (0_usize..5000).prop_map(cdn_line);
    let header = prop_oneof![
        text("#Version: 1.0"),
        text(
            "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken"
        ),
        text("#fields: time date x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status new"),
        text("#Fields: date time sc-bytes"),
        text("#"),
        Just(format!("# {}", "x".repeat(MAX_LINE))),
    ];
    let noise = prop_oneof![
        text(""),
        text(" \t"),
        text("garbage"),
        text("{\"a\":1}"),
        text("{"),
        text("1768472561.358\t192.0.2.3\t0.1\t200"),
        (0_usize..5000, 0_usize..400).prop_map(|(number, len)| cdn_line(number).chars().take(len).collect()),
        (0_usize..5000, 0_usize..400).prop_map(|(number, len)| json_line(number).chars().take(len).collect()),
    ];
    let json = (0_usize..5000).prop_map(json_line);
    let kind = prop_oneof![Just([9, 1, 1, 1, 2]), Just([1, 9, 3, 1, 2]), Just([1, 1, 1, 9, 2]), Just([3, 3, 2, 3, 3])];
    let line = kind.prop_flat_map(move |[a, b, c, d, e]| {
        let line = prop_oneof![
            a => origin.clone(), b => cdn.clone(), c => header.clone(), d => json.clone(), e => noise.clone(),
        ];
        (prop::collection::vec(line, 0..25), prop_oneof![Just("\n"), Just("\r\n")], any::<bool>())
    });
    line.prop_map(|(lines, end, ended)| {
        let mut object = lines.join(end);
        if ended {
            object.push_str(end);
        }
        object.into_bytes()
    })
}

fn blocks(objects: &[Vec<u8>], piece: usize, buffer: usize) -> Vec<Block> {
    let mut blocks = LineBlocks::new(BufferPool::new(buffer)).with_max_line(MAX_LINE);
    let mut cut = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        cut.extend(blocks.begin_object(format!("object number {number}"), 0));
        for mut piece in object.chunks(piece) {
            while !piece.is_empty() {
                piece = &piece[blocks.push(piece)..];
                cut.extend(std::iter::from_fn(|| blocks.next_block()));
            }
        }
    }
    cut.extend(std::iter::from_fn(|| blocks.finish()));
    cut
}

fn every_column(table: Table) -> Vec<usize> {
    (0..table.schema(TextLayout::Views).fields().len()).collect()
}

fn decoded(table: Table, blocks: &[Block], columns: &[usize], layout: TextLayout) -> (RecordBatch, Counts) {
    let mut decoder = RecordsDecoder::new(table, columns, layout).with_max_line(MAX_LINE);
    let batches: Vec<_> = blocks.iter().map(|block| decoder.decode(block).unwrap()).collect();
    (concat_batches(&decoder.schema(), &batches).unwrap(), decoder.counts())
}

fn rejects(blocks: &[Block]) -> (RecordBatch, Counts) {
    let mut decoder = RejectsDecoder::new(&[0, 1, 2, 3, 4], TextLayout::Views).with_max_line(MAX_LINE);
    let batches: Vec<_> = blocks.iter().map(|block| decoder.decode(block).unwrap()).collect();
    (concat_batches(&decoder.schema(), &batches).unwrap(), decoder.counts())
}

/// Rows as text, sorted, because objects of several kinds in one block are decoded kind by kind.
fn sorted(batch: &RecordBatch) -> Vec<String> {
    let row = |row| {
        let cells = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
        cells.collect::<Vec<_>>().join("|")
    };
    let mut rows: Vec<_> = (0..batch.num_rows()).map(row).collect();
    rows.sort_unstable();
    rows
}

/// Positions in a block have 32 bits.
#[test]
fn a_block_that_is_too_large_is_refused() {
    let block = Block::new("large", vec![0_u8; LARGEST_BLOCK + 1]);
    let error = RecordsDecoder::new(Table::Logs, &[0], TextLayout::Views).decode(&block).unwrap_err();
    assert_eq!(error.to_string(), "large: a block of 1073741825 bytes is too large");
    assert!(RejectsDecoder::new(&[0], TextLayout::Views).decode(&block).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_line_is_in_one_table_or_a_header_or_blank(object in object()) {
        let blocks = blocks(std::slice::from_ref(&object), usize::MAX, 1 << 16);
        let lines = Lines::new(&object).filter(|line| !line.is_blank()).count() as u64;
        let (rejected, of_rejects) = rejects(&blocks);
        prop_assert_eq!(rejected.num_rows() as u64, of_rejects.rejects);
        let of = |table| {
            let (batch, counts) = decoded(table, &blocks, &every_column(table), TextLayout::Views);
            assert_eq!(batch.num_rows() as u64, counts.rows, "{table:?}");
            counts
        };
        let [logs, cdn, requests] = TABLES.map(of);
        prop_assert_eq!(requests.rows, logs.rows + cdn.rows);
        prop_assert_eq!((requests.rows, requests.rejects), (of_rejects.rows, of_rejects.rejects));
        prop_assert_eq!((requests.headers, requests.others), (of_rejects.headers, 0));
        prop_assert_eq!(requests.lines() + requests.headers, lines);
        prop_assert_eq!(requests.blank_lines, of_rejects.blank_lines);
    }

    #[test]
    fn objects_behind_each_other_in_pieces_give_what_each_gives_alone(
        objects in prop::collection::vec(object(), 1..4),
        piece in 1_usize..900,
        buffer in 1_usize..3000,
    ) {
        let whole = blocks(&objects, usize::MAX, 1 << 16);
        let chunked = blocks(&objects, piece, buffer);
        for table in TABLES {
            let (one, counts) = decoded(table, &whole, &every_column(table), TextLayout::Views);
            let (other, counts_of_other) = decoded(table, &chunked, &every_column(table), TextLayout::Views);
            prop_assert_eq!((counts.rows, counts.rejects), (counts_of_other.rows, counts_of_other.rejects));
            prop_assert_eq!(sorted(&one), sorted(&other));
        }
        prop_assert_eq!(sorted(&rejects(&whole).0), sorted(&rejects(&chunked).0));
    }

    #[test]
    fn projecting_then_decoding_is_decoding_then_projecting(
        objects in prop::collection::vec(object(), 1..3),
        columns in prop::sample::subsequence((0..46).collect::<Vec<usize>>(), 1..8),
    ) {
        let blocks = blocks(&objects, usize::MAX, 1 << 16);
        for table in TABLES {
            let every = every_column(table);
            let columns: Vec<_> = columns.iter().copied().filter(|column| every.contains(column)).collect();
            if columns.is_empty() {
                continue;
            }
            let (all, counts) = decoded(table, &blocks, &every, TextLayout::Views);
            let (some, counts_of_some) = decoded(table, &blocks, &columns, TextLayout::Views);
            prop_assert_eq!(counts, counts_of_some);
            prop_assert_eq!(all.project(&columns).unwrap(), some);
        }
    }

    #[test]
    fn both_layouts_of_text_say_the_same(objects in prop::collection::vec(object(), 1..3)) {
        let blocks = blocks(&objects, usize::MAX, 1 << 16);
        for table in TABLES {
            let (views, _) = decoded(table, &blocks, &every_column(table), TextLayout::Views);
            let (plain, _) = decoded(table, &blocks, &every_column(table), TextLayout::Plain);
            prop_assert_eq!(sorted(&views), sorted(&plain));
        }
    }
}
