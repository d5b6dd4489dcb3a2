// Keeps the page as it is on the daemon: each event fetches it and takes over its
// main part, and once more when nothing follows, unless somebody is typing. Text never
// becomes markup here: what is taken over was parsed by the browser from the daemon's
// own page.
"use strict";

const link = document.getElementById("link");
const settled = 1000; // milliseconds; the daemon gives a status out for half of it
let fetching = false;
let again = false;
let later = 0;

function isTyping() {
  const fields = [...document.querySelectorAll("main input:not([type=hidden])")];
  return fields.some((one) => one === document.activeElement || one.value !== "");
}

async function refresh() {
  if (fetching || isTyping()) {
    again = fetching;
    return;
  }
  fetching = true;
  again = false;
  try {
    const answer = await fetch("/", { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of ["header time", "main"]) {
        document.querySelector(part).replaceWith(
          document.adoptNode(page.querySelector(part)),
        );
      }
    }
  } finally {
    fetching = false;
    if (again) {
      refresh();
    }
  }
}

const changes = new EventSource("/changes");
let last = "";
changes.addEventListener("open", () => { link.textContent = "live,"; });
changes.addEventListener("error", () => { link.textContent = "no connection since"; });
changes.addEventListener("message", (event) => {
  const busy = event.data.endsWith(" 1");
  if (busy || event.data !== last) {
    refresh();
    clearTimeout(later);
    later = setTimeout(refresh, settled);
  }
  last = event.data;
});
