// The pages: what the relay told goes in, elements come out.

const empty = (title, text) => el("div", { class: "card empty" }, el("b", {}, title), text);
const place = (incident) => [incident.service, incident.environment].filter(Boolean).join(" · ");
const causes = (change) => `${say(change.kind)} ${change.title}${change.who ? (chinese ? "（" + change.who + "）" : " by " + change.who) : ""}`;

/** One line of the list. */
function row(incident, detail, chosen) {
  const over = incident.resolved_at;
  const who = incident.acknowledged_by ? `${say("taken by")} ${incident.acknowledged_by}` : incident.state === "detected" ? say("nobody has taken it") : "";
  const under = [place(incident), say(incident.state), who, incident.owner].filter(Boolean).join(" · ");
  const cause = detail && detail.changes && detail.changes[0];
  const waits = detail && (detail.jobs || []).some((job) => job.state === "proposed");
  return el("li", {}, el("a", { class: "row", href: `#/incidents/${incident.id}`, "data-key": `incident-${incident.id}`, "aria-current": chosen && "true" },
    el("span", { class: `level ${incident.level}` }, incident.level),
    el("span", { class: "name" }, incident.title),
    el("span", { class: "age", title: moment(incident.opened_at) }, over ? clock(over) : span(since(incident.opened_at))),
    el("span", { class: "under" }, under),
    cause && el("span", { class: "cause" }, before(cause, incident)),
    waits && el("span", { class: "cause" }, `${say("Jobs")}: ${say("proposed")}`)));
}

/** `deploy release 4.2.1 by ann, 4 min before`. */
function before(change, incident) {
  const long = span(between(change.at, incident.opened_at));
  return chinese ? `${causes(change)}，${long}前` : `${causes(change)}, ${long} before`;
}

function incidents(model) {
  const tab = (name, over) => el("a", { href: over ? "#/over" : "#/incidents", "aria-current": model.over === over && "true", "data-key": name }, say(name));
  const bar = el("div", { class: "bar" }, tab("Open", false), tab("Over", true));
  const list = model.list.length
    ? el("ul", { class: "card list" }, model.list.map((one) => row(one, model.details[one.id], model.chosen === one.id)))
    : empty(say(model.over ? "Nothing is over yet." : "All is quiet"), model.over ? "" : say("No incident is open."));
  const side = model.detail ? detail(model.detail, model) : empty(say("Choose an incident"), say("Its time line and what can be done stand here."));
  return el("div", { class: model.chosen ? "two chosen" : "two" }, el("section", { class: "index" }, bar, list), el("section", {}, side));
}

function fact(name, value) {
  return value && el("div", {}, el("dt", {}, say(name)), el("dd", {}, value));
}

function detail(incident, model) {
  const open = !incident.resolved_at || ["detected", "acknowledged", "mitigated"].includes(incident.state);
  const act = (word, main) => el("button", { type: "button", class: main && "main", "data-key": `act-${word}`, id: `act-${word}`, onclick: () => model.act(incident, word) },
    say(word[0].toUpperCase() + word.slice(1)));
  const acts = open && el("div", { class: "acts" }, incident.state === "detected" && act("acknowledge", true), act("resolve", incident.state !== "detected"), act("note"));
  return el("article", { class: "card pad", id: "incident" },
    el("a", { class: "back", href: "#/incidents" }, "← ", say("All incidents")),
    el("h1", {}, el("span", { class: incident.level }, `${incident.level} `), incident.title),
    el("dl", { class: "facts" },
      fact("State", el("span", { id: "state" }, say(incident.state) + (incident.acknowledged_by ? ` · ${incident.acknowledged_by}` : ""))),
      fact("Service", place(incident)), fact("Owner", incident.owner),
      fact("Opened", moment(incident.opened_at)),
      fact("Lasted", span(open ? since(incident.opened_at) : between(incident.opened_at, incident.resolved_at))),
      fact("Source", incident.source), fact("Escalates", open && incident.escalates_at && clock(incident.escalates_at))),
    acts, ...changesOf(incident), ...jobsOf(incident, model), ...ticketsOf(incident), ...timeOf(incident));
}

function changesOf(incident) {
  const changes = incident.changes || [];
  const one = (change) => el("li", {}, link(change.link, before(change, incident)));
  return changes.length ? [el("h2", {}, say("Changed shortly before")), el("ul", { class: "items" }, changes.map(one))] : [];
}

function jobsOf(incident, model) {
  const jobs = incident.jobs || [];
  const one = (job) => el("li", {}, el("div", { class: "split" },
    el("span", {}, el("b", {}, job.rule || job.target), " ", el("span", { class: job.state === "failed" ? "ill" : job.state === "succeeded" ? "ok" : "soft" }, say(job.state)),
      job.reason && el("span", { class: "soft" }, ` · ${job.reason}`)),
    job.state === "proposed" && el("span", { class: "acts" },
      el("button", { type: "button", class: "main", "data-key": `approve-${job.id}`, onclick: () => model.decide(incident, job, "approve") }, say("Approve")),
      el("button", { type: "button", "data-key": `decline-${job.id}`, onclick: () => model.decide(incident, job, "decline") }, say("Decline")))),
  job.output && el("pre", { tabindex: 0 }, job.output));
  return jobs.length ? [el("h2", {}, say("Jobs")), el("ul", { class: "items" }, jobs.map(one))] : [];
}

function ticketsOf(incident) {
  const tickets = incident.tickets || [];
  const one = (ticket) => el("li", {}, link(ticket.url, `${ticket.target} ${ticket.id}`), " ",
    el("span", { class: ticket.phase === "closed" ? "ok" : "soft" }, [ticket.state || say(ticket.phase), ticket.assignee].filter(Boolean).join(" · ")));
  return tickets.length ? [el("h2", {}, say("Tickets")), el("ul", { class: "items" }, tickets.map(one))] : [];
}

function timeOf(incident) {
  const one = (entry) => el("li", {}, el("time", { datetime: entry.at, title: moment(entry.at) }, clock(entry.at)),
    el("div", {}, el("span", { class: "kind" }, say(entry.kind.replaceAll("_", " "))), entry.target && ` ${entry.target}`,
      entry.text && el("span", { class: "soft" }, ` ${entry.text}`), entry.who && el("span", { class: "soft" }, ` · ${entry.who}`)));
  return [el("h2", {}, say("Time line")), el("ol", { class: "time" }, (incident.timeline || []).map(one))];
}

function tile(name, value, under) {
  return el("div", { class: "card tile" }, el("span", { class: "soft" }, name), el("b", {}, value), el("span", { class: "soft" }, under || " "));
}

function numbers(report) {
  if (!report.incidents) return [el("h2", {}, say("The last 30 days")), empty(say("All is quiet"), say("No incident in this time."))];
  const time = (spread) => (spread.count ? span(spread.p50) : "–");
  const rest = (spread) => spread.count ? `${say("nine of ten")} ${span(spread.p90)} · ${say("on average")} ${span(spread.mean)}` : "";
  const services = report.services.slice(0, 8).map((part) => el("tr", {}, el("td", {}, part.name || "–"), el("td", { class: "num" }, part.incidents), el("td", { class: "num" }, time(part.acknowledge)), el("td", { class: "num" }, time(part.resolve))));
  const noise = report.noise.slice(0, 8).map((one) => el("tr", {}, el("td", {}, one.title), el("td", { class: "num" }, one.incidents)));
  const table = (head, rows) => el("table", {}, el("thead", {}, el("tr", {}, head.map((name, index) => el("th", { class: index && "num", scope: "col" }, name)))), el("tbody", {}, rows));
  const box = (title, inside) => el("section", { class: "card pad" }, el("h2", {}, title), inside);
  return [el("h2", {}, say("The last 30 days")),
    el("div", { class: "tiles" },
      tile(say("Incidents"), report.incidents, `${report.open} ${say("open now")} · ${report.reopened} ${say("came back")}`),
      tile(say("MTTA, half of them"), time(report.acknowledge), rest(report.acknowledge)),
      tile(say("MTTR, half of them"), time(report.resolve), rest(report.resolve))),
    el("div", { class: "grid" }, box(say("By day"), days(calendar(report))), box(say("Where the time goes"), stages(report.stages)),
      box(say("By service"), table(["", say("incidents"), "MTTA", "MTTR"], services)), box(say("Most noise"), table(["", say("incidents")], noise)),
      report.advice.length > 0 && box(say("Advice"), el("ul", { class: "items" }, report.advice.map((one) => el("li", {}, one.found, el("div", { class: "soft" }, one.advice))))))];
}

function targets(text) {
  const by = new Map();
  const put = (name, field, filter) => series(text, "alert_relay_" + name).filter(filter || (() => true)).forEach(({ labels, value }) => {
    by.set(labels.target, { ...by.get(labels.target), [field]: value });
  });
  put("waiting_deliveries", "waiting"); put("held_deliveries", "held"); put("oldest_waiting_age_seconds", "oldest"); put("target_sick", "sick");
  put("deliveries_total", "delivered", ({ labels }) => labels.state === "delivered"); put("deliveries_total", "dead", ({ labels }) => labels.state === "dead");
  if (!by.size) return [empty(say("All is quiet"), say("No target has been told anything yet."))];
  const state = (one) => (one.sick ? ["ill", "sick"] : one.held ? ["ill", "held"] : ["ok", "well"]);
  const rows = [...by].sort().map(([name, one]) => el("tr", {}, el("td", {}, name), el("td", { class: state(one)[0] }, say(state(one)[1])),
    el("td", { class: "num" }, one.waiting || 0), el("td", { class: "num" }, one.oldest ? span(one.oldest) : "–"),
    el("td", { class: "num" }, one.delivered || 0), el("td", { class: one.dead ? "num ill" : "num" }, one.dead || 0)));
  const head = ["Target", "State", "Waiting", "Oldest", "Delivered", "Given up"].map((name, index) => el("th", { class: index > 1 && "num", scope: "col" }, say(name)));
  return [el("section", { class: "card pad scroll" }, el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)))];
}

function changes(model) {
  const one = (change) => el("li", { class: "split" }, el("span", {}, link(change.link, causes(change)), el("div", { class: "soft" }, place(change))), el("span", { class: "age" }, moment(change.at)));
  const freeze = (set) => el("li", { class: "split" },
    el("span", {}, set.reason, el("div", { class: "soft" }, `${set.service || say("all services")} · ${set.environment || say("all environments")} · ${set.stands ? say("until") + " " + moment(set.until) : say("from") + " " + moment(set.from)} · ${set.who}`)),
    el("button", { type: "button", "data-key": `end-${set.id}`, onclick: () => model.endFreeze(set) }, say("End")));
  return [el("div", { class: "grid" },
    el("section", { class: "card pad" }, el("h2", {}, say("The last 7 days")), model.changes.length ? el("ul", { class: "items" }, model.changes.map(one)) : el("p", { class: "soft" }, say("Nothing was changed."))),
    el("section", { class: "card pad" }, el("h2", {}, say("Freezes")), model.freezes.length ? el("ul", { class: "items" }, model.freezes.map(freeze)) : el("p", { class: "soft" }, say("No freeze stands.")),
      el("div", { class: "acts" }, el("button", { type: "button", id: "freeze", "data-key": "freeze", onclick: model.setFreeze }, say("Set a freeze")))))];
}
