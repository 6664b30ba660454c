/**
 * Places of exactly 4 x 3 tiles, for a map of 1024 x 768 pixels.
 *
 * @typedef {{ z: number, left: number, top: number }} Screen its first column and row of tiles
 * @typedef {{ z: number, x: number, y: number }} Tile
 */
export const [WIDTH_PX, HEIGHT_PX] = [1024, 768];
const TILE_PX = 256;
const [ACROSS, DOWN] = [WIDTH_PX / TILE_PX, HEIGHT_PX / TILE_PX];

/** Position of a point in the tiles of a zoom. @param {number} lon @param {number} lat @param {number} z */
export function placeInTiles(lon, lat, z) {
	const sine = Math.sin((lat * Math.PI) / 180);
	return {
		x: (lon / 360 + 0.5) * 2 ** z,
		y: (0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) * 2 ** z,
	};
}

/** Screens inside a box, from the north-west on. @param {number[]} bbox west, south, east, north @param {number} z @returns {Screen[]} */
export function screensIn([west, south, east, north], z) {
	const [start, end] = [placeInTiles(west, north, z), placeInTiles(east, south, z)];
	/** @type {Screen[]} */
	const screens = [];
	for (let top = Math.ceil(start.y - 0.35); top + DOWN <= end.y + 0.35; top += DOWN) {
		for (let left = Math.ceil(start.x - 0.35); left + ACROSS <= end.x + 0.35; left += ACROSS)
			screens.push({ z, left, top });
	}
	return screens;
}

/** @param {Screen} screen @returns {Tile[]} */
export const tilesOf = ({ z, left, top }) =>
	Array.from({ length: ACROSS * DOWN }, (_, at) => ({ z, x: left + (at % ACROSS), y: top + Math.floor(at / ACROSS) }));

/** Tiles that touch a box, at most `most`. @param {number[]} bbox @param {number} z @param {number} most @returns {Tile[]} */
export function tilesIn([west, south, east, north], z, most) {
	const [start, end] = [placeInTiles(west, north, z), placeInTiles(east, south, z)];
	/** @type {Tile[]} */
	const tiles = [];
	for (let y = Math.floor(start.y); y < end.y; y++)
		for (let x = Math.floor(start.x); x < end.x; x++) tiles.push({ z, x, y });
	return tiles.slice(0, most);
}

/** The middle, in degrees. @param {Screen} screen */
export function middleOf({ z, left, top }) {
	const [x, y] = [(left + ACROSS / 2) / 2 ** z, (top + DOWN / 2) / 2 ** z];
	const lat = (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;
	return { lon: Number((360 * x - 180).toFixed(5)), lat: Number(lat.toFixed(5)), zoom: z };
}
