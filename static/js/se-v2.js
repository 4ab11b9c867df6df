// For sites written for Statuspage's helper of this name: only the host of the script's address changes.
//   var page = new StatusPage.page({ page: "any id" });
//   page.summary({ success: function (data) { … }, error: function (data) { … } });
// The answers are those of /api/v2 on the host that this script came from. It runs in browsers of 2012. docs/banner.md.
(function () {
  "use strict";

  var script = document.currentScript || document.querySelector('script[src*="/se-v2.js"]');
  if (!script) return;
  var link = document.createElement("a");
  link.href = script.src;
  var api = link.href.replace(/[^/]*$/, "api/v2/");

  var FILTERS = {
    incidents: { unresolved: "incidents/unresolved" },
    scheduled_maintenances: { active: "scheduled-maintenances/active", upcoming: "scheduled-maintenances/upcoming" },
  };
  FILTERS.incidents.all = "incidents";
  FILTERS.scheduled_maintenances.all = "scheduled-maintenances";

  function call(listener, data) {
    if (typeof listener === "function") listener(data);
  }

  function get(path, options) {
    var request = new XMLHttpRequest();
    var fail = function () {
      call(options.error, { status: request.status, statusText: request.statusText, responseText: request.responseText });
    };
    request.onload = function () {
      var data;
      try {
        data = JSON.parse(request.responseText);
      } catch (broken) {
        fail();
        return;
      }
      if (request.status === 200) call(options.success, data);
      else fail();
    };
    request.onerror = request.ontimeout = fail;
    request.open("GET", api + path + ".json");
    request.timeout = 30000;
    request.send();
  }

  function reader(name) {
    return function (options) {
      options = options || {};
      var paths = FILTERS[name] || {};
      var known = Object.prototype.hasOwnProperty.call(paths, options.filter || "all");
      get(known ? paths[options.filter || "all"] : name.replace("_", "-"), options);
    };
  }

  var StatusPage = (window.StatusPage = window.StatusPage || {});
  StatusPage.page = function () {};
  ["summary", "status", "components", "incidents", "scheduled_maintenances"].forEach(function (name) {
    StatusPage.page.prototype[name] = reader(name);
  });
})();
