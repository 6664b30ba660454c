/**
 * Values of two layers, or of two dates, as a scatter plot with histograms; of the area that was drawn last, or the
 * map.
 *
 * @typedef {import("../base/state.js").Side} Side
 * @typedef {import("../chart/series/figure.js").Sheet} Sheet
 * @typedef
 *   {{ names: string[], columns: number[][], isSameGrid: boolean, isPartial: boolean, isMean: boolean, step: number,
 *   place: string }}
 *   Pairs
 *   values of the first layer and of the second, if there is one
 */
import { polygonsOf } from "../areas/shapes/geometry.js";
import { colourReader, make } from "../base/elements.js";
import { toPlace } from "../base/permalink.js";
import { hasAmounts, isMoving, view } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { unitText } from "../base/units.js";
import { roundValues, shareOf } from "../base/value-scale.js";
import { label, makeFigure, makeSvg } from "../chart/series/figure.js";
import { placeName } from "../chart/series/line-labels.js";
import { valueRange } from "../chart/series/scales.js";
import { formatExact, formatNumber, summarise } from "../chart/series/series.js";
import { cubesOf } from "../map/cubes.js";
import { isWithin } from "../map/extent.js";
import { maps } from "../map/map.js";
import { insideRings } from "../map/rings.js";
import { formatLength, pixelLength } from "../time/resolution.js";
import { effect, signal } from "../vendor/signals-core.js";
import { followSide, shownArea, shownSides } from "./readings.js";
import { fitOf } from "./samples.js";

/** Maximum number of sampled pixels of the map. */
const MOST_PIXELS = 120_000;
/** Counting takes a fraction of a second, and would disturb movements of the map. */
const WAIT_MS = 150;
const [SIZE, LEFT, BELOW, MARGIN, BINS] = [290, 46, 36, 40, 48];

/**
 * Returns the loaded cell of a side at a point: "partial" if it is not loaded, null if there is no value.
 * @param {Side} side
 * @param {import("../base/permalink.js").Point} at
 */
function cellAt(side, at) {
	const cubes = cubesOf(side);
	if (!cubes || !isWithin(cubes.bbox, at)) return null;
	const cellSample = cubes.layer.sample(at, Math.max(0, side.timeIndex.peek()));
	if (!cellSample || cellSample.isPreview) return "partial";
	if (cellSample.frame < 0 || cellSample.cell < 0) return null;
	const { cube, frame, cell } = cellSample;
	const number = cube.numbersAt(frame)[cell];
	const value = cube.beyond(number) === 0 ? cube.exactValueOf(number) : null;
	return value === null ? null : { value, cube, cell };
}

/**
 * Returns the values at points where all sides have one: each cell once if they share a grid, else per pixel of the
 * map.
 * @param {{ side: Side, name: string }[]} of one or two
 * @param {number[][][] | null} rings of the area to which it is restricted
 * @returns {Omit<Pairs, "place">}
 */
function pairsOf(of, rings) {
	const [map] = maps.peek();
	const { x: width, y: height } = map.getSize();
	const step = Math.ceil(Math.sqrt((width * height) / MOST_PIXELS));
	const across = Math.ceil(Math.max(width, height) / step);
	const corner = map.getPixelBounds().min ?? { x: 0, y: 0 };
	const size = across * step;
	const tile = { z: Math.log2((256 * 2 ** map.getZoom()) / size), x: corner.x / size, y: corner.y / size };
	const isInside = rings && insideRings(rings, tile, across, across);
	/**
	 * Cells of the first side, by cube; if both sides share a grid, the cells of the second side are the same.
	 * @type {Map<object, Set<number>>}
	 */
	const seen = new Map();
	const columns = of.map(() => /** @type {number[]} */ ([]));
	let [isPartial, isMean, isSameGrid] = [false, false, true];
	for (let index = 0; index < across * across; index++) {
		const [x, y] = [((index % across) + 0.5) * step, (Math.floor(index / across) + 0.5) * step];
		if (x >= width || y >= height || (isInside && !isInside[index])) continue;
		const at = toPlace(map.containerPointToLatLng([x, y]));
		const all = of.map(({ side }) => cellAt(side, at));
		isPartial ||= all.includes("partial");
		const found = all.flatMap((cell) => (cell && cell !== "partial" ? [cell] : []));
		if (found.length < of.length) continue;
		isSameGrid &&= found.every(({ cube, cell }) => cube.layout === found[0].cube.layout && cell === found[0].cell);
		const [{ cube: first, cell: place }] = found;
		const cells = seen.get(first) ?? new Set();
		if (isSameGrid && cells.has(place)) continue;
		seen.set(first, cells.add(place));
		isMean ||= found.some(({ cube }) => cube.header.mean === true);
		for (const [side, { value }] of found.entries()) columns[side].push(value);
	}
	return { names: of.map(({ name }) => name), columns, isSameGrid, isPartial, isMean, step };
}

/** Counts the entries per bin. @param {number} count number of bins @param {number[]} bins */
function countsOf(count, bins) {
	const counts = new Array(count).fill(0);
	for (const bin of bins) counts[bin] += 1;
	return counts;
}

/** @param {Pairs} pairs @param {(name: string) => string} colourOf @returns {SVGElement[]} */
function draw({ names, columns }, colourOf) {
	const scales = columns.map((values) => {
		const [low, high] = valueRange(least(values), -least(values.map((value) => -value)));
		return { low, high, isLog: false };
	});
	const bins = columns.map((values, side) => values.map((value) => Math.floor(shareOf(scales[side], value) * BINS)));
	const isAlone = columns.length === 1;
	const [bar, bottom, ink] = [SIZE / BINS, MARGIN + SIZE, colourOf("--text-soft")];
	const centred = { "font-size": 11, "text-anchor": "middle" };
	const content = columns.flatMap((_, side) => {
		const counts = countsOf(BINS, bins[side]);
		const most = Math.max(...counts);
		const room = isAlone ? SIZE / 2 : MARGIN - 4;
		const bars = counts.map((count, bin) => {
			const long = (count / most) * room;
			const base = isAlone ? bottom : MARGIN;
			const box =
				side === 0
					? { x: LEFT + bin * bar, y: base - long, width: bar, height: long }
					: { x: LEFT + SIZE + 4, y: bottom - (bin + 1) * bar, width: long, height: bar };
			return makeSvg("rect", { ...box, fill: colourOf("--bar") });
		});
		const ticks = roundValues(scales[side], 5).map((value) => {
			const [place, words] = [shareOf(scales[side], value) * SIZE, formatExact(value, locale())];
			if (side === 0) return label(LEFT + place, bottom + 14, ink, words, centred);
			return label(LEFT - 5, bottom - place + 4, ink, words, { ...centred, "text-anchor": "end" });
		});
		const turned = { ...centred, transform: `translate(11 ${MARGIN + SIZE / 2}) rotate(-90)` };
		const title =
			side === 0 ? label(LEFT + SIZE / 2, bottom + 30, ink, names[0], centred) : label(0, 0, ink, names[1], turned);
		return [...bars, ...ticks, title];
	});
	const frame = { x: LEFT, width: SIZE, fill: "none", stroke: colourOf("--line") };
	if (isAlone) return [makeSvg("rect", { ...frame, y: MARGIN + SIZE / 2, height: SIZE / 2 }), ...content];
	const density = countsOf(
		BINS * BINS,
		bins[0].map((bin, at) => bin + BINS * bins[1][at]),
	);
	const most = Math.log1p(Math.max(...density));
	const dots = density.flatMap((count, bin) => {
		if (count === 0) return [];
		const [x, y] = [LEFT + (bin % BINS) * bar, bottom - (Math.floor(bin / BINS) + 1) * bar];
		const shade = (0.15 + 0.85 * (Math.log1p(count) / most)).toFixed(2);
		const [width, height] = [bar + 0.3, bar + 0.3];
		return [makeSvg("rect", { x, y, width, height, fill: colourOf("--accent"), "fill-opacity": shade })];
	});
	return [makeSvg("rect", { ...frame, y: MARGIN, height: SIZE }), ...dots, ...content];
}

/** @param {number[]} values */
const least = (values) => values.reduce((one, other) => Math.min(one, other), Number.POSITIVE_INFINITY);

/** Returns the text below the plot. @param {Pairs} pairs @returns {string[]} */
function wordsOf({ columns, isSameGrid, isPartial, isMean, step, place }) {
	const write = (value = Number.NaN) => (Number.isFinite(value) ? formatNumber(value, locale()) : "–");
	const at = view.peek();
	const means = isMean && at && text("inspect.means", { length: formatLength(pixelLength(at.zoom, at.lat), locale()) });
	const sampled = step > 1 && text("inspect.sampled", { count: Math.round(step * step) });
	const notes = [place, sampled, means, isPartial && text("inspect.loading")].flatMap((each) => each || []);
	if (columns.length === 1) {
		const statistics = summarise(columns[0]);
		const words = { count: statistics?.valid ?? 0, mean: write(statistics?.mean), std: write(statistics?.std) };
		return [text("inspect.spread", words), ...notes, text("inspect.oneLayer")];
	}
	const { count, r, slope } = fitOf(columns[0], columns[1]);
	const grid = text(isSameGrid ? "inspect.sameGrid" : "inspect.otherGrid");
	return [text("inspect.fit", { count, r: write(r), slope: write(slope) }), grid, ...notes];
}

/** @param {HTMLElement} root @param {import("@preact/signals-core").ReadonlySignal<boolean>} isOpen @returns {Sheet} */
export function startScatter(root, isOpen) {
	const pairs = signal(/** @type {Pairs | null} */ (null));
	/** Whether a layer without amounts is not plotted. */
	const leftOut = signal(false);
	const message = make("p", { class: "inspect-note", role: "status" });
	const plot = make("div", { class: "inspect-plot", role: "img" });
	root.append(plot, message);
	const colourOf = colourReader(root);
	effect(() => {
		const all = shownSides();
		for (const { side } of all) followSide(side);
		// Codes of classes are not amounts.
		const numbers = all.filter(({ side }) => hasAmounts(side) !== false);
		const sides = numbers.slice(0, 2);
		const area = shownArea.value;
		if (!isOpen.value || !view.value || isMoving.value) return;
		const count = () => {
			const namedSides = sides.map(({ side, name }) => {
				const units = unitText(side.layer.peek()?.units);
				return { side, name: units ? `${name} (${units})` : name };
			});
			leftOut.value = numbers.length < Math.min(2, all.length);
			const rings = area ? polygonsOf(area.geometry).flat() : null;
			pairs.value =
				namedSides.length > 0 ? { ...pairsOf(namedSides, rings), place: area ? placeName(area) : "" } : null;
		};
		const waiting = window.setTimeout(count, WAIT_MS);
		return () => window.clearTimeout(waiting);
	});
	const content = (/** @type {(name: string) => string} */ colours) =>
		pairs.value && pairs.value.columns[0].length > 0 ? draw(pairs.value, colours) : null;
	const [width, height] = [LEFT + SIZE + MARGIN, MARGIN + SIZE + BELOW];
	effect(() => {
		const drawn = content((name) => `var(${name})`);
		plot.hidden = drawn === null;
		const sentences = [
			...(pairs.value ? wordsOf(pairs.value) : []),
			...(leftOut.value ? [text("inspect.noClasses")] : []),
		];
		message.replaceChildren(...sentences.map((words) => make("span", {}, words)));
		if (!drawn || !pairs.value) return;
		const top = pairs.value.columns.length === 1 ? MARGIN + SIZE / 2 - 4 : 0;
		const [one, other] = pairs.value.names;
		plot.setAttribute("aria-label", other ? text("inspect.density", { one: other, other: one }) : one);
		plot.replaceChildren(
			makeSvg("svg", { viewBox: `0 ${top} ${width} ${height - top}`, "aria-hidden": "true" }, ...drawn),
		);
	});
	return {
		rows: () => {
			const now = pairs.peek();
			return now ? [now.names, ...now.columns[0].map((_, at) => now.columns.map((column) => column[at]))] : [];
		},
		svg: () => {
			const [now, drawn] = [pairs.peek(), content(colourOf)];
			return now && drawn && makeFigure({ root, width, height, title: wordsOf(now)[0], key: [], content: drawn });
		},
		span: () => null,
	};
}
