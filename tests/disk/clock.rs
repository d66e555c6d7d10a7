//! Clocks that are wrong by years: this is reported, and not taken for damage.

use rollbook::domain::event::{Event, EventPayload, ReportedListing};
use rollbook::domain::order::Stamp;
use rollbook::store::Caution;
use rollbook::{Options, Store};

const DAY: i64 = 86_400_000;
const NOW: i64 = 1_800_000_000_000;

fn cautions(dir: &std::path::Path, now: i64) -> Vec<Caution> {
    let options = Options::default().clock(move || now);
    let store = Store::open(dir, options).unwrap();
    let cautions = store.cautions().unwrap();
    let event = Event {
        observer: "default".into(),
        self_user: None,
        id: None,
        stamp: Stamp::NONE,
        payload: EventPayload::Snapshot {
            channel: "c".into(),
            shown: ReportedListing::default(),
        },
    };
    store.record(&[event]).unwrap();
    store.close().unwrap();
    cautions
}

#[test]
fn a_clock_far_from_the_last_entry_is_named_before_more_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let at = |now| cautions(dir.path(), now);
    assert_eq!(at(NOW), [], "nothing is known of a first entry's time");
    assert_eq!(at(NOW + 300 * DAY), []);
    let (last, now) = (NOW + 300 * DAY, NOW + 900 * DAY);
    assert_eq!(at(now), [Caution::ClockAhead { last, now }]);
    let (last, now) = (now, NOW + 899 * DAY);
    assert_eq!(at(now), [], "a day is nothing");
    let behind = at(-5 * DAY);
    let now = -5 * DAY;
    assert_eq!(behind, [Caution::ClockBehind { last, now }]);
    assert!(
        behind[0]
            .to_string()
            .contains("days behind the last entry's recording")
    );
}
