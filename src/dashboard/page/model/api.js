// The REST interface. Every failure is an ApiError with a sentence fit for people.

export class ApiError extends Error {
  /** @param {number} status 0 when the hub could not be reached @param {string} message @param {any} [body] */
  constructor(status, message, body) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

const SENTENCES = {
  0: "The hub can't be reached. Check the connection and try again.",
  401: "You are signed out.",
  403: "You may not do that in this account.",
  404: "It is no longer there.",
  429: "Too many attempts. Wait a minute and try again.",
  503: "The database does not answer just now. Try again in a moment.",
};

/** Set by the session: called when the hub says that nobody is signed in. */
export const onSignedOut = { call: () => {} };

/** @param {string} method @param {string} path @param {unknown} [body] @param {AbortSignal} [signal] */
async function ask(method, path, body, signal) {
  const headers = { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }) };
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, SENTENCES[0]);
  }
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  if (response.status === 401 && path !== "/api/login") onSignedOut.call();
  const said = [answer?.detail, answer?.error].find((text) => typeof text === "string" && text);
  // What has a code of its own says more than its status does.
  const sentence = answer?.code ? said : SENTENCES[response.status];
  throw new ApiError(response.status, sentence ?? said ?? `The hub answered ${response.status}.`, answer);
}

/** @param {Record<string, string | number | undefined>} query */
const search = (query) => {
  const set = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return new URLSearchParams(set.map(([key, value]) => [key, String(value)])).toString();
};

export const api = {
  me: async () => (await ask("GET", "/api/me")).user,
  login: async (email, password) => (await ask("POST", "/api/login", { email, password })).user,
  logout: () => ask("POST", "/api/logout"),
  /** @returns {Promise<{ data: any[], next: string | null }>} newest first */
  leads: (query, signal) => ask("GET", `/api/leads?${search(query)}`, undefined, signal),
  lead: async (id) => (await ask("GET", `/api/leads/${encodeURIComponent(id)}`)).data,
  change: async (id, fields) => (await ask("PUT", `/api/leads/${encodeURIComponent(id)}`, fields)).data,
  /** @returns {Promise<{ items: any[], total: number }>} those with the newest messages first */
  chats: (query, signal) => ask("GET", `/api/chats?${search(query)}`, undefined, signal),
  chat: (id) => ask("GET", `/api/chats/${encodeURIComponent(id)}`),
  /** @param {"mark-read" | "ignore" | "unignore"} what @returns {Promise<any>} the chat as it is now */
  changeChat: (id, what) => ask("POST", `/api/chats/${encodeURIComponent(id)}/${what}`),
  /** @param {string | null} person @returns {Promise<any>} the chat as it is now */
  assign: (id, person) => ask("POST", `/api/chats/${encodeURIComponent(id)}/assign`, { user: person }),
  /** @returns {Promise<{ items: any[] }>} by name */
  people: () => ask("GET", "/api/people"),
  /** @returns {Promise<{ items: any[], total: number }>} newest first */
  messages: (id, query, signal) => ask("GET", `/api/chats/${encodeURIComponent(id)}/messages?${search(query)}`, undefined, signal),
  /** @returns {Promise<{ items: any[], reason: any, longest: any }>} what waits and what has failed, the oldest first */
  sends: (id) => ask("GET", `/api/chats/${encodeURIComponent(id)}/sends`),
  /** @returns {Promise<{ send: any }>} once the platform has it, or after a while */
  reply: (id, { text, client_id }) => ask("POST", `/api/chats/${encodeURIComponent(id)}/messages`, { text, client_id }),
  attention: async () => (await ask("GET", "/api/attention")).items ?? [],
};
