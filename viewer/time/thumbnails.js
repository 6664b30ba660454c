/**
 * Small pictures of the map: their tiles, and the position of each tile; pure.
 *
 * @typedef {{ z: number, x: number, y: number, left: number, top: number }} PlacedTile tile matrix, column, row;
 *   pixels from the picture's upper left corner
 */
import { downAt } from "../map/extent.js";

const TILE_PX = 256;

/**
 * Returns the tiles that cover a picture around a point. Columns beyond 180 degrees are those from the other side.
 * @param {{ lon: number, lat: number }} centre @param {number} z @param {{ width: number, height: number }} size pixels
 * @returns {PlacedTile[]}
 */
export function tilesAround({ lon, lat }, z, { width, height }) {
	const count = 2 ** z;
	const left = Math.round((lon / 360 + 0.5) * count * TILE_PX - width / 2);
	const top = Math.round(downAt(lat) * count * TILE_PX - height / 2);
	/** @type {PlacedTile[]} */
	const tiles = [];
	for (let y = Math.floor(top / TILE_PX); y * TILE_PX < top + height; y += 1) {
		if (y < 0 || y >= count) continue;
		for (let column = Math.floor(left / TILE_PX); column * TILE_PX < left + width; column += 1) {
			const x = ((column % count) + count) % count;
			tiles.push({ z, x, y, left: column * TILE_PX - left, top: y * TILE_PX - top });
		}
	}
	return tiles;
}
