// The charts: counts over time, from the process's own past and then from each state, as rates and as times.

import { number } from "./ribbon.js";

const $ = id => document.getElementById(id);
const svg = "http://www.w3.org/2000/svg";
const hour = 3600000, least = 300000, wide = 300;

// Each point has the time, what was acknowledged and failed by then, and attempts within each bound of latency.
let points = [], bounds = [];

const point = (at, counts, latency) => ({ at: new Date(at).getTime(), acked: counts.acknowledged, failed: counts.failed, latency });

// begin starts with the past of the process, instead of anything before.
export function begin(past) {
  bounds = past.bounds;
  points = past.samples.map(s => point(s.at, s, s.latency));
}

function add(state) {
  const last = points[points.length - 1], next = point(state.at, state.counts, state.counts.latency.map(b => b.attempts));
  if (last && (next.acked < last.acked || next.failed < last.failed)) points = []; // another process
  bounds = state.counts.latency.map(b => b.seconds);
  points.push(next);
  while (points[0].at < next.at - hour - 10000) points.shift();
}

// steps are the points on a grid of times, so that a chart moves without changing its shape.
function steps(from, now) {
  const step = (now - from) / 100, chosen = [];
  let cell = -1;
  for (const p of points) {
    const its = Math.floor(p.at / step);
    if (its === cell) chosen[chosen.length - 1] = p;
    else chosen.push(p);
    cell = its;
  }
  return chosen;
}

function draw(id, values, from, now, most) {
  const x = t => (wide * (t - from) / (now - from)).toFixed(1), y = v => (38 - v / most * 36).toFixed(1);
  const path = (kind, d) => {
    const p = document.createElementNS(svg, "path");
    p.setAttribute("class", kind);
    p.setAttribute("d", d);
    return p;
  };
  // A time without a value breaks the line.
  const runs = [];
  for (const [i, v] of values.entries()) {
    if (v.value === null) continue;
    if (i === 0 || values[i - 1].value === null) runs.push([]);
    runs[runs.length - 1].push(v);
  }
  const way = run => run.map((v, i) => (i ? "L" : "M") + x(v.at) + " " + y(v.value)).join("");
  $(id).replaceChildren(
    path("under", runs.map(run => way(run) + "L" + x(run[run.length - 1].at) + " 40L" + x(run[0].at) + " 40Z").join("")),
    path("over", runs.map(way).join("")));
}

const short = v => v >= 100 ? number(Math.round(v)) : v >= 10 ? v.toFixed(0) : v.toFixed(1);
const latestOf = span => span >= hour ? "latest hour" : "latest " + Math.round(span / 60000) + " minutes";

function chart(id, what, values, from, now) {
  const most = Math.max(0, ...values.map(v => v.value));
  draw(id + "-line", values, from, now, Math.max(1, most));
  const text = latestOf(now - from) + (most > 0 ? ", at most " + short(most) : "");
  $(id + "-note").textContent = text;
  $(id + "-line").setAttribute("aria-label", what + " a second, " + text);
}

// before is the latest point that is at least so old, or the first one.
function before(age) {
  const now = points[points.length - 1].at;
  return points.findLast(p => p.at <= now - age) || points[0];
}

const rate = (a, b, count) => (b[count] - a[count]) / Math.max((b.at - a.at) / 1000, 0.001);

// within is the index of the first bound that such a share of the attempts between two points stayed in, and how many
// attempts there were.
function within(share, then, now) {
  const some = now.latency.map((n, i) => n - (then === now ? 0 : then.latency[i] || 0));
  const all = some.length ? some[some.length - 1] : 0;
  return [all ? some.findIndex(n => n >= all * share) : -1, all];
}

const inWords = i => i < 0 ? "–" : "≤ " + (bounds[i] < 1 ? bounds[i] * 1000 + " ms" : bounds[i] + " s");

// show draws the charts anew with what is so now.
export function show(state) {
  add(state);
  const now = points[points.length - 1], from = now.at - Math.min(hour, Math.max(least, now.at - points[0].at));
  const chosen = steps(from, now.at), pairs = chosen.slice(1).map((b, i) => [chosen[i], b]).filter(([, b]) => b.at >= from);
  for (const [id, what] of [["acked", "acknowledged"], ["failed", "failed attempts"]]) {
    $(id).textContent = points.length > 1 ? short(rate(before(5000), now, id)) : "–";
    chart(id, what, pairs.map(([a, b]) => ({ at: Math.max(b.at, from), value: rate(a, b, id) })), from, now.at);
  }
  const then = before(30000), [half, all] = within(0.5, then, now), [nearly] = within(0.99, then, now);
  $("p50").textContent = inWords(half);
  $("p50-unit").textContent = all ? "half" : "";
  $("latency-note").textContent = all ? "99 % " + inWords(nearly) + " · " + number(all) + " in 30 s" : "none in the latest 30 s";
  const slow = pairs.map(([a, b]) => { const [i] = within(0.99, a, b); return { at: b.at, value: i < 0 ? null : i + 1 }; });
  draw("slow-line", slow, from, now.at, Math.max(1, bounds.length));
  const worst = Math.max(0, ...slow.map(v => v.value)) - 1;
  $("slow-line").setAttribute("aria-label", "how long 99 % of the attempts take, " + latestOf(now.at - from) + (worst < 0 ? ": none" : ", at most " + inWords(worst)));
}
