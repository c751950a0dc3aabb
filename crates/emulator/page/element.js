/** An element with a text, which is never read as markup. */
export function element(name, text = '') {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
