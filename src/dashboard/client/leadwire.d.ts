/** Where a connection stands. */
export type State =
  /** A socket is being opened. */
  | "connecting"
  /** The hub said welcome; envelopes flow. */
  | "open"
  /** Lost; the next attempt is at `retryAt`. */
  | "waiting"
  /** As `waiting`, and the device says it has no network. */
  | "offline"
  /** The hub refused the login or token (4001): sign in, then `reconnect()`. */
  | "signed-out"
  /** The hub refused this user (4003): it does not come back by itself. */
  | "stopped"
  /** `close()` was called. */
  | "closed";

export interface Status {
  readonly state: State;
  /** Attempts since the last steady connection. */
  readonly attempt: number;
  /** Milliseconds since 1970, when waiting or offline. */
  readonly retryAt?: number;
  /** The close code that led here, if there was one. */
  readonly code?: number;
  readonly reason?: string;
}

export interface Options {
  /**
   * Leave out on the hub's own pages: the session cookie is used. A function is asked before each attempt, with
   * `fresh: true` when the last token was refused; it may return null when nobody is signed in. The token travels in the
   * first frame, never in the URL.
   */
  token?: string | ((ask: { fresh: boolean }) => string | null | Promise<string | null>);
}

/** What a room receives. `position` and `prev` are opaque. */
export interface Envelope<P = unknown> {
  readonly type: string;
  readonly id: string;
  readonly position?: string;
  readonly prev?: string | null;
  readonly room: string;
  readonly account: string;
  /** RFC 3339, UTC. */
  readonly timestamp: string;
  readonly payload: P;
}

/** A lead; see the REST interface for all its columns. Every text in it comes from outside: show it as text. */
export interface Lead {
  id: string;
  account_id: string;
  name: string;
  phone: string;
  email: string;
  message: string;
  status: string;
  notes: string;
  created_at: string;
  updated_at: string;
  [column: string]: unknown;
}

/** Payloads by type. */
export interface Payloads {
  new_lead: { lead: Lead; timestamp: string; source: "webhook" | "replay" | "manual" };
  "lead:updated": { lead: { id: string } & Partial<Lead>; deleted?: boolean };
  "source:health": {
    source: string;
    state: "healthy" | "throttled" | "token_invalid" | "failing";
    reason: string;
  };
}

/** Frames about the connection; a handler gets the frame itself. */
export interface Frames {
  /** `heartbeat` in seconds; `rooms` are those that may be entered. */
  welcome: { type: "welcome"; session: string; user: string; heartbeat: number; rooms: string[]; resume: boolean };
  /** The room is live. `rooms`: for `dashboard`, the rooms that it stands for. */
  subscribed: {
    type: "subscribed";
    room: string;
    position: string | null;
    recovered: "complete" | "none" | "partial";
    rooms?: Record<string, string | null>;
  };
  /** Something may have been missed: read the REST snapshot again. From the hub, or noticed here (`gap`, `reconnected`). */
  resync: { type: "resync"; room: string; reason: string };
  /** The token ran out; a `token` function is asked for a fresh one by itself. `grace` in seconds. */
  token_expired: { type: "token_expired"; grace: number };
  goodbye: { type: "goodbye"; code: number; reason: string; reconnect_after_ms?: number };
  /** The hub refused a frame of ours, for example a subscription. */
  refused: { type: "reply"; ref?: string; ok: false; error: { code: string; message: string } };
}

export interface Hub {
  readonly status: Status;
  /** Calls back for each envelope of a type, once an envelope. Returns the way to stop. */
  on<T extends keyof Payloads>(type: T, handler: (payload: Payloads[T], envelope: Envelope<Payloads[T]>) => void): () => void;
  on<T extends keyof Frames>(type: T, handler: (frame: Frames[T]) => void): () => void;
  on(type: string, handler: (payload: any, envelope: Envelope<any>) => void): () => void;
  /** Calls back now, and at every change. Returns the way to stop. */
  onStatus(handler: (status: Status) => void): () => void;
  /** Enters a room now and after every reconnect. Returns the way to leave. */
  subscribe(room: string, options?: { types?: string[] }): () => void;
  /** Replaces the token of the open session. */
  authenticate(token: string): void;
  /** Tries again at once; the way on after signing in. */
  reconnect(): void;
  close(): void;
}

/** Opens a connection that comes back by itself until it is closed. `url` is the hub's `/ws`, relative to the page. */
export function connect(url?: string, options?: Options): Hub;
