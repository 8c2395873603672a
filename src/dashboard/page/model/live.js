// Joins the connection to what the page shows. One connection for as long as somebody is signed in.
import { connect } from "../../client/leadwire.js";
import { signal } from "../vendor.js";
import { forgetAttention, readAttention, sourceHealth } from "./attention.js";
import { chatGone, chatUpdated, forgetChats, heard, markWhatIsRead, readingChats, rereadChats } from "./chats.js";
import { enriched, happened, prospectGone, readCampaign } from "./campaign.js";
import { campaignGone, forgetCampaigns, lived, readCampaigns, readingCampaigns } from "./campaigns.js";
import { becameOf, conversationGone, messageGone, readMessages, readingMessages, spoken } from "./conversation.js";
import { alerted, forgetCosts, kindName, readAlerts } from "./costs.js";
import { forgetEndpoints } from "./endpoints.js";
import { arrived, changed, forget, gone, read, reading } from "./feed.js";
import { readSends, sendUpdated } from "./outbox.js";
import { followPeople, readPeople } from "./people.js";
import { openedChat } from "./route.js";
import { accountName, accounts, farewell, operated, recognise, user } from "./session.js";
import { millis, text } from "./text.js";
import { dismissAll, toast } from "./toasts.js";

/** The hub's word for a login that does not count, because the hub does not know this page's address as its own. */
export const ORIGIN_REFUSED = "origin_refused";

export const status = signal({ state: "connecting", attempt: 0 });
/** Leads and messages that came while the page was out of sight. */
export const unseen = signal(0);

/** The first page is read after the rooms are entered, so that nothing falls between; but not later than this. */
const ENTER_WITHIN = 1200;
const TOGETHER = 80;

let hub;
/** Somebody does not want to wait for the next attempt. */
export const tryNow = () => hub?.reconnect();

/** @returns {() => void} the way to end it */
export function goLive() {
  hub = connect("/ws");
  let entered = false;
  let rereading;
  const reread = () => {
    rereading ??= setTimeout(() => {
      rereading = undefined;
      void read(false);
      rereadChats();
      void readMessages();
      void readPeople();
      void readSends();
      readAttention();
      void readAlerts();
      if (readingCampaigns.value !== "first") void readCampaigns();
      void readCampaign();
    }, TOGETHER);
  };
  let patience = setTimeout(() => {
    patience = undefined;
    reread();
  }, ENTER_WITHIN);

  hub.on("new_lead", ({ lead, source }, { timestamp }) => {
    if (typeof lead?.id !== "string") return;
    arrived(lead, Math.max(millis(timestamp), millis(lead.created_at)));
    if (document.hidden) unseen.value += 1;
    if (source === "replay") return;
    const where = accounts.value.length > 1 ? accountName(lead.account_id) : "";
    const body = [lead.meta_data?.campaign_name, where].map(text).filter(Boolean).join(" · ");
    toast({ kind: "lead", title: text(lead.name), body: body || text(lead.phone) || text(lead.email), lead: lead.id });
  });
  hub.on("lead:updated", ({ lead, deleted }) => (deleted ? gone(lead.id) : changed(lead)));
  hub.on("message:new", (message) => {
    if (typeof message?.chat_id !== "string") return;
    heard(message);
    spoken(message);
    if (document.hidden && !message.is_sender && message.arrival === "webhook") unseen.value += 1;
  });
  for (const change of ["edited", "deleted", "reaction", "read", "delivered"]) hub.on(`message:${change}`, becameOf);
  for (const state of ["pending", "sent", "failed"]) hub.on(`message:${state}`, sendUpdated);
  hub.on("chat:updated", (chat) => {
    chatUpdated(chat);
    // What could not be read while the database was away can be now.
    if (chat.id === openedChat.value && readingMessages.value === "error") void readMessages();
  });
  hub.on("chat:deleted", ({ id }) => {
    chatGone(id);
    conversationGone(id);
  });
  hub.on("message:erased", messageGone);
  hub.on("prospect:deleted", prospectGone);
  hub.on("campaign:deleted", campaignGone);
  hub.on("source:health", sourceHealth);
  hub.on("cost:alert", (alert, envelope) => {
    alerted(alert, envelope);
    toast({ kind: "alert", title: text(alert.threshold_name), body: [kindName(alert.alert_type), accounts.value.length > 1 && accountName(envelope.account)].filter(Boolean).join(" · ") });
  });
  hub.on("campaign:lifecycle", (told) => {
    lived(told);
    happened(told);
  });
  hub.on("lead:enriched", enriched);
  hub.on("resync", reread);
  hub.on("subscribed", ({ room }) => {
    if (room !== "dashboard" || entered) return;
    entered = true;
    clearTimeout(patience);
    patience = undefined;
    reread();
  });

  hub.subscribe("dashboard");
  hub.subscribe("operators");

  const stopMarking = markWhatIsRead();
  const stopFollowing = followPeople(hub);
  const unwatch = hub.on("status", (now) => {
    status.value = now;
    // A handshake that is refused looks like any lost connection: ask who we are, early and then rarely.
    if (now.state === "waiting" && now.attempt % 8 === 2) void recognise();
    if (now.state === "signed-out" || now.state === "stopped") void backOrGoodbye();
    // What could not be read while the hub was away can be now.
    if (now.state === "live") void readSends();
    if (now.state === "live" && [reading, readingChats, readingMessages].some(({ value }) => value === "error")) reread();
  });
  status.value = hub.status;

  return () => {
    unwatch();
    stopMarking();
    stopFollowing();
    clearTimeout(patience);
    clearTimeout(rereading);
    hub.close();
    forget();
    forgetChats();
    forgetAttention();
    forgetCampaigns();
    forgetCosts();
    forgetEndpoints();
    dismissAll();
    unseen.value = 0;
  };
}

let lastReturn = 0;

/**
 * The hub sent us away: if the login still stands it was a passing thing, or what it may see has changed; else the login
 * page is next.
 */
async function backOrGoodbye() {
  // Coming back the same way would end the same way: the page says what is wrong instead.
  if (status.value.reason === ORIGIN_REFUSED) return;
  const before = user.value;
  const known = await recognise();
  if (!user.value) return;
  if (user.value !== before) {
    void read(true);
    forgetChats();
    rereadChats();
    forgetCampaigns();
    void readCampaigns();
    forgetCosts();
    void readAlerts();
    forgetEndpoints();
  }
  if (known && Date.now() - lastReturn > 15_000) {
    lastReturn = Date.now();
    hub.reconnect();
  } else if (known) {
    farewell.value = "The hub ended this session. Sign in to go on.";
    user.value = null;
  } else {
    setTimeout(() => ["signed-out", "stopped"].includes(status.value.state) && void backOrGoodbye(), 10_000);
  }
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) unseen.value = 0;
});
