/**
 * Paints the cubes of one layer on canvases, one per tile, for any map library: digital numbers through a table of 256
 * or 65,536 colours. Values are never read back from a canvas.
 *
 * A date is shown when it is loaded for all tiles, so that the map never shows two dates. If loading takes long, the
 * loaded tiles are shown; the other tiles still have their old picture, which is hatched.
 *
 * @typedef {import("./decode.js").Cube} Cube
 * @typedef {import("./loader.js").Tile} Tile
 * @typedef {import("./source.js").CubeSource} CubeSource
 * @typedef {import("./source.js").Found} Found
 * @typedef {import("./worker.js").Failure} Failure
 * @typedef {(header: import("./decode.js").Header) => Uint32Array} TableOf colours as RGBA in little-endian words,
 *   by number
 * @typedef {{
 *   tile: Tile, data: Tile, canvas: HTMLCanvasElement, isShown: boolean, isStruck: boolean, painted: Found | null,
 *     isCurrent: boolean,
 *   order: number, layout: import("./source.js").Layout | null, ready: () => void,
 * }} Cell `data` is the tile whose cubes it shows, of which it is a part; `isCurrent` is false for tiles that are only
 *   shown until others are loaded; `order` is 0 for the one in the middle
 * @typedef
 *   {{ total: number, loaded: number, failed: number, failure: Failure | null, isPreview: boolean, shown: number }}
 *   Progress
 *   for the requested date; `shown` is the index of the visible one
 */

/** After this time a date is shown even if it is incomplete. */
const PATIENCE_MS = 1500;
export const TILE_PX = 256;
const MAX_RATIO = 3;

/** One ImageData for all canvases of a size. @type {Map<string, { image: ImageData, words: Uint32Array }>} */
const sheets = new Map();

/** @param {number} width @param {number} height */
function sheetOf(width, height) {
	const key = `${width} ${height}`;
	let sheet = sheets.get(key);
	if (!sheet) {
		const image = new ImageData(width, height);
		sheet = { image, words: new Uint32Array(image.data.buffer) };
		sheets.set(key, sheet);
	}
	return sheet;
}

/**
 * Colours of numbers, each for a square of `zoom` by `zoom` pixels.
 * @param {Uint32Array} words
 * @param {import("./decode.js").Numbers} numbers
 * @param {Uint32Array} table
 * @param {number} width of the numbers
 * @param {number} zoom
 */
export function colour(words, numbers, table, width, zoom) {
	if (zoom === 1) {
		for (let at = 0; at < numbers.length; at++) words[at] = table[numbers[at]];
		return;
	}
	const across = width * zoom;
	for (let at = 0, out = 0; at < numbers.length; out += across * zoom) {
		for (let x = 0; x < across; at++) {
			const word = table[numbers[at]];
			for (const end = x + zoom; x < end; x++) words[out + x] = word;
		}
		for (let row = 1; row < zoom; row++) words.copyWithin(out + row * across, out, out + across);
	}
}

/**
 * Paints the colours of the numbers under pixels; transparent if there is none.
 * @param {Uint32Array} words
 * @param {import("./decode.js").Numbers} numbers
 * @param {Uint32Array} table
 * @param {Int32Array} cells indexes of the numbers, by pixel
 */
function colourCells(words, numbers, table, cells) {
	for (let at = 0; at < cells.length; at++) words[at] = cells[at] < 0 ? 0 : table[numbers[cells[at]]];
}

/**
 * Returns the pixels of the screen per pixel of the page along an edge, so that resampled cells have straight edges.
 */
const screenRatio = () => Math.min(MAX_RATIO, Math.max(1, Math.ceil(globalThis.devicePixelRatio || 1)));

/** Hatches a picture of another date than the requested one. @param {HTMLCanvasElement} canvas */
function hatch(canvas) {
	const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
	const { width, height } = canvas;
	context.beginPath();
	for (let from = -height; from < width; from += width / 24) {
		context.moveTo(from, height);
		context.lineTo(from + height, 0);
	}
	context.lineWidth = width / 96;
	context.strokeStyle = "#6e6e6e";
	context.stroke();
}

export class CubePainter {
	/** The tiles that are laid out. @type {Set<Cell>} */
	cells = new Set();
	/** Index of the visible date; -1 before the first. */
	shown = -1;
	/** @type {import("./source.js").Need} */
	#wish = { index: 0, isMoving: false, isEngaged: false, isFrugal: false };
	#frame = 0;
	#patience = 0;
	#said = "";
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#filling;
	#plan = "";

	/**
	 * @param {object} options
	 * @param {CubeSource} options.source
	 * @param {TableOf} options.tableOf
	 * @param {(progress: Progress) => void} [options.onProgress]
	 * @param {() => void} [options.onPaint] after each painting
	 * @param {() => void} [options.onLoad] called when cubes were loaded or failed
	 * @param {number} [options.maxNativeZoom] the last zoom with tiles, beyond it their cells are drawn larger
	 */
	constructor({ source, tableOf, onProgress = () => {}, onPaint = () => {}, onLoad = () => {}, maxNativeZoom }) {
		source.maxZoom = maxNativeZoom ?? source.maxZoom;
		this.source = source;
		this.tableOf = tableOf;
		this.onProgress = onProgress;
		this.onPaint = onPaint;
		this.onLoad = onLoad;
		/** @type {import("./loader.js").Owner} */
		this.owner = {
			onCube: (_url, cube) => {
				source.learn(cube);
				this.#loaded();
			},
			onFailure: () => this.#loaded(),
		};
	}

	/** The tiles of the visible zoom, the one in the middle first. */
	get current() {
		return [...this.cells].filter(({ isCurrent }) => isCurrent).sort((one, other) => one.order - other.order);
	}

	/** The tiles whose cubes the visible tiles show, each once, in the same order. @returns {Tile[]} */
	get dataTiles() {
		return [...new Map(this.current.map(({ data }) => [`${data.z}/${data.x}/${data.y}`, data])).values()];
	}

	/** Whether the gaps of all visible tiles are filled, as far as there are values to fill them. */
	get isAllFilled() {
		return this.current.every(
			({ data, painted }) =>
				painted?.cube.isFilled &&
				painted.cube === this.source.findWindow(data, this.shown) &&
				(this.source.findBefore(data, this.shown)?.cube.isFilled ?? this.source.windowAt[this.shown] === 0),
		);
	}

	/** Changes the request. @param {Partial<import("./source.js").Need>} wish */
	set(wish) {
		const before = this.#wish;
		this.#wish = { ...before, ...wish };
		if (before.index !== this.#wish.index || before.isMoving !== this.#wish.isMoving) this.#wait();
		if (before.isFilled !== this.#wish.isFilled) this.recolour();
		if (before.isFilled && !this.#wish.isFilled) this.source.loader.forgetFilled();
		this.ask();
	}

	/**
	 * Adds a tile and returns its canvas.
	 * @param {Tile} tile
	 * @param {() => void} [ready] called when it was painted first, or failed
	 */
	add(tile, ready = () => {}) {
		const canvas = document.createElement("canvas");
		canvas.width = canvas.height = TILE_PX;
		/** @type {Cell} */
		const cell = {
			tile,
			data: this.source.dataTile(tile),
			canvas,
			isShown: false,
			isStruck: false,
			painted: null,
			isCurrent: true,
			order: 0,
			layout: null,
			ready,
		};
		this.cells.add(cell);
		this.#dirty();
		return canvas;
	}

	/** Returns the tile of a canvas from `add`. @param {HTMLCanvasElement} canvas @returns {Cell} */
	cellOf(canvas) {
		return /** @type {Cell} */ ([...this.cells].find((cell) => cell.canvas === canvas));
	}

	/** @param {HTMLCanvasElement} canvas */
	remove(canvas) {
		this.cells.delete(this.cellOf(canvas));
		this.#dirty();
	}

	/** Paints all tiles again, because the colours have changed. */
	recolour() {
		for (const cell of this.cells) cell.painted = null;
		this.#dirty();
	}

	/** Requests the cubes of the current tiles. */
	ask() {
		this.#dirty();
		const tiles = this.dataTiles;
		if (this.#wish.index < 0) return;
		const key = JSON.stringify([tiles, this.#wish]);
		if (key === this.#plan) return;
		this.#plan = key;
		this.source.loader.want(this.owner, this.source.plan(tiles, this.#wish));
	}

	/** Stops painting and all requests. */
	close() {
		cancelAnimationFrame(this.#frame);
		clearTimeout(this.#patience);
		clearTimeout(this.#filling);
		this.cells.clear();
		this.source.loader.leave(this.owner);
	}

	#loaded() {
		this.onLoad();
		this.#plan = "";
		this.ask();
	}

	#wait() {
		clearTimeout(this.#patience);
		const force = () => {
			this.#patience = 0;
			this.#dirty();
		};
		this.#patience = /** @type {any} */ (setTimeout(force, PATIENCE_MS));
	}

	#dirty() {
		if (this.#frame) return;
		this.#frame = requestAnimationFrame(() => {
			this.#frame = 0;
			this.paint();
		});
	}

	/** Paints changed tiles immediately. */
	paint() {
		const { index, isMoving } = this.#wish;
		if (index < 0) return;
		const found = new Map([...this.cells].map((cell) => [cell, this.#find(cell.data, index)]));
		const settled = (/** @type {Cell} */ cell) => found.get(cell) || this.source.failure(cell.data, index);
		const isWhole = this.current.every(settled);
		const isLate = this.shown < 0 || (this.#patience === 0 && !isMoving);
		if (isWhole || isLate) this.shown = index;
		let painted = 0;
		for (const cell of this.cells) painted += this.#paintCell(cell, found.get(cell) ?? null);
		this.#report(found);
		this.#fillLater();
		if (painted > 0) this.onPaint();
	}

	/** @param {Tile} tile @param {number} index */
	#find(tile, index) {
		return this.source.find(tile, index, this.#wish.isFilled);
	}

	/** @param {Cell} cell @param {Found | null} wanted @returns {number} number of painted tiles */
	#paintCell(cell, wanted) {
		const isWanted = this.shown === this.#wish.index;
		const found = isWanted ? wanted : this.shown < 0 ? null : this.#find(cell.data, this.shown);
		const isFailed = isWanted && !found && this.source.failure(cell.data, this.#wish.index) !== undefined;
		const isSame =
			found?.cube === cell.painted?.cube && found?.frame === cell.painted?.frame && (found !== null || !isFailed);
		cell.canvas.classList.toggle("cube-failed", isFailed);
		if (isSame && !cell.isStruck && (found || cell.painted === null)) {
			if (isFailed) this.#reveal(cell);
			return 0;
		}
		if (!found && !isWanted) return 0;
		if (!found && cell.painted) {
			// The old picture is better than nothing, but must not be taken for the requested date.
			if (!cell.isStruck) hatch(cell.canvas);
			cell.isStruck = true;
			return 0;
		}
		this.#draw(cell, found);
		cell.isStruck = false;
		cell.painted = found;
		if (found || isFailed) this.#reveal(cell);
		return 1;
	}

	/** @param {Cell} cell */
	#reveal(cell) {
		if (cell.isShown) return;
		cell.isShown = true;
		cell.ready();
	}

	/** @param {Cell} cell @param {Found | null} found */
	#draw(cell, found) {
		const { canvas, tile, data } = cell;
		const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
		if (!found || found.frame < 0) {
			context.clearRect(0, 0, canvas.width, canvas.height);
			return;
		}
		const { cube, frame } = found;
		const { w, h, res, cells } = cube.header;
		// Either the pixels of the cube, or cells resampled to the tile.
		const isAsItIs = data.z === tile.z && !cells;
		const size = TILE_PX * screenRatio();
		const [width, height] = isAsItIs ? [w * res, h * res] : [size, size];
		if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
		const { image, words } = sheetOf(width, height);
		const isFilled = this.#wish.isFilled && cube.isFilled;
		const numbers = isFilled ? cube.filledAt(frame) : cube.numbersAt(frame);
		cell.layout = isAsItIs ? null : this.source.layout(tile, cube, size, cell.layout);
		if (cell.layout) colourCells(words, numbers, this.tableOf(cube.header), cell.layout.cells);
		else colour(words, numbers, this.tableOf(cube.header), w, res);
		if (isFilled) this.#fillFromBefore(words, cell, found);
		context.putImageData(image, 0, 0);
	}

	/**
	 * Fills cells without a value since the start of the window with the colours of the window before.
	 * @param {Uint32Array} words
	 * @param {Cell} cell
	 * @param {Found} found
	 */
	#fillFromBefore(words, { data, layout }, { cube, frame }) {
		if (cube !== this.source.findWindow(data, this.shown)) return;
		const before = this.source.findBefore(data, this.shown);
		if (!before?.cube.isFilled || before.frame < 0 || before.cube.layout !== cube.layout) return;
		const [numbers, isGap] = [cube.filledAt(frame), cube.gapNumbers];
		const [older, table] = [before.cube.filledAt(before.frame), this.tableOf(before.cube.header)];
		for (let pixel = 0; pixel < words.length; pixel++) {
			const at = layout ? layout.cells[pixel] : pixel;
			if (at >= 0 && isGap[numbers[at]]) words[pixel] = table[older[at]];
		}
	}

	/** Fills one cube per task, so that the page remains responsive. */
	#fillLater() {
		if (this.#filling || !this.#wish.isFilled) return;
		const cubes = this.dataTiles.flatMap((tile) => [
			this.#find(tile, Math.max(0, this.shown)),
			this.source.findBefore(tile, Math.max(0, this.shown)),
		]);
		const next = cubes.find((found) => found && !found.cube.isFilled);
		if (!next) return;
		this.#filling = setTimeout(() => {
			this.#filling = undefined;
			next.cube.filledAt(0);
			this.recolour();
		});
	}

	/** @param {Map<Cell, Found | null>} found for the requested date */
	#report(found) {
		const cells = this.current;
		const all = cells.map((cell) => found.get(cell));
		const failures = cells.flatMap((cell) =>
			found.get(cell) ? [] : (this.source.failure(cell.data, this.#wish.index) ?? []),
		);
		const progress = {
			total: all.length,
			loaded: all.filter((each) => each && !each.isPreview).length,
			failed: failures.length,
			failure: failures[0] ?? null,
			isPreview: all.some((each) => each?.isPreview),
			shown: this.shown,
		};
		const words = JSON.stringify(progress);
		if (words === this.#said) return;
		this.#said = words;
		this.onProgress(progress);
	}
}
