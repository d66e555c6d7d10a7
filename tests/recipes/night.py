"""A made feed over a night in which the clocks of Europe/Berlin change: the lines of a file in Rollbook's own format.
Each person stands for one way in which a recipe can be wrong; the comments say which."""

import datetime
import json
import zoneinfo

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def night(channel, sunday):
    """The lines of a channel, from the evening before a Sunday until the morning behind it."""
    lines = []

    def at(days, clock):
        """Unix ms of a local time so many days behind the Sunday."""
        day = datetime.date.fromisoformat(sunday) + datetime.timedelta(days=days)
        local = datetime.datetime.combine(day, datetime.time.fromisoformat(clock), BERLIN)
        return round(local.timestamp() * 1000)

    def say(days, clock, t, **fields):
        lines.append(json.dumps({"t": t, "ts": at(days, clock), "observer": channel, **fields}))

    def change(days, clock, t, user, topic="chat", conn=""):
        say(days, clock, t, channel=channel, topic=topic, user=user, conn=conn)

    def link(days, clock, state):
        say(days, clock, "link", state=state, channels=[channel])

    def snapshot(days, clock, *users):
        say(days, clock, "snapshot", channel=channel, topics={"chat": [{"user": user} for user in users]})

    # The times of links are those of another clock: they begin no hour and no day, and end none.
    link(-1, "16:30", "up")
    # ada was there before anybody watched.
    snapshot(-1, "18:00", "ada")
    # bo is there twice, leaves one connection for another at one moment, and stays for all of the Sunday.
    change(-1, "20:00", "join", "bo", conn="1")
    change(-1, "20:30:30.250", "join", "bo", topic="screen", conn="1")
    change(-1, "20:45", "leave", "bo", topic="screen", conn="1")
    change(-1, "21:00", "leave", "bo", conn="1")
    change(-1, "21:00", "join", "bo", conn="2")
    # cy comes before midnight, and leaves behind the change: the time between is not what the clocks say.
    change(-1, "23:30", "join", "cy")
    # dee leaves at midnight and has no presence on the Sunday; eva comes at midnight.
    change(-1, "23:59:59.500", "join", "dee")
    change(0, "00:00", "leave", "dee")
    change(0, "00:00", "join", "eva")
    # mia comes and goes at one moment.
    change(0, "00:00", "join", "mia")
    change(0, "00:00", "leave", "mia")
    # fay comes on the Sunday, which in UTC is still Saturday, and stays over the change.
    change(0, "00:20", "leave", "eva")
    change(0, "00:40", "join", "fay")
    change(0, "03:15", "leave", "fay")
    change(0, "04:10", "leave", "cy")
    change(0, "10:00", "leave", "ada")
    # lou's join is late: it takes effect at 10:00.
    change(0, "09:50", "join", "lou")
    change(0, "10:30", "leave", "lou")
    # A gap over midnight: gil surely stays to the last proof, hal may have come on the Sunday.
    change(0, "23:40", "join", "gil")
    link(0, "23:50", "down")
    link(1, "00:19", "up")
    snapshot(1, "00:20", "bo", "hal")
    # ivy comes on Monday; in UTC of the spring that is Sunday.
    change(1, "00:30", "join", "ivy")
    change(1, "00:50", "leave", "ivy")
    change(1, "00:55", "leave", "bo")
    change(1, "01:30", "leave", "hal")
    # Hours without anybody, then jo, who is still there, and surely so to the last proof only.
    change(1, "05:30", "join", "jo")
    change(1, "05:45", "join", "jo", topic="screen")
    link(1, "06:00", "down")
    link(1, "06:20", "up")
    # The gap goes on. kit's join is reported in it: nobody can say for how long kit had been there.
    change(1, "06:30", "join", "kit")
    change(1, "06:40", "leave", "kit")
    link(2, "08:30", "down")
    return "".join(line + "\n" for line in lines)
