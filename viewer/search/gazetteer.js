/**
 * Looks up towns, regions and countries by name; pure. Its files are made by tools/viewer_data: the large towns of the
 * world, whose other names are in files by their first letters, and all towns by region.
 *
 * @typedef {import("../base/permalink.js").BBox} BBox
 * @typedef {import("../base/permalink.js").Point} Point
 * @typedef {{ names: string[], lons: number[], lats: number[] }} TownsFile names, and thousandths of a degree
 * @typedef {TownsFile & { regions: number[] }} LargeFile the largest first, regions as indexes of the list of regions
 * @typedef {[code: string, name: string, west: number, south: number, east: number, north: number]} Region
 * @typedef {{ regions: Region[], countries: Record<string, [names: string, ...bbox: number[]]> }} AreasFile
 * @typedef {{ towns: TownsFile & { ranks: number[] }, others: { regions: number[], others: string[] } }} Cell
 * @typedef
 *   {{ name: string, alias: string, likeness: number, rank: number, country: string, region: string, lon: number,
 *   lat: number }}
 *   Town
 * @typedef {{ name: string, alias: string, likeness: number, country: string, isCountry: boolean, bbox: BBox }} Area
 */

import { distanceOf } from "../map/regions.js";

/** @type {Record<string, string>} letters that are no letter with a mark on it */
const LETTERS = { ß: "ss", ø: "o", æ: "ae", œ: "oe", ł: "l", đ: "d", ð: "d", þ: "th", ı: "i", ə: "e" };
/** Same values as in tools/viewer_data. */
const [FILES, KEY_LETTERS] = [64, 2];
/** Towns within this distance of the middle of the view are near. */
const NEAR_DEGREES = 3;

/** Returns a name without marks and punctuation, which users often omit. @param {string} name */
export const simplify = (name) =>
	name
		.toLowerCase()
		.normalize("NFD")
		.replace(/\p{M}/gu, "")
		.replace(/[ßøæœłđðþıə]/g, (letter) => LETTERS[letter])
		.replace(/[^\p{L}\p{N}|]+/gu, " ")
		.trim();

/** Returns the number of the file for the first letters of a name; null if too short. @param {string} simple */
export function fileOf(simple) {
	const letters = [...simple].slice(0, KEY_LETTERS);
	if (letters.length < KEY_LETTERS) return null;
	return letters.reduce((sum, letter, at) => sum + 31 ** at * /** @type {number} */ (letter.codePointAt(0)), 0) % FILES;
}

/** Splits a query into the name, also without postcodes, and, after a comma, the region. @param {string} words */
export function splitWords(words) {
	const [first, ...where] = words.split(",").map(simplify);
	const nameWords = first
		.split(" ")
		.filter((word) => !/\d/.test(word))
		.join(" ");
	return { whole: first, what: nameWords || first, where: where.filter((each) => each !== "") };
}

/**
 * Returns 3 for an equal name, 2 if it starts with the query, 1 if one of its words does, else 0.
 * @param {string} simple
 * @param {string} wanted
 */
export function likenessOf(simple, wanted) {
	if (wanted === "" || !simple.includes(wanted)) return 0;
	if (simple === wanted) return 3;
	if (simple.startsWith(wanted)) return 2;
	return simple.includes(` ${wanted}`) ? 1 : 0;
}

/** Returns the best match among several names. @param {string[]} names simplified @param {string} wanted */
function bestOf(names, wanted) {
	let best = { likeness: 0, index: 0 };
	for (const [index, name] of names.entries()) {
		const likeness = likenessOf(name, wanted);
		if (likeness > best.likeness) best = { likeness, index };
	}
	return best;
}

/** @param {AreasFile} file */
export function openAreas({ regions, countries }) {
	/** @param {string} country @param {string[]} names @param {boolean} isCountry @param {number[]} bbox */
	const areaOf = (country, names, isCountry, bbox) => ({
		country,
		names,
		simple: names.map(simplify),
		isCountry,
		bbox: /** @type {BBox} */ (bbox),
	});
	const all = [
		...Object.entries(countries).map(([country, [names, ...bbox]]) => areaOf(country, names.split("|"), true, bbox)),
		...regions.map(([code, name, ...bbox]) => areaOf(code.slice(0, 2), name ? [name] : [], false, bbox)),
	];

	return {
		regions,
		/** Returns areas that match a query. @param {string} wanted simplified @returns {Area[]} */
		find: (wanted) =>
			all.flatMap(({ country, names, simple, isCountry, bbox }) => {
				const { likeness, index } = bestOf(simple, wanted);
				return likeness < 2 ? [] : [{ name: names[0], alias: names[index], likeness, country, isCountry, bbox }];
			}),
	};
}

/** @param {LargeFile} file @param {Region[]} regions */
export function openLarge({ names, lons, lats, regions: regionOf }, regions) {
	const simple = names.map(simplify);
	/**
	 * Returns large towns that match a query.
	 * @param {string} wanted simplified
	 * @param {Record<string, number[]>} others from the file of its first letters
	 */
	return (wanted, others) => {
		/** @type {Map<number, { alias: string, likeness: number }>} */
		const matches = new Map();
		for (const [rank, name] of simple.entries()) {
			const likeness = likenessOf(name, wanted);
			if (likeness > 0) matches.set(rank, { alias: names[rank], likeness });
		}
		for (const [alias, ranks] of Object.entries(others)) {
			const likeness = likenessOf(simplify(alias), wanted);
			for (const rank of likeness > 1 ? ranks : []) {
				if (likeness > (matches.get(rank)?.likeness ?? 0)) matches.set(rank, { alias, likeness });
			}
		}
		return [...matches].map(([rank, match]) =>
			townOf(match, rank, { names, lons, lats }, rank, regions[regionOf[rank]]),
		);
	};
}

/** @param {Cell} cell @param {Region[]} regions */
export function openCell({ towns, others }, regions) {
	const all = towns.names.map((name, at) => [name, ...others.others[at].split("|").filter(Boolean)]);
	const simple = all.map((names) => names.map(simplify));
	/** Returns towns of the cell that match a query. @param {string} wanted simplified */
	return (wanted) =>
		simple.flatMap((names, at) => {
			const { likeness, index } = bestOf(names, wanted);
			if (likeness === 0) return [];
			return [townOf({ alias: all[at][index], likeness }, towns.ranks[at], towns, at, regions[others.regions[at]])];
		});
}

/**
 * @param {{ alias: string, likeness: number }} match
 * @param {number} rank
 * @param {TownsFile} file
 * @param {number} at
 * @param {Region} region
 * @returns {Town}
 */
const townOf = (match, rank, { names, lons, lats }, at, [code, region]) => ({
	...match,
	rank,
	name: names[at],
	country: code.slice(0, 2),
	region,
	lon: lons[at] / 1000,
	lat: lats[at] / 1000,
});

/**
 * Sorts towns, each once: best match first, then near ones, then the largest.
 * @param {Town[]} towns
 * @param {Point} from
 */
export function rankTowns(towns, from) {
	/** @type {Map<number, Town>} */
	const best = new Map();
	for (const town of towns) if (town.likeness > (best.get(town.rank)?.likeness ?? 0)) best.set(town.rank, town);
	/** @param {Town} town */
	const order = (town) =>
		4 * town.likeness + (distanceOf(from, town) < NEAR_DEGREES ? 2 : 0) + (town.alias === town.name ? 1 : 0);
	return [...best.values()].sort((one, other) => order(other) - order(one) || one.rank - other.rank);
}
