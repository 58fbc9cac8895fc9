/* Before the page is drawn: that scripts run, and the colours that were chosen here, where somebody chose any. */
"use strict";
(() => {
  document.documentElement.classList.add("scripted");
  const chosen = localStorage.getItem("innoai-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
