//! The base of a pruned log: its bytes stay readable, since it cannot be made again, and damaged ones are refused.

use rollbook::domain::names::Names;
use rollbook::domain::state::State;
use rollbook::log::block::BaseObject;
use rollbook::log::checkpoint;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::log::engine::objects::{MemoryObjects, ObjectStore};
use rollbook::{Options, Store};
use rollbook_support as support;
use std::sync::Arc;

/// What [`recorded`] made when this was written. It must be readable for ever, also with a checkpoint of an older version
/// in it: a change of that version needs a reader, or a migration of bases.
const GOLDEN: &str = concat!(
    "f55262fc010000003e00000086cf6eae0504e2b0ca1c6581f92a50643882826ce3640959eb60d984295981de52508a6069c4",
    "05fd00a0b83046030000fd5069b83046030000000001fb9103fb260228b52ffd609102e51000b418fb6b01060504e2b0ca1c",
    "6581f92a50643882826ce3640959eb60d984295981de52508a6069c40105fd00a0b8304603000002056f7468657204fd5069",
    "0104726f6f6d04fde0514a06030764656661756c7401000201000101020001050004669809940d77beadcfa7f67b3bf9472e",
    "9e2960ab482ce46dda49869cca20a4cd7070000f2f746d702f2e746d705151483131773a113b8793e35c34b64ea8b745b75e",
    "2c840edb932fa398ddcbf4223dc0929af72e2e624c4e524e42f44acb3d36d1a94ebfe5f4a2535431251b92271895b9f04910",
    "3128f5d40b17fe58587641706d6d6fb13f2f73a08435ff17efd3b04cce22b875286706dded82d2db63d376c72ade4659594e",
    "55746f717202780600000002fd806101010401000000010104fdff0100000501450605046368617403626f62016201020304",
    "00010100fc0100fbcf0701000000fb09616e6e0001010203fe01077b2261223a317d01010000000003fdb059000101030200",
    "0102000101010001feb90efb449d17094227f9f74a05663494fdf78761cf8c3621e8013c20400284581979c84cf19800e1c2",
    "495dae0bad33a0fac0bd51982c93b5d2379668377c1158858c177a280001028c06cb0009bb4781d41d0155c5b111717c0141",
    "3d8982a8d8c17d1bd4d8eafb2a40c0d89886e1baf3b67a4a2b20cc211c438272290f6f397e014d36880ec08f32182460a8f9",
    "e04c018cbeac460079a0b8c9bd58e0012bf7d05c241ba603310d0f0a884daa8b",
);

/// The base behind a member with metadata, an open gap, a source and an id.
fn recorded() -> Vec<u8> {
    let (engine, objects) = (
        Arc::new(MemoryJournal::new()),
        Arc::new(MemoryObjects::default()),
    );
    let parts = (
        Box::new(Arc::clone(&engine)),
        Box::new(Arc::clone(&objects)),
    );
    let options = Options::default().clock(|| 1_800_000_000_000);
    let store = Store::on_parts(parts.0, parts.1, options).unwrap();
    for line in [
        r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"ann","meta":{"a":1}}]},"ts":1799999990000,"id":"s1"}"#,
        r#"{"t":"link","state":"down","ts":1799999991000}"#,
        r#"{"t":"join","channel":"other","topic":"chat","user":"bob","conn":"b","ts":1799999992000}"#,
        r#"{"t":"leave","channel":"other","topic":"chat","user":"bob","conn":"b","ts":1799999993000}"#,
        r#"{"t":"join","channel":"other","topic":"chat","user":"cid","ts":1799999994000}"#,
    ] {
        support::take(&store, line, &Default::default());
    }
    store.prune(1_800_000_000_001).unwrap();
    objects.read(0, 0, usize::MAX).unwrap()
}

/// Everything that a base says, as text.
fn described(bytes: &[u8]) -> String {
    let object = BaseObject::read(bytes.to_vec()).unwrap();
    let content = object.content().unwrap();
    let index = checkpoint::index_from_bytes(&content.index).unwrap();
    let (mut state, mut names) = (State::new(), Names::new());
    checkpoint::trunk_from_bytes(&index.trunk, &mut state, &mut names).unwrap();
    let mut text = format!("{:?}\n", object.header.seq);
    for (of, channel) in index.channels.iter().zip(&content.channels) {
        checkpoint::channel_from_bytes(&channel.part, &mut state, &mut names).unwrap();
        if let Some(tombstones) = &channel.tombstones {
            checkpoint::tombstones_from_bytes(tombstones, &mut state, &mut names).unwrap();
        }
        text += &format!(
            "{} {} {:?} {:?} {:?}\n",
            of.channel, of.effective_at, channel.stays, channel.gaps, channel.loose
        );
    }
    checkpoint::finish(&mut state);
    text += &format!("{:?}\n{}", content.ids, state.describe(&names));
    text
}

fn unhex(digits: &str) -> Vec<u8> {
    let digits = digits.as_bytes().chunks(2);
    let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

#[test]
fn a_base_of_the_first_format_is_read() {
    let fresh = recorded();
    assert_eq!(described(&unhex(GOLDEN)), described(&fresh));
}

#[test]
fn an_altered_base_is_refused() {
    let whole = recorded();
    for bit in 0..whole.len() * 8 {
        let mut altered = whole.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        // Three bytes behind the version mean nothing.
        let read = BaseObject::read(altered).and_then(|object| object.content());
        assert!(read.is_err(), "bit {bit}");
    }
    for cut in 0..whole.len() {
        BaseObject::read(whole[..cut].to_vec()).unwrap_err();
    }
}
