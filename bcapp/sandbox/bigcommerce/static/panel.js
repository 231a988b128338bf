/* The control panel's side of the frame: answers the SDK, remembers what it said, and tells it about the logout. */
(function () {
  "use strict";
  var frame = document.getElementById("app-frame");
  var state = { ready: false, notIdle: 0, urls: [], messages: [] };
  window.bcPanel = state;

  function post(method, params) {
    if (frame) { frame.contentWindow.postMessage(JSON.stringify({ method: "bc::" + method, params: params }), "*"); }
  }

  window.addEventListener("message", function (event) {
    var message;
    if (!frame || event.source !== frame.contentWindow || typeof event.data !== "string") { return; }
    try { message = JSON.parse(event.data); } catch (error) { return; }
    if (typeof message.method !== "string" || message.method.indexOf("bc::") !== 0) { return; }
    state.messages.push(message);
    if (message.method === "bc::__ready") {
      state.ready = true;
      if (message.params === "ping") { post("__ready", "pong"); }
    } else if (message.method === "bc::iAmNotIdle") {
      state.notIdle += 1;
    } else if (message.method === "bc::iframeUrlChange") {
      state.urls.push(message.params);
    }
  });

  var out = document.getElementById("log-out");
  if (out) {
    out.addEventListener("submit", function (event) {
      if (!frame) { return; }
      event.preventDefault();
      post("logout");
      window.setTimeout(function () { out.submit(); }, 400);
    });
  }
})();
