-- Which instance has which room, and what is to be done there.

CREATE TABLE rooms (
    id TEXT PRIMARY KEY,
    instance TEXT NOT NULL,
    -- What the list of rooms says of it, as JSON; not who is in it.
    about TEXT NOT NULL
);
CREATE INDEX rooms_instance ON rooms (instance);

CREATE TABLE room_wishes (
    room TEXT NOT NULL,
    -- In the order in which they came.
    number BIGINT NOT NULL,
    -- As JSON, until who has the room takes it.
    wish TEXT NOT NULL,
    PRIMARY KEY (room, number)
);
