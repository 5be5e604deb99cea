"use strict";
const form = document.getElementById("filter");
const checks = [...document.querySelectorAll("tr.check")];

function filter() {
  const wanted = new FormData(form);
  const results = wanted.getAll("result");
  const words = wanted.get("words").toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of checks) {
    const text = row.textContent.toLowerCase();
    row.hidden = !results.includes(row.dataset.result)
      || (wanted.get("host") && wanted.get("host") !== row.dataset.host)
      || (wanted.get("stage") && wanted.get("stage") !== row.dataset.stage)
      || !words.every((word) => text.includes(word));
    shown += row.hidden ? 0 : 1;
  }
  document.getElementById("shown").textContent = `${shown} of ${checks.length}`;
}

if (form) {
  // A list that is chosen from does not tell an input everywhere.
  for (const kind of ["input", "change"]) form.addEventListener(kind, filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const link of document.querySelectorAll("a[data-only], a[data-host]")) {
    link.addEventListener("click", () => {
      form.reset();
      if (link.dataset.only) {
        for (const box of form.querySelectorAll("[name=result]")) box.checked = box.value === link.dataset.only;
      }
      form.elements.host.value = link.dataset.host || "";
      filter();
    });
  }
  filter();
}

// A machine's routes stand in its title, which says them without this, though only after a while.
const pointed = document.getElementById("pointed");
for (const machine of document.querySelectorAll("svg g.node[id^='machine-']")) {
  const title = machine.querySelector("title");
  title.remove();
  machine.addEventListener("pointerenter", (event) => {
    pointed.textContent = title.textContent;
    // On the other side, for the machine itself to stay in sight.
    pointed.classList.toggle("right", event.clientX < innerWidth / 2);
    pointed.hidden = false;
  });
  machine.addEventListener("pointerleave", () => { pointed.hidden = true; });
  machine.addEventListener("click", () => { location.hash = machine.id.replace("machine-", "routes-"); });
}
