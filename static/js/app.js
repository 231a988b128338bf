// The panel's own script: session header, frame, dialogs, toasts, and what to say when the network fails.
// No storage, no inline code, nothing personal in addresses. htmx does the rest (base.html holds its settings).
(() => {
  "use strict";

  // 1. The one-time code leaves the address before anybody else reads it: the frame script reports it to its parent.
  const here = new URL(location.href);
  if (here.searchParams.has("x")) {
    here.searchParams.delete("x");
    history.replaceState(history.state, "", here.pathname + here.search + here.hash);
  }

  const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";
  const byId = (id) => document.getElementById(id);
  const words = () => byId("texts").dataset;
  let token = meta("app-session");
  document.querySelector('meta[name="app-session"]')?.remove();

  // 2. Opened outside the control panel's frame: say where the app lives.
  if (document.body.dataset.frame === "required" && window.top === window.self) {
    const page = byId("page");
    page.setAttribute("hx-ignore", "");
    page.replaceChildren(byId("outside-template").content.cloneNode(true));
    return;
  }

  // 3. The frame script of the control panel: keeps the session alive there, and tells us when it ends.
  const signOut = () => {
    const headers = token ? { "X-App-Session": token } : {};
    fetch(meta("app-logout"), { method: "POST", headers, keepalive: true, mode: "same-origin" }).catch((error) => {
      console.warn("The session could not be ended at the server; it ends by itself.", error);
    });
    token = "";
    closeDialogs();
    const text = document.createElement("p");
    text.className = "empty";
    text.textContent = words().signedOut;
    byId("page").replaceChildren(text);
  };
  if (meta("app-sdk")) {
    window.bcAsyncInit = () => window.Bigcommerce.init({ onLogout: signOut });
    const script = document.createElement("script");
    script.src = meta("app-sdk");
    script.async = true;
    document.head.append(script);
  }

  // 4. Requests: session header, nothing while nobody looks, one at a time per button.
  const isPoll = (ctx) => ctx.sourceEvent?.type === "every";
  const buttonOf = (ctx) => ctx.request.submitter ?? (ctx.sourceElement.matches("button, a.button") ? ctx.sourceElement : null);

  document.addEventListener("htmx:config:request", (event) => {
    if (token) event.detail.ctx.request.headers["X-App-Session"] = token;
  });

  document.addEventListener("htmx:before:request", (event) => {
    const { ctx } = event.detail;
    if (isPoll(ctx) && document.hidden) return event.preventDefault();
    if (!isPoll(ctx)) {
      // It keeps the focus where `disabled` would lose it.
      buttonOf(ctx)?.setAttribute("aria-disabled", "true");
      if (ctx.target instanceof Element) ctx.target.setAttribute("aria-busy", "true");
    }
    ctx.appStarted = true;
  });

  // htmx would queue a second click behind the first and post it afterwards. Enter in a field clicks the button too.
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.('[aria-disabled="true"]')) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  document.addEventListener("htmx:finally:request", (event) => {
    const { ctx } = event.detail;
    if (!ctx.appStarted || isPoll(ctx)) return;
    // What leads to another page stays done until that page is there.
    if (!ctx.hx?.location) buttonOf(ctx)?.removeAttribute("aria-disabled");
    const target = typeof ctx.target === "string" ? document.querySelector(ctx.target) : ctx.target;
    target?.removeAttribute("aria-busy");
    byId("page")?.removeAttribute("aria-busy");
  });

  // 5. Answers: our own failures are said, never swapped into the page; a page must be one of ours.
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    byId("network").replaceChildren();
    const status = ctx.response.status;
    const bound = ["redirect", "location", "refresh"].some((name) => ctx.hx[name]);
    if (status >= 500) {
      event.preventDefault();
      const reference = ctx.response.headers.get("X-Request-Id");
      if (!isPoll(ctx)) toast(words().failed + (reference ? ` ${words().reference} ${reference}` : ""), "danger");
    } else if (!bound && (ctx.hx.reselect ?? ctx.select) === "#page" && !ctx.text.includes('id="page"')) {
      event.preventDefault();
      toast(words().unexpected, "danger");
    }
  });

  document.addEventListener("htmx:error", (event) => {
    const { ctx } = event.detail;
    // A request that was replaced by a newer one, or an error outside of requests, says nothing about the network.
    if (!ctx || ctx.response || isPoll(ctx)) return;
    const shown = byId("network-template").content.cloneNode(true);
    shown.querySelector("[data-retry]").addEventListener("click", () => {
      byId("network").replaceChildren();
      retry(ctx);
    });
    byId("network").replaceChildren(shown);
  });

  const retry = ({ sourceElement, sourceEvent, request }) => {
    if (sourceElement.matches("form")) sourceElement.requestSubmit(request.submitter ?? undefined);
    else if (sourceElement === document.body) htmx.ajax("GET", request.action, { target: "#page", select: "#page", swap: "outerHTML" });
    else if (sourceEvent?.type === "click") sourceElement.click();
    else htmx.trigger(sourceElement, sourceEvent?.type ?? "click");
  };

  // 6. After a swap: dialogs open, a new page is announced and closes them.
  document.addEventListener("htmx:after:swap", (event) => {
    const { ctx } = event.detail;
    const wholePage = ctx.target === "#page" || ctx.target?.id === "page";
    if (wholePage && ctx.response.status < 400) closeDialogs();
    const dialog = document.querySelector("#modal dialog:not([open])");
    if (dialog) dialog.showModal();
    else if (ctx.target?.id === "modal") byId("modal").replaceChildren();
  });

  document.addEventListener("htmx:finally:swap", (event) => {
    const { ctx } = event.detail;
    if (ctx.target === "#page" || ctx.target?.id === "page") byId("announcer").textContent = document.title;
    takeFocus(!isPoll(ctx));
  });

  // What a new page or a refusal wants read first. Browsers ignore `autofocus` in other sites' frames; a poll takes none.
  function takeFocus(wanted) {
    const dialog = document.querySelector("dialog[open]");
    const places = [...document.querySelectorAll("[data-focus]")];
    for (const place of places) place.removeAttribute("data-focus");
    if (wanted) places.find((place) => !dialog || dialog.contains(place))?.focus();
  }
  takeFocus(true);

  // 7. Dialogs. `close` does not bubble, so it is caught on its way down.
  function closeDialogs() {
    for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  }
  document.addEventListener("close", (event) => {
    if (event.target.matches?.("dialog")) event.target.remove();
  }, true);
  document.addEventListener("click", (event) => {
    const { target } = event;
    if (target.closest?.("[data-close-dialog]")) target.closest("dialog")?.close();
    else if (target.matches?.("dialog[open]") && isOutside(target, event)) target.close();
    else if (target.closest?.("[data-close-toast]")) target.closest(".toast").remove();
  });
  // A click on the backdrop counts as a click on the dialog, outside of its box.
  const isOutside = (dialog, { clientX, clientY }) => {
    const box = dialog.getBoundingClientRect();
    return clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom;
  };

  // Questions before an irreversible step: browsers forbid window.confirm in other sites' frames.
  document.addEventListener("htmx:confirm", (event) => {
    event.preventDefault();
    const { ctx, issueRequest, dropRequest } = event.detail;
    const dialog = byId("confirm-template").content.cloneNode(true).querySelector("dialog");
    dialog.querySelector("[data-confirm-text]").textContent = ctx.confirm;
    const yes = dialog.querySelector("[data-confirm]");
    yes.textContent = ctx.sourceElement.dataset.confirmLabel ?? yes.textContent;
    let confirmed = false;
    yes.addEventListener("click", () => {
      confirmed = true;
      dialog.close();
    });
    dialog.addEventListener("close", () => (confirmed ? issueRequest() : dropRequest()));
    document.body.append(dialog);
    dialog.showModal();
  });

  // 8. Toasts go by themselves after six seconds, unless somebody reads them or they report a failure.
  const pictures = { success: "check_circle", info: "info", danger: "error" };
  function toast(text, kind = "success") {
    const shown = byId("toast-template").content.cloneNode(true).firstElementChild;
    shown.classList.add(`toast--${kind}`);
    shown.querySelector(".toast__text").textContent = text;
    const use = shown.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${pictures[kind]}`));
    byId(kind === "danger" ? "alerts" : "toasts").append(shown);
  }
  document.addEventListener("app:toast", (event) => toast(event.detail.text, event.detail.kind));

  const fade = (shown) => {
    setTimeout(() => (shown.matches(":hover, :focus-within") ? fade(shown) : shown.remove()), 6000);
  };
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) if (node instanceof Element) fade(node);
  }).observe(byId("toasts"), { childList: true });

  // 9. Links in an error summary lead to their field.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#field-"]');
    if (!link) return;
    event.preventDefault();
    const field = byId(link.getAttribute("href").slice(1));
    field?.focus();
    field?.scrollIntoView({ block: "center" });
  });
})();
