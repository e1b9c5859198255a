// What pages can do beyond showing: the theme's switch, and charts that answer to the pointer. All works without it.
(() => {
  "use strict";
  const root = document.documentElement;
  const here = document.currentScript.dataset;
  const theme = () => root.dataset.shownTheme || "light";

  // --- the theme's switch ---

  const toggle = document.querySelector("[data-theme-toggle]");
  const name = () => toggle?.setAttribute("aria-label", theme() === "dark" ? "Use the light theme" : "Use the dark theme");
  if (toggle) {
    toggle.hidden = false;
    name();
    toggle.addEventListener("click", () => {
      const next = theme() === "dark" ? "light" : "dark";
      root.dataset.theme = root.dataset.shownTheme = next;
      try {
        localStorage.setItem("theme", next);
      } catch {
        // not remembered then
      }
      name();
      document.dispatchEvent(new Event("theme"));
    });
  }

  // The pictures follow the chosen theme, not only the system's.
  const turnPictures = () => {
    for (const source of document.querySelectorAll("source[data-for]")) {
      source.media = source.dataset.for === theme() ? source.dataset.media : "not all";
    }
  };
  if (root.dataset.theme) turnPictures();

  // --- sections that moved to a tab: an old address leads there ---

  const wanted = decodeURIComponent(location.hash.slice(1));
  if (wanted && !document.getElementById(wanted)) {
    const holds = (tab) => tab.dataset.holds.split(" ").includes(wanted);
    const tab = [...document.querySelectorAll("[data-holds]:not([aria-current])")].find(holds);
    if (tab) location.replace(`${tab.getAttribute("href")}#${wanted}`);
  }

  // --- charts ---

  const widths = (here.widths || "320").split(" ").map(Number);
  const charts = [...document.querySelectorAll("[data-chart]")];
  let library = null;

  const load = () => {
    library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = here.bundle;
      script.onload = () => resolve(window.vegaEmbed);
      script.onerror = reject;
      document.head.append(script);
    });
    return library;
  };

  const fitting = (frame) => {
    const room = frame.clientWidth;
    return widths.filter((width) => width <= room + 8).pop() || widths[0];
  };

  const draw = async (figure) => {
    const frame = figure.querySelector(".chart-frame");
    const width = fitting(frame);
    const wanted = `${theme()} ${width}`;
    if (figure.dataset.wanted === wanted) return;
    figure.dataset.wanted = wanted;
    const base = figure.dataset.chart;
    const join = base.includes("?") ? "&" : "?";
    const [embed, answer] = await Promise.all([load(), fetch(`${base}${join}form=spec&theme=${theme()}&width=${width}`)]);
    if (!answer.ok || figure.dataset.wanted !== wanted) return;
    const drawn = document.createElement("div");
    drawn.className = "drawn";
    drawn.setAttribute("role", "img");
    drawn.setAttribute("aria-label", figure.dataset.alt || frame.querySelector("img")?.alt || "");
    const spec = await answer.json();
    if (spec.width) spec.width = Math.min(frame.clientWidth, 1400); // a single chart takes all the room there is
    // ast: expressions are interpreted, so that no text is ever run as code and the content policy can forbid it.
    const made = await embed(drawn, spec, {
      ast: true,
      actions: false,
      renderer: "svg",
      defaultStyle: false,
      tooltip: { disableDefaultStyle: true, theme: "custom" },
    });
    if (figure.dataset.wanted !== wanted) return made.finalize();
    frame.querySelector(".drawn")?.remove();
    const picture = frame.querySelector("picture");
    if (picture) picture.hidden = true;
    frame.append(drawn);
    figure.dataset.state = "drawn";
  };

  // The picture stays where a chart cannot be drawn; where there is none yet, the server draws it.
  const attempt = (figure) =>
    draw(figure).catch(() => {
      delete figure.dataset.wanted;
      const frame = figure.querySelector(".chart-frame");
      if (frame.querySelector("picture, img, .drawn")) return;
      const picture = document.createElement("img");
      const base = figure.dataset.chart;
      picture.src = `${base}${base.includes("?") ? "&" : "?"}theme=${theme()}&width=${fitting(frame)}`;
      picture.alt = figure.dataset.alt || "";
      frame.append(picture);
    });
  const seen = new Set();
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting && !seen.has(entry.target)) {
          seen.add(entry.target);
          attempt(entry.target);
        }
      }
    },
    { rootMargin: "300px" },
  );
  charts.forEach((figure) => watcher.observe(figure));
  document.addEventListener("theme", () => {
    turnPictures();
    seen.forEach(attempt);
  });
  let pause = 0;
  window.addEventListener("resize", () => {
    clearTimeout(pause);
    pause = setTimeout(() => seen.forEach(attempt), 200);
  });
})();
