// Whom to call: a field that knows the emulator's bots and meetings by name, and takes
// anything else that can be dialled, such as a meeting's join id or address.

export class Targets {
  #known = [];

  /** `list` is the <datalist> of the field; `dial()` is called for Enter in it. */
  constructor({ field, list, dial }) {
    Object.assign(this, { field, list });
    field.addEventListener('focus', () => this.look());
    field.addEventListener('keydown', (event) => event.key === 'Enter' && dial());
  }

  /** What is chosen: what to dial and what to call it. The bot, if nothing is. */
  async chosen(bot) {
    const text = this.field.value.trim();
    if (!text) return { target: 'bot', name: bot ?? 'Bot' };
    await this.look();
    const known = this.#known.find(({ name, target }) => name === text || target === text);
    return known ?? { target: text, name: text.startsWith('http') ? 'Meeting' : text };
  }

  /** Asks for the bots and meetings there are. */
  async look() {
    // An emulator that is gone is told of elsewhere.
    const known = await fetch('/admin/targets').then((answer) => answer.json(), () => this.#known);
    this.#known = named(known);
    this.list.replaceChildren(...this.#known.map(({ name }) => new Option(name, name)));
  }
}

/** The same with a number for those whose name others have before them. */
function named(targets) {
  const seen = new Map();
  return targets.map(({ target, name }) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return { target, name: count > 1 ? `${name} (${count})` : name };
  });
}
