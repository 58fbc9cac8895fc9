/* Before the page is drawn: the colours that were chosen here, where somebody chose any. */
"use strict";
(() => {
  const chosen = localStorage.getItem("innoai-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
