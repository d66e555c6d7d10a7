//! Questions to what was imported, in process: who was in a channel at a moment, and the stays: of one channel, and of
//! all. Answers go into a file, so that the script can compare those of all contenders.

use crate::Outcome;
use crate::args::Args;
use crate::figure::Figure;
use crate::peers::sqlite;
use rollbook::query::{SessionFilter, WhoFilter};
use rollbook::{Options, Store, StoreError};
use rusqlite::Connection;
use serde::Deserialize;
use std::time::Instant;

/// A question.
#[derive(Deserialize)]
struct Question {
    channel: String,
    at: i64,
}

/// One who was there: a topic and a user.
type Present = (String, String);

/// The stays: how many, how many of them have ended, and how long these lasted in all, ms.
type Stays = (u64, u64, i64);

/// Who answers.
trait Answerer {
    fn who(&self, channel: &str, at: i64) -> Outcome<Vec<Present>>;
    fn stays(&self, channel: Option<&str>) -> Outcome<Stays>;
}

/// Runs it: `--contender`, `--dir`, `--questions`, `--what` (`who`, `stays`, `all-stays`), `--count`, `--answers`.
pub fn run(args: &Args) -> Outcome<()> {
    let dir = args.path("--dir")?;
    let answerer: Box<dyn Answerer> = match args.text("--contender")? {
        "rollbook" => Box::new(Store::open(dir, Options::default())?),
        "sqlite" => Box::new(sqlite::connect(&dir)?),
        other => return Err(format!("{other} answers nothing here").into()),
    };
    let questions = std::fs::read_to_string(args.path("--questions")?)?;
    let questions = questions.lines().map(serde_json::from_str);
    let questions: Vec<Question> = questions.collect::<Result<_, _>>()?;
    let what = args.text("--what")?;
    let count: usize = args.number("--count")?;
    let (mut answers, mut times) = (Vec::new(), Vec::new());
    // The first question opens what is opened once: its time does not count.
    let asked = questions.iter().take(1).chain(&questions);
    for (turn, question) in asked.take(count + 1).enumerate() {
        let start = Instant::now();
        let answer = answer(&*answerer, question, what)?;
        if turn > 0 {
            times.push(start.elapsed());
            answers.push(answer.into_text());
        }
    }
    std::fs::write(args.path("--answers")?, answers.join("\n") + "\n")?;
    let all = times.iter().sum();
    Figure::of(times.len(), times, all).print()
}

/// An answer, before it is text: making text is not timed.
enum Answer {
    Who(Vec<Present>),
    Stays(Stays),
}

fn answer(answerer: &dyn Answerer, question: &Question, what: &str) -> Outcome<Answer> {
    Ok(match what {
        "who" => Answer::Who(answerer.who(&question.channel, question.at)?),
        "stays" => Answer::Stays(answerer.stays(Some(&question.channel))?),
        "all-stays" => Answer::Stays(answerer.stays(None)?),
        other => return Err(format!("nobody is asked for {other}").into()),
    })
}

impl Answer {
    fn into_text(self) -> String {
        match self {
            Answer::Who(mut present) => {
                present.sort();
                serde_json::json!(present).to_string()
            }
            Answer::Stays(stays) => serde_json::json!(stays).to_string(),
        }
    }
}

impl Answerer for Store {
    fn who(&self, channel: &str, at: i64) -> Outcome<Vec<Present>> {
        let who = match Store::who(self, channel, &WhoFilter::at(at)) {
            Ok(who) => who,
            // At an early moment nothing was known of the channel: nobody was there.
            Err(StoreError::NoSuchChannel(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let present = who.topics.into_iter().flat_map(|topic| {
            let of_topic = topic.publishers.into_iter();
            of_topic.map(move |publisher| (topic.topic.clone(), publisher.user))
        });
        Ok(present.collect())
    }

    fn stays(&self, channel: Option<&str>) -> Outcome<Stays> {
        let filter = match channel {
            Some(channel) => SessionFilter::default().channel(channel),
            None => SessionFilter::default(),
        };
        let mut stays = (0, 0, 0);
        for stay in self.sessions(&filter)? {
            let stay = stay?;
            stays.0 += 1;
            if let Some(left) = stay.left_at {
                stays.1 += 1;
                stays.2 += left.0 - stay.joined_at.0;
            }
        }
        Ok(stays)
    }
}

/// Of each member the newest row at the moment, unless it is a leave. That `kind` comes from the row with the largest
/// `seq` is a promise of SQLite's documentation.
const WHO: &str = "SELECT topic, user FROM (
        SELECT topic, user, kind, max(seq) FROM events WHERE channel = ?1 AND ts <= ?2 GROUP BY topic, user
    ) WHERE kind <> 'leave'";
/// Rows that change whether a member is there; each begin reaches to the next of them. DuckDB is asked the same.
const STAYS: &str = "WITH steps AS (
        SELECT channel, topic, user, ts, seq, kind <> 'leave' AS here,
            lag(kind <> 'leave', 1, false) OVER (PARTITION BY channel, topic, user ORDER BY seq) AS was
        FROM events WHERE ?1 IS NULL OR channel = ?1
    ), edges AS (
        SELECT ts, here, lead(ts) OVER (PARTITION BY channel, topic, user ORDER BY seq) AS until
        FROM steps WHERE here <> was
    ) SELECT count(*), count(until), coalesce(sum(until - ts), 0) FROM edges WHERE here";

impl Answerer for Connection {
    fn who(&self, channel: &str, at: i64) -> Outcome<Vec<Present>> {
        let mut statement = self.prepare_cached(WHO)?;
        let present = statement.query_map((channel, at), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(present.collect::<Result<_, _>>()?)
    }

    fn stays(&self, channel: Option<&str>) -> Outcome<Stays> {
        // With a condition of its own, the channel's rows come by the index.
        let sql = match channel {
            Some(_) => STAYS.replace("?1 IS NULL OR channel = ?1", "channel = ?1"),
            None => STAYS.to_owned(),
        };
        let mut statement = self.prepare_cached(&sql)?;
        let stays = statement.query_row([channel], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get(2)?))
        })?;
        Ok((u64::try_from(stays.0)?, u64::try_from(stays.1)?, stays.2))
    }
}
