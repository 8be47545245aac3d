// Keeps a page fresh: figures as they come, tables from time to time; and asks before what cannot be undone. Every page works without it.
"use strict";

const KEPT = 150;
const FRESH = 4000;

/* Figures as people read them; the server writes them the same way. */
const number = (value) => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
const units = {
  number,
  rate: (value) => (value >= 0.05 && value < 10 ? value.toFixed(1) : number(value)),
  millis: (value) => {
    if (value === 0) return "–";
    if (value < 1) return (value * 1000).toFixed(0) + " µs";
    if (value < 1000) return value.toFixed(value < 10 ? 1 : 0) + " ms";
    return (value / 1000).toFixed(1) + " s";
  },
  bytes: (value) => {
    const names = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (value >= 1024 && unit + 1 < names.length) {
      value /= 1024;
      unit += 1;
    }
    return value.toFixed(unit > 0 && value < 100 ? 1 : 0) + " " + names[unit];
  },
};

/* The line of a chart in a field of 300 by 64, the latest value at its right end. */
function draw(svg, values) {
  const top = Math.max(0, ...values) || 1;
  const left = KEPT - values.length;
  const point = (value, at) => `${(((left + at) * 300) / (KEPT - 1)).toFixed(1)},${(62 - (value / top) * 58).toFixed(1)}`;
  svg.querySelector("polyline").setAttribute("points", values.map(point).join(" "));
}

function charts() {
  const all = [...document.querySelectorAll("svg[data-chart]")];
  if (all.length === 0) return;
  const values = new Map(all.map((svg) => [svg, svg.dataset.values.split(",").filter(Boolean).map(Number)]));
  const news = new EventSource("/api/v1/live");
  let first = true;
  news.addEventListener("sample", (event) => {
    alive(true);
    // The first one is the last that the page came with.
    if (first && all.some((svg) => values.get(svg).length > 0)) {
      first = false;
      return;
    }
    first = false;
    const sample = JSON.parse(event.data);
    for (const svg of all) {
      const own = values.get(svg);
      own.push(Number(sample[svg.dataset.chart]) || 0);
      own.splice(0, own.length - KEPT);
      draw(svg, own);
      const output = document.querySelector(`output[data-key="${svg.dataset.chart}"]`);
      output.textContent = units[output.dataset.unit](own[own.length - 1]);
    }
  });
  news.addEventListener("error", () => alive(false));
}

function alive(is) {
  const pulse = document.getElementById("pulse");
  if (!pulse) return;
  pulse.hidden = false;
  pulse.textContent = is ? "live" : "not connected";
  pulse.classList.toggle("off", !is);
}

/* Whether somebody is busy with a part, so that it is left as it is. */
function busy(part) {
  const selected = document.getSelection();
  return part.contains(document.activeElement) || (selected && !selected.isCollapsed && selected.containsNode(part, true));
}

async function refresh() {
  if (document.hidden || document.getElementById("confirm").open) return;
  const answer = await fetch(location.href, { headers: { "wicketgate-refresh": "1" }, redirect: "manual" });
  if (answer.type === "opaqueredirect") {
    location.reload();
    return;
  }
  if (!answer.ok) throw new Error(String(answer.status));
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const next = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!next || busy(part) || part.isEqualNode(next)) continue;
    const scrolled = part.querySelector(".scroll")?.scrollLeft ?? 0;
    const placed = document.adoptNode(next);
    part.replaceWith(placed);
    placed.querySelector(".scroll")?.scrollTo(scrolled, 0);
  }
}

function keepFresh() {
  if (!document.querySelector("main[data-live]")) return;
  alive(true);
  const again = () => refresh().then(() => alive(true), () => alive(false)).finally(() => setTimeout(again, FRESH));
  setTimeout(again, FRESH);
}

function ask() {
  const dialog = document.getElementById("confirm");
  let asked = null;
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.confirm || !dialog) return;
    event.preventDefault();
    asked = form;
    document.getElementById("question").textContent = form.dataset.confirm;
    dialog.returnValue = "no";
    dialog.showModal();
  });
  dialog?.addEventListener("close", () => {
    if (dialog.returnValue === "yes" && asked) asked.submit();
    asked = null;
  });
}

/* Copying needs a script, and a place that browsers trust. */
function copying() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy).textContent;
      const done = await navigator.clipboard.writeText(text).then(() => "Copied", () => "Not copied: select it by hand");
      button.textContent = done;
    });
  }
}

/* A narrow menu is wider than its window: the page's own entry is brought into sight. */
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
charts();
keepFresh();
copying();
ask();
