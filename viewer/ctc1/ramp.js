/**
 * Colours of numbers from a few stops; pure. For pages without styles of the server.
 *
 * @typedef {import("./decode.js").Header} Header
 * @typedef {[value: number, colour: string][]} Stops values ascending, colours as `#rrggbb`
 */
import { Cube } from "./decode.js";

const OPAQUE = 255;

/** @param {string} colour `#rrggbb` @returns {number[]} */
const bandsOf = (colour) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));

/** @param {Stops} stops @param {number} value */
function colourAt(stops, value) {
	const above = stops.findIndex(([stop]) => stop >= value);
	const [high, highColour] = stops.at(above) ?? stops[0];
	const [low, lowColour] = above > 0 ? stops[above - 1] : [high, highColour];
	const share = high > low ? (value - low) / (high - low) : 0;
	const [from, to] = [bandsOf(lowColour), bandsOf(highColour)];
	const [red, green, blue] = from.map((band, index) => Math.round(band + share * (to[index] - band)));
	return (red | (green << 8) | (blue << 16) | (OPAQUE << 24)) >>> 0;
}

/**
 * Makes a `tableOf` function for a cube layer: the colour of each number, interpolated between the stops; beyond them
 * the colour of the nearest one. Numbers without a value are transparent. Each table is computed once.
 * @param {Stops} stops
 * @returns {(header: Header) => Uint32Array}
 */
export function rampTable(stops) {
	/** @type {Map<string, Uint32Array>} */
	const tables = new Map();
	return (header) => {
		const { dtype, nodata, scale, offset, flags, source } = header;
		const key = JSON.stringify([dtype, nodata, scale, offset, flags, source]);
		let table = tables.get(key);
		if (!table) {
			const { values } = new Cube({ ...header, times: [] }, new Uint8Array(0));
			table = Uint32Array.from(values, (value) => (Number.isNaN(value) ? 0 : colourAt(stops, value)));
			tables.set(key, table);
		}
		return table;
	};
}
