/**
 * The cube of longitude, latitude and time over a rectangle or the map: the positions of its cuts, and the colours of
 * its faces, from loaded cubes.
 *
 * @typedef {{ indexes: number[], columns: number, rows: number }} Grid dates, and cells across and down
 */
import { boxOf, positionsOf } from "../areas/shapes/geometry.js";
import { makeTable } from "../base/colours.js";
import { toPlace } from "../base/permalink.js";
import { chooseTime, sideA, timeDomain, timeIndex, view } from "../base/state.js";
import { cubesOf } from "../map/cubes.js";
import { downAt, isWithin, toBox } from "../map/extent.js";
import { computed } from "../vendor/signals-core.js";
import { cube } from "./marks.js";
import { shownArea } from "./readings.js";

const [MOST_CELLS, MOST_DATES] = [256, 180];
/** Colour of cells that are not loaded: half-transparent grey, little-endian. */
const UNKNOWN = 0x66808080;

/**
 * The rectangle: the visible part of the area that was drawn last, else the map; null if the layer is outside.
 */
export const box = computed(() => {
	const [now, of] = [view.value, sideA.layer.value];
	if (!now || !of) return null;
	const area = shownArea.value;
	const [first, ...others] = [now.bbox, of.bbox, ...(area ? [boxOf(positionsOf(area.geometry))] : [])].map(toBox);
	const inside = others.reduce((one, other) => {
		const turn = 360 * Math.round((one.west + one.east - other.west - other.east) / 720);
		return {
			west: Math.max(one.west, other.west + turn),
			south: Math.max(one.south, other.south),
			east: Math.min(one.east, other.east + turn),
			north: Math.min(one.north, other.north),
		};
	}, first);
	return inside.west < inside.east && inside.south < inside.north ? inside : null;
});

/**
 * The loaded dates around that of the map, and those of its window; cells are pixels of the map.
 * @type {import("@preact/signals-core").ReadonlySignal<Grid | null>}
 */
export const grid = computed(() => {
	const [now, edges, index, loaded] = [view.value, box.value, timeIndex.value, sideA.loadedTimes.value];
	const { instants } = timeDomain.value;
	const cubes = cubesOf(sideA);
	if (!now || !edges || !cubes || index < 0) return null;
	const window = cubes.source.windows[cubes.source.windowAt[index]];
	const there = [...loaded.keys(), window.first, window.first + window.count - 1];
	const [first, last] = [Math.min(...there), Math.min(instants.length - 1, Math.max(...there))];
	const from = Math.max(first, Math.min(index - MOST_DATES / 2, last - MOST_DATES + 1));
	const indexes = Array.from({ length: Math.min(MOST_DATES, last - from + 1) }, (_, at) => from + at);
	const world = 256 * 2 ** now.zoom;
	const { west, south, east, north } = edges;
	const cells = (/** @type {number} */ share) => Math.max(1, Math.min(MOST_CELLS, Math.round(share * world)));
	return { indexes, columns: cells((east - west) / 360), rows: cells(downAt(south) - downAt(north)) };
});

/**
 * Writes the colours of a place at dates into every so manyeth word.
 * @param {{ lng: number, lat: number }} at
 * @param {number[]} indexes
 * @param {(step: number, colour: number) => void} write
 */
function paintPlace(at, indexes, write) {
	const cubes = cubesOf(sideA);
	const legend = sideA.legend.peek();
	const place = toPlace(at);
	if (!cubes || !legend || !isWithin(cubes.bbox, place)) return;
	let [window, whole] = [-1, /** @type {import("../ctc1/source.js").Sample | null} */ (null)];
	for (const [step, index] of indexes.entries()) {
		// A cube has no cell (-1) for a date that it lacks: sample again at the next date.
		if (cubes.source.windowAt[index] !== window || (whole && whole.cell < 0)) {
			window = cubes.source.windowAt[index];
			whole = cubes.source.sampleWindow(place, cubes.zoom(), index);
		}
		const found = whole ?? cubes.layer.sample(place, index);
		const frame = found?.cube.frameOf(cubes.source.times[index]) ?? -1;
		if (!found || found.cell < 0 || frame < 0) {
			if (!found) write(step, UNKNOWN);
			continue;
		}
		write(step, makeTable(legend, sideA.colouring.peek(), found.cube.header)[found.cube.numbersAt(frame)[found.cell]]);
	}
}

/**
 * Paints the colours of points at dates: a pixel per point and date, the dates below one another.
 * @param {HTMLCanvasElement} canvas @param {number} columns @param {number} rows
 * @param {{ indexes: number[], places: { lng: number, lat: number }[] }} of newest date first; points by pixel
 */
function paint(canvas, columns, rows, { indexes, places }) {
	Object.assign(canvas, { width: columns, height: rows });
	const pixels = new ImageData(columns, rows);
	const words = new Uint32Array(pixels.data.buffer);
	for (const [cell, at] of places.entries())
		paintPlace(at, indexes, (step, colour) => {
			words[step * columns + cell] = colour;
		});
	canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}

/** Returns the middles of equal parts of a range. @param {number} count @param {number} from @param {number} to */
const middles = (count, from, to) =>
	Array.from({ length: count }, (_, at) => from + ((at + 0.5) / count) * (to - from));

/**
 * Paints a face: time goes upwards; a row goes from west to east, a column from south to north.
 * @param {HTMLCanvasElement} canvas @param {"lon" | "lat"} along
 */
export function paintFace(canvas, along) {
	const [now, of] = [cube.peek(), grid.peek()];
	if (!now || !of) return;
	const places =
		along === "lon"
			? middles(of.columns, now.west, now.east).map((lng) => ({ lng, lat: now.lat }))
			: middles(of.rows, now.south, now.north).map((lat) => ({ lng: now.lon, lat }));
	paint(canvas, places.length, of.indexes.length, { indexes: of.indexes.toReversed(), places });
}

/** Paints the rectangle at the date of the map, north is up. @param {HTMLCanvasElement} canvas */
export function paintTop(canvas) {
	const [now, of] = [cube.peek(), grid.peek()];
	if (!now || !of) return;
	const across = middles(of.columns, now.west, now.east);
	const places = middles(of.rows, now.north, now.south).flatMap((lat) => across.map((lng) => ({ lng, lat })));
	paint(canvas, of.columns, of.rows, { indexes: [Math.max(0, timeIndex.peek())], places });
}

/** Returns the positions of the cuts, 0 to 1 along each axis. */
export function cutShares() {
	const [now, of] = [cube.value, grid.value];
	if (!now || !of) return { lon: 0, lat: 0, time: 0 };
	return {
		lon: (now.lon - now.west) / (now.east - now.west),
		lat: (now.lat - now.south) / (now.north - now.south),
		time: (timeIndex.value - of.indexes[0] + 0.5) / of.indexes.length,
	};
}

/** Cuts the cube elsewhere. @param {Partial<ReturnType<typeof cutShares>>} shares 0 to 1 */
export function cutAt({ lon, lat, time }) {
	const [now, of] = [cube.peek(), grid.peek()];
	if (!now || !of) return;
	const within = (/** @type {number} */ share) => Math.max(0, Math.min(1, share));
	if (lon !== undefined || lat !== undefined)
		cube.value = {
			...now,
			lon: lon === undefined ? now.lon : now.west + within(lon) * (now.east - now.west),
			lat: lat === undefined ? now.lat : now.south + within(lat) * (now.north - now.south),
		};
	if (time === undefined) return;
	chooseTime(of.indexes[Math.min(of.indexes.length - 1, Math.floor(within(time) * of.indexes.length))]);
}
