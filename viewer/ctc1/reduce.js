/**
 * Makes maps of periods from the cubes of their dates: the values of each pixel reduced to one. Pure.
 *
 * The request follows the `#` of a cube's address, so that each result has a separate address:
 * `…/5.ctc?datetime=2024-01-01/2024-12-31#slot=month&reducer=median`. The resulting cube has a frame per period;
 * `counts` has the number of values behind each number.
 *
 * The normal of a period is the mean, over the years, of the reduced value of that period in each year (`usual`), or of
 * all single values in that part of the year (`usual_dates`). `anomaly` is the mean over the dates of a period of the
 * value minus the normal of the date's dekad, or month, as on the server: missing dates do not change it.
 *
 * @typedef {import("./decode.js").Header} Header
 * @typedef {import("./decode.js").Numbers} Numbers
 * @typedef {import("./periods.js").Slot} Slot
 * @typedef {"latest" | "max" | "median" | "mean"} Reducer
 * @typedef {Reducer | "anomaly" | "usual" | "usual_dates"} Made
 * @typedef {{ slot: Slot, made: Made, by: Reducer, of: string[], also: Map<string, number[]> }} Order `by` reduces
 *   the periods of a normal; `of` are the spans of the cubes from which it is made; `also` are dates that reach into
 *   further periods, with the starts of those
 * @typedef {{ url: string, header: Header, numbers: Numbers }} Part
 * @typedef {{ header: Header, numbers: Numbers, counts: Uint8Array<ArrayBuffer> }} Reduced
 * @typedef {{ values: Float64Array, counts: Uint8Array, chosen?: Numbers }} Layer by cell: the value, NaN if it is
 *   missing; the number of values behind it; the stored number if one was `chosen`
 */
import { Cube } from "./decode.js";
import { partOfYear, periodText, startOf } from "./periods.js";

const NODATA = 0xffff;
/** The number that stands for 0 in signed cubes. */
const ZERO = 0x7fff;
const MOST_COUNTED = 0xff;
/** First and last day in the address of a cube; of files they are the name. */
const SPAN = /(datetime=|\/)(\d{4}-\d\d-\d\d)([/_])(\d{4}-\d\d-\d\d)(?=[&.]|$)/;

/**
 * Returns the reduction in an address; null for a cube that the server makes.
 * @param {string} url
 * @returns {Order | null}
 */
export function orderOf(url) {
	const at = url.indexOf("#");
	if (at < 0) return null;
	const parameters = new URLSearchParams(url.slice(at + 1));
	const list = (/** @type {string} */ name) => parameters.get(name)?.split(",") ?? [];
	/** @type {Map<string, number[]>} */
	const also = new Map();
	for (const [time, start] of list("also").map((pair) => pair.split("~")))
		also.set(time, [...(also.get(time) ?? []), Date.parse(start)]);
	const made = /** @type {Made} */ (parameters.get("reducer"));
	const by = /** @type {Reducer} */ (parameters.get("by") ?? "mean");
	return { slot: /** @type {Slot} */ (parameters.get("slot")), made, by, of: list("of"), also };
}

/** Returns the server's address of the cube from which periods are made. @param {string} url */
export const ownOf = (url) => url.split("#", 1)[0];

/** Addresses of the cubes that are reduced to one, its own first. @param {string} url @returns {string[]} */
export function sourcesOf(url) {
	const own = ownOf(url);
	const spans = orderOf(url)?.of ?? [];
	const mark = SPAN.exec(own)?.[3] ?? "/";
	return [...new Set([own, ...spans.map((span) => own.replace(SPAN, `$1${span.replace("/", mark)}`))])];
}

/**
 * @param {string} url in the form that `orderOf` reads
 * @param {Part[]} all the cubes of `sourcesOf`
 * @returns {Reduced | null} null if there are no data
 */
export function reduceCubes(url, all) {
	const parts = all.filter(({ header }) => header.times.length > 0);
	const order = /** @type {Order} */ (orderOf(url));
	const isUsual = order.made.startsWith("usual");
	const own = parts.find((part) => part.url === ownOf(url)) ?? (isUsual ? parts[0] : undefined);
	if (!own) return null;
	const isAnomaly = order.made === "anomaly";
	const normals = order.of.length > 0 && !isAnomaly ? normalsOf(order, parts) : new Map();
	if (isUsual) return computed(own, normals, order.made);
	const usual = isAnomaly ? usualOfDates(parts) : null;
	/** @type {Map<string, Layer>} */
	const layers = new Map();
	for (const [start, frames] of framesOf(own, order)) {
		const layer = usual ? differences(own, frames, usual) : reduced(own, frames, /** @type {Reducer} */ (order.made));
		layers.set(periodText(order.slot, start), layer);
	}
	const isStored = order.made === "latest" || order.made === "max";
	return isStored ? stored(own, layers) : computed(own, layers, order.made);
}

/**
 * Returns the frames of each period that starts within the span of a cube, by its start.
 * @param {Part} part
 * @param {Order} order
 */
function framesOf({ url, header }, { slot, also }) {
	const [, , from = "", , to = ""] = SPAN.exec(url) ?? [];
	const [first, last] = [Date.parse(from), Date.parse(to)];
	/** @type {Map<number, number[]>} */
	const frames = new Map();
	for (const [frame, time] of header.times.entries()) {
		for (const start of [startOf(slot, Date.parse(String(time))), ...(also.get(String(time)) ?? [])]) {
			if (start >= first && start <= last) frames.set(start, [...(frames.get(start) ?? []), frame]);
		}
	}
	return frames;
}

/** Tables of `valuesOf`. @type {WeakMap<Numbers, Float64Array>} */
const tables = new WeakMap();

/** Returns the value of each number of a cube; NaN for no value. @param {Pick<Part, "header" | "numbers">} part */
function valuesOf(part) {
	const { header, numbers } = part;
	const table = tables.get(numbers) ?? new Cube(header, numbers).values;
	tables.set(numbers, table);
	return table;
}

/**
 * Values of some dates of a cube, reduced.
 * @param {Part} part
 * @param {number[]} frames ascending
 * @param {Reducer} by
 * @returns {Layer}
 */
function reduced(part, frames, by) {
	const { header, numbers } = part;
	const size = header.w * header.h;
	const table = valuesOf(part);
	const [values, counts] = [new Float64Array(size).fill(Number.NaN), new Uint8Array(size)];
	// Pixels without any value show the flag of the newest date, or nothing.
	const newest = frames[frames.length - 1] * size;
	const chosen = by === "latest" ? numbers.slice(newest, newest + size) : numbers.slice(0, size).fill(header.nodata);
	const some = new Float64Array(frames.length);
	for (let cell = 0; cell < size; cell++) {
		let count = 0;
		for (const frame of frames) {
			const number = numbers[frame * size + cell];
			const value = table[number];
			if (Number.isNaN(value)) continue;
			some[count++] = value;
			if (by === "max" && values[cell] >= value) continue;
			values[cell] = value;
			chosen[cell] = number;
		}
		counts[cell] = Math.min(MOST_COUNTED, count);
		if (count > 1 && (by === "mean" || by === "median"))
			values[cell] = (by === "mean" ? mean : median)(some.subarray(0, count));
	}
	return { values, counts, chosen };
}

/** @param {Float64Array} some */
function mean(some) {
	let sum = 0;
	for (const value of some) sum += value;
	return sum / some.length;
}

/** @param {Float64Array} some */
function median(some) {
	some.sort();
	return (some[(some.length - 1) >> 1] + some[some.length >> 1]) / 2;
}

/**
 * Returns the normal of each part of the year, with its number of years or dates.
 * @param {Order} order
 * @param {Part[]} parts
 * @returns {Map<string, Layer>}
 */
function normalsOf(order, parts) {
	/** @type {Map<string, Layer>} */
	const normals = new Map();
	for (const part of parts) {
		for (const [start, frames] of framesOf(part, order)) {
			const key = partOfYear(order.slot, start);
			const each = order.made === "usual_dates" ? frames.map((frame) => [frame]) : [frames];
			for (const some of each) add(normals, key, reduced(part, some, order.by));
		}
	}
	for (const { values, counts } of normals.values()) {
		for (let cell = 0; cell < values.length; cell++) values[cell] /= counts[cell];
	}
	return normals;
}

/** @param {Map<string, Layer>} sums @param {string} key @param {Layer} layer */
function add(sums, key, layer) {
	const { values } = layer;
	const sum = sums.get(key) ?? { values: new Float64Array(values.length), counts: new Uint8Array(values.length) };
	sums.set(key, sum);
	for (let cell = 0; cell < values.length; cell++) {
		if (Number.isNaN(values[cell]) || sum.counts[cell] === MOST_COUNTED) continue;
		sum.values[cell] += values[cell];
		sum.counts[cell]++;
	}
}

const [MONTHLY_MS, MIN_MS] = [28 * 86_400_000, 3_600_000];

/**
 * Returns the normals of dates by dekad; by month if dates are four weeks or more apart.
 * @param {Part[]} parts
 */
function usualOfDates(parts) {
	const times = parts
		.flatMap(({ header }) => header.times.map((time) => Date.parse(String(time))))
		.sort((a, b) => a - b);
	const gaps = times.flatMap((time, at) => (at > 0 && time - times[at - 1] > MIN_MS ? [time - times[at - 1]] : []));
	const middle = gaps.sort((a, b) => a - b)[gaps.length >> 1] ?? 0;
	const slot = /** @type {Slot} */ (middle >= MONTHLY_MS ? "month" : "dekad");
	const slotOf = (/** @type {Part} */ { header }, /** @type {number} */ frame) =>
		partOfYear(slot, startOf(slot, Date.parse(String(header.times[frame]))));
	/** @type {Map<string, Layer>} */
	const sums = new Map();
	for (const part of parts) {
		for (const frame of part.header.times.keys()) add(sums, slotOf(part, frame), reduced(part, [frame], "mean"));
	}
	return { slotOf, sums };
}

/**
 * Returns the mean over dates of the value minus the normal.
 * @param {Part} part
 * @param {number[]} frames
 * @param {ReturnType<typeof usualOfDates>} usual
 * @returns {Layer}
 */
function differences(part, frames, { slotOf, sums }) {
	const size = part.header.w * part.header.h;
	const table = valuesOf(part);
	const [values, counts] = [new Float64Array(size), new Uint8Array(size)];
	const all = frames.map((frame) => ({ first: frame * size, sum: sums.get(slotOf(part, frame)) }));
	for (let cell = 0; cell < size; cell++) {
		let count = 0;
		for (const { first, sum } of all) {
			const apart = table[part.numbers[first + cell]] - (sum ? sum.values[cell] / sum.counts[cell] : Number.NaN);
			if (Number.isNaN(apart)) continue;
			values[cell] += apart;
			count++;
		}
		values[cell] /= count;
		counts[cell] = Math.min(MOST_COUNTED, count);
	}
	return { values, counts };
}

/** Returns header and counts of a cube of layers. @param {Part} part @param {Map<string, Layer>} layers */
function described({ header, numbers }, layers) {
	const [size, all] = [header.w * header.h, [...layers.values()]];
	const share = (/** @type {(cell: number) => number} */ valueAt) => {
		let count = 0;
		for (let cell = 0; cell < size; cell++) if (!Number.isNaN(valueAt(cell))) count++;
		return count / size;
	};
	// `valid` counts the whole tile, cells only a part of it: the fullest date has both fractions, and gives their ratio.
	const fullest = header.valid.indexOf(Math.max(...header.valid));
	const table = valuesOf({ header, numbers });
	const weight = header.valid[fullest] / (share((cell) => table[numbers[fullest * size + cell]]) || 1);
	const counts = new Uint8Array(size * all.length);
	for (const [at, layer] of all.entries()) counts.set(layer.counts, at * size);
	const valid = all.map(({ values }) => Math.min(1, weight * share((cell) => values[cell])));
	return { counts, header: { ...header, times: [...layers.keys()], valid, blocks: [] } };
}

/** Numbers as the dates have them. @param {Part} part @param {Map<string, Layer>} layers @returns {Reduced} */
function stored(part, layers) {
	const all = [...layers.values()].map(({ chosen }) => /** @type {Numbers} */ (chosen));
	const size = part.header.w * part.header.h;
	const numbers =
		part.header.dtype === "uint8" ? new Uint8Array(size * all.length) : new Uint16Array(size * all.length);
	for (const [at, chosen] of all.entries()) numbers.set(chosen, at * size);
	return { ...described(part, layers), numbers };
}

/**
 * Encodes values in as many bits as the source's numbers have: as fractions of the steps of the source.
 * @param {Part} part
 * @param {Map<string, Layer>} layers
 * @param {Made} made
 * @returns {Reduced}
 */
function computed(part, layers, made) {
	const isSigned = made === "anomaly";
	const { dtype, scale, offset, source, reach, quantised } = part.header;
	const base = isSigned ? 0 : source ? source.shift * scale + source.offset : offset;
	const zero = isSigned ? ZERO : 0;
	const all = [...layers.values()].map(({ values }) => values);
	let most = 0xff;
	for (const values of dtype === "uint8" ? [] : all) {
		for (const value of values) if (Math.abs((value - base) / scale) > most) most = Math.abs((value - base) / scale);
	}
	const parts = 2 ** ((isSigned ? 15 : 16) - Math.ceil(Math.log2(most + 1)));
	const size = part.header.w * part.header.h;
	const numbers = new Uint16Array(size * all.length);
	for (const [at, values] of all.entries()) {
		for (let cell = 0; cell < size; cell++) {
			const number = Math.round(((values[cell] - base) / scale) * parts) + zero;
			numbers[at * size + cell] = Number.isNaN(number) ? NODATA : Math.max(0, Math.min(NODATA - 1, number));
		}
	}
	const { header, counts } = described(part, layers);
	const step = scale / parts;
	// Halves are the finest of a median.
	const isExact = made === "median" && parts > 1 && !reach && !quantised;
	const means = {
		dtype: /** @type {const} */ ("uint16"),
		nodata: NODATA,
		scale: step,
		offset: base - zero * step,
		quantised: true,
		isExact,
	};
	return { header: { ...header, ...means, flags: undefined, source: undefined, reach: undefined }, numbers, counts };
}
