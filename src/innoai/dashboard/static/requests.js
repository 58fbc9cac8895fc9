/* Requests as they happen: a row for each decision, which learns of its end. */
"use strict";

const MOST_ROWS = 200;
const MOST_WAITING = 2 * MOST_ROWS;
const RECONNECT_MS = 3000;

function cell(label, ...parts) {
  const made = document.createElement("td");
  made.dataset.label = label;
  made.append(...parts);
  return made;
}

function badge(text, tone) {
  const made = document.createElement("span");
  made.className = `badge ${tone}`;
  made.textContent = text;
  return made;
}

function explanation(decided) {
  const details = document.createElement("details");
  details.className = "more";
  const summary = document.createElement("summary");
  summary.textContent = decided.message || "every check passed";
  const checks = document.createElement("ol");
  checks.className = "checks";
  for (const check of decided.checks) {
    const item = document.createElement("li");
    item.className = check.outcome;
    const name = document.createElement("strong");
    name.textContent = check.name;
    const said = check.outcome.replace("_", " ") + (check.detail ? `: ${check.detail}` : "");
    item.append(name, ` ${said}`);
    checks.append(item);
  }
  details.append(summary, checks);
  return details;
}

function rowOf(decided) {
  const row = document.createElement("tr");
  row.dataset.request = decided.request_id || "";
  const asked = document.createElement("code");
  asked.textContent = `${decided.method} ${decided.path}`;
  const key = document.createElement("a");
  key.className = "small";
  key.href = `/settings/api-keys/${encodeURIComponent(decided.key_id)}`;
  key.textContent = decided.key_id;
  row.append(
    cell("At", new Date(decided.at).toLocaleTimeString()),
    cell("Decision", badge(decided.allowed ? "allowed" : decided.code, decided.allowed ? "good" : "bad")),
    cell("Request", asked, decided.model ? ` ${decided.model}` : "", document.createElement("br"), key),
    cell("From", decided.address || "unknown"),
    cell("Outcome", explanation(decided)),
  );
  return row;
}

function outcomeOf(finished, currency) {
  const tokens =
    finished.completion_tokens === null ? "" : `, ${finished.prompt_tokens}+${finished.completion_tokens} tokens`;
  const cost = finished.cost === null ? "" : `, cost ${finished.cost} ${currency}`;
  return `${finished.status} ${finished.outcome} in ${finished.duration_ms} ms${tokens}${cost} `;
}

function watch(room) {
  const rows = room.querySelector("[data-tail-rows]");
  const state = room.querySelector("[data-tail-state]");
  const pause = document.querySelector("[data-tail-pause]");
  let isPaused = false;
  let waiting = [];
  let lost = 0;
  let source = null;
  let reconnecting = 0;
  const say = (text) => {
    state.textContent = lost ? `${text} ${lost} came faster than they were read.` : text;
  };
  const sayConnected = () => {
    const count = waiting.filter(([show]) => show === showDecided).length;
    say(isPaused ? `Paused. ${count} more came.` : "Connected. Requests show here as they come.");
  };
  const showDecided = (decided) => {
    rows.prepend(rowOf(decided));
    while (rows.children.length > MOST_ROWS) rows.lastElementChild.remove();
  };
  const showFinished = (finished) => {
    const row = rows.querySelector(`tr[data-request="${CSS.escape(finished.request_id)}"]`);
    if (row) row.lastElementChild.prepend(outcomeOf(finished, room.dataset.currency));
  };
  /* What comes during a pause is shown when it is over: of more than fits, the latest. */
  const take = (show) => (event) => {
    const told = JSON.parse(event.data);
    if (!isPaused) return show(told);
    waiting.push([show, told]);
    waiting = waiting.slice(-MOST_WAITING);
    return sayConnected();
  };
  const sayLost = () => {
    if (source.readyState !== EventSource.CLOSED) return say("The connection is lost; trying again …");
    /* By itself a browser asks no more after an answer that is no stream: a proxy's, or the sign-in page. */
    reconnecting = setTimeout(connect, RECONNECT_MS);
    return say("The connection was refused; trying again … If it stays so, reload the page to sign in.");
  };
  const connect = () => {
    source = new EventSource(room.dataset.tail);
    source.addEventListener("open", sayConnected);
    source.addEventListener("error", sayLost);
    source.addEventListener("lost", (event) => {
      lost += JSON.parse(event.data).count;
      sayConnected();
    });
    source.addEventListener("decided", take(showDecided));
    source.addEventListener("finished", take(showFinished));
  };
  connect();
  say("Waiting for the first request …");
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", String(isPaused));
    pause.textContent = isPaused ? "Go on" : "Pause";
    for (const [show, told] of isPaused ? [] : waiting.splice(0)) show(told);
    sayConnected();
  });
  window.addEventListener("pagehide", () => {
    clearTimeout(reconnecting);
    source.close();
  });
}

document.querySelectorAll("[data-tail]").forEach(watch);
