/* A conversation with a model, over the same route and with the same checks as any program's. */
"use strict";

const room = document.querySelector("[data-playground]");
const RENEW_BEFORE_MS = 30_000;

let token = { value: "", ends: 0 };
let turns = [];
let underWay = null;

function byId(id) {
  return document.getElementById(id);
}

async function currentToken() {
  if (Date.now() < token.ends - RENEW_BEFORE_MS) return token.value;
  const answer = await fetch(room.dataset.token, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Form-Token": room.dataset.formToken },
    body: "{}",
  });
  const made = await answer.json();
  if (!answer.ok) throw new Error(made.message);
  token = { value: made.access_token, ends: Date.now() + made.expires_in * 1000 };
  return token.value;
}

function show(role, text) {
  const turn = document.createElement("li");
  turn.className = `turn ${role}`;
  const who = document.createElement("strong");
  who.textContent = role === "user" ? "You" : byId("model").value;
  const said = document.createElement("p");
  said.textContent = text;
  turn.append(who, said);
  byId("turns").append(turn);
  byId("nothing-yet").hidden = true;
  byId("again").disabled = false;
  return said;
}

function wanted() {
  const system = byId("system").value.trim();
  const body = {
    model: byId("model").value,
    messages: [...(system ? [{ role: "system", content: system }] : []), ...turns],
    stream: true,
    stream_options: { include_usage: true },
  };
  for (const name of ["temperature", "max_tokens"]) {
    if (byId(name).value !== "") body[name] = Number(byId(name).value);
  }
  return body;
}

/* Events as they come: RFC-like lines `data: …`, an empty line behind each. */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const pieces = (rest + value).split(/\r?\n\r?\n/);
    rest = pieces.pop();
    for (const piece of pieces) {
      const data = piece.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
      if (data.length) yield data.join("\n");
    }
  }
}

function tell(facts) {
  byId("told").hidden = false;
  for (const [name, value] of Object.entries(facts)) byId(`told-${name}`).textContent = value ?? "not told";
}

function refuse(message) {
  byId("refused").textContent = message;
  byId("refused").hidden = false;
}

async function refusal(answer) {
  try {
    const { error } = await answer.json();
    return `${error.message} (${error.code}, ${answer.status})`;
  } catch {
    return `The server answered with status ${answer.status}.`;
  }
}

async function converse() {
  const began = performance.now();
  const answer = await fetch(room.dataset.completions, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${await currentToken()}` },
    body: JSON.stringify(wanted()),
    signal: underWay.signal,
  });
  if (!answer.ok) throw new Error(await refusal(answer));
  const said = show("assistant", "");
  const turn = { role: "assistant", content: "" };
  turns.push(turn);
  let usage = null;
  let first = null;
  try {
    for await (const data of events(answer.body)) {
      if (data === "[DONE]") break;
      const event = JSON.parse(data);
      if (event.error) throw new Error(`${event.error.message} (${event.error.code})`);
      usage = event.usage || usage;
      const piece = event.choices?.[0]?.delta?.content;
      if (!piece) continue;
      first ??= performance.now() - began;
      turn.content += piece;
      said.textContent = turn.content;
    }
  } finally {
    tell({
      in: usage?.prompt_tokens,
      out: usage?.completion_tokens,
      first: first === null ? null : `${Math.round(first)} ms`,
      all: `${Math.round(performance.now() - began)} ms`,
      left: answer.headers.get("x-ratelimit-remaining-requests"),
      id: answer.headers.get("x-request-id"),
    });
  }
}

async function say(message) {
  byId("refused").hidden = true;
  byId("send").disabled = true;
  byId("stop").hidden = false;
  underWay = new AbortController();
  show("user", message);
  turns.push({ role: "user", content: message });
  byId("message").value = "";
  try {
    await converse();
  } catch (error) {
    if (error.name !== "AbortError") refuse(error.message);
    // What got no answer is not part of what the model is told next, and can be sent once more.
    if (turns.at(-1)?.role === "user") {
      turns.pop();
      byId("turns").lastElementChild.remove();
      byId("message").value ||= message;
    }
  } finally {
    underWay = null;
    byId("send").disabled = false;
    byId("stop").hidden = true;
    byId("message").focus();
  }
}

function startOver() {
  underWay?.abort();
  turns = [];
  byId("turns").replaceChildren();
  byId("nothing-yet").hidden = false;
  byId("told").hidden = true;
  byId("refused").hidden = true;
  byId("again").disabled = true;
  byId("message").focus();
}

if (room) {
  byId("say").addEventListener("submit", (event) => {
    event.preventDefault();
    const message = byId("message").value.trim();
    if (message && !underWay) say(message);
  });
  byId("message").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("say").requestSubmit();
  });
  byId("stop").addEventListener("click", () => underWay?.abort());
  byId("again").addEventListener("click", startOver);
}
