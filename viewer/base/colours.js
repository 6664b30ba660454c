/**
 * The colour of a number or a value, exactly that of the pictures of the server. Pure.
 *
 * A style is read from the legend of the server (`legend.json`); changes by the user are a colouring. Both together are
 * a painted style. With the meaning of the digital numbers it gives a table: the colour of every possible number.
 *
 * @typedef {import("./api.js").Legend} Legend
 * @typedef {import("./state.js").Colouring} Colouring
 * @typedef {[red: number, green: number, blue: number, alpha: number]} Rgba 0 to 255 each
 * @typedef {{ value: number, rgba: Rgba }} Stop
 * @typedef {{ value: number, rgba: Rgba, label: string }} StyleClass
 * @typedef {{
 *   range: [low: number, high: number], stops: Stop[], classes: StyleClass[], below: Rgba, above: Rgba, nodata: Rgba,
 *   flags: ReadonlyMap<string, Rgba>, labels: number[], isLog: boolean,
 * }} PaintedStyle a ramp of stops over a range of values, or classes
 * @typedef {{
 *   dtype: "uint8" | "uint16", nodata: number | null, scale: number, offset: number, flags?: Record<string, string>,
 *   source?: { shift: number, offset: number }, quantised?: boolean,
 * }} Numbers meaning of digital numbers, from the header of a cube; flags are names by number
 * @typedef {(value: number) => Rgba} ColourOf
 */

/** Tolerance of an end, a stop or a class, as a share of the range: `3 * 0.1` is 0.3. */
const TOLERANCE = 1e-6;
/** Steps of a logarithmic ramp: as many as pictures of one band have colours. */
const LOG_STEPS = 253;
/** Colours of a picture of numbers of 16 bits; a ramp that takes more is cut into steps. */
const MAX_COLOURS = 256;
/** Three of them are for missing values and for values below and above the range. */
const OTHER_COLOURS = 3;
const FEWEST_STEPS = 16;
/** @type {Rgba} */
const TRANSPARENT = [0, 0, 0, 0];

/** @param {string} text `#rrggbb` or `#rrggbbaa`; anything else is transparent @returns {Rgba} */
export function parseColour(text) {
	if (!/^#[0-9a-f]{6}([0-9a-f]{2})?$/i.test(text)) return TRANSPARENT;
	const at = (/** @type {number} */ start) => Number.parseInt(text.slice(start, start + 2), 16);
	return [at(1), at(3), at(5), text.length === 9 ? at(7) : 255];
}

/** Returns a colour for style sheets and canvases. @param {Rgba} rgba */
export const cssColour = ([red, green, blue, alpha]) => `rgb(${red} ${green} ${blue} / ${alpha / 255})`;

/** Returns a colour as a pixel of 32 bits. @param {Rgba} rgba */
export const pack = ([red, green, blue, alpha]) => (red | (green << 8) | (blue << 16) | (alpha << 24)) >>> 0;

/**
 * Returns the style of a legend with the changes of a colouring; the ramp is that of the legend.
 * @param {Legend} legend
 * @param {Colouring} colouring
 * @returns {PaintedStyle}
 */
export function paintedStyle(legend, { range, isReversed, isLog, hidden = [] }) {
	const told = toldStyle(legend);
	if (told.stops.length === 0) return { ...told, classes: told.classes.filter(({ value }) => !hidden.includes(value)) };
	const stretched = range === null ? told : withRange(told, range);
	const turned = isReversed ? reversed(stretched) : stretched;
	return isLog && turned.range[0] > 0 ? logarithmic(turned) : turned;
}

/** @param {Legend} legend @returns {PaintedStyle} */
function toldStyle({ type, range, stops = [], classes = [], below, above, nodata, flags = [], labels = [] }) {
	const isRamp = type === "ramp" && stops.length > 0;
	const ramp = isRamp ? stops.map(({ value, color }) => ({ value, rgba: parseColour(color) })) : [];
	const ends = isRamp ? [ramp[0], ramp[ramp.length - 1]] : [];
	return {
		range: range ?? [ends[0]?.value ?? 0, ends[1]?.value ?? 0],
		stops: ramp,
		classes: isRamp ? [] : classes.map(({ value, color, label }) => ({ value, rgba: parseColour(color), label })),
		below: below === undefined ? (ends[0]?.rgba ?? TRANSPARENT) : parseColour(below),
		above: above === undefined ? (ends[1]?.rgba ?? TRANSPARENT) : parseColour(above),
		nodata: parseColour(nodata ?? ""),
		flags: new Map(flags.map(({ name, color }) => [name, parseColour(color)])),
		labels: labels.map(({ value }) => value),
		isLog: false,
	};
}

/**
 * The style with its stops stretched over another range.
 * @param {PaintedStyle} style
 * @param {[number, number]} range
 * @returns {PaintedStyle}
 */
function withRange(style, [low, high]) {
	const [first, last] = style.range;
	const stops = style.stops.map(({ value, rgba }) => {
		const share = (value - first) / (last - first || 1);
		return { value: low * (1 - share) + high * share, rgba };
	});
	return { ...style, range: [low, high], stops, labels: [] };
}

/**
 * Returns the style with reversed colours; colours beyond the range follow the ends that they resemble.
 * @param {PaintedStyle} style
 * @returns {PaintedStyle}
 */
function reversed(style) {
	const [low, high] = style.range;
	const [first, last] = [low, high].map(rampColours(style));
	const stops = style.stops.toReversed().map(({ value, rgba }) => {
		const share = (value - low) / (high - low || 1);
		return { value: low * share + high * (1 - share), rgba };
	});
	const isLike = (/** @type {Rgba} */ one, /** @type {Rgba} */ other) => pack(one) === pack(other);
	return {
		...style,
		stops,
		below: isLike(style.below, first) ? last : style.below,
		above: isLike(style.above, last) ? first : style.above,
	};
}

/** The style in equal steps of the logarithm of its values. @param {PaintedStyle} style @returns {PaintedStyle} */
function logarithmic(style) {
	const [low, high] = style.range;
	const [start, end] = [Math.log10(low), Math.log10(high)];
	const colourAt = rampColours(style);
	const edge = (/** @type {number} */ index) => {
		if (index === 0) return low;
		return index === LOG_STEPS ? high : 10 ** (start + index * ((end - start) / LOG_STEPS));
	};
	const stops = Array.from({ length: LOG_STEPS }, (_, step) => {
		const value = step === LOG_STEPS - 1 ? high : low + step * ((high - low) / (LOG_STEPS - 1));
		const rgba = colourAt(value);
		return [edge(step), edge(step + 1)].map((end) => ({ value: end, rgba }));
	}).flat();
	return { ...style, stops, labels: [], isLog: true };
}

/**
 * Returns the style for differences of values: diverging colours, over half the range on either side of zero.
 * @param {PaintedStyle} style that of the values @param {PaintedStyle} diverging @returns {PaintedStyle}
 */
export function differenceStyle(style, diverging) {
	const half = (style.range[1] - style.range[0]) / 2;
	return { ...withRange(diverging, [-half, half]), nodata: style.nodata };
}

/** Returns the tolerance of an end or a class. @param {PaintedStyle} style */
const slackOf = ({ range: [low, high] }) => TOLERANCE * (high - low || Math.abs(high) || 1);

/** Returns the colours of finite values. @param {PaintedStyle} style @returns {ColourOf} */
export const colours = (style) => (style.stops.length > 0 ? rampColours(style) : classColours(style));

/** Rounds to the nearest integer, ties to even. @param {number} number */
function round(number) {
	const down = Math.floor(number);
	const part = number - down;
	return part > 0.5 || (part === 0.5 && down % 2 === 1) ? down + 1 : down;
}

/**
 * Returns the index of the last of ascending numbers that is not above a value; -1 if all are.
 * @param {ArrayLike<number>} ascending
 * @param {number} value
 */
function lastAtMost(ascending, value) {
	let [low, high] = [0, ascending.length];
	while (low < high) {
		const middle = (low + high) >> 1;
		if (ascending[middle] <= value) low = middle + 1;
		else high = middle;
	}
	return low - 1;
}

/** @param {PaintedStyle} style @returns {ColourOf} */
function rampColours(style) {
	const { stops, below, above, range } = style;
	const positions = Float64Array.from(stops, ({ value }) => value);
	const slack = slackOf(style);
	const [least, most] = [range[0] - slack, range[1] + slack];
	const last = positions.length - 1;
	let index = 0;
	return (value) => {
		if (value < least) return below;
		if (value > most) return above;
		const reached = value + slack;
		// Values come in order mostly, and are near the last one.
		const isThere = positions[index] <= reached && !(positions[index + 1] <= reached);
		if (!isThere) index = Math.max(0, lastAtMost(positions, reached));
		const next = Math.min(index + 1, last);
		const width = positions[next] - positions[index];
		const inside = Math.min(Math.max(value, positions[0]), positions[last]);
		const share = width > 0 ? Math.min(Math.max((inside - positions[index]) / width, 0), 1) : 0;
		const [from, to] = [stops[index].rgba, stops[next].rgba];
		const mix = (/** @type {number} */ band) => round(from[band] + share * (to[band] - from[band]));
		return [mix(0), mix(1), mix(2), mix(3)];
	};
}

/**
 * Returns a function that gives the class of a value, null if there is none.
 * @param {PaintedStyle} style
 * @returns {(value: number) => StyleClass | null}
 */
export function classOf(style) {
	const sortedClasses = style.classes.toSorted((one, other) => one.value - other.value);
	const values = Float64Array.from(sortedClasses, ({ value }) => value);
	const slack = slackOf(style);
	return (value) => {
		if (sortedClasses.length === 0) return null;
		const before = Math.max(0, lastAtMost(values, value));
		const after = Math.min(before + 1, sortedClasses.length - 1);
		const nearest = Math.abs(value - values[before]) <= Math.abs(value - values[after]) ? before : after;
		return Math.abs(value - values[nearest]) <= slack ? sortedClasses[nearest] : null;
	};
}

/** @param {PaintedStyle} style @returns {ColourOf} */
function classColours(style) {
	const find = classOf(style);
	return (value) => find(value)?.rgba ?? style.nodata;
}

/**
 * Tables of each legend in its last colouring, by the meaning of the numbers.
 * @type {WeakMap<Legend, { colouring: Colouring, tables: Map<string, Uint32Array> }>}
 */
const kept = new WeakMap();

/**
 * The colour of every digital number, as pixels of a picture have it: 256 of `uint8`, 65,536 of `uint16`, little-endian
 * RGBA. The same table is given back until the colouring changes.
 * @param {Legend} legend @param {Colouring} colouring @param {Numbers} numbers
 */
export function makeTable(legend, colouring, numbers) {
	let known = kept.get(legend);
	if (known?.colouring !== colouring) {
		known = { colouring, tables: new Map() };
		kept.set(legend, known);
	}
	const { dtype, nodata, scale, offset, flags, source, quantised } = numbers;
	const key = JSON.stringify([dtype, nodata, scale, offset, flags, source, quantised]);
	const table = known.tables.get(key) ?? tableOf(paintedStyle(legend, colouring), numbers);
	known.tables.set(key, table);
	return table;
}

/** @param {PaintedStyle} style @param {Numbers} numbers */
export function tableOf(style, numbers) {
	const { dtype, scale, offset, source, quantised } = numbers;
	const [shift, base] = source ? [source.shift, source.offset] : [0, offset];
	const table = new Uint32Array(dtype === "uint8" ? 256 : 65_536);
	const fixed = fixedColours(style, numbers);
	const steps = dtype === "uint8" || style.stops.length === 0 ? null : stepsOf(style, [...fixed.values()], scale, base);
	const toValue = (/** @type {number} */ number) => (number + shift) * scale + base;
	if ((quantised && steps) || !fillExactly(table, style, { toValue, fixed, isBounded: steps !== null })) {
		for (let number = 0; number < table.length; number++) table[number] = steps?.(number + shift) ?? 0;
	}
	for (const [number, colour] of fixed) table[number] = colour;
	return table;
}

/**
 * Returns the colours of numbers that are no values; a flag without a colour in the style has that of missing values.
 * @param {PaintedStyle} style
 * @param {Numbers} numbers
 */
function fixedColours(style, { nodata, flags = {} }) {
	const fixed = new Map(nodata === null ? [] : [[nodata, pack(style.nodata)]]);
	for (const [number, name] of Object.entries(flags))
		fixed.set(Number(number), pack(style.flags.get(name) ?? style.nodata));
	return fixed;
}

/**
 * Fills a table with exact colours; returns false if their number is bounded and exceeded.
 * @param {Uint32Array} table @param {PaintedStyle} style
 * @param {{ toValue: (number: number) => number, fixed: ReadonlyMap<number, number>, isBounded: boolean }} how
 */
function fillExactly(table, style, { toValue, fixed, isBounded }) {
	const colourOf = colours(style);
	const distinct = new Set([pack(style.nodata), ...fixed.values()]);
	let last = -1;
	for (let number = 0; number < table.length; number++) {
		const colour = pack(colourOf(toValue(number)));
		table[number] = colour;
		if (!isBounded || colour === last || fixed.has(number)) continue;
		last = colour;
		if (distinct.add(colour).size > MAX_COLOURS) return false;
	}
	return true;
}

/**
 * Returns a ramp in equal steps, each with the colour of its middle, as in pictures of at most 256 colours, as a
 * function of the number of the source; null if flags leave too few colours.
 * @param {PaintedStyle} style
 * @param {number[]} fixed colours of numbers that are no values
 * @param {number} scale
 * @param {number} offset
 */
function stepsOf(style, fixed, scale, offset) {
	const own = new Set(fixed.filter((colour) => colour !== pack(style.nodata)));
	const count = MAX_COLOURS - OTHER_COLOURS - own.size;
	if (count < FEWEST_STEPS) return null;
	const colourOf = colours(style);
	let [low, high] = style.range;
	const palette = Uint32Array.from({ length: count + 2 }, (_, index) => {
		if (index === 0) return pack(style.below);
		if (index === count + 1) return pack(style.above);
		return pack(colourOf(low + ((index - 0.5) / count) * (high - low)));
	});
	if (low === high) [low, high] = [low - slackOf(style), high + slackOf(style)];
	const stretch = (count * (1 - 2 * TOLERANCE)) / (high - low);
	const pivot = scale ? (low - offset) / scale : 0;
	const base = 2 + count * TOLERANCE + (pivot * scale + offset - low) * stretch;
	const factor = scale * stretch;
	return (/** @type {number} */ number) => {
		const position = Math.min(Math.max((number - pivot) * factor + base, 1), count + 2);
		return palette[Math.floor(position) - 1];
	};
}
