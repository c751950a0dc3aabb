-- Which instance has which call.

CREATE TABLE instances (
    name TEXT PRIMARY KEY,
    -- Where its API is, by its own settings.
    url TEXT NOT NULL,
    -- When it said last that it lives, by its own clock.
    seen BIGINT NOT NULL
);

CREATE TABLE calls (
    id TEXT PRIMARY KEY,
    instance TEXT NOT NULL,
    -- What the list of live calls says of it, as JSON; not who is in it.
    about TEXT NOT NULL,
    -- 1 once somebody wants it hung up.
    hang_up BIGINT NOT NULL
);
CREATE INDEX calls_instance ON calls (instance);
