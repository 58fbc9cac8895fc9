/* Requests as they happen: a row for each decision, which learns of its end. */
"use strict";

const MOST_ROWS = 200;

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

function outcomeOf(finished) {
  const tokens =
    finished.completion_tokens === null ? "" : `, ${finished.prompt_tokens}+${finished.completion_tokens} tokens`;
  const cost = finished.cost === null ? "" : `, cost ${finished.cost}`;
  return `${finished.status} ${finished.outcome} in ${finished.duration_ms} ms${tokens}${cost} `;
}

function watch(room) {
  const rows = room.querySelector("[data-tail-rows]");
  const state = room.querySelector("[data-tail-state]");
  const pause = document.querySelector("[data-tail-pause]");
  let isPaused = false;
  let lost = 0;
  const source = new EventSource(room.dataset.tail);
  const say = (text) => {
    state.textContent = lost ? `${text} ${lost} came faster than they were read.` : text;
  };
  source.addEventListener("open", () => say("Connected. Requests show here as they come."));
  source.addEventListener("error", () => say("The connection is lost; trying again …"));
  source.addEventListener("lost", (event) => {
    lost += JSON.parse(event.data).count;
    say("Connected. Requests show here as they come.");
  });
  source.addEventListener("decided", (event) => {
    if (isPaused) return;
    rows.prepend(rowOf(JSON.parse(event.data)));
    while (rows.children.length > MOST_ROWS) rows.lastElementChild.remove();
  });
  source.addEventListener("finished", (event) => {
    const finished = JSON.parse(event.data);
    const row = rows.querySelector(`tr[data-request="${CSS.escape(finished.request_id)}"]`);
    if (row) row.lastElementChild.prepend(outcomeOf(finished));
  });
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", String(isPaused));
    pause.textContent = isPaused ? "Go on" : "Pause";
  });
  window.addEventListener("pagehide", () => source.close());
}

document.querySelectorAll("[data-tail]").forEach(watch);
