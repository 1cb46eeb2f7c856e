// A partition as a ribbon: what is committed, what is done above that, what is under way, and what is still in Kafka.

const svg = "http://www.w3.org/2000/svg";

// What an order can be at, as the process says it, in words and as a colour.
export const doings = {
  reading: ["sending", "being read"], queued: ["waiting", "waiting to be sent"], sending: ["sending", "being sent"], writing: ["sending", "outcome being written"],
  backoff: ["waiting", "waiting after a failure"], registry: ["waiting", "waiting for the registry"], own_time: ["waiting", "waiting for their own time"],
  clicks: ["waiting", "waiting for the click table"], twin: ["waiting", "waiting for the same order"], held: ["held", "held by the mass rule"],
};

export const reasons = {
  breaker: "the circuit is open", retry_after: "CJ asked to wait", back_pressure: "enough is in memory", freshness: "the click table is behind",
  registry: "the registry cannot be asked", mass_rule: "half the orders are rejected", offsets: "the committed offset makes no sense", operator: "an operator holds it",
  rate: "the rate limit",
};

export const legend = [["committed", "committed"], ["done", "done, not committed yet"], ["sending", "under way"], ["waiting", "waiting"], ["held", "held"], ["unread", "still in Kafka"]];

export const number = n => n.toLocaleString("en");

export const many = (n, thing) => number(n) + " " + thing + (n === 1 ? "" : "s");

// Where the parts of a ribbon begin, of 1000: the left is all that is committed, the right all that is not read.
const left = 120, right = 820;

function rect(kind, from, to, title) {
  const r = document.createElementNS(svg, "rect");
  r.setAttribute("x", from.toFixed(2));
  r.setAttribute("width", Math.max(to - from, 1.5).toFixed(2));
  r.setAttribute("height", "10");
  r.setAttribute("class", "is-" + kind);
  if (title) {
    const t = document.createElementNS(svg, "title");
    t.textContent = title;
    r.append(t);
  }
  return r;
}

const kindOf = doing => (doings[doing] || ["waiting"])[0];

function words(p) {
  const unread = p.end >= 0 && p.next >= 0 ? Math.max(0, p.end - p.next) : 0;
  const all = [];
  all.push(["committed ", p.committed > 0 ? number(p.committed) : "nothing yet"]);
  const done = p.done.reduce((sum, [from, to]) => sum + to - from, 0);
  if (done) all.push(["done above ", number(done)]);
  // What is under way is so for a moment only: one number for it, as each of its own would come and go.
  const counts = Object.entries(p.counts).sort(), under = counts.filter(([doing]) => kindOf(doing) === "sending").reduce((sum, [, count]) => sum + count, 0);
  if (under) all.push(["under way ", number(under)]);
  for (const [doing, count] of counts) if (kindOf(doing) !== "sending") all.push([(doings[doing] || ["", doing])[1] + " ", number(count)]);
  if (unread) all.push(["still in Kafka ", number(unread)]);
  return all;
}

// runs are the listed orders as stretches of neighbours at the same. Only the lowest are listed: the last stretch is the
// others, shown as what most of them are at.
function runs(p, next) {
  const all = [], rest = { ...p.counts };
  for (const { offset, doing } of p.pending) {
    const last = all[all.length - 1];
    rest[doing]--;
    if (last && last.doing === doing && last.to === offset) last.to++;
    else all.push({ from: offset, to: offset + 1, doing });
  }
  const [doing, count] = Object.entries(rest).sort((a, b) => b[1] - a[1])[0] || ["", 0];
  if (count > 0) all.push({ from: all.length ? all[all.length - 1].to : Math.max(p.committed, 0), to: next, doing });
  return all;
}

// draw makes or renews the list item of a partition.
export function draw(item, p) {
  if (!item.firstChild) {
    item.innerHTML = '<span class="name"></span><svg class="ribbon" role="img" preserveAspectRatio="none" viewBox="0 0 1000 10"></svg><span class="words"></span>';
  }
  const [name, ribbon, text] = item.children;
  name.textContent = p.partition;
  const from = Math.max(p.committed, 0), next = Math.max(p.next, from), unread = p.end >= 0 ? Math.max(0, p.end - next) : 0;
  const span = next - from, edge = unread ? right : 1000;
  const at = offset => left + (offset - from) / Math.max(span, 1) * (edge - left);
  const parts = [];
  if (span === 0) {
    if (from > 0) parts.push(rect("committed", 0, edge, "committed"));
  } else {
    if (from > 0) parts.push(rect("committed", 0, left, "committed up to " + number(from)));
    for (const { from, to, doing } of runs(p, next)) {
      const said = (doings[doing] || ["", doing])[1];
      parts.push(rect(kindOf(doing), at(from), at(to), (to === from + 1 ? "offset " + number(from) : "offsets " + number(from) + " to " + number(to - 1)) + ": " + said));
    }
    for (const [a, b] of p.done) parts.push(rect("done", at(a), at(Math.min(b, next)), number(b - a) + " done from " + number(a)));
  }
  if (unread) parts.push(rect("unread", edge, edge + (1000 - edge) * Math.min(1, Math.log10(unread + 1) / 5), number(unread) + " still in Kafka"));
  ribbon.replaceChildren(...parts);

  const said = words(p);
  text.replaceChildren();
  for (const [before, value] of said) {
    if (text.firstChild) text.append(" · ");
    const b = document.createElement("b");
    b.textContent = value;
    text.append(before, b);
  }
  for (const why of [...p.paused.map(r => "paused: " + (reasons[r] || r)), ...(p.stopped ? ["stopped: " + p.stopped] : [])]) {
    const s = document.createElement("span");
    s.className = "why";
    s.textContent = why;
    text.append(" · ", s);
  }
  ribbon.setAttribute("aria-label", "partition " + p.partition + ": " + said.map(pair => pair.join("")).join(", "));
}
