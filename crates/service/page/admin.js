// Live calls, reminders and health. The key is held by this module alone: no cookie, no
// storage, so no other page can make the browser use it.

const EVERY = 3000;
const PAGE = 50;

const byId = (id) => document.getElementById(id);

let key = "";
let timer = 0;
// Where the pages that are shown begin; "" is the first one.
const after = { calls: "", reminders: "" };
// Whether the last look failed: what an action came to stays in sight.
let troubled = false;
// The button that was pressed once: a second press does it.
let armed = "";

class Refused extends Error {}

async function ask(method, path) {
  const response = await fetch(`../api/v1/${path}`, {
    method,
    headers: { Authorization: `Bearer ${key}` },
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
  });
  if (response.ok) {
    const text = await response.text();
    return text ? JSON.parse(text) : null;
  }
  const problem = await response.json().catch(() => ({}));
  const told = problem.detail ?? `the bot answered ${response.status}`;
  throw response.status === 401 ? new Refused(told) : new Error(told);
}

function notice(text, wrong = false) {
  const place = byId("notice");
  if (place.textContent !== text) place.textContent = text;
  place.classList.toggle("wrong", wrong);
}

function cell(content) {
  const place = document.createElement("td");
  if (content instanceof Node) place.append(content);
  else place.textContent = content ?? "";
  return place;
}

function row(...contents) {
  const place = document.createElement("tr");
  place.append(...contents.map(cell));
  return place;
}

// Replaces rows without taking the focus from the button somebody stands on.
function show(id, rows, empty, columns) {
  const place = byId(id);
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.what : "";
  if (rows.length === 0) {
    const none = row(empty);
    none.firstChild.colSpan = columns;
    rows = [none];
  }
  place.replaceChildren(...rows);
  if (focused) place.querySelector(`[data-what="${CSS.escape(focused)}"]`)?.focus();
}

function action(label, what, path) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.what = what;
  button.textContent = armed === what ? `${label}: sure?` : label;
  button.addEventListener("click", async () => {
    if (armed !== what) {
      armed = what;
      button.textContent = `${label}: sure?`;
      return;
    }
    armed = "";
    try {
      await ask("DELETE", path);
      notice(`${label}: done`);
    } catch (error) {
      notice(`${label}: ${error.message}`, true);
    }
    refresh();
  });
  return button;
}

function lasted(since) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(since)) / 1000));
  const two = (number) => String(number).padStart(2, "0");
  return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
}

function showHealth(health) {
  const reminders = health.reminders;
  const facts = [
    ["Instance", `${health.instance}, version ${health.version}`],
    ["New calls", health.open ? "taken" : "not taken: it is draining"],
    ["Calls here", String(health.calls)],
    ["Database", health.database],
    ["Sandbox", health.sandbox || "none"],
  ];
  for (const other of health.instances ?? []) {
    facts.push(["Also running", `${other.name}, with ${other.calls} calls`]);
  }
  if (reminders) {
    const { waiting, calling, done, lateSeconds } = reminders;
    facts.push(["Reminders", `${waiting} waiting, ${calling} calling, ${done} done`]);
    facts.push(["First one due waits", `${lateSeconds.toFixed(0)} s`]);
  }
  const parts = facts.flatMap(([name, value]) => {
    const term = document.createElement("dt");
    const told = document.createElement("dd");
    term.textContent = name;
    told.textContent = value;
    return [term, told];
  });
  byId("health").replaceChildren(...parts);
}

function showCalls({ calls, next }) {
  const rows = calls.map((call) =>
    row(
      call.id,
      call.direction,
      call.phone ?? call.user ?? "",
      call.state,
      call.flow,
      call.participants ? String(call.participants) : "",
      lasted(call.since),
      call.instance ?? "",
      action("Hang up", `call ${call.id}`, `calls/${encodeURIComponent(call.id)}`),
    ),
  );
  show("calls", rows, "No calls.", 9);
  turn("calls", next);
}

function showReminders({ reminders, next }) {
  const rows = reminders.map((reminder) =>
    row(
      reminder.id,
      reminder.reference,
      reminder.cancelling ? "being cancelled" : reminder.state,
      reminder.outcome,
      reminder.callAt ? new Date(reminder.callAt).toLocaleString() : "",
      String(reminder.attempts),
      reminder.state === "done"
        ? ""
        : action("Cancel", `reminder ${reminder.id}`, `reminders/${encodeURIComponent(reminder.id)}`),
    ),
  );
  show("reminders", rows, "No reminders.", 7);
  turn("reminders", next);
}

function turn(list, next) {
  const button = byId(`${list}-more`);
  button.hidden = !next && !after[list];
  button.textContent = next ? `Next page of ${list}` : `First page of ${list}`;
  button.onclick = () => {
    after[list] = next ?? "";
    refresh();
  };
}

function query(list, more = {}) {
  const parameters = new URLSearchParams({ limit: PAGE, ...more });
  if (after[list]) parameters.set("after", after[list]);
  return `${list}?${parameters}`;
}

async function refresh() {
  clearTimeout(timer);
  if (!key) return;
  const state = byId("state").value;
  const parts = [
    ask("GET", "health").then(showHealth),
    ask("GET", query("calls")).then(showCalls),
    ask("GET", query("reminders", state ? { state } : {})).then(showReminders),
  ];
  const failed = (await Promise.allSettled(parts)).filter((part) => part.status === "rejected");
  if (!key) return;
  const refused = failed.find(({ reason }) => reason instanceof Refused);
  if (refused) {
    leave();
    return notice(refused.reason.message, true);
  }
  byId("board").hidden = false;
  if (failed.length) notice(failed[0].reason.message, true);
  else if (troubled) notice("");
  troubled = failed.length > 0;
  timer = setTimeout(refresh, EVERY);
}

function leave() {
  key = "";
  armed = "";
  troubled = false;
  clearTimeout(timer);
  after.calls = after.reminders = "";
  byId("board").hidden = true;
  byId("leave").hidden = true;
  byId("entry").hidden = false;
  for (const list of ["health", "calls", "reminders"]) byId(list).replaceChildren();
}

byId("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  key = byId("key").value.trim();
  byId("key").value = "";
  if (!/^[\x21-\x7e]+$/.test(key)) {
    key = "";
    return notice("a key has no blanks and no letters beyond ASCII", true);
  }
  byId("entry").hidden = true;
  byId("leave").hidden = false;
  notice("");
  refresh();
});
byId("leave").addEventListener("click", () => {
  leave();
  notice("The key is forgotten.");
  byId("key").focus();
});
byId("state").addEventListener("change", () => {
  after.reminders = "";
  refresh();
});
// A page that is kept for going back must not keep the key.
addEventListener("pagehide", leave);
