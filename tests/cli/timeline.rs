//! `timeline`, as users call it: that its characters say what `who` says, what it leaves out, and how it fails.

use rollbook_support::program::{self, Folder, Ran, folder};
use serde_json::Value;

const EVENING: &str = include_str!("../../examples/weak-network-evening.jsonl");

fn drawn(folder: &Folder, columns: &str, args: &[&str]) -> Ran {
    let mut command = folder.program(&[&["timeline"], args].concat());
    command.env("COLUMNS", columns);
    program::run(command)
}

/// The lanes between two moments, by topic and user: what stands behind the ruler's begin.
fn lanes(text: &str) -> Vec<(String, String, Vec<char>)> {
    let ruler = text.lines().find(|line| line.contains('┬')).unwrap();
    let begin = ruler.chars().take_while(|c| *c == ' ').count();
    let width = ruler.chars().count() - begin;
    let behind = text.lines().skip_while(|line| !line.contains("unwatched"));
    let rows = behind.skip(1).take_while(|line| !line.contains("present"));
    let mut topic = String::new();
    rows.map(|line| {
        let labels: String = line.chars().take(begin).collect();
        let mut words = labels.split_whitespace().rev();
        let user = words.next().unwrap().to_owned();
        topic = words.next().map_or(topic.clone(), str::to_owned);
        let mut cells: Vec<char> = line.chars().skip(begin).collect();
        cells.resize(width, ' ');
        (topic.clone(), user, cells)
    })
    .collect()
}

/// Columns of whole minutes, so that their middles are known here.
#[test]
fn a_character_is_the_answer_of_who() {
    let folder = folder!();
    folder.ingest(EVENING, &[]);
    let (from, minutes) = (1_778_791_200_000_i64, 60_i64);
    let [from_arg, to_arg] = [from, from + minutes * 60_000].map(|at| format!("@{at}"));
    let args = [
        "studio-7", "--user", "ivo", "--from", &from_arg, "--to", &to_arg,
    ];
    // 60 columns are left of 79.
    let text = drawn(&folder, "79", &args).ok().out;
    let lanes = lanes(&text);
    assert!(
        lanes
            .iter()
            .all(|(_, user, cells)| user == "ivo" && cells.len() == 60),
        "{text}"
    );
    let mut present = 0;
    for column in 0..60 {
        let at = format!("@{}", from + column * 60_000 + 30_000);
        let who = folder.ask(&["who", "studio-7", "--at", &at]).remove(0);
        let mut expected: Vec<(String, Value)> = Vec::new();
        for topic in who["topics"].as_array().unwrap() {
            for member in topic["publishers"].as_array().unwrap() {
                if member["user"] == "ivo" {
                    let topic = topic["topic"].as_str().unwrap().to_owned();
                    expected.push((topic, member["certainty"].clone()));
                }
            }
        }
        present += expected.len();
        let shown = lanes.iter().filter_map(|(topic, _, cells)| {
            let certainty = match cells[usize::try_from(column).unwrap()] {
                '█' => "certain",
                '▓' => "assumed",
                '░' => "possible",
                ' ' | '·' => return None,
                other => panic!("{other}"),
            };
            Some((topic.clone(), Value::from(certainty)))
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{column}\n{text}");
    }
    assert!(present > 80, "{present}");
}

#[test]
fn a_moment_is_not_left_out() {
    let folder = folder!();
    let feed = r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"ana"}]},"ts":1000}
{"t":"join","channel":"room","topic":"chat","user":"ben","ts":500100}
{"t":"leave","channel":"room","topic":"chat","user":"ben","ts":500200}
{"t":"leave","channel":"room","topic":"chat","user":"ana","ts":1000000}
"#;
    folder.ingest(feed, &[]);
    let text = drawn(&folder, "80", &["room"]).ok().out;
    let ben = text.lines().find(|line| line.contains("ben")).unwrap();
    assert_eq!(ben.matches('▏').count(), 1, "{text}");
    assert!(text.contains("▏ shorter than a character"), "{text}");
    assert!(!text.contains("unwatched"), "{text}");
    assert!(
        text.contains("2 members · 1 topic · up to 1 in a column\n"),
        "{text}"
    );
}

/// Behind the last proof of an observer that is not connected nothing is certain.
#[test]
fn nothing_is_certain_behind_the_last_proof() {
    let folder = folder!();
    folder.ingest(EVENING, &[]);
    // Two hours from a little before the last line on.
    let args = [
        "studio-7",
        "--user",
        "farah",
        "--from",
        "@1778795000000",
        "--to",
        "@1778802200000",
    ];
    let text = drawn(&folder, "80", &args).ok().out;
    let farah = text.lines().find(|line| line.contains("farah")).unwrap();
    let assumed = farah.find('▓').unwrap();
    assert!(farah.find('█').unwrap() < assumed, "{text}");
    assert!(!farah[assumed..].contains('█'), "{text}");
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let folder = folder!();
    folder.ingest(EVENING, &[]);
    for format in ["json", "jsonl", "csv"] {
        let ran = drawn(&folder, "80", &["studio-7", "--format", format]).fails(2);
        assert!(ran.err.contains("rollbook sessions"), "{}", ran.err);
    }
    drawn(&folder, "80", &["studio-8"]).fails(3);
    drawn(
        &folder,
        "80",
        &[
            "studio-7",
            "--from",
            "@1778791200000",
            "--to",
            "@1778791200000",
        ],
    )
    .fails(2);
    let nobody = drawn(&folder, "80", &["studio-7", "--topic", "nothing"])
        .ok()
        .out;
    assert_eq!(nobody, "studio-7 · nobody is known to have been there\n");
    let early = drawn(&folder, "80", &["studio-7", "--known-at", "@1"]).fails(3);
    assert!(early.err.contains("studio-7"), "{}", early.err);
}

/// Every line fits, however narrow the terminal and long the names.
#[test]
fn lines_fit_the_terminal() {
    let folder = folder!();
    let mut feed = String::new();
    for n in 0..210 {
        feed += &format!(
            "{{\"t\":\"join\",\"channel\":\"room\",\"topic\":\"a-topic-with-a-very-long-name\",\"user\":\"someone-whose-name-is-long-{n:03}\",\"ts\":{}}}\n",
            1_000_000 + n * 1_000
        );
    }
    folder.ingest(feed, &[]);
    for columns in [40, 80, 120] {
        let text = drawn(&folder, &columns.to_string(), &["room"]).ok().out;
        for line in text
            .lines()
            .filter(|line| line.contains("000") || line.contains('┬'))
        {
            assert!(line.chars().count() <= columns, "{line}");
        }
        assert!(text.contains("10 more members are not drawn"), "{text}");
        assert!(text.contains("210 members"), "{text}");
    }
}

/// Whether tags are closed in the order in which they were opened, and nothing of a name became a tag.
fn well_formed(svg: &str) -> usize {
    let mut open = Vec::new();
    let mut tags = 0;
    for tag in svg.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').unwrap();
        assert!(
            !text.contains(['>', '"']) || open.last() == Some(&"style"),
            "{text}"
        );
        for entity in text.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            assert!(
                known.iter().any(|known| entity.starts_with(known)),
                "{text}"
            );
        }
        tags += 1;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
    }
    assert!(open.is_empty(), "{open:?}");
    tags
}

const HOSTILE: &str = r#"{"t":"snapshot","channel":"<b>&\"room","topics":{"<script>":[{"user":"a'b\u0007\uffff"},{"user":"سارة"}]},"ts":1000}
{"t":"link","state":"down","ts":2000}
{"t":"link","state":"up","ts":8000}
{"t":"snapshot","channel":"<b>&\"room","topics":{"<script>":[{"user":"]]>"}]},"ts":9000}
"#;

#[test]
fn pictures_are_whole_and_name_what_they_show() {
    let folder = folder!();
    folder.ingest(EVENING, &[]);
    folder.ingest(HOSTILE, &[]);
    let channels = ["studio-7", "<b>&\"room"];
    for (channel, commands) in channels.iter().flat_map(|channel| {
        let lanes = vec!["timeline", channel];
        let peaks = vec!["stats", channel, "--every", "1s"];
        [(channel, lanes), (channel, peaks)]
    }) {
        let args = [&commands[..], &["--svg", "picture.svg", "--force"]].concat();
        let ran = folder.run(&args).ok();
        assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
        let svg = std::fs::read_to_string(folder.path("picture.svg")).unwrap();
        assert!(well_formed(&svg) > 20, "{svg}");
        for part in [
            "<title id=\"title\">",
            "<desc id=",
            "prefers-color-scheme:dark",
            "role=\"img\"",
        ] {
            assert!(svg.contains(part), "{part}");
        }
        // Nothing is loaded from elsewhere.
        let links = svg.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        assert!(
            !links.contains("http") && !links.contains("href"),
            "{links}"
        );
        if *channel == "studio-7" {
            assert!(svg.contains("studio-7") && svg.contains("gesture"), "{svg}");
        } else {
            assert!(svg.contains("&lt;b&gt;&amp;"), "{svg}");
            assert!(!svg.contains('\u{7}') && !svg.contains('\u{ffff}'), "{svg}");
        }
    }
}

#[test]
fn a_picture_replaces_no_file_unless_it_may() {
    let folder = folder!();
    folder.ingest(EVENING, &[]);
    let file = folder.file("there.svg", "mine");
    for args in [&["timeline", "studio-7"][..], &["stats", "--every", "1h"]] {
        let ran = folder.run(&[args, &["--svg", &file]].concat()).fails(1);
        assert!(
            ran.err.contains("is there already") && ran.err.contains("--force"),
            "{}",
            ran.err
        );
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
        folder
            .run(&[args, &["--svg", "no/such/folder.svg"]].concat())
            .fails(1);
    }
    folder.run(&["stats", "--svg", "new.svg"]).fails(2);
    folder
        .run(&["stats", "--every", "1h", "--by", "user", "--svg", "new.svg"])
        .fails(2);
    folder.run(&["timeline", "studio-7", "--force"]).fails(2);
    assert!(!folder.path("new.svg").exists());
}

/// More intervals than a chart has room for: the most of all of them is still there.
#[test]
fn a_long_series_keeps_its_peak() {
    let folder = folder!();
    folder.ingest(EVENING, &[]);
    for every in ["1s", "7s", "1m", "30m"] {
        let text = folder
            .run(&["--format", "table", "stats", "studio-7", "--every", every])
            .ok()
            .out;
        let bars: Vec<&str> = text.lines().rev().take(4).collect();
        let mut most = Vec::new();
        for line in bars.iter().rev() {
            assert!(line.contains('█') && line.chars().count() <= 80, "{line}");
            most.push(line.rsplit(' ').next().unwrap());
        }
        assert_eq!(most, ["19", "12", "6", "3"], "{text}");
    }
}
