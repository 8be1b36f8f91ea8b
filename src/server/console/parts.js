// What the page is built of. Text goes in as text: nothing here reads markup.

/** An element: attributes by name, `on…` as listeners, children as elements or text. */
function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false).map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
  return made;
}

/** The same of a drawing. */
function draw(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, String(value));
  made.append(...children.flat().filter(Boolean).map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
  return made;
}

/** A link to another page, where the address is one that a browser may open; else the text alone. */
function link(address, text) {
  const safe = /^https?:\/\//i.test(address || "");
  return safe ? el("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, text) : el("span", {}, text);
}

/** All days of a report, those without incidents too. */
function calendar(report) {
  const known = new Map(report.days.map((day) => [day.name, day]));
  const name = (date) => [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
  const all = [];
  for (const day = new Date(report.since); name(day) <= name(new Date(report.until)) && all.length < 100; day.setDate(day.getDate() + 1)) {
    all.push(known.get(name(day)) || { name: name(day), incidents: 0, P0: 0, P1: 0, P2: 0 });
  }
  return all;
}

/** Bars for each day, the worst below. */
function days(list) {
  const width = 540, height = 170, floor = 144, top = 14;
  const most = Math.max(1, ...list.map((day) => day.incidents));
  const step = width / Math.max(list.length, 7);
  const bars = list.map((day, index) => {
    let y = floor;
    const x = index * step + step * 0.18, wide = Math.min(step * 0.64, 40);
    const parts = ["P0", "P1", "P2"].filter((level) => day[level] > 0).map((level) => {
      const high = ((floor - top) * day[level]) / most;
      y -= high;
      return draw("rect", { x, y, width: wide, height: Math.max(high - 1, 1), rx: 2, class: "fill-" + level });
    });
    const every = Math.ceil(list.length / 7);
    const label = index % every === 0 && draw("text", { x: x + wide / 2, y: floor + 18, "text-anchor": index === 0 ? "start" : index > list.length - 3 ? "end" : "middle" }, day.name.slice(5));
    return draw("g", {}, draw("title", {}, `${day.name}: ${day.incidents} (P0 ${day.P0}, P1 ${day.P1}, P2 ${day.P2})`), parts, label);
  });
  const scale = [draw("line", { x1: 0, x2: width, y1: floor, y2: floor }), draw("text", { x: 0, y: top - 3 }, most)];
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": say("By day") }, scale, bars);
}

/** How long each stage takes: half of them, and nine of ten behind it. */
function stages(list) {
  const known = list.filter((stage) => stage.seconds.count > 0);
  const most = Math.max(1, ...known.map((stage) => stage.seconds.p90));
  const lines = known.map((stage, index) => {
    const y = index * 38 + 8, long = (seconds) => Math.max(2, (360 * seconds) / most);
    return draw("g", {},
      draw("title", {}, `${say(stage.stage)}: ${say("half")} ${span(stage.seconds.p50)}, ${say("nine of ten")} ${span(stage.seconds.p90)}`),
      draw("text", { x: 0, y: y + 15 }, say(stage.stage)),
      draw("rect", { x: 74, y: y + 3, width: long(stage.seconds.p90), height: 16, rx: 3, class: "fill-faint" }),
      draw("rect", { x: 74, y: y + 3, width: long(stage.seconds.p50), height: 16, rx: 3, class: "fill-accent" }),
      draw("text", { x: 84 + long(stage.seconds.p90), y: y + 15 }, `${span(stage.seconds.p50)} / ${span(stage.seconds.p90)}`));
  });
  return draw("svg", { viewBox: `0 0 540 ${Math.max(1, known.length) * 38 + 6}`, role: "img", "aria-label": say("Where the time goes") }, lines);
}

/** The series of one metric: labels and value. */
function series(text, name) {
  const found = [];
  for (const line of text.split("\n")) {
    if (!line.startsWith(name + "{")) continue;
    const end = line.lastIndexOf("} ");
    const labels = {};
    for (const [, key, value] of line.slice(name.length + 1, end).matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[key] = value.replace(/\\(.)/g, "$1");
    found.push({ labels, value: Number(line.slice(end + 2)) });
  }
  return found;
}

/** A question in a dialog; gives what was written, or null. */
function ask(title, text, fields, yes, also) {
  const dialog = document.getElementById("ask");
  return new Promise((answer) => {
    const inputs = fields.map((field) => el("input", { name: field.name, type: field.type || "text", value: field.value || "", autocomplete: "off", required: field.required }));
    let given = null;
    const form = el("form", { onsubmit: (event) => {
      event.preventDefault();
      given = Object.fromEntries(inputs.map((input) => [input.name, input.value.trim()]));
      dialog.close();
    } },
    el("h1", { id: "ask-title" }, title), el("p", {}, text),
    fields.map((field, index) => el("label", {}, field.label, inputs[index])),
    el("div", { class: "acts" },
      also && el("button", { type: "button", class: "quiet", onclick: () => { given = also; dialog.close(); } }, also.text),
      el("button", { type: "button", onclick: () => dialog.close() }, say("Cancel")),
      el("button", { type: "submit", class: "main", id: "ask-yes" }, yes)));
    dialog.replaceChildren(form);
    dialog.addEventListener("close", () => answer(given), { once: true });
    dialog.showModal();
  });
}

let fading;
function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { box.hidden = true; }, 6000);
}
