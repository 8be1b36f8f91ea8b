// Asks the relay, shows what it says, and does what the person wants.

const EVERY = 5000;
const kept = { get token() { return sessionStorage.getItem("token") || ""; }, get name() { return sessionStorage.getItem("name") || ""; } };
const seen = {};
let asking = false, turn = 0, shown = "";

class Refused extends Error {}

async function api(path, options = {}) {
  const headers = {};
  if (kept.token) headers.Authorization = `Bearer ${kept.token}`;
  // A header holds no other characters; the record names the token all the same.
  if (kept.name && /^[\x20-\x7e]+$/.test(kept.name)) headers["X-Actor"] = kept.name;
  const answer = await fetch(path, { headers, cache: "no-store", credentials: "omit", redirect: "error", ...options });
  const json = (answer.headers.get("content-type") || "").includes("json");
  const body = json ? await answer.json() : await answer.text();
  if (answer.status === 401) { unlock(kept.token ? say("The token is not known here.") : ""); throw new Refused(""); }
  if (!answer.ok) throw new Refused((json && body.detail) || String(answer.status));
  return body;
}

const post = (path, body) => api(path, { method: "POST", body: JSON.stringify(body || {}) });

async function unlock(why) {
  if (asking) return;
  asking = true;
  const text = [why, say("The relay asks for a token of its admin interface. It stays in this tab and is forgotten with it.")].filter(Boolean).join(" ");
  const fields = [{ name: "token", label: say("Token"), type: "password", value: kept.token }, { name: "name", label: say("Your name, for the record"), value: kept.name }];
  const given = await ask(say("Access"), text, fields, say("Use"), { text: say("Forget"), forget: true });
  asking = false;
  if (given && given.forget) { sessionStorage.clear(); location.reload(); return; }
  if (!given) return;
  sessionStorage.setItem("token", given.token);
  sessionStorage.setItem("name", given.name);
  refresh();
}

async function done(work) {
  try {
    await work();
    toast(say("Done"));
  } catch (error) {
    if (error.message) toast(error.message);
  }
  refresh();
}

async function act(incident, word) {
  let note = "";
  if (word !== "acknowledge") {
    const resolves = word === "resolve";
    const given = await ask(resolves ? say("Resolve it everywhere?") : say("Note"),
      resolves ? say("It is closed at every target: page, message and ticket. Alerts that still fire open it again.") : incident.title,
      [{ name: "note", label: say("Note"), required: !resolves }], say(resolves ? "Resolve" : "Note"));
    if (!given) return;
    note = given.note;
  }
  await done(() => post(`/api/v1/incidents/${incident.id}/${word}`, note ? { note } : {}));
}

async function decide(incident, job, word) {
  if (word === "approve" && !(await ask(say("Run this job?"), `${job.rule || ""} · ${job.target || ""}`, [], say("Approve")))) return;
  await done(() => post(`/api/v1/incidents/${incident.id}/${word}`, { job: job.id }));
}

const endFreeze = (set) => done(() => api(`/api/v1/freezes/${set.id}`, { method: "DELETE" }));

async function setFreeze() {
  const given = await ask(say("Set a freeze"), "", [
    { name: "service", label: say("Service, with * and ?") }, { name: "environment", label: say("Environment, with * and ?") },
    { name: "until", label: say("How long, as in 6h"), required: true }, { name: "reason", label: say("Why"), required: true }], say("Set"));
  if (given) await done(() => post("/api/v1/freezes", given));
}

/** Changes and jobs stand with each incident by itself: asked for again when something happened to it, and now and then. */
async function details(list) {
  await Promise.all(list.slice(0, 20).map(async (one) => {
    const known = seen[one.id];
    if (known && known.touched_at === one.touched_at && Date.now() - known.asked < 6 * EVERY) return;
    seen[one.id] = { ...(await api(`/api/v1/incidents/${one.id}`)), asked: Date.now() };
  }));
}

async function look(page, id) {
  if (page === "numbers") {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
    return numbers(await api(`/api/v1/report?since=30d&location=${encodeURIComponent(zone)}`));
  }
  if (page === "targets") return targets(await api("/metrics"));
  if (page === "changes") {
    const [found, frozen] = await Promise.all([api("/api/v1/changes?since=7d&limit=100"), api("/api/v1/freezes")]);
    return changes({ changes: found.changes, freezes: frozen.freezes, setFreeze, endFreeze });
  }
  const over = page === "over";
  const state = over ? "resolved,reviewed,closed" : "open";
  const { incidents: list } = await api(`/api/v1/incidents?state=${state}&limit=100`);
  if (!over) {
    const levels = ["P0", "P1", "P2"];
    list.sort((a, b) => levels.indexOf(a.level) - levels.indexOf(b.level) || b.id - a.id);
    await details(list);
  }
  const detail = id ? await api(`/api/v1/incidents/${id}`) : undefined;
  document.title = over || !list.length ? "alert-relay" : `(${list.length}) alert-relay`;
  return [incidents({ list, over, details: seen, chosen: id, detail, act, decide })];
}

function route() {
  const [, page, id] = location.hash.split("/");
  return [["numbers", "targets", "changes", "over"].includes(page) ? page : "incidents", Number(id) || undefined];
}

/** Puts it on the page; what had the keyboard keeps it. */
function put(nodes) {
  const main = document.getElementById("main");
  const next = el("div", {}, nodes);
  const text = next.textContent + location.hash;
  if (text === shown) return;
  shown = text;
  const focused = document.activeElement && document.activeElement.dataset.key;
  const scrolled = window.scrollY;
  main.replaceChildren(...next.childNodes);
  if (focused) { const again = [...main.querySelectorAll("[data-key]")].find((one) => one.dataset.key === focused); if (again) again.focus({ preventScroll: true }); }
  window.scrollTo(0, scrolled);
}

function frame(page) {
  const entry = (name, to) => el("a", { href: `#/${to}`, "data-key": `nav-${to}`, "aria-current": (page === to || (page === "over" && to === "incidents")) && "page" }, say(name));
  document.getElementById("nav").replaceChildren(entry("Incidents", "incidents"), entry("Numbers", "numbers"), entry("Targets", "targets"), entry("Changes", "changes"));
}

async function refresh() {
  const mine = ++turn;
  const [page, id] = route();
  const pulse = document.getElementById("pulse");
  try {
    const nodes = await look(page, id);
    if (mine !== turn) return;
    put(nodes);
    pulse.className = "";
    pulse.textContent = say("up to date");
  } catch (error) {
    if (mine !== turn) return;
    pulse.className = "down";
    pulse.textContent = error instanceof Refused ? error.message : say("not reachable");
  }
}

function keys(event) {
  const typing = event.target instanceof HTMLInputElement || document.getElementById("ask").open || event.ctrlKey || event.metaKey || event.altKey;
  if (typing) return;
  const rows = [...document.querySelectorAll("a.row")];
  const at = rows.indexOf(document.activeElement);
  const press = (id) => { const button = document.getElementById(id); if (button) button.click(); };
  if (event.key === "j" && rows.length) rows[Math.min(at + 1, rows.length - 1)].focus();
  else if (event.key === "k" && rows.length) rows[Math.max(at - 1, 0)].focus();
  else if (event.key === "a") press("act-acknowledge");
  else if (event.key === "r") press("act-resolve");
  else if (event.key === "n") press("act-note");
  else if (event.key === "Escape" && route()[1]) location.hash = "#/incidents";
  else return;
  event.preventDefault();
}

document.getElementById("skip").textContent = say("skip") === "skip" ? "Skip to content" : say("skip");
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); document.getElementById("main").focus(); });
document.getElementById("key").textContent = say("Token");
document.getElementById("key").addEventListener("click", () => unlock(""));
window.addEventListener("hashchange", () => { frame(route()[0]); refresh(); });
document.addEventListener("keydown", keys);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
setInterval(() => { if (!document.hidden && !document.getElementById("ask").open) refresh(); }, EVERY);
frame(route()[0]);
refresh();
