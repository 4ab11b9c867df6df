// What the public pages do beyond reading: the visitor's own time, "3 minutes ago", and refreshing in place.
// Without this file, or without scripts at all, everything can still be read.

const MINUTE = 60_000;
const STALE_AFTER = MINUTE;
// The page's language, and the few words of it that the page itself does not show.
const language = document.documentElement.lang;
const locale = language === "en" ? "en-GB" : language;
const announcer = document.getElementById("announcer");
const words = announcer.dataset;
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });

/** "Use {zone}" with its placeholders filled. */
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// Times

const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

function remembered() {
  try {
    return localStorage.getItem("zone") === "own";
  } catch {
    return false; // storage is forbidden: the choice lasts until the page is left
  }
}

function remember(own) {
  try {
    own ? localStorage.setItem("zone", "own") : localStorage.removeItem("zone");
  } catch {
    // see above
  }
}

let own = remembered();

const clock = (when) => when.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

function zoneLabel(when) {
  const parts = new Intl.DateTimeFormat(locale, { timeZoneName: "short" }).formatToParts(when);
  return parts.find(({ type }) => type === "timeZoneName").value;
}

function dayText(when, names) {
  const year = when.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  return when.toLocaleDateString(locale, { ...names, day: "numeric", ...year });
}

/** "20 Nov, 17:20 CET"; as `moment` of the server. */
function momentText(when, withDay) {
  const time = `${clock(when)} ${zoneLabel(when)}`;
  return withDay ? fill(words.moment, { day: dayText(when, { month: "short" }), time }) : time;
}

/** "Sun 12 December, 02:00 to 03:00 CET"; as `window` of the server: what both ends share is said once. */
function windowText(start, end) {
  const [first, last] = [start, end].map((when) => dayText(when, { weekday: "short", month: "long" }).replace(",", ""));
  const begin = start.getTimezoneOffset() === end.getTimezoneOffset() ? clock(start) : `${clock(start)} ${zoneLabel(start)}`;
  const finish = `${clock(end)} ${zoneLabel(end)}`;
  return fill(words.window, {
    start: fill(words.moment, { day: first, time: begin }),
    end: first === last ? finish : fill(words.moment, { day: last, time: finish }),
  });
}

function ago(when) {
  const minutes = Math.round((when - Date.now()) / MINUTE);
  if (minutes > 0) return ""; // the visitor's clock is slow: better nothing than "in 3 minutes"
  if (minutes === 0) return words.now;
  if (minutes > -60) return relative.format(minutes, "minute");
  if (minutes > -60 * 24) return relative.format(Math.round(minutes / 60), "hour");
  if (minutes > -60 * 24 * 30) return relative.format(Math.round(minutes / 60 / 24), "day");
  return "";
}

function showTime(element) {
  const [shown, age] = [element.firstChild, element.querySelector(".age")];
  element.dataset.page ??= shown.data;
  const when = new Date(element.dateTime);
  const until = element.dataset.window && new Date(element.dataset.window);
  let text = element.dataset.page;
  if (own && !sameTime) text = until ? windowText(when, until) : momentText(when, !("clock" in element.dataset));
  if (shown.data !== text) shown.data = text;
  const passed = age && ago(when);
  if (age) age.textContent = passed && `(${passed})`;
}

function showTimes(root = document) {
  // A bare date ("8 December") is a day of the page's calendar: it stays.
  for (const element of root.querySelectorAll('time[datetime*="T"]')) showTime(element);
}

const zoneButton = document.getElementById("zone");
const zoneName = document.getElementById("zone-name");
const pageZone = zoneName?.dataset.zone;
const pageZoneShown = zoneName?.textContent;

const ownZoneShown = ownZone().replaceAll("_", " ");
const sameTime = !pageZone || keepsTimeWith(pageZone);

/** Whether clocks there show what the visitor's own show, all year: then there is nothing to choose. */
function keepsTimeWith(zone) {
  const here = new Intl.DateTimeFormat("en-GB", { dateStyle: "short", timeStyle: "short" });
  const there = new Intl.DateTimeFormat("en-GB", { dateStyle: "short", timeStyle: "short", timeZone: zone });
  const year = new Date().getFullYear();
  return [...Array(24)].every((_, half) => {
    const when = new Date(Date.UTC(year, half / 2, half % 2 ? 15 : 1));
    return here.format(when) === there.format(when);
  });
}

function showZone() {
  if (!zoneButton) return;
  if (sameTime) {
    if (ownZoneShown !== pageZoneShown) zoneName.textContent = fill(words.same, { zone: pageZoneShown, own: ownZoneShown });
    return;
  }
  zoneName.textContent = own ? ownZoneShown : pageZoneShown;
  zoneButton.textContent = own ? fill(words.page, { zone: pageZoneShown }) : words.own;
  zoneButton.hidden = false;
}

zoneButton?.addEventListener("click", () => {
  own = !own;
  remember(own);
  showZone();
  showTimes();
  announcer.textContent = fill(words.times, { zone: zoneName.textContent });
});

// Bars that answer: the script for that is loaded when somebody first turns to one

/** A stop for the keyboard on each row of bars. */
function addSliders(root) {
  for (const bars of root.querySelectorAll(".bars")) {
    const name = bars.closest(".component").querySelector(".name > a") ?? document.querySelector("h1");
    const slider = Object.assign(document.createElement("input"), { type: "range", max: 89, value: 89 });
    slider.setAttribute("aria-label", fill(words.bars, { name: name.textContent.trim() }));
    bars.append(slider);
  }
}

const TURNS = ["click", "focusin", "pointermove"];
let answers;

/** From the first turn on that script listens itself. A load that failed is tried again at the next turn. */
function turnToBars(event) {
  if (!event.target.closest?.(".bars")) return;
  answers ??= import(words.script).then(
    ({ handle }) => {
      for (const type of TURNS) document.removeEventListener(type, turnToBars);
      handle(event);
    },
    () => (answers = undefined),
  );
}

for (const type of TURNS) document.addEventListener(type, turnToBars);
// What else a page has for a visitor who is there.
const { later } = document.querySelector("[data-later]")?.dataset ?? {};
if (later) for (const type of TURNS) document.addEventListener(type, () => import(later), { once: true });

// The style for paper: not in the way of the first view. Without script the page loads it by itself.

const paper = document.querySelector("head > noscript");
const loadPaper = () => document.querySelector("link[media=print]") ?? document.head.insertAdjacentHTML("beforeend", paper.textContent);
for (const type of [...TURNS, "keydown"]) document.addEventListener(type, loadPaper, { once: true });

// Refreshing in place

const stale = document.getElementById("stale");
const live = document.querySelector("[hx-get]");
let pristine = live?.firstElementChild?.outerHTML;
let refreshedAt = Date.now();
let kept;

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

/** The first thing with an id on the screen, else the last one above it, and where it is. */
function findAnchor(root) {
  let nearest = null;
  for (const element of root.querySelectorAll("[id]")) {
    const { top, bottom } = element.getBoundingClientRect();
    if (top >= innerHeight) break;
    nearest = { id: element.id, top };
    if (bottom > 0 && top >= 0) break;
  }
  return nearest;
}

/** How to find the focused element again: the nearest id, and inside it the same markup, else the same position. */
function findFocus(root) {
  const element = document.activeElement;
  if (!root.contains(element) || element === root) return null;
  const owner = element.closest("[id]");
  return { id: owner.id, html: element.outerHTML, index: focusable(owner).indexOf(element) };
}

function takeFocus({ id, html, index }) {
  const owner = document.getElementById(id);
  const found = owner && focusable(owner);
  const again = found?.find((each) => each.outerHTML === html) ?? found?.[index];
  again?.focus({ preventScroll: true });
}

const focusable = (owner) => [...owner.querySelectorAll("a, summary, button, input")];

function keepPlace(root) {
  const toggled = [...root.querySelectorAll("details[id]")].map((each) => [each.id, each.open]);
  return { toggled, focus: findFocus(root), anchor: findAnchor(root) };
}

function takePlace(root, place, before) {
  const were = new Map([...before.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
  for (const [id, open] of place.toggled) {
    const details = root.querySelector(`#${CSS.escape(id)}`);
    // What the visitor opened or closed stays so; what they left alone follows the server.
    if (details && open !== were.get(id)) details.open = open;
  }
  if (place.focus) takeFocus(place.focus);
  const anchor = place.anchor && document.getElementById(place.anchor.id);
  if (anchor && scrollY > 0) scrollBy({ top: anchor.getBoundingClientRect().top - place.anchor.top, behavior: "instant" });
}

function follow(root) {
  showTimes(root);
  document.querySelector("link[rel=icon]").href = root.dataset.icon;
  if (root.dataset.title && root.dataset.title !== document.title) {
    document.title = root.dataset.title;
    announcer.textContent = root.dataset.title;
  }
}

function showStaleness() {
  stale.hidden = Date.now() - refreshedAt < STALE_AFTER;
}

if (live) {
  // Many visitors open the page in the same minute: they must not all ask in the same second.
  live.setAttribute("hx-trigger", `every ${8000 + Math.round(Math.random() * 4000)}ms, refresh`);
  live.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden) event.preventDefault();
  });
  live.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const fresh = parse(detail.xhr.responseText);
    if (!fresh || !detail.shouldSwap || fresh.outerHTML === pristine) {
      detail.shouldSwap = false;
      return;
    }
    kept = { place: keepPlace(live), before: parse(pristine) };
    pristine = fresh.outerHTML;
  });
  live.addEventListener("htmx:afterSwap", () => {
    addSliders(live);
    takePlace(live, kept.place, kept.before);
    follow(live.firstElementChild);
  });
  live.addEventListener("htmx:afterRequest", ({ detail }) => {
    const age = Number(detail.xhr.getResponseHeader("X-Edition-Age")) * 1000;
    if (detail.successful) refreshedAt = Date.now() - age;
    showStaleness();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) live.dispatchEvent(new CustomEvent("refresh"));
  });
}

showZone();
showTimes();
addSliders(document);
setInterval(() => {
  showTimes();
  if (live) showStaleness();
}, MINUTE / 4);
