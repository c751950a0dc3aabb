// The keypad and the keyboard.

const KEYS = [
  ['1', ''], ['2', 'ABC'], ['3', 'DEF'],
  ['4', 'GHI'], ['5', 'JKL'], ['6', 'MNO'],
  ['7', 'PQRS'], ['8', 'TUV'], ['9', 'WXYZ'],
  ['*', 'star'], ['0', '+'], ['#', 'hash'],
];
const PRESSED_MS = 140;

/** Builds the keypad; `press(digit)` is called for mouse, touch and keyboard alike. */
export function buildKeypad(keypad, press) {
  for (const [digit, letters] of KEYS) {
    const key = document.createElement('button');
    key.type = 'button';
    key.className = 'key';
    key.dataset.digit = digit;
    key.dataset.testid = `key-${digit}`;
    key.append(element('b', digit), ' ', element('small', letters));
    key.addEventListener('click', () => {
      light(key);
      press(digit);
    });
    keypad.append(key);
  }
}

/** Sends keystrokes where they belong; `commands` maps a letter to what it does. */
export function listenToKeyboard(keypad, commands) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    // What takes text keeps it; a switch that was just used has no use for keys.
    if (event.target.closest('input:not([type=checkbox]), select, textarea')) return;
    const key = keypad.querySelector(`[data-digit="${CSS.escape(event.key)}"]`);
    if (key) {
      event.preventDefault();
      key.click();
      return;
    }
    // Enter on what has the focus is its own.
    if (event.key === 'Enter' && event.target.closest('button, a, summary, input')) return;
    commands[event.key.toLowerCase()]?.();
  });
}

function light(key) {
  key.classList.add('lit');
  setTimeout(() => key.classList.remove('lit'), PRESSED_MS);
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
