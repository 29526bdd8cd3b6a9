// Shapes that a step or a field works on: read from its options, drawn, moved by their handles and
// written back in the way in which the recipe has them. Lengths are pixels of the picture there.

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const rad = (degrees) => (degrees * Math.PI) / 180;
const deg = (radians) => (radians * 180) / Math.PI;
const near = (value) => Math.round(value * 10) / 10;

/** x, y at a clock's angle: 0 degrees at 12 o'clock, clockwise. */
const onClock = ([x, y], radius, degrees) => [
  x + radius * Math.sin(rad(degrees)),
  y - radius * Math.cos(rad(degrees)),
];
const clockOf = ([x, y], [px, py]) => deg(Math.atan2(px - x, y - py));

/** The angle that differs by whole turns from this one and lies nearest to another. */
const nearestTurn = (angle, other) => angle + 360 * Math.round((other - angle) / 360);

function insideBox([x1, y1, x2, y2], [width, height]) {
  const left = clamp(Math.round(Math.min(x1, x2)), 0, width - 1);
  const top = clamp(Math.round(Math.min(y1, y2)), 0, height - 1);
  return [left, top, clamp(Math.round(Math.max(x1, x2)), left + 1, width), clamp(Math.round(Math.max(y1, y2)), top + 1, height)];
}

const EDGES = [
  ["top left corner", 0, 1], ["top right corner", 2, 1], ["bottom right corner", 2, 3], ["bottom left corner", 0, 3],
  ["left edge", 0, null], ["top edge", null, 1], ["right edge", 2, null], ["bottom edge", null, 3],
];

/** An upright box; `read(options, size)` gives [x1, y1, x2, y2] or null, `write(box, size)` options. */
function box(read, write) {
  return {
    kind: "box",
    read,
    outline: (found) => {
      const [x1, y1, x2, y2] = found;
      return [[[x1, y1], [x2, y1], [x2, y2], [x1, y2]]];
    },
    handles: ([x1, y1, x2, y2]) =>
      EDGES.map(([name, across, down]) => ({
        name,
        at: [across === null ? (x1 + x2) / 2 : across ? x2 : x1, down === null ? (y1 + y2) / 2 : down === 3 ? y2 : y1],
      })),
    drag: (found, index, [x, y], size) => {
      const next = [...found];
      const [, across, down] = EDGES[index];
      if (across !== null) next[across] = across === 0 ? Math.min(x, found[2] - 1) : Math.max(x, found[0] + 1);
      if (down !== null) next[down] = down === 1 ? Math.min(y, found[3] - 1) : Math.max(y, found[1] + 1);
      return insideBox(next, size);
    },
    move: ([x1, y1, x2, y2], [dx, dy], [width, height]) => {
      const right = Math.round(clamp(dx, -x1, width - x2));
      const down = Math.round(clamp(dy, -y1, height - y2));
      return [x1 + right, y1 + down, x2 + right, y2 + down];
    },
    drawn: ([a, b], size) => insideBox([...a, ...b], size),
    write,
  };
}

const MARGINS = ["left_px", "top_px", "right_px", "bottom_px"];
const fromFraction = (found, [width, height]) => [found[0] * width, found[1] * height, found[2] * width, found[3] * height];
const toFraction = (found, [width, height]) =>
  [found[0] / width, found[1] / height, found[2] / width, found[3] / height].map((one) => Math.round(one * 1e4) / 1e4);
const isNumbers = (value, count) => Array.isArray(value) && value.length === count && value.every(Number.isFinite);
const isPoints = (value) => Array.isArray(value) && value.length > 0 && value.every((one) => isNumbers(one, 2));

const crop = box(
  (options, size) => {
    if (isNumbers(options.box_px, 4)) return options.box_px;
    if (isNumbers(options.box_fraction, 4)) return fromFraction(options.box_fraction, size);
    if (MARGINS.some((name) => Number.isFinite(options[name]))) {
      const [left, top, right, bottom] = MARGINS.map((name) => options[name] ?? 0);
      return [left, top, size[0] - right, size[1] - bottom];
    }
    return null;
  },
  (options, found, size) => {
    const { box_px, box_fraction, left_px, top_px, right_px, bottom_px, ...rest } = options;
    if (isNumbers(box_fraction, 4)) return { ...rest, box_fraction: toFraction(found, size) };
    if (!isNumbers(box_px, 4) && MARGINS.some((name) => Number.isFinite(options[name]))) {
      const margins = [found[0], found[1], size[0] - found[2], size[1] - found[3]];
      return { ...rest, ...Object.fromEntries(MARGINS.map((name, at) => [name, margins[at]]).filter(([name, one]) => one > 0 || name in options)) };
    }
    return { ...rest, box_px: found };
  },
);

const within = box(
  (options, size) => {
    if (isNumbers(options.within_px, 4)) return options.within_px;
    return isNumbers(options.within_fraction, 4) ? fromFraction(options.within_fraction, size) : null;
  },
  (options, found, size) => {
    const { within_px, within_fraction, ...rest } = options;
    return isNumbers(within_fraction, 4)
      ? { ...rest, within_fraction: toFraction(found, size) }
      : { ...rest, within_px: found };
  },
);

/** Points once round a part; `count` where their number is fixed. */
function points(key, count) {
  const inside = ([x, y], [width, height]) => [near(clamp(x, 0, width)), near(clamp(y, 0, height))];
  return {
    kind: "points",
    count,
    read: (options) => (isPoints(options[key]) ? options[key] : null),
    outline: (found) => [found],
    handles: (found) => found.map((at, index) => ({ name: `point ${index + 1} of ${found.length}`, at })),
    drag: (found, index, to, size) => found.map((one, at) => (at === index ? inside(to, size) : one)),
    move: (found, [dx, dy], size) => found.map(([x, y]) => inside([x + dx, y + dy], size)),
    remove: (found, index) => (count === undefined && found.length > 3 ? found.filter((_, at) => at !== index) : found),
    drawn: (clicked, size) => clicked.map((one) => inside(one, size)),
    write: (options, found) => {
      const { fit, [key]: _, ...rest } = options;
      return { ...rest, [key]: found };
    },
  };
}

/** The centre of the circle through three points, or null where they lie on a line. */
function centreOf([ax, ay], [bx, by], [cx, cy]) {
  const d = 2 * (ax * (by - cy) + bx * (cy - ay) + cx * (ay - by));
  if (Math.abs(d) < 1e-6) return null;
  const [a, b, c] = [ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy];
  return [(a * (by - cy) + b * (cy - ay) + c * (ay - by)) / d, (a * (cx - bx) + b * (ax - cx) + c * (bx - ax)) / d];
}

const ARC = ["centre_px", "inner_radius_px", "outer_radius_px", "start_degrees", "end_degrees"];
const PARTS = 48;

const arc = {
  kind: "arc",
  count: 3,
  read: (options) =>
    isNumbers(options.centre_px, 2) && ARC.slice(1).every((name) => Number.isFinite(options[name]))
      ? { centre: options.centre_px, inner: options.inner_radius_px, outer: options.outer_radius_px, start: options.start_degrees, end: options.end_degrees }
      : null,
  outline: ({ centre, inner, outer, start, end }) => {
    const angles = Array.from({ length: PARTS + 1 }, (_, at) => start + ((end - start) * at) / PARTS);
    return [[...angles.map((one) => onClock(centre, outer, one)), ...angles.reverse().map((one) => onClock(centre, inner, one))]];
  },
  handles: ({ centre, inner, outer, start, end }) => {
    const middle = (start + end) / 2;
    return [
      { name: "start of the text", at: onClock(centre, (inner + outer) / 2, start) },
      { name: "end of the text", at: onClock(centre, (inner + outer) / 2, end) },
      { name: "outer edge", at: onClock(centre, outer, middle) },
      { name: "inner edge", at: onClock(centre, inner, middle) },
      { name: "centre", at: centre },
    ];
  },
  drag: (found, index, to) => {
    const radius = near(Math.hypot(to[0] - found.centre[0], to[1] - found.centre[1]));
    const angle = clockOf(found.centre, to);
    if (index === 0) return { ...found, start: near(nearestTurn(angle, found.start)) };
    if (index === 1) return { ...found, end: near(nearestTurn(angle, found.end)) };
    if (index === 2) return { ...found, outer: Math.max(radius, found.inner + 2) };
    if (index === 3) return { ...found, inner: clamp(radius, 1, found.outer - 2) };
    return { ...found, centre: to.map(near) };
  },
  move: (found, [dx, dy]) => ({ ...found, centre: [near(found.centre[0] + dx), near(found.centre[1] + dy)] }),
  /** Through the text's middle: where it begins, halfway, where it ends. */
  drawn: (clicked) => {
    const centre = centreOf(...clicked);
    if (centre === null) return null;
    const radius = Math.hypot(clicked[0][0] - centre[0], clicked[0][1] - centre[1]);
    const [start, half, end] = clicked.map((one) => clockOf(centre, one));
    const clockwise = (((half - start) % 360) + 360) % 360 < (((end - start) % 360) + 360) % 360;
    const turn = (((end - start) % 360) + 360) % 360;
    const length = rad(clockwise ? turn : 360 - turn) * radius;
    const height = clamp(length / 10, 8, radius);
    return {
      centre: centre.map(near),
      inner: near(Math.max(1, radius - height / 2)),
      outer: near(radius + height / 2),
      start: near(start),
      end: near(start + (clockwise ? turn : turn - 360)),
    };
  },
  write: (options, found) => {
    const { fit, clockwise, ...rest } = options;
    return {
      ...rest,
      centre_px: found.centre,
      inner_radius_px: found.inner,
      outer_radius_px: found.outer,
      start_degrees: found.start,
      end_degrees: found.end,
    };
  },
};

/** What has a shape, and what a person does to draw it. */
export const SHAPES = {
  crop: { ...crop, hint: "Drag a box round what is to be kept." },
  perspective: { ...points("corners_px", 4), hint: "Press the four corners, clockwise from the text's top left." },
  unroll_arc: { ...arc, hint: "Press three places along the middle of the text: its beginning, halfway, its end." },
  unroll_polygon: {
    ...points("points_px"),
    hint: "Press along the text's upper edge from left to right, then back along its lower edge. Press Done, or Enter.",
  },
};

/** The part of the prepared picture that a field is looked for in. */
export const WITHIN = { ...within, hint: "Drag a box round the part to search for this field." };
