/**
 * The state of the viewer as a query string, both ways; no other module changes the address bar.
 *
 * Keys are those of Terrascope's viewer (language, layer, date, bbox, overlay, bgLayer) and our own; all are optional.
 * Every value is checked here; unknown parameters are preserved.
 *
 * @typedef {[west: number, south: number, east: number, north: number]} BBox degrees; west > east crosses 180
 * @typedef {{ lon: number, lat: number }} Point
 * @typedef {Point & { zoom: number }} View
 * @typedef {{
 *   language?: string, layer?: string, date?: string, bbox?: BBox, overlay?: boolean, overlays?: string[], bgLayer?:
 *     string,
 *   view?: View, layers?: LayerEntry[], opacity?: number, style?: string, ramp?: string, min?: number, max?: number,
 *   reversed?: boolean, log?: boolean, gaps?: Gaps, clear?: boolean, compare?: CompareMode, layer2?: string, slot?:
 *     import("./dates.js").Slot, reducer?: Method, date2?: string, style2?: string,
 *   ramp2?: string, min2?: number, max2?: number, reversed2?: boolean, log2?: boolean, split?: number, orient?: "v"
 *     | "h",
 *   from?: string, to?: string, play?: boolean, fps?: number, loop?: boolean, step?: number, maxcloud?: number,
 *   pt?: Point[], aoi?: NamedLine[], places?: string, statistic?: PlaceStatistic, span?: "date" | "dekad" | "month"
 *     | "season" | "year",
 *   chart?: ChartView, curve?: "whittaker" | "savgol", normal?: boolean, period?: [from: string, to: string],
 *   line?: Point[], cube?: "1" | "3d", scatter?: boolean, report?: boolean,
 *   agg?: string, years?: "value" | "anomaly" | "cumulative" | "dekads", from_month?: number, fit?: boolean,
 *   theme?: Theme, embed?: boolean, ui?: "min", story?: string,
 * }} Link
 * @typedef {"clearest" | "latest" | "median" | "max" | "anomaly"} Method
 * @typedef {{ id: string, opacity: number }} LayerEntry
 * @typedef {"swipe" | "side" | "opacity" | "spy" | "diff"} CompareMode
 * @typedef {"0" | "1" | "time" | "years" | "statistics" | "table"} ChartView 0 is a folded drawer; 1 equals time
 * @typedef {"mean" | "median" | "p10" | "p90" | "min" | "max" | "std" | "valid_share" | "anomaly"} PlaceStatistic
 * @typedef {"light" | "dark" | "auto"} Theme
 * @typedef {"show" | "last" | "skip"} Gaps
 * @typedef {{ name: string, line: string }} NamedLine the outline as an encoded polyline of 5 decimals
 * @typedef {import("./text.js").TextKey} TextKey
 * @typedef {{ key: TextKey, values?: Record<string, string | number> }} Expected description of valid values, a text of
 *   i18n/
 * @typedef {{ key: string, value: string, expected: Expected }} Fault
 */
import { parseSpan } from "./dates.js";

const MAX_POINTS = 8;
const MAX_CORNERS = 50;
const MAX_LAYERS = 8;
const MAX_AREAS = 3;
/** Decimals of degrees of a selected place: a centimetre, finer than the distance to any edge of a cell. */
export const PLACE_DIGITS = 7;
/** Maximum length of all areas of a link together. */
export const MAX_AREA_TEXT = 1500;
/**
 * Characters of encoded polylines with 5 decimals, `?` to `~`, except `;`, which separates areas.
 */
const POLYLINE = /^[?-~]+$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/;
const LANGUAGE = /^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)$/;

/**
 * @template T
 * @typedef {{ parse: (text: string) => T | null, format: (value: T) => string, expected: Expected }} Key
 */

/** @param {string} text @returns {number | null} */
const parseNumber = (text) => (NUMBER.test(text) ? Number(text) : null);

/** @param {string} text @param {number} count @returns {number[] | null} */
function parseNumbers(text, count) {
	const numbers = text.split(",").map((part) => parseNumber(part.trim()));
	return numbers.length === count && numbers.every((number) => number !== null) ? numbers : null;
}

/** At most `digits` decimals, never an exponent, never -0. @param {number} value @param {number} [digits] */
const formatNumber = (value, digits = 5) => String(Number(value.toFixed(digits)) + 0);

/** Nine digits that count, however small the number is, and never an exponent. */
const SIGNIFICANT = new Intl.NumberFormat("en", { maximumSignificantDigits: 9, useGrouping: false });

/** @param {number[]} values @param {number} [digits] */
const formatNumbers = (values, digits) => values.map((value) => formatNumber(value, digits)).join(",");

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

/** @param {RegExp} pattern @param {TextKey} key description of valid values @returns {Key<string>} */
const name = (pattern, key) => ({
	parse: (text) => (pattern.test(text) ? text : null),
	format: (value) => value,
	expected: { key },
});

/** @param {number} low @param {number} high @param {string} text */
function parseWithin(low, high, text) {
	const value = parseNumber(text);
	return value !== null && value >= low && value <= high ? value : null;
}

/** @param {number} low @param {number} high @param {number} digits @returns {Key<number>} */
const number = (low, high, digits) => ({
	parse: (text) => parseWithin(low, high, text),
	format: (value) => formatNumber(value, digits),
	expected: { key: "link.expected.number", values: { low, high } },
});

const LARGEST = 1e12;

/** A value of a layer, in its units. @type {Key<number>} */
const VALUE = {
	parse: (text) => parseWithin(-LARGEST, LARGEST, text),
	format: (value) => SIGNIFICANT.format(value + 0),
	expected: { key: "link.expected.value" },
};

/** @template {string} T @param {...T} words @returns {Key<T>} */
const oneOf = (...words) => ({
	parse: (text) => words.find((word) => word === text) ?? null,
	format: (value) => value,
	expected: { key: "link.expected.oneOf", values: { words: words.join(", ") } },
});

const FLAGS = new Map([
	["1", true],
	["0", false],
	["true", true],
	["false", false],
]);

/** @type {Key<boolean>} */
const FLAG = {
	parse: (text) => FLAGS.get(text) ?? null,
	format: (value) => (value ? "1" : "0"),
	expected: { key: "link.expected.oneOf", values: { words: [...FLAGS.keys()].join(", ") } },
};

/** @type {Key<string>} */
const DATE = {
	parse: (text) => (parseSpan(text) === null ? null : text),
	format: (value) => value,
	expected: { key: "link.expected.date" },
};

/** @param {string} text @returns {[from: string, to: string] | null} */
function parsePeriod(text) {
	const [from, to, ...more] = text.split("/");
	const [start, end] = [from, to ?? ""].map(parseSpan);
	return start && end && more.length === 0 && start.start < end.end ? [from, to] : null;
}

/** @param {string} text @returns {LayerEntry[] | null} */
function parseLayers(text) {
	const entries = text.split(",").map((part) => {
		const [id, opacity = "1", ...more] = part.split(":");
		const share = parseNumber(opacity);
		const good = NAME.test(id) && more.length === 0 && share !== null && share >= 0 && share <= 1;
		return good ? { id, opacity: share } : null;
	});
	return entries.length <= MAX_LAYERS && entries.every((entry) => entry !== null) ? entries : null;
}

/** @param {string} text @returns {NamedLine[] | null} */
function parseAreas(text) {
	if (text.length > MAX_AREA_TEXT) return null;
	const areas = text.split(";").map((part) => {
		const at = part.indexOf("~");
		const line = part.slice(at + 1);
		return at >= 0 && POLYLINE.test(line) ? { name: decode(part.slice(0, at)), line } : null;
	});
	return areas.length <= MAX_AREAS && areas.every((area) => area !== null) ? areas : null;
}

/** @param {number} least @param {number} most how many @param {number} digits @returns {Key<Point[]>} */
const points = (least, most, digits) => ({
	parse: (text) => {
		const places = text.split(";").map((part) => parseNumbers(part, 2) ?? [Number.NaN, Number.NaN]);
		const good = places.length >= least && places.length <= most && places.every(([lon, lat]) => isPlace(lon, lat));
		return good ? places.map(([lon, lat]) => ({ lon, lat })) : null;
	},
	format: (places) => places.map(({ lon, lat }) => formatNumbers([lon, lat], digits)).join(";"),
	expected: { key: "link.expected.points", values: { count: most } },
});

/** In the order of the link. @type {{ [K in keyof Link]-?: Key<NonNullable<Link[K]>> }} */
const KEYS = {
	language: name(LANGUAGE, "link.expected.language"),
	layer: name(NAME, "link.expected.name"),
	date: DATE,
	bbox: {
		parse: parseBBox,
		format: (box) => formatNumbers(box),
		expected: { key: "link.expected.bbox" },
	},
	overlay: { ...FLAG, format: String },
	overlays: {
		parse: (text) => (text.split(",").every((id) => NAME.test(id)) ? text.split(",") : null),
		format: (ids) => ids.join(","),
		expected: { key: "link.expected.name" },
	},
	bgLayer: name(NAME, "link.expected.name"),
	view: {
		parse: parseView,
		format: ({ lon, lat, zoom }) => formatNumbers([lon, lat, zoom]),
		expected: { key: "link.expected.view" },
	},
	layers: {
		parse: parseLayers,
		format: (entries) => entries.map(({ id, opacity }) => `${id}:${formatNumber(opacity, 2)}`).join(","),
		expected: { key: "link.expected.layers", values: { count: MAX_LAYERS } },
	},
	opacity: number(0, 1, 2),
	style: name(NAME, "link.expected.name"),
	ramp: name(NAME, "link.expected.name"),
	min: VALUE,
	max: VALUE,
	reversed: FLAG,
	log: FLAG,
	slot: oneOf("dekad", "month", "season", "year"),
	reducer: oneOf("clearest", "latest", "median", "max", "anomaly"),
	gaps: oneOf("show", "last", "skip"),
	clear: FLAG,
	compare: oneOf("swipe", "side", "opacity", "spy", "diff"),
	layer2: name(NAME, "link.expected.name"),
	date2: { ...DATE, parse: (text) => (text === "usual" ? text : DATE.parse(text)) },
	style2: name(NAME, "link.expected.name"),
	ramp2: name(NAME, "link.expected.name"),
	min2: VALUE,
	max2: VALUE,
	reversed2: FLAG,
	log2: FLAG,
	split: number(0, 1, 3),
	orient: oneOf("v", "h"),
	from: DATE,
	to: DATE,
	play: FLAG,
	fps: number(0.5, 30, 1),
	loop: FLAG,
	step: number(1, 366, 0),
	maxcloud: number(0, 100, 0),
	pt: points(1, MAX_POINTS, PLACE_DIGITS),
	aoi: {
		parse: parseAreas,
		format: (areas) => areas.map(({ name: label, line }) => `${encodeLabel(label)}~${line}`).join(";"),
		expected: { key: "link.expected.areas", values: { count: MAX_AREAS } },
	},
	places: name(NAME, "link.expected.name"),
	statistic: oneOf("mean", "median", "p10", "p90", "min", "max", "std", "valid_share", "anomaly"),
	span: oneOf("date", "dekad", "month", "season", "year"),
	chart: oneOf("0", "1", "time", "years", "statistics", "table"),
	curve: oneOf("whittaker", "savgol"),
	normal: FLAG,
	period: {
		parse: parsePeriod,
		format: (ends) => ends.join("/"),
		expected: { key: "link.expected.period" },
	},
	line: points(2, MAX_CORNERS, 5),
	cube: oneOf("1", "3d"),
	scatter: FLAG,
	report: FLAG,
	agg: name(/^[a-z][a-z0-9]{0,11}$/, "link.expected.reducer"),
	years: oneOf("value", "anomaly", "cumulative", "dekads"),
	from_month: number(1, 12, 0),
	fit: FLAG,
	theme: oneOf("light", "dark", "auto"),
	embed: FLAG,
	ui: oneOf("min"),
	story: name(/^(?!\/\/)[A-Za-z0-9_./-]{1,200}\.json$/, "link.expected.story"),
};

/** @param {string} text */
function decode(text) {
	try {
		return decodeURIComponent(text.replaceAll("+", " "));
	} catch {
		return text;
	}
}

/**
 * Encodes a name, which precedes `~` and its outline; halves of surrogate pairs, which URLs cannot contain, are
 * replaced.
 * @param {string} label
 */
const encodeLabel = (label) => encodeURIComponent(label.replace(/\p{Surrogate}/gu, "\ufffd")).replaceAll("~", "%7E");

/** Percent-encodes characters that a query must not contain, and preserves readable ones. @param {string} text */
const encode = (text) => encodeURIComponent(text).replace(/%(2C|2F|3A|3B)/g, (escaped) => decodeURIComponent(escaped));

/**
 * Parses a query string into valid values, unknown parameters, and faults of the others. The first of a repeated
 * parameter counts.
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

/**
 * The query string, with its question mark, that `parseLink` reads back.
 * @param {Link} link
 * @param {string[]} [rest]
 */
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

/**
 * Returns a place with the precision of a link, so that the link selects the same cell.
 * @param {{ lat: number, lng: number }} latlng
 * @param {number} [digits]
 */
export const toPlace = ({ lat, lng }, digits = PLACE_DIGITS) => ({
	lon: Number(wrapLon(lng).toFixed(digits)),
	lat: Number(lat.toFixed(digits)),
});

/** Parses the current address. */
export const readAddress = () => parseLink(window.location.search);

/**
 * Writes the link into the address bar if it changed.
 * @param {Link} link @param {boolean} isStep whether Back shall return to the previous link
 */
export function writeAddress(link, isStep) {
	const search = formatLink(link, readAddress().rest);
	if (search === window.location.search) return;
	const { pathname, hash } = window.location;
	window.history[isStep ? "pushState" : "replaceState"](null, "", `${pathname}${search}${hash}`);
}

/** The whole address of a link, to be given to others. @param {Link} link */
export const addressOf = (link) =>
	new URL(formatLink(link, readAddress().rest) || window.location.pathname, window.location.href).href;

/** Matches the part of a path that contains a key: `/k/KEY`. */
const KEY_IN_PATH = /(?:\/k\/[\w-]+)+(?=\/viewer(?:\/|$))/;

/**
 * Text to be given to others, its addresses without the key of this page.
 * @param {string} words
 * @param {string} [path] of the page
 */
export function withoutKey(words, path = window.location.pathname) {
	const added = KEY_IN_PATH.exec(path)?.[0];
	return added ? words.replaceAll(`${added}/`, "/") : words;
}

const STORY = /^#story=([\w-]+)$/;

/** Returns the story in the address; null if there is none. */
export const storyOfAddress = () => STORY.exec(window.location.hash)?.[1] ?? null;

/** @param {string} address @param {string} packed */
export const addressOfStory = (address, packed) => `${address}#story=${packed}`;

/** Removes the story from the address. */
export function dropStory() {
	const { pathname, search } = window.location;
	if (storyOfAddress() !== null) window.history.replaceState(null, "", `${pathname}${search}`);
}

/** Reloads the viewer at a link. @param {Link} link */
export const visit = (link) => window.location.assign(addressOf(link));

/** Leaves the viewer. @param {string} address */
export const leaveTo = (address) => window.location.assign(address);

/** Calls back after Back or Forward. @param {() => void} callback */
export const onAddressChange = (callback) => window.addEventListener("popstate", callback);
