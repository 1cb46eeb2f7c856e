// The console: shows what /history, /events, /orders and /letters say, and sends what an operator decides.

import { begin, show as charts } from "./charts.js";
import { news, start } from "./letters.js";
import { show } from "./orders.js";
import { draw, legend, many, number, reasons } from "./ribbon.js";

const $ = id => document.getElementById(id);
const svg = "http://www.w3.org/2000/svg";

// The token is kept for as long as the tab is open, and goes nowhere but to this port.
let token = sessionStorage.getItem("token") || "";

const ask = (path, options = {}) => fetch(path, { ...options, headers: token ? { Authorization: "Bearer " + token } : {} });

const refused = "That is not the token that is set as admin.token.";

// login asks for the token; false when it is cancelled.
function login(why) {
  $("login-why").textContent = why;
  const dialog = $("login");
  return new Promise(decided => {
    $("login-cancel").onclick = () => dialog.close("");
    dialog.querySelector("form").onsubmit = () => { token = $("token").value; sessionStorage.setItem("token", token); };
    dialog.onclose = () => { const given = $("token").value; $("token").value = ""; decided(given !== "" && given === token); };
    dialog.showModal();
  });
}

// ---- parts of the page

function pill(id, kind, text) {
  const e = $(id);
  if (e.textContent === text && e.classList.contains(kind) && !e.hidden) return;
  e.hidden = false;
  e.className = "pill " + kind;
  e.textContent = text;
}

// asOf is the process's own time of what is shown: the clock of whoever looks may differ.
let asOf = Date.now();

const ago = text => {
  const s = Math.max(0, Math.round((asOf - new Date(text)) / 1000));
  return s < 120 ? s + " s" : s < 7200 ? Math.round(s / 60) + " min" : Math.round(s / 3600) + " h";
};

function turns(state) {
  const now = new Date(state.at), all = state.breaker, began = Math.min(new Date(all[0].at), now - 60000), from = Math.max(began, now - 3600000);
  const x = t => 1000 * (Math.max(t, from) - from) / Math.max(now - from, 1);
  $("turns").replaceChildren(...all.map((turn, i) => {
    const end = i + 1 < all.length ? new Date(all[i + 1].at) : now;
    const r = document.createElementNS(svg, "rect");
    r.setAttribute("x", x(new Date(turn.at)).toFixed(2));
    r.setAttribute("width", Math.max(x(end) - x(new Date(turn.at)), end > from ? 1 : 0).toFixed(2));
    r.setAttribute("height", "14");
    r.setAttribute("class", "is-" + turn.state);
    return r;
  }));
  const last = all[all.length - 1], opened = all.filter(t => t.state === "open" && new Date(t.at) > from).length;
  const text = last.state + " for " + ago(last.at) + (last.failed_probes ? ", " + many(last.failed_probes, "round") + " of probes failed" : "") + (last.cause ? "; latest failure: " + last.cause : "") +
    (opened && last.state === "closed" ? "; opened " + (opened === 1 ? "once" : number(opened) + " times") + " in the latest " + ago(new Date(from)) : "");
  $("turns-note").textContent = text;
  $("turns").setAttribute("aria-label", "circuit: " + text);
  pill("circuit", { closed: "good", open: "bad", "half-open": "wait" }[last.state], "circuit " + last.state);
}

function trouble(buttons) {
  const li = document.createElement("li");
  li.append(document.createElement("span"));
  if (buttons.length) {
    const p = document.createElement("p");
    p.className = "actions";
    for (const [label, path, question] of buttons) {
      const b = document.createElement("button");
      b.type = "button";
      b.textContent = label;
      b.dataset.action = path;
      if (question) b.dataset.ask = question;
      p.append(b);
    }
    const result = document.createElement("span");
    result.className = "result";
    result.setAttribute("role", "status");
    p.append(result);
    li.append(p);
  }
  return li;
}

// put shows or hides a button; who is at it goes on at the one beside it.
function put(button, shown) {
  const left = !shown && document.activeElement === button;
  button.hidden = !shown;
  if (left) button.parentElement.querySelector("button:not([hidden])")?.focus();
}

// troubles lists what is wrong. An entry stays the same element for as long as it is about the same thing, though its
// numbers change each second: a button that is about to be pressed must not be replaced, nor what it was answered.
function troubles(state) {
  const all = [];
  for (const check of state.ready) if (check.trouble) all.push({ about: "ready " + check.name, text: check.name + ": " + check.trouble });
  for (const reason of state.paused) all.push({ about: "paused " + reason, text: "Fetching pauses: " + (reasons[reason] || reason) + ".", kind: "note" });
  for (const rule of state.rules) {
    if (!rule.held || !(rule.holding || rule.stopped)) continue;
    const path = "/actions/held/" + rule.stage;
    all.push({
      about: "held " + rule.stage, stopped: rule.stopped,
      text: many(rule.held, "order") + (rule.held === 1 ? " is" : " are") + " held at " + rule.stage + ": " + rule.rejected + " of the latest " + rule.latest + " were rejected. " + (rule.stopped ? "An operator has stopped the tries. " : "") + (rule.why || ""),
      buttons: state.actions ? [["Release", path + "/release", "Dead-letter what is held at " + rule.stage + "? Do this only if the orders themselves are wrong."], ["Stop tries", path + "/stop"]] : [],
    });
  }
  const list = $("troubles").firstElementChild, there = new Map([...list.children].map(li => [li.dataset.about, li]));
  for (const [i, { about, text, kind = "", buttons = [], stopped }] of all.entries()) {
    const li = there.get(about) || trouble(buttons);
    there.delete(about);
    li.dataset.about = about;
    li.className = kind;
    if (li.firstChild.textContent !== text) li.firstChild.textContent = text;
    const stop = li.querySelector("button[data-action$='/stop']");
    if (stop) put(stop, !stopped);
    if (list.children[i] !== li) list.insertBefore(li, list.children[i] || null);
  }
  for (const li of there.values()) li.remove();
  $("troubles").hidden = !all.length;
}

function partitions(state) {
  const list = $("partitions");
  if (!list.children.length) list.textContent = "";
  while (list.children.length > state.partitions.length) list.lastChild.remove();
  while (list.children.length < state.partitions.length) list.append(document.createElement("li"));
  state.partitions.forEach((p, i) => draw(list.children[i], p));
  if (!state.partitions.length) list.textContent = "This process has no partitions now.";
}

function outcomes(state) {
  const all = state.counts.outcomes.filter(o => o.orders).sort((a, b) => b.orders - a.orders);
  const sum = all.reduce((n, o) => n + o.orders, 0);
  $("outcomes").hidden = !all.length;
  $("outcomes-note").hidden = all.length > 0;
  $("outcomes").tBodies[0].replaceChildren(...all.map(o => {
    const row = document.createElement("tr");
    for (const [text, kind] of [[o.outcome.replace("_", " ")], [o.reason.replaceAll("_", " ")], [number(o.orders), "number"]]) {
      const cell = row.insertCell();
      cell.textContent = text;
      if (kind) cell.className = kind;
    }
    const meter = document.createElement("meter");
    meter.max = sum;
    meter.value = o.orders;
    meter.title = (100 * o.orders / sum).toFixed(1) + " %";
    meter.setAttribute("aria-label", meter.title);
    const cell = row.insertCell();
    cell.className = "share";
    cell.append(meter);
    return row;
  }));
}

const bytes = n => n > 1 << 30 ? (n / (1 << 30)).toFixed(1) + " GiB" : n > 1 << 20 ? Math.round(n / (1 << 20)) + " MiB" : Math.round(n / 1024) + " KiB";

function render(state) {
  asOf = new Date(state.at).getTime();
  $("main").hidden = false;
  $("lost").hidden = true;
  document.body.classList.remove("stale");
  $("where").textContent = state.topic + " · group " + state.group;
  $("version").textContent = "cjrelay " + state.version;
  const bad = state.ready.filter(c => c.trouble).length;
  pill("ready", bad ? "bad" : "good", bad ? "not ready" : "ready");
  document.title = (bad ? "not ready" : "ready") + " · cjrelay";
  troubles(state);
  turns(state);

  charts(state);
  const left = state.partitions.reduce((n, p) => n + Object.values(p.counts).reduce((a, b) => a + b, 0) + (p.end >= 0 && p.next >= 0 ? Math.max(0, p.end - p.next) : 0), 0);
  $("lag").textContent = number(left);
  $("lag-unit").textContent = left === 1 ? "order" : "orders";
  $("memory").textContent = number(state.in_memory);
  const oldest = state.partitions.map(p => p.oldest).filter(Boolean).sort()[0];
  $("oldest").textContent = oldest ? ", the oldest " + ago(oldest) + " old" : "";
  $("sessions").textContent = number(state.clicks.sessions);
  $("sessions-unit").textContent = state.clicks.sessions === 1 ? "session" : "sessions";
  $("table-note").textContent = (state.clicks.trouble ? "not ready" : state.clicks.behind ? many(state.clicks.behind, "click") + " behind" : "up to date") + " · " + bytes(state.clicks.bytes);
  $("sending-actions").hidden = !state.actions;
  const held = state.ready.some(check => check.name === "sending" && check.trouble);
  // The one that comes is there before the other goes: who is at that one goes on at it.
  for (const [id, shown] of [["sending-hold", !held], ["sending-resume", held]].sort((a, b) => b[1] - a[1])) put($(id), shown);
  partitions(state);
  outcomes(state);
  news(state);
}

// ---- orders

let searching = 0;

async function orders() {
  const mine = ++searching;
  const asked = new URLSearchParams({ limit: 50 });
  if ($("q").value.trim()) asked.set("q", $("q").value.trim());
  if ($("only").value) asked.set("only", $("only").value);
  try {
    const answer = await ask("/orders?" + asked);
    if (!answer.ok || mine !== searching) return;
    const found = await answer.json();
    if (!document.hidden && !(getSelection().toString() && getSelection().anchorNode?.parentElement?.closest("#found"))) show($("found"), found, asked.has("q") || asked.has("only"));
  } catch { /* the connection's own message says it */ }
}

// ---- actions

document.addEventListener("click", async event => {
  const button = event.target.closest("button[data-action]");
  if (!button || button.ariaBusy === "true" || button.dataset.ask && !confirm(button.dataset.ask)) return;
  if (!token && !await login("Actions always need the token that is set as admin.token. It is kept until this tab closes.")) return;
  const result = button.parentElement.querySelector(".result");
  button.ariaBusy = "true"; // a disabled one would lose the focus
  try {
    let answer = await ask(button.dataset.action, { method: "POST" });
    if (answer.status === 401) {
      token = "";
      sessionStorage.removeItem("token");
      result.textContent = refused + " Try again.";
    } else {
      result.textContent = answer.ok ? "Done." : (await answer.text()).trim();
      if (answer.ok) button.dispatchEvent(new CustomEvent("answered", { detail: await answer.json() }));
    }
  } catch (error) {
    result.textContent = "The process does not answer: " + error.message;
  }
  button.ariaBusy = "false";
});

// ---- the connection: fetch rather than EventSource, which cannot send the token

async function follow() {
  for (;;) {
    try {
      const past = await ask("/history");
      if (past.ok) begin(await past.json());
      const answer = await ask("/events");
      if (answer.status === 401) {
        await enter();
        continue;
      }
      if (!answer.ok) throw new Error(answer.status);
      let rest = "";
      for await (const chunk of read(answer.body)) {
        rest += chunk;
        const events = rest.split("\n\n");
        rest = events.pop();
        for (const event of events) if (event.startsWith("data: ")) render(JSON.parse(event.slice(6)));
        if (events.length) orders();
      }
    } catch { /* said below */ }
    lost();
    await new Promise(later => setTimeout(later, 2000));
  }
}

// enter asks for the token until somebody gives one.
async function enter() {
  pill("ready", "wait", "token needed");
  document.title = "token needed · cjrelay";
  const why = token ? refused : "This port needs the token that is set as admin.token. It is kept until this tab closes.";
  token = "";
  sessionStorage.removeItem("token");
  while (!await login(why)) {
    $("gate").hidden = false;
    await new Promise(pressed => $("gate-open").addEventListener("click", pressed, { once: true }));
  }
  $("gate").hidden = true;
}

// lost says that what is shown is how things stood, not how they stand.
function lost() {
  pill("ready", "bad", "no connection");
  document.title = "no connection · cjrelay";
  $("circuit").hidden = true;
  if ($("main").hidden || !$("lost").hidden) return;
  document.body.classList.add("stale");
  $("lost").hidden = false;
  $("lost").textContent = "The process does not answer. What is below is how it stood at " + new Date(asOf).toLocaleTimeString("en-GB", { hour12: false }) + ".";
}

async function* read(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    yield value;
  }
}

$("legend").append(...legend.map(([kind, text]) => {
  const li = document.createElement("li"), i = document.createElement("i");
  i.className = "is-" + kind;
  li.append(i, text);
  return li;
}));
start(ask, id => {
  $("q").value = id;
  $("only").value = "";
  orders();
  $("orders").scrollIntoView();
  $("q").focus({ preventScroll: true });
});
$("search").addEventListener("submit", event => { event.preventDefault(); orders(); });
$("q").addEventListener("input", orders);
$("only").addEventListener("change", orders);
follow();
