// The dead letters of all processes, out of their topic. Looking costs reading, so it is done when they come into sight
// and when this process has written one, not with every event.

import { many, number } from "./ribbon.js";
import { make } from "./orders.js";

const $ = id => document.getElementById(id);

// What each reason asks of a person.
const advice = {
  rejected: "CJ refused this very order. Mend what the error names, an account, an action tracker or a field, and send it again.",
  parked: "The order itself may be right: it kept failing while others went through, or its time ran out. Retry it when the cause is gone.",
  malformed: "Its bytes are no order. Mend whoever produced it, so that no more come.",
  unknown_schema: "The schema registry has no usable schema for it. Register that, and send it again.",
  invalid_order: "A field breaks a rule. Mend whoever produced it, so that no more come.",
  unbuildable: "CJ would silently drop what it holds. Mend whoever produced it, so that no more come.",
  future: "It was confirmed too far ahead of our clock. Mend the clock, and send it again when its time has come.",
  wrong_partition: "It was not where its session's clicks are. Sent again it goes there; mend the producer's partitioner for those to come.",
  too_large: "The dead-letter topic did not take its bytes, so they are only where the order was.",
};
const mendable = new Set(["malformed", "invalid_order", "unbuildable", "rejected"]);
const mending = () => [" To mend it as a file: ", make("code", "", "cjrelay dlq export DIR --raw"), ", edit the file, ", make("code", "", "cjrelay dlq redrive --mended DIR --execute"), "."];

const words = reason => reason.replaceAll("_", " ");
const place = p => p.topic + "[" + p.partition + "]@" + p.offset;
const when = text => new Date(text).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const verb = reason => reason === "parked" ? "Retry" : "Send again";

// few is how many are listed before somebody wants more.
const few = 8;

let ask, follow, actions = false;
// chosen is what is shown: a reason, "" for all that wait, or null for those that were sent again.
let chosen = "", most = few, asking = 0, inSight = false, stale = true, later = 0, written = -1;
// sent are the letters that were sent again from this page, by their place: they stay where they are in the list.
const sent = new Map();

function row(letter) {
  const gone = letter.redriven;
  const tag = gone ? make("span", "tag good", "sent again") : make("span", "tag bad", words(letter.reason));
  const id = make("span", "id", letter.order_id || "(not readable) " + place(letter.order));
  const body = [make("p", "error", letter.error || "(no error is noted)")];
  if (gone) {
    const p = make("p", "actions", "Sent again " + when(gone.at) + " as ", make("span", "mono", place(gone.to)));
    if (letter.order_id) {
      const b = make("button", "quiet", "Follow the order");
      b.type = "button";
      b.addEventListener("click", () => follow(letter.order_id));
      p.append(b);
    }
    body.push(p);
  } else {
    const next = make("p", "", letter.stuck ? "It is not sent again from here: it " + letter.stuck + "." : advice[letter.reason] || "Mend what the error names, and send it again.");
    if (mendable.has(letter.reason)) next.append(...mending());
    body.push(make("h3", "", "What next"), next);
    if (actions && !letter.stuck) body.push(action(verb(letter.reason), "/actions/letters/" + letter.letter.partition + "/" + letter.letter.offset + "/redrive",
      verb(letter.reason) + ": " + (letter.order_id || place(letter.order)) + "? It takes its whole way once more.", answer => {
        letter = { ...letter, waits: false, redriven: { to: answer.to, at: new Date().toISOString() } };
        sent.set(place(letter.letter), letter);
        entry.replaceWith(entry = row(letter));
        entry.open = true;
        entry.firstChild.focus();
        look();
      }));
  }
  const facts = [["letter", place(letter.letter)], ["order", place(letter.order)], ["written", when(letter.at)],
    ["attempts", number(letter.attempts) + (letter.status ? ", CJ answered " + letter.status + " last" : "")],
    ...(letter.redrives ? [["before", "sent again " + many(letter.redrives, "time")]] : [])];
  body.push(make("dl", "facts", ...facts.flatMap(([name, value]) => [make("dt", "", name), make("dd", "mono", value)])));
  let entry = make("details", "letter", make("summary", "", id, tag, make("span", "when faint mono", when(letter.at))), ...body);
  entry.dataset.place = place(letter.letter);
  return entry;
}

// action is a button that asks first, with its result beside it. done is called with the answer.
function action(label, path, question, done) {
  const b = make("button", "", label), p = make("p", "actions", b);
  b.type = "button";
  b.dataset.action = path;
  b.dataset.ask = question;
  b.addEventListener("answered", event => done(event.detail, p));
  const result = make("span", "result");
  result.setAttribute("role", "status");
  p.append(result);
  return p;
}

function chip(label, count, value) {
  const b = make("button", "chip", label + " ", make("b", "", number(count)));
  b.type = "button";
  b.setAttribute("aria-pressed", String(chosen === value));
  b.addEventListener("click", () => { chosen = value; most = few; sent.clear(); $("letters-bulk").replaceChildren(); look(); });
  b.dataset.reason = value ?? "(sent again)";
  return b;
}

function chips(found) {
  const focused = document.activeElement?.dataset?.reason;
  const all = Object.entries(found.waiting).sort((a, b) => b[1] - a[1]);
  const sum = all.reduce((n, [, count]) => n + count, 0);
  const list = [chip("waiting", sum, "")];
  if (chosen && !found.waiting[chosen]) all.push([chosen, 0]);
  list.push(...all.map(([reason, count]) => chip(words(reason), count, reason)));
  if (found.redriven || chosen === null) list.push(chip("sent again", found.redriven, null));
  $("letters-reasons").replaceChildren(...list);
  list.find(b => b.dataset.reason === focused)?.focus();
  return sum;
}

// bulk is the button for all letters of a reason.
function bulk(found) {
  const into = $("letters-bulk"), all = chosen ? (found.waiting[chosen] || 0) - (found.stuck[chosen] || 0) : 0;
  const button = into.querySelector("button");
  if (!actions || all <= 0) { button?.remove(); return; }
  const label = verb(chosen) + ": all " + number(all) + " " + words(chosen);
  if (button) { button.textContent = label; button.dataset.ask = label + "?"; return; }
  into.replaceChildren(action(label, "/actions/letters/redrive?reason=" + encodeURIComponent(chosen), label + "?", (answer, p) => {
    p.querySelector(".result").textContent = number(answer.redriven) + " sent again" + (answer.refused ? ", " + number(answer.refused) + " not: the first " + answer.why : "") +
      (answer.left ? ", " + number(answer.left) + " still to be sent: press again" : "") + "." + (answer.trouble ? " " + answer.trouble : "");
    look();
  }));
}

function note(found) {
  const all = [];
  if (found.unread) all.push("Still reading the topic: " + many(found.unread, "record") + " to go.");
  if (found.letters.length >= 200) all.push("The latest 200 are listed.");
  if (found.passed) all.push("The oldest " + number(found.passed) + " records of the topic are too many to look at.");
  if (found.unnamed) all.push("The schema registry did not answer: " + many(found.unnamed, "letter") + (found.unnamed === 1 ? " is shown without its order's id." : " are shown without their order's id."));
  if (found.foreign) all.push(many(found.foreign, "record") + " of the topic" + (found.foreign === 1 ? " is" : " are") + " not cjrelay's.");
  $("letters-note").textContent = all.join(" ");
}

// rest is the button that lists the others too: a long list would hide the orders below it.
function rest(found, count) {
  const b = make("button", "quiet", "Show " + number(count) + " more"), p = make("p", "actions", b);
  b.type = "button";
  b.addEventListener("click", () => {
    const next = most;
    most = Infinity;
    render(found);
    $("letters-found").children[next]?.firstChild.focus();
  });
  return p;
}

// render shows what was found. Where nobody has asked, a letter that somebody reads is not taken from under his eyes.
function render(found, unasked) {
  const sum = chips(found);
  bulk(found);
  note(found);
  const into = $("letters-found"), open = new Set([...into.querySelectorAll("details[open]")].map(d => d.dataset.place));
  if (unasked && open.size) return;
  const focused = document.activeElement?.closest?.("#letters-found details")?.dataset.place;
  const there = new Set(found.letters.map(l => place(l.letter)));
  const all = [...found.letters, ...[...sent.values()].filter(l => !there.has(place(l.letter)))].sort((a, b) => new Date(b.at) - new Date(a.at));
  const rows = all.slice(0, most).map(row);
  for (const r of rows) r.open = open.has(r.dataset.place);
  if (all.length > most) rows.push(rest(found, all.length - most));
  into.replaceChildren(...(rows.length ? rows : [make("p", "faint", $("letters-q").value.trim() || chosen ? "No letter fits." : chosen === null ? "None was sent again." : sum || found.unread ? "" : "No dead letters wait. That is as it should be.")]));
  if (focused) rows.find(r => r.dataset.place === focused)?.firstChild?.focus({ preventScroll: true });
}

async function look(unasked) {
  clearTimeout(later);
  later = 0;
  const mine = ++asking, asked = new URLSearchParams();
  stale = false;
  if ($("letters-q").value.trim()) asked.set("q", $("letters-q").value.trim());
  if (chosen) asked.set("reason", chosen);
  if (chosen === null) asked.set("redriven", 1);
  try {
    const answer = await ask("/letters?" + asked);
    if (mine !== asking) return;
    if (answer.status === 404) { $("letters").hidden = true; return; }
    if (answer.status === 401) { stale = true; return; }
    if (!answer.ok) throw new Error((await answer.text()).trim());
    const found = await answer.json();
    if (mine !== asking) return;
    render(found, unasked);
    if (found.unread) soon(1000);
  } catch (error) {
    $("letters-note").textContent = "The letters cannot be read: " + error.message;
  }
}

// soon looks in a while, once for all that happens until then.
function soon(wait) {
  later ||= setTimeout(() => {
    later = 0;
    if (inSight && !document.hidden) look(true); else stale = true;
  }, wait);
}

// news tells of a state: whether actions can be asked for, and how many letters this process has written.
export function news(state) {
  const count = state.counts.outcomes.filter(o => o.outcome === "dead_letter" || o.outcome === "parked").reduce((n, o) => n + o.orders, 0);
  const may = state.actions !== actions;
  actions = state.actions;
  // What is just written is durable a moment later.
  if (written >= 0 && (count !== written || may)) soon(2500);
  else if (stale && inSight && !document.hidden) look(true);
  written = count;
}

export function start(asker, follower) {
  ask = asker;
  follow = follower;
  new IntersectionObserver(entries => { inSight = entries[entries.length - 1].isIntersecting; }).observe($("letters"));
  let typed = 0;
  $("letters-q").addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(() => look(), 250); });
  $("letters-search").addEventListener("submit", event => { event.preventDefault(); look(); });
  $("letters-renew").addEventListener("click", () => look());
}
