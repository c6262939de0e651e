// Draws what the room's seats have told. Texts are put in as text, never as HTML.

const EVERY = 2000; // milliseconds between two looks
const HUMAN = 0.2; // seconds between two people's turns
const SVG = "http://www.w3.org/2000/svg";
const at = (id) => document.getElementById(id);

/** An element with attributes, and children or a text. */
function make(kind, attributes = {}, ...children) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

function shape(kind, attributes, text = "") {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

const milliseconds = (seconds) => `${Math.round(seconds * 1000)} ms`;
const called = (seat) => seat.name || `Seat ${seat.number}`;

/** One turn: a lane for each stage, in the order of the stages, on an axis all seats share. */
function waterfall(turn, stages, longest) {
  const names = Object.keys(stages);
  const [left, right, lane] = [132, 345, 17];
  const x = (seconds) => left + (Math.max(0, seconds) / longest) * (right - left);
  const height = names.length * lane + 4;
  const told = turn.bars.map(([stage, start, end]) => `${stages[stage]} ${milliseconds(end - start)}`);
  const drawn = shape("svg", { viewBox: `0 0 400 ${height}`, role: "img", "aria-label": told.join(", ") });
  drawn.append(shape("line", { x1: left, x2: left, y1: 0, y2: height, class: "axis" }));
  names.forEach((name, row) => {
    const text = stages[name].replace(/^model, to (its )?/, "model: ").replace(/, if you go on$/, "");
    drawn.append(shape("text", { x: 0, y: row * lane + 13 }, text));
    for (const [stage, start, end] of turn.bars) {
      if (stage !== name) continue;
      const width = Math.max(2, x(end) - x(start));
      drawn.append(shape("rect", { x: x(start), y: row * lane + 3, width, height: lane - 5, class: name }));
      drawn.append(shape("text", { x: x(start) + width + 4, y: row * lane + 13 }, milliseconds(end - start)));
    }
  });
  if (HUMAN <= longest) {
    drawn.append(shape("line", { x1: x(HUMAN), x2: x(HUMAN), y1: 0, y2: height, class: "human" }));
  }
  return drawn;
}

function show(room) {
  const here = room.seats.filter((seat) => !seat.away).length;
  const away = room.seats.length - here;
  at("summary").textContent = room.seats.length
    ? `${here} of ${room.most} seats are taken${away ? `, ${away} more are away` : ""}.`
    : "Nobody is here yet.";
  const named = new Map(room.seats.map((seat) => [seat.number, called(seat)]));

  const heard = room.seats.filter((seat) => seat.turns.length);
  const last = (seat) => seat.turns[seat.turns.length - 1];
  const longest = Math.max(0.5, ...heard.map((seat) => last(seat).silence));
  at("no-turns").hidden = heard.length > 0;
  at("waterfalls").replaceChildren(
    ...heard.map((seat) => {
      const heading = make("h3", {}, make("span", {}, called(seat)), make("span", {}, milliseconds(last(seat).silence)));
      return make("li", {}, heading, waterfall(last(seat), room.stages, longest));
    }),
  );

  at("checks").replaceChildren(
    ...room.checks.map((check) => {
      const passed = check.passed.length;
      const meter = make("meter", { min: 0, max: Math.max(1, room.seats.length), value: passed });
      meter.setAttribute("aria-label", `${passed} of ${room.seats.length} passed`);
      return make(
        "tr",
        {},
        make("td", {}, check.notebook),
        make("th", { scope: "row" }, check.name),
        make("td", { class: "number" }, `${passed} of ${room.seats.length}`),
        make("td", {}, meter),
        make("td", {}, check.wrong.map((number) => named.get(number)).join(", ") || "–"),
      );
    }),
  );

  at("seats").replaceChildren(
    ...room.seats.map((seat) =>
      make(
        "tr",
        seat.away ? { class: "away" } : {},
        make("th", { scope: "row" }, called(seat) + (seat.away ? " (away)" : "")),
        make("td", {}, seat.at || "all passed"),
        make("td", { class: "number" }, `${seat.passed} of ${room.checks.length}`),
        make("td", {}, seat.turns.map((turn) => milliseconds(turn.silence)).join(", ") || "–"),
      ),
    ),
  );
}

let before = "";

async function look() {
  try {
    const answer = await fetch("room.json", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(answer.status);
    const text = await answer.text();
    if (text !== before) show(JSON.parse(text));
    before = text;
  } catch {
    at("summary").textContent = "The room is closed. What is below stood here last.";
    before = "";
  }
  setTimeout(look, EVERY);
}

look();
