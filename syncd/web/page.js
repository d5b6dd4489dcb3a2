// Keeps the page as it is on the daemon: each event fetches it and takes over its
// main part, unless somebody is typing. Text never becomes markup here: what is taken
// over was parsed by the browser from the daemon's own page.
"use strict";

const link = document.getElementById("link");
let fetching = false;

function isTyping() {
  const active = document.activeElement;
  return active !== null && active.tagName === "INPUT";
}

async function refresh() {
  if (fetching || isTyping()) {
    return;
  }
  fetching = true;
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
  }
  last = event.data;
});
