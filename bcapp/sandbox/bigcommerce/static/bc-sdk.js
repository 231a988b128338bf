/* Stand-in for the control panel's SDK: the same one call, the same messages to the parent.
   Messages are JSON strings {"method": "bc::...", "params": ...}; nothing is sent before both sides are ready. */
(function () {
  "use strict";
  var ready = false;
  var waiting = [];
  var onLogout = function () {};

  function post(method, params) {
    window.parent.postMessage(JSON.stringify({ method: "bc::" + method, params: params }), "*");
  }
  function send(method, params) {
    if (ready) { post(method, params); } else { waiting.push([method, params]); }
  }
  function becomeReady() {
    ready = true;
    waiting.splice(0).forEach(function (m) { post(m[0], m[1]); });
  }
  function tellUrl(type) {
    send("iframeUrlChange", { href: window.location.href, type: type });
  }
  function armActivity() {
    function active() {
      document.removeEventListener("mousemove", active);
      document.removeEventListener("keydown", active);
      send("iAmNotIdle");
      window.setTimeout(armActivity, 5 * 60 * 1000);
    }
    document.addEventListener("mousemove", active);
    document.addEventListener("keydown", active);
  }

  window.addEventListener("message", function (event) {
    var message;
    if (event.source !== window.parent || typeof event.data !== "string") { return; }
    try { message = JSON.parse(event.data); } catch (error) { return; }
    if (message.method === "bc::__ready") {
      if (message.params === "ping") { post("__ready", "pong"); }
      becomeReady();
    } else if (message.method === "bc::logout") {
      onLogout();
    }
  });

  window.Bigcommerce = {
    init: function (options) {
      onLogout = (options && options.onLogout) || onLogout;
      post("__ready", "ping");
      tellUrl("normal");
      armActivity();
      var pushState = window.history.pushState;
      window.history.pushState = function () {
        var result = pushState.apply(window.history, arguments);
        tellUrl("pushState");
        return result;
      };
      window.addEventListener("popstate", function () { tellUrl("popState"); });
    }
  };
  if (typeof window.bcAsyncInit === "function") { window.bcAsyncInit(); }
})();
