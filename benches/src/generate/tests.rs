use super::*;

fn text(options: &Options, lines: usize) -> Vec<u8> {
    let mut generator = Generator::new(options);
    let mut out = Vec::new();
    for _ in 0..lines {
        generator.line(&mut out);
    }
    out
}

fn lines(buffer: &[u8]) -> impl Iterator<Item = &[u8]> {
    buffer.split_inclusive(|&byte| byte == b'\n')
}

#[test]
fn the_same_options_give_the_same_bytes() {
    let options = Options { hostile_percent: 10.0, ..Options::default() };
    assert_eq!(text(&options, 500), text(&options, 500));
    assert_ne!(text(&options, 500), text(&Options { seed: 2, ..options }, 500));
}

#[test]
fn one_call_is_one_line() {
    for hostile_percent in [0.0, 100.0] {
        let options = Options { hostile_percent, ..Options::default() };
        let mut generator = Generator::new(&options);
        for _ in 0..2_000 {
            let mut out = Vec::new();
            generator.line(&mut out);
            assert_eq!(out.iter().position(|&byte| byte == b'\n'), Some(out.len() - 1));
        }
    }
}

#[test]
fn lines_have_about_617_bytes() {
    let out = text(&Options::default(), 50_000);
    let mean = out.len() / 50_000;
    assert!((600..635).contains(&mean), "{mean}");
}

#[test]
fn the_year_decides_the_fields() {
    for (year, fields) in [(2006, 17), (2015, 18), (2020, 24), (2021, 25), (2024, 26), (2026, 27)] {
        let out = text(&Options { year, ..Options::default() }, 300);
        for line in lines(&out) {
            assert_eq!(count_fields(line), fields, "{}", line.escape_ascii());
            assert!(line.windows(6).any(|window| window == format!("/{year}:").as_bytes()));
        }
    }
}

/// Number of fields of a line without hostile quotes, where brackets and quotes keep a field together.
fn count_fields(line: &[u8]) -> usize {
    let mut held = false;
    let spaces = line.iter().filter(|&&byte| {
        held ^= matches!(byte, b'"' | b'[' | b']');
        byte == b' ' && !held
    });
    1 + spaces.count()
}

#[test]
fn hostile_lines_come_as_often_as_asked() {
    let options = Options { hostile_percent: 5.0, ..Options::default() };
    let out = text(&options, 20_000);
    // Each kind of hostility is one in twelve. NUL represents all of them, less the lines without a client.
    let with_nul = lines(&out).filter(|line| line.contains(&0)).count();
    assert!((50..120).contains(&with_nul), "{with_nul}");
    assert_eq!(text(&Options { hostile_percent: 0.0, ..options }, 5_000).iter().filter(|&&byte| byte == 0).count(), 0);
}

#[test]
fn time_advances_over_the_hours() {
    let options = Options { lines: 1_000, hours: 24.0, ..Options::default() };
    let mut generator = Generator::new(&options);
    let mut out = Vec::new();
    generator.line(&mut out);
    let first = generator.time();
    for _ in 1..1_000 {
        generator.line(&mut out);
    }
    let hours = (generator.time() - first) as f64 / 3600.0;
    assert!((23.9..24.1).contains(&hours), "{hours}");
}

#[test]
fn a_chosen_bucket_stays() {
    let mut generator = Generator::new(&Options::default());
    generator.change_bucket();
    let mut out = Vec::new();
    for _ in 0..100 {
        generator.line(&mut out);
    }
    let bucket = |line: &[u8]| line.split(|&byte| byte == b' ').nth(1).map(<[u8]>::to_vec);
    let first = lines(&out).next().and_then(bucket);
    assert!(lines(&out).all(|line| bucket(line) == first));
}
