/** Asks the emulator's own REST API; what it refuses is thrown, with its words. */
export async function ask(method, path, body) {
  const answer = await fetch(`/admin/${path}`, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) {
    const { error } = await answer.json().catch(() => ({}));
    throw new Error(error ?? `The emulator answers ${answer.status}`);
  }
  return answer.status === 204 ? null : answer.json();
}
