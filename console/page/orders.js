// The orders that the process knows, with what happened to each.

import { doings } from "./ribbon.js";

const kinds = { acknowledged: "good", committed: "good", written: "", dead_letter: "bad", parked: "bad", rejected: "bad", waits: "wait", given_up: "wait", unattributed: "", joined: "", read: "" };
const said = {
  read: "read from Kafka", waits: "waits", joined: "joined with a click", rejected: "rejected", written: "outcome written", committed: "committed",
  given_up: "handed over: the partition was taken away, or the process stops", acknowledged: "acknowledged by CJ", unattributed: "unattributed", dead_letter: "dead letter",
  parked: "parked", duplicate: "duplicate",
};

const clock = text => new Date(text).toLocaleTimeString("en-GB", { hour12: false }) + "." + String(new Date(text).getMilliseconds()).padStart(3, "0");

export function make(tag, kind, ...content) {
  const e = document.createElement(tag);
  if (kind) e.className = kind;
  e.append(...content);
  return e;
}

function stepLine(step) {
  let words = said[step.what] || step.what, kind = kinds[step.what] ?? "";
  if (step.what === "attempt") {
    words = step.status ? "CJ answered " + step.status : "no answer from CJ";
    kind = step.status >= 200 && step.status < 300 ? "good" : "bad";
    words += " after " + Math.round(step.latency_ms) + " ms";
  }
  const li = make("li", kind, make("time", "faint mono", clock(step.at)), words);
  if (step.detail && !(step.what === "attempt" && kind === "good")) li.append(make("span", "faint", " – " + step.detail));
  return li;
}

function tag(order) {
  if (order.outcome) {
    const kind = order.outcome === "acknowledged" ? "good" : order.outcome === "dead_letter" || order.outcome === "parked" ? "bad" : "";
    return make("span", "tag " + kind, order.outcome.replace("_", " ") + (order.reason ? ": " + order.reason.replaceAll("_", " ") : ""));
  }
  const [kind, words] = doings[order.doing] || ["", order.doing || "handed over"];
  return make("span", "tag " + (kind === "sending" ? "busy" : "wait"), words);
}

const place = order => order.topic + "[" + order.partition + "]@" + order.offset;

function body(order) {
  const list = make("ol", "timeline");
  for (const [i, step] of order.steps.entries()) {
    if (order.omitted && i === 6) list.append(make("li", "faint", "… " + order.omitted + " steps left out"));
    list.append(stepLine(step));
  }
  const all = [make("p", "faint mono", place(order)), list];
  if (order.url) all.push(make("p", "url mono", order.url));
  return all;
}

// show renews the list of orders. Those that are open stay open.
export function show(into, orders, asked) {
  if (!orders.length) {
    into.replaceChildren(make("p", "faint", asked ? "No order that this process knows fits." : "No orders yet."));
    return;
  }
  const open = new Set([...into.querySelectorAll("details[open]")].map(d => d.dataset.place));
  const focused = document.activeElement?.closest?.("#found details")?.dataset.place;
  const rows = orders.map(order => {
    const last = order.steps[order.steps.length - 1];
    const row = make("details", "", make("summary", "", make("span", "id", order.order_id || "(not readable) " + place(order)), tag(order), make("span", "when faint mono", clock(last.at))), ...body(order));
    row.dataset.place = place(order);
    row.open = open.has(row.dataset.place);
    return row;
  });
  into.replaceChildren(...rows);
  if (focused) rows.find(r => r.dataset.place === focused)?.firstChild.focus({ preventScroll: true });
}
