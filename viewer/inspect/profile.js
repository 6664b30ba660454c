/**
 * Values along a line, of all visible layers at the visible dates.
 *
 * @typedef {import("./samples.js").Stop} Stop
 * @typedef {import("../chart/series/figure.js").Sheet} Sheet
 * @typedef
 *   {{ name: string, units: string, group: string, values: (number | null)[], colour: string, isDashed: boolean,
 *   isNear: boolean, classes: { style: import("../base/colours.js").PaintedStyle, labels: Map<number, string> } |
 *   null }}
 *   Row
 * @typedef {{ stops: Stop[], rows: Row[], isPartial: boolean, mean: string }} Profile
 */

import { lineLength } from "../areas/shapes/earth.js";
import { lengthText } from "../areas/size-labels.js";
import { colours, cssColour, paintedStyle } from "../base/colours.js";
import { colourReader, make, runKey, SLIDER } from "../base/elements.js";
import { pointer, profileLine, view } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { unitText } from "../base/units.js";
import { roundValues } from "../base/value-scale.js";
import { label, makeFigure, makeSvg, pathOf, rule } from "../chart/series/figure.js";
import { nearestSecond, valueRange } from "../chart/series/scales.js";
import { formatExact, formatNumber } from "../chart/series/series.js";
import { cubesOf } from "../map/cubes.js";
import { formatLength, pixelLength } from "../time/resolution.js";
import { computed, effect, signal } from "../vendor/signals-core.js";
import { marked } from "./marks.js";
import { followSide, shownSides } from "./readings.js";
import { stopsAlong } from "./samples.js";

const MOST_STOPS = 600;
const [WIDTH, HEIGHT, LEFT, BELOW, GAP] = [380, 110, 46, 20, 12];
/** Distance within which the pointer is on the line. */
const NEAR_PX = 12;

const at = signal(/** @type {number | null} */ (null));

/** @type {import("@preact/signals-core").ReadonlySignal<Profile | null>} */
const profile = computed(() => {
	const [line, now] = [profileLine.value, view.value];
	if (!line || !now) return null;
	const pixel = pixelLength(now.zoom, line[0].lat);
	const stops = stopsAlong(line, Math.max(pixel, lineLength(line.map(({ lon, lat }) => [lon, lat])) / MOST_STOPS));
	let [isPartial, isMean] = [false, false];
	const rows = shownSides().map(({ side, name }, index) => {
		followSide(side);
		const cubes = cubesOf(side);
		let isNear = false;
		const values = stops.map((stop) => {
			const reading = cubes?.numbersAt(stop.at, side.timeIndex.peek()) ?? null;
			isPartial ||= reading === null;
			isMean ||= reading?.isMean ?? false;
			isNear ||= reading?.isApproximate ?? false;
			// A value beyond the range of the cube is unknown, and is not drawn.
			return reading && reading.beyond === 0 && !reading.isFilled ? reading.value : null;
		});
		const { id = "", units = "" } = side.layer.peek() ?? {};
		const colour = `--place-${index + 1}`;
		const legend = side.legend.peek();
		const labels = new Map(legend?.classes?.map(({ value, label }) => [value, label]));
		const classes = legend?.type === "classes" ? { style: paintedStyle(legend, side.colouring.peek()), labels } : null;
		return { name, units: unitText(units), group: id, values, colour, isDashed: side.id === "b", isNear, classes };
	});
	return { stops, rows, isPartial, mean: isMean ? formatLength(pixel, locale()) : "" };
});

/** Returns the value of a row at a stop as text. @param {Row} row @param {number} index */
function valueText({ values, units, isNear, classes }, index) {
	const value = values[index];
	if (value === null) return text("value.noData");
	const label = classes?.labels.get(value);
	if (label) return label;
	return `${isNear ? `≈ ${formatNumber(value, locale())}` : formatExact(value, locale())} ${units}`.trim();
}

/** @param {Profile} of */
function wordsOf(of) {
	const mean = of.mean && text("inspect.means", { length: of.mean });
	return [lengthText(lengthOf(of)), mean, of.isPartial && text("inspect.loading")].filter(Boolean).join(" · ");
}

/** Rows of one layer share an axis. @param {Profile} of */
const groupsOf = ({ rows }) =>
	[...new Set(rows.map(({ group }) => group))].map((id) => rows.filter(({ group }) => group === id));

/** @param {Profile} of */
const heightOf = (of) => groupsOf(of).length * (HEIGHT + GAP) + BELOW;

/** @param {Profile} of */
const lengthOf = ({ stops }) => stops[stops.length - 1].metres;

/** @param {Profile} of @param {(name: string) => string} colourOf @returns {SVGElement[]} */
function draw(of, colourOf) {
	const length = lengthOf(of);
	const xOf = (/** @type {number} */ metres) => LEFT + (metres / length) * (WIDTH - LEFT - 6);
	const xs = of.stops.map(({ metres }) => xOf(metres));
	const [ink, grey] = ["--text-soft", "--line"].map(colourOf);
	const bottom = heightOf(of) - BELOW - GAP;
	const distances = roundValues({ low: 0, high: length, isLog: false }, 4).flatMap((metres) => {
		const x = xOf(metres);
		return [
			rule([x, 0, x, bottom], grey),
			label(x, bottom + 15, ink, lengthText(metres), { "font-size": 11, "text-anchor": "middle" }),
		];
	});
	const plots = groupsOf(of).flatMap((rows, place) => {
		const top = place * (HEIGHT + GAP);
		const style = rows[0].classes?.style;
		if (style)
			return rows.flatMap((row, index) =>
				drawClasses(row, style, xs, [top + (index * HEIGHT) / rows.length, HEIGHT / rows.length]),
			);
		const valid = rows.flatMap(({ values }) => values.filter((value) => value !== null));
		const [low, high] = valid.length > 0 ? valueRange(Math.min(...valid), Math.max(...valid)) : [0, 1];
		const yOf = (/** @type {number} */ value) => top + HEIGHT - ((value - low) / (high - low)) * HEIGHT;
		const ticks = roundValues({ low: low, high: high, isLog: false }, 4).flatMap((value) => [
			rule([LEFT, yOf(value), WIDTH, yOf(value)], grey),
			label(LEFT - 5, yOf(value) + 4, ink, formatExact(value, locale()), { "font-size": 11, "text-anchor": "end" }),
		]);
		const lines = rows.map(({ values, colour, isDashed }) => {
			const ys = values.map((value) => (value === null ? null : yOf(value)));
			return makeSvg("path", {
				// A value between two gaps is a dot.
				d: pathOf(xs, ys).replace(/M[^ML]+(?=M|$)/g, "$&h0"),
				fill: "none",
				stroke: colourOf(colour),
				"stroke-width": 1.75,
				"stroke-linecap": "round",
				"stroke-dasharray": isDashed ? "6 4" : undefined,
			});
		});
		return [...ticks, ...lines];
	});
	return [...distances, ...plots];
}

/**
 * Draws a band in the colours of the classes; values between classes are not drawn.
 * @param {Row} row
 * @param {import("../base/colours.js").PaintedStyle} style
 * @param {number[]} xs of the stops
 * @param {[top: number, height: number]} band
 * @returns {SVGElement[]}
 */
function drawClasses({ values }, style, xs, [top, height]) {
	const colourOf = colours(style);
	const box = { y: top, height: height - 2 };
	return values.flatMap((value, at) => {
		if (value === null) return [];
		const width = (xs[at + 1] ?? xs[at]) - xs[at] + 0.5;
		return [makeSvg("rect", { ...box, x: xs[at], width, fill: cssColour(colourOf(value)) })];
	});
}

/** @param {HTMLElement} root @param {import("@preact/signals-core").ReadonlySignal<boolean>} isOpen @returns {Sheet} */
export function startProfile(root, isOpen) {
	const message = make("p", { class: "inspect-note", role: "status" });
	const list = make("ul", { class: "inspect-list" });
	const plot = make("div", { ...SLIDER, class: "inspect-plot", "aria-label": text("inspect.position") });
	const line = makeSvg("line", { stroke: "currentColor" });
	root.append(message, plot, list);
	const colourOf = colourReader(root);
	effect(() => {
		if (!isOpen.value) return;
		const of = profile.value;
		plot.hidden = list.hidden = of === null;
		message.textContent = of ? wordsOf(of) : text("inspect.noLine");
		if (!of) return;
		const svg = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${heightOf(of)}`, "aria-hidden": "true" });
		svg.append(...draw(of, (name) => `var(${name})`), line);
		plot.replaceChildren(svg);
	});
	effect(() => {
		const of = isOpen.value ? profile.value : null;
		const last = (of?.stops.length ?? 1) - 1;
		const index = at.value === null ? null : Math.min(last, at.value);
		const stop = index === null ? null : of?.stops[index];
		marked.value = stop?.at ?? null;
		line.setAttribute("visibility", stop ? "visible" : "hidden");
		if (!of) return;
		const share = stop ? stop.metres / lengthOf(of) : 0;
		const x = LEFT + share * (WIDTH - LEFT - 6);
		for (const [name, value] of Object.entries({ x1: x, x2: x, y2: heightOf(of) - BELOW - GAP }))
			line.setAttribute(name, String(value));
		const texts = of.rows.map((row) => `${row.name}${index === null ? "" : `: ${valueText(row, index)}`}`);
		list.replaceChildren(
			...texts.map((words, row) => {
				const item = make("li", {}, words);
				item.style.setProperty("--swatch", `var(${of.rows[row].colour})`);
				return item;
			}),
		);
		plot.setAttribute("aria-valuemax", String(last));
		plot.setAttribute("aria-valuenow", String(index ?? 0));
		plot.setAttribute("aria-valuetext", [stop ? lengthText(stop.metres) : "", ...texts].filter(Boolean).join("; "));
	});
	followPlot(plot);
	followMap(isOpen);
	const nameOf = (/** @type {Row} */ { name, units }) => (units ? `${name} (${units})` : name);
	return {
		rows: () => {
			const { stops, rows } = profile.peek() ?? { stops: [], rows: [] };
			const place = [text("inspect.distance"), text("draw.longitude"), text("draw.latitude")];
			const lines = stops.map(({ at: { lon, lat }, metres }, index) => {
				return [Number(metres.toFixed(1)), lon, lat, ...rows.map(({ values }) => values[index])];
			});
			return [[...place, ...rows.map(nameOf)], ...lines];
		},
		svg: () => {
			const of = profile.peek();
			if (!of) return null;
			const key = of.rows.map((row) => ({
				words: nameOf(row),
				colour: colourOf(row.colour),
				dash: row.isDashed ? "6 4" : undefined,
			}));
			const title = `${text("inspect.profile")}, ${lengthText(lengthOf(of))}`;
			return makeFigure({ root, width: WIDTH, height: heightOf(of), title, key, content: draw(of, colourOf) });
		},
		span: () => null,
	};
}

/** @param {HTMLElement} plot */
function followPlot(plot) {
	plot.addEventListener("pointermove", ({ clientX }) => {
		const of = profile.peek();
		if (!of) return;
		const { left, width } = plot.getBoundingClientRect();
		const share = (((clientX - left) / width) * WIDTH - LEFT) / (WIDTH - LEFT - 6);
		const along = of.stops.map(({ metres }) => metres);
		at.value = nearestSecond(along, share * lengthOf(of));
	});
	for (const kind of ["pointerleave", "blur"])
		plot.addEventListener(kind, () => {
			at.value = null;
		});
	plot.addEventListener("keydown", (event) => {
		const last = (profile.peek()?.stops.length ?? 1) - 1;
		const now = at.peek() ?? 0;
		const step = Math.max(1, Math.round(last / 20));
		const goTo = (/** @type {number} */ index) => () => {
			at.value = Math.max(0, Math.min(last, index));
		};
		runKey(event, {
			ArrowLeft: goTo(now - 1),
			ArrowRight: goTo(now + 1),
			PageDown: goTo(now - step),
			PageUp: goTo(now + step),
			Home: goTo(0),
			End: goTo(last),
		});
	});
}

/**
 * Points at the nearest place of the line while the pointer is near it on the map.
 * @param {import("@preact/signals-core").ReadonlySignal<boolean>} isOpen
 */
function followMap(isOpen) {
	let wasNear = false;
	effect(() => {
		const place = pointer.value;
		const of = isOpen.value && place ? profile.peek() : null;
		const cosine = Math.cos(((place?.lat ?? 0) * Math.PI) / 180);
		const away = (of?.stops ?? []).map((stop) =>
			place ? Math.hypot((stop.at.lon - place.lon) * cosine, stop.at.lat - place.lat) : 0,
		);
		const least = away.reduce((one, other) => Math.min(one, other), Number.POSITIVE_INFINITY);
		const near = (NEAR_PX * cosine * 360) / (256 * 2 ** (view.peek()?.zoom ?? 0));
		const isNear = least <= near;
		if (isNear) at.value = away.indexOf(least);
		else if (wasNear) at.value = null;
		wasNear = isNear;
	});
}
