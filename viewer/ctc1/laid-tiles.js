/**
 * Canvases of the current tiles of a map, for map libraries that list the tiles at each frame.
 *
 * @typedef {import("./loader.js").Tile} Tile
 * @typedef {import("./painter.js").Cell} Cell
 * @typedef {{ tile: Tile, order: number }} Seat `order` is the distance from the middle: the nearest loads first
 */

/** @param {Tile} tile */
const keyOf = ({ z, x, y }) => `${z}/${x}/${y}`;

export class LaidTiles {
	/** @type {Map<string, Cell>} */
	#cells = new Map();

	/** @param {import("./painter.js").CubePainter} painter @param {(cell: Cell) => void} [onRemove] */
	constructor(painter, onRemove = () => {}) {
		this.painter = painter;
		this.onRemove = onRemove;
	}

	/**
	 * Adds canvases of new tiles, removes those of tiles that left the view, and requests the cubes.
	 * @param {Seat[]} seats
	 */
	lay(seats) {
		const left = new Map(this.#cells);
		for (const { tile, order } of seats) {
			const key = keyOf(tile);
			left.delete(key);
			const cell = this.#cells.get(key) ?? this.painter.cellOf(this.painter.add(tile));
			this.#cells.set(key, cell);
			cell.order = order;
		}
		for (const [key, cell] of left) {
			this.painter.remove(cell.canvas);
			this.#cells.delete(key);
			this.onRemove(cell);
		}
		this.painter.ask();
	}

	/** @param {Tile} tile */
	cellOf(tile) {
		return this.#cells.get(keyOf(tile));
	}

	/** Zooms of the tiles, the finest first. */
	get zooms() {
		return [...new Set([...this.#cells.values()].map(({ tile }) => tile.z))].sort((one, other) => other - one);
	}
}
