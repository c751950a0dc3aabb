-- Times are microseconds since 1970. Both databases run this as it is.

CREATE TABLE reminders (
    id TEXT PRIMARY KEY,
    -- What it is to do, as JSON.
    spec TEXT NOT NULL,
    reference TEXT NOT NULL,
    created BIGINT NOT NULL,
    -- Where it stands, as JSON, and what is asked of that.
    state TEXT NOT NULL,
    phase TEXT NOT NULL,
    outcome TEXT NOT NULL,
    verdict TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    interruptions BIGINT NOT NULL,
    refusals BIGINT NOT NULL,
    postponements BIGINT NOT NULL,
    token BIGINT NOT NULL,
    -- Which instance took it last.
    owner TEXT NOT NULL,
    -- When somebody has to look at it; -1 once it is over.
    wake BIGINT NOT NULL,
    changed BIGINT NOT NULL
);
CREATE INDEX reminders_wake ON reminders (wake) WHERE wake >= 0;
CREATE INDEX reminders_created ON reminders (created, id);
CREATE INDEX reminders_reference ON reminders (reference) WHERE reference <> '';
CREATE INDEX reminders_over ON reminders (changed) WHERE wake < 0;

-- What was answered to requests with an idempotency key.
CREATE TABLE requests (
    key TEXT PRIMARY KEY,
    -- Of the request, so that a key isn't used for two.
    fingerprint TEXT NOT NULL,
    -- The reminders made, as a JSON array of ids.
    made TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX requests_at ON requests (at);
