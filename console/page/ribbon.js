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

function words(p) {
  const unread = p.end >= 0 && p.next >= 0 ? Math.max(0, p.end - p.next) : 0;
  const all = [];
  all.push(["committed ", p.committed < 0 ? "nothing yet" : number(p.committed)]);
  const done = p.done.reduce((sum, [from, to]) => sum + to - from, 0);
  if (done) all.push(["done above ", number(done)]);
  for (const [doing, count] of Object.entries(p.counts).sort()) all.push([(doings[doing] || ["", doing])[1] + " ", number(count)]);
  if (unread) all.push(["still in Kafka ", number(unread)]);
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
    parts.push(rect("committed", 0, unread ? edge : 1000, "committed"));
  } else {
    parts.push(rect("committed", 0, left, "committed up to " + number(from)));
    for (const [a, b] of p.done) parts.push(rect("done", at(a), at(Math.min(b, next)), number(b - a) + " done from " + number(a)));
    for (const { offset, doing } of p.pending) {
      const [kind, said] = doings[doing] || ["waiting", doing];
      parts.push(rect(kind, at(offset), at(offset + 1), "offset " + number(offset) + ": " + said));
    }
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
