// Messages as they come, the newest first. What they say is set as text and never read as anything else.
"use strict";

const ROWS = 500;

function tail(part) {
  const rows = part.querySelector("tbody");
  const state = part.querySelector("output");
  const pause = part.querySelector("button[data-pause]");
  const clear = part.querySelector("button[data-clear]");
  const total = { shown: 0, dropped: 0, left_out: 0, others: 0 };
  let waiting = [];
  let paused = false;

  const cell = (text, name) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    if (name) cell.className = name;
    return cell;
  };
  const badge = (mood, text) => {
    const cell = document.createElement("td");
    const span = document.createElement("span");
    span.className = `badge ${mood}`;
    span.textContent = text;
    cell.append(span);
    return cell;
  };
  const row = (message) => {
    const row = document.createElement("tr");
    const session = document.createElement("td");
    const link = document.createElement("a");
    link.href = `/sessions/${message.session}`;
    link.textContent = message.session;
    session.append(link);
    const said = document.createElement("td");
    const text = document.createElement("pre");
    text.textContent = message.text + (message.cut ? " …" : "");
    said.className = "said";
    said.append(text);
    const moods = { forwarded: "good", rewritten: "warn", replied: "warn", dropped: "bad", closed: "bad" };
    const way = message.direction === "to_upstream" ? "→ upstream" : "← upstream";
    row.append(cell(message.time.slice(11, 23).replace("Z", ""), "number"), session, cell(way, "number"),
      badge(moods[message.verdict] || "", message.verdict), cell(`${message.size} B`, "number"), said,
      cell(message.covered.join(" "), "covered"));
    return row;
  };
  const place = (messages) => {
    rows.prepend(...messages.slice(-ROWS).reverse().map(row));
    while (rows.childElementCount > ROWS) rows.lastElementChild.remove();
  };
  const tell = () => {
    const parts = [`${number(total.shown)} messages`];
    if (total.dropped) parts.push(`${number(total.dropped)} dropped, so that no session waits`);
    if (total.left_out) parts.push(`${number(total.left_out)} left out: they cannot be read, and may hold secrets`);
    if (total.others) parts.push(`${number(total.others)} without the text`);
    if (paused) parts.push(`paused, ${waiting.length} wait`);
    state.textContent = parts.join(" · ");
  };

  const news = new EventSource(part.dataset.tail);
  news.addEventListener("open", () => alive(true));
  news.addEventListener("messages", (event) => {
    const seen = JSON.parse(event.data);
    total.shown += seen.messages.length;
    for (const name of ["dropped", "left_out", "others"]) total[name] += seen[name];
    if (paused) waiting = waiting.concat(seen.messages).slice(-ROWS);
    else place(seen.messages);
    tell();
  });
  news.addEventListener("end", (event) => {
    news.close();
    alive(false);
    state.textContent = `Ended: ${event.data}.`;
  });
  news.addEventListener("error", async () => {
    alive(false);
    if (news.readyState !== EventSource.CLOSED) return;
    // A refusal says why, which an EventSource does not tell.
    const answer = await fetch(part.dataset.tail, { headers: { "wicketgate-refresh": "1" } }).catch(() => null);
    const problem = answer && !answer.ok ? await answer.json().catch(() => null) : null;
    answer?.body?.cancel().catch(() => {});
    state.textContent = problem ? `${problem.title}: ${problem.detail}.` : "Not connected.";
  });
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    if (!paused) {
      place(waiting);
      waiting = [];
    }
    tell();
  });
  clear.addEventListener("click", () => rows.replaceChildren());
}

document.querySelectorAll("[data-tail]").forEach(tail);
