-- Rooms that opened by the clock, so that each opens once.

CREATE TABLE openings (
    room TEXT NOT NULL,
    -- When it was to open.
    at BIGINT NOT NULL,
    -- Who opened it.
    instance TEXT NOT NULL,
    PRIMARY KEY (room, at)
);
CREATE INDEX openings_at ON openings (at);
