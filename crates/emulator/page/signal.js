// The socket to the emulator: JSON messages with a `type`, and a new try when it drops.

const FIRST_RETRY_MS = 500;
const SLOWEST_RETRY_MS = 8000;

export class Signal {
  #socket = null;
  #retry = FIRST_RETRY_MS;
  #leaving = false;
  #handlers;

  /** `handlers`: `open()`, `close()` and `message(object)`. */
  constructor(handlers) {
    this.#handlers = handlers;
    this.#connect();
  }

  /** Sends a message; false if there is no connection. */
  send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Closes for good. */
  leave() {
    this.#leaving = true;
    this.#socket?.close();
  }

  #connect() {
    const url = new URL('/softphone/socket', location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#retry = FIRST_RETRY_MS;
      this.#handlers.open();
    };
    socket.onmessage = ({ data }) => this.#handlers.message(JSON.parse(data));
    socket.onclose = () => {
      if (this.#leaving) return;
      this.#handlers.close();
      setTimeout(() => this.#connect(), this.#retry);
      this.#retry = Math.min(this.#retry * 2, SLOWEST_RETRY_MS);
    };
  }
}
