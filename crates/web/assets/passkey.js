// Asks the device for a passkey: fetches the challenge when it is wanted, hands it to the browser,
// and sends the answer as the form it belongs to. Without scripts the forms stay hidden, and codes
// are the way in.
(function () {
  "use strict";
  var forms = Array.from(document.querySelectorAll("form[data-passkey]"));
  if (!forms.length) return;
  var able = window.isSecureContext && window.PublicKeyCredential && navigator.credentials;
  var waiting = null;

  function say(form, code) {
    var all = form.querySelectorAll("[data-fault]");
    var known = Array.from(all).some(function (t) { return t.getAttribute("data-fault") === code; });
    var shown = known || !code ? code : "failed";
    all.forEach(function (t) { t.hidden = t.getAttribute("data-fault") !== shown; });
  }

  function bytes(text) {
    var plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, function (c) { return c.charCodeAt(0); });
  }

  function text(buffer) {
    var plain = "";
    new Uint8Array(buffer).forEach(function (byte) { plain += String.fromCharCode(byte); });
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function ready(options) {
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    (options.allowCredentials || []).concat(options.excludeCredentials || []).forEach(
      function (known) { known.id = bytes(known.id); }
    );
    return options;
  }

  function answer(credential) {
    var response = {};
    ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"].forEach(
      function (name) {
        var value = credential.response[name];
        if (value) response[name] = text(value);
      }
    );
    if (credential.response.getTransports) response.transports = credential.response.getTransports();
    return JSON.stringify({
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response: response,
      clientExtensionResults: {}
    });
  }

  // What the node answers: a challenge, a page to go to first, or the reason why not.
  function challenge(form) {
    var body = new URLSearchParams({
      csrf: form.elements.csrf.value, use: form.getAttribute("data-passkey")
    });
    var asked = fetch(form.getAttribute("data-challenge"), {
      method: "POST", body: body, credentials: "same-origin"
    });
    return asked.then(function (response) { return response.json(); });
  }

  function ask(form, started, signal) {
    form.elements.ceremony.value = started.ceremony;
    var request = { publicKey: ready(started.options.publicKey) };
    if (signal) { request.mediation = "conditional"; request.signal = signal; }
    var kind = form.getAttribute("data-passkey") === "enrol" ? "create" : "get";
    return navigator.credentials[kind](request).then(function (credential) {
      form.elements.credential.value = answer(credential);
      form.submit();
    });
  }

  function fault(error) {
    return {
      NotAllowedError: "cancelled", SecurityError: "wrong-site", InvalidStateError: "known",
      NotSupportedError: "unsupported"
    }[error.name] || "failed";
  }

  function start(form) {
    if (waiting) waiting.abort();
    say(form, "");
    challenge(form).then(function (started) {
      if (started.go) { location.assign(started.go); return null; }
      if (started.fault) { say(form, started.fault); return null; }
      return ask(form, started);
    }).catch(function (error) { say(form, fault(error)); });
  }

  // Offers passkeys among the names that the browser fills in. A challenge lasts five minutes.
  function offer(form) {
    waiting = new AbortController();
    var own = waiting;
    setTimeout(function () {
      if (waiting === own && document.body.contains(form)) { own.abort(); offer(form); }
    }, 240000);
    challenge(form).then(function (started) {
      if (started.ceremony && !own.signal.aborted) return ask(form, started, own.signal);
    }).catch(function () {});
  }

  forms.forEach(function (form) {
    if (!able) { say(form, "unsupported"); }
    form.hidden = !able && form.getAttribute("data-passkey") !== "enrol";
    if (!able) return;
    form.addEventListener("submit", function (event) { event.preventDefault(); start(form); });
    var conditional = form.hasAttribute("data-offer") &&
      PublicKeyCredential.isConditionalMediationAvailable;
    if (!conditional) return;
    PublicKeyCredential.isConditionalMediationAvailable().then(function (can) {
      if (can) offer(form);
    });
  });
})();
