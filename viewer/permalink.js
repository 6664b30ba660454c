/**
 * The state of the viewer as a query string, both ways, and the only module that touches the address bar.
 *
 * Keys are those of Terrascope's viewer (language, layer, date, bbox, overlay, bgLayer) and our own (view, opacity,
 * style, pt). Every value is checked here; parameters we do not know are kept as they came.
 *
 * @typedef {[west: number, south: number, east: number, north: number]} BBox degrees; west > east crosses 180
 * @typedef {{ lon: number, lat: number }} Point
 * @typedef {Point & { zoom: number }} View
 * @typedef {{
 *   language?: string, layer?: string, date?: string, bbox?: BBox, overlay?: boolean, bgLayer?: string,
 *   view?: View, opacity?: number, style?: string, pt?: Point[],
 * }} Link
 * @typedef {{ key: string, value: string, expected: string }} Fault
 */
import { parseDate } from "./dates.js";

const MAX_POINTS = 8;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/;
const LANGUAGE = /^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)$/;

/** @template T @typedef {{ parse: (text: string) => T | null, format: (value: T) => string, expected: string }} Key */

/** @param {string} text @returns {number | null} */
const parseNumber = (text) => (NUMBER.test(text) ? Number(text) : null);

/** @param {string} text @param {number} count @returns {number[] | null} */
function parseNumbers(text, count) {
	const numbers = text.split(",").map((part) => parseNumber(part.trim()));
	return numbers.length === count && numbers.every((number) => number !== null) ? numbers : null;
}

/** At most `digits` decimals, never an exponent, never -0. @param {number} value @param {number} [digits] */
const formatNumber = (value, digits = 5) => String(Number(value.toFixed(digits)) + 0);

/** @param {...number} values */
const formatNumbers = (...values) => values.map((value) => formatNumber(value)).join(",");

/** @param {number} lon @param {number} lat */
const isPlace = (lon, lat) => Math.abs(lon) <= 180 && Math.abs(lat) <= 90;

/** @param {string} text @returns {BBox | null} */
function parseBBox(text) {
	const box = parseNumbers(text, 4);
	if (!box) return null;
	const [west, south, east, north] = box;
	const good = isPlace(west, south) && isPlace(east, north) && south < north && west !== east;
	return good ? [west, south, east, north] : null;
}

/** @param {string} text @returns {View | null} */
function parseView(text) {
	const [lon, lat, zoom] = parseNumbers(text, 3) ?? [Number.NaN, Number.NaN, Number.NaN];
	return isPlace(lon, lat) && zoom >= 0 && zoom <= 24 ? { lon, lat, zoom } : null;
}

/** @param {string} text @returns {Point[] | null} */
function parsePoints(text) {
	const places = text.split(";").map((part) => parseNumbers(part, 2) ?? [Number.NaN, Number.NaN]);
	const good = places.length <= MAX_POINTS && places.every(([lon, lat]) => isPlace(lon, lat));
	return good ? places.map(([lon, lat]) => ({ lon, lat })) : null;
}

/** @param {RegExp} pattern @param {string} expected @returns {Key<string>} */
const name = (pattern, expected) => ({
	parse: (text) => (pattern.test(text) ? text : null),
	format: (value) => value,
	expected,
});

/** In the order in which they are written. @type {{ [K in keyof Link]-?: Key<NonNullable<Link[K]>> }} */
const KEYS = {
	language: name(LANGUAGE, "a language code such as en"),
	layer: name(NAME, "the name of a layer"),
	date: {
		parse: (text) => (parseDate(text) === null ? null : text),
		format: (value) => value,
		expected: "a date such as 2020-06-11",
	},
	bbox: {
		parse: parseBBox,
		format: (box) => formatNumbers(...box),
		expected: "west,south,east,north in degrees",
	},
	overlay: {
		parse: (text) => (text === "true" ? true : text === "false" ? false : null),
		format: String,
		expected: "true or false",
	},
	bgLayer: name(NAME, "the name of a background"),
	view: {
		parse: parseView,
		format: ({ lon, lat, zoom }) => formatNumbers(lon, lat, zoom),
		expected: "longitude,latitude,zoom",
	},
	opacity: {
		parse: (text) => {
			const value = parseNumber(text);
			return value !== null && value >= 0 && value <= 1 ? value : null;
		},
		format: (value) => formatNumber(value, 2),
		expected: "a number from 0 to 1",
	},
	style: name(NAME, "the name of a style"),
	pt: {
		parse: parsePoints,
		format: (points) => points.map(({ lon, lat }) => formatNumbers(lon, lat)).join(";"),
		expected: `up to ${MAX_POINTS} places, each longitude,latitude, with ; between them`,
	},
};

/** @param {string} text */
function decode(text) {
	try {
		return decodeURIComponent(text.replaceAll("+", " "));
	} catch {
		return text;
	}
}

/** Percent-encodes what a query must not hold, and leaves what people read. @param {string} text */
const encode = (text) => encodeURIComponent(text).replace(/%(2C|3A|3B)/g, (escaped) => decodeURIComponent(escaped));

/**
 * What a query string says: the values that are good, the parameters that are not ours, and what was wrong with the
 * others. Of a repeated parameter the first one counts.
 * @param {string} search with or without its question mark
 * @returns {{ link: Link, rest: string[], faults: Fault[] }}
 */
export function parseLink(search) {
	/** @type {any} */
	const link = {};
	/** @type {string[]} */
	const rest = [];
	/** @type {Fault[]} */
	const faults = [];
	const seen = new Set();
	for (const part of search.replace(/^\?/, "").split("&")) {
		if (part === "") continue;
		const [rawKey, ...rawValue] = part.split("=");
		const key = decode(rawKey);
		if (!Object.hasOwn(KEYS, key)) {
			rest.push(part);
			continue;
		}
		if (seen.has(key)) continue;
		seen.add(key);
		const { parse, expected } = KEYS[/** @type {keyof Link} */ (key)];
		const value = decode(rawValue.join("="));
		const parsed = parse(value);
		if (parsed === null) faults.push({ key, value, expected });
		else link[key] = parsed;
	}
	return { link, rest, faults };
}

/** The query string, with its question mark, that `parseLink` reads back. @param {Link} link @param {string[]} [rest] */
export function formatLink(link, rest = []) {
	const ours = Object.entries(KEYS).flatMap(([key, { format }]) => {
		const value = link[/** @type {keyof Link} */ (key)];
		return value === undefined ? [] : [`${key}=${encode(/** @type {Key<any>["format"]} */ (format)(value))}`];
	});
	const parts = [...ours, ...rest];
	return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** @param {number} lon */
export const wrapLon = (lon) => ((((lon + 180) % 360) + 360) % 360) - 180;

/** A place as a link names it, so that the link leads to the same cell. @param {{ lat: number, lng: number }} latlng */
export const toPlace = ({ lat, lng }) => ({ lon: Number(wrapLon(lng).toFixed(5)), lat: Number(lat.toFixed(5)) });

/** What the address bar says now. */
export const readAddress = () => parseLink(window.location.search);

/**
 * Writes the link into the address bar if it says something new.
 * @param {Link} link @param {boolean} isStep whether the browser's Back shall return to what was there before
 */
export function writeAddress(link, isStep) {
	const search = formatLink(link, readAddress().rest);
	if (search === window.location.search) return;
	const { pathname, hash } = window.location;
	window.history[isStep ? "pushState" : "replaceState"](null, "", `${pathname}${search}${hash}`);
}

/** Calls back when the user goes Back or Forward. @param {() => void} callback */
export const onAddressChange = (callback) => window.addEventListener("popstate", callback);
