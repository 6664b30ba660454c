/**
 * Coordinates as text: `51.2, 4.4`, `4.4E 51.2N`, `51°12'36"N 4°24'E`, `N 51 12.6 E 4 24`, `51,2 4,4`. Without
 * letters the latitude comes first, unless only the reverse is a valid point.
 *
 * @typedef {import("../base/permalink.js").Point} Point
 * @typedef {"lat" | "lon"} Axis
 */

/**
 * Axis and sign of each letter. O is east in Dutch and German, and west in Romance languages.
 * @type {Record<string, Record<string, [Axis, 1 | -1]>>}
 */
const LETTERS = {
	"": { N: ["lat", 1], S: ["lat", -1], Z: ["lat", -1], E: ["lon", 1], W: ["lon", -1] },
	nl: { O: ["lon", 1] },
	fr: { O: ["lon", -1] },
	de: { O: ["lon", 1] },
	es: { O: ["lon", -1] },
	pt: { O: ["lon", -1], L: ["lon", 1] },
};

const LIMITS = { lat: 90, lon: 180 };

/** Degrees, minutes and seconds of one coordinate without its letter. */
const PARTS = /^(\d+(?:[.,]\d+)?)\s*°?(?:\s*(\d+(?:[.,]\d+)?)\s*'?)?(?:\s*(\d+(?:[.,]\d+)?)\s*"?)?$/;
const SIGNED = /[+-]?\d+(?:[.,]\d+)?°(?:\s*\d+(?:[.,]\d+)?')?(?:\s*\d+(?:[.,]\d+)?")?/g;
const WITH_POINTS = /^([+-]?\d+(?:\.\d+)?)°?(?:\s*[,;]\s*|\s+)([+-]?\d+(?:\.\d+)?)°?$/;
const WITH_COMMAS = /^([+-]?\d+(?:,\d+)?)°?(?:\s*;\s*|,?\s+)([+-]?\d+(?:,\d+)?)°?$/;

/**
 * Returns the point for coordinates in a text, null if it has none.
 * @param {string} text
 * @param {string} [language] determines whether O is east or west
 * @returns {Point | null}
 */
export function parsePlace(text, language = "") {
	const plain = text
		.trim()
		.toUpperCase()
		.replace(/^GEO:/, "")
		.replace(/[′’‘´`]/g, "'")
		.replace(/[″“”]|''/g, '"')
		.replace(/[º˚]/g, "°")
		.replace(/−/g, "-");
	const letters = { ...LETTERS[""], ...LETTERS[language] };
	const found = [...plain].filter((letter) => letter in letters);
	if (found.length === 2) return withLetters(plain, letters);
	return found.length === 0 ? withoutLetters(plain) : null;
}

/** @param {string} text @param {Record<string, [Axis, 1 | -1]>} letters @returns {Point | null} */
function withLetters(text, letters) {
	const isLetter = (/** @type {string} */ character) => character in letters;
	const cut = isLetter(text[0])
		? [...text].findIndex((character, index) => index > 0 && isLetter(character))
		: [...text].findIndex(isLetter) + 1;
	/** @type {Partial<Record<Axis, number>>} */
	const place = {};
	for (const half of [text.slice(0, cut), text.slice(cut)]) {
		const letter = [...half].find(isLetter) ?? "";
		const degrees = parseDegrees(half.replace(letter, "").replace(/^[\s,;]+|[\s,;]+$/g, ""));
		const [axis, sign] = letters[letter] ?? ["lat", 1];
		if (degrees === null || axis in place) return null;
		place[axis] = sign * degrees;
	}
	return toPoint(place.lat, place.lon);
}

/** @param {string} text @returns {Point | null} */
function withoutLetters(text) {
	const marked = text.match(SIGNED) ?? [];
	const rest = text.replace(SIGNED, "").trim();
	const parts =
		marked.length === 2 && /^[,;]?$/.test(rest)
			? marked.map(parseSigned)
			: (text.match(WITH_POINTS) ?? text.match(WITH_COMMAS))?.slice(1).map(toNumber);
	if (!parts) return null;
	const [first, second] = parts;
	return toPoint(first, second) ?? toPoint(second, first);
}

/** @param {string} text */
const toNumber = (text) => Number(text.replace(",", "."));

/** @param {string} text */
function parseSigned(text) {
	const degrees = parseDegrees(text.replace(/^[+-]/, ""));
	return degrees === null ? null : (text.startsWith("-") ? -1 : 1) * degrees;
}

/**
 * Parses degrees: only the last part may have a fraction; minutes and seconds are less than 60.
 * @param {string} text
 */
function parseDegrees(text) {
	const match = text.match(PARTS);
	if (!match) return null;
	const parts = match.slice(1).filter((part) => part !== undefined);
	const numbers = parts.map(toNumber);
	const good = numbers.slice(1).every((number) => number < 60) && numbers.slice(0, -1).every(Number.isInteger);
	return good ? numbers.reduceRight((sum, number) => number + sum / 60, 0) : null;
}

/** @param {number | null | undefined} lat @param {number | null | undefined} lon @returns {Point | null} */
function toPoint(lat, lon) {
	if (typeof lat !== "number" || typeof lon !== "number") return null;
	return Math.abs(lat) <= LIMITS.lat && Math.abs(lon) <= LIMITS.lon ? { lat, lon } : null;
}
