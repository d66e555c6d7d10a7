//! Any bytes as a sequence of events. Each byte chooses one of few things, so that names and times often coincide.
//! The store must answer as the model does.

use crate::desk::Desk;
use crate::feeds::{Heard, NOW, START, Tape};
use crate::model::{heard, the_same_now};
use crate::reference::Reference;
use rollbook::care::VerifyDepth;
use rollbook::domain::entry::Rules;

/// The largest number of lines in a sequence.
const LINES: usize = 24;

/// The remaining bytes: each byte is one choice. After the last byte every choice takes the first item.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn of<T: Copy>(&mut self, menu: &[T]) -> T {
        let byte = self.0.split_off_first().copied().unwrap_or_default();
        menu[usize::from(byte) % menu.len()]
    }

    fn maybe(&mut self, field: &str, menu: &[&str]) -> String {
        match self.of(menu) {
            "" => String::new(),
            value => format!(r#","{field}":{value}"#),
        }
    }

    fn channel(&mut self) -> &'static str {
        self.of(&["a", "a", "b"])
    }

    fn member(&mut self) -> String {
        let user = self.of(&["ann", "bob", "cy"]);
        let conn = self.maybe("conn", &["", "", "\"k\""]);
        let meta = self.maybe("meta", &["", "1", "1.0", "null", r#"{"a":[2.0]}"#]);
        format!(r#""user":"{user}"{conn}{meta}"#)
    }

    fn members(&mut self) -> String {
        let count = self.of(&[0, 1, 2, 3]);
        let members: Vec<String> = (0..count)
            .map(|_| {
                let (member, late) = (self.member(), self.maybe("ts", &["", "", "1800000000100"]));
                format!("{{{member}{late}}}")
            })
            .collect();
        members.join(",")
    }

    fn topics(&mut self) -> String {
        match self.of(&[1, 0, 2]) {
            0 => "{}".to_owned(),
            1 => format!(r#"{{"{}":[{}]}}"#, self.of(&["t", "u"]), self.members()),
            _ => format!(r#"{{"t":[{}],"u":[{}]}}"#, self.members(), self.members()),
        }
    }

    /// A line's fields, without its time, position and observer.
    fn fields(&mut self) -> String {
        let channel = self.channel();
        match self.of(&[0, 1, 2, 3, 4, 5, 6, 7, 8]) {
            0 | 1 => {
                let kind = self.of(&["join", "leave", "update"]);
                let topic = self.of(&["t", "u"]);
                let late = self.maybe("late_ms", &["", "", "150", "30000"]);
                let member = self.member();
                format!(r#""t":"{kind}","channel":"{channel}","topic":"{topic}",{member}{late}"#)
            }
            2 | 3 => {
                let incomplete = self.maybe("incomplete", &["", "", "true"]);
                let topics = self.topics();
                format!(r#""t":"snapshot","channel":"{channel}","topics":{topics}{incomplete}"#)
            }
            4 => {
                let step = self.of(&["snapshot_begin", "snapshot_page", "snapshot_end"]);
                let topics = self.topics();
                format!(r#""t":"{step}","channel":"{channel}","sync":"s","topics":{topics}"#)
            }
            5 => {
                let (joins, leaves) = (self.topics(), self.topics());
                format!(r#""t":"diff","channel":"{channel}","joins":{joins},"leaves":{leaves}"#)
            }
            6 | 7 => {
                let channels = self.maybe("channels", &["", r#"["a"]"#, r#"["a","b"]"#]);
                let how = self.of(&["down", "up", "synced", "differences"]);
                match how {
                    "differences" => {
                        format!(r#""t":"link","state":"up","resync":"differences"{channels}"#)
                    }
                    state => format!(r#""t":"link","state":"{state}"{channels}"#),
                }
            }
            _ => {
                let channel = self.maybe("channel", &["", "\"a\""]);
                format!(r#""t":"token","state":"expired"{channel}"#)
            }
        }
    }

    fn tape(&mut self) -> Tape {
        let rules = Rules::default()
            .skew_tolerance_ms(self.of(&[0, 150]))
            .max_ahead_ms(self.of(&[60_000, 5_000, 0]))
            .slack_ms(self.of(&[0, 70]))
            .resync_ms(self.of(&[300, Rules::RESYNC_MS, 0]))
            .lossy(self.of(&[false, false, true]));
        let (mut ts, mut now, mut serial) = (START, NOW, 0);
        let mut lines = Vec::new();
        while !self.0.is_empty() && lines.len() < LINES {
            now += self.of(&[0, 100, 200, -500, 2_000]);
            if self.of(&[0, 0, 0, 0, 0, 0, 0, 1]) == 1 {
                let what = self.of(&["up", "lost", "resumed", "closed"]);
                let text = format!("^{what} {}", self.of(&["default", "o2"]));
                lines.push(Heard { now, text });
                continue;
            }
            let mut text = format!("{{{}", self.fields());
            ts += self.of(&[100, 0, 200, 300, -100, -400]);
            match self.of(&[0, 0, 0, 0, 1, 2, 3]) {
                0 => text += &format!(r#","ts":{ts}"#),
                1 => {}
                2 => text += r#","ts":0"#,
                _ => text += &format!(r#","ts":{}"#, NOW + 30_000),
            }
            if self.of(&[false, false, true]) {
                serial += self.of(&[1, 0, -2]);
                text += &format!(r#","pos":[{serial},0]"#);
            }
            text += &self.maybe("observer", &["", "", "\"o2\""]);
            text += &self.maybe("self", &["", "", "", "\"ann\""]);
            text += &self.maybe("id", &["", "", "", "\"1\"", "\"2\"", "\"3\""]);
            text.push('}');
            lines.push(Heard { now, text });
        }
        Tape { rules, lines }
    }
}

/// Asks the model and the store the same questions.
pub fn events(bytes: &[u8]) {
    let tape = Choices(bytes).tape();
    let (desk, model) = heard(&tape);
    the_same_now(&desk.store, &model);
    // The model does not cover ingest connections; folding the same lines does.
    let desk = Desk::of(&tape);
    let reference = Reference::of(&tape);
    assert_eq!(
        desk.described(),
        reference.state.describe(&reference.names),
        "{tape:?}"
    );
    assert_eq!(desk.folded(None), desk.described(), "{tape:?}");
    let verified = desk.store.verify(VerifyDepth::Deep, |_| {}).unwrap();
    assert!(verified.ok, "{:?} {tape:?}", verified.problems);
}
