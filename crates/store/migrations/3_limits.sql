-- What all instances have together: new calls, as a bucket that fills with time.

CREATE TABLE buckets (
    name TEXT PRIMARY KEY,
    -- Millionths of a call; less than none when more were placed.
    filled BIGINT NOT NULL,
    -- Until when it was filled.
    at BIGINT NOT NULL
);
INSERT INTO buckets (name, filled, at) VALUES ('reminders', 0, 0);

-- Who is in a call is counted with every claim.
CREATE INDEX reminders_calling ON reminders (wake) WHERE phase = 'calling';
