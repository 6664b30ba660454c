/**
 * Reads values, series and counts from the loaded cubes of a map. Previews are never read, because their numbers are
 * means.
 *
 * @typedef {import("../ctc1/decode.js").Cube} Cube
 * @typedef {import("../ctc1/decode.js").Header} Header
 * @typedef {import("../ctc1/leaflet.js").CubeLayer} CubeLayer
 * @typedef {import("../ctc1/loader.js").Tile} Tile
 * @typedef {import("../ctc1/source.js").CubeSource} CubeSource
 * @typedef {import("../base/permalink.js").Point} Point
 * @typedef {import("../vendor/leaflet.js").Map} LeafletMap
 * @typedef {{
 *   value: number | null, beyond: number, flag: string | null, isFilled: boolean, isApproximate: boolean,
 *   isMean: boolean, zoom: number, from: string | null, isUnreadable: boolean, count: number,
 * }} Reading `count` is the number of values behind it, 0 if unknown; `beyond` is 1 if the value is this or above, -1
 *   if it is this or below; `from` is its date; `zoom` is that of the tile
 * @typedef {{
 *   counts: Float64Array, low: number, high: number, valid: number, beyond: number, total: number, mean: number,
 * }} Histogram
 *   counts in equal bins from `low` to `high`; values outside are in the first and the last bin, except values
 *   beyond the range of the cube, which are counted in `beyond` only
 */
import { isGapFilled } from "../base/state.js";
import { boxOfTile, isWithin, shareWithin } from "./extent.js";
import { insideRings } from "./rings.js";

const BINS = 64;
const TILE_PX = 256;

export class CubeReader {
	/** Whether numbers are of periods and not of the layer's own dates. */
	areOfPeriods = false;
	/** Finer tiles of the current date, while they are shown. @type {CubeLayer | null} */
	detail = null;

	/** Cells of the tiles inside the visible part of the world, by tile. */
	#seen = { ring: "", cells: /** @type {Map<string, Uint8Array>} */ (new Map()) };

	/**
	 * @param {LeafletMap} map
	 * @param {CubeLayer} layer
	 * @param {CubeSource} source
	 * @param {import("../base/permalink.js").BBox} bbox of the layer
	 */
	constructor(map, layer, source, bbox) {
		this.bbox = bbox;
		this.map = map;
		this.layer = layer;
		this.source = source;
	}

	/** Returns the current tiles of the map. @returns {Tile[]} */
	tiles() {
		return this.layer.painter.dataTiles;
	}

	/** Zoom of the tiles. */
	zoom() {
		return Math.round(this.map.getZoom());
	}

	/** Whether gaps are filled everywhere on the map at the visible date. */
	isAllFilled() {
		return this.layer.painter.isAllFilled;
	}

	/**
	 * Returns the value at a point at a date; null if it is not loaded.
	 * @param {Point} point
	 * @param {number} timeIndex
	 * @returns {Reading | null}
	 */
	numbersAt(point, timeIndex) {
		const index = Math.max(0, timeIndex);
		const from = this.source.times[index];
		const nothing = {
			value: null,
			beyond: 0,
			flag: null,
			isFilled: false,
			isApproximate: false,
			isMean: false,
			zoom: 0,
			from,
			isUnreadable: false,
			count: 0,
		};
		if (!isWithin(this.bbox, point)) return nothing;
		const cellSample = this.detail?.sample(point, index) ?? this.layer.sample(point, index);
		if (!cellSample || cellSample.isPreview) return null;
		const { cube, frame, cell } = cellSample;
		if (frame < 0) return { ...nothing, isUnreadable: cube.header.unreadable?.includes(String(from)) ?? false };
		const number = cube.numbersAt(frame)[cell];
		const value = cube.exactValueOf(number);
		const flag = cube.flags.get(number) ?? null;
		const isMean = cube.header.mean === true;
		const zoom = Number(cube.header.z);
		const count = cube.counts?.[frame * cube.size + cell] ?? 0;
		const how = { flag, beyond: cube.beyond(number), isApproximate: cube.isApproximate, isMean, zoom, count };
		if (value !== null || !isGapFilled.peek()) return { ...nothing, ...how, value };
		const last = this.#lastValue(point, index);
		return last ? { ...nothing, ...how, ...last, isFilled: true } : { ...nothing, ...how };
	}

	/**
	 * Returns the last value up to a date, from its window or the one before.
	 * @param {Point} point
	 * @param {number} index
	 * @returns {{ value: number | null, beyond: number, from: string | null } | null}
	 */
	#lastValue(point, index) {
		const zoom = this.zoom();
		const now = this.source.sampleWindow(point, zoom, index);
		for (const sample of [now, this.source.sampleBefore(point, zoom, index)]) {
			if (!sample) return null;
			const { cube, frame, cell } = sample;
			if (frame < 0) continue;
			const last = cube.lastValid(frame, cell);
			if (last < 0) continue;
			const number = cube.numbersAt(last)[cell];
			return { value: cube.exactValueOf(number), beyond: cube.beyond(number), from: cube.header.times[last] };
		}
		return null;
	}

	/**
	 * Returns the values at a point at the loaded dates; null if there are none, or if cubes do not have the exact values.
	 * @param {Point} point
	 * @param {import("../ctc1/source.js").Window[]} [windows] to which it is restricted
	 * @returns {{ times: string[], values: (number | null)[], isApproximate: boolean } | null}
	 */
	seriesAt(point, windows = this.source.windows) {
		if (this.areOfPeriods) return null;
		/** @type {string[]} */
		const times = [];
		/** @type {(number | null)[]} */
		const values = [];
		let isNear = false;
		for (const { first, count } of windows) {
			const sample = this.source.sampleWindow(point, this.zoom(), first);
			if (!sample) continue;
			const { cube, cell } = sample;
			isNear ||= cube.isApproximate;
			for (let index = first; index < first + count; index++) {
				const frame = cell < 0 ? -1 : cube.frameOf(this.source.times[index]);
				const number = frame < 0 ? -1 : cube.numbersAt(frame)[cell];
				if (cube.beyond(number) !== 0) return null;
				times.push(String(this.source.times[index]));
				values.push(frame < 0 ? null : cube.exactValueOf(number));
			}
		}
		return times.length === 0 ? null : { times, values, isApproximate: isNear };
	}

	/**
	 * Returns the histogram of the values on the map at a date, without filled ones; null if it is not completely loaded.
	 * @param {number} timeIndex @param {number} [bins] number, from the smallest to the largest value
	 * @returns {Histogram | null}
	 */
	histogram(timeIndex, bins = BINS) {
		/** @type {Map<number, number>} */
		const byValue = new Map();
		let [total, valid, beyond, sum] = [0, 0, 0, 0];
		const inSight = this.#ringInSight();
		if (inSight.join() !== this.#seen.ring) this.#seen = { ring: inSight.join(), cells: new Map() };
		for (const tile of this.tiles()) {
			const frameOfTile = this.source.find(tile, Math.max(0, timeIndex));
			if (!frameOfTile || frameOfTile.isPreview) return null;
			const { cube, frame } = frameOfTile;
			if (frame < 0) continue;
			const [w, h] = cube.header.cells ? [TILE_PX, TILE_PX] : [cube.header.w, cube.header.h];
			const key = JSON.stringify([tile, w, h]);
			const cells = this.#seen.cells.get(key) ?? insideRings([inSight], tile, w, h);
			this.#seen.cells.set(key, cells);
			const counts = countNumbers(cube, frame, cells);
			for (let number = 0; number < counts.length; number++) {
				const count = counts[number];
				if (count === 0) continue;
				total += count;
				const value = cube.valueOf(number);
				if (value === null) continue;
				if (cube.beyond(number) !== 0) {
					beyond += count;
					continue;
				}
				valid += count;
				sum += count * value;
				byValue.set(value, (byValue.get(value) ?? 0) + count);
			}
		}
		const values = [...byValue.keys()];
		const low = values.reduce((one, other) => Math.min(one, other), Infinity);
		const high = values.reduce((one, other) => Math.max(one, other), -Infinity);
		const counts = new Float64Array(bins);
		for (const [value, count] of byValue) {
			counts[Math.min(bins - 1, Math.floor((bins * (value - low)) / (high - low || 1)))] += count;
		}
		return { counts, low, high, valid, beyond, total, mean: sum / valid };
	}

	/**
	 * Returns the visible part of the world as a ring, with its centre between -180 and 180 degrees.
	 * @returns {number[][]}
	 */
	#ringInSight() {
		const seen = this.map.wrapLatLngBounds(this.map.getBounds());
		const [west, south, east, north] = seen.toBBoxString().split(",").map(Number);
		return [
			[west, south],
			[east, south],
			[east, north],
			[west, north],
		];
	}

	/**
	 * Returns the encoding of the numbers on the map at a date; undefined while none are loaded.
	 * @param {number} timeIndex
	 * @returns {Header | undefined}
	 */
	headerAt(timeIndex) {
		const frames = this.tiles().map((tile) => this.source.find(tile, Math.max(0, timeIndex)));
		return frames.find((each) => each && !each.isPreview && each.frame >= 0)?.cube.header;
	}

	/**
	 * Returns indexes of the dates that are missing in the cubes, because the server could not read them.
	 * @returns {Set<number>}
	 */
	unreadableDates() {
		const cubes = this.source.windows.flatMap(({ first }) =>
			this.tiles().map((tile) => this.source.findWindow(tile, first)),
		);
		const times = new Set(cubes.flatMap((cube) => cube?.header.unreadable ?? []));
		const indexes = [...times].map((time) => this.source.times.indexOf(time)).filter((index) => index >= 0);
		return new Set(indexes.sort((one, other) => one - other));
	}

	/** Addresses of the cubes of the map that lack items. @returns {string[]} */
	incompleteUrls() {
		const { source } = this;
		const urls = this.tiles().flatMap((tile) => source.times.flatMap((_, index) => source.urlsOf(tile, index)));
		return [...new Set(urls)].filter((url) => source.loader.has(url) && source.loader.get(url)?.header.left_out);
	}

	/**
	 * Ids of items that a date lacks on the map, since the server could not read them.
	 * @param {number} timeIndex
	 * @returns {string[]}
	 */
	leftOut(timeIndex) {
		const index = Math.max(0, timeIndex);
		const cubes = this.tiles().map((tile) => this.source.find(tile, index)?.cube);
		const items = cubes.flatMap((cube) => cube?.header.left_out?.[String(this.source.times[index])] ?? []);
		return [...new Set(items)].sort();
	}

	/**
	 * Returns the fraction of the layer's part of the visible tiles that has values, by date; null if unknown.
	 * @param {number} now index of the current date
	 * @returns {(number | null)[]}
	 */
	shares(now) {
		/** @type {(number | null)[]} */
		const shares = this.source.times.map(() => null);
		const tiles = this.tiles();
		const whole = tiles.reduce((sum, tile) => sum + shareWithin(this.bbox, boxOfTile(tile)), 0);
		if (whole === 0) return shares;
		const fill = (/** @type {number} */ index, /** @type {(Cube | undefined)[]} */ found) => {
			if (found.includes(undefined)) return;
			const cubes = /** @type {Cube[]} */ (found);
			const time = this.source.times[index];
			const sum = cubes.reduce((all, cube) => all + (cube.header.valid[cube.frameOf(time)] ?? 0), 0);
			shares[index] = Math.min(1, sum / whole);
		};
		for (const { first, count } of this.source.windows) {
			const cubes = tiles.map((tile) => this.source.findAnyWindow(tile, first));
			for (let index = first; index < first + count; index++) fill(index, cubes);
		}
		const cubes = tiles.map((tile) => this.source.find(tile, now)?.cube);
		fill(now, cubes);
		return shares;
	}
}

/** Index of the number of each pixel of a tile, for cubes of native cells. @type {WeakMap<Cube, Int32Array>} */
const pixels = new WeakMap();

/**
 * Counts each number in a frame, for the pixels with `isCounted` 1.
 * @param {Cube} cube
 * @param {number} frame
 * @param {Uint8Array} isCounted
 */
function countNumbers(cube, frame, isCounted) {
	const counts = new Uint32Array(cube.header.dtype === "uint8" ? 0x100 : 0x10000);
	const numbers = cube.numbersAt(frame);
	if (!cube.header.cells) {
		for (let at = 0; at < numbers.length; at++) counts[numbers[at]] += isCounted[at];
		return counts;
	}
	const cells = pixels.get(cube) ?? cube.cellsIn({ left: 0, top: 0, width: 1 }, TILE_PX);
	pixels.set(cube, cells);
	for (let at = 0; at < cells.length; at++) if (cells[at] >= 0) counts[numbers[cells[at]]] += isCounted[at];
	return counts;
}
