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

/** @param {string} path @param {RequestInit} [how] */
async function reach(path, how) {
  try {
    return await fetch(path, how);
  } catch (error) {
    if (how?.signal?.aborted) throw error;
    throw new ApiError(0, SENTENCES[0]);
  }
}

/** @param {string} method @param {string} path @param {unknown} [body] @param {AbortSignal} [signal] */
async function ask(method, path, body, signal) {
  const headers = { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }) };
  const response = await reach(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw refusal(path, response, answer);
}

/** A file, and the name that the hub gives it. @param {string} path @returns {Promise<{ blob: Blob, name: string }>} */
async function fetchFile(path) {
  const response = await reach(path);
  if (!response.ok) throw refusal(path, response, await response.json().catch(() => null));
  const [, name] = /filename="([^"]*)"/.exec(response.headers.get("content-disposition") ?? "") ?? [];
  return { blob: await response.blob(), name: name || path.split("/").at(-1) };
}

/** Why the hub did not do it. @param {string} path @param {Response} response @param {any} answer */
function refusal(path, response, answer) {
  if (response.status === 401 && path !== "/api/login") onSignedOut.call();
  const said = [answer?.detail, answer?.error].find((text) => typeof text === "string" && text);
  // What has a code of its own says more than its status does.
  const sentence = answer?.code ? said : SENTENCES[response.status];
  return new ApiError(response.status, sentence ?? said ?? `The hub answered ${response.status}.`, answer);
}

/** @param {Record<string, string | number | undefined>} query */
const search = (query) => {
  const set = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return new URLSearchParams(set.map(([key, value]) => [key, String(value)])).toString();
};

const campaign = (id) => `/api/campaigns/${encodeURIComponent(id)}`;
const endpoint = (id) => `/api/endpoints/${encodeURIComponent(id)}`;

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
  /** @returns {Promise<{ items: any[], types: string[] }>} those that this person manages */
  endpoints: () => ask("GET", "/api/endpoints"),
  /** @returns {Promise<{ endpoint: any, secret: string }>} */
  addEndpoint: (fields) => ask("POST", "/api/endpoints", fields),
  /** @returns {Promise<{ endpoint: any, secret?: string }>} with the new secret of one that leads elsewhere now */
  changeEndpoint: (id, fields) => ask("PUT", endpoint(id), fields),
  removeEndpoint: (id) => ask("DELETE", endpoint(id)),
  stopEndpoint: (id, account) => ask("POST", `${endpoint(id)}/stop`, { account }),
  resumeEndpoint: (id, account) => ask("POST", `${endpoint(id)}/resume`, { account }),
  takeOver: (id, accounts) => ask("POST", `${endpoint(id)}/take-over`, { accounts }),
  /** @returns {Promise<{ endpoint: any, secret: string }>} */
  rotateSecret: (id) => ask("POST", `${endpoint(id)}/rotate`),
  /** @returns {Promise<{ delivered: boolean, status: number | null, duration_ms: number, answer: string | null, error: string | null }>} */
  testEndpoint: (id) => ask("POST", `${endpoint(id)}/test`),
  /** @returns {Promise<{ items: any[], next: string | null }>} newest first, each with its attempts */
  deliveries: (id, query, signal) => ask("GET", `${endpoint(id)}/deliveries?${search(query)}`, undefined, signal),
  countReplay: async (id, what) => (await ask("POST", `${endpoint(id)}/replay`, { ...what, dry_run: true })).total,
  replay: async (id, what) => (await ask("POST", `${endpoint(id)}/replay`, what)).replay,
  replayProgress: async (id, replay) => (await ask("GET", `${endpoint(id)}/replays/${encodeURIComponent(replay)}`)).replay,
  cancelReplay: async (id, replay) => (await ask("POST", `${endpoint(id)}/replays/${encodeURIComponent(replay)}/cancel`)).replay,
  /** What all accounts spend together, or one. */
  spending: async (account) => (await ask("GET", `/api/webhooks/cost-alert/status?${search({ account })}`)).cost_summary,
  /** @returns {Promise<any[]>} each account's, with its last thirty days */
  costs: async (account) => (await ask("GET", `/api/costs/summary?${search({ account })}`)).items,
  /** @returns {Promise<{ items: any[], next: string | null }>} newest first */
  alerts: (query) => ask("GET", `/api/cost-alerts?${search(query)}`),
  resolveAlert: (id, note) => ask("POST", `/api/webhooks/cost-alert/resolve/${encodeURIComponent(id)}`, { resolution_note: note }),
  /** @returns {Promise<{ items: any[], types: string[], operators: string[] }>} */
  thresholds: () => ask("GET", "/api/cost-thresholds"),
  putThreshold: async (fields) => (await ask("PUT", "/api/cost-thresholds", fields)).threshold,
  removeThreshold: (id) => ask("DELETE", `/api/cost-thresholds/${encodeURIComponent(id)}`),
  /** @returns {Promise<{ items: any[], next: string | null }>} newest first */
  campaigns: (query, signal) => ask("GET", `/api/campaigns?${search(query)}`, undefined, signal),
  addCampaign: async (fields) => (await ask("POST", "/api/campaigns", fields)).campaign,
  /** @returns {Promise<{ campaign: any, files: { name: string, size: number, made_at: string }[] }>} */
  campaign: (id) => ask("GET", campaign(id)),
  campaignEvents: async (id, limit) => (await ask("GET", `/api/webhooks/campaign-lifecycle/events/${encodeURIComponent(id)}?${search({ limit })}`)).events,
  /** @param {"start" | "complete" | "cancel"} what */
  changeCampaign: (id, what) => ask("POST", `${campaign(id)}/${what}`),
  /** @returns {Promise<{ items: any[], next: string | null }>} newest first */
  prospects: (query) => ask("GET", `/api/prospects?${search(query)}`),
  /** A file made now, or one that was made when the campaign ended. */
  exportCampaign: (id, format, minConfidence) => fetchFile(`${campaign(id)}/export?${search({ format, minConfidence })}`),
  campaignFile: (id, name) => fetchFile(`${campaign(id)}/files/${encodeURIComponent(name)}`),
};
