/** Where a connection stands. */
export type State =
  /** A socket is being opened. */
  | "connecting"
  /** Connected again; what was missed is being read. */
  | "catching-up"
  /** Envelopes come as they happen. */
  | "live"
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
   * `fresh: true` when the last token was refused, ran out or is about to; it may return null when nobody is signed in.
   * The token travels in the first frame, never in the URL.
   */
  token?: string | ((ask: { fresh: boolean }) => string | null | Promise<string | null>);
}

/** Room to the position seen last in it; null in one that had no envelope yet. */
export type Since = Record<string, string | null>;

/** What a room receives. `position` and `prev` are opaque; what is not logged, like `typing`, has none. */
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
  new_lead: { lead: Lead; timestamp: string; source: "webhook" | "sync" | "replay" | "manual" };
  "lead:updated": { lead: { id: string } & Partial<Lead>; deleted?: boolean };
  "chat:deleted": { id: string };
  "message:erased": { id: string };
  "prospect:deleted": { id: string };
  "campaign:deleted": { id: string };
  /** In the place of an envelope whose content was deleted: it keeps the position. */
  erased: Record<string, never>;
  "cost:alert": {
    alert_id: string;
    alert_type: "daily_spend" | "cost_per_lead" | "rate_limit" | "anomaly";
    threshold_name: string;
    threshold_value: number;
    current_value: number;
    severity: "warning" | "critical";
    api_service?: string;
    campaign?: string;
    alert_data: Record<string, unknown>;
    timestamp: string;
  };
  "campaign:lifecycle": {
    campaign_id: string;
    campaign_name: string | null;
    lifecycle_event: string;
    previous_state?: string;
    new_state?: string;
    progress: Record<string, unknown> | null;
    timestamp: string;
  };
  "source:health": {
    source: string;
    state: "healthy" | "throttled" | "token_invalid" | "failing";
    reason: string;
  };
}

/** The answer to a frame with a `ref`; its frame may add to it. */
export interface Reply {
  readonly type: "reply";
  readonly ref: unknown;
  readonly ok: boolean;
  readonly error?: { readonly code: string; readonly message: string };
  readonly [more: string]: unknown;
}

/** Frames of the hub about the connection; a handler gets the frame itself. */
export interface Frames {
  /** `heartbeat` in seconds; `rooms` are those that may be entered; `resume`: whether `since` brings back what was missed. */
  welcome: { type: "welcome"; session: string; user: string; heartbeat: number; rooms: string[]; resume: boolean };
  /** What was missed follows, up to `position`; from there the room is live. `rooms`: for `dashboard` and `operators`, those that it stands for. */
  subscribed: {
    type: "subscribed";
    room: string;
    position: string | null;
    recovered: "complete" | "none" | "partial";
    rooms?: Since;
  };
  /** What was missed in a room can't be brought back: read its REST snapshot again. */
  resync: { type: "resync"; room: string; reason: string };
  heartbeat: { type: "heartbeat"; positions: Since };
  /** The token ran out; a `token` function is asked for a fresh one by itself. `grace` in seconds. */
  token_expired: { type: "token_expired"; grace: number };
  goodbye: { type: "goodbye"; code: number; reason: string; reconnect_after_ms?: number };
}

/** Frames to the hub. The client sends them by itself, but for what an application adds with `send` and `request`. */
export type ClientFrame =
  | { type: "auth"; token: string }
  | { type: "subscribe"; room: string; since?: string | Since; types?: string[] }
  | { type: "unsubscribe"; room: string }
  | { type: "ack" }
  | { type: string; [field: string]: unknown };

/** Why a request was not done: a code of the hub, `not_connected`, or `connection_lost`. */
export interface RequestError extends Error {
  readonly code: string;
}

export interface Hub {
  readonly status: Status;
  /** Calls back at every change of `status`. Returns the way to stop, as they all do. */
  on(type: "status", handler: (status: Status) => void): () => void;
  /** The hub refused a subscription or token. */
  on(type: "refused", handler: (reply: Reply) => void): () => void;
  /** Calls back for each envelope of a type, once an envelope. */
  on<T extends keyof Payloads>(type: T, handler: (payload: Payloads[T], envelope: Envelope<Payloads[T]>) => void): () => void;
  on<T extends keyof Frames>(type: T, handler: (frame: Frames[T]) => void): () => void;
  on(type: string, handler: (payload: any, envelope: Envelope<any>) => void): () => void;
  /** Enters a room now and after every reconnect, from where it was. Returns the way to leave. */
  subscribe(room: string, options?: { types?: string[] }): () => void;
  /** Sends a frame; false if there is no connection to send it on. */
  send(frame: ClientFrame): boolean;
  /** Sends a frame and waits for its reply. Fails with a `RequestError`; nothing is sent again after a lost connection. */
  request(frame: ClientFrame): Promise<Reply>;
  /** Replaces the token of the open session, and of those to come if it was no function. */
  authenticate(token: string): void;
  /** Tries again at once; the way on after signing in. */
  reconnect(): void;
  close(): void;
}

/** Opens a connection that comes back by itself until it is closed. `url` is the hub's `/ws`, relative to the page. */
export function connect(url?: string, options?: Options): Hub;
