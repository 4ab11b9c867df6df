// The status banner for other sites and applications: <script async src="https://status.example.com/embed.js">
//
// A guest in somebody else's page: it draws over the page and never moves it, reads one public document
// without cookies, and when anything at all fails it draws nothing. Text is only ever set as text.
// How to embed it, and what it reads: docs/banner.md.
(() => {
  "use strict";

  const POLL_MS = 60_000; // 45 to 75 s with the jitter: many readers must not ask in step
  const SOONEST_MS = 30_000;
  const LONGEST_MS = 15 * 60_000;
  const GIVE_UP_MS = 2_000;

  const script = document.currentScript || document.querySelector('script[src$="/embed.js"]');
  if (!script || !window.customElements || customElements.get("status-banner")) return;
  const source = new URL(script.src, location.href);
  const origin = source.origin;
  const folder = new URL(".", source).href; // with the language, where the script's address has one: …/de/embed.js
  const words = { details: "Details", dismiss: "Dismiss this message" }; // as the server translates them
  const storageKey = `status-banner:${origin}`;

  const COLOURS = ""; // as the server fills it from static/css/tokens.css

  // `!important` because a rule such as `* { position: relative }` in the page would win over :host.
  const CSS = `
    :host { all: initial !important; position: fixed !important; z-index: 2147483000 !important;
      inset: auto 16px 16px auto !important; width: min(380px, calc(100vw - 32px)) !important;
      pointer-events: none !important; color-scheme: light dark !important; }
    :host([position="top"]) { inset: 16px 16px auto auto !important; }
    @media (max-width: 450px) {
      :host { inset: auto 8px 8px 8px !important; width: auto !important; }
      :host([position="top"]) { inset: 8px 8px auto 8px !important; }
    }
    .card { ${COLOURS} --tone: var(--soft);
      pointer-events: auto; box-sizing: border-box; position: relative; padding: 14px 48px 14px 18px;
      font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink);
      background: var(--card); border: 1px solid var(--rim); border-left: 6px solid var(--tone); border-radius: 12px;
      box-shadow: 0 8px 28px rgb(0 0 0 / .18); overflow-wrap: anywhere; max-height: 60vh; overflow-y: auto; }
    .minor { --tone: var(--deg); }
    .major { --tone: var(--part); }
    .critical { --tone: var(--maj); }
    .maintenance { --tone: var(--maint); }
    p { margin: 0; }
    .title { font-weight: 650; }
    .label { color: var(--tone); font-weight: 600; font-size: 13px; }
    .text { margin-top: 4px; }
    .time { margin-top: 4px; color: var(--soft); font-size: 13px; }
    a { display: inline-block; margin-top: 8px; color: inherit; font-weight: 600; }
    button { position: absolute; top: 4px; right: 4px; width: 40px; height: 40px; border: 0; border-radius: 8px;
      background: transparent; color: inherit; font: 20px/1 system-ui, sans-serif; cursor: pointer; }
    a:focus-visible, button:focus-visible { outline: 3px solid var(--maint); outline-offset: -3px; }
    @media (forced-colors: active) { .card { border-color: CanvasText; } }
    @media print { :host { display: none !important; } }
  `;

  function element(tag, className, text) {
    const made = document.createElement(tag);
    made.className = className;
    if (text) made.textContent = text;
    return made;
  }

  function safeLink(address) {
    try {
      const url = new URL(address, origin);
      return url.protocol === "https:" || url.protocol === "http:" ? url.href : origin;
    } catch {
      return origin;
    }
  }

  function scheduledTime(banner) {
    if (banner.kind !== "maintenance" || !banner.starts_at) return "";
    const moment = (text, style) => new Date(text).toLocaleString(undefined, style);
    const start = moment(banner.starts_at, { weekday: "short", day: "numeric", month: "long", hour: "numeric", minute: "2-digit" });
    if (!banner.ends_at) return start;
    const sameDay = new Date(banner.starts_at).toDateString() === new Date(banner.ends_at).toDateString();
    const end = moment(banner.ends_at, { ...(sameDay ? {} : { day: "numeric", month: "long" }), hour: "numeric", minute: "2-digit" });
    return `${start} – ${end}`;
  }

  class StatusBanner extends HTMLElement {
    #region;
    #timer = 0;
    #failures = 0;
    #askedAt = 0;
    #shown = "";
    #dismissed = "";
    #onVisibility = () => this.#attempt(() => this.#resume());

    connectedCallback() {
      this.#attempt(() => {
        if (!this.#region) this.#build();
        document.addEventListener("visibilitychange", this.#onVisibility);
        this.#resume();
      });
    }

    disconnectedCallback() {
      clearTimeout(this.#timer);
      document.removeEventListener("visibilitychange", this.#onVisibility);
    }

    // Whatever a strange page or an old browser makes fail: the page must not notice.
    #attempt(work) {
      try {
        return work();
      } catch {
        return undefined;
      }
    }

    #build() {
      const sheet = new CSSStyleSheet(); // not a <style>: a page's style-src would refuse that
      sheet.replaceSync(CSS);
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheet];
      this.#region = element("div", "region");
      this.#region.setAttribute("role", "status"); // there before its words are, or they go unread
      root.append(this.#region);
    }

    #resume() {
      clearTimeout(this.#timer);
      if (document.hidden || !this.isConnected) return;
      const due = this.#askedAt + SOONEST_MS - Date.now();
      this.#timer = setTimeout(() => this.#poll(), Math.max(0, due));
    }

    async #poll() {
      this.#askedAt = Date.now();
      try {
        this.#show((await this.#load()).banner);
        this.#failures = 0;
      } catch {
        this.#failures += 1;
      }
      clearTimeout(this.#timer);
      if (document.hidden || !this.isConnected) return;
      const pause = Math.min(LONGEST_MS, POLL_MS * 2 ** Math.min(this.#failures, 5));
      this.#timer = setTimeout(() => this.#poll(), pause * (0.75 + Math.random() / 2));
    }

    async #load() {
      const control = new AbortController();
      const giveUp = setTimeout(() => control.abort(), GIVE_UP_MS);
      try {
        const answer = await fetch(`${folder}api/banner.json`, {
          mode: "cors", credentials: "omit", cache: "no-cache", referrerPolicy: "no-referrer", signal: control.signal,
        });
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        return await answer.json();
      } finally {
        clearTimeout(giveUp);
      }
    }

    #show(banner) {
      const version = banner ? `${banner.id} ${banner.updated_at}` : "";
      if (version === this.#shown) return;
      this.#shown = version;
      const wanted = banner && !this.#isDismissed(String(banner.id));
      this.#region.replaceChildren(...(wanted ? [this.#card(banner)] : []));
    }

    #card(banner) {
      const severity = ["minor", "major", "critical", "maintenance"].includes(banner.severity) ? banner.severity : "none";
      const card = element("div", `card ${severity}`);
      card.append(element("p", "label", banner.label), element("p", "title", banner.title));
      const time = scheduledTime(banner);
      if (time) card.append(element("p", "time", time));
      if (banner.text) card.append(element("p", "text", banner.text));
      const link = element("a", "link", words.details);
      link.href = safeLink(banner.link);
      link.target = "_blank";
      link.rel = "noopener";
      const dismiss = element("button", "dismiss", "×");
      dismiss.type = "button";
      dismiss.setAttribute("aria-label", words.dismiss);
      dismiss.addEventListener("click", () => this.#dismiss(String(banner.id)));
      card.addEventListener("keydown", (event) => {
        if (event.key === "Escape") this.#dismiss(String(banner.id));
      });
      card.append(link, dismiss);
      return card;
    }

    #dismiss(id) {
      this.#dismissed = id;
      this.#attempt(() => localStorage.setItem(storageKey, id)); // throws where storage is switched off
      this.#region.replaceChildren();
    }

    #isDismissed(id) {
      return id === this.#dismissed || id === this.#attempt(() => localStorage.getItem(storageKey));
    }
  }

  function insert() {
    if (document.querySelector("status-banner")) return;
    const banner = document.createElement("status-banner");
    if (script.dataset.position) banner.setAttribute("position", script.dataset.position);
    document.body.append(banner);
  }

  customElements.define("status-banner", StatusBanner);
  if (document.body) insert();
  else document.addEventListener("DOMContentLoaded", insert, { once: true });
})();
