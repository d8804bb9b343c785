// Fills in a record while its sources answer: each event carries one region of the page, rendered
// by the server from the same template as the page itself.
(function () {
  "use strict";
  var record = document.querySelector("[data-events]");
  if (!record || !window.EventSource) return;
  var fault = document.getElementById("live-fault");
  var stream = new EventSource(record.getAttribute("data-events"));
  var finished = false;

  function element(html) {
    var template = document.createElement("template");
    template.innerHTML = html;
    return template.content.firstElementChild;
  }

  // What the reader has opened stays open, and the focus stays where it is.
  function carryOver(from, to) {
    from.querySelectorAll("details[open][id]").forEach(function (open) {
      var same = to.querySelector("#" + CSS.escape(open.id));
      if (same) same.open = true;
    });
  }

  function replace(old, fresh) {
    var active = document.activeElement;
    var opener = active && old.contains(active) ? active.closest("[id]") : null;
    carryOver(old, fresh);
    old.replaceWith(fresh);
    if (!opener) return;
    var again = document.getElementById(opener.id);
    if (!again) return;
    var target = active.id ? again : again.querySelector(active.tagName) || again;
    target.focus({ preventScroll: true });
  }

  // A keyed element keeps its place, and only those of its children are replaced that changed, so
  // that a screen reader announces a source when it answers and not the whole list each time.
  function patch(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (!old.hasAttribute("data-keyed") || !fresh.hasAttribute("data-keyed")) {
      replace(old, fresh);
      return;
    }
    var kept = {};
    Array.from(fresh.children).forEach(function (child) {
      kept[child.id] = true;
      var known = child.id && document.getElementById(child.id);
      if (known && known.parentNode === old) patch(known, child);
      else old.append(child);
    });
    Array.from(old.children).forEach(function (child) {
      if (!kept[child.id]) child.remove();
    });
  }

  function region(event) {
    var old = document.getElementById(event.type);
    var fresh = element(event.data);
    if (old && fresh && fresh.id === event.type) patch(old, fresh);
  }

  ["sources", "conflicts", "summary", "timeline", "documents", "encounters"].forEach(
    function (name) { stream.addEventListener(name, region); }
  );
  stream.addEventListener("done", function () {
    finished = true;
    stream.close();
    record.removeAttribute("data-events");
  });
  // A stream is not resumed: the questions behind it were asked once, for a stated purpose.
  stream.onerror = function () {
    stream.close();
    if (!finished && fault) fault.hidden = false;
  };
})();
