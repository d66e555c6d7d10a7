//! The pen that writes the lines of one run. The lines themselves are in `feed` and `presence_feed`.

use super::mix::{Mix, Stamps};
use super::world::{World, WorldMember};
use serde_json::{Value, json};

/// How lines are written.
pub(super) struct Pen<'a> {
    pub world: &'a World,
    pub stamps: Stamps,
    pub mix: &'a Mix,
    pub agora: bool,
    pub ids: bool,
}

/// A member as an item of a list.
pub(super) fn member_line(member: WorldMember) -> Value {
    let mut listed = json!({"user": member.user_name()});
    if member.connection.is_some() {
        put(&mut listed, "conn", member.connection_name());
    }
    listed
}

pub(super) fn put(line: &mut Value, field: &str, value: impl Into<Value>) {
    if let Some(fields) = line.as_object_mut() {
        fields.insert(field.to_owned(), value.into());
    }
}
