// What a day's bar says when it is pointed at, tapped, or reached by keyboard: the day, what was wrong for how long, and
// the incidents of that day. Loaded by page.js when somebody first turns to the bars; the words are in the page's lists.

const words = document.getElementById("announcer").dataset;
const language = document.documentElement.lang;
const locale = language === "en" ? "en-GB" : language;
const DAY = 86_400_000;
const KEPT = 60_000;
const SNAP = 14; // pixels around a finger in which a day with trouble is meant rather than a quiet one beside it
const FREE = ["deg", "mnt"]; // what takes nothing away from uptime

let shown; // { bars, index, card }
let last; // the slider chosen last, for when the page is refreshed: its component and value
let asked = { at: -KEPT };

const component = (element) => element.closest?.(".component");
const slider = (bars) => bars.querySelector("input");
const kindOf = (bar) => [...bar.classList].find((name) => name !== "at") ?? "";
const days = (bars) => [...bars.querySelectorAll("i")];

/** The date of a bar, as "2026-11-19"; the last bar is today by the page's clock. */
function dateOf(bars, index) {
  const today = Date.parse(document.querySelector("[data-today]").dataset.today);
  return new Date(today - (days(bars).length - 1 - index) * DAY).toISOString().slice(0, 10);
}

function describe(bars, index) {
  const date = dateOf(bars, index);
  const item = document.querySelector(`#d-${code(bars)} [datetime="${date}"]`)?.closest("li");
  const kind = kindOf(days(bars)[index]);
  const plain = new Date(date).toLocaleDateString(locale, { day: "numeric", month: "long", timeZone: "UTC" });
  return {
    date,
    kind,
    title: item?.querySelector("time").textContent ?? plain,
    text: item?.querySelector("span").textContent ?? (kind === "none" ? words.before : words.quiet),
    link: item?.querySelector("a").href,
  };
}

const code = (bars) => component(bars).id.slice(2);

function indexAt(bars, x, snaps) {
  const { left, width } = bars.getBoundingClientRect();
  const all = days(bars);
  const middle = (index) => left + ((index + 0.5) / all.length) * width;
  const exact = Math.min(all.length - 1, Math.max(0, Math.floor(((x - left) / width) * all.length)));
  const near = (index) => Math.abs(middle(index) - x);
  const isTroubled = (index) => near(index) <= SNAP && !["", "none"].includes(kindOf(all[index]));
  const troubled = [...all.keys()].filter(isTroubled);
  return snaps && troubled.length ? troubled.reduce((best, index) => (near(index) < near(best) ? index : best)) : exact;
}

function show(bars, index) {
  if (shown?.bars === bars && shown.index === index) return;
  hide();
  const { date, kind, title, text, link } = describe(bars, index);
  const card = document.createElement("div");
  card.className = `answer ${kind}`;
  card.append(line("b", title), line("p", text));
  if (FREE.includes(kind)) card.append(line("p", words.free, "free"));
  bars.after(card);
  days(bars)[index].classList.add("at");
  slider(bars).setAttribute("aria-valuetext", `${title}: ${text}`);
  shown = { bars, index, card };
  place();
  if (link) addIncidents(shown, date, link);
}

function line(name, text, style = "") {
  const element = document.createElement(name);
  element.className = style;
  element.textContent = text;
  return element;
}

/** Under its bar, and inside the component whatever the bar. */
function place() {
  const { bars, index, card } = shown;
  const middle = bars.offsetLeft + ((index + 0.5) / days(bars).length) * bars.offsetWidth;
  const most = bars.offsetLeft + bars.offsetWidth - card.offsetWidth;
  card.style.left = `${Math.max(bars.offsetLeft, Math.min(most, middle - card.offsetWidth / 2))}px`;
  card.style.top = `${bars.offsetTop + bars.offsetHeight}px`;
}

/** Name the incidents that touched the component on that day; when they cannot be had, link to the day's history. */
async function addIncidents(answer, date, link) {
  const found = await load();
  if (shown !== answer) return;
  const mine = (item) => !item.dataset.for || item.dataset.for.split(" ").includes(code(answer.bars));
  const items = [...(found?.querySelectorAll(`[data-day="${date}"] > li`) ?? [])].filter(mine);
  const list = document.createElement("ul");
  list.append(...items.map((item) => item.cloneNode(true)));
  if (!found) {
    list.append(line("li", ""));
    list.firstChild.append(Object.assign(line("a", words.incidents), { href: link }));
  }
  if (list.children.length) answer.card.append(list);
}

function load() {
  if (performance.now() - asked.at > KEPT) {
    const found = fetch(words.days).then(async (answer) => {
      if (!answer.ok) return null;
      const template = document.createElement("template");
      template.innerHTML = await answer.text();
      return template.content;
    });
    asked = { at: performance.now(), found: found.catch(() => null) };
  }
  return asked.found;
}

function hide() {
  shown?.card.remove();
  shown?.bars.querySelector(".at")?.classList.remove("at");
  shown = undefined;
}

/** Take the keyboard to a day, and show it. */
function choose(bars, index) {
  slider(bars).value = index;
  slider(bars).focus({ preventScroll: true });
  select(bars, index);
}

function select(bars, index) {
  last = { code: code(bars), index };
  show(bars, index);
}

const isFocused = () => Boolean(shown) && component(shown.bars).contains(document.activeElement);

export function handle(event) {
  const bars = event.target.closest?.(".bars");
  if (event.type === "click") {
    if (bars) choose(bars, indexAt(bars, event.clientX, event.pointerType !== "mouse"));
    else if (!event.target.closest?.(".answer")) hide();
  } else if (event.type === "focusin" && bars) {
    if (last?.code === code(bars)) event.target.value = last.index;
    select(bars, Number(event.target.value));
  } else if (event.type === "input" && bars) {
    select(bars, Number(event.target.value));
  } else if (event.type === "pointermove" && event.pointerType === "mouse" && bars) {
    show(bars, indexAt(bars, event.clientX, false));
  } else if (event.type === "focusout" && shown && !component(shown.bars).contains(event.relatedTarget)) {
    hide();
  } else if (event.type === "pointerout" && shown && !isFocused() && !isNear(event.relatedTarget)) {
    hide();
  } else if (event.type === "keydown" && event.key === "Escape") {
    hide();
  }
}

const isNear = (target) => shown.card.contains(target) || shown.bars.contains(target);

for (const type of ["click", "focusin", "focusout", "input", "pointermove", "pointerout", "keydown"]) {
  document.addEventListener(type, handle);
}
