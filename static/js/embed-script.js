// The banner in a frame, for sites that had Statuspage's embed script: same address, same messages.
// The frame waits beside the screen and asks to be shown or put away. docs/banner.md.
(() => {
  "use strict";

  const script = document.currentScript || document.querySelector('script[src$="/embed/script.js"]');
  if (!script || window.statusEmbedTest) return;
  const source = new URL(script.src, location.href);
  const origin = source.origin;
  const phone = screen.width < 450;
  const margin = "60px";

  const frame = document.createElement("iframe");
  frame.src = new URL(phone ? "frame?mobile=true" : "frame", source).href; // in the language of the script's address
  frame.title = "Service status";
  Object.assign(frame.style, {
    position: "fixed", zIndex: "9999", border: "0", left: "-9999px", bottom: phone ? "0" : margin, colorScheme: "normal",
    width: phone ? "100vw" : "320px", height: phone ? "20vh" : "115px", boxShadow: "0 8px 28px rgb(0 0 0 / .18)",
  });

  const actions = {
    showFrame: () => { frame.tabIndex = 0; frame.style.left = phone ? "0" : margin; },
    dismissFrame: () => { frame.tabIndex = -1; frame.style.left = "-9999px"; },
  };
  window.addEventListener("message", (event) => {
    if (event.origin === origin && event.data && Object.hasOwn(actions, event.data.action)) actions[event.data.action]();
  });
  window.statusEmbedTest = actions.showFrame;

  const insert = () => { actions.dismissFrame(); document.body.append(frame); };
  if (document.body) insert();
  else document.addEventListener("DOMContentLoaded", insert, { once: true });
})();
