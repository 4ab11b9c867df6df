// The status banner for other sites and applications: <script async src="https://status.example.com/embed.js">
//
// A guest in somebody else's page: it draws over the page and never moves it, reads one public document
// without cookies, and when anything at all fails it draws nothing. Text is only ever set as text.
// How to embed it, its options, and what it reads: docs/banner.md.
//
// At most 3 kB compressed (tests/public/test_embed.py). It is served without indentation and without lines such as this
// one (core/banner_script.py), so comments stand on lines of their own.
(() => {
  const NAME = "status-banner";

  const script = document.currentScript || document.querySelector('script[src*="/embed."]');
  if (!script || !window.customElements) return;
  // With the language, where the script's address has one: …/de/embed.js
  const home = new URL(".", script.src).href;

  // As the server fills it from static/css/tokens.css; the page around us may set another for each.
  const COLOURS = "";

  // The element has no box of its own, so no rule of the page moves one; all that is drawn stands in the shadow root.
  const SHEET = `
    :host { display: contents !important; }
    .region { all: initial; position: fixed; z-index: 2147483000; inset-block-end: 16px; inset-inline-end: 16px;
      width: min(380px, 100vw - 32px); color-scheme: var(--status-banner-scheme, light dark); }
    .top, .bottom { inset: auto 0 0; width: auto; --status-banner-radius: 0; }
    .top { inset: 0 0 auto; }
    .inline { display: block; position: relative; z-index: 1; inset: 0; width: auto; height: var(--status-banner-height, 0); }
    .card { ${COLOURS} box-sizing: border-box; position: relative; padding: 14px 48px; padding-inline-start: 18px;
      font: 15px/1.45 var(--status-banner-font, system-ui); color: var(--text); background: var(--background);
      border: 1px solid var(--muted); border-inline-start: 6px solid var(--tone);
      border-radius: var(--status-banner-radius, 12px); box-shadow: 0 8px 28px rgb(0 0 0 / .18);
      overflow: auto; overflow-wrap: anywhere; max-height: 60vh; }
    p { margin: 0 0 4px; }
    .title, .label, a { font-weight: 600; color: inherit; }
    .label, .time { font-size: 13px; color: var(--tone); }
    button { all: unset; position: absolute; inset-block-start: 4px; inset-inline-end: 4px; width: 40px; text-align: center;
      font-size: 20px; line-height: 40px; cursor: pointer; }
    :focus-visible { outline: auto; }
    @media print { .card { display: none; } }
  `;

  // Whatever a strange page or an old browser makes fail: the page must not notice.
  const attempt = (work) => {
    try {
      return work();
    } catch {}
  };

  const said = new Set();
  const warn = (name, value) => {
    const text = `${NAME}: bad ${name} “${value}”`;
    if (!said.has(text)) console.warn(text);
    said.add(text);
  };

  // What each address answered last, for all banners of the page: two of them, or one that a framework removes and
  // places again, ask once.
  const answers = {};
  const load = (address) => {
    if (Date.now() - answers[address]?.at < 3e4) return answers[address];
    const answer = fetch(address, {
      credentials: "omit", cache: "no-cache", referrerPolicy: "no-referrer", signal: AbortSignal.timeout(2e3),
    });
    return (answers[address] = Object.assign(answer.then((reply) => reply.json()), { at: Date.now() }));
  };

  // Updates that the visitor dismissed, by their ids, which are the same in no two pages.
  const dismissed = new Set(`${attempt(() => localStorage.getItem(NAME))}`.split(" "));
  const placed = new Set();
  const dismiss = (id) => {
    dismissed.add(id);
    attempt(() => localStorage.setItem(NAME, [...dismissed].slice(-30).join(" ")));
    for (const banner of placed) banner.draw();
  };

  const element = (tag, className, textContent, more) =>
    Object.assign(document.createElement(tag), { className, textContent }, more);

  // `phrases`: of minutes, of hours and of days, such as "in {h} h {m} min".
  const countdown = (minutes, phrases) => {
    const phrase = phrases[minutes < 60 ? 0 : minutes < 1440 ? 1 : 2];
    const values = { d: minutes / 1440, h: (minutes / 60) % 24, m: minutes % 60 };
    return ` (${phrase.replace(/{(.)}/g, (_, unit) => Math.floor(values[unit]))})`;
  };

  class StatusBanner extends HTMLElement {
    static observedAttributes = ["components", "position", "src"];
    // There before its words are, or screen readers do not say them.
    #region = element("div", "", "", { role: "status" });
    #document;
    #shown = "";
    #failures = 0;
    #timer;
    #clock;

    constructor() {
      super();
      attempt(() => {
        // Not a <style>: a page's style-src would refuse that.
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(SHEET);
        const root = this.attachShadow({ mode: "open" });
        root.adoptedStyleSheets = [sheet];
        root.append(this.#region);
      });
    }

    connectedCallback() {
      placed.add(this);
      document.addEventListener("visibilitychange", this.#ask);
      this.#ask();
    }

    disconnectedCallback() {
      placed.delete(this);
      document.removeEventListener("visibilitychange", this.#ask);
      clearTimeout(this.#timer);
      clearTimeout(this.#clock);
      this.#shown = 0;
    }

    attributeChangedCallback() {
      this.#ask();
    }

    #ask = async () => {
      if (document.hidden || !this.isConnected) return;
      try {
        const src = this.getAttribute("src") || home;
        const source = attempt(() => new URL(src, location).href.replace(/\/?$/, "/")) || (warn("src", src), home);
        this.#document = await load(`${source}api/banner.json`);
        this.#failures = 0;
        this.draw();
      } catch {
        this.#failures += 1;
      }
      clearTimeout(this.#timer);
      // 45 to 75 s with the jitter: many readers must not ask in step. A quarter of an hour at most while it fails.
      this.#timer = setTimeout(this.#ask, Math.min(9e5, 6e4 * 2 ** this.#failures) * (0.75 + Math.random() / 2));
    };

    draw() {
      attempt(() => {
        const { banners, components, words } = this.#document;
        const position = this.getAttribute("position") || "corner";
        this.#region.className = `region ${position}`;
        if (!/^(corner|top|bottom|inline)$/.test(position)) warn("position", position);
        const chosen = (this.getAttribute("components") || "").toLowerCase().split(",").map((name) => name.trim()).filter(
          (name) => name && (components?.includes(name) !== false || warn("component", name)),
        );
        const found = banners.find(({ concerns }) => !chosen[0] || chosen.some((name) => concerns.includes(name)));
        const wanted = !dismissed.has(found?.id) && found;
        const version = wanted ? wanted.id + wanted.updated_at : "";
        if (version === this.#shown) return;
        this.#shown = version;
        clearTimeout(this.#clock);
        this.#region.replaceChildren(wanted ? this.#card(wanted, words, () => dismiss(wanted.id)) : "");
      });
    }

    #card(banner, words, onclick) {
      const { lang, dir } = words;
      const line = (name) => element("p", name, banner[name], { dir: "auto" });
      const card = element("div", "card", "", { lang, dir, onkeydown: ({ key }) => key === "Escape" && onclick() });
      card.append(
        line("label"),
        line("title"),
        banner.kind === "maintenance" ? this.#time(banner, words) : "",
        line("text"),
        element("a", "", words.details, {
          href: /^https?:/.test(banner.link) ? banner.link : home, target: "_blank",
          // Where the status page has no accent colour this is no colour, and the link has that of the text.
          style: `color: var(--status-banner-text, light-dark(${banner.accent}))`,
        }),
        element("button", "", "×", { ariaLabel: words.dismiss, onclick }),
      );
      card.style.setProperty("--tone", `var(--${banner.severity}, var(--muted))`);
      // A bad colour would leave text without one; "initial" stands for the one that the page did not set.
      for (const name of COLOURS.match(/--status-\w+-\w+/g)) {
        const value = getComputedStyle(this).getPropertyValue(name);
        if (!value || CSS.supports("color", value)) continue;
        warn(name, value);
        card.style.setProperty(name, "initial");
      }
      return card;
    }

    #time(banner, words) {
      const start = new Date(banner.starts_at);
      const format = new Intl.DateTimeFormat([], { dateStyle: "full", timeStyle: "short" });
      const line = element("p", "time", format.formatRange(start, new Date(banner.ends_at)));
      // Screen readers say it when they come by, not every minute.
      const left = element("span", "", "", { role: "timer" });
      const count = () => {
        const ms = banner.status === "scheduled" ? start - Date.now() : 0;
        left.textContent = ms > 0 ? countdown(Math.ceil(ms / 6e4), words.left) : "";
        if (ms > 0) this.#clock = setTimeout(count, (ms % 6e4) + 20);
      };
      count();
      line.append(left);
      return line;
    }
  }

  const insert = () => {
    if ("manual" in script.dataset || document.querySelector(`${NAME}:not([inserted])`)) return;
    const banner = document.createElement(NAME);
    for (const [name, value] of Object.entries({ src: home, inserted: "", ...script.dataset })) banner.setAttribute(name, value);
    // The same line twice is one banner.
    if ([...document.querySelectorAll(NAME)].some((other) => other.isEqualNode(banner))) return;
    if (script.dataset.position === "inline") script.after(banner);
    else document.body.append(banner);
  };

  attempt(() => {
    if (!customElements.get(NAME)) customElements.define(NAME, StatusBanner);
    if (document.body) insert();
    else document.addEventListener("DOMContentLoaded", insert);
  });
})();
