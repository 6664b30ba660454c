/**
 * Looks up places by name; pure. The file is made by gazetteer.mjs: places of at least 15,000 people, the largest
 * first.
 *
 * @typedef {import("../base/api.js").GazetteerFile} GazetteerFile
 * @typedef {{ name: string, country: string, lon: number, lat: number, zoom: number }} FoundPlace
 * @typedef {import("../base/permalink.js").BBox} BBox
 */

/** Zoom at which a place fits the map, for the largest, the next, and the others. */
const ZOOMS = [
	{ largest: 300, zoom: 10 },
	{ largest: 3000, zoom: 11 },
	{ largest: Number.POSITIVE_INFINITY, zoom: 12 },
];

/** @type {Record<string, string>} letters that are no letter with a mark on it */
const LETTERS = { ß: "ss", ø: "o", æ: "ae", œ: "oe", ł: "l", đ: "d", ð: "d", þ: "th", ı: "i", ə: "e" };

/** A name without what people leave out when they type it. @param {string} name */
export const simplify = (name) =>
	name
		.toLowerCase()
		.normalize("NFD")
		.replace(/\p{M}/gu, "")
		.replace(/[ßøæœłđðþıə]/g, (letter) => LETTERS[letter])
		.replace(/[^\p{L}\p{N}|]+/gu, " ")
		.trim();

/** @param {GazetteerFile} file */
export function openGazetteer(file) {
	const simple = file.names.map(simplify);

	/** @param {number} index @returns {FoundPlace} */
	const placeAt = (index) => ({
		name: file.names[index].split("|")[0],
		country: file.countries.slice(2 * index, 2 * index + 2),
		lon: file.lons[index] / 1000,
		lat: file.lats[index] / 1000,
		zoom: ZOOMS.find(({ largest }) => index < largest)?.zoom ?? 12,
	});

	/**
	 * The places whose name begins with the words, or has a word that does: those called just so first, then those
	 * within the box, then the larger ones.
	 * @param {string} words @param {number} count at most @param {BBox | null} [within]
	 */
	return function find(words, count, within = null) {
		const wanted = simplify(words);
		if (wanted === "") return [];
		const matches = [];
		for (const [index, names] of simple.entries()) {
			const likeness = likenessOf(names, wanted);
			if (likeness > 0) matches.push({ index, rank: 2 * likeness + (within && isIn(placeAt(index), within) ? 1 : 0) });
		}
		matches.sort((one, other) => other.rank - one.rank || one.index - other.index);
		return matches.slice(0, count).map(({ index }) => placeAt(index));
	};
}

/** 3 called just so, 2 begins so, 1 has a word that begins so, 0 otherwise. @param {string} names @param {string} wanted */
function likenessOf(names, wanted) {
	if (!names.includes(wanted)) return 0;
	const all = names.split("|").map((name) => name.trim());
	if (all.includes(wanted)) return 3;
	if (all.some((name) => name.startsWith(wanted))) return 2;
	return all.some((name) => name.includes(` ${wanted}`)) ? 1 : 0;
}

/** @param {FoundPlace} place @param {BBox} box */
const isIn = ({ lon, lat }, [west, south, east, north]) =>
	lat >= south && lat <= north && (west < east ? lon >= west && lon <= east : lon >= west || lon <= east);
