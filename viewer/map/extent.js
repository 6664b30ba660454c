/**
 * Boxes in longitude and latitude, which may extend beyond 180 degrees; pure.
 *
 * @typedef {import("../base/permalink.js").BBox} BBox
 * @typedef {{ west: number, south: number, east: number, north: number }} Box east is beyond west
 */

/** @param {BBox} bbox @returns {Box} */
export const toBox = ([west, south, east, north]) => ({ west, south, east: east > west ? east : east + 360, north });

/**
 * Returns the latitude of a row of the world of Web Mercator, from 0 in the north to 1 in the south.
 * @param {number} down
 */
const latitudeAt = (down) => (Math.atan(Math.sinh(Math.PI * (1 - 2 * down))) * 180) / Math.PI;

/**
 * Returns the row of a latitude in the world of Web Mercator: 0 at its northern end, 1 at its southern end, and
 * beyond towards the poles.
 * @param {number} lat
 */
export const downAt = (lat) => (1 - Math.asinh(Math.tan((lat * Math.PI) / 180)) / Math.PI) / 2;

/** Returns the bbox of a tile of Web Mercator. @param {{ z: number, x: number, y: number }} tile @returns {Box} */
export function boxOfTile({ z, x, y }) {
	const across = 2 ** z;
	return {
		west: (x / across) * 360 - 180,
		south: latitudeAt((y + 1) / across),
		east: ((x + 1) / across) * 360 - 180,
		north: latitudeAt(y / across),
	};
}

/**
 * Returns the length of the overlap of two ranges; less than 0 if they are apart.
 * @param {number} from
 * @param {number} to
 * @param {number} otherFrom
 * @param {number} otherTo
 */
const overlap = (from, to, otherFrom, otherTo) => Math.min(to, otherTo) - Math.max(from, otherFrom);

/** @param {number} share */
const within = (share) => Math.max(0, Math.min(1, share));

/** A layer that is smaller on the map in both directions is hard to see. */
const LEAST_SEEN_PX = 6;

/**
 * Whether a layer is on the map and too small to be visible.
 * @param {BBox} bbox of the layer
 * @param {number} zoom of the map
 */
export function isTooSmall(bbox, zoom) {
	const { west, south, east, north } = toBox(bbox);
	const world = 256 * 2 ** zoom;
	return Math.max((east - west) / 360, within(downAt(south)) - within(downAt(north))) * world < LEAST_SEEN_PX;
}

/** Fraction of a box below which nothing is visible: half a cell of a tile. */
const UNSEEN = 1 / 512;

/**
 * Returns the fraction of a box that a layer covers, in any copy of the world; 0 if it only touches the box.
 * @param {BBox} bbox of the layer @param {Box} box
 */
export function shareWithin(bbox, box) {
	const of = toBox(bbox);
	const [width, height] = [box.east - box.west, box.north - box.south];
	const first = Math.ceil((box.west - of.east) / 360) * 360;
	let across = 0;
	for (let turn = first; of.west + turn < box.east; turn += 360) {
		across += Math.max(0, overlap(of.west + turn, of.east + turn, box.west, box.east));
	}
	const down = Math.max(0, overlap(of.south, of.north, box.south, box.north));
	const isSeen = (/** @type {number} */ seen, /** @type {number} */ whole, /** @type {number} */ all) =>
		seen > UNSEEN * all || (seen > 0 && whole <= 2 * UNSEEN * all);
	if (!isSeen(across, of.east - of.west, width) || !isSeen(down, of.north - of.south, height)) return 0;
	return Math.min(1, across / width) * Math.min(1, down / height);
}

/** Whether a layer reaches into a box. @param {BBox} bbox of the layer @param {Box} box */
export const covers = (bbox, box) => shareWithin(bbox, box) > 0;

/** Whether a place is within a layer's extent. @param {BBox} bbox @param {{ lon: number, lat: number }} place */
export function isWithin(bbox, { lon, lat }) {
	const { west, south, east, north } = toBox(bbox);
	return lat >= south && lat <= north && [lon, lon + 360].some((each) => each >= west && each <= east);
}
