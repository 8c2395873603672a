// Who is signed in, and what they may do in which account.
import { computed, signal } from "../vendor.js";
import { api, onSignedOut } from "./api.js";

/** `undefined` while unknown, `null` when nobody is signed in. */
export const user = signal(undefined);
/** Why the login page is shown, when it was not asked for. */
export const farewell = signal("");

const RANK = { viewer: 0, agent: 1, manager: 2, owner: 3 };
export const accounts = computed(() => user.value?.accounts ?? []);
const roles = computed(() => new Map(accounts.value.map(({ id, role }) => [id, RANK[role] ?? 0])));
const names = computed(() => new Map(accounts.value.map(({ id, name }) => [id, name])));

export const accountName = (id) => names.value.get(id) ?? "";
export const mayEdit = (account) => (roles.value.get(account) ?? 0) >= RANK.agent;
/** The accounts that this person works on. */
export const edited = computed(() => accounts.value.filter(({ role }) => RANK[role] >= RANK.agent));
/** The accounts whose sources this person looks after. */
export const operated = computed(() => accounts.value.filter(({ role }) => RANK[role] >= RANK.manager));

onSignedOut.call = () => {
  if (user.value) farewell.value = "Your login has run out. Sign in to go on.";
  user.value = null;
};

/** Asks the hub who is signed in. @returns {Promise<boolean>} whether it could say */
export async function recognise() {
  try {
    const found = await api.me();
    if (JSON.stringify(found) !== JSON.stringify(user.value)) user.value = found;
    return true;
  } catch (error) {
    return error.status === 401;
  }
}

const NOT_KEPT =
  location.protocol === "http:"
    ? "Your browser did not keep the login: open this page at its https address."
    : "Your browser did not keep the login: allow cookies for this page.";

/** A login that the browser does not keep would end at once, again and again. */
export async function signIn(email, password) {
  await api.login(email, password);
  user.value = await api.me().catch((error) => {
    throw error.status === 401 ? new Error(NOT_KEPT) : error;
  });
  farewell.value = "";
}

export async function signOut() {
  await api.logout().catch(() => {});
  farewell.value = "";
  user.value = null;
}
