/**
 * The cubes of one layer: the windows of its dates, the cubes that a view needs, and the loaded ones.
 *
 * Dates are requested by calendar years, so that the same addresses serve all clients; if a year has too many dates, by
 * quarters, months or days. A single date without movement through time is a separate, small cube.
 *
 * @typedef {import("./decode.js").Cube} Cube
 * @typedef {import("./loader.js").CubeLoader} CubeLoader
 * @typedef {import("./loader.js").Tile} Tile
 * @typedef {import("./loader.js").Wanted} Wanted
 * @typedef {import("./worker.js").Failure} Failure
 * @typedef {{ first: number, count: number, datetime: string | null }} Window dates that are loaded together
 * @typedef {{ cube: Cube, frame: number, isPreview: boolean }} Found `frame` is -1 if the tile has no data at the date
 * @typedef {{ lon: number, lat: number }} Place in degrees
 * @typedef {Found & { cell: number }} Sample `cell` is the index of the number in the frame; -1 outside the layer
 * @typedef {{ of: string, cells: Int32Array }} Layout index of the number that each pixel of a tile shows, for cubes of
 *   that layout
 * @typedef {{
 *   index: number, isMoving: boolean, isEngaged: boolean, isFrugal: boolean, isFilled?: boolean, isDragged?: boolean,
 *   ahead?: number, also?: number[],
 * }} Need the date; whether time is moving; whether it may move soon; whether to save bytes; whether gaps show earlier
 *   values; whether a pointer drags time, so that nothing is loaded in advance; the date to which time may go next (-1
 *   if there is none); and additional dates
 */
import { FIRST, PATIENT } from "./loader.js";
import { spanText } from "./periods.js";
import { ownOf } from "./reduce.js";

const TILE_PX = 256;

/**
 * Returns the tile of spherical Mercator with a point, and the position in it, both from 0 to 1.
 * @param {Place} place
 * @param {number} zoom
 */
export function locate({ lon, lat }, zoom) {
	const tiles = 2 ** zoom;
	const sine = Math.sin((lat * Math.PI) / 180);
	const turn = lon / 360 + 0.5;
	const left = (turn - Math.floor(turn)) * tiles;
	const top = (0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) * tiles;
	const [x, y] = [Math.floor(left), Math.floor(top)];
	return { tile: { z: zoom, x, y }, across: left - x, down: top - y };
}

/** Returns the distance of a tile's middle from a point, in tiles. @param {Tile} tile @param {Place} place */
export function distanceOf({ z, x, y }, place) {
	const { tile, across, down } = locate(place, z);
	const right = Math.abs(x + 0.5 - tile.x - across);
	return Math.hypot(Math.min(right, 2 ** z - right), y + 0.5 - tile.y - down);
}

/**
 * @param {Cube | undefined} cube
 * @param {string | null} time
 * @param {boolean} [isPreview]
 * @returns {Found | null} null without a cube
 */
const foundIn = (cube, time, isPreview = false) => (cube ? { cube, frame: cube.frameOf(time), isPreview } : null);

/** Dates of a cube, at most: 6 MiB of numbers of 8 bits. */
export const MAX_DATES = 96;
/** Dates from the end of a window at which the next one is loaded, as a fraction of the window. */
const NEAR_SHARE = 0.2;
const TILE_CELLS = TILE_PX * TILE_PX;

/** Months of a year and a quarter, a month, and 0 of a day. */
const SPANS = [12, 3, 1, 0];

/**
 * Returns the windows of dates in order; together they contain all dates.
 * @param {(string | null)[]} times RFC 3339; one null for a layer without time
 * @returns {Window[]}
 */
export function windowsOf(times) {
	if (times[0] === null) return [{ first: 0, count: 1, datetime: null }];
	const instants = times.map((time) => Date.parse(String(time)));
	return split(instants, 0, instants.length, 0);
}

/**
 * @param {number[]} instants
 * @param {number} first
 * @param {number} end
 * @param {number} level which of SPANS
 * @returns {Window[]}
 */
function split(instants, first, end, level) {
	/** @type {Window[]} */
	const windows = [];
	for (let at = first; at < end; ) {
		const datetime = spanText(instants[at], SPANS[level]);
		let next = at + 1;
		while (next < end && spanText(instants[next], SPANS[level]) === datetime) next++;
		if (next - at > MAX_DATES && level + 1 < SPANS.length) windows.push(...split(instants, at, next, level + 1));
		else windows.push({ first: at, count: next - at, datetime });
		at = next;
	}
	return windows;
}

export class CubeSource {
	/** Bytes per number, from the last loaded cube. */
	#width = 1;
	/** @type {Map<string, string>} */
	#queries = new Map();
	/** The last zoom of requests, that of the layer's native cells: finer tiles are parts of its tiles. */
	maxZoom = Number.POSITIVE_INFINITY;

	/**
	 * @param {object} options
	 * @param {string} options.template with {z}, {x} and {y}; with {datetime}, for files
	 * @param {(string | null)[]} options.times as /layers/{layer}/times lists them; [null] for a layer without time
	 * @param {CubeLoader} options.loader
	 * @param {string} [options.revision] of the layer; with it the browser caches cubes
	 * @param {Window[]} [options.windows] by default years or parts of them
	 * @param {string} [options.order] request of periods that replace dates: the part after `#` (reduce.js)
	 * @param {boolean} [options.areApart] whether single dates can be requested
	 */
	constructor({ template, times, loader, revision = "", windows = windowsOf(times), order = "", areApart = true }) {
		this.template = template;
		/** Whether cubes are files, one per window: smaller parts cannot be requested. */
		this.isOfFiles = template.includes("{datetime}");
		this.times = times;
		this.loader = loader;
		this.revision = revision;
		this.windows = windows;
		this.order = order;
		this.areApart = areApart;
		/** Index of the window of each date. */
		this.windowAt = new Uint32Array(times.length);
		for (const [index, { first, count }] of this.windows.entries()) this.windowAt.fill(index, first, first + count);
	}

	/** Returns the tile whose cubes are requested to draw a tile. @param {Tile} tile @returns {Tile} */
	dataTile(tile) {
		const finer = tile.z - this.maxZoom;
		if (finer <= 0) return tile;
		return { z: this.maxZoom, x: Math.floor(tile.x / 2 ** finer), y: Math.floor(tile.y / 2 ** finer) };
	}

	/**
	 * Returns the index of the number that each of the `size` by `size` pixels of a tile shows.
	 * @param {Tile} tile
	 * @param {Cube} cube of its `dataTile`
	 * @param {number} size
	 * @param {Layout | null} [known] the previous layout
	 * @returns {Layout}
	 */
	layout(tile, cube, size, known = null) {
		if (known?.of === cube.layout) return known;
		const data = this.dataTile(tile);
		const across = 2 ** (tile.z - data.z);
		const part = { left: tile.x / across - data.x, top: tile.y / across - data.y, width: 1 / across };
		return { of: cube.layout, cells: cube.cellsIn(part, size) };
	}

	/** @param {Tile} tile @param {string | null} datetime @param {1 | 2} res */
	url({ z, x, y }, datetime, res) {
		const path = this.template.replace("{z}", String(z)).replace("{x}", String(x)).replace("{y}", String(y));
		const base = this.isOfFiles
			? path.replace("{datetime}", datetime?.replace("/", "_") ?? "all")
			: path + this.#query(datetime, res, res === 1 && z === this.maxZoom);
		return base + this.order;
	}

	/**
	 * @param {string | null} datetime
	 * @param {1 | 2} res
	 * @param {boolean} isOfCells whether the native cells of the layer are requested
	 */
	#query(datetime, res, isOfCells) {
		const key = `${datetime} ${res} ${isOfCells}`;
		const cachedQuery = this.#queries.get(key);
		if (cachedQuery !== undefined) return cachedQuery;
		const query = new URLSearchParams();
		if (datetime !== null) query.set("datetime", datetime);
		if (res !== 1) query.set("res", String(res));
		if (this.revision) query.set("rev", this.revision);
		if (isOfCells) query.set("cells", "1");
		const text = query.toString().replaceAll("%2F", "/").replaceAll("%3A", ":");
		const made = text ? `${this.template.includes("?") ? "&" : "?"}${text}` : "";
		this.#queries.set(key, made);
		return made;
	}

	/**
	 * Returns the addresses for a date: its window with all cells, the date alone, its window at half resolution.
	 * @param {Tile} tile
	 * @param {number} index
	 * @returns {[full: string, single: string, preview: string]}
	 */
	#urls(tile, index) {
		const window = this.windows[this.windowAt[index]];
		return [
			this.url(tile, window.datetime, 1),
			this.#single(tile, index),
			this.#hasParts(window) ? this.url(tile, window.datetime, 2) : "",
		];
	}

	/** @param {Tile} tile @param {number} index */
	#single(tile, index) {
		const window = this.windows[this.windowAt[index]];
		return this.url(tile, this.areApart && this.#hasParts(window) ? this.times[index] : window.datetime, 1);
	}

	/** Whether a part of a window can be requested. @param {Window} window */
	#hasParts({ count }) {
		return count > 1 && !this.isOfFiles;
	}

	/**
	 * Returns the best loaded cube of a date. If gaps shall be filled, a preview of its window is better than the date
	 * alone, which has no other dates to fill them with.
	 * @param {Tile} tile @param {number} index @param {boolean} [isFilled] @returns {Found | null}
	 */
	find(tile, index, isFilled = false) {
		const [full, single, preview] = this.#urls(tile, index);
		for (const url of isFilled ? [full, preview, single] : [full, single, preview]) {
			const cube = url === "" ? undefined : this.loader.get(url);
			if (cube) return foundIn(cube, this.times[index], url === preview);
		}
		return null;
	}

	/** Addresses of the cubes that hold a date. @param {Tile} tile @param {number} index @returns {string[]} */
	urlsOf(tile, index) {
		return this.#urls(tile, index).filter((url) => url !== "");
	}

	/**
	 * Returns the value at a point and a date; null if it is not loaded.
	 * @param {Place} place
	 * @param {number} zoom of the tiles
	 * @param {number} index
	 * @returns {Sample | null}
	 */
	sample(place, zoom, index) {
		return this.#sampled(place, zoom, (tile) => this.find(tile, index));
	}

	/** Like `sample`, but only from cubes of windows. @param {Place} place @param {number} zoom @param {number} index */
	sampleWindow(place, zoom, index) {
		return this.#sampled(place, zoom, (tile) => foundIn(this.findWindow(tile, index), this.times[index]));
	}

	/**
	 * Returns the value at a point at the last date of the window before that of a date.
	 * @param {Place} place
	 * @param {number} zoom
	 * @param {number} index
	 */
	sampleBefore(place, zoom, index) {
		return this.#sampled(place, zoom, (tile) => this.findBefore(tile, index));
	}

	/** @param {Place} place @param {number} zoom @param {(tile: Tile) => Found | null} find @returns {Sample | null} */
	#sampled(place, zoom, find) {
		const { tile, across, down } = locate(place, Math.min(zoom, this.maxZoom));
		const cubeFrame = find(tile);
		if (!cubeFrame) return null;
		const cell = cubeFrame.frame < 0 ? -1 : cubeFrame.cube.cellAt(across, down);
		return { ...cubeFrame, frame: cell < 0 ? -1 : cubeFrame.frame, cell };
	}

	/**
	 * Returns the loaded window of a date with all its cells.
	 * @param {Tile} tile
	 * @param {number} index
	 * @returns {Cube | undefined}
	 */
	findWindow(tile, index) {
		return this.loader.get(this.url(tile, this.windows[this.windowAt[index]].datetime, 1));
	}

	/**
	 * Returns the loaded window of a date, with all its cells or at half resolution.
	 * @param {Tile} tile
	 * @param {number} index
	 * @returns {Cube | undefined}
	 */
	findAnyWindow(tile, index) {
		const { datetime } = this.windows[this.windowAt[index]];
		return this.loader.get(this.url(tile, datetime, 1)) ?? this.loader.get(this.url(tile, datetime, 2));
	}

	/**
	 * Returns the last date of the window before that of a date; null if it is not loaded.
	 * @param {Tile} tile
	 * @param {number} index
	 * @returns {Found | null}
	 */
	findBefore(tile, index) {
		const before = this.windows[this.windowAt[index] - 1];
		if (!before) return null;
		return foundIn(this.loader.get(this.url(tile, before.datetime, 1)), this.times[before.first + before.count - 1]);
	}

	/**
	 * Returns the failure of a date; undefined while it may still load.
	 * @param {Tile} tile
	 * @param {number} index
	 * @returns {Failure | undefined}
	 */
	failure(tile, index) {
		return this.loader.failure(this.#single(tile, index));
	}

	/** Whether the window of a date failed for all these tiles. @param {Tile[]} tiles @param {number} index */
	isRefused(tiles, index) {
		const { datetime } = this.windows[this.windowAt[index]];
		return tiles.every((tile) => this.loader.failure(this.url(tile, datetime, 1)) !== undefined);
	}

	/**
	 * Returns how much of each window, and of the current date, is loaded for all these tiles. Failed cubes count as
	 * loaded.
	 * @param {Tile[]} tiles
	 * @param {number} now index of the current date
	 * @returns {Map<number, "preview" | "full">} by index of the date
	 */
	loaded(tiles, now) {
		/** @type {Map<number, "preview" | "full">} */
		const loaded = new Map();
		if (tiles.length === 0) return loaded;
		for (const { first, count, datetime } of this.windows) {
			const urls = (/** @type {1 | 2} */ res) => tiles.map((tile) => this.url(tile, datetime, res));
			const has = (/** @type {string} */ url) => this.loader.has(url);
			const isSettled = (/** @type {string} */ url) => has(url) || this.loader.failure(url) !== undefined;
			const [full, preview] = [urls(1), urls(2)];
			const isFull = full.every(isSettled) && full.some(has);
			const isPreview = full.every((url, at) => has(url) || isSettled(preview[at])) && [...full, ...preview].some(has);
			const state = isFull ? "full" : isPreview ? "preview" : null;
			for (let index = first; state && index < first + count; index++) loaded.set(index, state);
		}
		const isHere = (/** @type {Tile} */ tile) => {
			const currentCube = this.find(tile, now);
			return currentCube ? !currentCube.isPreview : this.failure(tile, now) !== undefined;
		};
		if (now >= 0 && tiles.every(isHere) && tiles.some((tile) => this.find(tile, now))) loaded.set(now, "full");
		return loaded;
	}

	/**
	 * Returns the cubes that a view needs, the most urgent first.
	 * @param {Tile[]} tiles the nearest to the middle first @param {Need} need @returns {Wanted[]}
	 */
	plan(tiles, { index, isMoving, isEngaged, isFrugal, isFilled = false, isDragged = false, ahead = -1, also = [] }) {
		/** @type {Wanted[]} */
		const wanted = [];
		const at = this.windowAt[index];
		const current = this.windows[at];
		const add = (/** @type {Window} */ window, /** @type {1 | 2} */ res, /** @type {number} */ urgency) => {
			for (const tile of tiles) {
				const full = this.url(tile, window.datetime, 1);
				// Cubes that are made of a loaded cube need no preview.
				if (res === 2 && (this.loader.has(full) || this.loader.has(ownOf(full)))) continue;
				wanted.push(this.#wanted(tile, window.datetime, window.count, res, urgency));
			}
		};
		for (const tile of tiles) {
			const [full, , preview] = this.#urls(tile, index);
			const isRefused = this.loader.failure(full) && this.loader.failure(preview);
			if (this.loader.has(full) || (isMoving && this.#hasParts(current) && !isRefused)) continue;
			// A period whose dates are all loaded needs nothing from the server.
			const isAlone = this.areApart && this.#hasParts(current) && !this.loader.has(ownOf(full));
			wanted.push(
				this.#wanted(tile, isAlone ? this.times[index] : current.datetime, isAlone ? 1 : current.count, 1, FIRST),
			);
		}
		for (const each of new Set(also.map((date) => this.windowAt[date]))) add(this.windows[each], 1, PATIENT);
		if (isFilled) {
			if (this.#hasParts(current)) add(current, 2, 1);
			add(current, 1, PATIENT);
			if (this.windows[at - 1]) add(this.windows[at - 1], 1, PATIENT + 1);
		}
		if (!isEngaged && !isMoving) return [...wanted, ...this.#kept(tiles, at)];
		if (this.#hasParts(current) && (isMoving || !isFrugal)) add(current, 2, 1);
		if (!isFrugal) add(current, 1, PATIENT);
		const then = isDragged || isFrugal ? undefined : this.windows[this.windowAt[ahead]];
		if (then && then !== current) add(then, this.#hasParts(then) ? 2 : 1, PATIENT + 1);
		for (const near of isDragged ? [] : this.#near(index)) {
			if (this.#hasParts(near) && (isMoving || !isFrugal)) add(near, 2, PATIENT + 1);
			if (!isFrugal) add(near, 1, PATIENT + 2);
		}
		return [...wanted, ...this.#kept(tiles, at)];
	}

	/** Returns neighbouring windows if they are near a date. @param {number} index @returns {Window[]} */
	#near(index) {
		const at = this.windowAt[index];
		const { first, count } = this.windows[at];
		const margin = Math.max(2, Math.ceil(count * NEAR_SHARE));
		const near = [];
		if (index >= first + count - margin && this.windows[at + 1]) near.push(this.windows[at + 1]);
		if (index < first + margin && this.windows[at - 1]) near.push(this.windows[at - 1]);
		return near;
	}

	/**
	 * Returns the loaded cubes of these tiles, which remain as long as memory suffices.
	 * @param {Tile[]} tiles
	 * @param {number} at index of the current window
	 */
	#kept(tiles, at) {
		return this.windows.flatMap(({ datetime, count }, index) =>
			/** @type {const} */ ([1, 2]).flatMap((res) =>
				tiles
					.filter((tile) => this.loader.has(this.url(tile, datetime, res)))
					.map((tile) => this.#wanted(tile, datetime, count, res, 10 + Math.abs(index - at))),
			),
		);
	}

	/**
	 * @param {Tile} tile
	 * @param {string | null} datetime
	 * @param {number} count
	 * @param {1 | 2} res
	 * @param {number} urgency
	 * @returns {Wanted}
	 */
	#wanted(tile, datetime, count, res, urgency) {
		const bytes = (TILE_CELLS * count * this.#width) / (res * res);
		return { url: this.url(tile, datetime, res), tile, res, urgency, bytes };
	}

	/** Reads from a loaded cube how large others will be. @param {Cube} cube */
	learn(cube) {
		if (cube.count > 0) this.#width = cube.numbers.BYTES_PER_ELEMENT;
	}
}
