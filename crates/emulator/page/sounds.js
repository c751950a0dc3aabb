// From levels to spans of sound, for calls whose audio nobody else analyses: whoever is louder
// than a quiet room for a while is there, until it has been still for a while.

const AUDIBLE_DBOV = -45;
const BEGIN_MS = 150;
const STILL_MS = 600;

export class Sounds {
  /** Since when it is loud, but not for long enough. */
  #rising = null;
  #heard = 0;
  #open = null;

  /** Takes a level in; spans begin and end in `spans`. */
  hear(spans, t, dbov, name) {
    if (dbov > AUDIBLE_DBOV) {
      this.#rising ??= t;
      this.#heard = t;
      if (!this.#open && t - this.#rising >= BEGIN_MS) {
        this.#open = { start: this.#rising, name };
        spans.push(this.#open);
      }
    } else if (t - this.#heard > STILL_MS) {
      if (this.#open) this.#open.end = this.#heard;
      this.rest();
    } else if (!this.#open) {
      this.#rising = null;
    }
  }

  /** What is open is not begun again. */
  rest() {
    this.#rising = this.#open = null;
  }

  /** Takes back what is open. */
  drop(...lists) {
    for (const spans of lists) {
      const at = spans.indexOf(this.#open);
      if (at >= 0) spans.splice(at, 1);
    }
    this.rest();
  }
}
