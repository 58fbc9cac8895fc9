/* What the pages do beyond links and forms, which work without it; live requests, the playground and passkeys do not. */
"use strict";

const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function shown() {
  return document.documentElement.dataset.theme || (prefersDark.matches ? "dark" : "light");
}

/* Copy what an element shows, and say so. */
async function copy(button) {
  const text = document.getElementById(button.dataset.copy).textContent;
  const label = button.querySelector("[data-copy-label]");
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(text);
    label.textContent = "Copied";
  } catch {
    // Without TLS a browser has no clipboard for scripts: what is to be copied is selected instead.
    const range = document.createRange();
    range.selectNodeContents(document.getElementById(button.dataset.copy));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    label.textContent = document.execCommand("copy") ? "Copied" : "Selected";
  }
  setTimeout(() => { label.textContent = before; }, 2000);
}

/* Tabs, as the ARIA practices describe them. */
function select(tab) {
  for (const other of tab.closest("[role=tablist]").querySelectorAll("[role=tab]")) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
  }
}

function moveTab(event) {
  const tab = event.target.closest("[role=tab]");
  if (!tab) return;
  const tabs = [...tab.closest("[role=tablist]").querySelectorAll("[role=tab]")];
  const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -tabs.indexOf(tab), End: tabs.length - 1 - tabs.indexOf(tab) };
  if (!(event.key in steps)) return;
  event.preventDefault();
  const next = tabs[(tabs.indexOf(tab) + steps[event.key] + tabs.length) % tabs.length];
  select(next);
  next.focus();
}

/* A level ticks the scopes that it stands for; ticking others by hand leaves the level. */
function applyLevel(radio) {
  const scopes = (radio.dataset.scopes || "").split(" ");
  if (radio.value === "") return;
  for (const box of radio.form.querySelectorAll("[data-scope]")) box.checked = scopes.includes(box.value);
}

function findLevel(form) {
  const ticked = [...form.querySelectorAll("[data-scope]:checked")].map((box) => box.value).sort().join(" ");
  for (const radio of form.querySelectorAll("[data-scopes]")) {
    const stands = radio.dataset.scopes.split(" ").sort().join(" ");
    radio.checked = radio.value !== "" && stands === ticked;
  }
  if (!form.querySelector("[data-scopes]:checked")) {
    const custom = form.querySelector("[data-scopes][value='']");
    if (custom) custom.checked = true;
  }
}

/* Ticking one of several leaves "all of them"; choosing "all of them" leaves the ticks. */
function chooseTicked(box) {
  const radio = box.form.querySelector(`[data-ticked="${box.name}"]`);
  if (radio) radio.checked = true;
}

function untick(radio) {
  for (const box of radio.form.querySelectorAll(`[name="${radio.dataset.unticks}"]`)) box.checked = false;
}

/* How many spaces are between words is not seen on a page. */
function words(text) {
  return text.trim().replace(/\s+/g, " ");
}

function checkConfirmation(input) {
  const button = input.form.querySelector("[type=submit]");
  button.disabled = words(input.value) !== words(input.dataset.confirm);
}

function showTyped(button) {
  const shown = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(shown));
  document.getElementById(button.dataset.shows).type = shown ? "text" : "password";
}

function addLine(button) {
  const area = document.getElementById(button.dataset.addTo);
  const lines = area.value.split(/[\n,]/).map((line) => line.trim()).filter(Boolean);
  if (!lines.includes(button.dataset.value)) lines.push(button.dataset.value);
  area.value = lines.join("\n");
  area.focus();
}

/* A phone's navigation, which lies over the page. Its links come next after its button, and whoever goes elsewhere shuts it. */
function openMenu(open) {
  document.querySelector("[data-nav-toggle]").setAttribute("aria-expanded", String(open));
  document.body.classList.toggle("nav-open", open);
  if (open) document.querySelector("#nav a").focus();
}

function leaveMenu(target) {
  const isElsewhere = !target.closest("#nav, [data-nav-toggle]");
  if (isElsewhere && document.body.classList.contains("nav-open")) openMenu(false);
}

/* Instants in the visitor's own time zone, and what is left until one. */
function localise(root) {
  for (const time of root.querySelectorAll("time[data-local]")) {
    const at = new Date(time.dateTime);
    time.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }
}

function countDown() {
  for (const place of document.querySelectorAll("[data-until]")) {
    const left = Math.max(0, Math.round((new Date(place.dataset.until) - Date.now()) / 1000));
    const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]
      .map(([size, unit], index) => [Math.floor(left / size) % [1e9, 24, 60, 60][index], unit])
      .filter(([count], index, all) => count > 0 || (index === 3 && all.every(([other]) => other === 0)))
      .slice(0, 2);
    place.textContent = left === 0 ? "over" : parts.map(([count, unit]) => `${count} ${unit}`).join(" ");
  }
}

function prepare(root) {
  localise(root);
  for (const input of root.querySelectorAll("[data-confirm]")) checkConfirmation(input);
  for (const control of root.querySelectorAll("[data-needs-script]")) control.hidden = false;
  for (const place of root.querySelectorAll("[data-hide-with-script]")) place.hidden = true;
  for (const tab of root.querySelectorAll("[role=tab][aria-selected=true]")) select(tab);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) {
    if (button.dataset.copy) copy(button);
    if (button.dataset.addTo) addLine(button);
    if (button.matches("[role=tab]")) select(button);
    if (button.dataset.shows) showTyped(button);
    if ("themeToggle" in button.dataset) {
      const next = shown() === "dark" ? "light" : "dark";
      document.documentElement.dataset.theme = next;
      localStorage.setItem("innoai-theme", next);
    }
    if ("navToggle" in button.dataset) openMenu(button.getAttribute("aria-expanded") !== "true");
  }
  leaveMenu(event.target);
  for (const menu of document.querySelectorAll("[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("focusin", (event) => leaveMenu(event.target));

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("[data-menu][open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    if (document.querySelector("[data-nav-toggle][aria-expanded=true]")) {
      openMenu(false);
      document.querySelector("[data-nav-toggle]").focus();
    }
  }
  moveTab(event);
});

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-confirm]")) checkConfirmation(event.target);
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-scopes]")) applyLevel(event.target);
  if (event.target.matches("[data-scope]")) findLevel(event.target.form);
  if (event.target.matches("[data-unticks]")) untick(event.target);
  if (event.target.matches("[type=checkbox]")) chooseTicked(event.target);
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  if (event.target.matches("[data-reveals]")) {
    const place = document.getElementById(event.target.dataset.reveals);
    place.hidden = event.target.value !== event.target.dataset.revealsFor;
    // What is hidden is not sent.
    for (const input of place.querySelectorAll("input")) input.disabled = place.hidden;
  }
});

/* A form is sent once, as by a double click; later it may have been stopped, and can be sent again. */
const ONE_CLICK_MS = 3000;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (Date.now() - Number(form.dataset.sent || 0) < ONE_CLICK_MS) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = String(Date.now());
});

addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

document.addEventListener("htmx:load", (event) => prepare(event.target));
document.addEventListener("htmx:responseError", (event) => {
  // A part that could not be had says so where it would be.
  event.detail.target.textContent = `This could not be loaded (${event.detail.xhr.status}). Reload the page.`;
});

prepare(document);
countDown();
setInterval(countDown, 1000);
