//! All fields that the shapes know, with their names in a line. What they mean is in the modules of the shapes.

use super::object::object;

object! {
    /// Every field that some shape knows.
    Line {
        event_type: "eventType",
        channel_name: "channelName",
        publisher: "publisher",
        timestamp: "timestamp",
        total_topics: "totalTopics",
        t: "t",
        ts: "ts",
        channel: "channel",
        topic: "topic",
        user: "user",
        conn: "conn",
        meta: "meta",
        pos: "pos",
        id: "id",
        observer: "observer",
        self_user: "self",
        reason: "reason",
        topics: "topics",
        topics_in_all: "total_topics",
        totals: "totals",
        incomplete: "incomplete",
        sync: "sync",
        joins: "joins",
        leaves: "leaves",
        changes: "changes",
        state: "state",
        channels: "channels",
        unrestored: "unrestored",
        service: "service",
        resync: "resync",
        late_ms: "late_ms",
        occupancy: "occupancy",
        together: "together",
        event: "event",
        type_number: "type",
        topic_info_count: "topicInfoCount",
        current_state: "currentState",
        reason_code: "reasonCode",
        service_type: "serviceType",
        affected_channels: "affectedChannels",
        unrestored_channels: "unrestoredChannels",
        is_resumed: "isResumed",
        channel_type: "channelType",
        state_changed: "stateChanged",
        state_items: "stateItems",
        snapshot: "snapshot",
        interval: "interval",
        [topic_infos]: "topicInfos" of Topic,
    }
}

object! {
    /// One of the `topicInfos`, with the field names of all SDKs.
    Topic {
        topic_name: "topicName",
        total_publisher: "totalPublisher",
        topic: "topic",
        publisher_count: "publisherCount",
        [publishers]: "publishers" of Publisher,
    }
}

object! {
    /// One of its publishers.
    Publisher {
        user: "publisherUserId",
        meta: "publisherMeta",
    }
}
