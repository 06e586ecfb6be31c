"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  root.classList.add("js");

  // Theme: the system's, until the reader says otherwise.
  const remember = (value) => { try { localStorage.setItem("theme", value); } catch { /* private */ } };
  try { const kept = localStorage.getItem("theme"); if (kept) root.dataset.theme = kept; } catch { /* private */ }
  document.querySelector(".theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember(root.dataset.theme);
  });

  // One choice of model and task for the whole page.
  const lens = {};
  const focus = (kind, value) => {
    lens[kind] = value;
    all(`select[data-lens="${kind}"]`).forEach((select) => { select.value = value; });
    all("[data-model], [data-task]").forEach((panel) => {
      panel.hidden = ["model", "task"].some((key) => panel.dataset[key] && lens[key] && panel.dataset[key] !== lens[key]);
    });
  };
  all("select[data-lens]").forEach((select) => {
    lens[select.dataset.lens] = select.value;
    select.addEventListener("change", () => {
      const top = select.getBoundingClientRect().top;
      focus(select.dataset.lens, select.value);
      window.scrollBy({ top: select.getBoundingClientRect().top - top, behavior: "instant" });
    });
  });
  Object.entries(lens).forEach(([kind, value]) => focus(kind, value));

  // Gallery: all, wrong or right.
  all(".filter button").forEach((button) => button.addEventListener("click", () => {
    all(".filter button").forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    all(".stratum").forEach((part) => { part.hidden = button.dataset.show !== "all" && part.dataset.verdict !== button.dataset.show; });
  }));

  // Players: one sound at a time.
  all(".player").forEach((player) => {
    const sound = player.querySelector("audio");
    const button = player.querySelector(".play");
    const head = player.querySelector(".head");
    const follow = () => {
      head.setAttribute("width", sound.duration ? 96 * sound.currentTime / sound.duration : 0);
      if (!sound.paused) requestAnimationFrame(follow);
    };
    button.addEventListener("click", () => {
      if (!sound.paused) { sound.pause(); return; }
      all("audio").forEach((other) => { if (other !== sound) other.pause(); });
      sound.currentTime = 0;
      sound.play().catch(() => button.classList.remove("on"));
    });
    sound.addEventListener("play", () => { button.classList.add("on"); follow(); });
    ["pause", "ended"].forEach((event) => sound.addEventListener(event, () => { button.classList.remove("on"); head.setAttribute("width", 0); }));
  });

  // Confusion matrices: what a cell says, by pointer and by arrow keys.
  all(".matrix").forEach((table) => {
    const rows = all("tbody tr", table);
    const columns = all("thead th", table);
    const readout = table.closest("[data-model]").querySelector(".readout");
    let at = null;
    const show = (r, c) => {
      all(".lit, .at", table).forEach((cell) => cell.classList.remove("lit", "at"));
      at = [r, c];
      const cell = rows[r].children[c + 1];
      const truth = rows[r].firstElementChild;
      const total = Number(rows[r].lastElementChild.textContent);
      const n = Number(cell.textContent || 0);
      [cell.classList, truth.classList, columns[c].classList].forEach((list, i) => list.add(i ? "lit" : "at"));
      const said = columns[c].textContent;
      const share = total ? (100 * n / total).toFixed(1) : "0.0";
      readout.textContent = truth.textContent === said
        ? `${truth.textContent}: ${n} of ${total} told right (${share} %)`
        : `${truth.textContent} taken for ${said}: ${n} of ${total} (${share} %)`;
    };
    table.addEventListener("pointerover", (event) => {
      const cell = event.target.closest("tbody td:not(.total)");
      if (cell) show(rows.indexOf(cell.parentElement), cell.cellIndex - 1);
    });
    table.parentElement.addEventListener("keydown", (event) => {
      const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!move) return;
      event.preventDefault();
      const within = (value, most) => Math.min(Math.max(value, 0), most);
      const [r, c] = at ? [at[0] + move[0], at[1] + move[1]] : [0, 0];
      show(within(r, rows.length - 1), within(c, columns.length - 2));
      rows[at[0]].children[at[1] + 1].scrollIntoView({ block: "nearest", inline: "nearest" });
    });
  });

  // Films: what a span says, by pointer and by arrow keys.
  all(".reel").forEach((reel) => {
    const readout = reel.querySelector(".readout");
    let at = null;
    const show = (span) => {
      if (at) at.classList.remove("at");
      at = span;
      at.classList.add("at");
      readout.textContent = at.querySelector("title").textContent;
    };
    reel.addEventListener("pointerover", (event) => {
      const span = event.target.closest(".span");
      if (span) show(span);
    });
    reel.querySelector(".scroll").addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const said = all("[data-model]:not([hidden]) .span", reel);
      if (!step || !said.length) return;
      event.preventDefault();
      const place = said.includes(at) ? said.indexOf(at) + step : 0;
      show(said[Math.min(Math.max(place, 0), said.length - 1)]);
    });
  });

  // Language codes get their names.
  if (window.Intl && Intl.DisplayNames) {
    const names = new Intl.DisplayNames(["en"], { type: "language" });
    all("[data-language]").forEach((cell) => {
      try {
        const name = cell.dataset.language && names.of(cell.dataset.language);
        if (name && name !== cell.dataset.language) {
          const small = document.createElement("small");
          small.textContent = ` ${name}`;
          cell.append(small);
        }
      } catch { /* not a language code */ }
    });
  }

  // The section in view is the current one.
  const links = new Map(all(".links a").map((link) => [link.hash.slice(1), link]));
  const mark = () => {
    const passed = all("section").filter((section) => section.getBoundingClientRect().top < innerHeight * .35);
    const id = passed.length ? passed[passed.length - 1].id : "content";
    links.forEach((link, key) => {
      const current = key === id;
      if (current === link.hasAttribute("aria-current")) return;
      link.toggleAttribute("aria-current", current);
      if (current) link.parentElement.scrollTo({ left: link.offsetLeft - link.parentElement.offsetLeft - 90, behavior: "smooth" });
    });
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; mark(); }); }
  }, { passive: true });
  mark();

  addEventListener("beforeprint", () => all("details").forEach((one) => { one.open = true; }));
})();
